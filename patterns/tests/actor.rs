//! Actors: the handshake, both ways of their pipes, and every way in which they end.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, eventually, in_own_process};
use zmq::{Context, Errno, PollEvents, PollItem, Rep, Req, interrupt, poll};
use zmq_patterns::{Actor, ActorError, ActorPipe, ActorResult, Reactor};

const MOMENT: Duration = Duration::from_millis(50);

fn echo(pipe: &ActorPipe) -> ActorResult {
    pipe.ready();
    loop {
        pipe.send_multipart(pipe.recv_multipart()?)?;
    }
}

fn is_canceled<T>(outcome: zmq::Result<T>) -> bool {
    outcome.is_err_and(|error| error.errno() == Errno::ECANCELED)
}

#[deadline::test]
fn pipe_carries_whole_messages_both_ways() {
    let context = Context::new().unwrap();
    let actors: Vec<_> = (0..3).map(|_| Actor::spawn(&context, "echo", echo).unwrap()).collect();
    for round in 0..100 {
        for (number, actor) in actors.iter().enumerate() {
            actor.send_multipart([round.to_string(), number.to_string(), String::new()]).unwrap();
        }
        for (number, actor) in actors.iter().enumerate() {
            assert_eq!(actor.recv_multipart().unwrap(), [round.to_string(), number.to_string(), String::new()]);
            // An empty message is delivered like any other.
            actor.send_multipart("").unwrap();
            assert_eq!(actor.recv_multipart().unwrap(), [""]);
        }
    }
    for actor in actors {
        assert!(actor.is_running());
        assert!(actor.now().recv_multipart().unwrap().is_none());
        assert!(actor.within(Duration::from_millis(1)).recv_multipart().unwrap().is_none());
        let refused = actor.send_multipart(zmq::Multipart::new()).unwrap_err();
        assert_eq!(refused.error().errno(), Errno::EINVAL);
        actor.terminate(DEADLINE).unwrap();
    }
    assert!(context.open_sockets().is_empty());
}

#[deadline::test]
fn spawn_returns_when_the_set_up_is_done() {
    let context = Context::new().unwrap();
    let actor = Actor::spawn(&context, "server", |pipe| {
        let server = pipe.context().owned_socket(Rep)?;
        assert_eq!(thread::current().name(), Some("server"));
        thread::sleep(MOMENT);
        server.bind("inproc://server")?;
        pipe.ready();
        pipe.ready();
        loop {
            let mut items =
                [PollItem::socket(&server, PollEvents::POLLIN), PollItem::socket(pipe.as_ref(), PollEvents::POLLIN)];
            poll(&mut items, None)?;
            if items[1].is_readable() {
                assert!(is_canceled(pipe.now().recv_multipart()) && pipe.is_terminated());
                return Ok(());
            }
            if items[0].is_readable() {
                server.send(server.recv_msg()?)?;
            }
        }
    })
    .unwrap();
    // The name is bound by now.
    assert!(context.socket(Rep).unwrap().bind("inproc://server").is_err());
    let client = context.socket(Req).unwrap();
    client.connect("inproc://server").unwrap();
    client.send("Hello").unwrap();
    assert_eq!(client.recv_msg().unwrap(), "Hello");
    actor.terminate(DEADLINE).unwrap();
}

#[deadline::test]
fn spawn_reports_errors_of_the_set_up() {
    let context = Context::new().unwrap();
    let failed = Actor::spawn(&context, "fails", |pipe| {
        pipe.context().owned_socket(Rep)?.bind("nowhere")?;
        pipe.ready();
        Ok(())
    });
    let Err(ActorError::Failed(error)) = failed else { panic!("{failed:?}") };
    assert_eq!(error.downcast_ref::<zmq::Error>().unwrap().errno(), Errno::EINVAL);
    let failed = Actor::spawn(&context, "fails", |_| Err("any error".into()));
    assert_eq!(failed.unwrap_err().to_string(), "the actor failed: any error");
    let failed = Actor::spawn(&context, "panics", |_| panic!("in its {}", "set-up"));
    assert!(matches!(failed, Err(ActorError::Panicked(text)) if text == "in its set-up"));
    let failed = Actor::spawn(&context, "bad\0name", |_| Ok(()));
    assert!(matches!(failed, Err(ActorError::NotStarted(error)) if error.errno() == Errno::EINVAL));
    assert!(context.open_sockets().is_empty());
    context.shutdown().unwrap();
    let failed = Actor::spawn(&context, "late", |_| Ok(()));
    assert!(matches!(failed, Err(ActorError::NotStarted(error)) if error.errno() == Errno::ETERM));
}

#[deadline::test]
fn spawn_returns_when_the_body_uses_its_pipe_or_ends() {
    let context = Context::new().unwrap();
    let bodies: [fn(&ActorPipe) -> ActorResult; 5] = [
        |pipe| Ok(pipe.recv_multipart().map(drop)?),
        |pipe| {
            assert!(is_canceled(pipe.within(DEADLINE).recv_multipart()) && pipe.is_terminated());
            Ok(())
        },
        |pipe| {
            while pipe.now().recv_multipart()?.is_none() {}
            unreachable!("its owner sends nothing");
        },
        |pipe| Ok(pipe.send_multipart("ready")?),
        |_| Ok(()),
    ];
    for body in bodies {
        Actor::spawn(&context, "quiet", body).unwrap().terminate(DEADLINE).unwrap();
    }
}

#[deadline::test]
fn owner_receives_all_messages_when_the_actor_has_ended() {
    let context = Context::new().unwrap();
    for messages in [0, 1, 500, 1900] {
        let actor = Actor::spawn(&context, "short", move |pipe| {
            for number in 0..messages {
                pipe.send_multipart([number.to_string(), String::new()])?;
            }
            Ok(())
        })
        .unwrap();
        eventually("it has ended", || !actor.is_running());
        for number in 0..messages {
            assert_eq!(actor.recv_multipart().unwrap(), [number.to_string(), String::new()]);
        }
        poll(&mut [PollItem::socket(actor.as_ref(), PollEvents::POLLIN)], None).unwrap();
        for _ in 0..3 {
            assert!(is_canceled(actor.recv_multipart()));
            assert!(is_canceled(actor.within(DEADLINE).recv_multipart()));
            assert!(is_canceled(actor.within(None).recv_multipart()));
            assert!(is_canceled(actor.now().recv_multipart()));
        }
        let refused = actor.send_multipart("too late").unwrap_err();
        assert_eq!((refused.error().errno(), refused.message()), (Errno::ECANCELED, &"too late".into()));
        actor.terminate(DEADLINE).unwrap();
    }
}

#[deadline::test]
fn actor_receives_all_messages_sent_before_its_end() {
    let context = Context::new().unwrap();
    for messages in [0, 1, 1900] {
        let (count, counted) = channel();
        let (go, gone) = channel::<()>();
        let actor = Actor::spawn(&context, "counts", move |pipe| {
            pipe.ready();
            gone.recv().unwrap_err();
            let mut received = 0;
            let error = loop {
                match pipe.recv_multipart() {
                    Ok(message) => assert_eq!(message, [received.to_string()]),
                    Err(error) => break error,
                }
                received += 1;
            };
            assert_eq!(error.errno(), Errno::ECANCELED);
            assert!(is_canceled(pipe.recv_multipart()) && is_canceled(pipe.now().recv_multipart()));
            count.send(received)?;
            Ok(())
        })
        .unwrap();
        for number in 0..messages {
            actor.send_multipart(number.to_string()).unwrap();
        }
        drop(go);
        actor.terminate(DEADLINE).unwrap();
        assert_eq!(counted.recv().unwrap(), messages);
    }
}

#[deadline::test]
fn panic_of_an_actor_is_reported_and_ends_all_waits() {
    let context = Context::new().unwrap();
    let panics = || {
        Actor::spawn(&context, "panics", |pipe| {
            let message = pipe.recv_multipart()?;
            pipe.send_multipart("last words")?;
            panic!("told to: {}", message[0].to_str()?);
        })
        .unwrap()
    };
    let actor = panics();
    actor.send_multipart("now").unwrap();
    assert_eq!(actor.recv_multipart().unwrap(), ["last words"]);
    assert!(is_canceled(actor.recv_multipart()));
    let error = actor.terminate(DEADLINE).unwrap_err();
    assert!(matches!(&error, ActorError::Panicked(text) if text == "told to: now"), "{error}");
    assert_eq!(zmq::Error::from(error).errno(), Errno::ECONNABORTED);

    // A send fails once the actor has panicked; it does not wait for ever.
    let actor = panics();
    let error = loop {
        if let Err(failed) = actor.send_multipart("now") {
            break failed;
        }
    };
    assert_eq!(error.error().errno(), Errno::ECANCELED);
    drop(actor);
}

#[deadline::test]
fn full_pipe_does_not_delay_the_end_of_an_actor() {
    let context = Context::new().unwrap();
    // This actor sends and never receives, and its owner receives nothing.
    let sent = Arc::new(AtomicUsize::new(0));
    let counts = sent.clone();
    let talks = Actor::spawn(&context, "talks", move |pipe| {
        loop {
            pipe.send_multipart("and another thing")?;
            counts.fetch_add(1, Ordering::SeqCst);
        }
    })
    .unwrap();
    eventually("the pipe is full", || sent.load(Ordering::SeqCst) == 2000);
    talks.terminate(DEADLINE).unwrap();

    // This actor receives nothing until its owner terminates it.
    let deaf = Actor::spawn(&context, "deaf", |pipe| {
        pipe.ready();
        while !pipe.is_terminated() {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    })
    .unwrap();
    for _ in 0..2000 {
        deaf.send_multipart("are you there?").unwrap();
    }
    assert_eq!(poll(&mut [PollItem::socket(deaf.as_ref(), PollEvents::POLLOUT)], MOMENT).unwrap(), 0);
    // A send with a time gives the message back.
    for call in [deaf.now(), deaf.within(MOMENT)] {
        assert_eq!(call.send_multipart(["no", "room"]).unwrap().into_unsent(), Some(["no", "room"].into()));
    }
    deaf.terminate(DEADLINE).unwrap();
}

#[deadline::test]
fn actor_that_does_not_end_is_left_running() {
    let context = Context::new().unwrap();
    let (go, gone) = channel::<()>();
    let ended = Arc::new(AtomicBool::new(false));
    let sets = ended.clone();
    let stubborn = Actor::spawn(&context, "stubborn", move |pipe| {
        pipe.ready();
        gone.recv().unwrap_err();
        // The actor's end of the pipe reports that the owner is gone, and no call on it waits.
        assert!(is_canceled(pipe.recv_multipart()));
        assert_eq!(pipe.send_multipart("late").unwrap_err().error().errno(), Errno::ECANCELED);
        sets.store(true, Ordering::SeqCst);
        Ok(())
    })
    .unwrap();
    let start = Instant::now();
    let error = stubborn.terminate(MOMENT).unwrap_err();
    assert!(matches!(error, ActorError::StillRunning(MOMENT)) && start.elapsed() >= MOMENT);
    let error = zmq::Error::from(error);
    assert_eq!((error.errno(), error.call()), (Errno::EAGAIN, "Actor::terminate"));
    drop(go);
    eventually("it has ended", || ended.load(Ordering::SeqCst));
    context.terminate(DEADLINE).unwrap();
}

/// The error of a pipe that ended is no failure of the actor, whatever errors contain it. That of another pipe is one.
#[deadline::test]
fn ecanceled_ends_an_actor_that_must_end_and_fails_another() {
    #[derive(Debug)]
    struct Wrapped(zmq::Error);
    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }
    impl std::error::Error for Wrapped {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let context = Context::new().unwrap();
    let bodies: [fn(&ActorPipe) -> ActorResult; 4] = [
        |pipe| Ok(pipe.recv_multipart().map(drop)?),
        |pipe| Ok(pipe.recv_multipart().map(drop).map_err(Wrapped)?),
        |pipe| Ok(pipe.recv_multipart().map(drop).map_err(std::io::Error::other)?),
        |pipe| {
            let mut reactor = Reactor::new()?;
            let receive = |_: &mut Reactor<'_>, _| Ok(pipe.now().recv_multipart().map(drop)?);
            reactor.add(pipe.as_ref(), PollEvents::POLLIN, receive)?;
            reactor.run()?;
            Ok(())
        },
    ];
    for body in bodies {
        Actor::spawn(&context, "waits", move |pipe| {
            pipe.ready();
            body(pipe)
        })
        .unwrap()
        .terminate(DEADLINE)
        .unwrap();
    }
    let ended = |pipe: &ActorPipe| {
        let other = Actor::spawn(&pipe.context(), "short", |_| Ok(()))?;
        Ok(other.recv_multipart().map(drop)?)
    };
    let failed = Actor::spawn(&context, "outer", ended).unwrap_err();
    assert!(matches!(failed, ActorError::Failed(error) if error.is::<zmq::Error>()));
}

#[deadline::test]
fn actor_ends_with_its_context() {
    let context = Context::new().unwrap();
    let actor = Actor::spawn(&context, "echo", echo).unwrap();
    let idle = Actor::spawn(&context, "echo", echo).unwrap();
    context.shutdown().unwrap();
    assert_eq!(actor.recv_multipart().unwrap_err().errno(), Errno::ETERM);
    let error = actor.terminate(DEADLINE).unwrap_err();
    let ActorError::Failed(error) = error else { panic!("{error}") };
    assert_eq!(error.downcast_ref::<zmq::Error>().unwrap().errno(), Errno::ETERM);
    drop(idle);
    context.terminate(DEADLINE).unwrap();
    // The context may be dropped first.
    let context = Context::new().unwrap();
    let actor = Actor::spawn(&context, "echo", echo).unwrap();
    drop(context);
    actor.send_multipart("still there").unwrap();
    assert_eq!(actor.recv_multipart().unwrap(), ["still there"]);
}

#[deadline::test]
fn caught_signal_ends_the_waits_of_owner_and_actor() {
    in_own_process("caught_signal_ends_the_waits_of_owner_and_actor", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let actor = Actor::spawn(&context, "echo", echo).unwrap();
        let theirs = context.clone();
        let (started, starting) = channel();
        let (go, gone) = channel::<()>();
        let spawning = thread::spawn(move || {
            Actor::spawn(&theirs, "slow", move |_| {
                started.send(()).unwrap();
                gone.recv().unwrap_err();
                Ok(())
            })
            .map(drop)
        });
        starting.recv().unwrap();
        // SAFETY: the signal is caught.
        unsafe { libc::raise(libc::SIGINT) };
        // The signal ends this wait and the actor's, in any order.
        assert!(matches!(actor.recv_multipart().unwrap_err().errno(), Errno::EINTR | Errno::ECANCELED));
        let error = spawning.join().unwrap().unwrap_err();
        assert!(matches!(error, ActorError::NotStarted(error) if error.errno() == Errno::EINTR));
        drop(go);
        eventually("the signal has ended it", || !actor.is_running());
        let error = actor.terminate(DEADLINE).unwrap_err();
        assert!(matches!(error, ActorError::Failed(_)));
        context.terminate(DEADLINE).unwrap();
    });
}

/// If the names of pipes were counted, any code in the process could connect to the next one first.
#[deadline::test]
fn other_socket_cannot_take_over_an_actor_pipe() {
    let context = Context::new().unwrap();
    let hijack = |name: &str| {
        let hijacker = context.socket(zmq::Pair).unwrap();
        hijacker.connect(name).unwrap();
        hijacker
    };
    let mut hijackers: Vec<_> = (0..50).map(|number| hijack(&format!("inproc://zmq-actor-{number}"))).collect();
    for _ in 0..3 {
        let actor = Actor::spawn(&context, "echo", echo).unwrap();
        // The report of open sockets names the pipe, which has no name any more.
        let open = context.open_sockets();
        let names = open.iter().flat_map(|socket| socket.bound().chain(socket.connected())).map(str::to_owned);
        let known: std::collections::BTreeSet<String> = names.collect();
        hijackers.extend(known.iter().map(|name| hijack(name)));
        actor.send_multipart("for the actor").unwrap();
        assert_eq!(actor.recv_multipart().unwrap(), ["for the actor"]);
        actor.terminate(DEADLINE).unwrap();
    }
    for hijacker in hijackers {
        assert_eq!(hijacker.now().recv_msg().unwrap(), None);
    }
}

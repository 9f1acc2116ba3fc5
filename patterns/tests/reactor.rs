//! The event loop.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{ThreadId, in_own_process};
use zmq::{Context, Errno, Kind, Pair, PollEvents, Pull, Push, Rep, Req, Router, Socket, interrupt};
use zmq_patterns::{Ended, Reactor, ReactorError};

const SHORT: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(3600);
const IN: PollEvents = PollEvents::POLLIN;

fn pair<'ctx>(context: &'ctx Context, endpoint: &str) -> (Socket<'ctx, Pair>, Socket<'ctx, Pair>) {
    let (left, right) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
    left.bind(endpoint).unwrap();
    right.connect(endpoint).unwrap();
    (left, right)
}

#[deadline::test]
fn reactor_serves_sockets_descriptors_and_timers() {
    let context = Context::new().unwrap();
    let (socket, peer) = pair(&context, "inproc://a");
    let (near, far) = UnixStream::pair().unwrap();
    let log = RefCell::new(Vec::new());
    let mut reactor = Reactor::new().unwrap();
    reactor
        .add(&socket, IN, |_, event| {
            assert!(event.is_readable());
            log.borrow_mut().push(format!("socket {:?}", socket.recv_msg()?.as_str().unwrap()));
            (&far).write_all(b"x")?;
            Ok(())
        })
        .unwrap();
    reactor
        .add(near.as_fd(), IN, |reactor, _| {
            (&near).read_exact(&mut [0])?;
            log.borrow_mut().push("fd".to_owned());
            reactor.stop();
            Ok(())
        })
        .unwrap();
    reactor.after(SHORT, |_, _| {
        log.borrow_mut().push("timer".to_owned());
        peer.send("Hello")?;
        Ok(())
    });
    assert_eq!(reactor.len(), 3);
    assert_eq!(reactor.run().unwrap(), Ended::Stopped);
    assert_eq!(reactor.len(), 2, "a timer that runs once is gone");
    assert_eq!(*log.borrow(), ["timer", r#"socket "Hello""#, "fd"]);
}

/// Runs the loop until its handler of the socket has received ten messages, one in each call.
fn run_until_ten_are_received<'a>(reactor: &mut Reactor<'a>, socket: &'a Socket<'_, Pair>) {
    let mut received = 0;
    reactor
        .add(socket, IN, move |reactor, _| {
            socket.recv_msg()?;
            received += 1;
            if received == 10 {
                reactor.stop();
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(reactor.run().unwrap(), Ended::Stopped);
}

#[deadline::test]
fn handler_is_called_again_while_messages_wait() {
    let context = Context::new().unwrap();
    let (socket, peer) = pair(&context, "inproc://a");
    for _ in 0..10 {
        peer.send("x").unwrap();
    }
    let mut reactor = Reactor::new().unwrap();
    run_until_ten_are_received(&mut reactor, &socket);
}

#[deadline::test]
fn reactor_lends_and_returns_a_socket_that_it_owns() {
    let context = Context::new().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let server = context.owned_socket(Rep).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let id = reactor
        .add(server, IN, |reactor, event| {
            let server = reactor.socket(event.key).unwrap();
            let request = server.recv_msg()?;
            if request == "end" {
                reactor.stop();
                return Ok(());
            }
            Ok(server.send(request)?)
        })
        .unwrap();
    let context = &context;
    thread::scope(|scope| {
        scope.spawn(move || {
            let client = context.socket(Req).unwrap();
            client.connect(&endpoint).unwrap();
            for _ in 0..100 {
                client.send("ask").unwrap();
                assert_eq!(client.recv_msg().unwrap(), "ask");
            }
            client.send("end").unwrap();
        });
        assert_eq!(reactor.run().unwrap(), Ended::Stopped);
    });
    let server = reactor.remove(id).unwrap().unwrap().into_socket().unwrap();
    assert_eq!(server.kind(), Kind::Rep);
    assert!(reactor.socket(id).is_none());
    assert_eq!(reactor.run().unwrap(), Ended::Empty);
}

#[deadline::test]
fn handlers_remove_themselves_and_each_other() {
    let context = Context::new().unwrap();
    let pairs: Vec<_> = (0..4).map(|number| pair(&context, &format!("inproc://{number}"))).collect();
    let ids = RefCell::new(Vec::new());
    let calls = Cell::new(0);
    let mut reactor = Reactor::new().unwrap();
    for (socket, peer) in &pairs {
        peer.send("x").unwrap();
        // The first handler that is called removes all. The others are ready too, and are not called.
        let id = reactor.add(socket, IN, |reactor, event| {
            calls.set(calls.get() + 1);
            let all: Vec<_> = ids.borrow().clone();
            assert!(all.contains(&event.key));
            for id in all {
                assert!(reactor.remove(id)?.is_some_and(|source| source.into_fd().is_none()));
                assert_eq!(reactor.remove(id).unwrap_err().errno(), Errno::EINVAL);
                assert_eq!(reactor.modify(id, IN).unwrap_err().errno(), Errno::EINVAL);
            }
            // A new handler in a freed slot is not taken for the removed one.
            reactor.after(SHORT, |reactor, _| {
                reactor.stop();
                Ok(())
            });
            Ok(())
        });
        ids.borrow_mut().push(id.unwrap());
    }
    assert_eq!(reactor.run().unwrap(), Ended::Stopped);
    assert_eq!(calls.get(), 1);
    assert!(reactor.is_empty());
}

#[deadline::test]
fn handler_is_not_called_when_another_has_received_its_message() {
    let context = Context::new().unwrap();
    let (a, to_a) = pair(&context, "inproc://a");
    let (b, to_b) = pair(&context, "inproc://b");
    to_a.send("x").unwrap();
    to_b.send("x").unwrap();
    let calls = Cell::new(0);
    let mut reactor = Reactor::new().unwrap();
    for socket in [&a, &b] {
        reactor
            .add(socket, IN, |reactor, _| {
                calls.set(calls.get() + 1);
                // A second call would wait for ever here.
                a.recv_msg()?;
                b.recv_msg()?;
                reactor.after(SHORT, |reactor, _| {
                    reactor.stop();
                    Ok(())
                });
                Ok(())
            })
            .unwrap();
    }
    assert_eq!(reactor.run().unwrap(), Ended::Stopped);
    assert_eq!(calls.get(), 1);
}

#[deadline::test]
fn handler_changes_its_events() {
    let context = Context::new().unwrap();
    let (socket, peer) = pair(&context, "inproc://a");
    let phase = Cell::new(0);
    let mut reactor = Reactor::new().unwrap();
    reactor
        .add(&socket, PollEvents::POLLOUT, |reactor, event| {
            phase.set(phase.get() + 1);
            if event.is_writable() {
                socket.send("ask")?;
                reactor.modify(event.key, IN)?;
                assert_eq!(peer.recv_msg()?, "ask");
                peer.send("answer")?;
            } else {
                assert_eq!(socket.recv_msg()?, "answer");
                reactor.modify(event.key, PollEvents::NONE)?;
                reactor.after(SHORT, |reactor, _| {
                    reactor.stop();
                    Ok(())
                });
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(reactor.run().unwrap(), Ended::Stopped);
    assert_eq!(phase.get(), 2);
}

#[deadline::test]
fn timers_run_in_order_and_repeat() {
    let log = RefCell::new(Vec::new());
    let note = |name: &'static str| log.borrow_mut().push(name);
    let beats = Cell::new(0);
    let mut reactor = Reactor::new().unwrap();
    let start = Instant::now();
    reactor.after(SHORT * 3, |reactor, _| {
        note("last");
        reactor.stop();
        Ok(())
    });
    reactor.after(SHORT, |_, _| {
        note("second");
        Ok(())
    });
    reactor.after(Duration::ZERO, |_, _| {
        note("first");
        Ok(())
    });
    reactor.after(Duration::MAX, |_, _| unreachable!("beyond the end of the clock"));
    let dropped = reactor.after(SHORT, |_, _| unreachable!("it is removed"));
    reactor.remove(dropped).unwrap();
    assert_eq!(reactor.run().unwrap(), Ended::Stopped);
    assert!(start.elapsed() >= SHORT * 3);
    assert_eq!(*log.borrow(), ["first", "second", "last"]);

    let start = Instant::now();
    reactor
        .every(SHORT / 2, |reactor, timer| {
            beats.set(beats.get() + 1);
            if beats.get() == 6 {
                reactor.remove(timer)?;
                reactor.stop();
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(reactor.run().unwrap(), Ended::Stopped);
    assert!(start.elapsed() >= SHORT * 3, "{:?}", start.elapsed());
    let failed = reactor.every(Duration::ZERO, |_, _| Ok(())).unwrap_err();
    assert_eq!((failed.errno(), failed.call()), (Errno::EINVAL, "Reactor::every"));
}

#[deadline::test]
fn timer_that_is_always_due_does_not_starve_sockets() {
    let context = Context::new().unwrap();
    let (socket, peer) = pair(&context, "inproc://a");
    let mut reactor = Reactor::new().unwrap();
    fn again<'a>(reactor: &mut Reactor<'a>, peer: &'a Socket<'_, Pair>) {
        reactor.after(Duration::ZERO, move |reactor, _| {
            drop(peer.now().send("x")?);
            again(reactor, peer);
            Ok(())
        });
    }
    again(&mut reactor, &peer);
    reactor
        .every(Duration::from_nanos(1), |_, _| {
            thread::sleep(Duration::from_millis(1));
            Ok(())
        })
        .unwrap();
    run_until_ten_are_received(&mut reactor, &socket);
}

#[deadline::test]
fn error_of_a_handler_ends_the_loop_and_names_the_handler() {
    let context = Context::new().unwrap();
    let (socket, peer) = pair(&context, "inproc://a");
    peer.send("bad").unwrap();
    let mut reactor = Reactor::new().unwrap();
    let (line, added) = (
        line!(),
        reactor.add(&socket, IN, |reactor, _| {
            let message = socket.recv_msg()?;
            if message == "end" {
                reactor.stop();
                return Ok(());
            }
            Err(format!("a {:?} message", message.as_str()).into())
        }),
    );
    let added = added.unwrap();
    let error = reactor.run().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("tests/reactor.rs:") && text.ends_with(r#"failed: a Some("bad") message"#), "{text}");
    match error {
        ReactorError::Handler { id, added_at, .. } => {
            assert!(id == added && (line..line + 4).contains(&added_at.line()))
        }
        other => panic!("{other:?}"),
    }
    // The reactor continues.
    peer.send("end").unwrap();
    assert_eq!(reactor.run().unwrap(), Ended::Stopped);
}

#[deadline::test]
fn panic_of_a_handler_ends_the_loop_and_names_the_handler() {
    struct Spiteful;
    impl Drop for Spiteful {
        fn drop(&mut self) {
            panic_any("spite");
        }
    }
    let context = Context::new().unwrap();
    let (socket, peer) = pair(&context, "inproc://a");
    let turn = Cell::new(0);
    let mut reactor = Reactor::new().unwrap();
    let id = reactor
        .add(&socket, IN, |_, _| {
            turn.set(turn.get() + 1);
            match turn.get() {
                1 => panic!("turn {}", turn.get()),
                2 => panic_any(Spiteful),
                _ => Err("well".into()),
            }
        })
        .unwrap();
    peer.send("x").unwrap();
    let expected = ["turn 1", "a payload that is not a text"];
    for expected in expected {
        match reactor.run().unwrap_err() {
            ReactorError::Panic { id: panicked, message, added_at } => {
                assert_eq!((panicked, message.as_str()), (id, expected));
                assert!(added_at.file().ends_with("reactor.rs"));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(reactor.run().unwrap_err(), ReactorError::Handler { .. }));
    assert_eq!(socket.recv_msg().unwrap(), "x", "no handler has received it");
    // A timer's panic ends the run too. The captured values of a handler may panic when they are dropped.
    reactor.after(Duration::ZERO, |_, _| panic!("timer"));
    let text = reactor.run().unwrap_err().to_string();
    assert!(text.ends_with("panicked: timer"), "{text}");
    let spite = Spiteful;
    peer.send("x").unwrap();
    reactor.remove(id).unwrap();
    reactor
        .add(&socket, IN, move |reactor, event| {
            let _captured = &spite;
            reactor.remove(event.key)?;
            Ok(())
        })
        .unwrap();
    let text = reactor.run().unwrap_err().to_string();
    assert!(text.ends_with("panicked: spite"), "{text}");
    assert_eq!(reactor.run().unwrap(), Ended::Empty);
}

#[deadline::test]
fn reactor_survives_an_error_whose_source_panics() {
    #[derive(Debug)]
    struct Secretive;
    impl fmt::Display for Secretive {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("secretive")
        }
    }
    impl std::error::Error for Secretive {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            panic!("no source for you")
        }
    }
    let mut reactor = Reactor::new().unwrap();
    reactor.after(Duration::ZERO, |_, _| Err(Box::new(Secretive)));
    let text = reactor.run().unwrap_err().to_string();
    assert!(text.ends_with("panicked: no source for you"), "{text}");
    assert_eq!(reactor.run().unwrap(), Ended::Empty);
}

#[deadline::test]
fn reactor_survives_an_error_whose_drop_panics() {
    /// An error that the context was shut down.
    #[derive(Debug)]
    struct Spiteful(zmq::Error);
    impl fmt::Display for Spiteful {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }
    impl std::error::Error for Spiteful {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    impl Drop for Spiteful {
        fn drop(&mut self) {
            panic!("spite");
        }
    }
    /// A value whose drop panics.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let spiteful = || Box::new(Spiteful(zmq::Error::new(Errno::ETERM, "a call", "")));
    let mut reactor = Reactor::new().unwrap();
    reactor.after(Duration::ZERO, |_, _| Err(spiteful()));
    assert_eq!(reactor.run().unwrap(), Ended::Terminated);
    // The handler removes itself, and the value that it captured is dropped, then its error.
    let bomb = Bomb;
    let remove_and_fail = move |reactor: &mut Reactor<'_>, id| {
        let _captured = &bomb;
        reactor.remove(id)?;
        Err(spiteful().into())
    };
    reactor.every(SHORT, remove_and_fail).unwrap();
    let text = reactor.run().unwrap_err().to_string();
    assert!(text.ends_with("panicked: boom"), "{text}");
    assert_eq!(reactor.run().unwrap(), Ended::Empty);
}

#[deadline::test]
fn reactor_does_not_run_inside_itself() {
    let mut reactor = Reactor::new().unwrap();
    reactor.after(Duration::ZERO, |reactor, _| {
        match reactor.run() {
            Err(ReactorError::Wait(error)) => assert_eq!(error.errno(), Errno::EINVAL),
            other => panic!("{other:?}"),
        }
        Ok(())
    });
    assert_eq!(reactor.run().unwrap(), Ended::Empty);
    reactor.after(LONG, |_, _| Ok(()));
    reactor.stop();
    assert_eq!(reactor.run().unwrap(), Ended::Stopped);
}

#[deadline::test]
fn reactor_ends_with_the_context() {
    let context = Context::new().unwrap();
    let (socket, idle) = (context.socket(Pull).unwrap(), context.socket(Router).unwrap());
    let mut reactor = Reactor::new().unwrap();
    reactor.add(&socket, IN, |_, _| Ok(())).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(SHORT);
            context.shutdown().unwrap();
        });
        assert_eq!(reactor.run().unwrap(), Ended::Terminated);
    });
    // ETERM from inside a handler ends the run too, as each type of error.
    let mut reactor = Reactor::new().unwrap();
    reactor.after(Duration::ZERO, |_, _| Ok(idle.recv_msg().map(drop)?));
    assert_eq!(reactor.run().unwrap(), Ended::Terminated);
    reactor.after(Duration::ZERO, |_, _| Ok(idle.send("x")?));
    assert_eq!(reactor.run().unwrap(), Ended::Terminated);
    reactor.after(Duration::ZERO, |_, _| Ok(idle.recv_msg().map(drop).map_err(std::io::Error::from)?));
    assert_eq!(reactor.run().unwrap(), Ended::Terminated);
    reactor.after(Duration::ZERO, |_, _| Ok(idle.recv_string().map(drop)?));
    assert_eq!(reactor.run().unwrap(), Ended::Terminated);
    reactor.after(Duration::ZERO, |_, _| Ok(idle.send_multipart(["x", "y"])?));
    assert_eq!(reactor.run().unwrap(), Ended::Terminated);
    reactor.after(Duration::ZERO, |_, _| Ok(zmq::proxy(&socket, &idle, None)?));
    assert_eq!(reactor.run().unwrap(), Ended::Terminated);
}

#[deadline::test]
fn reactor_ends_on_a_caught_signal() {
    in_own_process("reactor_ends_on_a_caught_signal", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let (socket, peer) = pair(&context, "inproc://a");
        let raise = || {
            thread::sleep(SHORT);
            // SAFETY: raises a signal that is caught.
            unsafe { libc::raise(libc::SIGINT) };
        };
        let mut reactor = Reactor::new().unwrap();
        let id = reactor.add(&socket, IN, |_, _| Ok(())).unwrap();
        thread::scope(|scope| {
            scope.spawn(raise);
            assert_eq!(reactor.run().unwrap(), Ended::Interrupted, "while it waits");
        });
        interrupt::clear();
        peer.send("is never received").unwrap();
        thread::scope(|scope| {
            scope.spawn(raise);
            assert_eq!(reactor.run().unwrap(), Ended::Interrupted, "while it never waits");
        });
        interrupt::clear();
        reactor.remove(id).unwrap();
        socket.recv_msg().unwrap();
        reactor.after(Duration::ZERO, |_, _| Ok(socket.recv_msg().map(drop)?));
        thread::scope(|scope| {
            scope.spawn(raise);
            assert_eq!(reactor.run().unwrap(), Ended::Interrupted, "while a handler waits");
        });
    });
}

#[deadline::test]
fn reactor_ends_when_any_signal_handler_ends_a_wait() {
    extern "C" fn nothing(_: libc::c_int) {}
    in_own_process("reactor_ends_when_any_signal_handler_ends_a_wait", || {
        // SAFETY: a handler that does nothing.
        unsafe { libc::signal(libc::SIGUSR1, nothing as extern "C" fn(libc::c_int) as libc::sighandler_t) };
        let context = Context::new().unwrap();
        context.set_interruptible(true);
        let socket = context.socket(Pull).unwrap();
        let this_thread = ThreadId::current();
        for waits_in_handler in [false, true] {
            let mut reactor = Reactor::new().unwrap();
            if waits_in_handler {
                reactor.after(Duration::ZERO, |_, _| Ok(socket.recv_msg().map(drop)?));
            } else {
                reactor.add(&socket, IN, |_, _| Ok(())).unwrap();
            }
            let has_ended = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    // A handler that runs before the wait begins does not end it.
                    while !has_ended.load(Ordering::SeqCst) {
                        this_thread.signal(libc::SIGUSR1);
                        thread::sleep(SHORT);
                    }
                });
                let ended = reactor.run();
                has_ended.store(true, Ordering::SeqCst);
                assert_eq!(ended.unwrap(), Ended::Interrupted);
            });
        }
    });
}

#[deadline::test]
fn remove_returns_an_owned_descriptor() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let id = reactor
        .add(OwnedFd::from(near), IN, |reactor, event| {
            let fd = reactor.remove(event.key)?.and_then(|source| source.into_fd()).unwrap();
            let mut text = String::new();
            UnixStream::from(fd).read_to_string(&mut text)?;
            Err(text.into())
        })
        .unwrap();
    far.write_all(b"all there is").unwrap();
    drop(far);
    let text = reactor.run().unwrap_err().to_string();
    assert!(text.ends_with("all there is"), "{text}");
    let failed = reactor.remove(id).unwrap_err();
    assert_eq!((failed.errno(), failed.call()), (Errno::EINVAL, "Reactor::remove"));
    let context = Context::new().unwrap();
    let socket = context.owned_socket(Push).unwrap();
    let id = reactor.add(socket, PollEvents::NONE, |_, _| Ok(())).unwrap();
    assert!(reactor.remove(id).unwrap().unwrap().into_socket().is_some());
    assert_eq!(format!("{reactor:?}"), "Reactor { handlers: 0 }");
}

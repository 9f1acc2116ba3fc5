//! [`Poller`]: its sources stay registered between waits.

mod common;

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use common::{alone, eventually, forget, pair, role};
use zmq::{Context, Dealer, Errno, PollEvents, PollItem, Poller, PollerEvent, Pull, Push, Rep, Req, Router, Sub, poll};

const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(3600);

/// The keys of the ready sources, sorted.
fn ready<K: Copy + Ord + Eq + std::hash::Hash>(
    poller: &mut Poller<'_, K>,
    timeout: impl Into<Option<Duration>>,
) -> Vec<K> {
    let mut keys: Vec<K> = poller.wait(timeout).unwrap().iter().map(|event| event.key).collect();
    keys.sort_unstable();
    keys
}

#[deadline::test]
fn poller_reports_a_socket_until_its_messages_are_received() {
    let context = Context::new().unwrap();
    let (a, to_a) = pair(&context, "inproc://a");
    let (b, _to_b) = pair(&context, "inproc://b");
    let (c, to_c) = pair(&context, "inproc://c");
    let mut poller = Poller::new().unwrap();
    for (socket, key) in [(&a, 'a'), (&b, 'b'), (&c, 'c')] {
        poller.add(socket, key, PollEvents::POLLIN).unwrap();
    }
    assert_eq!(poller.len(), 3);
    assert_eq!(ready(&mut poller, Duration::ZERO), []);
    assert_eq!(ready(&mut poller, SHORT), []);
    to_c.send("1").unwrap();
    to_c.send("2").unwrap();
    assert_eq!(ready(&mut poller, LONG), ['c']);
    to_a.send("1").unwrap();
    assert_eq!(ready(&mut poller, None), ['a', 'c']);
    assert_eq!(ready(&mut poller, Duration::ZERO), ['a', 'c']);
    c.recv_msg().unwrap();
    assert_eq!(ready(&mut poller, Duration::ZERO), ['a', 'c'], "one message is left");
    c.recv_msg().unwrap();
    assert_eq!(ready(&mut poller, None), ['a']);
    a.recv_msg().unwrap();
    assert_eq!(ready(&mut poller, Duration::ZERO), []);
}

#[deadline::test]
fn ready_socket_does_not_hide_another() {
    let context = Context::new().unwrap();
    let (a, to_a) = pair(&context, "inproc://a");
    let (b, to_b) = pair(&context, "inproc://b");
    let mut poller = Poller::new().unwrap();
    poller.add(&a, 'a', PollEvents::POLLIN).unwrap();
    poller.add(&b, 'b', PollEvents::POLLIN).unwrap();
    to_a.send("stays").unwrap();
    assert_eq!(ready(&mut poller, None), ['a']);
    for _ in 0..10 {
        to_b.send("comes").unwrap();
        assert_eq!(ready(&mut poller, None), ['a', 'b']);
        b.recv_msg().unwrap();
        assert_eq!(ready(&mut poller, None), ['a']);
    }
}

#[deadline::test]
fn send_that_takes_the_signal_loses_no_message() {
    let context = Context::new().unwrap();
    let (a, to_a) = pair(&context, "inproc://a");
    let mut poller = Poller::new().unwrap();
    poller.add(&a, 'a', PollEvents::POLLIN).unwrap();
    for round in 0..100 {
        assert_eq!(ready(&mut poller, Duration::ZERO), []);
        to_a.send("comes").unwrap();
        // Each of these processes the command that the descriptor signals.
        match round % 5 {
            0 => a.send("goes").unwrap(),
            1 => assert_eq!(a.events().unwrap(), PollEvents::POLLIN | PollEvents::POLLOUT),
            2 => drop(poll(&mut [PollItem::socket(&a, PollEvents::POLLOUT)], None).unwrap()),
            3 => drop(a.within(LONG).send("goes").unwrap()),
            _ => a.set_linger(Some(Duration::ZERO)).unwrap(),
        }
        assert_eq!(ready(&mut poller, LONG), ['a'], "round {round}");
        a.recv_msg().unwrap();
        while to_a.now().recv_msg().unwrap().is_some() {}
    }
}

#[deadline::test]
fn poller_reports_a_socket_when_an_older_poll_item_is_polled() {
    let context = Context::new().unwrap();
    let (a, mut to_a) = pair(&context, "inproc://a");
    let mut items = [PollItem::socket(&a, PollEvents::POLLIN)];
    let mut poller = Poller::new().unwrap();
    poller.add(&a, 'a', PollEvents::POLLIN).unwrap();
    for _ in 0..10 {
        assert_eq!(ready(&mut poller, Duration::ZERO), []);
        to_a.send("comes").unwrap();
        assert_eq!(poll(&mut items, None).unwrap(), 1);
        assert_eq!(ready(&mut poller, LONG), ['a']);
        a.recv_msg().unwrap();
        thread::scope(|scope| {
            let to_a = &mut to_a;
            scope.spawn(move || {
                thread::sleep(SHORT / 10);
                to_a.send("comes late").unwrap();
            });
            assert_eq!(ready(&mut poller, LONG), ['a']);
        });
        a.recv_msg().unwrap();
    }
}

#[deadline::test]
fn poller_sees_states_that_change_without_a_signal() {
    let context = Context::new().unwrap();
    let (client, server) = (context.socket(Req).unwrap(), context.socket(Rep).unwrap());
    let mut poller = Poller::new().unwrap();
    poller.add(&client, 'c', PollEvents::POLLIN).unwrap();
    poller.add(&server, 's', PollEvents::POLLOUT).unwrap();
    assert_eq!(ready(&mut poller, Duration::ZERO), []);
    server.bind("inproc://server").unwrap();
    client.connect("inproc://server").unwrap();
    for _ in 0..10 {
        assert_eq!(ready(&mut poller, Duration::ZERO), []);
        client.send("ask").unwrap();
        server.recv_msg().unwrap();
        assert_eq!(ready(&mut poller, LONG), ['s'], "the REP must reply");
        server.send("answer").unwrap();
        assert_eq!(ready(&mut poller, LONG), ['c']);
        client.recv_msg().unwrap();
    }
}

#[deadline::test]
fn poller_reports_pollout_when_a_peer_connects() {
    let context = Context::new().unwrap();
    let (source, bound) = (context.socket(Push).unwrap(), context.socket(Dealer).unwrap());
    let mut poller = Poller::new().unwrap();
    poller.add(&source, 1, PollEvents::POLLOUT).unwrap();
    assert_eq!(ready(&mut poller, Duration::ZERO), []);
    source.connect("inproc://nobody-yet").unwrap();
    assert_eq!(ready(&mut poller, LONG), [1]);
    poller.add(&bound, 2, PollEvents::POLLOUT).unwrap();
    poller.modify(1, PollEvents::NONE).unwrap();
    assert_eq!(ready(&mut poller, Duration::ZERO), []);
    let router = context.socket(Router).unwrap();
    router.connect("inproc://bound").unwrap();
    bound.bind("inproc://bound").unwrap();
    assert_eq!(ready(&mut poller, LONG), [2]);
}

#[deadline::test]
fn poller_reports_pollout_when_a_full_peer_has_room_again() {
    let context = Context::new().unwrap();
    let (source, sink) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
    source.set_sndhwm(1).unwrap();
    sink.set_rcvhwm(1).unwrap();
    sink.bind("inproc://sink").unwrap();
    source.connect("inproc://sink").unwrap();
    let mut poller = Poller::new().unwrap();
    poller.add(&source, 1, PollEvents::POLLOUT).unwrap();
    for _ in 0..100 {
        assert_eq!(ready(&mut poller, LONG), [1]);
        while source.now().send("job").unwrap().is_sent() {}
        assert_eq!(ready(&mut poller, Duration::ZERO), []);
        while sink.now().recv_msg().unwrap().is_some() {}
    }
}

#[deadline::test]
fn descriptors_stay_ready_until_they_are_read() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let context = Context::new().unwrap();
    let (a, to_a) = pair(&context, "inproc://a");
    let mut poller = Poller::new().unwrap();
    poller.add(near.as_fd(), "fd", PollEvents::POLLIN).unwrap();
    poller.add(&a, "socket", PollEvents::POLLIN).unwrap();
    assert_eq!(ready(&mut poller, Duration::ZERO), [""; 0]);
    far.write_all(b"xyz").unwrap();
    for _ in 0..3 {
        assert_eq!(ready(&mut poller, LONG), ["fd"]);
        (&near).read_exact(&mut [0]).unwrap();
    }
    assert_eq!(ready(&mut poller, Duration::ZERO), [""; 0]);
    far.write_all(b"x").unwrap();
    to_a.send("x").unwrap();
    assert_eq!(ready(&mut poller, LONG), ["fd", "socket"]);
    a.recv_msg().unwrap();
    assert_eq!(ready(&mut poller, LONG), ["fd"]);

    poller.modify("fd", PollEvents::POLLOUT).unwrap();
    let event = poller.wait(LONG).unwrap()[0];
    assert!(event.is_writable() && !event.is_readable());
    poller.modify("fd", PollEvents::NONE).unwrap();
    assert_eq!(ready(&mut poller, Duration::ZERO), [""; 0]);
    poller.modify("fd", PollEvents::POLLIN | PollEvents::POLLOUT).unwrap();
    assert_eq!(poller.wait(LONG).unwrap()[0].revents, PollEvents::POLLIN | PollEvents::POLLOUT);
    poller.remove("fd").unwrap();
    assert_eq!(ready(&mut poller, Duration::ZERO), [""; 0]);
    // The descriptor can be added again while bytes are unread.
    poller.add(near.as_fd(), "again", PollEvents::POLLIN).unwrap();
    assert_eq!(ready(&mut poller, LONG), ["again"]);
}

#[deadline::test]
fn poller_reports_a_closed_connection_in_every_wait() {
    let (near, far) = UnixStream::pair().unwrap();
    let mut poller = Poller::new().unwrap();
    poller.add(OwnedFd::from(near), 1, PollEvents::POLLIN).unwrap();
    drop(far);
    for _ in 0..3 {
        assert_eq!(ready(&mut poller, LONG), [1]);
    }
    let fd = poller.remove(1).unwrap().into_fd().unwrap();
    assert_eq!(UnixStream::from(fd).read(&mut [0]).unwrap(), 0);
}

#[deadline::test]
fn poller_lends_the_sockets_that_it_owns() {
    let context = Context::new().unwrap();
    let mut poller = Poller::new().unwrap();
    let mut sources = Vec::new();
    for key in 0..5 {
        let sink = context.owned_socket(Pull).unwrap();
        let source = context.owned_socket(Push).unwrap();
        source.connect(&sink.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        poller.add(sink, key, PollEvents::POLLIN).unwrap();
        sources.push(source);
    }
    sources[3].send("work").unwrap();
    let mut events = Vec::new();
    assert_eq!(poller.wait_into(&mut events, LONG).unwrap(), 1);
    let PollerEvent { key, revents, .. } = events[0];
    assert_eq!((key, revents), (3, PollEvents::POLLIN));
    assert_eq!(poller.socket(key).unwrap().recv_msg().unwrap(), "work");
    assert_eq!(ready(&mut poller, Duration::ZERO), []);
    sources[3].send("more").unwrap();
    let sink = poller.remove(3).unwrap().into_socket().unwrap().downcast::<Pull>().unwrap();
    assert_eq!(sink.recv_msg().unwrap(), "more");
    assert!(poller.socket(3).is_none());
    assert_eq!(poller.len(), 4);
    assert_eq!(poller.remove(3).unwrap_err().errno(), Errno::EINVAL);
    sources[4].send("late").unwrap();
    assert_eq!(ready(&mut poller, LONG), [4]);
}

#[deadline::test]
fn poller_refuses_sources_that_it_has_or_cannot_wait_for() {
    let context = Context::new().unwrap();
    let (a, b) = (context.socket(Pull).unwrap(), context.socket(Sub).unwrap());
    let (near, _far) = UnixStream::pair().unwrap();
    let open = || std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let file = open();
    let mut poller = Poller::new().unwrap();
    poller.add(&a, 1, PollEvents::POLLIN).unwrap();
    poller.add(near.as_fd(), 2, PollEvents::POLLIN).unwrap();
    let refused = |poller: &mut Poller<'static, i32>| poller.wait(None).unwrap_err().errno();
    assert_eq!(refused(&mut Poller::new().unwrap()), Errno::EINVAL);
    assert_eq!(poller.add(&b, 1, PollEvents::POLLIN).unwrap_err().errno(), Errno::EINVAL, "the key");
    assert_eq!(poller.add(&a, 3, PollEvents::POLLIN).unwrap_err().errno(), Errno::EINVAL, "the socket");
    assert_eq!(poller.add(near.as_fd(), 3, PollEvents::NONE).unwrap_err().errno(), Errno::EINVAL, "the fd");
    poller.add(a.fd().unwrap(), 3, PollEvents::POLLIN).unwrap();
    poller.remove(3).unwrap();
    assert_eq!(poller.modify(3, PollEvents::POLLIN).unwrap_err().errno(), Errno::EINVAL);
    assert_eq!(poller.add(file.as_fd(), 3, PollEvents::POLLIN).unwrap_err().errno(), Errno::EPERM);
    let failed = poller.add(context.socket(Push).unwrap(), 2, PollEvents::POLLOUT).unwrap_err();
    assert!(failed.to_string().contains("the key is taken"), "{failed}");
    assert_eq!(context.open_sockets().len(), 2, "the socket that was moved is closed");
    poller.add(OwnedFd::from(open()), 3, PollEvents::POLLIN).unwrap_err();
    assert_eq!(poller.len(), 2);
    // A refused socket is not in the poller.
    poller.add(&b, 3, PollEvents::POLLIN).unwrap();
    assert_eq!(poller.len(), 3);
}

#[deadline::test]
fn socket_is_reported_by_two_pollers() {
    let context = Context::new().unwrap();
    let (a, to_a) = pair(&context, "inproc://a");
    let (mut first, mut second) = (Poller::new().unwrap(), Poller::new().unwrap());
    first.add(&a, 1, PollEvents::POLLIN).unwrap();
    second.add(&a, 2, PollEvents::POLLIN).unwrap();
    for _ in 0..10 {
        assert_eq!((ready(&mut first, Duration::ZERO), ready(&mut second, Duration::ZERO)), (vec![], vec![]));
        to_a.send("x").unwrap();
        assert_eq!(ready(&mut first, LONG), [1]);
        assert_eq!(ready(&mut second, LONG), [2], "the first has taken the signal");
        a.recv_msg().unwrap();
    }
    drop(first);
    to_a.send("x").unwrap();
    assert_eq!(ready(&mut second, LONG), [2]);
}

#[deadline::test]
fn sockets_outlive_the_pollers_that_borrowed_them() {
    let context = Context::new().unwrap();
    let (a, to_a) = pair(&context, "inproc://a");
    for _ in 0..100 {
        let mut poller = Poller::new().unwrap();
        poller.add(&a, 1, PollEvents::POLLIN).unwrap();
        to_a.send("x").unwrap();
        assert_eq!(ready(&mut poller, LONG), [1]);
        a.recv_msg().unwrap();
    }
    // A poller that is never dropped does not keep a socket that was moved to another thread.
    let mut poller = Poller::new().unwrap();
    poller.add(&a, 1, PollEvents::POLLIN).unwrap();
    assert_eq!(ready(&mut poller, Duration::ZERO), []);
    forget(poller);
    thread::scope(|scope| {
        scope.spawn(move || a.send("from another thread").unwrap());
    });
    assert_eq!(to_a.recv_msg().unwrap(), "from another thread");
}

#[deadline::test]
fn poller_accepts_a_source_after_another_was_removed() {
    let context = Context::new().unwrap();
    let mut poller = Poller::new().unwrap();
    for round in 0..50 {
        let (a, to_a) = pair(&context, &format!("inproc://{round}"));
        to_a.send("x").unwrap();
        poller.add(a, round, PollEvents::POLLIN).unwrap();
        assert_eq!(ready(&mut poller, LONG), [round]);
        poller.remove(round).unwrap();
        assert_eq!(ready(&mut poller, Duration::ZERO), []);
    }
}

#[deadline::test]
fn poller_reports_all_of_400_ready_sockets() {
    let context = Context::new().unwrap();
    let pairs: Vec<_> = (0..400).map(|number| pair(&context, &format!("inproc://{number}"))).collect();
    let mut poller = Poller::new().unwrap();
    for (number, (socket, _)) in pairs.iter().enumerate() {
        poller.add(socket, number, PollEvents::POLLIN).unwrap();
    }
    assert_eq!(ready(&mut poller, Duration::ZERO), []);
    pairs.iter().for_each(|(_, peer)| peer.send("x").unwrap());
    let mut seen = Vec::new();
    while seen.len() < pairs.len() {
        seen = ready(&mut poller, LONG);
    }
    assert_eq!(seen, (0..400).collect::<Vec<_>>());
    pairs.iter().for_each(|(socket, _)| drop(socket.recv_msg().unwrap()));
    assert_eq!(ready(&mut poller, Duration::ZERO), []);
}

#[deadline::test]
fn wait_ends_when_a_message_arrives() {
    let context = Context::new().unwrap();
    let sink = context.socket(Pull).unwrap();
    let endpoint = sink.bind("tcp://127.0.0.1:*").unwrap();
    let mut poller = Poller::new().unwrap();
    poller.add(&sink, 1, PollEvents::POLLIN).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(SHORT);
            let source = context.socket(Push).unwrap();
            source.connect(&endpoint).unwrap();
            source.send("x").unwrap();
        });
        assert_eq!(ready(&mut poller, LONG), [1]);
    });
}

#[deadline::test]
fn wait_lasts_for_the_whole_timeout() {
    let context = Context::new().unwrap();
    let sink = context.socket(Pull).unwrap();
    let mut poller = Poller::new().unwrap();
    for timeout in [Duration::from_micros(1), Duration::from_micros(1500), SHORT] {
        let start = Instant::now();
        assert_eq!(ready(&mut poller, timeout), [], "an empty poller sleeps");
        assert!(start.elapsed() >= timeout);
    }
    poller.add(&sink, 1, PollEvents::POLLIN).unwrap();
    let start = Instant::now();
    assert_eq!(ready(&mut poller, SHORT), []);
    assert!(start.elapsed() >= SHORT);
}

#[deadline::test]
fn wait_reports_the_end_of_a_context() {
    let context = Context::new().unwrap();
    let other = Context::new().unwrap();
    let sink = context.socket(Pull).unwrap();
    let (a, to_a) = pair(&other, "inproc://a");
    let mut poller = Poller::new().unwrap();
    poller.add(&sink, 1, PollEvents::POLLIN).unwrap();
    poller.add(&a, 2, PollEvents::POLLIN).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(SHORT);
            context.shutdown().unwrap();
        });
        assert_eq!(poller.wait(LONG).unwrap_err().errno(), Errno::ETERM);
    });
    assert_eq!(poller.wait(LONG).unwrap_err().errno(), Errno::ETERM, "in every wait");
    to_a.send("x").unwrap();
    assert_eq!(poller.wait(LONG).unwrap_err().errno(), Errno::ETERM);
    let late = context.socket(Pull);
    assert!(late.is_err());
    // The other sockets are reported as before.
    poller.remove(1).unwrap();
    assert_eq!(ready(&mut poller, LONG), [2]);
}

#[deadline::test]
fn wait_reports_a_shutdown_that_a_query_has_seen() {
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    let mut poller = Poller::new().unwrap();
    poller.add(&pull, 1, PollEvents::POLLIN).unwrap();
    assert_eq!(ready(&mut poller, Duration::ZERO), []);
    context.shutdown().unwrap();
    let error = poller.query(1).unwrap_err();
    assert_eq!((error.errno(), error.call()), (Errno::ETERM, "ZMQ_EVENTS"));
    assert_eq!(poller.wait(LONG).unwrap_err().errno(), Errno::ETERM);
}

#[deadline::test]
fn wake_fd_is_readable_when_a_socket_is_ready() {
    let context = Context::new().unwrap();
    let (a, to_a) = pair(&context, "inproc://a");
    let mut poller = Poller::new().unwrap();
    poller.add(&a, 1, PollEvents::POLLIN).unwrap();
    for _ in 0..10 {
        assert_eq!(ready(&mut poller, Duration::ZERO), []);
        to_a.send("x").unwrap();
        let mut items = [PollItem::fd(poller.wake_fd(), PollEvents::POLLIN)];
        assert_eq!(poll(&mut items, LONG).unwrap(), 1);
        assert_eq!(ready(&mut poller, Duration::ZERO), [1]);
        a.recv_msg().unwrap();
    }
}

/// epoll goes on reporting a closed descriptor if a copy of it is open. The poller must remove it before it is closed.
#[deadline::test]
fn poller_ignores_removed_sources() {
    for shut_down in [false, true] {
        let context = Context::new().unwrap();
        let (a, to_a) = pair(&context, "inproc://a");
        let (near, mut far) = UnixStream::pair().unwrap();
        let copies = [a.fd().unwrap().try_clone_to_owned().unwrap(), near.as_fd().try_clone_to_owned().unwrap()];
        let mut poller = Poller::new().unwrap();
        poller.add(a, 1, PollEvents::POLLIN).unwrap();
        poller.add(OwnedFd::from(near), 2, PollEvents::POLLIN).unwrap();
        to_a.send("x").unwrap();
        far.write_all(b"x").unwrap();
        if shut_down {
            context.shutdown().unwrap();
        }
        let watches = |poller: &Poller<'_, i32>| {
            poll(&mut [PollItem::fd(poller.wake_fd(), PollEvents::POLLIN)], Duration::ZERO).unwrap() == 1
        };
        assert!(watches(&poller));
        let removed = [poller.remove(1).unwrap(), poller.remove(2).unwrap()];
        assert!(!watches(&poller));
        drop((removed, copies));
    }
}

#[deadline::test]
fn poller_refuses_a_forked_child() {
    const TEST: &str = "poller_refuses_a_forked_child";
    if role().is_none() {
        return common::Process::spawn(&mut alone(TEST, "forks")).succeeds();
    }
    let context = Context::new().unwrap();
    let (a, to_a) = pair(&context, "inproc://a");
    let mut poller = Poller::new().unwrap();
    poller.add(&a, 1, PollEvents::POLLIN).unwrap();
    // SAFETY: the child only calls the library and exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = [
            poller.wait(LONG).map(drop).unwrap_err().errno(),
            poller.remove(1).map(drop).unwrap_err().errno(),
            poller.modify(1, PollEvents::NONE).unwrap_err().errno(),
            poller.add(&to_a, 2, PollEvents::POLLIN).unwrap_err().errno(),
            Poller::new().unwrap().add(&to_a, 2, PollEvents::POLLIN).unwrap_err().errno(),
        ];
        drop(poller);
        let right = refused.iter().all(|errno| *errno == Errno::ENOTSOCK);
        // SAFETY: ends the child at once, without the exit handlers of the test harness.
        unsafe { libc::_exit(if right { 0 } else { 1 }) };
    }
    let mut status = 0;
    eventually("the child ends", || {
        // SAFETY: a child of this process and a valid pointer.
        unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) == child }
    });
    assert_eq!(status, 0);
    // The child dropped its copy of the poller. The parent's poller works as before.
    to_a.send("x").unwrap();
    assert_eq!(ready(&mut poller, LONG), [1]);
}

#[deadline::test]
fn poller_debug_names_its_sources() {
    let context = Context::new().unwrap();
    let a = context.socket(Pull).unwrap();
    let mut poller = Poller::new().unwrap();
    poller.add(&a, "a", PollEvents::POLLIN).unwrap();
    assert_eq!(format!("{poller:?}"), r#"{"a": Pull}"#);
}

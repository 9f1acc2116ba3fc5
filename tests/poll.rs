//! [`poll`] waits for several sockets and descriptors at once.

mod common;

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use common::{in_own_process, pair};
use mio::unix::SourceFd;
use zmq::{Context, Errno, Kind, Pair, PollEvents, PollItem, Pull, Push, Req, Socket, Sub, poll};

const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(3600);

#[deadline::test]
fn ready_items_have_revents() {
    let context = Context::new().unwrap();
    let (a, to_a) = pair(&context, "inproc://a");
    let (b, _to_b) = pair(&context, "inproc://b");
    let (c, to_c) = pair(&context, "inproc://c");
    let mut items = [&a, &b, &c].map(|socket| PollItem::socket(socket, PollEvents::POLLIN));
    assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 0);
    assert!(items.iter().all(|item| item.revents().is_empty()));

    to_c.send("Hello").unwrap();
    assert_eq!(poll(&mut items, LONG).unwrap(), 1);
    assert_eq!(items.each_ref().map(PollItem::is_readable), [false, false, true]);
    to_a.send("Hello").unwrap();
    assert_eq!(poll(&mut items, None).unwrap(), 2);
    assert_eq!(items.each_ref().map(PollItem::is_readable), [true, false, true]);
    assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 2, "until it is received");
    c.recv_msg().unwrap();
    assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 1);
    a.recv_msg().unwrap();
    assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 0);
    assert!(items.iter().all(|item| item.revents().is_empty()), "old events are cleared");
}

#[deadline::test]
fn poll_waits_for_sockets_and_descriptors_together() {
    let context = Context::new().unwrap();
    let (socket, peer) = pair(&context, "inproc://a");
    let (near, mut far) = UnixStream::pair().unwrap();
    let (pipe_out, mut pipe_in) = std::io::pipe().unwrap();
    let ready = |timeout: Duration| {
        let mut items = [
            PollItem::socket(&socket, PollEvents::POLLIN),
            PollItem::fd(near.as_fd(), PollEvents::POLLIN),
            PollItem::fd(pipe_out.as_fd(), PollEvents::POLLIN),
        ];
        let count = poll(&mut items, timeout).unwrap();
        let ready = items.map(|item| item.is_readable());
        assert_eq!(count, ready.iter().filter(|ready| **ready).count());
        ready
    };
    assert_eq!(ready(Duration::ZERO), [false, false, false]);
    far.write_all(b"x").unwrap();
    assert_eq!(ready(LONG), [false, true, false]);
    pipe_in.write_all(b"x").unwrap();
    peer.send("Hello").unwrap();
    assert_eq!(ready(LONG), [true, true, true]);
    (&near).read_exact(&mut [0]).unwrap();
    (&pipe_out).read_exact(&mut [0]).unwrap();
    assert_eq!(ready(LONG), [true, false, false]);
}

#[deadline::test]
fn poll_reports_pollout_when_a_socket_has_room() {
    let context = Context::new().unwrap();
    let source = context.socket(Push).unwrap();
    source.set_sndhwm(1).unwrap();
    let sink = context.socket(Pull).unwrap();
    sink.set_rcvhwm(1).unwrap();
    let mut items = [PollItem::socket(&source, PollEvents::POLLOUT)];
    assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 0, "no peer is connected");
    sink.bind("inproc://sink").unwrap();
    source.connect("inproc://sink").unwrap();
    assert_eq!(poll(&mut items, LONG).unwrap(), 1);
    assert!(items[0].is_writable() && !items[0].is_readable());
    while source.now().send("job").unwrap().is_sent() {}
    assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 0);
    while sink.now().recv_msg().unwrap().is_some() {}
    assert_eq!(poll(&mut items, LONG).unwrap(), 1);
}

#[deadline::test]
fn poll_reports_all_events_of_an_item() {
    let context = Context::new().unwrap();
    let (socket, peer) = pair(&context, "inproc://a");
    peer.send("Hello").unwrap();
    let both = PollEvents::POLLIN | PollEvents::POLLOUT;
    let mut items = [
        PollItem::socket(&socket, both),
        PollItem::socket(&socket, PollEvents::POLLOUT),
        PollItem::socket(&socket, PollEvents::NONE),
    ];
    assert_eq!(poll(&mut items, LONG).unwrap(), 2);
    assert_eq!(items.each_ref().map(PollItem::revents), [both, PollEvents::POLLOUT, PollEvents::NONE]);
    assert_eq!(items[0].events(), both);
    assert_eq!(
        format!("{:?}", items[0]),
        r#"PollItem { on: "socket", events: POLLIN | POLLOUT, revents: POLLIN | POLLOUT }"#
    );

    // The other end of this descriptor is closed.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut items = [PollItem::fd(writer.as_fd(), PollEvents::POLLOUT | PollEvents::POLLERR)];
    assert_eq!(poll(&mut items, LONG).unwrap(), 1);
    assert!(items[0].revents().contains(PollEvents::POLLERR));
    assert!(format!("{:?}", items[0]).starts_with(r#"PollItem { on: "fd", events: POLLOUT | POLLERR"#));
}

#[deadline::test]
fn poll_waits_for_the_events_that_were_set_last() {
    let context = Context::new().unwrap();
    let (socket, peer) = pair(&context, "inproc://a");
    peer.send("Hello").unwrap();
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(b"x").unwrap();
    let mut items = [PollItem::socket(&socket, PollEvents::POLLIN), PollItem::fd(near.as_fd(), PollEvents::POLLIN)];
    assert_eq!(poll(&mut items, LONG).unwrap(), 2);

    items.iter_mut().for_each(|item| item.set_events(PollEvents::NONE));
    assert!(items.iter().all(|item| item.events().is_empty() && item.is_readable()));
    assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 0);
    assert!(items.iter().all(|item| item.revents().is_empty()));

    items.iter_mut().for_each(|item| item.set_events(PollEvents::POLLOUT));
    assert_eq!(poll(&mut items, LONG).unwrap(), 2);
    assert!(items.iter().all(|item| item.revents() == PollEvents::POLLOUT));
}

#[deadline::test]
fn poll_waits_for_the_whole_timeout() {
    let context = Context::new().unwrap();
    let (socket, _peer) = pair(&context, "inproc://a");
    let (near, _far) = UnixStream::pair().unwrap();
    let mut items = [PollItem::socket(&socket, PollEvents::POLLIN), PollItem::fd(near.as_fd(), PollEvents::POLLIN)];
    for count in 0..=2 {
        for timeout in [SHORT, Duration::from_micros(1)] {
            let start = Instant::now();
            assert_eq!(poll(&mut items[..count], timeout).unwrap(), 0);
            assert!(start.elapsed() >= timeout);
        }
        assert_eq!(poll(&mut items[..count], Duration::ZERO).unwrap(), 0);
    }
}

#[deadline::test]
fn poll_refuses_an_empty_list_without_a_timeout() {
    let error = poll(&mut [], None).unwrap_err();
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "zmq_poll"));
}

#[deadline::test]
fn message_ends_the_wait() {
    let timeouts: [Option<Duration>; 3] = [None, Some(LONG), Some(Duration::MAX)];
    for timeout in timeouts {
        let context = Context::new().unwrap();
        let (socket, peer) = pair(&context, "inproc://a");
        thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(5));
                peer.send("Hello").unwrap();
            });
            let mut items = [PollItem::socket(&socket, PollEvents::POLLIN)];
            assert_eq!(poll(&mut items, timeout).unwrap(), 1);
        });
        assert_eq!(socket.now().recv_msg().unwrap().unwrap(), "Hello");
    }
}

#[deadline::test]
fn byte_ends_the_wait() {
    let context = Context::new().unwrap();
    let (socket, _peer) = pair(&context, "inproc://a");
    let (near, mut far) = UnixStream::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(5));
            far.write_all(b"x").unwrap();
            far
        });
        let mut items = [PollItem::socket(&socket, PollEvents::POLLIN), PollItem::fd(near.as_fd(), PollEvents::POLLIN)];
        assert_eq!(poll(&mut items, None).unwrap(), 1);
        assert!(items[1].is_readable());
    });
}

#[deadline::test]
fn shutdown_ends_the_wait() {
    for timeout in [None, Some(LONG)] {
        let context = Context::new().unwrap();
        let (near, _far) = UnixStream::pair().unwrap();
        thread::scope(|scope| {
            let socket = context.socket(Sub).unwrap();
            let waiter = scope.spawn(move || {
                let mut items =
                    [PollItem::fd(near.as_fd(), PollEvents::POLLIN), PollItem::socket(&socket, PollEvents::POLLIN)];
                poll(&mut items, timeout).unwrap_err()
            });
            // The outcome is the same if the thread waits already and if it begins to wait now.
            thread::sleep(Duration::from_millis(5));
            context.shutdown().unwrap();
            let error = waiter.join().unwrap();
            assert_eq!((error.errno(), error.call()), (Errno::ETERM, "zmq_poll"));
        });
    }
}

#[deadline::test]
fn poll_takes_hundreds_of_items() {
    let context = Context::new().unwrap();
    let sockets: Vec<_> = (0..300)
        .map(|number| {
            let socket = context.socket(Pull).unwrap();
            socket.bind(&format!("inproc://{number}")).unwrap();
            socket
        })
        .collect();
    let mut items: Vec<_> = sockets.iter().map(|socket| PollItem::socket(socket, PollEvents::POLLIN)).collect();
    assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 0);
    let source = context.socket(Push).unwrap();
    source.connect("inproc://299").unwrap();
    source.send("job").unwrap();
    assert_eq!(poll(&mut items, LONG).unwrap(), 1);
    assert!(items[299].is_readable());
    assert_eq!(items.iter().filter(|item| item.is_readable()).count(), 1);
}

#[deadline::test]
fn any_kind_of_reference_makes_an_item() {
    let context = Context::new().unwrap();
    let (typed, untyped) = (context.socket(Req).unwrap(), context.socket(Kind::Rep).unwrap());
    let owned = context.owned_socket(Pull).unwrap();
    let mut items = [
        PollItem::socket(&typed, PollEvents::POLLIN),
        PollItem::socket(&untyped, PollEvents::POLLIN),
        PollItem::socket(owned.as_ref(), PollEvents::POLLIN),
    ];
    assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 0);
}

#[deadline::test]
fn socket_events_have_pollin_when_a_message_waits() {
    let context = Context::new().unwrap();
    let (socket, peer) = pair(&context, "inproc://a");
    assert_eq!(socket.events().unwrap(), PollEvents::POLLOUT);
    peer.send("Hello").unwrap();
    assert_eq!(socket.events().unwrap(), PollEvents::POLLIN | PollEvents::POLLOUT);
}

/// Waits until the socket is readable, as an event loop does that has only ZMQ_FD and ZMQ_EVENTS. `wait` waits for the
/// descriptor.
fn wait_by_descriptor(socket: &Socket<'_, Pair>, wait: &mut dyn FnMut()) {
    while !socket.events().unwrap().contains(PollEvents::POLLIN) {
        wait();
    }
}

/// A write to libzmq's own descriptor would abort the process, and a read from it would take a wake-up.
#[deadline::test]
fn socket_descriptor_can_be_polled_but_not_read_or_written() {
    let context = Context::new().unwrap();
    let (socket, peer) = pair(&context, "tcp://127.0.0.1:*");
    let mut file = std::fs::File::from(socket.fd().unwrap().try_clone_to_owned().unwrap());
    let mut edges = mio::Poll::new().unwrap();
    let fd = socket.fd().unwrap().as_raw_fd();
    edges.registry().register(&mut SourceFd(&fd), mio::Token(0), mio::Interest::READABLE).unwrap();
    let mut edge_events = mio::Events::with_capacity(8);
    thread::scope(|scope| {
        scope.spawn(move || {
            for round in 0..1000_u32 {
                assert_eq!(peer.recv_msg().unwrap(), round.to_be_bytes());
                peer.send("").unwrap();
            }
        });
        for round in 0..1000_u32 {
            assert!(file.write(&1_u64.to_ne_bytes()).is_err());
            assert!(file.read(&mut [0; 8]).is_err());
            socket.send(round.to_be_bytes()).unwrap();
            if round % 2 == 0 {
                wait_by_descriptor(&socket, &mut || {
                    poll(&mut [PollItem::fd(socket.fd().unwrap(), PollEvents::POLLIN)], None).unwrap();
                });
            } else {
                wait_by_descriptor(&socket, &mut || edges.poll(&mut edge_events, None).unwrap());
            }
            assert_eq!(socket.now().recv_msg().unwrap().unwrap(), "");
        }
    });
}

/// zmq_poll queries a socket once for each of its items. A message that arrives between two queries is reported for one item
/// only.
#[deadline::test]
fn poll_misses_no_event_of_a_socket_in_two_items() {
    const ROUNDS: u32 = 300;
    let context = Context::new().unwrap();
    let (ours, theirs) = pair(&context, "inproc://twice");
    // Many sockets between the two make it likely that a message arrives between the two queries.
    let idle: Vec<Socket<'_, Pair>> = (0..200).map(|_| context.socket(Pair).unwrap()).collect();
    thread::scope(|scope| {
        scope.spawn(move || {
            for round in 0..ROUNDS {
                theirs.send(round.to_string()).unwrap();
                theirs.recv_msg().unwrap();
            }
        });
        for round in 0..ROUNDS {
            let mut items = vec![PollItem::socket(&ours, PollEvents::POLLIN)];
            items.extend(idle.iter().map(|socket| PollItem::socket(socket, PollEvents::POLLIN)));
            items.push(PollItem::socket(&ours, PollEvents::POLLERR));
            assert_eq!(poll(&mut items, None).unwrap(), 1);
            assert!(items[0].is_readable());
            assert_eq!(items.last().unwrap().revents(), PollEvents::NONE, "the item waits for other events");
            assert_eq!(ours.recv_string().unwrap(), round.to_string());
            ours.send("").unwrap();
        }
    });
}

#[test]
fn poll_refuses_more_items_than_the_process_may_have_files() {
    const NAME: &str = "poll_refuses_more_items_than_the_process_may_have_files";
    in_own_process(NAME, || {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut files = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: a valid pointer.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files) }, 0);
        files.rlim_cur = 64;
        // SAFETY: as above.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const files) }, 0);
        theirs.write_all(b"x").unwrap();
        let mut items = [PollItem::fd(ours.as_fd(), PollEvents::POLLIN); 65];
        assert_eq!(poll(&mut items[..64], LONG).unwrap(), 64);
        // The system refuses so many descriptors, and libzmq would abort the process.
        assert_eq!(poll(&mut items, LONG).unwrap_err().errno(), Errno::EINVAL);
    });
}

//! Calls that are documented not to allocate do not. Only Rust's allocations are counted, not those of libzmq.

mod common;

use std::cell::Cell;
use std::hint::black_box;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use common::counting::{Counting, of_thread};
use common::pair;
use zmq::{Context, Message, Pair, PollEvents, PollItem, Poller, Pull, Push, Timers, poll};
use zmq_patterns::{Ended, Reactor};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The number of allocations that `work` makes on this thread.
fn allocations<R>(work: impl FnOnce() -> R) -> (usize, R) {
    let before = of_thread();
    let result = work();
    (of_thread() - before, result)
}

/// Asserts that `work` allocates nothing in 100 runs, after a first run that may allocate.
#[track_caller]
fn assert_allocates_nothing(mut work: impl FnMut()) {
    work();
    let (count, ()) = allocations(|| (0..100).for_each(|_| work()));
    assert_eq!(count, 0, "allocations in 100 rounds");
}

#[deadline::test]
fn counter_counts_allocations() {
    assert_eq!(allocations(|| black_box(Box::new(1))).0, 1);
    assert_eq!(allocations(|| black_box(Vec::<u8>::with_capacity(10))).0, 1);
    assert_eq!(allocations(|| black_box(vec![1_u8; 10]).extend_from_slice(&[2; 100])).0, 2);
    assert_eq!(allocations(|| black_box(1)).0, 0);
}

#[deadline::test]
fn send_of_bytes_and_recv_into_allocate_nothing() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    let content = vec![b'x'; 1 << 16];
    let mut buffer = vec![0; 1 << 16];
    for size in [0, 1, 33, 34, 1024, 1 << 16] {
        assert_allocates_nothing(|| {
            left.send(&content[..size]).unwrap();
            assert_eq!(right.recv_into(&mut buffer).unwrap().size, size);
        });
    }
}

#[deadline::test]
fn send_and_recv_of_messages_allocate_nothing() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    for size in [0, 1, 33, 34, 1024, 1 << 16] {
        let mut message = Message::from(vec![b'x'; size]);
        let mut reused = Message::new();
        assert_allocates_nothing(|| {
            left.send(std::mem::take(&mut message)).unwrap();
            message = right.recv_msg().unwrap();
            left.send(&message).unwrap();
            right.recv(&mut reused).unwrap();
            assert!(left.now().send(message.clone()).unwrap().is_sent());
            assert_eq!(right.now().recv_msg().unwrap().unwrap().len(), size);
            left.within(Duration::from_secs(60)).send(&message).unwrap().into_unsent();
            right.within(Duration::from_secs(60)).recv_msg().unwrap().unwrap();
        });
    }
}

#[deadline::test]
fn multipart_messages_of_up_to_four_parts_allocate_nothing() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    let content = vec![b'x'; 1024];
    for size in [0, 33, 34, 1024] {
        assert_allocates_nothing(|| {
            left.send_multipart([&content[..size]; 4]).unwrap();
            let parts = right.recv_multipart().unwrap();
            left.send_multipart(parts).unwrap();
            let mut parts = right.now().recv_multipart().unwrap().unwrap();
            let first = parts.pop_envelope().unwrap();
            parts.push_front(first);
            assert!(parts.len() <= 4);
        });
    }
    assert_allocates_nothing(|| {
        left.send_multipart(["a", "b"]).unwrap();
        right.recv_multipart().unwrap();
        left.send_multipart([Message::from("a"), Message::new(), Message::from(&content[..])]).unwrap();
        right.recv_multipart().unwrap();
        // Slices have no list, however long they are.
        assert!(left.now().send_multipart(&[&content[..]; 9][..]).unwrap().is_sent());
        while right.recv_msg().unwrap().more() {}
    });
}

#[deadline::test]
fn send_and_recv_over_tcp_allocate_nothing() {
    let context = Context::new().unwrap();
    let (source, sink) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
    source.connect(&sink.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    let mut buffer = [0; 1024];
    assert_allocates_nothing(|| {
        source.send([b'x'; 1024]).unwrap();
        assert_eq!(sink.recv_into(&mut buffer).unwrap().size, 1024);
        source.send(b"more").unwrap();
        assert_eq!(sink.recv_msg().unwrap(), b"more");
    });
}

#[deadline::test]
fn waiting_allocates_nothing() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    // With a time-out this library waits, not libzmq.
    left.set_sndtimeo(Some(Duration::from_secs(60))).unwrap();
    right.set_rcvtimeo(Some(Duration::from_secs(60))).unwrap();
    assert_allocates_nothing(|| {
        assert!(right.now().recv_msg().unwrap().is_none());
        assert!(right.within(Duration::from_micros(10)).recv_msg().unwrap().is_none());
        left.send("Hello").unwrap();
        right.recv_msg().unwrap();
    });
}

#[deadline::test]
fn message_takes_an_owner_without_another_allocation() {
    let vec = vec![b'x'; 1000];
    assert_eq!(allocations(|| Message::from(vec)).0, 0);
    let mut roomy = Vec::with_capacity(2000);
    roomy.resize(1000, b'x');
    assert_eq!(allocations(|| Message::from(roomy)).0, 0);
    let string = "x".repeat(1000);
    assert_eq!(allocations(|| Message::from(string)).0, 0);
    let boxed = vec![b'x'; 1000].into_boxed_slice();
    assert_eq!(allocations(|| Message::from(boxed)).0, 0);
    let arc: Arc<[u8]> = vec![b'x'; 1000].into();
    assert_eq!(allocations(|| Message::from(arc)).0, 0);
    assert_eq!(allocations(|| Message::from_static(&[b'x'; 1000])).0, 0);
    assert_eq!(allocations(|| Message::from(&[b'x'; 1000])).0, 0, "libzmq's memory");
    // `from_owner` allocates once, for the owner.
    let vec = vec![b'x'; 1000];
    assert_eq!(allocations(|| Message::from_owner(vec)).0, 1);
}

#[deadline::test]
fn polling_allocates_nothing() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    let idle = context.socket(Pull).unwrap();
    left.send("Hello").unwrap();
    let mut items =
        [&left.as_ref(), &right.as_ref(), &idle.as_ref()].map(|socket| PollItem::socket(*socket, PollEvents::POLLIN));
    assert_allocates_nothing(|| {
        assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 1);
        assert_eq!(poll(&mut items[2..], Duration::from_micros(10)).unwrap(), 0);
    });
}

#[deadline::test]
fn forwarding_allocates_nothing_per_message() {
    const MESSAGES: usize = 2000;
    let context = Context::new().unwrap();
    let bound = |kind: zmq::Kind, name: &str| {
        let socket = context.owned_socket(kind).unwrap();
        socket.bind(name).unwrap();
        socket
    };
    let (frontend, backend) = (bound(zmq::Kind::Pull, "inproc://front"), bound(zmq::Kind::Push, "inproc://back"));
    let capture = bound(zmq::Kind::Pub, "inproc://captured");
    let handle = zmq::ProxyHandle::new().unwrap();
    let theirs = handle.clone();
    let forwarder =
        std::thread::spawn(move || allocations(|| theirs.run(&frontend, &backend, Some(capture.as_ref())).unwrap()).0);
    let (source, sink) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
    source.connect("inproc://front").unwrap();
    sink.connect("inproc://back").unwrap();
    for number in 0..MESSAGES {
        source.send_more(vec![b'x'; 100]).unwrap();
        source.send("body").unwrap();
        // Every second message is received before the next is sent, so that the proxy waits for each.
        if number % 2 == 0 {
            assert_eq!(sink.recv_multipart().unwrap().len(), 2);
        }
    }
    for _ in 0..MESSAGES / 2 {
        assert_eq!(sink.recv_multipart().unwrap().len(), 2);
    }
    handle.terminate().unwrap();
    let allocated = forwarder.join().unwrap();
    assert!(allocated < 20, "{allocated} allocations");
}

#[deadline::test]
fn poller_allocates_nothing_per_wait() {
    let context = Context::new().unwrap();
    let sockets: Vec<_> = (0..20)
        .map(|number| {
            let (socket, peer) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
            socket.bind(&format!("inproc://{number}")).unwrap();
            peer.connect(&format!("inproc://{number}")).unwrap();
            (socket, peer)
        })
        .collect();
    let (near, far) = UnixStream::pair().unwrap();
    let mut poller = Poller::new().unwrap();
    for (number, (socket, _)) in sockets.iter().enumerate() {
        poller.add(socket, number, PollEvents::POLLIN).unwrap();
    }
    poller.add(near.as_fd(), 100, PollEvents::POLLIN).unwrap();
    let mut list = Vec::new();
    assert_allocates_nothing(|| {
        assert_eq!(poller.wait(Duration::ZERO).unwrap().len(), 0);
        for (_, peer) in &sockets {
            peer.send("x").unwrap();
        }
        (&far).write_all(b"x").unwrap();
        while poller.wait(Duration::from_secs(60)).unwrap().len() < 21 {}
        assert_eq!(poller.wait_into(&mut list, None).unwrap(), 21);
        for event in &list {
            match sockets.get(event.key) {
                Some((socket, _)) => drop(socket.recv_msg().unwrap()),
                None => (&near).read_exact(&mut [0]).unwrap(),
            }
            poller.modify(event.key, PollEvents::POLLIN).unwrap();
        }
        assert_eq!(poller.wait(Duration::from_micros(10)).unwrap().len(), 0);
    });
}

#[deadline::test]
fn reactor_allocates_nothing_per_event() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    let calls = Cell::new((0, 0));
    let first = Cell::new(0);
    let mut reactor = Reactor::new().unwrap();
    reactor
        .every(Duration::from_micros(100), |_, _| {
            calls.set((calls.get().0 + 1, calls.get().1));
            Ok(left.send("tick")?)
        })
        .unwrap();
    reactor
        .add(&right, PollEvents::POLLIN, |reactor, _| {
            right.recv_msg()?;
            let (ticks, received) = (calls.get().0, calls.get().1 + 1);
            calls.set((ticks, received));
            match received {
                10 => first.set(of_thread()),
                200 => reactor.stop(),
                _ => {}
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(reactor.run().unwrap(), Ended::Stopped);
    assert_eq!(of_thread() - first.get(), 0, "allocations in {:?} calls", calls.get());
}

#[deadline::test]
fn timers_allocate_nothing_when_they_run() {
    let ran = Cell::new(0);
    let mut timers = Timers::new().unwrap();
    for _ in 0..5 {
        timers.add(Duration::from_millis(1), |_, _| ran.set(ran.get() + 1)).unwrap();
    }
    assert_allocates_nothing(|| {
        std::thread::sleep(timers.timeout().unwrap());
        timers.execute().unwrap();
    });
    assert!(ran.get() >= 5);
}

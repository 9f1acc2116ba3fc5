//! Calls that wait for sockets, descriptors, timers or peers.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use zmq::monitor::Events;
use zmq::{Context, Pair, PollEvents, PollItem, Poller, Pub, Pull, Push, Socket, Sub, Timers, XPub, interrupt, poll};
use zmq_patterns::Reactor;

use crate::common::{TCP, context, kinds, pair, text};
use crate::{Call, try_all};

/// Two PAIR sockets that are connected and have exchanged a message.
fn connected_pair(context: &Context) -> (Socket<'_, Pair>, Socket<'_, Pair>) {
    let (left, right) = pair(context, TCP);
    left.send("connected").unwrap();
    assert_eq!(text(&right), "connected");
    (left, right)
}

const WAITS: &[(&str, Call)] = &[
    ("Within::recv_msg", |descriptors| {
        let context = context();
        let (left, right) = connected_pair(&context);
        descriptors.use_up();
        assert!(right.within(Duration::from_millis(1)).recv_msg()?.is_none());
        left.send("Hello")?;
        assert_eq!(text(&right), "Hello");
        Ok(())
    }),
    ("Socket::fd", |descriptors| {
        let context = context();
        let socket = context.socket(Pull)?;
        descriptors.use_up();
        socket.fd()?;
        Ok(())
    }),
    ("poll", |descriptors| {
        let context = context();
        let sockets: Vec<_> = kinds().into_iter().map(|kind| context.socket(kind)).collect::<Result<_, _>>()?;
        let (near, _far) = UnixStream::pair()?;
        descriptors.use_up();
        let sockets = sockets.iter().map(|socket| PollItem::socket(socket, PollEvents::POLLIN));
        let mut items: Vec<_> = sockets.chain([PollItem::fd(near.as_fd(), PollEvents::POLLIN)]).collect();
        poll(&mut items, Duration::from_millis(1))?;
        Ok(())
    }),
    ("Poller", |descriptors| {
        let context = context();
        let sockets: Vec<_> = kinds().into_iter().map(|kind| context.socket(kind)).collect::<Result<_, _>>()?;
        descriptors.use_up();
        let mut poller = Poller::new()?;
        for (key, socket) in sockets.iter().enumerate() {
            poller.add(socket, key, PollEvents::POLLIN)?;
        }
        poller.wait(Duration::from_millis(1))?;
        poll(&mut [PollItem::fd(poller.wake_fd(), PollEvents::POLLIN)], Duration::ZERO)?;
        Ok(())
    }),
    ("Reactor", |descriptors| {
        let context = context();
        let (left, right) = connected_pair(&context);
        left.send("Hello")?;
        descriptors.use_up();
        let mut reactor = Reactor::new()?;
        let add = reactor.add(&right, PollEvents::POLLIN, |reactor, _| {
            reactor.stop();
            Ok(())
        });
        add?;
        reactor.run()?;
        Ok(())
    }),
    ("Timers", |descriptors| {
        descriptors.use_up();
        let mut timers = Timers::new()?;
        timers.add(Duration::from_millis(1), |_, _| ())?;
        thread::sleep(timers.timeout().unwrap_or_default());
        timers.execute()?;
        Ok(())
    }),
    ("interrupt::catch_signals", |descriptors| {
        let context = context();
        let socket = context.socket(Pull)?;
        descriptors.use_up();
        let caught = interrupt::catch_signals(interrupt::TERMINATION);
        if let Err(error) = &caught {
            assert!(["socketpair", "epoll_create1", "fcntl"].contains(&error.call()), "{error}");
        }
        assert!(socket.within(Duration::from_millis(1)).recv_msg()?.is_none());
        Ok(caught?)
    }),
    ("fork", |descriptors| {
        interrupt::catch_signals(interrupt::TERMINATION)?;
        let context = context();
        let socket = context.owned_socket(Pull)?;
        descriptors.use_up();
        // SAFETY: the child calls nothing that takes a lock of another thread.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            drop((socket, context));
            // SAFETY: has no preconditions.
            unsafe { libc::_exit(0) };
        }
        let mut status = 0;
        // SAFETY: a child of this process, and a valid pointer.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert_eq!(status, 0);
        assert!(socket.within(Duration::from_millis(1)).recv_msg()?.is_none());
        Ok(())
    }),
    ("Socket::connect_and_wait", |descriptors| {
        let context = context();
        let (server, client) = (context.socket(Pull)?, context.socket(Push)?);
        let endpoint = server.bind(TCP)?;
        descriptors.use_up();
        client.connect_and_wait(&endpoint, Duration::from_millis(100))?;
        Ok(())
    }),
    ("Monitor::wait_for_connections", |descriptors| {
        let context = context();
        let server = context.socket(Pull)?;
        let monitor = server.monitor(Events::ALL)?;
        descriptors.use_up();
        assert!(!monitor.wait_for_connections(1, Duration::from_millis(1))?);
        Ok(())
    }),
    ("Socket::wait_for_subscribers", |descriptors| {
        let context = context();
        let publisher = context.socket(XPub)?;
        descriptors.use_up();
        publisher.wait_for_subscribers(1, Duration::from_millis(1), &mut Vec::new())?;
        Ok(())
    }),
    ("publishing", |descriptors| {
        let context = context();
        let (publisher, subscriber) = (context.socket(Pub)?, context.socket(Sub)?);
        let endpoint = publisher.bind(TCP)?;
        descriptors.use_up();
        subscriber.subscribe("")?;
        subscriber.connect(&endpoint)?;
        publisher.send("news")?;
        subscriber.within(Duration::from_millis(10)).recv_msg()?;
        Ok(())
    }),
];

#[deadline::test(patches = [44, 45, 47])]
fn waits_end_with_few_descriptors() {
    try_all("waits::waits_end_with_few_descriptors", WAITS);
}

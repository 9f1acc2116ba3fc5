//! Descriptors that are lent or handed over. Safe code can misuse them and their duplicates: waits still end, and the process
//! goes on.
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
#[cfg(feature = "draft")]
use std::sync::Barrier;
#[cfg(feature = "draft")]
use std::thread;
use std::time::Duration;
#[cfg(feature = "draft")]
use std::time::Instant;

use common::{DEADLINE, TCP, context, in_own_process, next, pair, signal, skip_part_unless_patched, text};
use zmq::monitor::{Event, Events};
use zmq::security::{AuthEvent, Authenticator, Security};
use zmq::{Dealer, Errno, PollEvents, PollItem, Poller, Pull, Rep, Req, interrupt, poll};

const SHORT: Duration = Duration::from_millis(20);

/// Does to a duplicate what safe code can do: makes it blocking, reads from it, writes to it, and shuts it down.
fn misuse(fd: BorrowedFd<'_>) {
    let duplicate = || fd.try_clone_to_owned().unwrap();
    let _ = UnixStream::from(duplicate()).set_nonblocking(false);
    let is_readable = poll(&mut [PollItem::fd(fd, PollEvents::POLLIN)], Duration::ZERO).unwrap() == 1;
    if is_readable {
        // On a socket this takes the byte that makes it readable.
        let _ = File::from(duplicate()).read(&mut [0; 64]);
    }
    let _ = File::from(duplicate()).write(&[1; 8]);
    let _ = UnixStream::from(duplicate()).shutdown(Shutdown::Both);
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    poll(&mut [PollItem::fd(fd, PollEvents::POLLIN)], SHORT).unwrap() == 1
}

#[deadline::test]
fn interrupt_ends_waits_after_its_descriptor_was_misused() {
    in_own_process("interrupt_ends_waits_after_its_descriptor_was_misused", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let fd = interrupt::wake_fd().unwrap();
        let context = context();
        let socket = context.socket(Pull).unwrap();
        for _ in 0..3 {
            misuse(fd);
            assert!(!is_readable(fd));
            assert!(socket.within(SHORT).recv_msg().unwrap().is_none());
            signal(std::process::id(), libc::SIGINT);
            assert_eq!(socket.within(DEADLINE).recv_msg().unwrap_err().errno(), Errno::EINTR);
            assert!(is_readable(fd));
            misuse(fd);
            assert!(is_readable(fd), "the descriptor stays readable until the interrupt is cleared");
            interrupt::clear();
            assert!(!is_readable(fd));
        }
    });
}

#[deadline::test]
fn interrupt_of_a_forked_child_has_a_descriptor_of_its_own() {
    in_own_process("interrupt_of_a_forked_child_has_a_descriptor_of_its_own", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let fd = interrupt::wake_fd().unwrap();
        // SAFETY: the child calls nothing that takes a lock of another thread.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let waits = |timeout: libc::c_int| {
                let mut item =
                    libc::pollfd { fd: std::os::fd::AsRawFd::as_raw_fd(&fd), events: libc::POLLIN, revents: 0 };
                // SAFETY: the pointer is to one item.
                unsafe { libc::poll(&raw mut item, 1, timeout) }
            };
            let before = waits(0);
            // SAFETY: has no preconditions.
            unsafe { libc::raise(libc::SIGINT) };
            let good = before == 0 && waits(10_000) == 1;
            // SAFETY: has no preconditions.
            unsafe { libc::_exit(i32::from(!good)) };
        }
        let mut status = 0;
        // SAFETY: a child of this process, and a valid pointer. The call is repeated if a signal ends it.
        while unsafe { libc::waitpid(child, &raw mut status, 0) } != child {}
        assert_eq!(status, 0);
        assert!(!is_readable(fd), "the child's signal does not reach the parent");
    });
}

#[deadline::test]
fn monitor_works_after_its_descriptor_was_misused() {
    let context = context();
    let server = context.socket(Rep).unwrap();
    let monitor = server.monitor(Events::LISTENING).unwrap();
    for _ in 0..3 {
        misuse(monitor.as_fd());
        assert!(!is_readable(monitor.as_fd()));
        server.bind(TCP).unwrap();
        assert!(poll(&mut [PollItem::fd(monitor.as_fd(), PollEvents::POLLIN)], DEADLINE).unwrap() == 1);
        misuse(monitor.as_fd());
        let notice = monitor.next_event(DEADLINE).unwrap().unwrap();
        assert!(matches!(notice.event(), Event::Listening { .. }));
        assert!(monitor.next_event(SHORT).unwrap().is_none());
    }
}

#[deadline::test]
fn authenticator_works_after_its_descriptor_was_misused() {
    let context = context();
    let authenticator = Authenticator::start(&context).unwrap();
    authenticator.configure("accounts", |policy| policy.allow_users([("alice", "open sesame")])).unwrap();
    for _ in 0..3 {
        misuse(authenticator.as_fd());
        assert!(!is_readable(authenticator.as_fd()));
        let (server, client) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
        server.secure(&Security::plain_server().domain("accounts")).unwrap();
        client.secure(&Security::plain_client("alice", "open sesame")).unwrap();
        client.connect(&server.bind(TCP).unwrap()).unwrap();
        client.send("Hello").unwrap();
        assert_eq!(next(&server), [b"Hello"]);
        assert!(poll(&mut [PollItem::fd(authenticator.as_fd(), PollEvents::POLLIN)], DEADLINE).unwrap() == 1);
        misuse(authenticator.as_fd());
        let event = authenticator.next_event(DEADLINE).unwrap();
        assert!(matches!(event, Some(AuthEvent::Allowed { .. })), "{event:?}");
        assert!(authenticator.next_event(SHORT).unwrap().is_none());
    }
}

#[deadline::test]
fn poller_reports_events_that_others_took_from_its_descriptor() {
    let context = context();
    let (left, right) = pair(&context, TCP);
    let mut poller = Poller::new().unwrap();
    poller.add(&right, 7, PollEvents::POLLIN).unwrap();
    while !poller.wait(SHORT).unwrap().is_empty() {}
    for _ in 0..3 {
        misuse(poller.wake_fd());
        left.send("Hello").unwrap();
        poll(&mut [PollItem::fd(poller.wake_fd(), PollEvents::POLLIN)], DEADLINE).unwrap();
        // Safe code can wait for the epoll descriptor too, which takes edge-triggered events.
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
        let raw = std::os::fd::AsRawFd::as_raw_fd(&poller.wake_fd());
        // SAFETY: the descriptor is open, and there is room for as many events.
        assert!(unsafe { libc::epoll_wait(raw, events.as_mut_ptr(), 8, 0) } >= 0);
        let mut found = poller.wait(DEADLINE).unwrap();
        while found.is_empty() {
            found = poller.wait(DEADLINE).unwrap();
        }
        assert_eq!(found[0].key, 7);
        assert_eq!(text(&right), "Hello");
        while !poller.wait(SHORT).unwrap().is_empty() {}
    }
}

#[deadline::test]
fn socket_works_after_its_descriptor_was_misused() {
    let context = context();
    let (left, right) = pair(&context, TCP);
    for _ in 0..3 {
        misuse(right.fd().unwrap());
        left.send("Hello").unwrap();
        assert_eq!(text(&right), "Hello");
    }
}

/// The owner keeps a duplicate that is non-blocking, as the service manager that opened the listener does.
#[deadline::test]
fn bound_descriptor_works_when_the_owner_of_a_duplicate_misuses_it() {
    in_own_process("bound_descriptor_works_when_the_owner_of_a_duplicate_misuses_it", || {
        let context = context();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let duplicate = listener.try_clone().unwrap();
        let server = context.socket(Rep).unwrap();
        let endpoint = server.bind_fd(TCP, listener.into()).unwrap();
        let (left, right) = pair(&context, TCP);
        for _ in 0..20 {
            duplicate.set_nonblocking(false).unwrap();
            let client = context.socket(Req).unwrap();
            client.connect(&endpoint).unwrap();
            client.send("Hello").unwrap();
            assert_eq!(text(&server), "Hello");
            server.send("World").unwrap();
            assert_eq!(text(&client), "World");
        }
        if !skip_part_unless_patched("a duplicate that is shut down", &[45]) {
            TcpStream::from(OwnedFd::from(duplicate)).shutdown(Shutdown::Both).unwrap();
            left.send("still here").unwrap();
            assert_eq!(text(&right), "still here");
            server.unbind(&endpoint).unwrap();
        }
    });
}

/// libzmq owned the descriptor, and `bind_fd` closed it too. Its number could belong to another file by then.
#[cfg(feature = "draft")]
#[deadline::test(patches = [6, 7, 8, 9, 12, 13])]
fn bound_descriptor_is_closed_once_if_the_context_ends_meanwhile() {
    in_own_process("bound_descriptor_is_closed_once_if_the_context_ends_meanwhile", || {
        let start = Instant::now();
        let mut ended_in_time = 0;
        // The context must end between two calls of `bind_fd`, which fails then by the second one.
        for spins in (0..4000).cycle().step_by(7) {
            let context = context();
            let server = context.owned_socket(zmq::Server).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let ready = Barrier::new(2);
            let bound = thread::scope(|scope| {
                let binds = scope.spawn(|| {
                    ready.wait();
                    server.bind_fd(TCP, listener.into())
                });
                // In this thread the socket notices the end of the context, while the other thread binds.
                scope.spawn(|| server.recv_msg().unwrap_err());
                ready.wait();
                (0..spins).for_each(|_| std::hint::spin_loop());
                context.shutdown().unwrap();
                binds.join().unwrap()
            });
            if bound.is_err_and(|error| error.call() == "ZMQ_LAST_ENDPOINT") {
                ended_in_time += 1;
                // The files take the number of the descriptor if it is free. Closing the socket must not close them.
                let files: Vec<_> = (0..8).map(|_| File::open("/dev/null").unwrap()).collect();
                drop(server);
                context.terminate(DEADLINE).unwrap();
                for file in &files {
                    file.metadata().expect("closing the socket closes no other file");
                }
            }
            if ended_in_time == 3 {
                break;
            }
            assert!(start.elapsed() < DEADLINE / 2, "the context never ended in time, {ended_in_time}");
        }
    });
}

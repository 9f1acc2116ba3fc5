//! Forked children: calls on inherited sockets and contexts fail and never wait. Dropping them does not disturb the parent.

mod common;

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use common::forked::{Killed, fork_and_wait};
#[cfg(feature = "draft")]
use common::has_patch;
use common::{DEADLINE, eventually, in_own_process};
use zmq::{Context, Errno, Kind, Message, PollEvents, PollItem, SocketRef, interrupt, poll};

/// One round trip in the parent, which shows that its I/O threads and sockets work.
fn round_trip(client: &zmq::Socket<'_, zmq::Req>, server: &zmq::Socket<'_, zmq::Rep>, text: &str) {
    client.send(text).unwrap();
    assert_eq!(server.within(DEADLINE).recv_msg().unwrap().unwrap(), text);
    server.send("answer").unwrap();
    assert_eq!(client.within(DEADLINE).recv_msg().unwrap().unwrap(), "answer");
}

#[test]
fn parent_works_after_a_child_drops_what_it_inherited() {
    in_own_process("parent_works_after_a_child_drops_what_it_inherited", || {
        let context = Context::new().unwrap();
        let server = context.owned_socket(zmq::Rep).unwrap();
        let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
        server.bind("inproc://forked").unwrap();
        let client = context.owned_socket(zmq::Req).unwrap();
        client.connect(&endpoint).unwrap();
        round_trip(&client, &server, "before");

        for round in 0..3 {
            // SAFETY: as in fork_and_wait. The child drops its copies of what the parent goes on using.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                drop(client);
                drop(server);
                drop(context);
                // SAFETY: has no preconditions.
                unsafe { libc::_exit(7) };
            }
            let mut status = 0;
            eventually("the forked child ends", || {
                // SAFETY: a child of this process, and a valid pointer.
                unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) == pid }
            });
            assert!(libc::WIFEXITED(status), "the child died of signal {}", libc::WTERMSIG(status));
            assert_eq!(libc::WEXITSTATUS(status), 7);
            round_trip(&client, &server, &format!("after child {round}"));
        }
        drop((client, server));
        context.terminate(DEADLINE).unwrap();
    });
}

#[test]
fn parent_works_after_a_child_ends_the_context() {
    in_own_process("parent_works_after_a_child_ends_the_context", || {
        let context = Context::new().unwrap();
        let server = context.owned_socket(zmq::Rep).unwrap();
        let client = context.owned_socket(zmq::Req).unwrap();
        client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        round_trip(&client, &server, "before");
        fork_and_wait(|| {
            assert_eq!(context.shutdown().unwrap_err().errno(), Errno::EINVAL);
            context.clone().terminate(Duration::from_secs(5)).unwrap();
        });
        round_trip(&client, &server, "after");
    });
}

#[test]
fn every_call_on_an_inherited_socket_fails_at_once() {
    in_own_process("every_call_on_an_inherited_socket_fails_at_once", || {
        let context = Context::new().unwrap();
        let left = context.socket(Kind::Pair).unwrap();
        let right = context.socket(Kind::Pair).unwrap();
        left.bind("inproc://pair").unwrap();
        right.connect("inproc://pair").unwrap();
        // A message waits, and there is room to send: a call that reached libzmq would succeed.
        right.send("waiting").unwrap();
        let listening = context.socket(zmq::Router).unwrap();
        let endpoint = listening.bind("tcp://127.0.0.1:*").unwrap();
        let naming = context.socket(zmq::Router).unwrap();
        #[cfg(feature = "draft")]
        let dgram = (has_patch(9) && has_patch(12)).then(|| context.socket(zmq::Dgram).unwrap());

        fork_and_wait(|| {
            let refused = |what: &str, error: zmq::Error| {
                assert_eq!(error.errno(), Errno::ENOTSOCK, "{what}");
                assert!(error.to_string().contains("forked"), "{what}: {error}");
            };
            let second = Duration::from_secs(1);
            assert_eq!(context.socket(zmq::Req).unwrap_err().errno(), Errno::EINVAL);
            assert_eq!(context.owned_socket(zmq::Req).unwrap_err().errno(), Errno::EINVAL);
            let failed = left.send("kept").unwrap_err();
            assert_eq!(failed.message(), "kept");
            refused("send", failed.into());
            refused("send_multipart", left.send_multipart(["x", "y"]).unwrap_err().into());
            refused("send_more", left.send_more("x").unwrap_err().into());
            refused("recv", left.recv(&mut Message::new()).unwrap_err());
            refused("recv_msg", left.recv_msg().unwrap_err());
            refused("recv_into", left.recv_into(&mut [0; 8]).unwrap_err());
            refused("recv_string", left.recv_string().unwrap_err().into());
            refused("recv_multipart", left.recv_multipart().unwrap_err());
            for waits in [false, true] {
                let view = || if waits { left.within(second) } else { left.now() };
                refused("now().send", view().send("x").unwrap_err().into());
                refused("now().send_more", view().send_more("x").unwrap_err().into());
                refused("now().send_multipart", view().send_multipart(["x", "y"]).unwrap_err().into());
                refused("now().recv", view().recv(&mut Message::new()).unwrap_err());
                refused("now().recv_msg", view().recv_msg().unwrap_err());
                refused("now().recv_into", view().recv_into(&mut [0; 8]).unwrap_err());
                refused("now().recv_string", view().recv_string().unwrap_err().into());
                refused("now().recv_multipart", view().recv_multipart().unwrap_err());
                #[cfg(feature = "draft")]
                {
                    let id = std::num::NonZeroU32::MIN;
                    refused("now().send_to_group", view().send_to_group("group", "x").unwrap_err().into());
                    refused("now().send_to_peer", view().send_to_peer(id, "x").unwrap_err().into());
                    if let Some(dgram) = &dgram {
                        let to = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
                        let view = || if waits { dgram.within(second) } else { dgram.now() };
                        refused("now().send_to", view().send_to(to, "x").unwrap_err().into());
                        refused("now().recv_from", view().recv_from().unwrap_err());
                    }
                }
            }
            #[cfg(feature = "draft")]
            refused("bind", left.bind("tcp://127.0.0.1:*").unwrap_err());
            refused("bind inproc", left.bind("inproc://other").unwrap_err());
            refused("connect", left.connect("inproc://pair").unwrap_err());
            refused("unbind", listening.unbind(&endpoint).unwrap_err());
            refused("unbind inproc", left.unbind("inproc://pair").unwrap_err());
            refused("disconnect", right.disconnect("inproc://pair").unwrap_err());
            refused("set_linger", left.set_linger(None).unwrap_err());
            refused("linger", left.linger().unwrap_err());
            for error in [
                left.events().unwrap_err(),
                left.fd().unwrap_err(),
                left.last_endpoint().unwrap_err(),
                naming.connect_with_routing_id("id", "tcp://127.0.0.1:1").unwrap_err(),
            ] {
                assert_eq!(error.errno(), Errno::ENOTSOCK, "{error}");
            }
            for timeout in [None, Some(second)] {
                let mut items = [PollItem::socket(&left, PollEvents::POLLIN)];
                refused("poll", poll(&mut items, timeout).unwrap_err());
            }
            refused("proxy", zmq::proxy(&left, &right, None).unwrap_err().into());
            let fresh = Context::new().unwrap();
            let own = (fresh.socket(zmq::Pull).unwrap(), fresh.socket(zmq::Push).unwrap());
            own.0.bind("inproc://own").unwrap();
            own.1.connect("inproc://own").unwrap();
            refused("proxy with capture", zmq::proxy(&own.0, &own.1, Some(SocketRef::from(&left))).unwrap_err().into());
        });

        // None of these calls reached the parent's sockets.
        assert_eq!(left.now().recv_msg().unwrap().unwrap(), "waiting");
        assert!(right.now().recv_msg().unwrap().is_none());
        left.send("still here").unwrap();
        assert_eq!(right.within(DEADLINE).recv_msg().unwrap().unwrap(), "still here");
    });
}

/// A thread of the parent holds the locks of the context and of its options most of the time.
#[test]
fn options_of_an_inherited_context_can_be_read_and_not_set() {
    in_own_process("options_of_an_inherited_context_can_be_read_and_not_set", || {
        let context = Context::new().unwrap();
        context.set_max_sockets(77).unwrap();
        context.set_thread_name_prefix(7).unwrap();
        context.set_thread_sched_policy(libc::SCHED_OTHER as u32).unwrap();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    context.set_io_threads(3).unwrap();
                }
            });
            eventually("the other thread sets an option", || context.io_threads() == 3);
            for _ in 0..200 {
                fork_and_wait(|| {
                    assert_eq!((context.io_threads(), context.max_sockets()), (3, 77));
                    assert_eq!((context.thread_name_prefix(), context.ipv6()), (7, false));
                    assert_eq!(context.thread_sched_policy(), Some(libc::SCHED_OTHER as u32));
                    for refused in [
                        context.set_io_threads(1),
                        context.set_blocky(false),
                        context.set_thread_sched_policy(0),
                        context.set_thread_priority(1),
                        context.set_thread_scheduling(0, 1),
                        context.add_thread_affinity_cpu(0),
                        context.remove_thread_affinity_cpu(0),
                        context.set_thread_name_prefix(1),
                    ] {
                        let error = refused.unwrap_err();
                        assert_eq!(error.errno(), Errno::EINVAL);
                        assert!(error.to_string().contains("forked"), "{error}");
                    }
                    let _ = format!("{context:?}");
                });
            }
            done.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn poll_refuses_an_item_of_the_parent() {
    in_own_process("poll_refuses_an_item_of_the_parent", || {
        let context = Context::new().unwrap();
        let socket = context.socket(zmq::Pull).unwrap();
        let mut items = [PollItem::socket(&socket, PollEvents::POLLIN)];
        fork_and_wait(|| assert_eq!(poll(&mut items, None).unwrap_err().errno(), Errno::ENOTSOCK));
        let mut items = [PollItem::socket(&socket, PollEvents::POLLIN)];
        assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 0);
    });
}

#[test]
fn new_context_works_in_the_child() {
    in_own_process("new_context_works_in_the_child", || {
        let context = Context::new().unwrap();
        let server = context.owned_socket(zmq::Rep).unwrap();
        let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
        // SAFETY: as in fork_and_wait. The parent answers the child before it waits for its end.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let outcome = std::panic::catch_unwind(|| {
                let fresh = Context::new().unwrap();
                let client = fresh.socket(zmq::Req).unwrap();
                client.connect(&endpoint).unwrap();
                client.send("from the child").unwrap();
                assert_eq!(client.within(DEADLINE).recv_msg().unwrap().unwrap(), "to the child");
                drop(client);
                fresh.terminate(DEADLINE).unwrap();
            });
            // SAFETY: has no preconditions.
            unsafe { libc::_exit(i32::from(outcome.is_err())) };
        }
        let guard = Killed(pid);
        assert_eq!(server.within(DEADLINE).recv_msg().unwrap().unwrap(), "from the child");
        server.send("to the child").unwrap();
        let mut status = 0;
        eventually("the forked child ends", || {
            // SAFETY: a child of this process, and a valid pointer.
            unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) == pid }
        });
        std::mem::forget(guard);
        assert_eq!(status, 0);
    });
}

#[test]
fn parent_and_child_are_interrupted_separately() {
    in_own_process("parent_and_child_are_interrupted_separately", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        fork_and_wait(|| {
            // SAFETY: raises a signal that is caught in this process.
            unsafe { libc::raise(libc::SIGINT) };
            assert!(interrupt::interrupted());
            let fresh = Context::new().unwrap();
            let socket = fresh.socket(zmq::Pull).unwrap();
            assert_eq!(socket.recv_msg().unwrap_err().errno(), Errno::EINTR);
        });
        assert!(!interrupt::interrupted());
        // The child's signal did not make the parent's descriptor readable, which would turn its waits into a busy loop.
        let mut items = [PollItem::fd(interrupt::wake_fd().unwrap(), PollEvents::POLLIN)];
        let mut descriptor =
            libc::pollfd { fd: interrupt::wake_fd().unwrap().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid structure.
        assert_eq!(unsafe { libc::poll(&raw mut descriptor, 1, 0) }, 0);
        assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 0);

        // SAFETY: as above.
        unsafe { libc::raise(libc::SIGINT) };
        fork_and_wait(|| {
            // The child inherits a pending interrupt, until it clears its own.
            let mut items = [PollItem::fd(interrupt::wake_fd().unwrap(), PollEvents::POLLIN)];
            assert_eq!(poll(&mut items, None).unwrap(), 1);
            interrupt::clear();
            assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 0);
        });
        let context = Context::new().unwrap();
        let socket = context.socket(zmq::Pull).unwrap();
        assert_eq!(socket.recv_msg().unwrap_err().errno(), Errno::EINTR);
    });
}

#[test]
fn child_drops_owners_if_other_threads_were_busy_at_the_fork() {
    struct Owner(Option<Sender<()>>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            b"owned"
        }
    }
    impl Drop for Owner {
        fn drop(&mut self) {
            if let Some(dropped) = self.0.take() {
                let _ = dropped.send(());
            }
        }
    }
    /// Hands over an owner, and waits until it is dropped.
    fn hand_over() {
        let (dropped, waiting) = channel();
        drop(Message::from_owner(Owner(Some(dropped))));
        waiting.recv_timeout(DEADLINE).unwrap();
    }
    in_own_process("child_drops_owners_if_other_threads_were_busy_at_the_fork", || {
        // std locks its list of threads while one of them starts or ends. A child that inherits this lock held cannot start a
        // thread. So all threads, those of the library too, have started before the first fork, and end after the last.
        hand_over();
        let (done, started) = (Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(3)));
        let busy: Vec<_> = (0..2)
            .map(|_| {
                let (done, started) = (done.clone(), started.clone());
                thread::spawn(move || {
                    started.wait();
                    while !done.load(Ordering::Relaxed) {
                        (0..50).for_each(|_| drop(Message::from_owner(Owner(None))));
                        hand_over();
                    }
                })
            })
            .collect();
        started.wait();
        for _ in 0..100 {
            fork_and_wait(hand_over);
        }
        done.store(true, Ordering::Relaxed);
        busy.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

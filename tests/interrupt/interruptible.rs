//! Contexts with `set_interruptible`: any signal handler ends a wait.

use std::thread;
use std::time::Duration;

use zmq::{Context, Errno, Kind, PollEvents};

use super::{count_signals, count_user_signals, every_wait, pair, waiting};
use crate::common::{DEADLINE, eventually, in_own_process};

#[test]
fn any_handler_ends_a_wait_on_sockets_of_an_interruptible_context() {
    in_own_process("interruptible::any_handler_ends_a_wait_on_sockets_of_an_interruptible_context", || {
        for (signal, flags) in [(libc::SIGUSR1, 0), (libc::SIGUSR1, libc::SA_RESTART), (libc::SIGHUP, 0)] {
            count_signals(signal, flags);
            let context = Context::new().unwrap();
            context.set_interruptible(true);
            let mut waits = every_wait(&context);
            // A wait for no socket has no context.
            waits.retain(|(name, _)| *name != "sleep");
            let socket = |kind| context.owned_socket(kind).unwrap();
            let (a, b, c, d, e) =
                (socket(Kind::Pull), socket(Kind::Sub), socket(Kind::Dealer), socket(Kind::Dealer), socket(Kind::Pull));
            let monitor = a.monitor(zmq::monitor::Events::ALL).unwrap();
            waits.push(("monitor", Box::new(move || (monitor.next_event(None).unwrap_err(), a).0)));
            waits.push((
                "poller",
                Box::new(move || {
                    let mut poller = zmq::Poller::new().unwrap();
                    poller.add(&b, 1, PollEvents::POLLIN).unwrap();
                    poller.wait(None).unwrap_err()
                }),
            ));
            waits.push(("name", Box::new(move || c.connect_and_wait("inproc://nobody", None).unwrap_err())));
            waits.push(("connection", Box::new(move || d.connect_and_wait("ipc://@nobody", None).unwrap_err())));
            let monitor = e.monitor(zmq::monitor::Events::ALL).unwrap();
            let connections = move || (monitor.wait_for_connections(1, None).unwrap_err(), e).0;
            waits.push(("connections", Box::new(connections)));
            if zmq::version() >= (4, 3, 5) {
                let publisher = context.owned_socket(zmq::Pub).unwrap();
                waits.push(("topics", Box::new(move || publisher.wait_for_topics(1, None).unwrap_err())));
            }
            for (name, wait) in waits {
                let (thread, waiter) = waiting(wait);
                // A handler that runs before the wait begins does not end it.
                eventually(name, || {
                    thread.signal(signal);
                    waiter.is_finished()
                });
                assert_eq!(waiter.join().unwrap().errno(), Errno::EINTR, "{name}");
            }

            // Calls that do not wait go on.
            let (push, pull) = pair(&context);
            push.send("goes on").unwrap();
            // SAFETY: the signal is handled.
            unsafe { libc::raise(signal) };
            assert_eq!(pull.within(DEADLINE).recv_msg().unwrap().unwrap(), "goes on");
        }
    });
}

/// At every hundredth receive libzmq reads its commands without waiting. A signal ends that call, also between the parts of a
/// message. A hundred is not a multiple of three, so the call falls on each part in turn.
#[test]
fn signals_tear_no_message_on_a_socket_of_an_interruptible_context() {
    const MESSAGES: u32 = 100_000;
    in_own_process("interruptible::signals_tear_no_message_on_a_socket_of_an_interruptible_context", || {
        count_user_signals();
        let context = Context::new().unwrap();
        context.set_interruptible(true);
        let (push, pull) = pair(&context);
        let (thread, receiver) = waiting(move || {
            let mut number = 0;
            while number < MESSAGES {
                match pull.recv_multipart() {
                    Ok(parts) => {
                        assert_eq!(parts, [number.to_string().as_str(), "more", "last"]);
                        number += 1;
                    }
                    Err(error) => assert_eq!(error.errno(), Errno::EINTR),
                }
            }
        });
        let sender = thread::spawn(move || {
            for number in 0..MESSAGES {
                push.send_multipart([number.to_string().as_str(), "more", "last"]).unwrap();
            }
            // The socket stays open until all messages are received.
            push
        });
        while !receiver.is_finished() {
            thread.signal(libc::SIGUSR1);
            thread::sleep(Duration::from_micros(20));
        }
        receiver.join().unwrap();
        sender.join().unwrap();
    });
}

/// Whether a thread of this process sleeps in a system call.
#[cfg(target_os = "linux")]
fn is_asleep(thread: libc::pid_t) -> bool {
    let state = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
    state.rsplit(')').next().is_some_and(|rest| rest.starts_with(" S"))
}

#[cfg(target_os = "linux")]
#[test]
fn one_signal_ends_a_wait_of_libzmq_on_a_socket_of_an_interruptible_context() {
    in_own_process("interruptible::one_signal_ends_a_wait_of_libzmq_on_a_socket_of_an_interruptible_context", || {
        count_user_signals();
        let context = Context::new().unwrap();
        context.set_interruptible(true);
        type Call = fn(&zmq::Socket<'static>) -> Errno;
        let calls: [(&str, Kind, Call); 7] = [
            ("recv_msg", Kind::Pull, |socket| socket.recv_msg().unwrap_err().errno()),
            ("recv", Kind::Pull, |socket| socket.recv(&mut zmq::Message::new()).unwrap_err().errno()),
            ("recv_into", Kind::Pull, |socket| socket.recv_into(&mut [0; 8]).unwrap_err().errno()),
            ("recv_multipart", Kind::Pull, |socket| socket.recv_multipart().unwrap_err().errno()),
            ("send of bytes", Kind::Push, |socket| socket.send("nobody").unwrap_err().errno()),
            ("send of a message", Kind::Push, |socket| {
                let failed = socket.send(zmq::Message::from("nobody")).unwrap_err();
                assert_eq!(*failed.message(), "nobody");
                failed.errno()
            }),
            ("send of a Vec", Kind::Push, |socket| socket.send(vec![7; 100]).unwrap_err().errno()),
        ];
        for (name, kind, call) in calls {
            let socket = context.owned_socket(kind).unwrap();
            let (tell, told) = std::sync::mpsc::channel();
            let (thread, waiter) = waiting(move || {
                // SAFETY: has no preconditions.
                tell.send(unsafe { libc::gettid() }).unwrap();
                call(&socket)
            });
            let number = told.recv().unwrap();
            let mut seen = 0;
            eventually("the thread sleeps", || {
                seen = if is_asleep(number) { seen + 1 } else { 0 };
                seen == 4
            });
            thread.signal(libc::SIGUSR1);
            eventually(name, || waiter.is_finished());
            assert_eq!(waiter.join().unwrap(), Errno::EINTR, "{name}");
        }
    });
}

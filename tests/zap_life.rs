//! The start and the end of authenticators: one at a time, ended in any order and in every way. No call hangs.

mod common;

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::zap::{ANY_PORT, HANDLER, client, event, is_let_in, keys, server};
use common::{DEADLINE, eventually, in_own_process, lacks_curve, text, within_deadline};
use zmq::security::{AuthEvent, Authenticator, Security, Verdict};
use zmq::{Context, Dealer, Errno, Router};

#[deadline::test]
fn context_has_one_handler_at_a_time() {
    let context = Context::new().unwrap();
    let own = context.socket(Router).unwrap();
    own.bind(HANDLER).unwrap();
    assert_eq!(Authenticator::start(&context).unwrap_err().errno(), Errno::EADDRINUSE);
    drop(own);
    for _ in 0..50 {
        Authenticator::start(&context).unwrap().terminate(DEADLINE).unwrap();
    }
    context.shutdown().unwrap();
    assert_eq!(Authenticator::start(&context).unwrap_err().errno(), Errno::ETERM);
}

#[deadline::test]
fn authenticator_and_sockets_drop_in_any_order() {
    const ORDERS: [[usize; 4]; 24] = {
        let mut orders = [[0; 4]; 24];
        let mut code = 0;
        let mut found = 0;
        while code < 256 {
            let order = [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6];
            if (1 << order[0] | 1 << order[1] | 1 << order[2] | 1 << order[3]) == 15 {
                orders[found] = order;
                found += 1;
            }
            code += 1;
        }
        orders
    };
    for answered in [true, false] {
        for order in ORDERS {
            within_deadline(move || {
                let context = Context::new().unwrap();
                let authenticator = Authenticator::start(&context).unwrap();
                authenticator.configure("*", |policy| policy.allow_users([("alice", "hush")])).unwrap();
                let open = |security: Security| {
                    let socket = context.owned_socket(Dealer).unwrap();
                    socket.set_linger(Some(Duration::ZERO)).unwrap();
                    socket.secure(&security).unwrap();
                    socket
                };
                let server = open(Security::plain_server());
                let client = open(Security::plain_client("alice", "hush"));
                client.connect(&server.bind(ANY_PORT).unwrap()).unwrap();
                client.send("Hello").unwrap();
                if answered {
                    server.recv_msg().unwrap();
                }
                let (mut context, mut authenticator) = (Some(context), Some(authenticator));
                let (mut server, mut client) = (Some(server), Some(client));
                for which in order {
                    match which {
                        0 => drop(context.take()),
                        1 => drop(authenticator.take()),
                        2 => drop(server.take()),
                        _ => drop(client.take()),
                    }
                }
            });
        }
    }
}

#[deadline::test]
fn end_of_the_context_ends_the_authenticator() {
    let context = Context::new().unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    assert!(authenticator.is_running());
    // The authenticator holds no handle of the context, so the context can end before it.
    context.terminate(DEADLINE).unwrap();
    let AuthEvent::Ended { error: Some(error) } = event(&authenticator) else { panic!() };
    assert_eq!(error.errno(), Errno::ETERM);
    assert!(matches!(event(&authenticator), AuthEvent::Ended { .. }));
    assert!(!authenticator.is_running());
    authenticator.configure("*", |policy| policy.allow_any_key()).unwrap();
    authenticator.terminate(Duration::ZERO).unwrap();
}

/// The authenticator holds its context, as a socket does, so that messages of closed sockets are still sent.
#[deadline::test]
fn authenticator_keeps_its_context_alive() {
    let context = Context::new().unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    let other = Context::new().unwrap();
    let receiver = other.socket(Dealer).unwrap();
    let endpoint = receiver.bind(ANY_PORT).unwrap();
    let sender = context.owned_socket(Dealer).unwrap();
    sender.connect(&endpoint).unwrap();
    sender.send("Hello").unwrap();
    drop(sender);
    drop(context);
    drop(authenticator);
    assert_eq!(receiver.recv_msg().unwrap(), "Hello");
}

#[deadline::test]
fn stopping_does_not_wait_for_a_callback_that_hangs() {
    let context = Context::new().unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    let (entered, inside) = channel();
    let (leave, left) = channel::<()>();
    let (entered, left) = (Mutex::new(entered), Mutex::new(left));
    authenticator
        .configure("*", |policy| {
            policy.check_passwords(move |_| {
                entered.lock().unwrap().send(()).unwrap();
                let _ = left.lock().unwrap().recv();
                Verdict::allow("alice")
            });
        })
        .unwrap();
    let (_server, endpoint) = server(&context, &Security::plain_server());
    let _client = client(&context, &Security::plain_client("alice", "x"), &endpoint);
    inside.recv_timeout(DEADLINE).unwrap();
    let start = Instant::now();
    let error = authenticator.terminate(Duration::from_millis(30)).unwrap_err();
    assert_eq!(error.errno(), Errno::EAGAIN);
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(Authenticator::start(&context).unwrap_err().errno(), Errno::EADDRINUSE);
    leave.send(()).unwrap();
    eventually("the authenticator stops when the callback returns", || Authenticator::start(&context).is_ok());
}

/// The docs of the authenticator say so.
#[deadline::test]
fn curve_server_lets_every_client_in_when_its_handler_has_gone() {
    if lacks_curve() {
        return;
    }
    let context = Context::new().unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    let (_, server_role, client_role) = keys();
    let (server, endpoint) = server(&context, &server_role);
    assert!(!is_let_in(&authenticator, &context, &client_role, &endpoint));
    drop(authenticator);
    let _client = client(&context, &client_role, &endpoint);
    assert_eq!(text(&server), "Hello");
}

/// A client whose request waits gets status 300. It asks again, and the next authenticator lets it in.
#[deadline::test]
fn clients_that_wait_when_the_authenticator_stops_get_status_300() {
    let context = Context::new().unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    let (entered, inside) = channel();
    let (leave, left) = channel::<()>();
    let channels = Mutex::new((entered, left));
    authenticator
        .configure("*", |policy| {
            policy.check_passwords(move |request| {
                let (entered, left) = &*channels.lock().unwrap();
                entered.send(()).unwrap();
                // The wait ends when the sender is dropped.
                let _ = left.recv();
                Verdict::allow(request.credentials.user())
            });
        })
        .unwrap();
    let (server, endpoint) = server(&context, &Security::plain_server());
    let _first = client(&context, &Security::plain_client("first", "x"), &endpoint);
    inside.recv_timeout(DEADLINE).unwrap();
    // This DEALER sends a request as libzmq does, so that the request has certainly arrived.
    let asker = context.socket(Dealer).unwrap();
    asker.connect(HANDLER).unwrap();
    asker.send_multipart(["", "1.0", "1", "", "127.0.0.1", "", "PLAIN", "second", "x"]).unwrap();
    assert_eq!(authenticator.terminate(Duration::from_millis(1)).unwrap_err().errno(), Errno::EAGAIN);
    drop(leave);
    assert_eq!(server.recv_msg().unwrap().gets("User-Id").as_deref(), Some("first"));
    let reply = asker.within(DEADLINE).recv_multipart().unwrap().expect("an answer");
    assert_eq!(reply.get(3).unwrap(), "300");

    let mut next = None;
    eventually("the handler's endpoint is free", || {
        next = Authenticator::start(&context).ok();
        next.is_some()
    });
    let next = next.unwrap();
    next.configure("*", |policy| policy.allow_users([("second", "x")])).unwrap();
    assert!(is_let_in(&next, &context, &Security::plain_client("second", "x"), &endpoint));
}

#[deadline::test]
fn callback_may_use_the_authenticator_and_drop_it() {
    let context = Context::new().unwrap();
    let slot = Arc::new(Mutex::new(None::<Authenticator>));
    let authenticator = Authenticator::start(&context).unwrap();
    let given = slot.clone();
    authenticator
        .configure("*", |policy| {
            policy.check_passwords(move |request| {
                let authenticator = given.lock().unwrap().take().unwrap();
                authenticator.configure("*", |policy| policy.allow_any_key()).unwrap();
                assert!(authenticator.is_running());
                drop(authenticator);
                Verdict::allow(request.credentials.user())
            });
        })
        .unwrap();
    *slot.lock().unwrap() = Some(authenticator);
    let (server, endpoint) = server(&context, &Security::plain_server());
    let _client = client(&context, &Security::plain_client("alice", "x"), &endpoint);
    assert_eq!(server.recv_msg().unwrap().gets("User-Id").as_deref(), Some("alice"));
    eventually("the handler's endpoint is free", || Authenticator::start(&context).is_ok());
}

#[deadline::test]
fn configuring_inside_of_configuring_is_an_error() {
    let context = Context::new().unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    let mut inner = None;
    authenticator.configure("*", |_| inner = Some(authenticator.configure("*", |_| ()))).unwrap();
    assert_eq!(inner.unwrap().unwrap_err().errno(), Errno::from_raw(libc::EDEADLK));
    // A closure that panics changes nothing and blocks no other call.
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        authenticator.configure("*", |policy| {
            policy.allow_any_key();
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    authenticator.configure("*", |policy| assert!(format!("{policy:?}").contains("any_key: false"))).unwrap();
}

#[deadline::test]
fn authenticator_serves_many_clients_at_once() {
    let context = Context::new().unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    authenticator.configure("*", |policy| policy.allow_users([("alice", "hush")])).unwrap();
    let (server, endpoint) = server(&context, &Security::plain_server());
    let clients: Vec<_> =
        (0..200).map(|_| client(&context, &Security::plain_client("alice", "hush"), &endpoint)).collect();
    for _ in &clients {
        server.recv_msg().unwrap();
    }
    assert_eq!(authenticator.statistics().unwrap().allowed, 200);
}

/// The processor time that this process has used.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid pointer.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A caught signal ends calls of the program's threads. The thread of the authenticator goes on.
#[test]
fn ctrl_c_does_not_end_the_authenticator() {
    in_own_process("ctrl_c_does_not_end_the_authenticator", || {
        within_deadline(|| {
            zmq::interrupt::catch_signals(zmq::interrupt::TERMINATION).unwrap();
            let context = Context::new().unwrap();
            let authenticator = Authenticator::start(&context).unwrap();
            authenticator.configure("*", |policy| policy.allow_users([("alice", "hush")])).unwrap();
            for _ in 0..20 {
                // SAFETY: the signal is caught.
                unsafe { libc::kill(std::process::id() as i32, libc::SIGINT) };
            }
            assert_eq!(authenticator.next_event(None).unwrap_err().errno(), Errno::EINTR);
            let before = processor_time();
            thread::sleep(Duration::from_millis(300));
            let used = processor_time() - before;
            assert!(
                used < Duration::from_millis(150),
                "the authenticator spins while an interrupt is pending: {used:?}"
            );
            zmq::interrupt::clear();
            let (server, endpoint) = server(&context, &Security::plain_server());
            let _client = client(&context, &Security::plain_client("alice", "hush"), &endpoint);
            assert_eq!(server.recv_msg().unwrap().gets("User-Id").as_deref(), Some("alice"));
        });
    });
}

/// A pending interrupt does not shorten the time in which `stop` answers late requests.
#[test]
fn stop_answers_requests_that_come_after_ctrl_c() {
    in_own_process("stop_answers_requests_that_come_after_ctrl_c", || {
        within_deadline(|| {
            zmq::interrupt::catch_signals(zmq::interrupt::TERMINATION).unwrap();
            // SAFETY: the signal is caught.
            unsafe { libc::raise(libc::SIGINT) };
            let answers_after_stop = || {
                let context = Context::new().unwrap();
                let authenticator = Authenticator::start(&context).unwrap();
                let asker = context.socket(Dealer).unwrap();
                asker.connect(HANDLER).unwrap();
                let stopping = thread::spawn(move || authenticator.terminate(DEADLINE));
                let mut answers = 0;
                while answers < 5 && !stopping.is_finished() {
                    let request = ["", "1.0", "1", "", "127.0.0.1", "", "PLAIN", "alice", "x"];
                    let _ = asker.now().send_multipart(request).unwrap();
                    // A pause that is shorter than the authenticator waits for the next request.
                    thread::sleep(Duration::from_millis(1));
                    let reply = asker.now().recv_multipart().unwrap();
                    answers += usize::from(reply.is_some_and(|reply| reply[3] == "300"));
                }
                stopping.join().unwrap().unwrap();
                answers
            };
            // On a busy machine a pause can be too long.
            assert!((0..10).any(|_| answers_after_stop() == 5));
        });
    });
}

#[test]
fn forked_child_does_not_affect_the_authenticator() {
    in_own_process("forked_child_does_not_affect_the_authenticator", || {
        within_deadline(|| {
            let context = Context::new().unwrap();
            let authenticator = Authenticator::start(&context).unwrap();
            authenticator.configure("*", |policy| policy.allow_users([("alice", "hush")])).unwrap();
            // SAFETY: the child takes no lock that another thread of the parent may hold, except the allocator's, which glibc
            // makes usable.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let failed = authenticator.configure("*", |_| ()).is_err()
                    && authenticator.next_event(None).is_err()
                    && authenticator.statistics().is_err()
                    && !authenticator.is_running();
                drop(authenticator);
                drop(context);
                // SAFETY: ends this process and nothing else.
                unsafe { libc::_exit(if failed { 0 } else { 1 }) };
            }
            let mut status = 0;
            // SAFETY: the child is ours, and the pointer valid.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
            let (server, endpoint) = server(&context, &Security::plain_server());
            let _client = client(&context, &Security::plain_client("alice", "hush"), &endpoint);
            assert_eq!(server.recv_msg().unwrap().gets("User-Id").as_deref(), Some("alice"));
        });
    });
}

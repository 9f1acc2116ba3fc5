//! The end of contexts and runtimes, and sockets that move between runtimes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{join_all, poll_fn};
use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Dealer, Errno, Message, Pair, Pull, Push, Router, Socket};

use crate::common::descriptors::{limit_descriptors, use_up_descriptors};
use crate::common::{DEADLINE, TRANSPORTS, in_own_process};
use crate::executors::{Executor, each_round, echo, linked, noticed, open, open_small, polled, task};
use crate::runtimes::{block_on, into_async};

/// Ends the context, by `shutdown` or `terminate`, while both halves wait.
fn end_while_halves_wait(executor: Executor, terminates: bool) {
    let context = Context::new().unwrap();
    let dealer = open(&context, Dealer);
    let ender = context.clone();
    executor.run(|runtime| {
        let (mut sender, mut receiver) = AsyncSocket::new(dealer, runtime).unwrap().split();
        let [(send_waits, send_waiting), (recv_waits, recv_waiting)] = [(); 2].map(|()| oneshot::channel());
        vec![
            task(async move {
                let send = sender.send_multipart(["no", "peer"]);
                let failed = noticed(send, || send_waits.send(()).unwrap()).await.unwrap_err();
                assert_eq!(failed.errno(), Errno::ETERM);
                assert_eq!(failed.into_message(), ["no", "peer"]);
                assert_eq!(sender.send("again").await.unwrap_err().errno(), Errno::ETERM);
            }),
            task(async move {
                let recv = receiver.recv_msg();
                let failed = noticed(recv, || recv_waits.send(()).unwrap()).await.unwrap_err();
                assert_eq!(failed.errno(), Errno::ETERM);
                assert_eq!(receiver.recv_multipart().await.unwrap_err().errno(), Errno::ETERM);
            }),
            task(async move {
                send_waiting.await.unwrap();
                recv_waiting.await.unwrap();
                if terminates {
                    // It waits until the halves are dropped.
                    thread::spawn(move || ender.terminate(DEADLINE).unwrap());
                } else {
                    ender.shutdown().unwrap();
                }
            }),
        ]
    });
    context.terminate(DEADLINE).unwrap();
}

#[deadline::test]
fn shutdown_wakes_both_halves() {
    each_round(|executor, _| end_while_halves_wait(executor, false));
}

#[deadline::test]
fn terminate_wakes_both_halves() {
    each_round(|executor, _| end_while_halves_wait(executor, true));
}

/// A ROUTER, two peers, and the routing id of the first. If that one is full, `ZMQ_POLLOUT` is set because of the other.
fn router_with_two_peers(
    context: &Context,
    endpoint: &str,
) -> (Socket<'static, Router>, [Socket<'static, Dealer>; 2], Vec<u8>) {
    let router = open_small(context, Router, 1);
    router.set_router_mandatory(true).unwrap();
    router.set_linger(Some(Duration::ZERO)).unwrap();
    let endpoint = router.bind(endpoint).unwrap();
    let peers = ["first", "second"].map(|name| {
        let dealer = open_small(context, Dealer, 1);
        dealer.set_routing_id(name).unwrap();
        dealer.connect(&endpoint).unwrap();
        dealer.send("Hello").unwrap();
        router.recv_multipart().unwrap();
        dealer
    });
    (router, peers, b"first".to_vec())
}

#[deadline::test]
fn shutdown_wakes_a_send_to_a_full_peer() {
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (router, peers, name) = router_with_two_peers(&context, endpoint);
        executor.run(|runtime| {
            let mut router = AsyncSocket::new(router, runtime).unwrap();
            let (waits, waiting) = oneshot::channel();
            let context = context.clone();
            vec![
                task(async move {
                    let send_all = async {
                        loop {
                            if let Err(failed) = router.send_multipart([&name[..], &[7; 100_000]]).await {
                                return failed.errno();
                            }
                        }
                    };
                    assert_eq!(noticed(send_all, || waits.send(()).unwrap()).await, Errno::ETERM);
                }),
                task(async move {
                    waiting.await.unwrap();
                    context.shutdown().unwrap();
                }),
            ]
        });
        drop(peers);
    });
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Both directions of a socket of each way to wait, in tasks of a runtime that is dropped.
fn drop_runtime_with_waiting_tasks(executor: Executor) {
    let context = Context::new().unwrap();
    let (router, peers, name) = router_with_two_peers(&context, "tcp://127.0.0.1:*");
    let lonely = open(&context, Dealer);
    let make = |runtime| {
        let (mut to_full, mut from_full) = AsyncSocket::new(router, runtime).unwrap().split();
        let (mut sender, mut receiver) = AsyncSocket::new(lonely, runtime).unwrap().split();
        vec![
            task(async move { while to_full.send_multipart([&name[..], &[7; 100_000]]).await.is_ok() {} }),
            task(async move { drop(from_full.recv_msg().await) }),
            task(async move { drop(sender.send("nobody").await) }),
            task(async move { drop(receiver.recv_msg().await) }),
        ]
    };
    match executor.runtime() {
        Runtime::Tokio => {
            let tokio = executor.tokio();
            tokio.block_on(async {
                make(Runtime::Tokio).into_iter().for_each(|task| drop(tokio::spawn(task)));
                tokio::time::sleep(Duration::from_millis(20)).await;
            });
            drop(tokio);
        }
        _ => async_io::block_on(async {
            let all = join_all(make(Runtime::AsyncIo));
            let timer = async_io::Timer::after(Duration::from_millis(20));
            futures::future::select(Box::pin(all), timer).await;
        }),
    }
    drop(peers);
    context.terminate(DEADLINE).unwrap();
}

#[test]
fn runtimes_with_waiting_tasks_are_dropped_without_a_leak() {
    in_own_process("end::runtimes_with_waiting_tasks_are_dropped_without_a_leak", || {
        for executor in Executor::ALL {
            drop_runtime_with_waiting_tasks(executor);
            let before = open_descriptors();
            for _ in 0..10 {
                drop_runtime_with_waiting_tasks(executor);
            }
            assert_eq!(open_descriptors(), before, "{executor:?}");
        }
    });
}

#[deadline::test]
fn sockets_of_several_runtimes_talk_to_each_other() {
    const COUNT: usize = 200;
    let context = Context::new().unwrap();
    let threads: Vec<_> = (0..Executor::ALL.len())
        .map(|number| {
            let (pull, push) = (open_small(&context, Pull, 3), open_small(&context, Push, 3));
            pull.bind(&format!("inproc://{number}")).unwrap();
            push.connect(&format!("inproc://{}", (number + 1) % Executor::ALL.len())).unwrap();
            thread::spawn(move || {
                Executor::ALL[number].run(|runtime| {
                    let mut pull = AsyncSocket::new(pull, runtime).unwrap();
                    let mut push = AsyncSocket::new(push, runtime).unwrap();
                    vec![
                        task(async move {
                            for number in 0..COUNT {
                                push.send(number.to_string()).await.unwrap();
                            }
                        }),
                        task(async move {
                            for number in 0..COUNT {
                                assert_eq!(pull.recv_msg().await.unwrap(), number.to_string().as_str());
                            }
                        }),
                    ]
                });
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[deadline::test]
fn socket_moves_between_runtimes_with_its_connections_and_messages() {
    for endpoint in TRANSPORTS {
        let context = Context::new().unwrap();
        let (mut left, mut right) = (open(&context, Pair), open(&context, Pair));
        right.connect(&left.bind(endpoint).unwrap()).unwrap();
        for (number, executor) in Executor::ALL.into_iter().cycle().take(12).enumerate() {
            right.send(format!("before {number}")).unwrap();
            (left, right) = executor.block_on(async {
                let mut left = AsyncSocket::new(left, executor.runtime()).unwrap();
                let mut right = AsyncSocket::new(right, executor.runtime()).unwrap();
                assert_eq!(left.recv_msg().await.unwrap(), format!("before {number}").as_str());
                // A receive that waited has left its waker behind.
                assert!(polled(left.recv_msg(), 1).await.is_none());
                right.send("in between").await.unwrap();
                assert_eq!(left.recv_msg().await.unwrap(), "in between");
                left.send(format!("after {number}")).await.unwrap();
                let (sender, receiver) = left.split();
                (AsyncSocket::join(sender, receiver).unwrap().into_socket(), right.into_socket())
            });
            assert_eq!(right.recv_msg().unwrap(), format!("after {number}").as_str());
        }
    }
}

#[deadline::test]
fn socket_that_outlives_its_runtime_cannot_wait() {
    for executor in [Executor::TokioOneThread, Executor::TokioThreads] {
        let context = Context::new().unwrap();
        let (router, dealer) = (open(&context, Router), open(&context, Dealer));
        let runtime = executor.tokio();
        let (mut router, mut dealer) = {
            let _entered = runtime.enter();
            linked(router, dealer, "tcp://127.0.0.1:*", Runtime::Tokio)
        };
        let (waits, waiting) = std::sync::mpsc::channel();
        let waiter = thread::spawn(move || {
            // One receive is waiting when the runtime ends, in a task of another runtime.
            Executor::AsyncIo.block_on(async {
                let failed = noticed(router.recv_msg(), || waits.send(()).unwrap()).await.unwrap_err();
                assert_eq!(failed.errno(), Errno::ECANCELED, "{failed}");
                router
            })
        });
        waiting.recv().unwrap();
        drop(runtime);
        let mut router = waiter.join().unwrap();
        executor.block_on(async {
            let failed = dealer.recv_msg().await.unwrap_err();
            assert_eq!(failed.errno(), Errno::ECANCELED, "{failed}");
            let failed = dealer.recv_multipart().await.unwrap_err();
            assert_eq!(failed.errno(), Errno::ECANCELED, "{failed}");
            // Calls that need not wait succeed.
            dealer.send("Hello").await.unwrap();
            let request = loop {
                match router.recv_multipart().await {
                    Ok(request) => break request,
                    Err(error) => assert_eq!(error.errno(), Errno::ECANCELED),
                }
            };
            router.send_multipart(request).await.unwrap();
            let mut dealer = AsyncSocket::new(dealer.into_socket(), Runtime::Tokio).unwrap();
            assert_eq!(dealer.recv_msg().await.unwrap(), "Hello");
        });
    }
}

/// A send that cannot wait gives its message back.
#[deadline::test]
fn send_without_a_runtime_gives_the_message_back() {
    let context = Context::new().unwrap();
    let push = open(&context, Push);
    let runtime = Executor::TokioOneThread.tokio();
    let mut push = runtime.block_on(async { AsyncSocket::new(push, Runtime::Tokio).unwrap() });
    let handle = runtime.handle().clone();
    drop(runtime);
    Executor::AsyncIo.block_on(async {
        let failed = push.send_multipart(["one", "two"]).await.unwrap_err();
        assert_eq!(failed.errno(), Errno::ECANCELED);
        assert_eq!(failed.into_message(), ["one", "two"]);
        let mut unsent = Some("three".into());
        let failed = poll_fn(|cx| push.poll_send(cx, &mut unsent)).await.unwrap_err();
        assert_eq!((failed.errno(), failed.into_message(), unsent), (Errno::ECANCELED, "three".into(), None));
    });
    // The runtime that has ended takes no socket.
    let _entered = handle.enter();
    let (push, error) = AsyncSocket::try_new(push.into_socket(), Runtime::Tokio).unwrap_err();
    assert_eq!(error.errno(), Errno::ECANCELED, "{error}");
    assert_eq!(error.call(), "AsyncSocket::new");
    push.bind("inproc://open").unwrap();
}

/// The wait for a full peer needs a descriptor of its own, once.
#[test]
fn send_to_a_full_peer_reports_that_no_descriptor_is_left() {
    in_own_process("end::send_to_a_full_peer_reports_that_no_descriptor_is_left", || {
        for executor in Executor::ALL {
            let context = Context::new().unwrap();
            let (router, [dealer, _free], name) = router_with_two_peers(&context, "inproc://full");
            executor.block_on(async {
                let mut router = AsyncSocket::new(router, executor.runtime()).unwrap();
                let held = use_up_descriptors(0);
                let mut sent = 0;
                let failed = loop {
                    match router.send_multipart([&name[..], b"job"]).await {
                        Ok(()) => sent += 1,
                        Err(failed) => break failed,
                    }
                };
                assert_eq!(failed.errno(), Errno::EMFILE);
                assert!(!failed.error().to_string().contains("ended"), "{failed}");
                drop(held);
                let [name, job] = <[Message; 2]>::try_from(Vec::from_iter(failed.into_message())).unwrap();
                let message = [name, job];
                let waits = polled(router.send_multipart(message.clone()), 1).await;
                assert!(waits.is_none());
                for _ in 0..sent {
                    assert_eq!(dealer.recv_msg().unwrap(), "job");
                }
                router.send_multipart(message).await.unwrap();
                assert_eq!(dealer.recv_msg().unwrap(), "job");
            });
        }
    });
}

#[test]
fn thousand_sockets_wait_in_one_runtime() {
    in_own_process("end::thousand_sockets_wait_in_one_runtime", || {
        const SOCKETS: usize = 1000;
        limit_descriptors(8000);
        for executor in [Executor::TokioOneThread, Executor::TokioThreads, Executor::AsyncIo] {
            let context = Context::new().unwrap();
            context.set_max_sockets(2 * SOCKETS as u32).unwrap();
            let router = open(&context, Router);
            router.bind("inproc://thousand").unwrap();
            let dealers: Vec<_> = (0..SOCKETS)
                .map(|_| {
                    let dealer = open(&context, Dealer);
                    dealer.connect("inproc://thousand").unwrap();
                    dealer
                })
                .collect();
            executor.run(|runtime| {
                let router = AsyncSocket::new(router, runtime).unwrap();
                let mut tasks: Vec<_> = dealers
                    .into_iter()
                    .enumerate()
                    .map(|(number, dealer)| {
                        let mut dealer = AsyncSocket::new(dealer, runtime).unwrap();
                        task(async move {
                            for round in 0..3 {
                                let text = format!("{number}, {round}");
                                dealer.send(&*text).await.unwrap();
                                assert_eq!(dealer.recv_msg().await.unwrap(), &*text);
                            }
                        })
                    })
                    .collect();
                tasks.push(echo(router, 3 * SOCKETS));
                tasks
            });
        }
    });
}

#[deadline::test]
fn with_lends_the_socket_inside_with() {
    for executor in Executor::ALL {
        let context = Context::new().unwrap();
        let (left, right) = (open(&context, Pair), open(&context, Pair));
        executor.block_on(async {
            let (left, mut right) = linked(left, right, "inproc://with", executor.runtime());
            let (mut sender, mut receiver) = left.split();
            sender.with(|outer| {
                receiver.with(|inner| inner.send("inner").unwrap());
                outer.send("outer").unwrap();
                // The other half may be polled too.
                assert!(receiver.recv_msg().now_or_never().is_none());
                right.with(|right| right.send("answer").unwrap());
            });
            assert_eq!(right.recv_msg().await.unwrap(), "inner");
            assert_eq!(right.recv_msg().await.unwrap(), "outer");
            assert_eq!(receiver.recv_msg().await.unwrap(), "answer");
        });
    }
}

#[deadline::test]
fn panic_inside_with_leaves_the_socket_usable_and_wakes_the_other_half() {
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (left, right) = (open(&context, Pair), open(&context, Pair));
        let peer = Arc::new(std::sync::Mutex::new(right));
        peer.lock().unwrap().connect(&left.bind(endpoint).unwrap()).unwrap();
        executor.run(|runtime| {
            let (mut sender, mut receiver) = AsyncSocket::new(left, runtime).unwrap().split();
            let (waits, waiting) = oneshot::channel();
            let peer = peer.clone();
            vec![
                task(async move {
                    let received = noticed(receiver.recv_msg(), || waits.send(()).unwrap()).await;
                    assert_eq!(received.unwrap(), "job");
                }),
                task(async move {
                    waiting.await.unwrap();
                    // The closure takes the signal, and panics.
                    let outcome = catch_unwind(AssertUnwindSafe(|| {
                        sender.with(|pair| {
                            peer.lock().unwrap().send("job").unwrap();
                            while pair.events().unwrap() & zmq::PollEvents::POLLIN == zmq::PollEvents::NONE {}
                            std::panic::resume_unwind(Box::new("a panic"));
                        });
                    }));
                    assert!(outcome.is_err());
                    sender.send("still open").await.unwrap();
                    assert_eq!(peer.lock().unwrap().recv_msg().unwrap(), "still open");
                }),
            ]
        });
    });
}

#[deadline::test]
fn half_that_is_dropped_forgets_the_task_that_waited_by_it() {
    struct Task;
    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    block_on(Runtime::Tokio, async {
        let context = Context::new().unwrap();
        let dealer = open(&context, Dealer);
        let (mut sender, mut receiver) = into_async(dealer, Runtime::Tokio).split();
        let task = Arc::new(Task);
        let waker = Waker::from(task.clone());
        let mut cx = std::task::Context::from_waker(&waker);
        assert!(receiver.poll_recv_msg(&mut cx).is_pending());
        assert!(sender.poll_send(&mut cx, &mut Some("nobody is there".into())).is_pending());
        assert_eq!(Arc::strong_count(&task), 4);
        drop(receiver);
        assert_eq!(Arc::strong_count(&task), 3);
        drop(sender);
        assert_eq!(Arc::strong_count(&task), 2);
    });
}

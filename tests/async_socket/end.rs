//! The end of contexts and runtimes, and sockets that move between runtimes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::join_all;
use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Dealer, Errno, Pair, Pull, Push, Router, Socket};

use crate::common::{DEADLINE, TRANSPORTS, in_own_process};
use crate::executors::{Executor, each_round, linked, noticed, open, open_small, polled, task};
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
pub fn router_with_two_peers(
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

/// The number of open descriptors, or 0 on Windows, which does not tell it.
fn open_descriptors() -> usize {
    if cfg!(windows) { 0 } else { std::fs::read_dir("/proc/self/fd").unwrap().count() }
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

/// A thread of the library wakes the tasks.
#[cfg(windows)]
#[deadline::test]
fn socket_that_outlives_its_runtime_waits_in_another() {
    let context = Context::new().unwrap();
    let (router, dealer) = (open(&context, Router), open(&context, Dealer));
    let runtime = Executor::TokioOneThread.tokio();
    let (mut router, mut dealer) = {
        let _entered = runtime.enter();
        linked(router, dealer, "tcp://127.0.0.1:*", Runtime::Tokio)
    };
    drop(runtime);
    Executor::AsyncIo.block_on(async {
        let (waits, waiting) = oneshot::channel();
        let answer = async {
            let request = noticed(router.recv_multipart(), || waits.send(()).unwrap()).await.unwrap();
            router.send_multipart(request).await.unwrap();
        };
        let ask = async {
            waiting.await.unwrap();
            dealer.send("Hello").await.unwrap();
            assert_eq!(dealer.recv_msg().await.unwrap(), "Hello");
        };
        futures::join!(answer, ask);
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

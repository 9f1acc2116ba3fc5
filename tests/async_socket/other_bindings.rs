//! The programs on which other bindings hang, block, or lose and tear messages. Each runs in many rounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::lock::Mutex;
use futures::{FutureExt, SinkExt, StreamExt, select_biased, stream};
use zmq::aio::AsyncSocket;
use zmq::{Context, Dealer, Multipart, Pull, Push, Router};

use crate::common::DEADLINE;
use crate::executors::{
    counted, each_round, echo, linked, noticed, open, open_small, polled, send_numbers, sleep, task, yield_now,
};

/// tmq: its sink and its stream store one waker for both directions.
#[deadline::test(patches = [1037])]
fn split_dealer_and_split_router_lose_no_wake_up() {
    const COUNT: usize = 300;
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (router, dealer) = (open_small(&context, Router, 5), open_small(&context, Dealer, 5));
        router.set_router_mandatory(true).unwrap();
        executor.run(|runtime| {
            let (router, dealer) = linked(router, dealer, endpoint, runtime);
            let (mut to_dealer, mut from_dealer) = router.split();
            let (mut to_router, mut from_router) = dealer.split();
            let (mut requests, mut received) = mpsc::channel(2);
            vec![
                task(async move {
                    for number in 0..COUNT {
                        to_router.send_multipart(["request".to_string(), number.to_string()]).await.unwrap();
                    }
                }),
                task(async move {
                    for _ in 0..COUNT {
                        requests.send(from_dealer.recv_multipart().await.unwrap()).await.unwrap();
                    }
                }),
                task(async move {
                    for _ in 0..COUNT {
                        to_dealer.send_multipart(received.next().await.unwrap()).await.unwrap();
                    }
                }),
                task(async move {
                    for number in 0..COUNT {
                        assert_eq!(
                            from_router.recv_multipart().await.unwrap(),
                            ["request", number.to_string().as_str()]
                        );
                    }
                }),
            ]
        });
    });
}

/// tmq: the send finds no room although `ZMQ_POLLOUT` is set, and its future is pending without a waker.
#[deadline::test]
fn mandatory_router_waits_for_a_full_peer_while_another_has_room() {
    const COUNT: usize = 40;
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let router = open_small(&context, Router, 1);
        router.set_router_mandatory(true).unwrap();
        let endpoint = router.bind(endpoint).unwrap();
        let [mut full, free] = ["full", "free"].map(|name| {
            let dealer = open_small(&context, Dealer, 1);
            dealer.set_routing_id(name).unwrap();
            dealer.set_rcvbuf(Some(4096)).unwrap();
            dealer.connect(&endpoint).unwrap();
            dealer.send("Hello").unwrap();
            Some(dealer)
        });
        executor.run(|runtime| {
            let mut router = AsyncSocket::new(router, runtime).unwrap();
            let mut full = AsyncSocket::new(full.take().unwrap(), runtime).unwrap();
            let (waits, waiting) = oneshot::channel();
            vec![
                task(async move {
                    for _ in 0..2 {
                        router.recv_multipart().await.unwrap();
                    }
                    let body = vec![7; 100_000];
                    let all = async {
                        for _ in 0..COUNT {
                            router.send_multipart([&b"full"[..], &body]).await.unwrap();
                        }
                    };
                    noticed(all, || waits.send(()).unwrap()).await;
                }),
                task(async move {
                    waiting.await.unwrap();
                    for _ in 0..COUNT {
                        assert_eq!(full.recv_msg().await.unwrap().len(), 100_000);
                    }
                }),
            ]
        });
        drop(free);
    });
}

/// tmq sends the rest of a message as a message of its own after `EAGAIN`. async_zmq loses the part that found no room.
#[deadline::test(patches = [1037])]
fn multipart_messages_that_find_no_room_arrive_whole() {
    const COUNT: usize = 100;
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (pull, push) = (open_small(&context, Pull, 1), open_small(&context, Push, 1));
        pull.set_rcvbuf(Some(4096)).unwrap();
        executor.run(|runtime| {
            let (mut pull, push) = linked(pull, push, endpoint, runtime);
            let mut push = push.split().0.into_sink::<Multipart>();
            let messages = (0..COUNT).map(|number| Multipart::from_iter((0..6).map(|_| vec![number as u8; 3000])));
            vec![
                task(async move { push.send_all(&mut stream::iter(messages.map(Ok))).await.unwrap() }),
                task(async move {
                    for number in 0..COUNT {
                        let message = pull.recv_multipart().await.unwrap();
                        assert_eq!(message, [&[number as u8; 3000][..]; 6]);
                    }
                }),
            ]
        });
    });
}

/// async_zmq panics.
#[deadline::test]
fn halves_are_dropped_after_the_context_has_ended() {
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (router, dealer) = (open(&context, Router), open(&context, Dealer));
        executor.block_on(async {
            let (mut router, mut dealer) = linked(router, dealer, endpoint, executor.runtime());
            dealer.send("Hello").await.unwrap();
            router.recv_multipart().await.unwrap();
            let (sender, receiver) = dealer.split();
            let ends = std::thread::spawn({
                let context = context.clone();
                move || context.terminate(DEADLINE)
            });
            assert_eq!(router.recv_multipart().await.unwrap_err().errno(), zmq::Errno::ETERM);
            drop(sender);
            drop(receiver);
            drop(router);
            ends.join().unwrap().unwrap();
        });
    });
}

/// arzmq: a call without a wait on the same socket takes the signal that another task waits for.
#[deadline::test]
fn receive_is_woken_while_the_other_half_reads_events() {
    const COUNT: usize = 100;
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (pull, push) = (open(&context, Pull), open(&context, Push));
        executor.run(|runtime| {
            let (pull, mut push) = linked(pull, push, endpoint, runtime);
            let (mut other, mut receiver) = pull.split();
            let (mut arrived, mut arrivals) = mpsc::channel(0);
            let has_ended = Arc::new(AtomicBool::new(false));
            vec![
                task({
                    let has_ended = has_ended.clone();
                    async move {
                        for number in 0..COUNT {
                            assert_eq!(receiver.recv_msg().await.unwrap(), number.to_string().as_str());
                            arrived.send(()).await.unwrap();
                        }
                        has_ended.store(true, Ordering::Relaxed);
                    }
                }),
                task(async move {
                    while !has_ended.load(Ordering::Relaxed) {
                        other.with(|pull| pull.events().unwrap());
                        yield_now().await;
                    }
                }),
                task(async move {
                    for number in 0..COUNT {
                        push.send(number.to_string()).await.unwrap();
                        arrivals.next().await.unwrap();
                    }
                }),
            ]
        });
    });
}

/// arzmq: as before, with sends that do not wait.
#[deadline::test]
fn receive_is_woken_while_the_other_half_sends_without_a_wait() {
    const COUNT: usize = 300;
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (router, dealer) = (open(&context, Router), open(&context, Dealer));
        executor.run(|runtime| {
            let (router, dealer) = linked(router, dealer, endpoint, runtime);
            let (mut sender, mut receiver) = dealer.split();
            vec![
                echo(router, COUNT),
                task(async move {
                    for number in 0..COUNT {
                        while !sender.with(|dealer| dealer.now().send(number.to_string()).unwrap().is_sent()) {
                            yield_now().await;
                        }
                        yield_now().await;
                    }
                }),
                task(async move {
                    for number in 0..COUNT {
                        assert_eq!(receiver.recv_msg().await.unwrap(), number.to_string().as_str());
                    }
                }),
            ]
        });
    });
}

/// arzmq: the failed try of one direction takes the signal of the other.
#[deadline::test(patches = [1037])]
fn halves_at_a_mark_of_two_lose_no_wake_up() {
    const COUNT: usize = 500;
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (left, right) = (open_small(&context, Dealer, 2), open_small(&context, Dealer, 2));
        executor.run(|runtime| {
            let (left, right) = linked(left, right, endpoint, runtime);
            let mut tasks = Vec::new();
            for dealer in [left, right] {
                let (sender, mut receiver) = dealer.split();
                tasks.push(send_numbers(sender, COUNT));
                tasks.push(task(async move {
                    for number in 0..COUNT {
                        assert_eq!(receiver.recv_msg().await.unwrap(), number.to_string().as_str());
                    }
                }));
            }
            tasks
        });
    });
}

/// arzmq: a receive that has nothing to receive tries again and again within one poll.
#[deadline::test]
fn select_of_a_receive_and_a_ready_future_returns() {
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (pull, push) = (open(&context, Pull), open(&context, Push));
        executor.block_on(async {
            let (mut pull, mut push) = linked(pull, push, endpoint, executor.runtime());
            let polls = AtomicUsize::new(0);
            select_biased! {
                _ = Box::pin(counted(pull.recv_msg(), &polls)).fuse() => panic!("a message came"),
                () = async {}.fuse() => {}
            }
            assert_eq!(polls.load(Ordering::Relaxed), 1);
            push.send("job").await.unwrap();
            assert_eq!(pull.recv_msg().await.unwrap(), "job");
        });
    });
}

/// A wait in silence polls its future when the socket signals, and not more.
#[deadline::test]
fn waiting_receive_is_not_polled_in_silence() {
    for executor in crate::executors::Executor::ALL {
        let context = Context::new().unwrap();
        let (pull, push) = (open(&context, Pull), open(&context, Push));
        executor.block_on(async {
            let (mut pull, mut push) = linked(pull, push, "tcp://127.0.0.1:*", executor.runtime());
            push.send("connected").await.unwrap();
            pull.recv_msg().await.unwrap();
            let polls = AtomicUsize::new(0);
            select_biased! {
                _ = Box::pin(counted(pull.recv_msg(), &polls)).fuse() => panic!("a message came"),
                () = Box::pin(sleep(executor.runtime(), Duration::from_millis(100))).fuse() => {}
            }
            // The futures of one task are polled together: by the timer, and by a command that came late.
            assert!(polls.load(Ordering::Relaxed) <= 5, "{executor:?}: {polls:?} polls");
        });
    }
}

/// arzmq: the send blocks the thread of the executor.
#[deadline::test]
fn send_without_a_peer_does_not_block_the_executor() {
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let push = open(&context, Push);
        let pull = open(&context, Pull);
        let endpoint = pull.bind(endpoint).unwrap();
        executor.run(|runtime| {
            let push = AsyncSocket::new(push, runtime).unwrap();
            let (mut sender, mut other) = push.split();
            let mut pull = AsyncSocket::new(pull, runtime).unwrap();
            let (waits, waiting) = oneshot::channel();
            vec![
                task(async move { noticed(sender.send("job"), || waits.send(()).unwrap()).await.unwrap() }),
                task(async move {
                    waiting.await.unwrap();
                    sleep(runtime, Duration::from_millis(1)).await;
                    other.with(|push| push.connect(&endpoint)).unwrap();
                    assert_eq!(pull.recv_msg().await.unwrap(), "job");
                }),
            ]
        });
    });
}

/// arzmq: two tasks that share a socket mix the parts of their messages.
#[deadline::test(patches = [1037])]
fn messages_of_tasks_that_share_a_socket_are_whole() {
    const COUNT: usize = 100;
    const TASKS: usize = 3;
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (pull, push) = (open_small(&context, Pull, 2), open_small(&context, Push, 2));
        executor.run(|runtime| {
            let (mut pull, push) = linked(pull, push, endpoint, runtime);
            // The third task sends by the half that cannot receive, and without a wait.
            let (sender, mut other) = push.split();
            let sender = Arc::new(Mutex::new(sender));
            let parts = |name: usize| [name.to_string(), name.to_string(), name.to_string(), name.to_string()];
            let mut tasks: Vec<_> = (1..TASKS)
                .map(|name| {
                    let sender = sender.clone();
                    task(async move {
                        for _ in 0..COUNT {
                            sender.lock().await.send_multipart(parts(name)).await.unwrap();
                        }
                    })
                })
                .collect();
            tasks.push(task(async move {
                for _ in 0..COUNT {
                    while !other.with(|push| push.now().send_multipart(parts(0)).unwrap().is_sent()) {
                        yield_now().await;
                    }
                }
            }));
            tasks.push(task(async move {
                for _ in 0..TASKS * COUNT {
                    let message = pull.recv_multipart().await.unwrap();
                    assert_eq!(message.len(), 4, "{message:?}");
                    assert!(message.iter().all(|part| part == &message[0]), "{message:?}");
                }
            }));
            tasks
        });
    });
}

/// arzmq: a send of several parts that is cancelled leaves an open message.
#[deadline::test(patches = [1037])]
fn cancelled_multipart_sends_leave_no_open_message() {
    const COUNT: usize = 200;
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (pull, push) = (open_small(&context, Pull, 1), open_small(&context, Push, 1));
        executor.run(|runtime| {
            let (mut pull, mut push) = linked(pull, push, endpoint, runtime);
            vec![
                task(async move {
                    for number in 0..COUNT {
                        let _ =
                            polled(push.send_multipart([number.to_string(), number.to_string()]), 1 + number % 2).await;
                        yield_now().await;
                    }
                    push.send_multipart(["the", "end"]).await.unwrap();
                }),
                task(async move {
                    loop {
                        let message = pull.recv_multipart().await.unwrap();
                        assert_eq!(message.len(), 2, "{message:?}");
                        if message[1] == "end" {
                            return;
                        }
                        assert_eq!(message[0], message[1]);
                    }
                }),
            ]
        });
    });
}

/// No thread of the executor runs while a task waits.
#[cfg(unix)]
#[deadline::test]
fn waits_use_no_processor_time() {
    crate::common::in_own_process("other_bindings::waits_use_no_processor_time", || {
        for executor in crate::executors::Executor::ALL {
            let context = Context::new().unwrap();
            let (router, dealer) = (open(&context, Router), open(&context, Dealer));
            let (ends, end) = oneshot::channel();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    executor.run(|runtime| {
                        let (mut router, dealer) = linked(router, dealer, "tcp://127.0.0.1:*", runtime);
                        let (_sender, mut receiver) = dealer.split();
                        vec![task(async move {
                            select_biased! {
                                _ = Box::pin(router.recv_msg()).fuse() => panic!("a message came"),
                                _ = Box::pin(receiver.recv_msg()).fuse() => panic!("a message came"),
                                ended = end.fuse() => ended.unwrap(),
                            }
                        })]
                    });
                });
                crate::common::eventually("the process is at rest", || {
                    crate::common::descriptors::cpu_time_of_rest() < Duration::from_millis(20)
                });
                ends.send(()).unwrap();
            });
        }
    });
}

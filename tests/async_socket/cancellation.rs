//! Futures that are dropped: a receive loses nothing, a send has sent its message whole or not at all.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::{FutureExt, SinkExt, StreamExt, select_biased};
use zmq::aio::Runtime;
use zmq::{Context, Dealer, Message, Multipart, Pull, Push, Router};

use crate::common::rng::Rng;
use crate::common::{IPC, TCP};
use crate::executors::{
    Executor, each_round, echo, linked, open, open_small, polled, send_numbers, sleep, task, yield_now,
};

const MESSAGES: usize = 10_000;
const ENDPOINTS: [&str; 4] = [TCP, IPC, "inproc://bound", TCP];

#[deadline::test(patches = [1037])]
fn receives_dropped_after_any_poll_lose_no_message() {
    for (executor, endpoint) in Executor::ALL.into_iter().zip(ENDPOINTS) {
        let context = Context::new().unwrap();
        let (pull, push) = (open_small(&context, Pull, 50), open_small(&context, Push, 50));
        executor.run(|runtime| {
            let (mut pull, mut push) = linked(pull, push, endpoint, runtime);
            vec![
                task(async move {
                    for number in 0..MESSAGES {
                        push.send_multipart([number.to_string(), "body".into()]).await.unwrap();
                    }
                }),
                task(async move {
                    let mut random = Rng::new(1);
                    let mut dropped = 0;
                    for number in 0..MESSAGES {
                        let message = loop {
                            match polled(pull.recv_multipart(), 1 + random.below(3)).await {
                                Some(received) => break received.unwrap(),
                                None => dropped += 1,
                            }
                            yield_now().await;
                        };
                        assert_eq!(message, [number.to_string().as_str(), "body"]);
                    }
                    assert!(dropped > 0, "{executor:?}");
                }),
            ]
        });
    }
}

#[deadline::test(patches = [1037])]
fn parts_received_singly_by_dropped_futures_stay_in_order() {
    for (executor, endpoint) in Executor::ALL.into_iter().zip(ENDPOINTS) {
        let context = Context::new().unwrap();
        let (pull, push) = (open_small(&context, Pull, 50), open_small(&context, Push, 50));
        executor.run(|runtime| {
            let (mut pull, mut push) = linked(pull, push, endpoint, runtime);
            vec![
                task(async move {
                    for number in 0..MESSAGES / 4 {
                        let parts = Multipart::from_iter((0..4).map(|part| (4 * number + part).to_string()));
                        push.send_multipart(parts).await.unwrap();
                    }
                }),
                task(async move {
                    let mut random = Rng::new(2);
                    for number in 0..MESSAGES {
                        let part = loop {
                            if let Some(received) = polled(pull.recv_msg(), 1 + random.below(2)).await {
                                break received.unwrap();
                            }
                            yield_now().await;
                        };
                        assert_eq!(part, number.to_string().as_str());
                        assert_eq!(part.more(), number % 4 != 3);
                    }
                }),
            ]
        });
    }
}

/// `select!` over a receive, a timer and the signal to shut down.
#[deadline::test(patches = [1037])]
fn receives_dropped_by_timers_lose_no_message() {
    for (executor, endpoint) in Executor::ALL.into_iter().zip(ENDPOINTS) {
        let context = Context::new().unwrap();
        let (pull, push) = (open_small(&context, Pull, 50), open_small(&context, Push, 50));
        executor.run(|runtime| {
            let (mut pull, mut push) = linked(pull, push, endpoint, runtime);
            let (ends, end) = oneshot::channel();
            vec![
                task(async move {
                    for number in 0..MESSAGES {
                        push.send(number.to_string()).await.unwrap();
                        if number % 500 == 0 {
                            sleep(runtime, Duration::from_millis(2)).await;
                        }
                    }
                    ends.send(()).unwrap();
                }),
                task(async move {
                    let mut end = end.fuse();
                    let (mut number, mut has_ended, mut timeouts) = (0, false, 0);
                    while number < MESSAGES {
                        if runtime == Runtime::Tokio {
                            tokio::select! {
                                received = pull.recv_msg() => {
                                    assert_eq!(received.unwrap(), number.to_string().as_str());
                                    number += 1;
                                }
                                () = tokio::time::sleep(Duration::from_micros(100)) => timeouts += 1,
                                _ = &mut end, if !has_ended => has_ended = true,
                            }
                        } else {
                            select_biased! {
                                received = Box::pin(pull.recv_msg()).fuse() => {
                                    assert_eq!(received.unwrap(), number.to_string().as_str());
                                    number += 1;
                                }
                                () = Box::pin(sleep(runtime, Duration::from_micros(100))).fuse() => timeouts += 1,
                                _ = end => has_ended = true,
                            }
                        }
                    }
                    assert!(timeouts > 0, "{executor:?}");
                    assert!(polled(pull.recv_msg(), 1).await.is_none());
                    if !has_ended {
                        end.await.unwrap();
                    }
                }),
            ]
        });
    }
}

/// The messages whose send was ready arrive, and no others. Each is whole.
#[deadline::test(patches = [1037])]
fn sends_dropped_after_any_poll_have_sent_all_or_nothing() {
    const COUNT: usize = 500;
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (pull, push) = (open_small(&context, Pull, 1), open_small(&context, Push, 1));
        pull.set_rcvbuf(Some(4096)).unwrap();
        executor.run(|runtime| {
            let (mut pull, mut push) = linked(pull, push, endpoint, runtime);
            let (mut sent, mut expected) = mpsc::unbounded();
            vec![
                task(async move {
                    let mut random = Rng::new(3);
                    for number in 0..COUNT {
                        let parts = (0..1 + number % 4).map(|_| vec![number as u8; 2000]);
                        let send = push.send_multipart(Multipart::from_iter(parts));
                        if let Some(done) = polled(send, 1 + random.below(3)).await {
                            done.unwrap();
                            sent.send(number).await.unwrap();
                        }
                        yield_now().await;
                    }
                    push.send("end").await.unwrap();
                }),
                task(async move {
                    loop {
                        let message = pull.recv_multipart().await.unwrap();
                        if message[0] == "end" {
                            break;
                        }
                        let number = expected.next().await.unwrap();
                        assert_eq!(message.len(), 1 + number % 4);
                        assert!(message.iter().all(|part| **part == [number as u8; 2000]));
                    }
                    assert_eq!(expected.next().await, None);
                }),
            ]
        });
    });
}

#[deadline::test]
fn poll_send_leaves_the_message_until_it_is_sent() {
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (pull, push) = (open_small(&context, Pull, 1), open_small(&context, Push, 1));
        pull.set_rcvbuf(Some(4096)).unwrap();
        executor.run(|runtime| {
            let (mut pull, mut push) = linked(pull, push, endpoint, runtime);
            let (waits, waiting) = oneshot::channel();
            vec![
                task(async move {
                    let mut waits = Some(waits);
                    for number in 0..40_u8 {
                        let mut unsent: Option<Message> = Some(vec![number; 100_000].into());
                        poll_fn(|cx| {
                            let polled = push.poll_send(cx, &mut unsent);
                            match &polled {
                                Poll::Ready(sent) => {
                                    assert!(sent.is_ok());
                                    assert_eq!(unsent, None);
                                }
                                Poll::Pending => {
                                    assert_eq!(unsent.as_deref(), Some(&[number; 100_000][..]));
                                    waits.take().into_iter().for_each(|waits| waits.send(()).unwrap());
                                }
                            }
                            polled
                        })
                        .await
                        .unwrap();
                    }
                    assert!(waits.is_none());
                }),
                task(async move {
                    waiting.await.unwrap();
                    for number in 0..40 {
                        assert_eq!(*pull.recv_msg().await.unwrap(), [number; 100_000]);
                    }
                }),
            ]
        });
    });
}

/// A receive that was dropped leaves a waker behind.
#[deadline::test(patches = [1037])]
fn dropped_receives_do_not_disturb_the_other_half() {
    const COUNT: usize = 300;
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (router, dealer) = (open_small(&context, Router, 2), open_small(&context, Dealer, 2));
        router.set_router_mandatory(true).unwrap();
        executor.run(|runtime| {
            let (router, dealer) = linked(router, dealer, endpoint, runtime);
            let (sender, mut receiver) = dealer.split();
            vec![
                echo(router, COUNT),
                send_numbers(sender, COUNT),
                task(async move {
                    for number in 0..COUNT {
                        let message = match polled(receiver.recv_msg(), 1).await {
                            Some(received) => received.unwrap(),
                            None => receiver.recv_msg().await.unwrap(),
                        };
                        assert_eq!(message, number.to_string().as_str());
                    }
                }),
            ]
        });
    });
}

/// A socket that is made from one that has unread messages, whose signals came before.
#[deadline::test]
fn messages_that_came_before_the_socket_was_asynchronous_are_received() {
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (pull, push) = (open(&context, Pull), open(&context, Push));
        push.connect(&pull.bind(endpoint).unwrap()).unwrap();
        for number in 0..10 {
            push.send(number.to_string()).unwrap();
        }
        assert_eq!(pull.recv_msg().unwrap(), "0");
        executor.block_on(async {
            let mut pull = zmq::aio::AsyncSocket::new(pull, executor.runtime()).unwrap();
            for number in 1..10 {
                assert_eq!(pull.recv_msg().await.unwrap(), number.to_string().as_str());
            }
        });
    });
}

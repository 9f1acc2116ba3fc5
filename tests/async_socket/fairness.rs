//! Tasks whose calls never wait give way to others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use zmq::aio::AsyncSocket;
use zmq::{Context, Pub, Pull, Push, Router};

use crate::executors::{Executor, counted, open, sleep, task, yield_now};

/// The executors whose tasks share one thread.
const ONE_THREAD: [Executor; 2] = [Executor::TokioOneThread, Executor::AsyncIo];

/// The most calls that a task makes between two polls of another task, and the most that it makes in one poll.
const MOST_CALLS: usize = 1024 + 8;

#[deadline::test]
fn poll_of_a_task_receives_a_bounded_number_of_messages() {
    const COUNT: usize = 20_000;
    for executor in Executor::ALL {
        let context = Context::new().unwrap();
        let (pull, push) = (open(&context, Pull), open(&context, Push));
        push.set_sndhwm(0).unwrap();
        push.connect(&pull.bind("inproc://bound").unwrap()).unwrap();
        for _ in 0..COUNT {
            push.send("job").unwrap();
        }
        executor.run(|runtime| {
            let mut pull = AsyncSocket::new(pull, runtime).unwrap();
            let turns = Arc::new(AtomicUsize::new(0));
            let has_ended = Arc::new(AtomicBool::new(false));
            let mut tasks = vec![task({
                let (turns, has_ended) = (turns.clone(), has_ended.clone());
                async move {
                    let (polls, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
                    let mut last = (0, 0);
                    let all = async {
                        for _ in 0..COUNT {
                            pull.recv_msg().await.unwrap();
                            let poll = polls.load(Ordering::Relaxed);
                            last = if last.0 == poll { (poll, last.1 + 1) } else { (poll, 1) };
                            most.fetch_max(last.1, Ordering::Relaxed);
                        }
                    };
                    counted(all, &polls).await;
                    let most = most.into_inner();
                    assert!(most <= MOST_CALLS, "{executor:?}: {most} messages in one poll");
                    has_ended.store(true, Ordering::Relaxed);
                    if ONE_THREAD.contains(&executor) {
                        let turns = turns.load(Ordering::Relaxed);
                        assert!(turns >= COUNT / MOST_CALLS / 2, "{executor:?}: {turns} turns of the other task");
                    }
                }
            })];
            tasks.push(task(async move {
                while !has_ended.load(Ordering::Relaxed) {
                    turns.fetch_add(1, Ordering::Relaxed);
                    yield_now().await;
                }
            }));
            tasks
        });
    }
}

/// Both sockets send without a wait: a PUB drops messages, and so does a ROUTER.
#[deadline::test]
fn senders_that_never_wait_do_not_starve_a_timer() {
    for executor in ONE_THREAD {
        let context = Context::new().unwrap();
        let (publisher, router) = (open(&context, Pub), open(&context, Router));
        executor.run(|runtime| {
            let mut publisher = AsyncSocket::new(publisher, runtime).unwrap();
            let mut router = AsyncSocket::new(router, runtime).unwrap();
            let has_ended = Arc::new(AtomicBool::new(false));
            let [first, second] = [has_ended.clone(), has_ended.clone()];
            vec![
                task(async move {
                    while !first.load(Ordering::Relaxed) {
                        publisher.send("news").await.unwrap();
                    }
                }),
                task(async move {
                    while !second.load(Ordering::Relaxed) {
                        router.send_multipart(["nobody", "job"]).await.unwrap();
                    }
                }),
                task(async move {
                    for _ in 0..20 {
                        sleep(runtime, Duration::from_millis(1)).await;
                    }
                    has_ended.store(true, Ordering::Relaxed);
                }),
            ]
        });
    }
}

#[deadline::test(patches = [1037])]
fn flooded_receiver_does_not_starve_a_timer() {
    for executor in ONE_THREAD {
        for endpoint in crate::common::TRANSPORTS {
            let context = Context::new().unwrap();
            let (pull, push) = (open(&context, Pull), open(&context, Push));
            let endpoint = pull.bind(endpoint).unwrap();
            let has_ended = Arc::new(AtomicBool::new(false));
            thread::scope(|scope| {
                let is_over = has_ended.clone();
                scope.spawn(move || {
                    push.connect(&endpoint).unwrap();
                    while !is_over.load(Ordering::Relaxed) {
                        push.send("job").unwrap();
                    }
                    push.send("end").unwrap();
                });
                executor.run(|runtime| {
                    let mut pull = AsyncSocket::new(pull, runtime).unwrap();
                    vec![
                        task(async move { while pull.recv_msg().await.unwrap() != "end" {} }),
                        task(async move {
                            for _ in 0..50 {
                                sleep(runtime, Duration::from_millis(1)).await;
                            }
                            has_ended.store(true, Ordering::Relaxed);
                        }),
                    ]
                });
            });
        }
    }
}

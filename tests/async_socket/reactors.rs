//! Sockets whose descriptors are registered with the reactors of runtimes: a runtime that has ended, and the limit of descriptors.

use std::thread;

use futures::future::poll_fn;
use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Dealer, Errno, Message, Push, Router};

use crate::common::descriptors::{limit_descriptors, use_up_descriptors};
use crate::common::in_own_process;
use crate::end::router_with_two_peers;
use crate::executors::{Executor, echo, linked, noticed, open, polled, task};

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
    in_own_process("reactors::send_to_a_full_peer_reports_that_no_descriptor_is_left", || {
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
    in_own_process("reactors::thousand_sockets_wait_in_one_runtime", || {
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

//! Servers and authenticators whose futures are dropped.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use futures::channel::oneshot;
use futures::future::Either;
use zmq::aio::{AsyncAuthenticator, serve};
use zmq::security::Verdict;
use zmq::{Context, Dealer, Multipart, Pull, Push, Router};

use crate::runtimes::{RUNTIMES, block_on, into_async};
use crate::{SHORT, decide, open, polled_at_most};

/// The handler gets each request once and in order, and each reply is whole. The dropped futures leave only requests unanswered
/// that they had taken.
#[deadline::test]
fn server_that_is_dropped_after_any_poll_loses_no_request_that_it_has_not_taken() {
    const REQUESTS: usize = 2000;
    for runtime in RUNTIMES {
        let context = Context::new().unwrap();
        let (server, client) = (open(&context, Router), open(&context, Dealer));
        // No reply is dropped.
        server.set_sndhwm(0).unwrap();
        client.set_rcvhwm(0).unwrap();
        client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        block_on(runtime, async {
            let (mut server, (mut requests, mut replies)) =
                (into_async(server, runtime), into_async(client, runtime).split());
            let (taken, answered) = (RefCell::new(Vec::new()), Cell::new(0));
            let handler = |request: Multipart| {
                assert_eq!(request.len(), 2);
                let number: usize = request[0].as_str().unwrap().parse().unwrap();
                taken.borrow_mut().push(number);
                let answered = &answered;
                async move {
                    yield_now().await;
                    answered.set(answered.get() + 1);
                    request
                }
            };
            let (ends, end) = oneshot::channel();
            let collect = async {
                let mut numbers = Vec::new();
                loop {
                    let reply = replies.recv_multipart().await.unwrap();
                    assert_eq!((reply.len(), reply[1].as_str()), (2, Some("text")));
                    match reply[0].as_str() {
                        Some("end") => break,
                        number => numbers.push(number.unwrap().parse::<usize>().unwrap()),
                    }
                }
                ends.send(()).unwrap();
                numbers
            };
            let work = async {
                let ask = async {
                    for number in 0..REQUESTS {
                        requests.send_multipart([number.to_string(), "text".to_owned()]).await.unwrap();
                    }
                };
                let serving = async {
                    let mut turn = 0;
                    while taken.borrow().len() < REQUESTS {
                        turn += 1;
                        let run = serve(&mut server, 1 + turn % 3, handler, std::future::pending());
                        assert!(polled_at_most(1 + turn % 5, run).await.is_none());
                        yield_now().await;
                    }
                };
                futures::join!(ask, serving);
                requests.send_multipart(["end", "text"]).await.unwrap();
                // A new `serve` works after the dropped ones.
                let until = async { end.await.unwrap() };
                serve(&mut server, 1, |request| async { request }, until).await.unwrap();
            };
            let (numbers, ()) = futures::join!(collect, work);
            assert!(taken.borrow().iter().copied().eq(0..REQUESTS));
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), numbers.len(), "no reply comes twice");
            assert!(numbers.len() <= answered.get());
            assert!((1..REQUESTS).contains(&numbers.len()), "{} replies", numbers.len());
        });
    }
}

async fn yield_now() {
    polled_at_most(
        2,
        futures::future::poll_fn(|cx| -> Poll<()> {
            cx.waker().wake_by_ref();
            Poll::Pending
        }),
    )
    .await;
}

/// The request that the first run has taken is never decided. Its client connects again after the interval for handshakes.
#[deadline::test]
fn client_connects_again_when_the_run_that_had_its_request_was_dropped() {
    for runtime in RUNTIMES {
        block_on(runtime, async {
            let context = Context::new().unwrap();
            let mut authenticator = AsyncAuthenticator::start(&context, runtime).unwrap();
            let (server, client) = (open(&context, Pull), open(&context, Push));
            server.set_plain_server(true).unwrap();
            server.set_handshake_ivl(5 * SHORT).unwrap();
            client.set_plain_username("anna").unwrap();
            client.set_plain_password("secret").unwrap();
            client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
            client.send("from anna").unwrap();
            let is_taken = Cell::new(false);
            {
                let undecided = |_| {
                    is_taken.set(true);
                    std::future::pending::<Verdict>()
                };
                let mut run = pin!(authenticator.run(10, undecided, std::future::pending()));
                poll_fn(|cx| {
                    assert!(run.as_mut().poll(cx).is_pending());
                    if is_taken.get() { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            }
            let run = authenticator.run(10, |request| decide(runtime, request), std::future::pending());
            let mut server = into_async(server, runtime);
            let received = server.recv_msg();
            futures::select_biased! {
                message = futures::FutureExt::fuse(received) => assert_eq!(message.unwrap(), "from anna"),
                ended = futures::FutureExt::fuse(run) => panic!("{ended:?}"),
            }
        });
    }
}

/// A request that no run has taken waits for the next one.
#[deadline::test]
fn authenticator_whose_run_is_dropped_after_any_poll_lets_all_clients_in() {
    const CLIENTS: usize = 6;
    for runtime in RUNTIMES {
        block_on(runtime, async {
            let context = Context::new().unwrap();
            let mut authenticator = AsyncAuthenticator::start(&context, runtime).unwrap();
            let server = open(&context, Pull);
            server.set_plain_server(true).unwrap();
            server.set_handshake_ivl(5 * SHORT).unwrap();
            let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
            let _clients = [(); CLIENTS].map(|()| {
                let client = open(&context, Push);
                client.set_plain_username("anna").unwrap();
                client.set_plain_password("secret").unwrap();
                client.connect(&endpoint).unwrap();
                client.send("from anna").unwrap();
                client
            });
            let mut server = into_async(server, runtime);
            let mut messages = pin!(async {
                for _ in 0..CLIENTS {
                    assert_eq!(server.recv_msg().await.unwrap(), "from anna");
                }
            });
            for turn in 0.. {
                let run = authenticator.run(1 + turn % 3, |request| decide(runtime, request), std::future::pending());
                let run = pin!(polled_at_most(turn % 8, run));
                if let Either::Left(_) = futures::future::select(&mut messages, run).await {
                    break;
                }
            }
        });
    }
}

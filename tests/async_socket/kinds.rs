//! The exchange that each stable kind is for.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zmq::aio::AsyncSocket;
use zmq::{
    Context, Dealer, Errno, Kind, Message, Multipart, Pair, Pub, Pull, Push, Rep, Req, Router, Stream, Sub, XPub, XSub,
};

use crate::common::TRANSPORTS;
use crate::executors::{Executor, linked, open, send_numbers, task};

/// A client of plain TCP in a thread: it sends `Hello`, and returns the five bytes that come back.
fn client(endpoint: &str) -> JoinHandle<[u8; 5]> {
    let mut stream = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    thread::spawn(move || {
        stream.write_all(b"Hello").unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        answer
    })
}

/// Tasks may move between threads while they wait, and the types may be shared.
const _: fn(AsyncSocket<Dealer>) = |mut socket| {
    fn moves(_: &impl Send) {}
    fn is_shared<T: Send + Sync + Unpin>(value: T) -> T {
        value
    }
    moves(&socket.send("text"));
    moves(&socket.send_multipart(["text"]));
    drop(is_shared(Box::pin(socket.recv_msg())));
    drop(is_shared(Box::pin(socket.recv_multipart())));
    let (mut sender, mut receiver) = is_shared(socket).split();
    moves(&sender.send("text"));
    moves(&sender.send_multipart(["text"]));
    drop(is_shared(Box::pin(receiver.recv_msg())));
    drop(is_shared(Box::pin(receiver.recv_multipart())));
    let mut stream = is_shared(is_shared(receiver).into_stream::<Multipart>());
    moves(&futures::StreamExt::next(&mut stream));
    let mut sink = is_shared(sender).into_sink::<Message>();
    moves(&sink);
    moves(&futures::SinkExt::send(&mut sink, Message::new()));
};

/// Runs `body` with each executor and each endpoint to bind.
fn everywhere(body: impl Fn(Executor, &str)) {
    for executor in Executor::ALL {
        for endpoint in TRANSPORTS {
            body(executor, endpoint);
        }
    }
}

#[deadline::test]
fn req_and_rep_exchange_requests_and_replies() {
    everywhere(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (rep, req) = (open(&context, Rep), open(&context, Req));
        executor.run(|runtime| {
            let (mut rep, mut req) = linked(rep, req, endpoint, runtime);
            vec![
                task(async move {
                    assert_eq!(rep.send("too early").await.unwrap_err().errno(), Errno::EFSM);
                    for _ in 0..20 {
                        let request = rep.recv_multipart().await.unwrap();
                        rep.send_multipart(request).await.unwrap();
                    }
                }),
                task(async move {
                    assert_eq!(req.recv_msg().await.unwrap_err().errno(), Errno::EFSM);
                    for number in 0..20 {
                        req.send_multipart(["request".to_owned(), number.to_string()]).await.unwrap();
                        assert_eq!(req.recv_multipart().await.unwrap(), ["request", number.to_string().as_str()]);
                    }
                }),
            ]
        });
    });
}

#[deadline::test]
fn dealer_and_router_exchange_messages_in_any_order() {
    everywhere(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (router, dealer) = (open(&context, Router), open(&context, Dealer));
        executor.run(|runtime| {
            let (mut router, mut dealer) = linked(router, dealer, endpoint, runtime);
            vec![
                task(async move {
                    for number in 0..20 {
                        dealer.send(number.to_string()).await.unwrap();
                    }
                    for number in 0..40 {
                        assert_eq!(dealer.recv_msg().await.unwrap(), (number / 2).to_string().as_str());
                    }
                }),
                task(async move {
                    for _ in 0..20 {
                        let message = router.recv_multipart().await.unwrap();
                        router.send_multipart(message.clone()).await.unwrap();
                        router.send_multipart(message).await.unwrap();
                    }
                }),
            ]
        });
    });
}

#[deadline::test]
fn push_distributes_to_pulls() {
    everywhere(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (push, first, second) = (open(&context, Push), open(&context, Pull), open(&context, Pull));
        let endpoint = push.bind(endpoint).unwrap();
        first.connect(&endpoint).unwrap();
        second.connect(&endpoint).unwrap();
        executor.run(|runtime| {
            let mut push = AsyncSocket::new(push, runtime).unwrap();
            let mut tasks = vec![task(async move {
                for _ in 0..2000 {
                    push.send("job").await.unwrap();
                }
            })];
            // A PUSH that is connected to one PULL only, for a moment, sends all messages to it.
            let (mut first, mut second) =
                (AsyncSocket::new(first, runtime).unwrap(), AsyncSocket::new(second, runtime).unwrap());
            tasks.push(task(async move {
                for _ in 0..2000 {
                    let job = futures::future::select(Box::pin(first.recv_msg()), Box::pin(second.recv_msg())).await;
                    assert_eq!(job.factor_first().0.unwrap(), "job");
                }
            }));
            tasks
        });
    });
}

#[deadline::test]
fn sub_receives_what_it_subscribes_to_by_with() {
    everywhere(|executor, endpoint| {
        let context = Context::new().unwrap();
        // An XPUB receives the subscription, so that the PUB's first message is not lost.
        let (xpub, subscriber) = (open(&context, XPub), open(&context, Sub));
        executor.run(|runtime| {
            let (mut xpub, mut subscriber) = linked(xpub, subscriber, endpoint, runtime);
            vec![
                task(async move {
                    assert_eq!(xpub.recv_msg().await.unwrap(), b"\x01news."[..]);
                    xpub.send("weather: dry").await.unwrap();
                    xpub.send_multipart(["news.local", "nothing"]).await.unwrap();
                    assert_eq!(xpub.recv_msg().await.unwrap(), b"\x01end"[..]);
                    assert_eq!(xpub.recv_msg().await.unwrap(), b"\0news."[..]);
                    xpub.send("end").await.unwrap();
                }),
                task(async move {
                    subscriber.with(|subscriber| subscriber.subscribe("news.")).unwrap();
                    assert_eq!(subscriber.recv_multipart().await.unwrap(), ["news.local", "nothing"]);
                    subscriber
                        .with(|subscriber| subscriber.subscribe("end").and(subscriber.unsubscribe("news.")))
                        .unwrap();
                    assert_eq!(subscriber.recv_msg().await.unwrap(), "end");
                }),
            ]
        });
    });
}

#[deadline::test]
fn pub_sends_to_a_stream_of_news() {
    everywhere(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (publisher, subscriber) = (open(&context, Pub), open(&context, Sub));
        subscriber.subscribe("").unwrap();
        executor.run(|runtime| {
            let (mut publisher, mut subscriber) = linked(publisher, subscriber, endpoint, runtime);
            let (arrives, mut arrived) = futures::channel::oneshot::channel();
            vec![
                task(async move {
                    // The subscription needs some time.
                    while arrived.try_recv().unwrap().is_none() {
                        publisher.send("news").await.unwrap();
                        crate::executors::sleep(runtime, Duration::from_millis(1)).await;
                    }
                }),
                task(async move {
                    assert_eq!(subscriber.recv_msg().await.unwrap(), "news");
                    arrives.send(()).unwrap();
                }),
            ]
        });
    });
}

#[deadline::test]
fn xsub_subscribes_by_messages() {
    everywhere(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (xpub, xsub) = (open(&context, XPub), open(&context, XSub));
        executor.run(|runtime| {
            let (mut xpub, mut xsub) = linked(xpub, xsub, endpoint, runtime);
            vec![
                task(async move {
                    assert_eq!(xpub.recv_msg().await.unwrap(), b"\x01A"[..]);
                    xpub.send_multipart(["A", "one"]).await.unwrap();
                    assert_eq!(xpub.recv_msg().await.unwrap(), b"\x05upstream"[..]);
                }),
                task(async move {
                    xsub.send(&b"\x01A"[..]).await.unwrap();
                    assert_eq!(xsub.recv_multipart().await.unwrap(), ["A", "one"]);
                    xsub.send(&b"\x05upstream"[..]).await.unwrap();
                }),
            ]
        });
    });
}

#[deadline::test]
fn pairs_talk_both_ways_at_once() {
    everywhere(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (left, right) = (open(&context, Pair), open(&context, Pair));
        executor.run(|runtime| {
            let (left, right) = linked(left, right, endpoint, runtime);
            let mut tasks = Vec::new();
            for pair in [left, right] {
                let (sender, mut receiver) = pair.split();
                tasks.push(send_numbers(sender, 100));
                tasks.push(task(async move {
                    for number in 0..100 {
                        assert_eq!(receiver.recv_msg().await.unwrap(), number.to_string().as_str());
                    }
                }));
            }
            tasks
        });
    });
}

#[deadline::test]
fn stream_answers_a_plain_client() {
    for executor in Executor::ALL {
        let context = Context::new().unwrap();
        let server = open(&context, Stream);
        let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
        executor.block_on(async {
            let mut server = AsyncSocket::new(server, executor.runtime()).unwrap();
            let client = client(&endpoint);
            let opened = server.recv_multipart().await.unwrap();
            assert_eq!(opened[1], "");
            let asked = server.recv_multipart().await.unwrap();
            assert_eq!((&asked[0], &asked[1]), (&opened[0], &Message::from("Hello")));
            server.send_multipart([asked[0].clone(), "World".into()]).await.unwrap();
            let closed = server.recv_multipart().await.unwrap();
            assert_eq!(closed[1], "");
            assert_eq!(&client.join().unwrap(), b"World");
        });
    }
}

/// A kind that is known at run time only has all methods, and errors for those that it lacks.
#[deadline::test]
fn run_time_kinds_report_what_they_cannot_do() {
    for executor in Executor::ALL {
        let context = Context::new().unwrap();
        let (pull, push) = (open(&context, Kind::Pull), open(&context, Kind::Push));
        executor.block_on(async {
            let (mut pull, mut push) = linked(pull, push, "inproc://kinds", executor.runtime());
            let failed = pull.send_multipart(["job", "7"]).await.unwrap_err();
            assert_eq!(failed.errno(), Errno::ENOTSUP);
            assert_eq!(push.recv_msg().await.unwrap_err().errno(), Errno::ENOTSUP);
            push.send_multipart(failed.into_message()).await.unwrap();
            assert_eq!(pull.recv_multipart().await.unwrap(), ["job", "7"]);
            let none = push.send_multipart(Multipart::new()).await.unwrap_err();
            assert_eq!(none.errno(), Errno::EINVAL);
            assert_eq!(pull.runtime(), executor.runtime());
        });
    }
}

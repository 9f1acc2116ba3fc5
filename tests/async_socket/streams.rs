//! `AsyncStream` and `AsyncSink` by the contracts of their traits.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures::stream::FusedStream;
use futures::{FutureExt, Sink, SinkExt, StreamExt, TryStreamExt, stream};
use zmq::aio::{AsyncSink, AsyncStream};
use zmq::{Context, Errno, Message, Multipart, Pull, Push, SendError};

use crate::common::context;
use crate::executors::{Executor, each_round, linked, open, open_small, polled, task};

type Ends = (AsyncSink<Push, Message>, AsyncStream<Pull, Message>);

/// A sink and the stream of what it sends. The high-water marks are `mark`.
fn ends(context: &Context, executor: Executor, endpoint: &str, mark: u32) -> Ends {
    let (pull, push) = (open_small(context, Pull, mark), open_small(context, Push, mark));
    pull.set_rcvbuf(Some(4096)).unwrap();
    let (pull, push) = linked(pull, push, endpoint, executor.runtime());
    (push.split().0.into_sink(), pull.split().1.into_stream())
}

fn numbers(count: usize) -> impl Iterator<Item = Message> + Send {
    (0..count).map(|number| number.to_string().into())
}

#[deadline::test(patches = [1037])]
fn forward_moves_all_messages_from_stream_to_sink() {
    const COUNT: usize = 300;
    each_round(|executor, endpoint| {
        let (first, second) = (Context::new().unwrap(), Context::new().unwrap());
        let is_last = |message: &Message| *message == "end";
        executor.run(|_| {
            let (mut source, jobs) = ends(&first, executor, endpoint, 3);
            let (sink, mut results) = ends(&second, executor, endpoint, 3);
            vec![
                task(async move {
                    source.send_all(&mut stream::iter(numbers(COUNT).map(Ok))).await.unwrap();
                    source.send("end".into()).await.unwrap();
                }),
                task(async move {
                    // The errors of the two ends have different types.
                    let jobs = jobs.take_while(move |job| futures::future::ready(!is_last(job.as_ref().unwrap())));
                    let jobs = jobs.map_err(|error| SendError::new(Message::new(), error));
                    jobs.forward(sink).await.unwrap();
                }),
                task(async move {
                    for number in 0..COUNT {
                        let result = results.next().await.unwrap().unwrap();
                        assert_eq!(result, number.to_string().as_str());
                    }
                }),
            ]
        });
    });
}

#[deadline::test]
fn feed_keeps_one_message_until_the_next_or_a_flush() {
    for executor in Executor::ALL {
        let context = Context::new().unwrap();
        executor.block_on(async {
            let (mut sink, mut stream) = ends(&context, executor, "inproc://streams", 10);
            sink.feed("one".into()).await.unwrap();
            assert!(polled(stream.next(), 1).await.is_none());
            sink.feed("two".into()).await.unwrap();
            assert_eq!(stream.next().await.unwrap().unwrap(), "one");
            assert!(polled(stream.next(), 1).await.is_none());
            sink.flush().await.unwrap();
            assert_eq!(stream.next().await.unwrap().unwrap(), "two");
            sink.flush().await.unwrap();
            assert!(polled(stream.next(), 1).await.is_none());
        });
    }
}

#[deadline::test]
fn close_flushes_and_refuses_later_messages() {
    for executor in Executor::ALL {
        let context = Context::new().unwrap();
        executor.block_on(async {
            let (mut sink, mut stream) = ends(&context, executor, "inproc://streams", 10);
            sink.feed("one".into()).await.unwrap();
            sink.close().await.unwrap();
            assert_eq!(stream.next().await.unwrap().unwrap(), "one");
            let refused = sink.send("two".into()).await.unwrap_err();
            assert_eq!((refused.errno(), refused.message()), (Errno::ECANCELED, &"two".into()));
            sink.close().await.unwrap();
            sink.flush().await.unwrap();
            assert!(polled(stream.next(), 1).await.is_none());
            // The half itself is open.
            let (mut sender, unsent) = sink.into_sender();
            assert_eq!(unsent, None);
            sender.send("three").await.unwrap();
            assert_eq!(stream.next().await.unwrap().unwrap(), "three");
        });
    }
}

#[deadline::test]
fn close_waits_until_there_is_room() {
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        executor.run(|_| {
            let (mut sink, mut stream) = ends(&context, executor, endpoint, 1);
            let (waits, waiting) = futures::channel::oneshot::channel();
            let mut waits = Some(waits);
            vec![
                task(async move {
                    let mut sent = 0_usize;
                    // Sends until no message has room, and closes.
                    loop {
                        sink.feed(vec![7; 100_000].into()).await.unwrap();
                        sent += 1;
                        if polled(sink.flush(), 1).await.is_none() {
                            break;
                        }
                    }
                    poll_fn(|cx| {
                        let polled = sink.poll_close_unpin(cx);
                        waits.take().into_iter().for_each(|waits| waits.send(sent).unwrap());
                        polled
                    })
                    .await
                    .unwrap();
                    assert!(sink.into_sender().1.is_none());
                }),
                task(async move {
                    for _ in 0..waiting.await.unwrap() {
                        assert_eq!(stream.next().await.unwrap().unwrap().len(), 100_000);
                    }
                }),
            ]
        });
    });
}

#[deadline::test]
fn sink_that_is_not_ready_gives_the_message_back() {
    for executor in Executor::ALL {
        let context = Context::new().unwrap();
        let push = open(&context, Push);
        executor.block_on(async {
            let push = zmq::aio::AsyncSocket::new(push, executor.runtime()).unwrap();
            let mut sink = push.split().0.into_sink::<Multipart>();
            let mut pinned = Pin::new(&mut sink);
            poll_fn(|cx| pinned.as_mut().poll_ready(cx)).await.unwrap();
            pinned.as_mut().start_send(["one", "part"].into()).unwrap();
            assert!(poll_fn(|cx| Poll::Ready(pinned.as_mut().poll_ready(cx))).await.is_pending());
            let refused = pinned.as_mut().start_send(["two", "parts"].into()).unwrap_err();
            assert_eq!(refused.errno(), Errno::EAGAIN);
            assert_eq!(*refused.message(), ["two", "parts"]);
            // A flush that is dropped leaves the message.
            assert!(sink.flush().now_or_never().is_none());
            assert_eq!(sink.into_sender().1.unwrap(), ["one", "part"]);
        });
    }
}

#[deadline::test]
fn stream_ends_with_the_context_and_stays_ended() {
    each_round(|executor, endpoint| {
        let context = context();
        executor.run(|_| {
            let (mut sink, mut stream) = ends(&context, executor, endpoint, 10);
            let (arrives, arrived) = futures::channel::oneshot::channel();
            let ender = context.clone();
            vec![
                task(async move {
                    assert!(!stream.is_terminated());
                    assert_eq!(stream.next().await.unwrap().unwrap(), "one");
                    arrives.send(()).unwrap();
                    // A message that was sent after the shutdown may arrive.
                    while let Some(message) = stream.next().await {
                        assert_eq!(message.unwrap(), "two");
                    }
                    assert!(stream.is_terminated());
                    assert!(stream.next().await.is_none());
                    let failed = stream.into_receiver().recv_msg().await.unwrap_err();
                    assert_eq!(failed.errno(), Errno::ETERM);
                }),
                task(async move {
                    sink.send("one".into()).await.unwrap();
                    arrived.await.unwrap();
                    ender.shutdown().unwrap();
                    // libzmq does not look for the end at each send.
                    let failed = loop {
                        if let Err(failed) = sink.send("two".into()).await {
                            break failed;
                        }
                    };
                    assert_eq!((failed.errno(), failed.message()), (Errno::ETERM, &"two".into()));
                }),
            ]
        });
    });
}

/// Streams in `select!` need no fuse: they tell themselves that they have ended.
#[deadline::test]
fn merged_streams_end_when_all_have_ended() {
    for executor in Executor::ALL {
        let context = Context::new().unwrap();
        executor.block_on(async {
            let (mut first_sink, first) = ends(&context, executor, "inproc://first", 10);
            let (mut second_sink, second) = ends(&context, executor, "inproc://second", 10);
            first_sink.send("first".into()).await.unwrap();
            second_sink.send("second".into()).await.unwrap();
            let (mut first, mut second) = (first, second);
            let mut received = Vec::new();
            loop {
                futures::select! {
                    message = first.next() => received.extend(message),
                    message = second.next() => received.extend(message),
                    complete => break,
                }
                if received.len() == 2 {
                    context.shutdown().unwrap();
                }
            }
            assert_eq!(received.len(), 2);
        });
    }
}

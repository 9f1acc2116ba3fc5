//! Sends that find no room although `ZMQ_POLLOUT` is set. They wait until the peer reads, and are polled no more often than the
//! socket's other half receives, which goes on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use futures::{SinkExt, StreamExt};
#[cfg(feature = "draft")]
use zmq::Client;
use zmq::aio::{AsyncSocket, Runtime, WholeMessage};
use zmq::{
    CanRecv, CanSend, Context, Dealer, Message, Multipart, PollEvents, Router, Socket, SocketType, Stream, Sub, XPub,
};

use crate::common::{TCP, TRANSPORTS};
use crate::executors::{Executor, counted, noticed, open_small, sleep, task};

const SIZE: usize = 100_000;
/// Enough to fill all queues and the system's buffers.
const MESSAGES: usize = 150;
/// The number of messages that the other half receives while the sender waits.
const RECEIVED: usize = 200;

/// Sends until there is no room, receives the messages that `talk` causes, one at a time, and then lets the peer read: `drain`
/// reads all messages.
fn check<T: SocketType + CanSend + CanRecv, M: WholeMessage<T> + Clone + Send + 'static>(
    executor: Executor,
    socket: Socket<'static, T>,
    message: M,
    mut talk: impl FnMut() + Send + 'static,
    drain: impl FnOnce() + Send + 'static,
) {
    assert!(socket.events().unwrap().contains(PollEvents::POLLOUT));
    let reader = Arc::new(std::sync::Mutex::new(None));
    executor.run(|runtime| {
        let (sender, receiver) = AsyncSocket::new(socket, runtime).unwrap().split();
        let (mut sink, mut stream) = (sender.into_sink::<M>(), receiver.into_stream::<M>());
        let polls = Arc::new(AtomicUsize::new(0));
        let (waits, waiting) = oneshot::channel();
        let reader = reader.clone();
        vec![
            task({
                let polls = polls.clone();
                async move {
                    let all = async move {
                        for _ in 0..MESSAGES {
                            assert!(sink.send(message.clone()).await.is_ok());
                        }
                    };
                    counted(noticed(all, || waits.send(()).unwrap()), &polls).await;
                }
            }),
            task(async move {
                waiting.await.unwrap();
                let before = rest(runtime, &polls).await;
                for _ in 0..RECEIVED {
                    talk();
                    stream.next().await.unwrap().unwrap();
                }
                let during = rest(runtime, &polls).await - before;
                assert!(during <= 3 * RECEIVED, "{executor:?}: {during} polls for {RECEIVED} messages");
                *reader.lock().unwrap() = Some(thread::spawn(drain));
            }),
        ]
    });
    let reader = reader.lock().unwrap().take();
    reader.unwrap().join().unwrap();
}

/// Waits until the polls are at rest, and returns their number. A future that is polled again and again has no rest.
async fn rest(runtime: Runtime, polls: &AtomicUsize) -> usize {
    loop {
        let before = polls.load(Ordering::Relaxed);
        sleep(runtime, Duration::from_millis(50)).await;
        if polls.load(Ordering::Relaxed) == before {
            return before;
        }
    }
}

#[deadline::test]
fn router_with_a_full_peer_waits_and_receives() {
    for executor in Executor::ALL {
        for endpoint in TRANSPORTS {
            let context = Context::new().unwrap();
            let router = open_small(&context, Router, 1);
            router.set_router_mandatory(true).unwrap();
            let endpoint = router.bind(endpoint).unwrap();
            let [full, free] = ["full", "free"].map(|name| {
                let dealer = open_small(&context, Dealer, 1);
                dealer.set_routing_id(name).unwrap();
                dealer.connect(&endpoint).unwrap();
                dealer.send("Hello").unwrap();
                router.recv_multipart().unwrap();
                dealer
            });
            let message = Multipart::from([&b"full"[..], &[7; SIZE]]);
            check(
                executor,
                router,
                message,
                move || free.send("job").unwrap(),
                move || {
                    for _ in 0..MESSAGES {
                        assert_eq!(full.recv_msg().unwrap().len(), SIZE);
                    }
                },
            );
        }
    }
}

#[deadline::test(patches = [1037])]
fn xpub_without_drops_waits_for_a_full_subscriber_and_receives() {
    for executor in Executor::ALL {
        let context = Context::new().unwrap();
        let xpub = open_small(&context, XPub, 1);
        xpub.set_xpub_nodrop(true).unwrap();
        let endpoint = xpub.bind(TCP).unwrap();
        let [full, other] = ["news", "weather"].map(|topic| {
            let subscriber = open_small(&context, Sub, 1);
            subscriber.subscribe(topic).unwrap();
            subscriber.connect(&endpoint).unwrap();
            xpub.recv_msg().unwrap();
            subscriber
        });
        let mut message = b"news".to_vec();
        message.resize(SIZE, 0);
        let mut topics = 0..;
        let talk = move || other.subscribe(topics.next().unwrap().to_string()).unwrap();
        check(executor, xpub, Message::from(message), talk, move || {
            for _ in 0..MESSAGES {
                assert_eq!(full.recv_msg().unwrap().len(), SIZE);
            }
        });
    }
}

#[deadline::test]
fn stream_waits_for_a_client_that_does_not_read_and_receives() {
    for executor in Executor::ALL {
        let context = Context::new().unwrap();
        let server = open_small(&context, Stream, 1);
        let endpoint = server.bind(TCP).unwrap();
        let [(mut silent, id), (mut other, _)] = [0; 2].map(|_| {
            let client = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
            (client, server.recv_multipart().unwrap()[0].clone())
        });
        let message = Multipart::from([id, vec![7; SIZE].into()]);
        check(
            executor,
            server,
            message,
            move || other.write_all(b"Hello").unwrap(),
            move || {
                silent.read_exact(&mut vec![0; MESSAGES * SIZE]).unwrap();
            },
        );
    }
}

#[cfg(feature = "draft")]
#[deadline::test(patches = [13])]
fn server_with_a_full_peer_waits_and_receives() {
    for executor in Executor::ALL {
        for endpoint in TRANSPORTS {
            let context = Context::new().unwrap();
            let server = open_small(&context, zmq::Server, 1);
            let endpoint = server.bind(endpoint).unwrap();
            let [(full, id), (free, _)] = [0; 2].map(|_| {
                let client = open_small(&context, Client, 1);
                client.connect(&endpoint).unwrap();
                client.send("Hello").unwrap();
                (client, server.recv_msg().unwrap().routing_id().unwrap())
            });
            let mut message = Message::from(vec![7; SIZE]);
            message.set_routing_id(id).unwrap();
            check(
                executor,
                server,
                message,
                move || free.send("job").unwrap(),
                move || {
                    for _ in 0..MESSAGES {
                        assert_eq!(full.recv_msg().unwrap().len(), SIZE);
                    }
                },
            );
        }
    }
}

//! The exchange that each draft kind is for: these sockets have no descriptor of their own, except DGRAM.

use std::net::{Ipv4Addr, UdpSocket};
use std::num::NonZeroU32;
use std::time::Duration;

use futures::channel::oneshot;
use socket2::Type;
use zmq::aio::AsyncSocket;
use zmq::{Channel, Client, Context, Dgram, Dish, Errno, Gather, Message, Peer, Radio, Scatter, Server};

use crate::common::{DEADLINE, HeldPort, TRANSPORTS};
use crate::executors::{Executor, each_round, linked, open, open_small, send_numbers, sleep, task};

fn everywhere(body: impl Fn(Executor, &str)) {
    for executor in Executor::ALL {
        for endpoint in TRANSPORTS {
            body(executor, endpoint);
        }
    }
}

fn to_peer(id: Option<NonZeroU32>, content: impl Into<Message>) -> Message {
    let mut message = content.into();
    message.set_routing_id(id.expect("a number")).unwrap();
    message
}

fn to_group(group: &str, content: &str) -> Message {
    let mut message = Message::from(content);
    message.set_group(group).unwrap();
    message
}

#[deadline::test(patches = [13, 1037])]
fn split_client_and_split_server_lose_no_wake_up() {
    const COUNT: usize = 300;
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (server, client) = (open_small(&context, Server, 3), open_small(&context, Client, 3));
        executor.run(|runtime| {
            let (mut server, client) = linked(server, client, endpoint, runtime);
            let (sender, mut receiver) = client.split();
            vec![
                task(async move {
                    for _ in 0..COUNT {
                        let request = server.recv_msg().await.unwrap();
                        server.send(to_peer(request.routing_id(), request.to_vec())).await.unwrap();
                    }
                }),
                send_numbers(sender, COUNT),
                task(async move {
                    for number in 0..COUNT {
                        assert_eq!(receiver.recv_msg().await.unwrap(), number.to_string().as_str());
                    }
                }),
            ]
        });
    });
}

#[deadline::test(patches = [13, 1037])]
fn gather_receives_what_scatter_sends() {
    everywhere(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (gather, scatter) = (open_small(&context, Gather, 3), open_small(&context, Scatter, 3));
        executor.run(|runtime| {
            let (mut gather, mut scatter) = linked(gather, scatter, endpoint, runtime);
            vec![
                task(async move {
                    for number in 0..200 {
                        scatter.send(number.to_string()).await.unwrap();
                    }
                }),
                task(async move {
                    for number in 0..200 {
                        assert_eq!(gather.recv_msg().await.unwrap(), number.to_string().as_str());
                    }
                }),
            ]
        });
    });
}

#[deadline::test(patches = [13])]
fn dish_receives_the_messages_of_its_groups() {
    everywhere(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (radio, dish) = (open(&context, Radio), open(&context, Dish));
        executor.run(|runtime| {
            let (mut radio, mut dish) = linked(radio, dish, endpoint, runtime);
            let (arrives, mut arrived) = oneshot::channel();
            vec![
                task(async move {
                    while arrived.try_recv().unwrap().is_none() {
                        radio.send(to_group("weather", "dry")).await.unwrap();
                        radio.send(to_group("news", "nothing")).await.unwrap();
                        sleep(runtime, Duration::from_millis(1)).await;
                    }
                }),
                task(async move {
                    dish.with(|dish| dish.join("news")).unwrap();
                    assert_eq!(dish.recv_msg().await.unwrap(), "nothing");
                    arrives.send(()).unwrap();
                }),
            ]
        });
    });
}

#[deadline::test(patches = [13])]
fn peers_talk_by_numbers() {
    everywhere(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (left, right) = (open(&context, Peer), open(&context, Peer));
        let id = right.connect_peer(&left.bind(endpoint).unwrap()).unwrap();
        executor.run(|runtime| {
            let mut left = AsyncSocket::new(left, runtime).unwrap();
            let mut right = AsyncSocket::new(right, runtime).unwrap();
            vec![
                task(async move {
                    for number in 0..50 {
                        right.send(to_peer(Some(id), number.to_string())).await.unwrap();
                        assert_eq!(right.recv_msg().await.unwrap(), number.to_string().as_str());
                    }
                    let unknown = right.send(to_peer(NonZeroU32::new(7), "nobody")).await.unwrap_err();
                    assert_eq!(unknown.errno(), Errno::EHOSTUNREACH);
                }),
                task(async move {
                    for _ in 0..50 {
                        let request = left.recv_msg().await.unwrap();
                        left.send(to_peer(request.routing_id(), request.to_vec())).await.unwrap();
                    }
                }),
            ]
        });
    });
}

#[deadline::test(patches = [13, 1037])]
fn channels_talk_both_ways_at_once() {
    each_round(|executor, endpoint| {
        let context = Context::new().unwrap();
        let (left, right) = (open_small(&context, Channel, 2), open_small(&context, Channel, 2));
        executor.run(|runtime| {
            let (left, right) = linked(left, right, endpoint, runtime);
            let mut tasks = Vec::new();
            for channel in [left, right] {
                let (sender, mut receiver) = channel.split();
                tasks.push(send_numbers(sender, 300));
                tasks.push(task(async move {
                    for number in 0..300 {
                        assert_eq!(receiver.recv_msg().await.unwrap(), number.to_string().as_str());
                    }
                }));
            }
            tasks
        });
    });
}

#[deadline::test(patches = [13])]
fn dgram_answers_a_plain_socket() {
    for executor in Executor::ALL {
        let context = Context::new().unwrap();
        let dgram = open(&context, Dgram);
        let port = HeldPort::new(Type::DGRAM, Ipv4Addr::LOCALHOST);
        dgram.bind(&format!("udp://{}", port.address())).unwrap();
        let plain = UdpSocket::bind("127.0.0.1:0").unwrap();
        plain.set_read_timeout(Some(DEADLINE)).unwrap();
        plain.connect(port.address()).unwrap();
        executor.run(|runtime| {
            let mut dgram = AsyncSocket::new(dgram, runtime).unwrap();
            let (arrives, mut arrived) = oneshot::channel();
            let probe = plain.try_clone().unwrap();
            vec![
                task(async move {
                    // libzmq binds in the background. An earlier datagram is refused or lost.
                    while arrived.try_recv().unwrap().is_none() {
                        let _ = probe.send(b"Hello");
                        sleep(runtime, Duration::from_millis(5)).await;
                    }
                }),
                task(async move {
                    let datagram = dgram.recv_multipart().await.unwrap();
                    assert_eq!(datagram[1], "Hello");
                    dgram.send_multipart([datagram[0].clone(), "World".into()]).await.unwrap();
                    arrives.send(()).unwrap();
                    // The datagram leaves before the socket closes.
                    crate::common::eventually("the datagram is there", || plain.peek(&mut [0; 8]).is_ok());
                    let mut buffer = [0; 8];
                    let size = plain.recv(&mut buffer).unwrap();
                    assert_eq!(&buffer[..size], b"World");
                }),
            ]
        });
    }
}

#[deadline::test(patches = [13])]
fn draft_sockets_go_back_and_become_asynchronous_again() {
    for executor in Executor::ALL {
        let context = Context::new().unwrap();
        let (server, client) = (open(&context, Server), open(&context, Client));
        executor.block_on(async {
            let runtime = executor.runtime();
            let (mut server, mut client) = linked(server, client, "tcp://127.0.0.1:*", runtime);
            for _ in 0..10 {
                client.send("Hello").await.unwrap();
                let (server_again, client_again) = (server.into_socket(), client.into_socket());
                client_again.send("Hello again").unwrap();
                server = AsyncSocket::new(server_again, runtime).unwrap();
                client = AsyncSocket::new(client_again, runtime).unwrap();
                assert_eq!(server.recv_msg().await.unwrap(), "Hello");
                assert_eq!(server.recv_msg().await.unwrap(), "Hello again");
            }
        });
    }
}

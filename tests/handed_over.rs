//! Memory that is handed over to a message: libzmq never writes to it, over any transport and with any kind.

mod common;
#[cfg(feature = "draft")]
#[path = "common/datagrams.rs"]
mod datagrams;

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use common::zap::lets_in_alice_and_any_key;
use common::{DEADLINE, TCP, bound, connected, eventually, lacks_curve, next, skip_unless};
use zmq::security::Security;
use zmq::{
    CanMultipart, CanRecv, Dealer, Kind, Message, Pair, PollEvents, Pull, Push, Rep, Req, Router, Socket, SocketType,
    Sub, XPub, XSub,
};
use zmq_patterns::Proxy;

/// libzmq copies messages below 8192 bytes into a batch, and writes larger ones to the connection directly.
const SIZES: [usize; 4] = [34, 1000, 8192, 20_000];

/// Memory that the system protects from being written.
static CONSTANT: [u8; 20_000] = [b'c'; 20_000];

/// An owner whose memory another holder reads.
struct Owner(Arc<Vec<u8>>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A message, and a function that reads its memory without the message.
struct HandedOver {
    message: Message,
    content: Vec<u8>,
    other: Box<dyn Fn() -> Vec<u8>>,
}

impl HandedOver {
    fn new(message: impl Into<Message>, other: impl Fn() -> Vec<u8> + 'static) -> HandedOver {
        HandedOver { message: message.into(), content: other(), other: Box::new(other) }
    }

    /// Sends the message, receives it, and checks the memory.
    fn travels(self, what: &str, send: impl FnOnce(Message), recv: impl FnOnce() -> Vec<u8>) {
        send(self.message);
        assert!(recv() == self.content, "{what}");
        assert!((self.other)() == self.content, "{what}: memory that was handed over has changed");
    }
}

/// Every way to hand memory over.
fn handed_over() -> Vec<HandedOver> {
    let mut all = Vec::new();
    for size in SIZES {
        let arc: Arc<[u8]> = vec![b'a'; size].into();
        all.push(HandedOver::new(arc.clone(), move || arc.to_vec()));
        let owner = Arc::new(vec![b'o'; size]);
        all.push(HandedOver::new(Message::from_owner(Owner(owner.clone())), move || owner.to_vec()));
        let message = Message::from(vec![b'm'; size]);
        all.push(HandedOver::new(message.clone(), move || message.to_vec()));
        let constant = &CONSTANT[..size];
        all.push(HandedOver::new(Message::from_static(constant), || constant.to_vec()));
        all.push(HandedOver::new(Message::from_owner(constant), || constant.to_vec()));
        #[cfg(feature = "bytes")]
        {
            let bytes = bytes::Bytes::from(vec![b'b'; size]);
            all.push(HandedOver::new(bytes.clone(), move || bytes.to_vec()));
            all.push(HandedOver::new(bytes::Bytes::from_static(constant), || constant.to_vec()));
        }
    }
    all
}

/// The endpoints to bind. Over ws, and only there, a client masks the messages that it sends.
fn endpoints() -> Vec<&'static str> {
    let mut endpoints = vec!["tcp://127.0.0.1:*", "ipc://*", "inproc://handed-over"];
    if !skip_unless(zmq::has("WS"), "a part, ws: this libzmq has no WebSockets") {
        endpoints.push("ws://127.0.0.1:*/path");
    }
    endpoints
}

/// Connects two sockets over each transport. `recv` receives the messages that `send` sends.
fn assert_unwritten<A: SocketType, B: SocketType>(
    (server, client): (A, B),
    prepare: impl Fn(&Socket<'_, A>, &Socket<'_, B>),
    send: impl Fn(&Socket<'_, A>, &Socket<'_, B>, Message),
    recv: impl Fn(&Socket<'_, A>, &Socket<'_, B>) -> Vec<u8>,
) {
    for endpoint in endpoints() {
        let context = common::context();
        let (bound, connecting) = (context.socket(server).unwrap(), context.socket(client).unwrap());
        prepare(&bound, &connecting);
        connecting.connect(&bound.bind(endpoint).unwrap()).unwrap();
        for message in handed_over() {
            message.travels(endpoint, |message| send(&bound, &connecting, message), || recv(&bound, &connecting));
        }
    }
}

/// The last part of the next message.
fn last<T: CanRecv + CanMultipart>(socket: &Socket<'_, T>) -> Vec<u8> {
    next(socket).pop().unwrap()
}

#[deadline::test]
fn memory_is_unwritten_when_pipelines_and_pairs_send_it() {
    assert_unwritten((Pull, Push), |_, _| {}, |_, push, message| push.send(message).unwrap(), |pull, _| last(pull));
    assert_unwritten((Pair, Pair), |_, _| {}, |_, pair, message| pair.send(message).unwrap(), |pair, _| last(pair));
    let send_two = |_: &Socket<'_, Dealer>, dealer: &Socket<'_, Dealer>, message| {
        dealer.send_more("first part").unwrap();
        dealer.send(message).unwrap();
    };
    assert_unwritten((Dealer, Dealer), |_, _| {}, send_two, |dealer, _| last(dealer));
    let send_parts = |_: &Socket<'_, Pull>, push: &Socket<'_, Push>, message| {
        push.send_multipart([Message::from("first part"), message]).unwrap();
    };
    assert_unwritten((Pull, Push), |_, _| {}, send_parts, |pull, _| last(pull));
}

#[deadline::test]
fn memory_is_unwritten_when_it_is_a_request_or_a_reply() {
    let request = |_: &Socket<'_, Rep>, req: &Socket<'_, Req>, message| req.send(message).unwrap();
    let reply = |rep: &Socket<'_, Rep>, req: &Socket<'_, Req>| {
        let request = last(rep);
        rep.send("reply").unwrap();
        assert_eq!(last(req), b"reply");
        request
    };
    assert_unwritten((Rep, Req), |_, _| {}, request, reply);
    let answer = |req: &Socket<'_, Req>, rep: &Socket<'_, Rep>, message| {
        req.send("request").unwrap();
        assert_eq!(last(rep), b"request");
        rep.send(message).unwrap();
    };
    assert_unwritten((Req, Rep), |_, _| {}, answer, |req, _| last(req));
    let answer = |dealer: &Socket<'_, Dealer>, router: &Socket<'_, Router>, message| {
        dealer.send("request").unwrap();
        let id = next(router).swap_remove(0);
        router.send_more(id).unwrap();
        router.send(message).unwrap();
    };
    assert_unwritten((Dealer, Router), |_, _| {}, answer, |dealer, _| last(dealer));
}

#[deadline::test]
fn memory_is_unwritten_when_it_is_published() {
    let is_subscribed = Cell::new(false);
    let subscribe = |sub: &Socket<'_, Sub>, _: &Socket<'_, XPub>| {
        sub.subscribe("").unwrap();
        is_subscribed.set(false);
    };
    let publish = |sub: &Socket<'_, Sub>, xpub: &Socket<'_, XPub>, message| {
        if !is_subscribed.replace(true) {
            eventually("the SUB subscribes, which it does when it is used", || {
                sub.events().unwrap();
                xpub.within(Duration::from_millis(5)).recv_msg().unwrap().is_some()
            });
        }
        xpub.send(message).unwrap();
    };
    let recv = |sub: &Socket<'_, Sub>, _: &Socket<'_, XPub>| last(sub);
    assert_unwritten((Sub, XPub), subscribe, publish, recv);
    // An XSUB sends messages upstream that are no subscriptions.
    let upstream = |_: &Socket<'_, XPub>, xsub: &Socket<'_, XSub>, message| xsub.send(message).unwrap();
    assert_unwritten((XPub, XSub), |_, _| {}, upstream, |xpub, _| last(xpub));
}

/// The proxy receives the message over inproc, with the memory of its owner.
#[deadline::test]
fn memory_is_unwritten_when_a_proxy_forwards_it() {
    for endpoint in endpoints() {
        let context = common::context();
        let pull = context.socket(Pull).unwrap();
        let endpoint = pull.bind(endpoint).unwrap();
        let frontend = bound(&context, Pull, "inproc://frontend");
        let proxy = Proxy::start(frontend, connected(&context, Push, &endpoint), None).unwrap();
        let push = context.socket(Push).unwrap();
        push.connect("inproc://frontend").unwrap();
        for message in handed_over() {
            message.travels(&endpoint, |message| push.send(message).unwrap(), || last(&pull));
        }
        assert!(proxy.terminate().unwrap().is_empty());
    }
}

/// A proxy receives small messages without a copy: they share the buffer that the engine has read into. The capture socket
/// gets a message that shares the content of the one that is forwarded.
#[deadline::test]
fn received_memory_is_unwritten_when_a_proxy_forwards_and_captures_it() {
    let backends = endpoints();
    for (frontend, backend) in endpoints().into_iter().flat_map(|front| backends.iter().map(move |back| (front, back)))
    {
        let context = common::context();
        let [forwarded, captured] = [(); 2].map(|()| context.socket(Pull).unwrap());
        let backend = forwarded.bind(&backend.replace("handed-over", "backend")).unwrap();
        captured.bind("inproc://capture").unwrap();
        let front = context.owned_socket(Pull).unwrap();
        let push = connected(&context, Push, &front.bind(frontend).unwrap());
        let back = connected(&context, Push, &backend);
        let capture = connected(&context, Push, "inproc://capture").into_untyped();
        let proxy = Proxy::start(front, back, Some(capture)).unwrap();
        let handed_over = handed_over();
        for HandedOver { message, .. } in &handed_over {
            push.send(message).unwrap();
        }
        // All captured messages are received before the first one is compared.
        let forwarded: Vec<_> = handed_over.iter().map(|_| last(&forwarded)).collect();
        let captured: Vec<_> =
            handed_over.iter().map(|_| captured.within(DEADLINE).recv_msg().unwrap().unwrap()).collect();
        for ((HandedOver { content, other, .. }, forwarded), captured) in
            handed_over.iter().zip(forwarded).zip(captured)
        {
            assert!(forwarded == *content, "{frontend}, {backend}");
            assert!(*captured == **content, "{frontend}, {backend}: the captured message has changed");
            assert!(other() == *content, "{frontend}, {backend}: memory that was handed over has changed");
        }
        assert!(proxy.terminate().unwrap().is_empty());
    }
}

/// Mechanisms encrypt messages, or pass them through. Either end is the server, and either end sends.
#[deadline::test]
fn memory_is_unwritten_when_a_mechanism_protects_it() {
    let mut mechanisms = vec![(Security::plain_server(), Security::plain_client("alice", "open sesame"))];
    if !lacks_curve() {
        let [(server_public, server), (_, client)] = [(); 2].map(|()| zmq::curve_keypair().unwrap());
        mechanisms.push((Security::curve_server(&server), Security::curve_client(&client, &server_public)));
    }
    for (endpoint, (server, client)) in
        endpoints().into_iter().flat_map(|endpoint| mechanisms.iter().map(move |mechanism| (endpoint, mechanism)))
    {
        if endpoint.starts_with("inproc") {
            continue;
        }
        let context = common::context();
        let _authenticator = lets_in_alice_and_any_key(&context);
        for [of_bound, of_connecting] in [[server, client], [client, server]] {
            let (bound, connecting) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
            bound.secure(of_bound).unwrap();
            connecting.secure(of_connecting).unwrap();
            // A socket whose peers a ZAP handler checks connects once.
            connecting.set_reconnect_ivl(None).unwrap();
            let what = format!("{endpoint}, {:?}", bound.mechanism().unwrap());
            connecting.connect(&bound.bind(endpoint).unwrap()).unwrap();
            for [source, sink] in [[&bound, &connecting], [&connecting, &bound]] {
                for message in handed_over() {
                    message.travels(&what, |message| source.send(message).unwrap(), || last(sink));
                }
            }
        }
    }
}

/// Peers without ZMTP get the bytes of the message as they are.
#[deadline::test]
fn memory_is_unwritten_when_a_raw_socket_sends_it() {
    for (kind, binds) in [(Kind::Stream, true), (Kind::Stream, false), (Kind::Router, true), (Kind::Router, false)] {
        let context = common::context();
        let socket = context.socket(kind).unwrap();
        if kind == Kind::Router {
            socket.set_router_raw(true).unwrap();
        }
        let mut stream = if binds {
            let endpoint = socket.bind(TCP).unwrap();
            TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap()
        } else {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
            socket.connect_with_routing_id("peer", &endpoint).unwrap();
            listener.accept().unwrap().0
        };
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(b"hello").unwrap();
        let mut hello = next(&socket);
        // STREAM reports the connection by an empty message.
        if hello[1].is_empty() {
            hello = next(&socket);
        }
        for message in handed_over() {
            let mut received = vec![0; message.content.len()];
            let send = |message| socket.send_multipart([hello[0][..].into(), message]).unwrap();
            let recv = || {
                stream.read_exact(&mut received).unwrap();
                received
            };
            message.travels(&format!("{kind}, {binds}"), send, recv);
        }
    }
}

/// The same memory goes to several peers.
#[deadline::test]
fn memory_is_unwritten_when_several_peers_get_it() {
    let context = common::context();
    let xpub = context.socket(XPub).unwrap();
    let subs: Vec<_> = endpoints()
        .into_iter()
        .flat_map(|endpoint| [endpoint; 2])
        .enumerate()
        .map(|(number, endpoint)| {
            let sub = context.socket(Sub).unwrap();
            sub.subscribe("").unwrap();
            xpub.connect(&sub.bind(&endpoint.replace("over", &number.to_string())).unwrap()).unwrap();
            sub
        })
        .collect();
    eventually("all SUBs have subscribed", || {
        xpub.send("probe").unwrap();
        subs.iter().filter(|sub| sub.events().unwrap().contains(PollEvents::POLLIN)).count() == subs.len()
    });
    for message in handed_over() {
        let recv = || {
            let received: Vec<_> = subs
                .iter()
                .map(|sub| std::iter::repeat_with(|| last(sub)).find(|message| message != b"probe").unwrap())
                .collect();
            assert!(received.iter().all(|message| *message == received[0]));
            received.into_iter().next().unwrap()
        };
        message.travels("several peers", |message| xpub.send(message).unwrap(), recv);
    }
}

#[cfg(feature = "draft")]
mod draft {
    use std::num::NonZeroU32;

    use super::*;
    use zmq::{Channel, Client, Dish, Gather, Peer, Radio, Scatter, Server};

    /// The next message of a kind that has messages of one part.
    fn one<T: CanRecv>(socket: &Socket<'_, T>) -> Message {
        socket.within(DEADLINE).recv_msg().unwrap().expect("a message")
    }

    /// Receives a request, and returns the routing id of the client.
    fn request<T: CanRecv>(socket: &Socket<'_, T>) -> NonZeroU32 {
        one(socket).routing_id().unwrap()
    }

    #[deadline::test(patches = [6, 7, 8, 9, 12, 13])]
    fn memory_is_unwritten_when_draft_kinds_send_it() {
        let scatter = |_: &Socket<'_, Gather>, scatter: &Socket<'_, Scatter>, message| scatter.send(message).unwrap();
        assert_unwritten((Gather, Scatter), |_, _| {}, scatter, |gather, _| one(gather).to_vec());
        let send = |_: &Socket<'_, Channel>, channel: &Socket<'_, Channel>, message| channel.send(message).unwrap();
        assert_unwritten((Channel, Channel), |_, _| {}, send, |channel, _| one(channel).to_vec());
        let ask = |_: &Socket<'_, Server>, client: &Socket<'_, Client>, message| client.send(message).unwrap();
        assert_unwritten((Server, Client), |_, _| {}, ask, |server, _| one(server).to_vec());
        let answer = |client: &Socket<'_, Client>, server: &Socket<'_, Server>, message| {
            client.send("request").unwrap();
            server.send_to_peer(request(server), message).unwrap();
        };
        assert_unwritten((Client, Server), |_, _| {}, answer, |client, _| one(client).to_vec());
    }

    #[deadline::test(patches = [6, 7, 8, 9, 12, 13])]
    fn memory_is_unwritten_when_a_peer_or_a_radio_sends_it() {
        for endpoint in endpoints() {
            let context = common::context();
            let [bound, peer] = [(); 2].map(|()| context.socket(Peer).unwrap());
            let number = peer.connect_peer(&bound.bind(endpoint).unwrap()).unwrap();
            let (dish, radio) = (context.socket(Dish).unwrap(), context.socket(Radio).unwrap());
            dish.join("group").unwrap();
            let other_endpoint = endpoint.replace("handed-over", "radio").replace("path", "radio");
            radio.connect(&dish.bind(&other_endpoint).unwrap()).unwrap();
            eventually("the DISH has joined", || {
                radio.send_to_group("group", "").unwrap();
                dish.within(Duration::from_millis(10)).recv_msg().unwrap().is_some()
            });
            for message in handed_over() {
                let send = |message| peer.send_to_peer(number, message).unwrap();
                message.travels(endpoint, send, || one(&bound).to_vec());
            }
            for message in handed_over() {
                let send = |message| radio.send_to_group("group", message).unwrap();
                let recv = || std::iter::repeat_with(|| one(&dish).to_vec()).find(|message| !message.is_empty());
                message.travels(endpoint, send, || recv().unwrap());
            }
        }
    }

    /// The messages of `limit` bytes or fewer.
    fn at_most(limit: usize) -> impl Iterator<Item = HandedOver> {
        handed_over().into_iter().filter(move |message| message.content.len() <= limit)
    }

    #[deadline::test(patches = [6, 7, 8, 9, 12, 13])]
    fn memory_is_unwritten_when_it_is_a_datagram() {
        let context = common::context();
        let (dish, address) = datagrams::dish(&context, &["group"]);
        let radio = context.socket(Radio).unwrap();
        radio.connect(&format!("udp://{address}")).unwrap();
        for message in at_most(8000) {
            let send = |message| radio.send_to_group("group", message).unwrap();
            message.travels("RADIO", send, || one(&dish).to_vec());
        }
        let peer = datagrams::plain();
        let address = peer.local_addr().unwrap();
        let mut buffer = [0; 9000];
        let mut receive = || {
            let (size, _) = peer.recv_from(&mut buffer).unwrap();
            buffer[..size].to_vec()
        };
        let (dgram, _) = datagrams::dgram(&context);
        for message in at_most(8192) {
            message.travels("DGRAM", |message| dgram.send_to(address, message).unwrap(), &mut receive);
        }
    }
}

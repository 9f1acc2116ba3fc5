//! Memory that is handed over to a message: libzmq never writes to it, over any transport and with any kind.

mod common;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use common::{eventually, next, skip_unless};
use zmq::{
    CanMultipart, CanRecv, Dealer, Message, Pair, Proxy, Pull, Push, Rep, Req, Router, Socket, SocketSpec, SocketType,
    Sub, XPub, XSub,
};

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

/// A message, and what reads its memory beside it.
struct HandedOver {
    message: Message,
    content: Vec<u8>,
    other: Box<dyn Fn() -> Vec<u8>>,
}

impl HandedOver {
    fn new(message: impl Into<Message>, other: impl Fn() -> Vec<u8> + 'static) -> HandedOver {
        HandedOver { message: message.into(), content: other(), other: Box::new(other) }
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

/// The endpoints to bind. A client masks what it sends over ws only.
fn endpoints() -> Vec<&'static str> {
    let mut endpoints = vec!["tcp://127.0.0.1:*", "ipc://*", "inproc://handed-over"];
    if !skip_unless(zmq::has("WS"), "a part, ws: this libzmq has no WebSockets") {
        endpoints.push("ws://127.0.0.1:*/path");
    }
    endpoints
}

/// Connects two sockets over each transport. The messages that `send` sends are received by `recv`.
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
        for HandedOver { message, content, other } in handed_over() {
            send(&bound, &connecting, message);
            assert!(recv(&bound, &connecting) == content, "{endpoint}");
            assert!(other() == content, "{endpoint}: memory that was handed over has changed");
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
                xpub.recv_timeout(Duration::from_millis(5)).unwrap().is_some()
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
        let frontend = SocketSpec::new(Pull).bind("inproc://frontend");
        let proxy = Proxy::builder(frontend, SocketSpec::new(Push).connect(&endpoint)).start(&context).unwrap();
        let push = context.socket(Push).unwrap();
        push.connect("inproc://frontend").unwrap();
        for HandedOver { message, content, other } in handed_over() {
            push.send(message).unwrap();
            assert!(last(&pull) == content, "{endpoint}");
            assert!(other() == content, "{endpoint}: memory that was handed over has changed");
        }
        assert!(proxy.terminate().unwrap().is_empty());
    }
}

#[cfg(feature = "draft")]
mod draft {
    use std::num::NonZeroU32;

    use super::*;
    use zmq::{Channel, Client, Dish, Gather, Peer, Radio, Scatter, Server};

    /// The next message of a kind that has messages of one part.
    fn one<T: CanRecv>(socket: &Socket<'_, T>) -> Message {
        socket.recv_timeout(common::DEADLINE).unwrap().expect("a message")
    }

    /// Receives a request, and gives the number of the client.
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
                dish.recv_timeout(Duration::from_millis(10)).unwrap().is_some()
            });
            for HandedOver { message, content, other } in handed_over() {
                peer.send_to_peer(number, message).unwrap();
                assert!(*one(&bound) == *content, "{endpoint}");
                assert!(other() == content, "{endpoint}: memory that was handed over has changed");
            }
            for HandedOver { message, content, other } in handed_over() {
                radio.send_to_group("group", message).unwrap();
                let mut received = one(&dish);
                while received.is_empty() {
                    received = one(&dish);
                }
                assert!(*received == *content, "{endpoint}");
                assert!(other() == content, "{endpoint}: memory that was handed over has changed");
            }
        }
    }
}

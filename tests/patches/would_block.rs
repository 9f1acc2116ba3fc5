//! socket_base.cpp: sends that do not wait, while there is room.

use std::collections::BTreeMap;
#[cfg(feature = "draft")]
use std::num::NonZeroU32;
#[cfg(feature = "draft")]
use std::time::Duration;

use zmq::{Context, Kind, Message, Socket};

use crate::common::{DEADLINE, TCP, context, eventually, next, opens};

/// How a message names the peer.
enum To {
    Any,
    Id(Vec<u8>),
    #[cfg(feature = "draft")]
    Number(NonZeroU32),
    #[cfg(feature = "draft")]
    Group,
}

/// Two sockets that are connected, with marks of 1.
struct Route<'a> {
    source: Socket<'a>,
    sink: Socket<'a>,
    to: To,
}

impl Route<'_> {
    /// Sends one byte, and returns whether there was room for it.
    fn sends(&self) -> bool {
        let message = Message::from("x");
        #[cfg(feature = "draft")]
        let message = match &self.to {
            To::Number(number) => {
                let mut message = message;
                message.set_routing_id(*number).unwrap();
                message
            }
            To::Group => {
                let mut message = message;
                message.set_group("group").unwrap();
                message
            }
            _ => message,
        };
        match &self.to {
            To::Id(id) => self.source.now().send_multipart([id[..].into(), message]).unwrap().is_sent(),
            _ => self.source.now().send(message).unwrap().is_sent(),
        }
    }

    /// Receives this number of bytes. A STREAM has an id before them.
    fn receive(&self, bytes: usize) {
        let mut received = 0;
        while received < bytes {
            let part = self.sink.within(DEADLINE).recv_msg().unwrap().expect("a message");
            received += if part.more() { 0 } else { part.len() };
        }
    }
}

/// The endpoints that sockets of these kinds can bind.
fn endpoints(source: Kind) -> Vec<&'static str> {
    if source == Kind::Stream {
        return vec![TCP];
    }
    let mut endpoints = vec!["inproc://source", TCP, "ipc://*"];
    endpoints.extend(zmq::has("WS").then_some("ws://127.0.0.1:*"));
    endpoints
}

fn sockets(context: &Context, source: Kind, sink: Kind) -> (Socket<'_>, Socket<'_>) {
    let (source, sink) = (context.socket(source).unwrap(), context.socket(sink).unwrap());
    source.set_sndhwm(1).unwrap();
    sink.set_rcvhwm(1).unwrap();
    match source.kind() {
        Kind::Router => {
            source.set_router_mandatory(true).unwrap();
            sink.set_routing_id("sink").unwrap();
        }
        Kind::XPub => {
            source.set_xpub_nodrop(true).unwrap();
            sink.subscribe("").unwrap();
        }
        #[cfg(feature = "draft")]
        Kind::Radio => {
            source.set_xpub_nodrop(true).unwrap();
            sink.join("group").unwrap();
        }
        _ => {}
    }
    (source, sink)
}

fn route<'a>(context: &'a Context, source: Kind, sink: Kind, endpoint: &str) -> Route<'a> {
    let (source, sink) = sockets(context, source, sink);
    #[cfg(feature = "draft")]
    if source.kind() == Kind::Peer {
        let number = source.connect_peer(&sink.bind(endpoint).unwrap()).unwrap();
        return Route { source, sink, to: To::Number(number) };
    }
    sink.connect(&source.bind(endpoint).unwrap()).unwrap();
    let to = match source.kind() {
        Kind::Router => {
            sink.send("hello").unwrap();
            To::Id(next(&source).swap_remove(0))
        }
        // The notice of the connection.
        Kind::Stream => To::Id(next(&source).swap_remove(0)),
        Kind::XPub => {
            eventually("the XPUB gets the subscription", || {
                sink.events().unwrap();
                source.now().recv_msg().unwrap().is_some()
            });
            To::Any
        }
        #[cfg(feature = "draft")]
        Kind::Server => {
            sink.send("hello").unwrap();
            To::Number(source.within(DEADLINE).recv_msg().unwrap().expect("a message").routing_id().unwrap())
        }
        #[cfg(feature = "draft")]
        Kind::Radio => {
            eventually("the RADIO knows the group", || {
                source.send_to_group("group", "probe").unwrap();
                sink.within(Duration::from_millis(5)).recv_msg().unwrap().is_some()
            });
            source.send_to_group("group", "end").unwrap();
            while sink.within(DEADLINE).recv_msg().unwrap().expect("the end") != "end" {}
            To::Group
        }
        _ => To::Any,
    };
    Route { source, sink, to }
}

/// A call that does not wait reads commands only once in a millisecond, and answers EAGAIN until then.
#[deadline::test(patches = [1009, 1027])]
fn now_sends_when_there_is_room_for_each_kind_and_transport() {
    let kinds = [
        (Kind::Push, Kind::Pull),
        (Kind::Dealer, Kind::Dealer),
        (Kind::Pair, Kind::Pair),
        (Kind::XPub, Kind::Sub),
        (Kind::Router, Kind::Dealer),
        (Kind::Stream, Kind::Stream),
    ]
    .into_iter();
    #[cfg(feature = "draft")]
    let kinds = kinds.chain([
        (Kind::Client, Kind::Server),
        (Kind::Server, Kind::Client),
        (Kind::Scatter, Kind::Gather),
        (Kind::Channel, Kind::Channel),
        (Kind::Peer, Kind::Peer),
        (Kind::Radio, Kind::Dish),
    ]);
    let mut refused = BTreeMap::new();
    for (source, sink) in kinds.filter(|(source, _)| opens(*source)) {
        for endpoint in endpoints(source) {
            let context = context();
            let route = route(&context, source, sink, endpoint);
            let mut unread = 0;
            eventually("the first message is sent", || route.sends());
            route.receive(1);
            for _ in 0..if endpoint.starts_with("inproc") { 300 } else { 50 } {
                while route.sends() {
                    unread += 1;
                }
                // The source's pipe gets the report of room before the source's next message can arrive.
                route.receive(unread);
                unread = usize::from(route.sends());
                if unread == 0 {
                    *refused.entry((source.to_string(), endpoint)).or_insert(0) += 1;
                }
            }
        }
    }
    assert!(refused.is_empty(), "refused in spite of room: {refused:?}");
}

/// With and without the patches REQ finds room when it has received the reply: its peer has read the request before.
#[deadline::test]
fn req_finds_room_for_its_next_request() {
    for endpoint in endpoints(Kind::Req) {
        let context = context();
        let (req, rep) = sockets(&context, Kind::Req, Kind::Rep);
        req.connect(&rep.bind(endpoint).unwrap()).unwrap();
        for number in 0..100 {
            let is_sent = req.now().send("request").unwrap().is_sent();
            // The connection may not be complete at the first request.
            if number == 0 && !is_sent {
                req.send("request").unwrap();
            }
            assert!(number == 0 || is_sent, "{endpoint}, {number}");
            assert_eq!(rep.within(DEADLINE).recv_msg().unwrap().unwrap(), "request");
            rep.send("reply").unwrap();
            assert_eq!(req.within(DEADLINE).recv_msg().unwrap().unwrap(), "reply");
        }
    }
}

/// The socket does not know a peer that has connected since it last read commands.
#[deadline::test(patches = [1027])]
fn now_sends_to_a_peer_that_has_just_connected() {
    let kinds =
        [(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer), (Kind::Pair, Kind::Pair), (Kind::Req, Kind::Rep)]
            .into_iter();
    #[cfg(feature = "draft")]
    let kinds =
        kinds.chain([(Kind::Client, Kind::Server), (Kind::Scatter, Kind::Gather), (Kind::Channel, Kind::Channel)]);
    let mut refused = BTreeMap::new();
    for (source_kind, sink_kind) in kinds.filter(|(source, _)| opens(*source)) {
        for _ in 0..50 {
            let context = context();
            let (source, sink) = sockets(&context, source_kind, sink_kind);
            source.bind("inproc://source").unwrap();
            assert!(!source.now().send("x").unwrap().is_sent());
            sink.connect("inproc://source").unwrap();
            if !source.now().send("x").unwrap().is_sent() {
                *refused.entry(source_kind.to_string()).or_insert(0) += 1;
            }
        }
    }
    assert!(refused.is_empty(), "refused in spite of a peer: {refused:?}");
}

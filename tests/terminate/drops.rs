//! Drops of sockets and contexts after `terminate` gave up: they return at once, and drop unsent messages.

use std::any::Any;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use zmq::{Context, Kind, Message, Socket};

use super::MOMENT;
use crate::common::{TCP, context, eventually, opens};

/// The longest time that a drop may take on a busy machine. A drop that lingers would not end: `ZMQ_LINGER` has no limit by
/// default.
const DROP_TIMEOUT: Duration = Duration::from_secs(20);

/// The number of messages that must be unsent, which is more than the system's buffers hold.
const UNSENT: usize = 20;
const SIZE: usize = 100_000;

/// Makes messages, and counts those that are not freed.
struct Messages(Arc<()>);

struct Owner {
    content: Vec<u8>,
    _count: Arc<()>,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Messages {
    fn new() -> Messages {
        Messages(Arc::new(()))
    }

    /// A message of `SIZE` bytes. An XPUB does not take its first byte for a subscription.
    fn make(&self) -> Message {
        Message::from_owner(Owner { content: vec![7; SIZE], _count: self.0.clone() })
    }

    fn unsent(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// The orders in which the last handles are dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Order {
    SocketsFirst,
    ContextFirst,
    /// The sockets answer ETERM before they are dropped, after the context.
    ContextFirstAfterEterm,
}

const ORDERS: [Order; 3] = [Order::SocketsFirst, Order::ContextFirst, Order::ContextFirstAfterEterm];

/// Has `terminate` give up, drops everything, and waits until the messages are freed.
fn give_up(what: &str, context: Context, sockets: Vec<Socket<'static>>, messages: &Messages, order: Order) {
    context.terminate(MOMENT).unwrap_err();
    let what = format!("{what}, {order:?}");
    if order == Order::ContextFirstAfterEterm {
        for socket in &sockets {
            assert_eq!(socket.linger().unwrap_err().errno(), zmq::Errno::ETERM, "{what}");
        }
    }
    let start = Instant::now();
    match order {
        Order::SocketsFirst => {
            drop(sockets);
            drop(context);
        }
        _ => {
            drop(context);
            drop(sockets);
        }
    }
    assert!(start.elapsed() < DROP_TIMEOUT, "{what}: the drop took {:?}", start.elapsed());
    eventually(&format!("{what}: the messages are freed"), || messages.unsent() == 0);
}

/// Kinds that queue messages for an absent peer.
fn kinds_that_wait_for_a_peer() -> Vec<Kind> {
    let mut kinds = vec![Kind::Push, Kind::Pair, Kind::Dealer, Kind::Req];
    #[cfg(feature = "draft")]
    kinds.extend([Kind::Client, Kind::Scatter, Kind::Channel]);
    kinds.retain(|kind| opens(*kind));
    kinds
}

fn has_ws() -> bool {
    zmq::has("WS")
}

#[deadline::test(patches = [54])]
fn drops_return_at_once_when_no_peer_came() {
    let endpoints = ["tcp://127.0.0.1:1", "ipc:///nowhere/nobody", "inproc://nobody", "ws://127.0.0.1:1"];
    for kind in kinds_that_wait_for_a_peer() {
        for endpoint in endpoints.into_iter().filter(|endpoint| has_ws() || !endpoint.starts_with("ws")) {
            for order in ORDERS {
                let context = Context::new().unwrap();
                let messages = Messages::new();
                let socket = context.owned_socket(kind).unwrap();
                socket.connect(endpoint).unwrap();
                socket.send(messages.make()).unwrap();
                assert_eq!(messages.unsent(), 1);
                give_up(&format!("{kind}, {endpoint}"), context, vec![socket], &messages, order);
            }
        }
    }
}

/// Kinds that send to a peer that is connected, each with the kind of that peer. The peer of a STREAM is a TCP connection.
fn kinds_with_a_peer() -> Vec<(Kind, Kind)> {
    let mut kinds = vec![
        (Kind::Push, Kind::Pull),
        (Kind::Pair, Kind::Pair),
        (Kind::Dealer, Kind::Router),
        (Kind::Router, Kind::Dealer),
        (Kind::Rep, Kind::Dealer),
        (Kind::Pub, Kind::Sub),
        (Kind::XPub, Kind::Sub),
        (Kind::XSub, Kind::XPub),
        (Kind::Stream, Kind::Stream),
    ];
    #[cfg(feature = "draft")]
    kinds.extend([
        (Kind::Server, Kind::Client),
        (Kind::Client, Kind::Server),
        (Kind::Radio, Kind::Dish),
        (Kind::Scatter, Kind::Gather),
        (Kind::Peer, Kind::Peer),
        (Kind::Channel, Kind::Channel),
    ]);
    kinds.retain(|(kind, _)| opens(*kind));
    kinds
}

/// A peer that never reads.
fn connect_peer(context: &Context, kind: Kind, endpoint: &str) -> Box<dyn Any> {
    if kind == Kind::Stream {
        return Box::new(TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap());
    }
    let peer = context.owned_socket(kind).unwrap();
    peer.set_rcvhwm(1).unwrap();
    peer.set_rcvbuf(Some(4096)).unwrap();
    peer.set_linger(Some(Duration::ZERO)).unwrap();
    match kind {
        Kind::Sub => peer.subscribe("").unwrap(),
        Kind::Dealer => peer.set_routing_id("peer").unwrap(),
        #[cfg(feature = "draft")]
        Kind::Dish => peer.join("group").unwrap(),
        _ => {}
    }
    match kind {
        // A SERVER or PEER sends to peers whose message it has received.
        #[cfg(feature = "draft")]
        Kind::Client => {
            peer.connect(endpoint).unwrap();
            peer.send("hello").unwrap();
        }
        #[cfg(feature = "draft")]
        Kind::Peer => {
            let number = peer.connect_peer(endpoint).unwrap();
            peer.send_to_peer(number, "hello").unwrap();
        }
        _ => peer.connect(endpoint).unwrap(),
    }
    Box::new(peer)
}

/// Sends messages until so many wait that the system's buffers are full.
fn send_unsent(socket: &Socket<'_>, peer: &dyn Any, messages: &Messages) {
    let mut id = Message::new();
    #[cfg(feature = "draft")]
    let mut number = None;
    eventually("messages wait", || {
        match socket.kind() {
            Kind::Router => socket.send_multipart([Message::from("peer"), messages.make()]).unwrap(),
            Kind::Stream => {
                if id.is_empty() {
                    id = socket.recv_multipart().unwrap().iter().next().unwrap().as_ref().into();
                }
                socket.send_multipart([id.clone(), messages.make()]).unwrap();
            }
            Kind::Rep => {
                let peer: &Socket<'static> = peer.downcast_ref().unwrap();
                peer.send_multipart(["", "request"]).unwrap();
                socket.recv_msg().unwrap();
                socket.send(messages.make()).unwrap();
            }
            #[cfg(feature = "draft")]
            Kind::Radio => socket.send_to_group("group", messages.make()).unwrap(),
            #[cfg(feature = "draft")]
            Kind::Server | Kind::Peer => {
                let number = *number.get_or_insert_with(|| socket.recv_msg().unwrap().routing_id().unwrap());
                socket.send_to_peer(number, messages.make()).unwrap();
            }
            _ => socket.send(messages.make()).unwrap(),
        }
        messages.unsent() > UNSENT
    });
}

/// As [`give_up`], with messages to a peer that does not read.
fn give_up_with_a_peer(transport: &str) {
    thread::scope(|scope| {
        for (kind, peer_kind) in kinds_with_a_peer() {
            let is_fit = kind != Kind::Stream || transport == TCP;
            for order in ORDERS.into_iter().filter(|_| is_fit) {
                scope.spawn(move || {
                    let (context, others) = (Context::new().unwrap(), context());
                    let messages = Messages::new();
                    let socket = context.owned_socket(kind).unwrap();
                    socket.set_sndhwm(0).unwrap();
                    socket.set_sndbuf(Some(4096)).unwrap();
                    let endpoint = socket.bind(transport).unwrap();
                    // Inside the context, the peer is dropped with the socket.
                    let is_inproc = transport.starts_with("inproc");
                    let peer = connect_peer(if is_inproc { &context } else { &others }, peer_kind, &endpoint);
                    send_unsent(&socket, &*peer, &messages);
                    let (mut sockets, mut remote) = (vec![socket], None);
                    match peer.downcast::<Socket<'static>>() {
                        Ok(peer) if is_inproc => sockets.push(*peer),
                        Ok(peer) => remote = Some(peer as Box<dyn Any>),
                        Err(stream) => remote = Some(stream),
                    }
                    give_up(&format!("{kind}, {transport}"), context, sockets, &messages, order);
                    drop(remote);
                });
            }
        }
    });
}

#[deadline::test(patches = [54])]
fn drops_return_at_once_when_a_peer_over_tcp_does_not_read() {
    give_up_with_a_peer(TCP);
}

#[deadline::test(patches = [54])]
fn drops_return_at_once_when_a_peer_over_ipc_does_not_read() {
    give_up_with_a_peer("ipc://*");
}

#[deadline::test(patches = [54])]
fn drops_return_at_once_when_a_peer_over_inproc_does_not_read() {
    give_up_with_a_peer("inproc://name");
}

#[deadline::test(patches = [54])]
fn drops_return_at_once_when_a_peer_over_ws_does_not_read() {
    if has_ws() {
        give_up_with_a_peer("ws://127.0.0.1:*");
    }
}

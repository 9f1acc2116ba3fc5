//! Addresses are free again after unbind and close, for kinds other than REP.

use std::any::Any;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use socket2::Type;
use zmq::{Context, Kind, Socket};

use super::{bind_again, endpoints};
use crate::common::{DEADLINE, HeldPort, context, opens};

/// Kinds that listen, each with the kind of its peer. The peer of a STREAM is a TCP connection.
fn listening_kinds() -> Vec<(Kind, Kind)> {
    let mut kinds = vec![
        (Kind::Pair, Kind::Pair),
        (Kind::Pub, Kind::Sub),
        (Kind::Pull, Kind::Push),
        (Kind::Router, Kind::Dealer),
        (Kind::Stream, Kind::Stream),
    ];
    #[cfg(feature = "draft")]
    kinds.extend([(Kind::Server, Kind::Client), (Kind::Channel, Kind::Channel)]);
    kinds.retain(|(kind, _)| opens(*kind));
    kinds
}

/// A peer of `server`, after a first message between the two.
fn connect_kind(context: &Context, server: &Socket<'_>, kind: Kind, endpoint: &str) -> Box<dyn Any> {
    let receive = || while server.within(DEADLINE).recv_msg().unwrap().expect("a part").more() {};
    let endpoint = endpoint.replace('*', "127.0.0.1");
    if kind == Kind::Stream {
        let mut client = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
        client.write_all(b"Hello").unwrap();
        receive();
        return Box::new(client);
    }
    let peer = context.owned_socket(kind).unwrap();
    peer.set_linger(Some(Duration::ZERO)).unwrap();
    peer.set_reconnect_ivl(None).unwrap();
    if kind == Kind::Sub {
        peer.subscribe("").unwrap();
        peer.connect(&endpoint).unwrap();
        while peer.within(Duration::from_millis(5)).recv_msg().unwrap().is_none() {
            server.send("Hello").unwrap();
        }
    } else {
        peer.connect(&endpoint).unwrap();
        peer.send("Hello").unwrap();
        receive();
    }
    Box::new(peer)
}

/// For each listening kind, binds sockets to one endpoint in turn, with and without a peer. `end` ends each before the next
/// binds.
fn bind_kinds_in_turn(end: impl Fn(Socket<'_>, &str)) {
    let port = HeldPort::new(Type::STREAM, Ipv4Addr::UNSPECIFIED);
    for (kind, peer) in listening_kinds() {
        let is_fit = |endpoint: &String| kind != Kind::Stream || endpoint.starts_with("tcp");
        for endpoint in endpoints(port.address().port()).into_iter().filter(is_fit) {
            let context = context();
            let mut took = Duration::ZERO;
            for turn in 0..30 {
                let server = context.socket(kind).unwrap();
                if kind == Kind::Stream {
                    server.set_stream_notify(false).unwrap();
                }
                bind_again(&server, &endpoint, took, &format!("{kind}, turn {turn}"));
                let peer = (turn % 3 > 0).then(|| connect_kind(&context, &server, peer, &endpoint));
                // A peer leaves before its server or after it.
                let peer = peer.filter(|_| turn % 3 == 1);
                let start = Instant::now();
                end(server, &endpoint);
                took = start.elapsed();
                drop(peer);
            }
        }
    }
}

#[deadline::test]
fn address_is_free_when_unbind_has_returned_for_every_listening_kind() {
    bind_kinds_in_turn(|server, endpoint| server.unbind(endpoint).unwrap());
}

#[deadline::test]
fn address_is_free_when_close_has_returned_for_every_listening_kind() {
    bind_kinds_in_turn(|server, _| server.close());
}

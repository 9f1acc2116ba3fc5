//! Messages that libzmq itself sends: probes and hello messages to a new peer, and heartbeats.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use zmq::monitor::Events;
use zmq::{Errno, Kind, Socket};

use super::cut::PAIRS;
use super::{Flow, Result, Stop};
use crate::ops::hostile;
use crate::world::within;

/// A ROUTER receives the hello message and the probe of its peer in this order, and answers all that follows.
pub fn run(flow: &mut Flow<'_>) -> Result {
    let kind = *flow.rng.pick(&[Kind::Dealer, Kind::Router, Kind::Req]);
    let (prober, router) = (flow.socket(kind)?, flow.socket(Kind::Router)?);
    prober.set_probe_router(true)?;
    router.set_routing_id("router")?;
    // Without ZMQ_ROUTER_MANDATORY, messages that have no room are dropped.
    router.set_router_mandatory(true)?;
    if kind == Kind::Router {
        prober.set_router_mandatory(true)?;
    }
    for socket in [&prober, &router] {
        if !flow.rng.one_in(3) {
            socket.set_sndhwm(*flow.rng.pick(&[1, 1, 2]))?;
            socket.set_rcvhwm(*flow.rng.pick(&[1, 1, 2]))?;
        }
    }
    #[cfg_attr(not(feature = "draft"), allow(unused_mut, reason = "ZMQ_HELLO_MSG is of the draft API"))]
    let mut greetings = vec![""];
    #[cfg(feature = "draft")]
    if flow.rng.coin() && kind != Kind::Req {
        prober.set_hello_msg("hello")?;
        greetings.insert(0, "hello");
    }
    flow.world.note(format_args!("{kind}: marks {} and {}, {greetings:?}", prober.sndhwm()?, router.rcvhwm()?));
    let (server, client) = if flow.rng.coin() { (&router, &prober) } else { (&prober, &router) };
    if flow.rng.coin() {
        // The greetings wait until the name is bound.
        let name = format!("inproc://greetings-{}", flow.world.number());
        client.connect(&name)?;
        server.bind(&name)?;
    } else {
        flow.link_one(server, &[client])?;
    }
    for greeting in greetings {
        let (_, text) = receive(flow, &router, &prober)?;
        if text != greeting.as_bytes() {
            return Err(Stop::Fault(format!("a ROUTER receives {text:?} instead of the greeting {greeting:?}")));
        }
    }
    for _ in 0..1 + flow.rng.below(20) {
        let window = if kind == Kind::Req { 1 } else { 1 + flow.rng.below(2) };
        for number in 0..window {
            send(flow, &prober, &format!("request {number}"))?;
            let (mut envelope, text) = receive(flow, &router, &prober)?;
            if text != format!("request {number}").as_bytes() {
                return Err(Stop::Fault(format!("a ROUTER receives {text:?} instead of request {number}")));
            }
            envelope.push(format!("reply {number}").into_bytes());
            router.send_multipart(envelope)?;
        }
        for number in 0..window {
            let (_, text) = receive(flow, &prober, &router)?;
            if text != format!("reply {number}").as_bytes() {
                return Err(Stop::Fault(format!("a {kind} receives {text:?} instead of reply {number}")));
            }
        }
    }
    Ok(())
}

/// Sends to the ROUTER, as soon as it is known.
fn send(flow: &Flow<'_>, prober: &Socket<'static>, text: &str) -> Result {
    if prober.kind() != Kind::Router {
        return Ok(prober.send(text)?);
    }
    flow.wait("the ROUTER is known to its peer", || match prober.now().send_multipart(["router", text]) {
        Ok(sent) => Ok(sent.is_sent()),
        Err(failed) if failed.error().errno() == Errno::EHOSTUNREACH => Ok(false),
        Err(failed) => Err(failed.into()),
    })
}

/// Receives a message, and returns the parts before the last one, and the last one. The peer attaches its connection when it
/// is used.
fn receive(flow: &Flow<'_>, socket: &Socket<'static>, peer: &Socket<'static>) -> Result<(Vec<Vec<u8>>, Vec<u8>)> {
    let mut received = None;
    flow.wait(&format!("a {} receives from a {}", socket.kind(), peer.kind()), || {
        peer.events()?;
        received = socket.within(Duration::from_millis(5)).recv_multipart()?;
        Ok(received.is_some())
    })?;
    let mut parts: Vec<Vec<u8>> = received.iter().flatten().map(|part| part.to_vec()).collect();
    let last = parts.pop().unwrap_or_default();
    Ok((parts, last))
}

/// A connection with heartbeats stays, for all kinds, all transports, and all TTLs that its peer announces.
pub fn heartbeats(flow: &mut Flow<'_>) -> Result {
    let (from, to) = *flow.rng.pick(PAIRS);
    let (left, right) = (flow.socket(from)?, flow.socket(to)?);
    let both = flow.rng.coin();
    for socket in [&left, &right].into_iter().take(if both { 2 } else { 1 }) {
        socket.set_heartbeat_ivl(Some(Duration::from_millis(3)))?;
        socket.set_heartbeat_timeout(Some(within()))?;
        socket.set_heartbeat_ttl(*flow.rng.pick(&[Duration::ZERO, within(), Duration::from_millis(65_500)]))?;
    }
    let monitors = [left.monitor(Events::DISCONNECTED)?, right.monitor(Events::DISCONNECTED)?];
    let endpoint = if flow.rng.coin() { flow.link_one(&left, &[&right])? } else { flow.link_one(&right, &[&left])? };
    if flow.rng.one_in(3) {
        let server = flow.socket(Kind::Dealer)?;
        if flow.rng.coin() {
            raw_heartbeats(flow, &server)?;
        } else {
            bare_websocket(flow, &server)?;
        }
    }
    std::thread::sleep(Duration::from_millis(30));
    for monitor in &monitors {
        if let Some(notice) = monitor.next_event(Duration::ZERO)?
            && !flow.world.has_ended()
        {
            return Err(Stop::Fault(format!("heartbeats of {from} and {to} over {endpoint} end in {notice:?}")));
        }
    }
    Ok(())
}

/// A peer announces any TTL in a PING, is silent for less than that, and is still connected.
fn raw_heartbeats(flow: &mut Flow<'_>, server: &Socket<'static>) -> Result {
    let endpoint = server.bind("tcp://127.0.0.1:*")?;
    let Ok(mut peer) = TcpStream::connect(endpoint.trim_start_matches("tcp://")) else { return Err(Stop::Ended) };
    // The TTL is in tenths of a second.
    let ttl = *flow.rng.pick(&[0, 50, 655, 656, 656, 657, 657, u16::MAX]);
    let mut talk = || -> std::io::Result<()> {
        peer.set_read_timeout(Some(within()))?;
        peer.write_all(&hostile::greeting())?;
        peer.read_exact(&mut [0; 64])?;
        peer.write_all(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER")?;
        // The READY of the server. A PING before it would end the handshake.
        let mut header = [0; 2];
        peer.read_exact(&mut header)?;
        peer.read_exact(&mut vec![0; header[1].into()])?;
        peer.write_all(b"\x04\x07\x04PING")?;
        peer.write_all(&ttl.to_be_bytes())?;
        std::thread::sleep(Duration::from_millis(200));
        peer.write_all(b"\0\x01A")
    };
    let talked = talk();
    let arrived = talked.is_ok() && server.within(within()).recv_msg()?.is_some();
    if !arrived && !flow.world.has_ended() {
        return Err(Stop::Fault(format!("a peer with a TTL of {ttl} tenths of a second was disconnected: {talked:?}")));
    }
    Ok(())
}

/// Peers over ws:// without a mechanism connect while the pipes of the server are full, and get heartbeats. Their messages
/// arrive.
fn bare_websocket(flow: &mut Flow<'_>, server: &Socket<'static>) -> Result {
    server.set_heartbeat_ivl(Some(Duration::from_millis(5)))?;
    server.set_heartbeat_timeout(Some(within()))?;
    server.set_rcvhwm(1 + flow.rng.below(3) as u32)?;
    let endpoint = server.bind("ws://127.0.0.1:*")?;
    let address = endpoint.trim_start_matches("ws://").trim_end_matches('/');
    let count = 1 + flow.rng.below(5) as u8;
    let talk = |number: u8| -> std::io::Result<TcpStream> {
        let mut peer = TcpStream::connect(address)?;
        peer.set_read_timeout(Some(within()))?;
        peer.write_all(
            b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: \
              dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ZWS2.0\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            peer.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
        // An empty routing id and a message, masked with zeros: each begins with its flags.
        peer.write_all(&[0x82, 0x81, 0, 0, 0, 0, 0, 0x82, 0x82, 0, 0, 0, 0, 0, number])?;
        Ok(peer)
    };
    let peers = (0..count).map(talk).collect::<std::io::Result<Vec<_>>>();
    std::thread::sleep(Duration::from_millis(20));
    let mut heard = 0;
    while heard < count && server.within(within()).recv_msg()?.is_some() {
        heard += 1;
    }
    if heard < count && !flow.world.has_ended() {
        return Err(Stop::Fault(format!("of {count} peers of ws:// without a mechanism {heard} are heard: {peers:?}")));
    }
    Ok(())
}

//! Messages that libzmq itself sends to a new peer: probes and hello messages.

use std::time::Duration;

use zmq::{Errno, Kind, Socket};

use super::{Flow, Result, Stop};

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

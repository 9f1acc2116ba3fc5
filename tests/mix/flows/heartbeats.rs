//! Heartbeats: a connection stays while its peer lives.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use zmq::monitor::Events;
use zmq::{Kind, Message};

use super::cut::PAIRS;
use super::{Flow, Result, Stop};
use crate::common::PATIENCE;
use crate::ops::hostile;
use crate::world::within;

/// A connection with heartbeats stays, for all kinds, all transports, and all TTLs that its peer announces.
pub fn run(flow: &mut Flow<'_>) -> Result {
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
    if flow.rng.one_in(6) {
        bare_websocket(flow)?;
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
pub fn announced_ttl(flow: &mut Flow<'_>) -> Result {
    let server = flow.socket(Kind::Dealer)?;
    let endpoint = server.bind("tcp://127.0.0.1:*")?;
    let Ok(mut peer) = TcpStream::connect(endpoint.trim_start_matches("tcp://")) else { return Err(Stop::Ended) };
    // The TTL is in tenths of a second. A product of 16 bits is 64 ms for 656, and 28 ms for 1311.
    let ttl = *flow.rng.pick(&[0, 50, 655, 656, 656, 1311, 1311, u16::MAX]);
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
        std::thread::sleep(Duration::from_millis(100));
        peer.write_all(b"\0\x01A")
    };
    let talked = talk();
    let arrived = talked.is_ok() && server.within(within()).recv_msg()?.is_some();
    if !arrived && !flow.world.has_ended() {
        return Err(Stop::Fault(format!("a peer with a TTL of {ttl} tenths of a second was disconnected: {talked:?}")));
    }
    Ok(())
}

/// A receiver at its mark does not read the answers to its heartbeats. It keeps the connection of a peer that lives.
pub fn at_mark(flow: &mut Flow<'_>) -> Result {
    const PAIRS: &[(Kind, Kind)] = &[
        (Kind::Push, Kind::Pull),
        (Kind::Pair, Kind::Pair),
        (Kind::Dealer, Kind::Router),
        #[cfg(feature = "draft")]
        (Kind::Scatter, Kind::Gather),
        #[cfg(feature = "draft")]
        (Kind::Client, Kind::Server),
    ];
    /// The number of sends in a row, a millisecond apart, that find no room.
    const REFUSED: u32 = 50;
    let timeout = Duration::from_millis(150) * PATIENCE;
    let (from, to) = *flow.rng.pick(PAIRS);
    let (sender, receiver) = (flow.socket(from)?, flow.socket(to)?);
    sender.set_linger(Some(Duration::ZERO))?;
    sender.set_sndhwm(1)?;
    sender.set_sndbuf(Some(4096))?;
    receiver.set_rcvhwm(1)?;
    receiver.set_rcvbuf(Some(4096))?;
    receiver.set_heartbeat_ivl(Some(Duration::from_millis(5)))?;
    receiver.set_heartbeat_timeout(Some(timeout))?;
    let monitor = receiver.monitor(Events::DISCONNECTED)?;
    let endpoint = *flow.rng.pick(&["tcp://127.0.0.1:*", "ws://127.0.0.1:*", "ipc://*"]);
    sender.connect(&receiver.bind(endpoint)?)?;
    sender.send("the first")?;
    if receiver.within(within()).recv_multipart()?.is_none() {
        return Err(Stop::Fault("a message did not arrive".to_owned()));
    }
    let end = Instant::now() + within();
    let mut refused = 0;
    while refused < REFUSED {
        refused = if sender.now().send(Message::from([7; 1000]))?.is_sent() { 0 } else { refused + 1 };
        if refused > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        // If the threads of libzmq get no time, a connection ends before the receiver is full, and is made again.
        if flow.world.has_ended() || Instant::now() > end {
            return Err(Stop::Ended);
        }
    }
    while monitor.next_event(Duration::ZERO)?.is_some() {}
    match monitor.next_event(timeout * 2)? {
        Some(notice) if !flow.world.has_ended() => {
            let event = notice.event();
            Err(Stop::Fault(format!("a {to} at its mark loses the connection of a {from} over {endpoint}: {event:?}")))
        }
        _ => Ok(()),
    }
}

/// Peers over ws:// without a mechanism connect while the pipes of the server are full, and get heartbeats. Their messages
/// arrive.
fn bare_websocket(flow: &mut Flow<'_>) -> Result {
    let server = flow.socket(Kind::Dealer)?;
    server.set_heartbeat_ivl(Some(Duration::from_millis(5)))?;
    server.set_heartbeat_timeout(Some(within()))?;
    server.set_rcvhwm(1 + flow.rng.below(3) as u32)?;
    let endpoint = server.bind("ws://127.0.0.1:*")?;
    let address = endpoint.trim_start_matches("ws://").trim_end_matches('/');
    let count = 1 + flow.rng.below(5) as u8;
    let talk = |mut peer: TcpStream, number: u8| -> std::io::Result<TcpStream> {
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
    // Another thread may have lowered the limit of descriptors for a moment.
    let connect = |number| TcpStream::connect(address).map(|peer| talk(peer, number));
    let Ok(peers) = (0..count).map(connect).collect::<std::io::Result<Vec<_>>>() else { return Err(Stop::Ended) };
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

//! Peers that are not libzmq: they write cut and wrong ZMTP, WebSockets and SOCKS5, and close at any time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::{Row, Thread, row};
use crate::common::rng::Rng;

pub const ROWS: &[Row] = &[row("raw-client", 12, raw_client), row("raw-server", 5, raw_server), row("socks", 3, socks)];

const IO_TIMEOUT: Duration = Duration::from_millis(10);

/// A greeting of ZMTP 3 with the mechanism NULL.
pub fn greeting() -> Vec<u8> {
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".to_vec();
    greeting.resize(64, 0);
    greeting
}

/// Bytes that a peer could write: the beginning is often right.
fn bytes(rng: &mut Rng) -> Vec<u8> {
    let mut all = match rng.below(8) {
        0 => Vec::new(),
        // ZMTP 1.0: the length and the flags of an id.
        1 => vec![1, 0],
        2 => b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\0\0".to_vec(),
        3 => b"GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: \
               dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ZWS2.0/NULL\r\nSec-WebSocket-Version: 13\r\n\r\n"
            .to_vec(),
        _ => greeting(),
    };
    const FRAMES: [&[u8]; 16] = [
        b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL",
        b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER",
        b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB",
        b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03REQ",
        b"\x04\x26\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x01x",
        b"\x04\x06\x05READY",
        b"\x04\x07\x05ERROR\0",
        b"\0\x02\x01A",
        b"\0\x02\0A",
        b"\x01\x01x\0\x01y",
        b"\x01\0\0\0",
        b"\x04\x07\x04PING\0\x01",
        b"\x04\x05\x04PING",
        b"\x04\x05\x04PONG",
        b"\x02\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x82\x85\x01\x02\x03\x04\x01\x43\x40\x41\x40",
    ];
    for _ in 0..rng.below(6) {
        all.extend(*rng.pick(&FRAMES));
    }
    if rng.one_in(3) {
        all.extend((0..rng.below(200)).map(|_| rng.next() as u8));
    }
    if rng.one_in(3) {
        all.truncate(rng.below(all.len() + 1));
    }
    all
}

/// Writes in pieces, reads a little, and closes, with unread bytes or without.
fn talk(mut stream: impl Read + Write, rng: &mut Rng) {
    let all = bytes(rng);
    for piece in all.chunks(1 + rng.below(all.len() + 1)) {
        if stream.write_all(piece).is_err() {
            return;
        }
        if rng.coin() {
            let _ = stream.read(&mut [0; 256]);
        }
    }
}

/// Connects to an endpoint that another operation has bound.
fn raw_client(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Some(endpoint) = thread.world.endpoint(rng) else { return };
    attack(&endpoint, rng);
}

/// Connects to an endpoint, if it is one of tcp, ws or ipc, and talks nonsense.
pub fn attack(endpoint: &str, rng: &mut Rng) {
    let (transport, address) = endpoint.split_once("://").unwrap_or_default();
    let address = address.split('/').next().filter(|_| transport != "ipc").unwrap_or(address);
    if transport == "ipc" {
        let Ok(stream) = UnixStream::connect(address) else { return };
        let _ = stream.set_read_timeout(Some(IO_TIMEOUT));
        talk(stream, rng);
    } else if let Ok(address) = address.parse()
        && transport != "udp"
    {
        let Ok(stream) = TcpStream::connect_timeout(&address, IO_TIMEOUT) else { return };
        let _ = stream.set_read_timeout(Some(IO_TIMEOUT));
        let _ = stream.set_write_timeout(Some(IO_TIMEOUT));
        let _ = rng.coin().then(|| socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)));
        talk(stream, rng);
    }
}

/// Connects to an endpoint, and leaves before the handshake is complete.
pub fn knock(endpoint: &str, rng: &mut Rng) {
    let mut cut = greeting();
    cut.truncate(rng.below(64));
    let (transport, address) = endpoint.split_once("://").unwrap_or_default();
    let wait = rng.coin();
    let talk = |mut stream: Box<dyn ReadWrite>| {
        let _ = stream.write_all(&cut);
        if wait {
            let _ = stream.read(&mut [0; 64]);
        }
    };
    if transport == "ipc" {
        let Ok(stream) = UnixStream::connect(address) else { return };
        let _ = stream.set_read_timeout(Some(IO_TIMEOUT));
        talk(Box::new(stream));
    } else if let Ok(address) = address.split('/').next().unwrap_or_default().parse() {
        let Ok(stream) = TcpStream::connect_timeout(&address, IO_TIMEOUT) else { return };
        let _ = stream.set_read_timeout(Some(IO_TIMEOUT));
        talk(Box::new(stream));
    }
}

trait ReadWrite: Read + Write {}

impl<T: Read + Write> ReadWrite for T {}

/// Accepts a few connections of the sockets that connect to it.
fn raw_server(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return };
    let (Ok(address), Ok(())) = (listener.local_addr(), listener.set_nonblocking(true)) else { return };
    let transport = if rng.one_in(4) { "ws" } else { "tcp" };
    thread.world.add_endpoint(rng, format!("{transport}://{address}"));
    serve(thread, listener, rng.fork(), talk);
}

fn serve(thread: &Thread<'_>, listener: TcpListener, mut rng: Rng, talk: fn(TcpStream, &mut Rng)) {
    thread.world.help(move || {
        for _ in 0..20 {
            if let Ok((stream, _)) = listener.accept() {
                let _ = stream.set_nonblocking(false);
                let _ = stream.set_read_timeout(Some(IO_TIMEOUT));
                let _ = stream.set_write_timeout(Some(IO_TIMEOUT));
                talk(stream, &mut rng);
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    });
}

/// A SOCKS5 proxy whose replies have all lengths and cuts, and a socket that uses it.
fn socks(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return };
    let (Ok(address), Ok(())) = (listener.local_addr(), listener.set_nonblocking(true)) else { return };
    if let Some(socket) = thread.socket(rng) {
        let _ = socket.set_socks_proxy(address.to_string().as_str());
        let _ = socket.set_connect_timeout(Some(Duration::from_millis(100)));
        let _ = socket.connect("tcp://127.0.0.1:1");
    }
    serve(thread, listener, rng.fork(), |mut stream, rng| {
        let _ = stream.read(&mut [0; 300]);
        if stream.write_all(&[5, *rng.pick(&[0, 0, 0, 2, 0xff])]).is_err() {
            return;
        }
        let _ = stream.read(&mut [0; 300]);
        let mut reply = vec![5, *rng.pick(&[0, 0, 0, 1]), 0];
        match rng.below(4) {
            0 => reply.extend([1, 127, 0, 0, 1, 0, 1]),
            1 => reply.extend([4; 19]),
            2 => reply.push(rng.next() as u8),
            _ => {
                let len = rng.next() as u8;
                reply.extend([3, len]);
                reply.extend((0..usize::from(len) + 2).map(|_| b'a'));
            }
        }
        if rng.coin() {
            reply.extend((0..rng.below(600)).map(|_| b'b'));
        }
        if rng.one_in(3) {
            reply.truncate(rng.below(reply.len()));
        }
        for piece in reply.chunks(1 + rng.below(reply.len() + 1)) {
            let _ = stream.write_all(piece);
        }
        let _ = stream.read(&mut [0; 64]);
    });
}

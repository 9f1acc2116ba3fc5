//! Peers of draft kinds that violate the protocol after a valid handshake are cut off or ignored. Other peers are served all
//! the while.

#![cfg(feature = "draft")]

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use common::{DEADLINE, eventually};
use zmq::{Kind, Socket};

/// A frame with these flags: 1 is MORE, 4 is COMMAND.
fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(size) => [&[flags, size][..], body].concat(),
        Err(_) => [&[flags | 2][..], &(body.len() as u64).to_be_bytes(), body].concat(),
    }
}

/// The greeting of ZMTP 3.0 or 3.1 with the NULL mechanism, and the READY command of a client of that type.
fn ready(minor: u8, kind: &str) -> Vec<u8> {
    let mut greeting = [&b"\xff\0\0\0\0\0\0\0\x01\x7f\x03"[..], &[minor], b"NULL"].concat();
    greeting.resize(64, 0);
    let property = [b"\x05READY\x0bSocket-Type\0\0\0", &[kind.len() as u8][..], kind.as_bytes()].concat();
    [greeting, frame(4, &property)].concat()
}

/// Frames after the handshake.
fn nonsense() -> Vec<Vec<u8>> {
    let long = |size| vec![b'g'; size];
    let mut all = vec![
        frame(0, b""),
        frame(0, b"alone"),
        frame(0, &long(300)),
        [frame(1, b""), frame(0, b"")].concat(),
        [frame(1, b"group"), frame(1, b"body"), frame(0, b"tail")].concat(),
        [frame(1, b"a\0b"), frame(0, b"body")].concat(),
        [frame(1, &long(255)), frame(0, b"body")].concat(),
        [frame(1, &long(256)), frame(0, b"body")].concat(),
        [frame(1, &long(70_000)), frame(0, b"body")].concat(),
        frame(1, b"group"),
        [frame(1, b"group"), frame(4, b"\x04JOINgroup")].concat(),
        [frame(1, b"group"), frame(4, b"\x04PING\0\0")].concat(),
        frame(4, b""),
        frame(4, b"\x04JOIN"),
        frame(4, b"\x05LEAVE"),
        frame(4, b"\x05LEAVEnever"),
        frame(4, b"\x04JOINa\0b"),
        frame(5, b"\x04JOINmore"),
        [frame(4, b"\x04JOINtwice"), frame(4, b"\x04JOINtwice"), frame(4, b"\x05LEAVEtwice")].concat(),
        frame(4, b"\x09SUBSCRIBEx"),
        frame(4, b"\x06CANCELx"),
        frame(4, b"\x05READY"),
        frame(4, b"\x05ERROR\x01x"),
        [frame(1, b"one"), frame(1, b"two")].concat(),
        vec![2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    for size in [14, 15, 254, 255, 256, 257, 300, 9000, 70_000] {
        all.push(frame(4, &[&b"\x04JOIN"[..], &long(size)].concat()));
        all.push(frame(4, &[&b"\x05LEAVE"[..], &long(size)].concat()));
    }
    all
}

/// Serves a good peer. Messages of bad peers may arrive before its own.
fn served(server: &Socket<'_>, client: &Socket<'_>) {
    match server.kind() {
        Kind::Radio => eventually("the dish hears the radio", || {
            server.send_to_group("good", "news").unwrap();
            client.now().recv_msg().unwrap().is_some_and(|message| message == "news")
        }),
        Kind::Dish => eventually("the radio reaches the dish", || {
            client.send_to_group("good", "news").unwrap();
            server.now().recv_msg().unwrap().is_some_and(|message| message == "news")
        }),
        Kind::Scatter => eventually("the gatherer is fed", || {
            assert!(server.within(DEADLINE).send("work").unwrap().is_sent());
            client.now().recv_msg().unwrap().is_some_and(|message| message == "work")
        }),
        _ => {
            client.send("good").unwrap();
            let request = loop {
                let message = server.within(DEADLINE).recv_msg().unwrap().unwrap();
                if message == "good" {
                    break message;
                }
            };
            if server.kind() == Kind::Gather {
                return;
            }
            server.send(request).unwrap();
            assert_eq!(client.within(DEADLINE).recv_msg().unwrap().unwrap(), "good");
        }
    }
}

#[deadline::test(patches = [6, 7, 13])]
fn draft_sockets_serve_good_peers_after_bad_peers() {
    let pairs = [
        (Kind::Server, Kind::Client),
        (Kind::Radio, Kind::Dish),
        (Kind::Dish, Kind::Radio),
        (Kind::Gather, Kind::Scatter),
        (Kind::Scatter, Kind::Gather),
    ];
    for (kind, other) in pairs {
        let context = common::context();
        let server = context.socket(kind).unwrap();
        let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
        let client = context.socket(other).unwrap();
        client.connect(&endpoint).unwrap();
        for joins in [&server, &client] {
            let _ = joins.join("good");
        }
        served(&server, &client);
        let name = other.c_name().strip_prefix("ZMQ_").unwrap();
        for minor in [0, 1] {
            for bad in nonsense() {
                let mut stream = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                // The handshake is over after the other side's greeting and READY.
                stream.write_all(&ready(minor, name)).unwrap();
                let mut greeting = [0; 66];
                stream.read_exact(&mut greeting).unwrap();
                // The other side may have closed the connection already.
                let _ = stream.write_all(&bad);
                let _ = stream.shutdown(Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
                while server.kind() != Kind::Radio
                    && server.kind() != Kind::Scatter
                    && server.now().recv_msg().unwrap().is_some()
                {}
            }
        }
        served(&server, &client);
        drop((server, client));
        context.terminate(DEADLINE).unwrap();
    }
}

#[deadline::test(patches = [13])]
fn peer_and_channel_survive_bad_peers() {
    // A channel has one peer, so each bad one gets a channel of its own.
    for kind in [Kind::Peer, Kind::Channel] {
        for bad in nonsense() {
            let context = common::context();
            let server = context.socket(kind).unwrap();
            let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
            let mut stream = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            stream.write_all(&ready(1, kind.c_name().strip_prefix("ZMQ_").unwrap())).unwrap();
            let mut greeting = [0; 66];
            stream.read_exact(&mut greeting).unwrap();
            let _ = stream.write_all(&bad);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
            while server.now().recv_msg().unwrap().is_some() {}
            let client = context.socket(kind).unwrap();
            client.connect(&endpoint).unwrap();
            if kind == Kind::Channel {
                // The channel takes another peer after it has noticed that the first peer is gone.
                let _ = server.now().recv_msg().unwrap();
            } else {
                let id = client.connect_peer(&endpoint).unwrap();
                client.send_to_peer(id, "good").unwrap();
                assert_eq!(server.within(DEADLINE).recv_msg().unwrap().unwrap(), "good");
            }
            drop((server, client));
            context.terminate(DEADLINE).unwrap();
        }
    }
}

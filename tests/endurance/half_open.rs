//! Connections that stop at a stage of the handshake.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use socket2::SockRef;
use zmq::security::Security;
use zmq::{Dealer, Router, curve_keypair};

use crate::common::rng::Rng;
use crate::common::{TCP, context, wait_for_close};
use crate::flow::{Client, numbered};
use crate::run::{LONGEST_WAIT, descriptors, endure, many_or_few, wait_for_descriptors};

const TEST: &str = "half_open::connections_that_stop_in_the_handshake_do_not_disturb_others";

/// The bytes of a peer with this mechanism, and the length of those up to the end of the handshake.
fn bytes(mechanism: &str) -> (Vec<u8>, usize) {
    let mut bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01".to_vec();
    bytes.extend(mechanism.as_bytes());
    bytes.resize(64, 0);
    if mechanism == "CURVE" {
        bytes.extend(b"\x04\xc8\x05HELLO\x01");
        bytes.resize(64 + 202 - 1, 0);
        let end = bytes.len() + 1;
        return (bytes, end);
    }
    bytes.extend(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER");
    let end = bytes.len();
    // A frame of 100 bytes.
    bytes.extend(b"\0\x64");
    bytes.resize(end + 2 + 99, 0);
    (bytes, end)
}

/// All messages of the clients are served. The server closes what does not finish its handshake in time.
#[deadline::test]
fn connections_that_stop_in_the_handshake_do_not_disturb_others() {
    endure(TEST, round);
}

fn round(rng: &mut Rng) {
    let context = context();
    let server = context.socket(Router).unwrap();
    server.set_handshake_ivl(Some(Duration::from_millis(300))).unwrap();
    server.set_backlog(1000).unwrap();
    let secured = zmq::has("curve") && rng.coin();
    let keys = secured.then(|| (curve_keypair().unwrap(), curve_keypair().unwrap()));
    if let Some(((_, secret), _)) = &keys {
        server.secure(&Security::curve_server(secret)).unwrap();
    }
    let endpoint = server.bind(TCP).unwrap();
    let address = endpoint.strip_prefix("tcp://").unwrap();
    let (bytes, end_of_handshake) = bytes(if secured { "CURVE" } else { "NULL" });
    let client = || {
        let socket = context.socket(Dealer).unwrap();
        if let Some(((server, _), (_, secret))) = &keys {
            socket.secure(&Security::curve_client(secret, server)).unwrap();
        }
        socket.connect(&endpoint).unwrap();
        // The server cuts off a peer that is late with its handshake on a busy machine, and what it has sent is lost: it
        // asks until it is answered.
        while socket.within(Duration::ZERO).recv_msg().unwrap().is_none() {
            socket.send(numbered(u64::MAX, 0)).unwrap();
            if let Some(request) = server.within(Duration::from_secs(5)).recv_multipart().unwrap() {
                server.send_multipart(request).unwrap();
                if socket.within(Duration::from_secs(5)).recv_msg().unwrap().is_some() {
                    break;
                }
            }
        }
        Client::new(socket)
    };
    let mut clients: Vec<_> = (0..3).map(|_| client()).collect();
    let before = descriptors();

    let (mut waiting, mut late) = (Vec::new(), 0);
    for number in 0..many_or_few(400, 150) {
        let mut stream = TcpStream::connect(address).unwrap();
        let count = rng.below(bytes.len() + 1);
        // The server may have cut off a peer already whose bytes it knows to be wrong.
        let _ = stream.write_all(&bytes[..count]);
        match rng.below(8) {
            0 => drop(stream),
            1 => {
                // The drop resets the connection.
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
            2 => {
                let _ = stream.shutdown(Shutdown::Write);
                waiting.push((stream, true));
            }
            _ => waiting.push((stream, count < end_of_handshake)),
        }
        if number % 5 == 0 {
            let client = rng.below(clients.len());
            clients[client].round_trip(&server, rng.below(1000));
        }
        if rng.one_in(50) && late < 3 {
            late += 1;
            clients.push(client());
        }
    }
    for (mut stream, is_cut_off) in waiting {
        if is_cut_off {
            stream.set_read_timeout(Some(LONGEST_WAIT)).unwrap();
            wait_for_close(&mut stream);
        }
    }
    // A client has one descriptor, and each end of its connection has one.
    wait_for_descriptors(before + 3 * late);
    for client in &mut clients {
        client.round_trip(&server, 10);
    }
    assert!(server.now().recv_msg().unwrap().is_none(), "a connection that stopped has sent a message");
    drop((clients, server));
    context.terminate(LONGEST_WAIT).unwrap();
}

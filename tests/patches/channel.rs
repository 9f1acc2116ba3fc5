//! channel.cpp: CHANNEL, alone and in common with PAIR.

use std::io::{Read, Write};
use std::net::TcpStream;

use zmq::monitor::Events;
use zmq::{Channel, Context, Socket};

#[cfg(target_os = "linux")]
use super::conflate::resident;
#[cfg(target_os = "linux")]
use crate::common::in_own_process;
use crate::common::{DEADLINE, TCP, greet};
use crate::{RECV_TIMEOUT, greeted, listener, peer};

/// A CHANNEL that is bound, and its address.
fn bound(context: &Context) -> (Socket<'_, Channel>, String) {
    let channel = context.socket(Channel).unwrap();
    let endpoint = channel.bind(TCP).unwrap();
    (channel, endpoint.trim_start_matches("tcp://").to_owned())
}

fn client(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    greet(&mut stream, &[("Socket-Type", b"CHANNEL")]);
    stream
}

/// CHANNEL drops messages of several parts, and leaks their content.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [13, 74])]
fn channel_frees_the_parts_that_it_drops() {
    const SIZE: usize = 100_000;
    in_own_process("channel::channel_frees_the_parts_that_it_drops", || {
        let context = Context::new().unwrap();
        let (channel, address) = bound(&context);
        let mut client = client(&address);
        let part = |flags: u8| [&[flags], &(SIZE as u64).to_be_bytes()[..], &[b'x'; SIZE]].concat();
        // A large frame with MORE twice, one without, and a message of one small part.
        let messages = [&part(3)[..], &part(3), &part(2), b"\0\x01x"].concat();
        let mut exchange = |rounds: usize| {
            for _ in 0..rounds {
                client.write_all(&messages).unwrap();
                assert_eq!(channel.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a message"), "x");
            }
        };
        exchange(20);
        let before = resident();
        exchange(200);
        let grown = resident().saturating_sub(before);
        assert!(grown < 200 * SIZE / 4, "{grown} bytes");
    });
}

/// CHANNEL with ZMQ_IMMEDIATE ends the pipe of a lost connection at once.
#[deadline::test(patches = [13, 29, 89])]
fn channel_with_immediate_reads_a_lost_connection_to_its_end() {
    let context = Context::new().unwrap();
    let channel = context.socket(Channel).unwrap();
    channel.set_immediate(true).unwrap();
    let listener = listener();
    let mut first = peer(&channel, &listener, "CHANNEL");
    first.write_all(b"\0\x011\0\x012\0\x013").unwrap();
    assert_eq!(channel.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a message"), "1");
    drop(first);
    let mut second = greeted(&listener, "CHANNEL");
    second.write_all(b"\0\x014").unwrap();
    // The CHANNEL processes the loss of the connection before it reads on.
    channel.events().unwrap();
    for number in ["2", "3", "4"] {
        assert_eq!(channel.within(RECV_TIMEOUT).recv_msg().unwrap().expect(number), number);
    }
    channel.send("5").unwrap();
    let mut received = [0; 3];
    second.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"\0\x015");
}

/// CHANNEL keeps the pipe of the old connection until it has read it to its end. A CHANNEL that only sends never does.
#[deadline::test(patches = [13, 89])]
fn channel_that_only_sends_accepts_its_peer_again() {
    let context = Context::new().unwrap();
    let (channel, address) = bound(&context);
    let mut first = client(&address);
    channel.send("a").unwrap();
    first.read_exact(&mut [0; 3]).unwrap();
    first.write_all(b"\0\x01x").unwrap();
    let monitor = channel.monitor(Events::DISCONNECTED).unwrap();
    drop(first);
    monitor.next_event(DEADLINE).unwrap().expect("the end of the connection");
    let mut second = client(&address);
    // The CHANNEL processes both changes before it sends.
    channel.events().unwrap();
    assert!(channel.within(RECV_TIMEOUT).send("b").unwrap().is_sent());
    let mut received = [0; 3];
    second.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"\0\x01b");
    assert_eq!(channel.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a message"), "x");
}

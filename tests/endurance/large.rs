//! Large messages, and peers that send more than ZMQ_MAXMSGSIZE.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;

use zmq::monitor::{Event, Events};
use zmq::{Dealer, Router};

use crate::common::rng::Rng;
use crate::common::{TCP, context, greet, next, wait_for_close};
use crate::flow::{Client, number_of, numbered};
use crate::run::{LONGEST_WAIT, endure};

const TEST: &str = "large::messages_up_to_the_limit_arrive_and_larger_ones_do_not";

/// All messages of peers within the limit arrive. A peer that sends more is disconnected, and what it has sent with that
/// message and after it, until it has noticed, is lost. No part of it arrives.
#[deadline::test]
fn messages_up_to_the_limit_arrive_and_larger_ones_do_not() {
    endure(TEST, round);
}

fn round(rng: &mut Rng) {
    let context = context();
    let limit = 10_000 + rng.below(4 << 20);
    let server = context.socket(Router).unwrap();
    server.set_maxmsgsize(Some(limit as u64)).unwrap();
    let endpoint = server.bind(TCP).unwrap();
    let mut modest: Vec<_> = (0..2)
        .map(|_| {
            let socket = context.socket(Dealer).unwrap();
            socket.connect(&endpoint).unwrap();
            Client::new(socket)
        })
        .collect();
    for _ in 0..4 + rng.below(6) {
        // A message has its number before its content.
        let len = if rng.one_in(3) { limit } else { 8 + rng.below(limit - 8) } - 8;
        modest[rng.below(2)].round_trip(&server, len);
        match rng.below(3) {
            0 => announce(&endpoint, rng),
            1 => {
                let greedy = context.socket(Dealer).unwrap();
                let monitor = greedy.monitor(Events::DISCONNECTED).unwrap();
                greedy.connect(&endpoint).unwrap();
                let (small, beyond) = (rng.below(10) as u64, rng.below(1000));
                for number in 0..small {
                    greedy.send(numbered(number, 100)).unwrap();
                }
                greedy.send(numbered(small, limit + 1 + beyond - 8)).unwrap();
                let notice = monitor.next_event(LONGEST_WAIT).unwrap().expect("an event");
                assert!(matches!(notice.event(), Event::Disconnected { .. }), "{notice:?}");
                // The connection is made again.
                greedy.send(numbered(small + 1, 100)).unwrap();
                let mut numbers = BTreeMap::<Vec<u8>, Vec<u64>>::new();
                while numbers.values().all(|numbers| !numbers.contains(&(small + 1))) {
                    let [id, message] = next(&server).try_into().expect("two parts");
                    assert_eq!(message.len(), 108);
                    numbers.entry(id).or_default().push(number_of(&message));
                }
                let mut all: Vec<u64> = numbers.into_values().flatten().collect();
                all.sort();
                let expected: Vec<u64> = (0..small).chain([small + 1]).collect();
                assert_eq!(all, expected, "messages before and after the one that is too large");
            }
            _ => {}
        }
    }
    for client in &mut modest {
        client.round_trip(&server, 0);
    }
    assert!(server.now().recv_msg().unwrap().is_none());
    drop((modest, server));
    context.terminate(LONGEST_WAIT).unwrap();
}

/// A peer that announces a frame which no memory can hold.
fn announce(endpoint: &str, rng: &mut Rng) {
    let mut stream = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    stream.set_read_timeout(Some(LONGEST_WAIT)).unwrap();
    greet(&mut stream, &[("Socket-Type", b"DEALER")]);
    let len = (1_u64 << 32) << rng.below(31);
    stream.write_all(&[&[2][..], &len.to_be_bytes(), b"the beginning of a frame"].concat()).unwrap();
    wait_for_close(&mut stream);
}

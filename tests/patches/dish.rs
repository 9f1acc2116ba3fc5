//! dish.cpp: the joins and leaves that a DISH sends to its RADIO.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use zmq::{Context, Dish};

use crate::common::eventually;
use crate::{endpoint, greeted, listener};

/// A peer that plays a RADIO, and the groups that the DISH has joined by its commands.
struct Peer {
    stream: TcpStream,
    pending: Vec<u8>,
    groups: BTreeSet<Vec<u8>>,
    commands: usize,
}

impl Peer {
    fn accept(listener: &TcpListener) -> Peer {
        let stream = greeted(listener, "RADIO");
        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        Peer { stream, pending: Vec::new(), groups: BTreeSet::new(), commands: 0 }
    }

    /// Reads the JOIN and LEAVE commands that have arrived.
    fn read(&mut self) {
        let mut buffer = [0; 65536];
        while let Ok(count @ 1..) = self.stream.read(&mut buffer) {
            self.pending.extend(&buffer[..count]);
        }
        let mut rest = &self.pending[..];
        while rest.len() > 1 && rest.len() >= 2 + usize::from(rest[1]) {
            assert_eq!(rest[0], 4, "a short command");
            let (command, next) = rest[2..].split_at(rest[1].into());
            rest = next;
            self.commands += 1;
            match (command.strip_prefix(b"\x04JOIN"), command.strip_prefix(b"\x05LEAVE")) {
                (Some(group), _) => assert!(self.groups.insert(group.to_vec()), "joined twice"),
                (_, Some(group)) => assert!(self.groups.remove(group), "left without a join"),
                _ => panic!("{command:?}"),
            }
        }
        self.pending = rest.to_vec();
    }
}

/// DISH drops joins and leaves beyond the mark.
#[deadline::test(patches = [6, 7, 13, 1032])]
fn dish_sends_every_join_and_leave() {
    const GROUPS: usize = 20_000;
    for mark in [1, 1000] {
        let listener = listener();
        let context = Context::new().unwrap();
        let dish = context.socket(Dish).unwrap();
        dish.set_sndhwm(mark).unwrap();
        dish.connect(&endpoint(&listener)).unwrap();
        let name = |number: usize| format!("group {number}");
        (0..GROUPS / 2).for_each(|number| dish.join(&name(number)).unwrap());
        let mut peer = Peer::accept(&listener);
        (GROUPS / 2..GROUPS).for_each(|number| dish.join(&name(number)).unwrap());
        eventually("every join arrives", || {
            // The socket sends changes that found no room while it is used.
            assert!(dish.now().recv_msg().unwrap().is_none());
            peer.read();
            peer.groups.len() == GROUPS
        });
        (1..GROUPS).for_each(|number| dish.leave(&name(number)).unwrap());
        eventually("every leave arrives", || {
            assert!(dish.now().recv_msg().unwrap().is_none());
            peer.read();
            peer.groups.len() == 1
        });
    }
}

/// DISH queues each join and each leave while it has no RADIO.
#[deadline::test(patches = [6, 7, 13, 1032])]
fn dish_keeps_no_history_of_its_groups() {
    let listener = listener();
    let context = Context::new().unwrap();
    let dish = context.socket(Dish).unwrap();
    dish.set_immediate(false).unwrap();
    dish.connect(&endpoint(&listener)).unwrap();
    for number in 0..50_000 {
        for name in ["again and again".to_owned(), format!("once {number}")] {
            dish.join(&name).unwrap();
            dish.leave(&name).unwrap();
        }
    }
    dish.join("last").unwrap();
    let mut peer = Peer::accept(&listener);
    eventually("the last join arrives", || {
        assert!(dish.now().recv_msg().unwrap().is_none());
        peer.read();
        peer.groups.contains(&b"last"[..])
    });
    assert_eq!(peer.groups.len(), 1);
    assert!(peer.commands < 3000, "{}", peer.commands);
}

//! Peers that SIGKILL ends while they send, and that start again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use zmq::{Context, Dealer, Errno, Router, Socket};

use crate::common::rng::Rng;
use crate::common::{Process, TCP, alone, context, role};
use crate::flow::{Count, number_of, numbered};
use crate::run::{LONGEST_WAIT, die_with_parent, endure};

const TEST: &str = "kills::peers_killed_while_they_send_lose_only_the_end_of_their_messages";

/// The messages that a peer sends before the first one is acknowledged.
const WINDOW: u64 = 20;

/// A loss is allowed at the end of a killed peer's messages alone: its socket and its system had them. A part of a
/// message never arrives. The replies to a killed peer are refused with EHOSTUNREACH, or are lost with it. A peer that
/// ends by itself loses nothing.
#[deadline::test]
fn peers_killed_while_they_send_lose_only_the_end_of_their_messages() {
    match role().as_deref().and_then(|role| role.split_once(' ')) {
        Some((life, endpoint)) => peer(life.parse().unwrap(), endpoint),
        None => endure(TEST, round),
    }
}

/// A peer, which sends until its input says that it ends.
fn peer(life: u64, endpoint: &str) {
    die_with_parent();
    let ends = Arc::new(AtomicBool::new(false));
    let told = ends.clone();
    thread::spawn(move || {
        std::io::stdin().read_line(&mut String::new()).unwrap();
        told.store(true, Ordering::SeqCst);
    });
    let mut rng = Rng::new(life);
    let context = Context::new().unwrap();
    let socket = context.socket(Dealer).unwrap();
    socket.connect(endpoint).unwrap();
    let (mut sent, mut acknowledged) = (0, Count::default());
    while !ends.load(Ordering::SeqCst) {
        let len = if rng.one_in(10) { 200_000 } else { rng.below(100) };
        socket.send_multipart([life.to_be_bytes().to_vec(), numbered(sent, len)]).unwrap();
        sent += 1;
        while sent - acknowledged.get() > WINDOW {
            acknowledge(&socket, &mut acknowledged);
        }
    }
    // The last message has the count.
    socket.send_multipart([life.to_be_bytes().to_vec(), numbered(sent, 0), "end".into()]).unwrap();
    while acknowledged.get() <= sent {
        acknowledge(&socket, &mut acknowledged);
    }
}

fn acknowledge(socket: &Socket<'_, Dealer>, acknowledged: &mut Count) {
    acknowledged.take(&socket.within(LONGEST_WAIT).recv_msg().unwrap().expect("an acknowledgement"));
}

/// The server, and what it has received in each life of a peer.
struct Server<'ctx> {
    router: Socket<'ctx, Router>,
    counts: BTreeMap<u64, Count>,
    ended: BTreeMap<u64, u64>,
}

impl Server<'_> {
    /// Receives a message and acknowledges it, if one comes soon. `living` are the peers that were not killed.
    fn serve(&mut self, living: &[(u64, Process)]) {
        let Some(message) = self.router.within(Duration::from_millis(20)).recv_multipart().unwrap() else { return };
        let life = u64::from_be_bytes(message[1][..].try_into().unwrap());
        self.counts.entry(life).or_default().take(&message[2]);
        if let Some(end) = message.get(3) {
            assert_eq!(*end, "end");
            self.ended.insert(life, number_of(&message[2]));
        } else {
            assert_eq!(message.len(), 3, "a message is torn");
        }
        let reply = [message[0].to_vec(), numbered(number_of(&message[2]), 0)];
        match self.router.now().send_multipart(reply) {
            Ok(sent) => assert!(sent.is_sent(), "a peer with a window of {WINDOW} is full"),
            Err(error) => {
                assert_eq!(error.error().errno(), Errno::EHOSTUNREACH);
                assert!(living.iter().all(|(living, _)| *living != life), "a peer that lives is unknown");
            }
        }
    }
}

fn round(rng: &mut Rng) {
    let context = context();
    let router = context.socket(Router).unwrap();
    router.set_router_mandatory(true).unwrap();
    let endpoint = router.bind(if rng.coin() { TCP } else { "ipc://*" }).unwrap();
    let mut server = Server { router, counts: BTreeMap::new(), ended: BTreeMap::new() };
    let mut lives = 0;
    let mut start = || {
        lives += 1;
        (lives, Process::spawn(&mut alone(TEST, &format!("{lives} {endpoint}"))))
    };
    let mut peers: Vec<_> = (0..3).map(|_| start()).collect();
    for _ in 0..4 + rng.below(5) {
        let victim = rng.below(peers.len());
        let (life, _) = peers[victim];
        // Some are killed before they connect, some in the middle of a message.
        let messages = if rng.one_in(4) { 0 } else { rng.below(200) as u64 };
        while server.counts.get(&life).map_or(0, Count::get) < messages {
            server.serve(&peers);
        }
        // The drop kills it.
        drop(peers.remove(victim));
        peers.push(start());
    }
    for (_, process) in &mut peers {
        process.type_line("end");
    }
    while !peers.iter().all(|(life, _)| server.ended.contains_key(life)) {
        server.serve(&peers);
    }
    for (life, process) in peers {
        process.succeeds();
        assert_eq!(server.ended[&life] + 1, server.counts[&life].get());
    }
    drop(server);
    context.terminate(LONGEST_WAIT).unwrap();
}

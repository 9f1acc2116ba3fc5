//! Many sockets, and many connections of one.

use std::collections::BTreeMap;
use std::thread;

use zmq::{Dealer, Kind, Router};

use crate::common::rng::Rng;
use crate::common::{TCP, context, kinds, next, skip_unless};
use crate::flow::{Count, numbered};
use crate::run::{LONGEST_WAIT, allow_descriptors, descriptors, endure, many_or_few, wait_for_descriptors};

/// The descriptors of the process besides those that a test counts.
const SPARE: u64 = 200;

/// The descriptors that the connections need: each client has one, and each end of a connection has one. Those of clients
/// that have left are closed a little later.
fn needed(connections: usize) -> u64 {
    4 * connections as u64 + SPARE
}

#[deadline::test]
fn ten_thousand_sockets_open_and_close() {
    endure("many::ten_thousand_sockets_open_and_close", round_of_sockets);
}

fn round_of_sockets(rng: &mut Rng) {
    let context = context();
    let kinds = kinds();
    // The context has descriptors of its own with its first socket.
    drop(context.socket(Kind::Pair).unwrap());
    let before = descriptors();
    let mut left = many_or_few(10_000, 1000);
    while left > 0 {
        let batch = (1 + rng.below(150)).min(left);
        left -= batch;
        let mut sockets = Vec::new();
        for _ in 0..batch {
            let socket = context.socket(*rng.pick(&kinds)).unwrap();
            match (socket.kind(), rng.below(4)) {
                (Kind::Push | Kind::Dealer, 0) => {
                    socket.connect("inproc://nobody").unwrap();
                    assert!(socket.now().send("to nobody").unwrap().is_sent());
                }
                (Kind::Push | Kind::Dealer, 1) => {
                    let pull = context.socket(Kind::Pull).unwrap();
                    let peer = if socket.kind() == Kind::Push { pull } else { context.socket(Kind::Dealer).unwrap() };
                    socket.connect(&peer.bind(rng.pick::<&str>(&[TCP, "ipc://*", "inproc://peer"])).unwrap()).unwrap();
                    socket.send(numbered(1, 100)).unwrap();
                    let received = peer.within(LONGEST_WAIT).recv_msg().unwrap().expect("a message");
                    assert_eq!(received, numbered(1, 100));
                }
                (Kind::Pull | Kind::Router | Kind::Rep | Kind::Pub, 2) => {
                    socket.bind(rng.pick::<&str>(&[TCP, "ipc://*"])).unwrap();
                }
                _ => {}
            }
            sockets.push(socket);
        }
        while !sockets.is_empty() {
            drop(sockets.swap_remove(rng.below(sockets.len())));
        }
        assert!(context.open_sockets().is_empty());
        // The thread that closes sockets has some time for the rest of the batch.
        wait_for_descriptors(before);
    }
    context.terminate(LONGEST_WAIT).unwrap();
}

#[deadline::test]
fn router_serves_3000_connections() {
    if skip_unless(allow_descriptors(needed(connections())), "this process may not have the descriptors") {
        return;
    }
    endure("many::router_serves_3000_connections", round_of_connections);
}

fn connections() -> usize {
    many_or_few(3000, 300)
}

/// Every message of every client is served once, in order, and the replies too, while some leave and others come.
fn round_of_connections(rng: &mut Rng) {
    let context = context();
    let count = connections();
    context.set_max_sockets(2 * count as u32).unwrap();
    let mut server = context.socket(Router).unwrap();
    server.set_router_mandatory(true).unwrap();
    server.set_backlog(count as u32).unwrap();
    let endpoint = server.bind(TCP).unwrap();
    let client = || {
        let socket = context.socket(Dealer).unwrap();
        socket.connect(&endpoint).unwrap();
        socket
    };
    let mut clients: Vec<_> = (0..count).map(|_| client()).collect();
    for round in 0..2 {
        let messages = 1 + rng.below(3) as u64;
        server = thread::scope(|scope| {
            let serving = scope.spawn(move || {
                let mut counts = BTreeMap::<_, Count>::new();
                for _ in 0..count as u64 * messages {
                    let request = next(&server);
                    counts.entry(request[0].clone()).or_default().take(&request[1]);
                    server.send_multipart(request).unwrap();
                }
                assert_eq!(counts.len(), count);
                assert!(counts.values().all(|client| client.get() == messages));
                server
            });
            for number in 0..messages {
                for client in &clients {
                    client.send(numbered(number, rng.below(100))).unwrap();
                }
            }
            for client in &clients {
                let mut replies = Count::default();
                for _ in 0..messages {
                    replies.take(&client.within(LONGEST_WAIT).recv_msg().unwrap().expect("a reply"));
                }
            }
            serving.join().unwrap()
        });
        if round == 0 {
            for _ in 0..count / 10 {
                clients.swap_remove(rng.below(clients.len()));
                clients.push(client());
            }
        }
    }
    assert!(server.now().recv_msg().unwrap().is_none());
    drop((clients, server));
    context.terminate(LONGEST_WAIT).unwrap();
}

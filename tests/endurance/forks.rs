//! Forks in the middle of traffic.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use zmq::{Context, Dealer, Errno, Router, Socket};

use crate::common::forked::fork_and_wait;
use crate::common::rng::Rng;
use crate::common::{TRANSPORTS, context, next};
use crate::flow::{Client, number_of, numbered};
use crate::run::{LONGEST_WAIT, endure};

const TEST: &str = "forks::forks_in_the_middle_of_traffic_lose_nothing";

/// No thread starts or ends while the process forks: std's locks would be held in the child.
#[deadline::test]
fn forks_in_the_middle_of_traffic_lose_nothing() {
    endure(TEST, round);
}

/// A round trip in a context of the child's own.
fn own_round_trip() {
    let context = Context::new().unwrap();
    let (server, client) = (context.socket(Router).unwrap(), context.socket(Dealer).unwrap());
    client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    Client::new(client).round_trip(&server, 100);
    drop(server);
    context.terminate(LONGEST_WAIT).unwrap();
}

/// A message to the parent, by a context of the child's own.
fn call_parent(endpoint: &str, number: u64) {
    let context = Context::new().unwrap();
    let client = context.socket(Dealer).unwrap();
    client.connect(endpoint).unwrap();
    client.send(numbered(number, 0)).unwrap();
    drop(client);
    context.terminate(LONGEST_WAIT).unwrap();
}

fn calls_on_inherited(context: &Context, socket: &Socket<'_, Router>) {
    assert_eq!(socket.send("x").unwrap_err().error().errno(), Errno::ENOTSOCK);
    assert_eq!(socket.recv_msg().unwrap_err().errno(), Errno::ENOTSOCK);
    assert_eq!(context.socket(Dealer).unwrap_err().errno(), Errno::EINVAL);
    assert_eq!(context.shutdown().unwrap_err().errno(), Errno::EINVAL);
    context.terminate(LONGEST_WAIT).unwrap();
}

fn round(rng: &mut Rng) {
    let context = context();
    let inbox = context.socket(Router).unwrap();
    let endpoint = inbox.bind("tcp://127.0.0.1:*").unwrap();
    let stop = AtomicBool::new(false);
    let begun = Barrier::new(TRANSPORTS.len() + 1);
    thread::scope(|scope| {
        for transport in TRANSPORTS {
            let (server, client) = (context.socket(Router).unwrap(), context.socket(Dealer).unwrap());
            client.connect(&server.bind(transport).unwrap()).unwrap();
            let (stop, begun, mut rng) = (&stop, &begun, rng.fork());
            scope.spawn(move || {
                let mut client = Client::new(client);
                client.round_trip(&server, 0);
                begun.wait();
                while !stop.load(Ordering::SeqCst) {
                    client.round_trip(&server, rng.below(20_000));
                }
                assert!(client.round_trips() > 1);
            });
        }
        begun.wait();
        for number in 0..5 + rng.below(10) as u64 {
            match rng.below(5) {
                0 => fork_and_wait(|| {}),
                1 => fork_and_wait(|| calls_on_inherited(&context, &inbox)),
                2 => fork_and_wait(|| drop(context.clone())),
                3 => fork_and_wait(own_round_trip),
                _ => {
                    fork_and_wait(|| call_parent(&endpoint, number));
                    assert_eq!(number_of(&next(&inbox)[1]), number);
                }
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert!(inbox.now().recv_msg().unwrap().is_none());
    drop(inbox);
    context.terminate(LONGEST_WAIT).unwrap();
}

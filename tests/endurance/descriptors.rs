//! A process whose descriptors are used up again and again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use zmq::monitor::Events;
use zmq::{Context, Dealer, Errno, Error, Router};

use crate::common::descriptors::use_up_descriptors;
use crate::common::rng::Rng;
use crate::common::{TCP, TRANSPORTS, context, kinds};
use crate::flow::Client;
use crate::run::{LONGEST_WAIT, endure};

const TEST: &str = "descriptors::traffic_goes_on_while_descriptors_are_used_up";

/// A call may fail with EMFILE. What it has opened is closed then.
#[deadline::test]
fn traffic_goes_on_while_descriptors_are_used_up() {
    endure(TEST, round);
}

/// Calls that need descriptors. No context opens its first socket: libzmq ends the process if another thread takes the
/// descriptors between the check and the call (`epoll.cpp` in docs/ASSERTIONS.md).
fn calls(rng: &mut Rng, context: &Context) -> Result<(), Error> {
    let sockets = (0..rng.below(5)).map(|_| context.socket(*rng.pick(&kinds()))).collect::<Result<Vec<_>, _>>()?;
    let (server, client) = (context.socket(Router)?, context.socket(Dealer)?);
    let _monitor = if rng.coin() { Some(server.monitor(Events::ALL)?) } else { None };
    let endpoint = server.bind(rng.pick::<&str>(&["tcp://127.0.0.1:*", "ipc://*", "inproc://calls"]))?;
    client.connect(&endpoint)?;
    drop(sockets);
    Ok(())
}

fn round(rng: &mut Rng) {
    let context = context();
    let server = context.socket(Router).unwrap();
    let endpoint = server.bind(TCP).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for transport in TRANSPORTS {
            let (server, client) = (context.socket(Router).unwrap(), context.socket(Dealer).unwrap());
            client.connect(&server.bind(transport).unwrap()).unwrap();
            let mut client = Client::new(client);
            client.round_trip(&server, 0);
            let (stop, mut rng) = (&stop, rng.fork());
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    client.round_trip(&server, rng.below(20_000));
                }
            });
        }
        for _ in 0..5 + rng.below(10) {
            // The last ones connect while there are no descriptors. Their messages wait.
            let mut clients: Vec<_> = (0..1 + rng.below(3)).map(|_| context.socket(Dealer).unwrap()).collect();
            let held = use_up_descriptors(if rng.coin() { rng.below(4) } else { rng.below(30) });
            clients.iter().for_each(|client| client.connect(&endpoint).unwrap());
            for _ in 0..rng.below(4) {
                if let Err(error) = calls(rng, &context) {
                    assert_eq!(error.errno(), Errno::EMFILE, "{error}");
                }
            }
            drop(held);
            for client in clients.drain(..) {
                Client::new(client).round_trip(&server, rng.below(1000));
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert!(server.now().recv_msg().unwrap().is_none());
    drop(server);
    context.terminate(LONGEST_WAIT).unwrap();
}

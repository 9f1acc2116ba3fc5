//! A monitor allocates nothing for an event, in the thread that receives it or in its own. The monitor's thread
//! counts too, so this file has one test. libzmq's own allocations are not counted.

mod common;

use std::io::Read;
use std::net::{SocketAddr, TcpStream};

use common::counting::{Counting, of_process};
use zmq::monitor::{Event, Events, Options};
use zmq::{Context, Monitor, Router};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Connects `count` peers, one after the other, each of which leaves, and receives the three events of each.
fn visits(monitor: &Monitor, address: SocketAddr, count: usize) {
    for _ in 0..count {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.read_exact(&mut [0; 10]).unwrap();
        drop(peer);
        for expected in [Events::ACCEPTED, Events::HANDSHAKE_FAILED_NO_DETAIL, Events::DISCONNECTED] {
            let notice = monitor.next_event(None).unwrap().unwrap();
            let event = match notice.event() {
                Event::Accepted { .. } => Events::ACCEPTED,
                Event::HandshakeFailedNoDetail { .. } => Events::HANDSHAKE_FAILED_NO_DETAIL,
                Event::Disconnected { .. } => Events::DISCONNECTED,
                other => panic!("{other:?}"),
            };
            assert_eq!(event, expected);
            assert!(!notice.endpoint().is_empty());
        }
    }
}

#[deadline::test]
fn event_costs_no_allocation() {
    let counted = of_process();
    drop(std::hint::black_box(Box::new(1)));
    assert!(of_process() > counted, "the counter counts");

    #[cfg(not(feature = "draft"))]
    let options = [Options::default()];
    #[cfg(feature = "draft")]
    let options = [Options::default(), Options::default().version(zmq::monitor::Version::Two)];
    for options in options {
        let context = Context::new().unwrap();
        let server = context.socket(Router).unwrap();
        let monitor = server.monitor(options).unwrap();
        let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
        let address: SocketAddr = endpoint.trim_start_matches("tcp://").parse().unwrap();
        assert!(matches!(monitor.next_event(None).unwrap().unwrap().event(), Event::Listening { .. }));
        // The first visits make all allocations that are made once.
        visits(&monitor, address, 10);
        let before = of_process();
        visits(&monitor, address, 100);
        assert_eq!(of_process() - before, 0, "allocations for 300 events");
    }
}

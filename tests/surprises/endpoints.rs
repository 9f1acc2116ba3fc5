//! Endpoints and options.

use zmq::{Dealer, Errno, Kind, Pull, Push, Router};

use crate::common::{context, next, text};
use crate::{SHORT, counting, transports, wait_for_connections, wires};

/// Options that are set after a connect do not change its connection
#[deadline::test]
fn options_do_not_change_connections_that_were_made() {
    for endpoint in transports() {
        let context = context();
        let router = context.socket(Router).unwrap();
        let bound = router.bind(&endpoint).unwrap();
        let dealer = context.socket(Dealer).unwrap();
        dealer.connect(&bound).unwrap();
        dealer.set_routing_id("late").unwrap();
        dealer.send("x").unwrap();
        assert_ne!(next(&router)[0], b"late");
    }
}

/// A second connect to the same endpoint is ignored, or makes a second connection
#[deadline::test]
fn second_connect_makes_a_second_connection_of_some_kinds() {
    for endpoint in wires() {
        for (kind, peer, is_ignored) in [
            (Kind::Dealer, Kind::Router, true),
            (Kind::Req, Kind::Rep, true),
            (Kind::Sub, Kind::Pub, true),
            (Kind::Pub, Kind::Sub, true),
            (Kind::Push, Kind::Pull, false),
            (Kind::Pull, Kind::Push, false),
            (Kind::Router, Kind::Dealer, false),
            (Kind::Rep, Kind::Req, false),
            (Kind::XSub, Kind::XPub, false),
            (Kind::XPub, Kind::XSub, false),
        ] {
            let context = context();
            let server = context.socket(peer).unwrap();
            let connections = counting(&server);
            let bound = server.bind(&endpoint).unwrap();
            let client = context.socket(kind).unwrap();
            client.connect(&bound).unwrap();
            client.connect(&bound).unwrap();
            if is_ignored {
                wait_for_connections(&server, &connections, &bound, 1);
                let count = connections.connections();
                assert!(!connections.wait_for_connections(count + 1, SHORT / 4).unwrap(), "{bound}: {kind}");
            } else {
                wait_for_connections(&server, &connections, &bound, 2);
            }
        }
    }
    let context = context();
    let (dealer, router) = (context.socket(Dealer).unwrap(), context.socket(Router).unwrap());
    dealer.connect("inproc://twice").unwrap();
    dealer.connect("inproc://twice").unwrap();
    router.bind("inproc://twice").unwrap();
    dealer.send("x").unwrap();
    dealer.send("x").unwrap();
    assert_ne!(next(&router)[0], next(&router)[0]);
}

/// A bind takes an ipc path over from the socket that listens there
#[deadline::test]
fn bind_takes_an_ipc_path_over() {
    let path = std::env::temp_dir().join(format!("zmq-surprises-{}", std::process::id()));
    let endpoint = format!("ipc://{}", path.display());
    let context = context();
    let sinks = [context.socket(Pull).unwrap(), context.socket(Pull).unwrap()];
    for (number, sink) in sinks.iter().enumerate() {
        sink.bind(&endpoint).unwrap();
        let source = context.socket(Push).unwrap();
        source.connect(&endpoint).unwrap();
        source.send(number.to_string()).unwrap();
        assert_eq!(text(sink), number.to_string());
    }
    let error = context.socket(Pull).unwrap().bind_unused(&endpoint).unwrap_err();
    assert_eq!(error.errno(), Errno::EADDRINUSE);
    drop(sinks);
    let _ = std::fs::remove_file(path);
}

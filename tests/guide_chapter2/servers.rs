//! The servers that clean up after Ctrl-C, and that work in threads.

use std::time::Duration;

use zmq::{Context, Dealer};

use crate::common::guide::{Port, interrupt, names_taken_endpoint};
use crate::common::{Process, signal};
use crate::peers::{FOR_EVER, c, rust};

#[deadline::test]
fn interrupt_cleans_up() {
    let lines = ["W: interrupt received, killing server...", "W: cleaning up"];
    for number in [libc::SIGINT, libc::SIGTERM] {
        let port = Port::reserve();
        let server = rust("interrupt", &["--endpoint", &port.bind()]);
        let clients = [c("hwclient", &[&port.connect(), "20"]), c("hwclient", &[&port.connect(), "20"])];
        for client in clients {
            assert_eq!(client.rest().len(), 20);
            client.succeeds();
        }
        signal(server.id(), number);
        let printed = server.rest();
        assert_eq!(printed[..40], ["W: recv"; 40]);
        assert_eq!(printed[40..], lines);
        server.succeeds();
    }
    // This server has no client.
    let port = Port::reserve();
    let server = rust("interrupt", &["--endpoint", &port.bind()]);
    assert_eq!(interrupt(server), lines);
}

/// The five requests are worked on at once, since none of them has a reply before the others begin.
#[deadline::test]
fn mtserver_works_for_five_clients_at_once() {
    let port = Port::reserve();
    let server = rust("mtserver", &["--endpoint", &port.bind(), "--delay", FOR_EVER]);
    let clients: Vec<Process> = (0..5).map(|_| c("hwclient", &[&port.connect(), "1"])).collect();
    for _ in 0..5 {
        assert_eq!(server.line(), "Received request: [Hello]");
    }
    // A sixth client must wait.
    let _sixth = c("hwclient", &[&port.connect(), "1"]);
    assert_eq!(server.line_within(Duration::from_millis(300)), None);
    drop(clients);
}

#[deadline::test]
fn mtserver_serves_c_clients_and_ends_on_ctrl_c() {
    let port = Port::reserve();
    let server = rust("mtserver", &["--endpoint", &port.bind(), "--delay", "10"]);
    let clients: Vec<Process> = (0..5).map(|_| c("hwclient", &[&port.connect(), "10"])).collect();
    for client in clients {
        assert_eq!(client.rest().len(), 10);
        client.succeeds();
    }
    assert_eq!(interrupt(server), vec!["Received request: [Hello]"; 50]);
}

/// Ctrl-C in the middle of the work: every worker's answer is still sent, and no other request is begun.
#[deadline::test]
fn mtserver_answers_before_it_ends() {
    let port = Port::reserve();
    let server = rust("mtserver", &["--endpoint", &port.bind(), "--delay", FOR_EVER, "--workers", "2"]);
    let context = Context::new().unwrap();
    let client = context.socket(Dealer).unwrap();
    client.set_linger(Some(Duration::ZERO)).unwrap();
    client.connect(&port.connect()).unwrap();
    for _ in 0..100 {
        client.send_multipart(["", "Hello"]).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(server.line(), "Received request: [Hello]");
    }
    let taken = 2 + interrupt(server).len();
    assert!(taken < 100, "{taken}");
    for _ in 0..taken {
        assert_eq!(client.recv_multipart().unwrap(), ["", "World"]);
    }
    assert!(client.within(Duration::from_millis(100)).recv_multipart().unwrap().is_none());
}

/// A server whose endpoint is taken says so and ends.
#[deadline::test]
fn servers_say_which_endpoint_is_in_use() {
    for name in ["interrupt", "mtserver"] {
        let port = Port::reserve();
        let context = Context::new().unwrap();
        let holder = context.socket(Dealer).unwrap();
        holder.bind(&port.bind()).unwrap();
        names_taken_endpoint(name, &["--endpoint", &port.bind()], &port.bind());
    }
}

#[deadline::test]
fn mtrelay_takes_its_steps_in_order() {
    let relay = rust("mtrelay", &[]);
    let steps = ["Step 1 ready, signaling step 2", "Step 2 ready, signaling step 3", "Test successful!"];
    assert_eq!(relay.rest(), steps);
    relay.succeeds();
}

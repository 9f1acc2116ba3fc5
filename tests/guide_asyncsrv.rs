//! The guide's asynchronous server: with native C clients, its clients with a native C server, and how it ends.

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::guide::{NOTHING, Port, example, interrupt};
use common::{Process, c_program};
use zmq::{Context, Dealer};

const SECOND: Duration = Duration::from_secs(1);

#[deadline::test]
fn asyncsrv_serves_c_clients_and_ends_on_ctrl_c() {
    let port = Port::reserve();
    let args = ["--bind", &port.bind(), "--clients", "0", "--work", "10", "--duration", "60000"];
    let server = Process::start(example("asyncsrv"), &args);
    let program = c_program("asyncsrv_client.c");
    let clients = [(); 3].map(|()| Process::start(&program, &[&port.connect(), "40"]));
    for client in clients {
        assert_eq!(client.rest(), ["40 replies"]);
        client.succeeds();
    }
    assert_eq!(interrupt(server), NOTHING);
}

#[deadline::test]
fn clients_of_asyncsrv_use_a_c_server() {
    let port = Port::reserve();
    let server = Process::start(c_program("asyncsrv_server.c"), &[&port.bind(), "4", "10"]);
    let args = ["--connect", &port.connect(), "--workers", "0", "--clients", "4", "--pause", "20"];
    let clients = Process::start(example("asyncsrv"), &[&args[..], &["--duration", "60000"]].concat());

    let ids = server.rest();
    assert_eq!(ids.len(), 4);
    server.succeeds();
    // Each of ten requests has two replies, which arrive in the order in which the server sent them.
    let mut replies: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while ids.iter().any(|id| replies.get(id).is_none_or(|replies| replies.len() < 20)) {
        let line = clients.line();
        let (id, reply) = line.split_at(9);
        replies.entry(id.to_owned()).or_default().push(reply.to_owned());
    }
    for (id, replies) in replies {
        assert!(ids.contains(&id), "{id}");
        for (place, reply) in replies.iter().enumerate() {
            let text = format!("request #{}", place / 2 + 1);
            assert_eq!(*reply, format!("[{:03}] {text}", text.len()));
        }
    }
    interrupt(clients);
}

#[deadline::test]
fn asyncsrv_gives_up_to_four_replies_to_a_request() {
    let port = Port::reserve();
    let args = ["--bind", &port.bind(), "--clients", "0", "--work", "1", "--duration", "60000"];
    let server = Process::start(example("asyncsrv"), &args);
    let context = Context::new().unwrap();
    let client = context.socket(Dealer).unwrap();
    client.connect(&port.connect()).unwrap();
    let mut replies: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..150 {
        // The reply to a request of two frames has the same frames.
        let text = format!("{number}");
        client.send_multipart(["", &text]).unwrap();
        replies.insert(text, 0);
    }
    while let Some(reply) = client.within(SECOND).recv_multipart().unwrap() {
        assert_eq!(reply.len(), 2);
        assert!(reply[0].is_empty());
        *replies.get_mut(reply[1].to_str().unwrap()).unwrap() += 1;
    }
    let mut numbers: Vec<_> = replies.into_values().collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    interrupt(server);
}

#[deadline::test]
fn asyncsrv_ends_while_its_workers_are_at_work() {
    let port = Port::reserve();
    let context = Context::new().unwrap();
    let client = context.socket(Dealer).unwrap();
    client.set_linger(Some(Duration::ZERO)).unwrap();
    client.connect(&port.connect()).unwrap();
    for number in 0..50 {
        client.send(format!("{number}")).unwrap();
    }
    let bind = port.bind();
    let args = ["--bind", &bind, "--clients", "0", "--work", "100000000", "--duration"];
    let start = Instant::now();
    let server = Process::start(example("asyncsrv"), &[&args[..], &["1000"]].concat());
    assert_eq!(server.rest(), NOTHING);
    server.succeeds();
    assert!(start.elapsed() >= SECOND);

    let server = Process::start(example("asyncsrv"), &[&args[..], &["100000000"]].concat());
    assert!(server.line_within(SECOND).is_none());
    interrupt(server);
}

#[deadline::test]
fn clients_of_asyncsrv_end_without_a_server() {
    let port = Port::reserve();
    let args = ["--connect", &port.connect(), "--workers", "0", "--pause", "1", "--duration"];
    let clients = Process::start(example("asyncsrv"), &[&args[..], &["2000"]].concat());
    assert_eq!(clients.rest(), NOTHING);
    clients.succeeds();
}

#[deadline::test]
fn asyncsrv_ends_by_itself_with_requests_and_replies_under_way() {
    let port = Port::reserve();
    let (bind, connect) = (port.bind(), port.connect());
    let busy = ["--bind", &bind, "--connect", &connect, "--pause", "1", "--work", "1", "--clients", "20"];
    let server = Process::start(example("asyncsrv"), &[&busy[..], &["--duration", "500"]].concat());
    assert!(!server.rest().is_empty());
    server.succeeds();
}

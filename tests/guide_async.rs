//! The programs of `examples/` for async runtimes as processes: those of the guide with native C peers and with the blocking
//! programs, and each until its end.
#![cfg(all(feature = "tokio", feature = "async-io", feature = "bytes"))]

mod common;
#[path = "guide/peers.rs"]
mod peers;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::guide::{NOTHING, Port, ended, interrupt, kill, names_taken_endpoint};
use common::{DEADLINE, Process, connected, text};
use peers::{FOR_EVER, c, rust};
use zmq::{Context, Dealer, Push, Rep, Req};

/// The lines of a client that has ten replies.
fn ten_replies() -> Vec<String> {
    let mut lines = vec!["Connecting to hello world server...".to_owned()];
    for number in 0..10 {
        lines.extend([format!("Sending Hello {number}..."), format!("Received World {number}")]);
    }
    lines
}

fn received_hello(count: usize) -> Vec<String> {
    vec!["Received Hello".to_owned(); count]
}

#[deadline::test]
fn async_hwserver_serves_clients_in_c_and_async_io() {
    let port = Port::reserve();
    let server = rust("async_hwserver", &["--endpoint", &port.bind(), "--delay", "0"]);
    let client = c("hwclient", &[&port.connect(), "25"]);
    assert_eq!(ended(client).len(), 25);
    assert_eq!(ended(rust("async_hwclient", &["--endpoint", &port.connect()])), ten_replies());
    assert_eq!(interrupt(server), received_hello(35));
}

#[deadline::test]
fn async_hwclient_is_served_by_a_c_server() {
    let port = Port::reserve();
    let client = rust("async_hwclient", &["--endpoint", &port.connect()]);
    let server = c("hwserver", &[&port.bind(), "10"]);
    assert_eq!(ended(client), ten_replies());
    assert_eq!(ended(server), received_hello(10));
}

/// Ctrl-C cuts the work short. The server still sends the reply to the request that it has received.
#[deadline::test]
fn async_hwserver_answers_before_it_ends() {
    let port = Port::reserve();
    let server = rust("async_hwserver", &["--endpoint", &port.bind(), "--delay", FOR_EVER]);
    let context = Context::new().unwrap();
    let client = connected(&context, Req, &port.connect());
    client.send("Hello").unwrap();
    assert_eq!(server.line(), "Received Hello");
    assert_eq!(interrupt(server), NOTHING);
    assert_eq!(client.recv_msg().unwrap(), "World");
}

#[deadline::test]
fn async_hwserver_says_which_endpoint_is_in_use() {
    let context = Context::new().unwrap();
    let holder = context.socket(Rep).unwrap();
    let endpoint = holder.bind("tcp://127.0.0.1:*").unwrap();
    names_taken_endpoint("async_hwserver", &["--endpoint", &endpoint], &endpoint);
}

#[deadline::test]
fn async_asyncsrv_serves_c_clients_and_ends_on_ctrl_c() {
    let port = Port::reserve();
    let args = ["--bind", &port.bind(), "--clients", "0", "--work", "10", "--duration", FOR_EVER];
    let server = rust("async_asyncsrv", &args);
    let clients = [(); 3].map(|()| c("asyncsrv_client", &[&port.connect(), "40"]));
    for client in clients {
        assert_eq!(ended(client), ["40 replies"]);
    }
    assert_eq!(interrupt(server), NOTHING);
}

#[deadline::test]
fn clients_of_async_asyncsrv_use_a_c_server() {
    let port = Port::reserve();
    let server = c("asyncsrv_server", &[&port.bind(), "4", "10"]);
    let args = ["--connect", &port.connect(), "--workers", "0", "--clients", "4", "--pause", "20"];
    let clients = rust("async_asyncsrv", &[&args[..], &["--duration", FOR_EVER]].concat());

    let ids = ended(server);
    assert_eq!(ids.len(), 4);
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

/// The tasks end wherever they are: in the work, in a receive, and in a send without room.
#[deadline::test]
fn async_asyncsrv_ends_by_itself_with_requests_and_replies_under_way() {
    let port = Port::reserve();
    let (bind, connect) = (port.bind(), port.connect());
    let busy = ["--bind", &bind, "--connect", &connect, "--pause", "1", "--work", "1", "--clients", "20"];
    let server = rust("async_asyncsrv", &[&busy[..], &["--duration", "500"]].concat());
    assert!(!ended(server).is_empty());
    let lonely = ["--connect", &connect, "--pause", "0", "--workers", "0", "--duration", "1000"];
    assert_eq!(ended(rust("async_asyncsrv", &lonely)), NOTHING);
}

#[deadline::test]
fn async_mdclient_uses_a_c_broker_with_a_c_worker() {
    let port = Port::reserve();
    let broker = c("mdbroker", &[&port.bind(), FOR_EVER]);
    assert_eq!(broker.line(), "active");
    let worker = c("mdworker", &[&port.connect(), "echo", FOR_EVER, "0", "0"]);
    let args = ["--endpoint", &port.connect(), "--timeout", FOR_EVER, "--count", "500"];
    assert_eq!(ended(rust("async_mdclient", &args)), ["500 replies received"]);
    kill(worker);
    kill(broker);
}

/// More requests than its queue has room for.
#[deadline::test]
fn async_mdclient_gives_up_without_a_broker() {
    let port = Port::reserve();
    let args = ["--endpoint", &port.connect(), "--timeout", "100", "--count", "3000"];
    assert_eq!(ended(rust("async_mdclient", &args)), ["0 replies received"]);
}

/// The ventilator and the sink, which is the controller too, are the guide's in C.
#[deadline::test]
fn async_select_works_among_c_programs() {
    let (tasks, results, control) = (Port::reserve(), Port::reserve(), Port::reserve());
    let sink = c("tasksink2", &[&results.bind(), &control.bind()]);
    let (ventilator, sink_at, controller) = (tasks.connect(), results.connect(), control.connect());
    let args = ["--ventilator", &ventilator, "--sink", &sink_at, "--controller", &controller, "--interval", "20"];
    let worker = rust("async_select", &[&args[..], &["--patience", FOR_EVER]].concat());
    assert_eq!(worker.line(), "0 tasks so far");
    let mut ventilator = c("taskvent", &[&tasks.bind(), &results.connect(), "3"]);
    ventilator.type_line("");
    assert_eq!(ended(worker).last().unwrap(), "100 tasks, and the controller says that all is done");
    ended(ventilator);
    ended(sink);
}

#[deadline::test]
fn async_select_ends_on_ctrl_c_while_tasks_wait() {
    let (tasks, results, control) = (Port::reserve(), Port::reserve(), Port::reserve());
    let context = Context::new().unwrap();
    let ventilator = context.socket(Push).unwrap();
    ventilator.bind(&tasks.bind()).unwrap();
    let (tasks, sink, controller) = (tasks.connect(), results.connect(), control.connect());
    let args = ["--ventilator", &tasks, "--sink", &sink, "--controller", &controller, "--patience", "1"];
    let worker = rust("async_select", &[&args[..], &["--linger", "0", "--interval", "1"]].concat());
    for _ in 0..500 {
        ventilator.send("1").unwrap();
    }
    while worker.line() == "0 tasks so far" {}
    interrupt(worker);
}

#[deadline::test]
fn async_shutdown_answers_the_requests_that_it_has() {
    let port = Port::reserve();
    let server = rust("async_shutdown", &["--endpoint", &port.bind(), "--work", "1000"]);
    let context = Context::new().unwrap();
    let client = connected(&context, Dealer, &port.connect());
    for number in 0..20 {
        client.send_multipart(["", &number.to_string()]).unwrap();
    }
    for number in 0..20 {
        assert_eq!(server.line(), format!("Received {number}"));
    }
    assert_eq!(interrupt(server), ["No more requests"]);
    for _ in 0..20 {
        let reply = client.within(DEADLINE).recv_multipart().unwrap();
        assert_eq!(reply.expect("a reply to each request"), ["", "World"]);
    }
    assert!(client.now().recv_multipart().unwrap().is_none());
}

#[deadline::test]
fn async_shutdown_gives_up_after_its_patience() {
    let port = Port::reserve();
    let args = ["--endpoint", &port.bind(), "--work", FOR_EVER, "--patience", "50"];
    let server = rust("async_shutdown", &args);
    let context = Context::new().unwrap();
    let client = connected(&context, Req, &port.connect());
    client.send("Hello").unwrap();
    assert_eq!(server.line(), "Received Hello");
    assert_eq!(interrupt(server), ["No more requests"]);
}

#[deadline::test]
fn async_chat_passes_lines_on_until_the_last_one_has_left() {
    let port = Port::reserve();
    let host = rust("async_chat", &["--host", "--bind", &port.bind()]);
    let endpoint = port.connect();
    let join = |name| rust("async_chat", &["--connect", &endpoint, "--name", name]);
    let mut ann = join("Ann");
    assert_eq!(ann.line(), "(Ann has joined)");
    let mut ben = join("Ben");
    assert_eq!(ben.line(), "(Ben has joined)");
    assert_eq!(ann.line(), "(Ben has joined)");
    let cleo = join("Cleo");
    for person in [&ann, &ben, &cleo] {
        assert_eq!(person.line(), "(Cleo has joined)");
    }

    ann.type_line("hello");
    for person in [&ben, &cleo] {
        assert_eq!(person.line(), "Ann: hello");
    }
    ben.type_line("");
    for person in [&ann, &cleo] {
        assert_eq!(person.line(), "Ben: ");
    }
    // Ctrl-C says farewell.
    interrupt(ben);
    assert_eq!(ann.line(), "(Ben has left)");
    assert_eq!(cleo.line(), "(Ben has left)");
    // A program that is killed says none. The host notices when it passes a line on.
    kill(cleo);
    let gone = std::iter::from_fn(|| {
        ann.type_line("are you there?");
        Some(host.line_within(Duration::from_millis(50)))
    });
    assert_eq!(gone.flatten().next().unwrap(), "(Cleo is gone)");
    ann.type_all("bye\n");
    assert_eq!(ended(ann), NOTHING);
    assert_eq!(ended(host), NOTHING);
}

/// The host's queue for one who does not read is full when that one leaves.
#[deadline::test]
fn async_chat_host_does_not_wait_for_one_who_leaves_without_reading() {
    let port = Port::reserve();
    let host = rust("async_chat", &["--host", "--bind", &port.bind()]);
    let context = common::context();
    let join = |name, hwm| {
        let person = context.socket(Dealer).unwrap();
        person.set_rcvhwm(hwm).unwrap();
        person.connect(&port.connect()).unwrap();
        person.send_multipart(["join", name]).unwrap();
        person
    };
    let ben = join("Ben", 0);
    let ben_hears = |line: &str| while text(&ben) != line {};
    ben_hears("(Ben has joined)");
    let lazy = join("lazy", 1);
    ben_hears("(lazy has joined)");
    let ann = join("Ann", 0);
    ben_hears("(Ann has joined)");
    for number in 0..3000 {
        ann.send_multipart(["say", &"x".repeat(10_000)]).unwrap();
        if number % 500 == 0 {
            ann.send_multipart(["say", &number.to_string()]).unwrap();
            ben_hears(&format!("Ann: {number}"));
        }
    }
    lazy.send("leave").unwrap();
    ben_hears("(lazy has left)");
    ann.send_multipart(["say", "Is anybody there?"]).unwrap();
    ben_hears("Ann: Is anybody there?");
    assert_eq!(interrupt(host), NOTHING);
}

/// The terminal stays open, so the read of standard input never ends.
#[deadline::test]
fn async_chat_ends_on_ctrl_c_without_a_host() {
    let port = Port::reserve();
    assert_eq!(interrupt(rust("async_chat", &["--connect", &port.connect()])), NOTHING);
    assert_eq!(interrupt(rust("async_chat", &["--host", "--bind", &port.bind()])), NOTHING);
}

/// An HTTP request in a connection of its own: the status and the body of the response.
fn http(address: &str, method: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = send_http(address, method, body);
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    let end = response.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&response[..end]).unwrap();
    let status = head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
    (status, response[end + 4..].to_vec())
}

fn send_http(address: &str, method: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let length = body.len();
    write!(stream, "{method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n").unwrap();
    stream.write_all(body).unwrap();
    stream
}

/// A gateway, and the address at which it listens.
fn gateway(port: &Port, timeout: &str) -> (Process, String) {
    let args = ["--http", "127.0.0.1:0", "--endpoint", &port.connect(), "--timeout", timeout];
    let gateway = rust("async_http_gateway", &args);
    let line = gateway.line();
    let address = line.strip_prefix("POST to http://").and_then(|rest| rest.strip_suffix("/")).unwrap();
    let address = address.to_owned();
    (gateway, address)
}

#[deadline::test]
fn async_http_gateway_turns_posts_into_requests_to_a_c_server() {
    let port = Port::reserve();
    let server = c("hwserver", &[&port.bind(), "8"]);
    let (gateway, address) = gateway(&port, FOR_EVER);
    let clients = [(); 8].map(|()| {
        let address = address.clone();
        std::thread::spawn(move || http(&address, "POST", b"Hello"))
    });
    for client in clients {
        assert_eq!(client.join().unwrap(), (200, b"World".to_vec()));
    }
    assert_eq!(ended(server), received_hello(8));
    assert_eq!(http(&address, "GET", b"").0, 405);
    assert_eq!(http(&address, "POST", &[0; (1 << 20) + 1]).0, 400);
    assert_eq!(interrupt(gateway), NOTHING);
}

/// Replies in another order than the requests', one of them twice, and one to a request that nobody made.
#[deadline::test]
fn async_http_gateway_gives_each_client_its_own_reply() {
    let port = Port::reserve();
    let context = Context::new().unwrap();
    let server = context.socket(zmq::Router).unwrap();
    server.bind(&port.bind()).unwrap();
    let (gateway, address) = gateway(&port, FOR_EVER);
    let clients: Vec<_> = (0..5)
        .map(|number: u8| {
            let address = address.clone();
            std::thread::spawn(move || assert_eq!(http(&address, "POST", &[number]), (200, vec![number + 100])))
        })
        .collect();
    let mut requests: Vec<_> = clients.iter().map(|_| server.recv_multipart().unwrap()).collect();
    requests.reverse();
    for mut reply in requests.clone().into_iter().chain([requests[0].clone()]) {
        let number = reply.pop_back().unwrap()[0];
        reply.push_back([number + 100]);
        server.send_multipart(reply).unwrap();
    }
    let id = &requests[0][0];
    server.send_multipart([id, &"no number".into(), &"".into(), &"x".into()]).unwrap();
    server.send_multipart([id, &"x".into()]).unwrap();
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(interrupt(gateway), NOTHING);
}

#[deadline::test]
fn async_http_gateway_ends_requests_whose_time_has_passed() {
    let port = Port::reserve();
    let (gateway, address) = gateway(&port, "100");
    assert_eq!(http(&address, "POST", b"Hello").0, 504);
    // The time-out does not end the gateway, nor does an HTTP client that leaves.
    drop(send_http(&address, "POST", b"Hello"));
    assert_eq!(http(&address, "POST", b"Hello").0, 504);
    assert_eq!(interrupt(gateway), NOTHING);
}

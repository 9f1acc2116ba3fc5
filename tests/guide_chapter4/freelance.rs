//! The freelance programs: flclient1 to flclient3, and flserver1 to flserver3.

use std::time::{Duration, Instant};

use zmq::{Context, Dealer, Rep, Req, Router};

use crate::common::Process;
use crate::common::guide::{NOTHING, Port, ended, interrupt, kill, names_taken_endpoint};
use crate::peers::Side::{C, Rust};
use crate::peers::{FOR_EVER, Side, c, number_in, rust};

const NOBODY: &str = "E: name service not available, aborting";
const OK: &str = "Service is running OK";

/// A server of a model. One in C leaves after so many requests and, in model three, pings.
fn server(side: Side, model: u32, port: &Port, count: &str, pings: &str) -> Process {
    let (bind, connect) = (port.bind(), port.connect());
    let process = match (side, model) {
        (C, _) => c("flserver", &[&model.to_string(), &bind, &connect, count, pings]),
        (Rust, 3) => rust("flserver3", &["--bind", &bind, "--connect", &connect]),
        (Rust, _) => rust(&format!("flserver{model}"), &[&bind]),
    };
    let ready = match (side, model) {
        (C, _) => "ready".to_owned(),
        (Rust, 1) => format!("I: echo service is ready at {bind}"),
        (Rust, _) => format!("I: service is ready at {bind}"),
    };
    assert_eq!(process.line(), ready);
    process
}

/// The arguments of flclient3 for these servers.
fn client3<'a>(endpoints: &'a [String; 3], rest: &[&'a str]) -> Vec<&'a str> {
    let [first, second, third] = endpoints;
    [&["--first", first, "--second", second, "--third", third][..], rest].concat()
}

/// Three endpoints: those of `ports`, and then those of `absent`, at which no server is bound.
fn three(ports: &[&Port], absent: &[Port]) -> [String; 3] {
    let all: Vec<String> = ports.iter().copied().chain(absent).map(Port::connect).collect();
    all.try_into().unwrap()
}

fn check_cost(line: &str) {
    number_in(line, "Average round trip cost: ", " usec");
}

/// In each model, each pair of languages. A server in C checks every frame of its client, and a client in C each reply.
#[deadline::test]
fn freelance_clients_and_servers_of_rust_and_c_speak_to_each_other() {
    for model in 1..=3 {
        for (client_side, server_side) in [(Rust, Rust), (Rust, C), (C, Rust)] {
            let port = Port::reserve();
            let count = if model == 1 && client_side == Rust { "1" } else { "20" };
            let pings = if model == 3 { "1" } else { "0" };
            let server = server(server_side, model, &port, count, pings);
            let endpoint = port.connect();
            match (client_side, model) {
                (C, _) => assert_eq!(ended(c("flclient", &[&model.to_string(), count, &endpoint])), ["OK"]),
                (Rust, 1) => {
                    let client = rust("flclient1", &[&endpoint, "--timeout", FOR_EVER]);
                    assert_eq!(ended(client), [format!("I: trying echo service at {endpoint}..."), OK.to_owned()]);
                }
                (Rust, 2) => {
                    let client = rust("flclient2", &[&endpoint, "--count", count, "--timeout", FOR_EVER]);
                    let lines = ended(client);
                    assert_eq!(lines.len(), 1);
                    check_cost(&lines[0]);
                }
                (Rust, _) => {
                    let absent = [Port::reserve(), Port::reserve()];
                    let endpoints = three(&[&port], &absent);
                    let rest = ["--count", count, "--timeout", FOR_EVER, "--retry", FOR_EVER];
                    let lines = ended(rust("flclient3", &client3(&endpoints, &rest)));
                    assert_eq!(lines[..3], endpoints.map(|endpoint| format!("I: connecting to {endpoint}...")));
                    assert_eq!(lines.len(), 4);
                    check_cost(&lines[3]);
                }
            }
            match server_side {
                Rust => assert_eq!(interrupt(server), NOTHING),
                C => assert_eq!(ended(server), NOTHING),
            }
        }
    }
}

/// One server in each language. In model two each gets every request; in model three the client in C asks them in turn.
#[deadline::test]
fn freelance_clients_use_servers_of_rust_and_c_together() {
    let ports = [Port::reserve(), Port::reserve()];
    let [one, other] = [ports[0].connect(), ports[1].connect()];
    for client_side in [Rust, C] {
        let in_c = server(C, 2, &ports[0], "30", "0");
        let in_rust = server(Rust, 2, &ports[1], "", "");
        match client_side {
            Rust => check_cost(&ended(rust("flclient2", &[&one, &other, "--count", "30", "--timeout", FOR_EVER]))[0]),
            C => assert_eq!(ended(c("flclient", &["2", "30", &one, &other])), ["OK"]),
        }
        // A client that ends may not have sent its last request to the slower server.
        drop(kill(in_c));
        assert_eq!(interrupt(in_rust), NOTHING);
    }
    let in_c = server(C, 3, &ports[0], "15", "15");
    let in_rust = server(Rust, 3, &ports[1], "", "");
    assert_eq!(ended(c("flclient", &["3", "30", &one, &other])), ["OK"]);
    assert_eq!(ended(in_c), NOTHING);
    assert_eq!(interrupt(in_rust), NOTHING);
}

#[deadline::test]
fn flclient1_asks_one_server_three_times_and_several_once_each() {
    let (absent, present) = (Port::reserve(), Port::reserve());
    let endpoint = absent.connect();
    let start = Instant::now();
    let tried =
        [format!("I: trying echo service at {endpoint}..."), format!("W: no response from {endpoint}, retrying...")];
    assert_eq!(ended(rust("flclient1", &[&endpoint, "--timeout", "50"])), [&tried[..], &tried, &tried].concat());
    assert!(start.elapsed() >= Duration::from_millis(150), "{:?}", start.elapsed());

    let server = server(Rust, 1, &present, "", "");
    let good = present.connect();
    let lines = ended(rust("flclient1", &[&endpoint, &good, "--timeout", "2000"]));
    let expected = [
        format!("I: trying echo service at {endpoint}..."),
        format!("W: no response from {endpoint}"),
        format!("I: trying echo service at {good}..."),
        OK.to_owned(),
    ];
    assert_eq!(lines, expected);
    interrupt(server);
}

#[deadline::test]
fn freelance_programs_print_their_syntax_without_endpoints() {
    for name in ["flserver1", "flclient1", "flserver2", "flclient2"] {
        assert_eq!(ended(rust(name, &[])), [format!("I: syntax: {name} <endpoint> ...")]);
    }
}

#[deadline::test]
fn freelance_clients_give_up_when_no_server_answers() {
    let ports = [Port::reserve(), Port::reserve(), Port::reserve()];
    let endpoints = ports.each_ref().map(Port::connect);
    let lines = ended(rust("flclient2", &[&endpoints[0], &endpoints[1], "--timeout", "100"]));
    assert_eq!((lines.len(), lines[0].as_str()), (2, NOBODY));
    let lines = ended(rust("flclient3", &client3(&endpoints, &["--timeout", "100"])));
    assert_eq!((lines.len(), lines[3].as_str()), (5, NOBODY));
}

/// Servers are killed while requests flow; the others answer. A client in model one has one request only.
#[deadline::test]
fn freelance_clients_go_on_when_servers_are_killed() {
    for model in 2..=3 {
        let ports = [Port::reserve(), Port::reserve(), Port::reserve()];
        let endpoints = ports.each_ref().map(Port::connect);
        let [first, second, third] = ports.each_ref().map(|port| server(Rust, model, port, "", ""));
        let client = match model {
            2 => {
                let endpoints = endpoints.each_ref().map(String::as_str);
                rust("flclient2", &[&endpoints[..], &["--count", "5000", "--timeout", FOR_EVER]].concat())
            }
            _ => {
                let rest = ["--count", "5000", "--timeout", FOR_EVER, "--retry", "100"];
                rust("flclient3", &client3(&endpoints, &rest))
            }
        };
        kill(first);
        kill(second);
        let lines = ended(client);
        check_cost(lines.last().unwrap());
        assert!(!lines.contains(&NOBODY.to_owned()), "{lines:?}");
        assert_eq!(interrupt(third), NOTHING);
    }
}

/// Nothing that a client sends ends a server.
#[deadline::test]
fn freelance_servers_survive_nonsense() {
    let context = Context::new().unwrap();
    for model in 1..=3 {
        let port = Port::reserve();
        let server = server(Rust, model, &port, "", "");
        if model == 3 {
            let client = context.socket(Dealer).unwrap();
            client.connect(&port.connect()).unwrap();
            for message in [&[""][..], &["x"], &["PONG"]] {
                client.send_multipart(message).unwrap();
            }
            client.send_multipart(["1", "x"]).unwrap();
            assert_eq!(client.recv_multipart().unwrap(), ["1", "OK"]);
        } else {
            let client = context.socket(Req).unwrap();
            client.connect(&port.connect()).unwrap();
            for message in [&[""][..], &["x"], &["x", "y", "z"]] {
                client.send_multipart(message).unwrap();
                client.recv_multipart().unwrap();
            }
        }
        assert_eq!(ended(c("flclient", &[&model.to_string(), "3", &port.connect()])), ["OK"]);
        let lines = interrupt(server);
        let malformed = lines.iter().filter(|line| line.starts_with("E: invalid ")).count();
        assert_eq!(malformed, [0, 2, 3][model as usize - 1], "{lines:?}");
    }
}

#[deadline::test]
fn ctrl_c_ends_freelance_clients_whose_servers_do_not_answer() {
    let context = Context::new().unwrap();
    let mute = context.socket(Rep).unwrap();
    let endpoint = mute.bind("tcp://127.0.0.1:*").unwrap();
    for name in ["flclient1", "flclient2"] {
        let client = rust(name, &[&endpoint, "--timeout", FOR_EVER]);
        let request = mute.recv_multipart().unwrap();
        assert!(!request.is_empty());
        interrupt(client);
        mute.send("too late").unwrap();
    }
    let mute = context.socket(Router).unwrap();
    let endpoint = mute.bind("tcp://127.0.0.1:*").unwrap();
    let endpoints = [endpoint.clone(), Port::reserve().connect(), Port::reserve().connect()];
    let client = rust("flclient3", &client3(&endpoints, &["--timeout", FOR_EVER]));
    while mute.recv_multipart().unwrap().len() != 3 {}
    interrupt(client);
}

#[deadline::test]
fn freelance_servers_report_a_port_that_is_taken() {
    let context = Context::new().unwrap();
    let holder = context.socket(Router).unwrap();
    let taken = holder.bind("tcp://127.0.0.1:*").unwrap();
    for (program, args) in
        [("flserver1", vec![&*taken]), ("flserver2", vec![&*taken]), ("flserver3", vec!["--bind", &taken])]
    {
        names_taken_endpoint(program, &args, &taken);
    }
}

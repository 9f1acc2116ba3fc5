//! The Clone programs: clonesrv1 to clonesrv6, and clonecli1 to clonecli6.

use crate::common::Process;
use crate::common::guide::{Port, ended, interrupt, kill, names_taken_endpoint};
use crate::peers::Side::{C, Rust};
use crate::peers::{Side, c, number_in, rust};

/// The ports of a server: snapshots, publisher and updates.
struct Ports([Port; 3]);

impl Ports {
    fn reserve() -> Ports {
        Ports([Port::reserve(), Port::reserve(), Port::reserve()])
    }

    fn bind(&self) -> [String; 3] {
        self.0.each_ref().map(Port::bind)
    }

    fn connect(&self) -> [String; 3] {
        self.0.each_ref().map(Port::connect)
    }
}

/// The arguments with these endpoints, whose names begin with `prefix`.
fn arguments(prefix: &str, endpoints: [String; 3]) -> Vec<String> {
    let names = ["snapshots", "publisher", "updates"];
    names.into_iter().zip(endpoints).flat_map(|(name, endpoint)| [format!("--{prefix}{name}"), endpoint]).collect()
}

fn start(name: &str, arguments: &[String], rest: &[&str]) -> Process {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(rest.iter().copied()).collect();
    rust(name, &arguments)
}

fn server(side: Side, model: u32, ports: &Ports) -> Process {
    match side {
        Rust => start(&format!("clonesrv{model}"), &arguments("", ports.bind()), &[]),
        C => {
            let [snapshots, publisher, updates] = ports.bind();
            let server = c("clonesrv", &[&model.to_string(), &snapshots, &publisher, &updates]);
            assert_eq!(server.line(), "ready");
            server
        }
    }
}

/// A client that ends after so many updates.
fn client(side: Side, model: u32, ports: &Ports, count: &str) -> Process {
    match side {
        Rust => {
            start(&format!("clonecli{model}"), &arguments("", ports.connect()), &["--pause", "20", "--count", count])
        }
        C => {
            let [snapshots, publisher, updates] = ports.connect();
            let subtree = if model < 4 { "" } else { "/client/" };
            c("clonecli", &[&model.to_string(), &snapshots, &publisher, &updates, subtree, count])
        }
    }
}

/// Servers of models one and two make the updates, and clients only receive them.
#[deadline::test]
fn clone_clients_and_servers_of_models_one_and_two_speak_to_c() {
    for model in 1..=2 {
        // Model one has no snapshots, and its only endpoint another name.
        let arguments = |endpoints: [String; 3]| match model {
            1 => vec!["--endpoint".to_owned(), endpoints[1].clone()],
            _ => arguments("", endpoints)[..4].to_vec(),
        };
        let ports = Ports::reserve();
        let serving = start(&format!("clonesrv{model}"), &arguments(ports.bind()), &[]);
        let mut lines = ended(client(C, model, &ports, "20"));
        assert_eq!(lines.pop().unwrap(), "done");
        assert_eq!(lines.len(), model as usize - 1, "{lines:?}");
        let printed = interrupt(serving);
        assert!(printed.iter().all(|line| line.starts_with("I: sending snapshot=")), "{printed:?}");

        let ports = Ports::reserve();
        let serving = server(C, model, &ports);
        let receiving = start(&format!("clonecli{model}"), &arguments(ports.connect()), &["--count", "20"]);
        let mut lines = ended(receiving);
        let last = lines.pop().unwrap();
        assert!(last.starts_with("20 messages in, ") && last.ends_with(" keys"), "{last}");
        assert!(lines.iter().all(|line| line.starts_with("I: received snapshot=")), "{lines:?}");
        assert_eq!(lines.is_empty(), model == 1);
        drop(kill(serving));
    }
}

/// The number of the snapshot and those of the updates, which grow.
fn numbers(lines: &[String]) -> Vec<u64> {
    let number = |line: &String| {
        let line = line.trim_start_matches("I: received ");
        number_in(line, if line.starts_with("snapshot") { "snapshot=" } else { "update=" }, "")
    };
    lines.iter().map(number).collect()
}

/// In each model, each pair of languages: two clients one after the other, so that the second one gets a snapshot.
#[deadline::test]
fn clone_clients_and_servers_of_rust_and_c_speak_to_each_other() {
    for model in 3..=5 {
        for (server_side, client_side) in [(Rust, Rust), (Rust, C), (C, Rust)] {
            let ports = Ports::reserve();
            let server = server(server_side, model, &ports);
            let first = ended(client(client_side, model, &ports, "5"));
            let second = ended(client(client_side, model, &ports, "5"));
            match client_side {
                C => {
                    assert_eq!(first, ["snapshot 0", "done"]);
                    assert_eq!(second, ["snapshot 5", "done"]);
                }
                Rust => {
                    let (first, second) = (numbers(&first), numbers(&second));
                    assert!(first.is_sorted() && second.is_sorted(), "{first:?} {second:?}");
                    assert!(second[0] >= 5, "{second:?}");
                }
            }
            match server_side {
                Rust => {
                    let lines = interrupt(server);
                    let published: Vec<_> = lines.iter().filter(|line| line.contains("publishing update")).collect();
                    assert!(published.len() >= 10, "{lines:?}");
                }
                C => drop(kill(server)),
            }
        }
    }
}

/// A server of model six, as the primary or as the backup.
fn pair_server(own: &Ports, role: &str, states: &[Port; 2], replicas: &[Port; 2]) -> Process {
    let (index, other) = if role == "primary" { (0, "backup") } else { (1, "primary") };
    let rest = [
        &format!("--{role}"),
        &format!("--{role}-state"),
        &states[index].bind(),
        &format!("--{other}-peer"),
        &states[1 - index].connect(),
        &format!("--{role}-replica"),
        &replicas[index].bind(),
        &format!("--{other}-replica-peer"),
        &replicas[1 - index].connect(),
        "--heartbeat",
        "400",
    ];
    start("clonesrv6", &arguments(&format!("{role}-"), own.bind()), &rest.map(|part| part as &str))
}

fn wait_for(process: &Process, mut what: impl FnMut(&str) -> bool) -> String {
    loop {
        let line = process.line();
        if what(&line) {
            return line;
        }
    }
}

/// The active server is killed: clients go on with the other one, whose numbers go on, too. Clients in C speak to both.
#[deadline::test]
fn clone_pair_goes_on_when_the_active_server_is_killed() {
    let ports = [Ports::reserve(), Ports::reserve()];
    let two = || [Port::reserve(), Port::reserve()];
    let (states, replicas) = (two(), two());
    let primary = pair_server(&ports[0], "primary", &states, &replicas);
    let backup = pair_server(&ports[1], "backup", &states, &replicas);
    wait_for(&primary, |line| line == "I: the passive server has all updates");
    let endpoints = [arguments("first-", ports[0].connect()), arguments("second-", ports[1].connect())].concat();
    let client = start("clonecli6", &endpoints, &["--pause", "20", "--ttl", "2000"]);
    let update = |line: &str| line.contains(" update=");
    let number = |line: &str| line.rsplit_once('=').unwrap().1.parse::<u64>().unwrap();
    for _ in 0..10 {
        wait_for(&client, update);
    }
    assert_eq!(ended(crate::clone::client(C, 6, &ports[0], "3")).last().unwrap(), "done");
    let before = number(&wait_for(&client, update));
    drop(kill(primary));
    let silent = format!("I: server at {} didn't give HUGZ", ports[0].connect()[0]);
    let mut last = before;
    wait_for(&client, |line| {
        if update(line) {
            last = number(line);
        }
        line == silent
    });
    let snapshot = number(&wait_for(&client, |line| line.contains("snapshot=")));
    assert!(snapshot >= last, "{snapshot} after {last}");
    wait_for(&client, update);
    wait_for(&backup, |line| line == "I: failover successful, ready active");
    assert_eq!(ended(crate::clone::client(C, 6, &ports[1], "3")).last().unwrap(), "done");
    interrupt(client);
    interrupt(backup);
}

/// Two servers in C: the client in Rust follows the first, and the second when the first is killed.
#[deadline::test]
fn clonecli6_uses_two_servers_in_c() {
    let ports = [Ports::reserve(), Ports::reserve()];
    let [first, _second] = ports.each_ref().map(|ports| server(C, 6, ports));
    let endpoints = [arguments("first-", ports[0].connect()), arguments("second-", ports[1].connect())].concat();
    let client = start("clonecli6", &endpoints, &["--pause", "20", "--ttl", "1000"]);
    for server in &ports {
        let name = &server.connect()[0];
        let update = format!("I: received from {name} update=");
        for _ in 0..5 {
            wait_for(&client, |line| line.starts_with(&update));
        }
        if server.connect() == ports[0].connect() {
            signal_kill(&first);
        }
    }
    interrupt(client);
}

fn signal_kill(process: &Process) {
    crate::common::signal(process.id(), libc::SIGKILL);
}

#[deadline::test]
fn clone_servers_name_an_endpoint_that_is_in_use() {
    let ports = Ports::reserve();
    let _server = server(C, 3, &ports);
    for model in 3..=5 {
        let arguments = arguments("", ports.bind());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        names_taken_endpoint(&format!("clonesrv{model}"), &arguments, &ports.bind()[0]);
    }
}

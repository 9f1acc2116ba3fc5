//! Binary Star: each pair of servers in Rust and in C, with clients in Rust and in C, and their failures.

use std::thread;
use std::time::{Duration, Instant};

use zmq::{Context, Pub, Socket};

use crate::common::guide::{NOTHING, Port, ended, interrupt, kill};
use crate::common::{self, Process, bound, signal};
use crate::peers::{c, number_in, rust};

/// Milliseconds. The programs run beside many others, so it is not much shorter than the guide's.
const HEARTBEAT: &str = "500";
const TIMEOUT: &str = "300";
const SETTLE: &str = "800";

/// A program that can be either server.
#[derive(Clone, Copy, Debug)]
enum Server {
    /// One of the programs in Rust.
    Rust(&'static str),
    C,
}

const SERVERS: [Server; 3] = [Server::Rust("bstarsrv"), Server::Rust("bstarsrv2"), Server::C];

const ROLES: [&str; 2] = ["primary", "backup"];

/// The ports of a pair: for clients, and for the states.
struct Ports {
    frontends: [Port; 2],
    states: [Port; 2],
}

impl Ports {
    fn new() -> Ports {
        let two = || [Port::reserve(), Port::reserve()];
        Ports { frontends: two(), states: two() }
    }

    /// Starts a server in the role with this index.
    fn start(&self, server: Server, role: usize) -> Process {
        self.start_as(server, role, ROLES[role])
    }

    /// Starts a server with the endpoints of one role and the name of another.
    fn start_as(&self, server: Server, place: usize, role: &str) -> Process {
        let (frontend, local) = (self.frontends[place].bind(), self.states[place].bind());
        let remote = self.states[1 - place].connect();
        match server {
            Server::C => c("bstarsrv", &[role, &frontend, &local, &remote, HEARTBEAT]),
            Server::Rust(name) => {
                let peer = if role == "primary" { "--backup-peer" } else { "--primary-peer" };
                let args =
                    [&format!("--{role}-frontend"), &*frontend, &format!("--{role}-state"), &local, peer, &remote];
                rust(name, &[&[&format!("--{role}"), "--heartbeat", HEARTBEAT], &args[..]].concat())
            }
        }
    }

    fn rust_client(&self) -> Process {
        let (primary, backup) = (self.frontends[0].connect(), self.frontends[1].connect());
        let args = ["--primary", &primary, "--backup", &backup, "--timeout", TIMEOUT, "--settle", SETTLE];
        rust("bstarcli", &[&args[..], &["--pause", "50"]].concat())
    }

    fn c_client(&self) -> Process {
        c("bstarcli", &[&self.frontends[0].connect(), &self.frontends[1].connect(), TIMEOUT, SETTLE, "50"])
    }
}

/// The line by which a server says that it is active or passive.
fn says(server: Server, role: usize, change: Change) -> String {
    let peer = ROLES[1 - role];
    match (server, change) {
        (Server::C, Change::Passive) => "state 4".to_owned(),
        (Server::C, _) => "state 3".to_owned(),
        (_, Change::Ready) => "I: connected to backup (passive), ready active".to_owned(),
        (_, Change::Failover) => "I: failover successful, ready active".to_owned(),
        (_, Change::Passive) => format!("I: connected to {peer} (active), ready passive"),
    }
}

#[derive(Clone, Copy)]
enum Change {
    Ready,
    Failover,
    Passive,
}

/// Reads lines up to one of these.
fn wait_for(process: &Process, lines: &[&str]) {
    let mut passed = Vec::new();
    loop {
        let Some(line) = process.line_or_end() else { panic!("{lines:?} do not come after {passed:?}") };
        if lines.contains(&&*line) {
            return;
        }
        passed.push(line);
    }
}

/// A client. `around` is the text before and after the number of an answer in its lines, `last` the last number.
struct Client {
    process: Process,
    around: (&'static str, &'static str),
    last: u64,
}

impl Client {
    /// Reads a line. Numbers come in order, and none is missing. Returns whether the client has changed its server.
    fn has_changed(&mut self, line: &str) -> bool {
        let (before, after) = self.around;
        if line.starts_with(before) {
            assert_eq!(number_in(line, before, after), self.last + 1);
            self.last += 1;
        } else {
            assert!(line.contains("fail") || line.starts_with("I: connecting to server at "), "{line}");
        }
        line.contains("fail")
    }

    fn has_answers(&mut self, count: u64) -> bool {
        let (end, mut changed) = (self.last + count, false);
        while self.last < end {
            let line = self.process.line();
            changed |= self.has_changed(&line);
        }
        changed
    }
}

/// A client in Rust and one in C.
struct Clients([Client; 2]);

impl Clients {
    fn new(ports: &Ports) -> Clients {
        let client = |process, around| Client { process, around, last: 0 };
        Clients([
            client(ports.rust_client(), ("I: server replied OK (", ")")),
            client(ports.c_client(), ("reply ", "")),
        ])
    }

    /// Waits until both have `count` answers.
    fn have_answers(&mut self, count: u64) {
        for client in &mut self.0 {
            client.has_answers(count);
        }
    }

    /// Waits until both have changed their server, and have answers again.
    fn change_their_server(&mut self) {
        for client in &mut self.0 {
            loop {
                let line = client.process.line();
                if client.has_changed(&line) {
                    break;
                }
            }
            client.has_answers(3);
        }
    }

    /// Waits until both have `count` more answers from now on, and checks that they did not change their server.
    fn are_not_disturbed(&mut self, count: u64) {
        for client in &mut self.0 {
            while let Some(line) = client.process.line_within(Duration::ZERO) {
                client.has_changed(&line);
            }
        }
        for client in &mut self.0 {
            assert!(!client.has_answers(count), "a client has changed its server");
        }
    }
}

/// The primary dies, comes back, and takes over when the backup dies.
fn fail_over_and_back(primary: Server, backup: Server) {
    let ports = Ports::new();
    let (first, second) = (ports.start(primary, 0), ports.start(backup, 1));
    // A client may have asked before the two servers heard each other.
    wait_for(&first, &[&says(primary, 0, Change::Ready)]);
    wait_for(&second, &[&says(backup, 1, Change::Passive)]);
    let mut clients = Clients::new(&ports);
    clients.have_answers(3);

    kill(first);
    clients.change_their_server();
    wait_for(&second, &[&says(backup, 1, Change::Failover)]);

    let first = ports.start(primary, 0);
    wait_for(&first, &[&says(primary, 0, Change::Passive)]);
    clients.are_not_disturbed(10);

    kill(second);
    clients.change_their_server();
    wait_for(&first, &[&says(primary, 0, Change::Failover)]);
}

/// All nine pairs run at the same time: they wait most of the time.
#[deadline::test]
fn binary_star_servers_in_rust_and_c_take_over_from_each_other() {
    let pairs = SERVERS.iter().flat_map(|primary| SERVERS.iter().map(move |backup| (*primary, *backup)));
    let running: Vec<_> = pairs
        .map(|(primary, backup)| (primary, backup, thread::spawn(move || fail_over_and_back(primary, backup))))
        .collect();
    for (primary, backup, running) in running {
        assert!(running.join().is_ok(), "{primary:?} as primary and {backup:?} as backup");
    }
}

/// A server is stopped for longer than the expiry time, and goes on. Requests have queued meanwhile. It does not serve them,
/// since its peer may be active.
#[deadline::test]
fn stopped_binary_star_server_steps_down() {
    for server in ["bstarsrv", "bstarsrv2"].map(Server::Rust) {
        let ports = Ports::new();
        let (first, second) = (ports.start(server, 0), ports.start(Server::C, 1));
        wait_for(&first, &[&says(server, 0, Change::Ready)]);
        wait_for(&second, &["state 4"]);
        let mut clients = Clients::new(&ports);
        clients.have_answers(2);
        signal(first.id(), libc::SIGSTOP);
        clients.change_their_server();
        wait_for(&second, &["state 3"]);
        signal(first.id(), libc::SIGCONT);
        assert_eq!(first.line(), "W: the peer may have taken over, waiting for it");
        assert_eq!(first.line(), says(server, 0, Change::Passive));
        clients.are_not_disturbed(5);
    }
}

/// Servers of the same role: one of them says so and ends, and neither serves before.
#[deadline::test]
fn binary_star_servers_of_the_same_role_end() {
    for (server, role) in [("bstarsrv", "primary"), ("bstarsrv2", "backup")] {
        let ports = Ports::new();
        let pair = [0, 1].map(|place| ports.start_as(Server::Rust(server), place, role));
        let fatal = format!("E: fatal error - both nodes are {role}, aborting");
        let both = pair.map(|process| {
            thread::spawn(move || {
                let lines: Vec<String> = std::iter::from_fn(|| process.line_within(Duration::from_secs(3))).collect();
                lines[1..].to_vec()
            })
        });
        let lines: Vec<String> = both.into_iter().flat_map(|lines| lines.join().unwrap()).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| *line == fatal), "{lines:?}");
    }
}

/// A primary whose peer is a bare PUB.
fn primary_with_bare_peer(server: Server) -> (Ports, Socket<'static, Pub>, Process) {
    let ports = Ports::new();
    let peer = bound(&common::context(), Pub, &ports.states[1].bind());
    let primary = ports.start(server, 0);
    assert_eq!(primary.line(), "I: Primary active, waiting for backup (passive)");
    (ports, peer, primary)
}

/// Garbage from the peer is reported and dropped, and the primary serves alone.
#[deadline::test]
fn binary_star_server_drops_garbage_from_its_peer() {
    for server in ["bstarsrv", "bstarsrv2"].map(Server::Rust) {
        let (ports, peer, primary) = primary_with_bare_peer(server);
        let client = ports.rust_client();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(2) {
            for garbage in [vec![""], vec!["0"], vec!["5"], vec!["12"], vec!["3", "3"], vec!["active"]] {
                peer.send_multipart(garbage).unwrap();
            }
            thread::sleep(Duration::from_millis(50));
        }
        wait_for(&client, &["I: server replied OK (1)"]);
        let lines = interrupt(primary);
        let garbage = lines.iter().filter(|line| *line == "W: malformed state message dropped").count();
        assert!(garbage >= 6, "{lines:?}");
        assert_eq!(lines.len() - garbage, 1, "{lines:?}");
        assert!(lines.contains(&"I: request from client, ready active".to_owned()));
    }
}

/// The peer claims to be active while this server is: it says so and ends.
#[deadline::test]
fn active_binary_star_server_ends_when_its_peer_is_active() {
    for server in ["bstarsrv", "bstarsrv2"].map(Server::Rust) {
        let (_ports, peer, primary) = primary_with_bare_peer(server);
        let ready = says(server, 0, Change::Ready);
        let line = loop {
            peer.send("2").unwrap();
            if let Some(line) = primary.line_within(Duration::from_millis(50)) {
                break line;
            }
        };
        assert_eq!(line, ready);
        peer.send("3").unwrap();
        assert_eq!(ended(primary), ["E: fatal error - dual actives, aborting"]);
    }
}

#[deadline::test]
fn binary_star_programs_print_their_usage_and_their_errors() {
    for name in ["bstarsrv", "bstarsrv2"] {
        assert_eq!(ended(rust(name, &[])), [format!("Usage: {name} {{ -p | -b }}")]);
        let context = Context::new().unwrap();
        let taken = context.socket(Pub).unwrap();
        let endpoint = taken.bind("tcp://127.0.0.1:*").unwrap();
        let mut failing = rust(name, &["-p", "--primary-frontend", &endpoint]);
        assert!(!failing.wait().success());
        // A server has one role.
        let mut failing = rust(name, &["-p", "-b"]);
        assert!(!failing.wait().success());
    }
}

#[deadline::test]
fn ctrl_c_ends_binary_star_programs_that_wait() {
    let ports = Ports::new();
    let client = ports.rust_client();
    wait_for(&client, &["W: no response from server, failing over"]);
    interrupt(client);
    for server in ["bstarsrv", "bstarsrv2"].map(Server::Rust) {
        let alone = ports.start(server, 1);
        assert_eq!(alone.line(), "I: Backup passive, waiting for primary (active)");
        assert_eq!(interrupt(alone), NOTHING);
    }
}

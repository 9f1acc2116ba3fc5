//! Ctrl-C ends the guide's long-running programs with success: while peers send without a pause, so that no call of the program
//! waits, and while a peer does not read.

mod common;

use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use common::Process;
use common::guide::{Directory, Port, example, interrupt};
use zmq::{CanMultipart, CanSend, Context, Dealer, Multipart, Push, Socket, XPub};

/// The number of messages after which the program surely does nothing but read.
const MANY: usize = 20_000;

/// Several peers send more than one program can read.
const FLOODERS: usize = 3;

/// Starts a program, sends it one message over and over, and ends it by Ctrl-C in the middle of that.
fn flood<T: CanSend + CanMultipart>(
    program: Process,
    kind: T,
    open: impl Fn(&Socket<'_, T>) + Send + Sync,
    message: &Multipart,
) {
    thread::scope(|scope| {
        let (flooding, flooded) = channel();
        // Only one socket can bind the endpoint.
        let (count, open) = (if format!("{kind:?}") == "XPub" { 1 } else { FLOODERS }, &open);
        for flooding in vec![flooding; count] {
            scope.spawn(move || {
                let context = Context::new().unwrap();
                let socket = context.socket(kind).unwrap();
                socket.set_linger(Some(Duration::ZERO)).unwrap();
                // The flood ends when the program takes no more.
                socket.set_sndtimeo(Some(Duration::from_secs(1))).unwrap();
                open(&socket);
                while socket.send_multipart(message).is_ok() && flooding.send(()).is_ok() {}
            });
        }
        for _ in 0..MANY {
            flooded.recv().unwrap();
        }
        interrupt(program);
        drop(flooded);
    });
}

/// Starts a program with arguments that are separated by blanks; its `ipc` endpoints are in the directory.
fn start(directory: &Directory, name: &str, args: &str) -> Process {
    let mut program =
        Process::spawn(Command::new(example(name)).args(args.split_whitespace()).current_dir(directory.path()));
    program.type_all("\n");
    program
}

/// The workers say again and again that they are ready.
#[deadline::test]
fn brokers_end_on_ctrl_c_in_a_flood_of_workers() {
    let nobody = "--clients 0 --workers 0";
    for (name, args, socket) in [
        ("lbbroker", nobody, "backend"),
        ("lbbroker2", nobody, "backend"),
        ("lbbroker3", nobody, "backend"),
        ("peering2", &format!("DC1 DC2 {nobody}"), "DC1-localbe"),
        ("peering3", &format!("DC1 DC2 {nobody}"), "DC1-localbe"),
    ] {
        let directory = Directory::new(&format!("flood-{name}"));
        let endpoint = format!("ipc://{}/{socket}.ipc", directory.path().display());
        let program = start(&directory, name, args);
        let connect = |worker: &Socket<'_, Dealer>| worker.connect(&endpoint).unwrap();
        flood(program, Dealer, connect, &Multipart::from(["", "READY"]));
    }
}

/// The clients send requests without a pause, and do not read the replies.
#[deadline::test]
fn servers_end_on_ctrl_c_in_a_flood_of_clients() {
    let directory = Directory::new("flood-servers");
    for (name, bind, args) in [
        ("hwserver", "--endpoint", "--delay 0"),
        ("hwserver2", "--endpoint", "--delay 0"),
        ("hwserver3", "--endpoint", "--delay 0"),
        ("hwserver4", "--endpoint", "--delay 0"),
        ("interrupt", "--endpoint", ""),
        ("mtserver", "--endpoint", "--delay 0"),
        ("rtreq", "--bind", "--workers 0 --duration 3600000"),
        ("rtdealer", "--bind", "--workers 0 --duration 3600000"),
        ("asyncsrv", "--bind", "--clients 0 --work 0 --duration 3600000"),
    ] {
        let port = Port::reserve();
        let program = start(&directory, name, &format!("{bind} {} {args}", port.bind()));
        let connect = |client: &Socket<'_, Dealer>| client.connect(&port.connect()).unwrap();
        flood(program, Dealer, connect, &Multipart::from(["", "Hello"]));
    }
}

/// Workers send heartbeats, and clients requests.
#[deadline::test]
fn reliable_servers_end_on_ctrl_c_in_a_flood() {
    let directory = Directory::new("flood-reliable");
    for (name, flooded, others, message) in [
        ("spqueue", "--backend", &["--frontend"][..], &["", "\x01"][..]),
        ("ppqueue", "--backend", &["--frontend"], &["\x02"]),
        ("mdbroker", "--endpoint", &[], &["", "MDPW01", "\x04"]),
        ("flserver3", "--bind", &[], &["PING"]),
        ("fileio3", "--no-client --file /etc/passwd --bind", &[], &["fetch", "0", "1"]),
        ("clonesrv4", "--snapshots", &["--publisher", "--updates"], &["ICANHAZ?", "/client/"]),
        ("bstarsrv", "--primary --backup-peer ipc://nobody --primary-frontend", &["--primary-state"], &["", "1"]),
        ("bstarsrv2", "--primary --backup-peer ipc://nobody --primary-frontend", &["--primary-state"], &["", "1"]),
    ] {
        let (port, ports) = (Port::reserve(), [Port::reserve(), Port::reserve()]);
        let others = others.iter().zip(&ports).map(|(option, port)| format!(" {option} {}", port.bind()));
        let program = start(&directory, name, &format!("{flooded} {}{}", port.bind(), others.collect::<String>()));
        let connect = |peer: &Socket<'_, Dealer>| peer.connect(&port.connect()).unwrap();
        flood(program, Dealer, connect, &Multipart::from(message));
    }
}

/// The other server of the pair publishes its state without a pause.
#[deadline::test]
fn binary_star_servers_end_on_ctrl_c_in_a_flood_of_states() {
    let directory = Directory::new("flood-states");
    for name in ["bstarsrv", "bstarsrv2"] {
        let [peer, state, frontend] = [(); 3].map(|()| Port::reserve());
        let own = format!("--backup-state {} --backup-frontend {}", state.bind(), frontend.bind());
        let program = start(&directory, name, &format!("--backup --primary-peer {} {own}", peer.connect()));
        let bind = |publisher: &Socket<'_, XPub>| {
            publisher.set_xpub_nodrop(true).unwrap();
            publisher.bind(&peer.bind()).unwrap();
            publisher.wait_for_subscribers(1, None, &mut Vec::new()).unwrap();
        };
        flood(program, XPub, bind, &Multipart::from("1"));
    }
}

/// The publisher waits for its subscriber only.
#[deadline::test]
fn subscribers_end_on_ctrl_c_in_a_flood_of_updates() {
    let directory = Directory::new("flood-subscribers");
    for (name, message) in [
        ("psenvsub", &["B", "more"][..]),
        ("durasub", &["Hello", "1", "Update"]),
        ("pathosub --topic 001", &["001", "more"]),
        ("lvcache", &["001", "more"]),
        ("clonecli1", &["key", "\0\0\0\0\0\0\0\x01", "value"]),
        ("clonecli3", &["key", "\0\0\0\0\0\0\0\x01", "value"]),
        ("dechat", &["Ann: more\n"]),
    ] {
        let (port, other) = (Port::reserve(), Port::reserve());
        let (name, args) = name.split_once(' ').unwrap_or((name, ""));
        let args = match name {
            "durasub" => format!("--publisher {} --sync {}", port.connect(), other.connect()),
            "lvcache" => format!("--frontend {} --backend {}", port.connect(), other.bind()),
            "clonecli3" => {
                format!("--publisher {} --snapshots {} --updates {}", port.connect(), other.connect(), other.connect())
            }
            "dechat" => format!("--network tcp://127.0.0.1:{} --interface {}", port.number(), other.bind()),
            _ => format!("--endpoint {} {args}", port.connect()),
        };
        let program = match name {
            // It ends with its input.
            "dechat" => Process::spawn(Command::new(example(name)).args(args.split_whitespace())),
            _ => start(&directory, name, &args),
        };
        let bind = |publisher: &Socket<'_, XPub>| {
            publisher.set_xpub_nodrop(true).unwrap();
            // dechat connects to each address of the network.
            publisher.bind(&format!("tcp://127.0.0.1:{}", port.number())).unwrap();
            publisher.wait_for_subscribers(1, None, &mut Vec::new()).unwrap();
        };
        flood(program, XPub, bind, &message.iter().copied().collect());
    }
}

/// The clients of Clone servers send updates.
#[deadline::test]
fn clone_servers_end_on_ctrl_c_in_a_flood_of_updates() {
    let directory = Directory::new("flood-clone");
    let number = "\0\0\0\0\0\0\0\0";
    for (name, message) in
        [("clonesrv3", &["key", number, "value"][..]), ("clonesrv5", &["key", number, "", "", "value"])]
    {
        let [snapshots, publisher, updates] = [(); 3].map(|()| Port::reserve());
        let others = format!("--snapshots {} --publisher {}", snapshots.bind(), publisher.bind());
        let program = start(&directory, name, &format!("{others} --updates {}", updates.bind()));
        let connect = |client: &Socket<'_, Push>| client.connect(&updates.connect()).unwrap();
        flood(program, Push, connect, &Multipart::from(message));
    }
}

/// The acknowledgements are for updates that were never sent.
#[deadline::test]
fn publishers_end_on_ctrl_c_in_a_flood_of_acknowledgements() {
    let directory = Directory::new("flood-publishers");
    for name in ["durapub", "durapub2"] {
        let (updates, sync) = (Port::reserve(), Port::reserve());
        let args = format!("--publisher {} --sync {}", updates.bind(), sync.bind());
        let program = start(&directory, name, &args);
        let connect = |subscriber: &Socket<'_, Push>| subscriber.connect(&sync.connect()).unwrap();
        flood(program, Push, connect, &Multipart::from(["Hello", "1"]));
    }
}

/// The replies are megabytes, since a REP returns the client's envelope.
#[deadline::test]
fn servers_end_on_ctrl_c_when_a_client_does_not_read() {
    const REQUESTS: usize = 200;
    let directory = Directory::new("unread-replies");
    for (name, args) in
        [("hwserver", "--delay 0"), ("hwserver2", "--delay 0"), ("interrupt", ""), ("mtserver", "--delay 0")]
    {
        let port = Port::reserve();
        let server = start(&directory, name, &format!("--endpoint {} --linger 100 {args}", port.bind()));
        let context = Context::new().unwrap();
        let client = context.socket(Dealer).unwrap();
        client.set_linger(Some(Duration::ZERO)).unwrap();
        client.set_rcvhwm(1).unwrap();
        client.connect(&port.connect()).unwrap();
        let envelope = "x".repeat(100_000);
        for _ in 0..REQUESTS {
            client.send_multipart([&envelope, "", "Hello"]).unwrap();
        }
        let mut received = 0;
        while received < REQUESTS {
            let line = server.line();
            received += usize::from(line.contains("Hello") || line == "W: recv");
        }
        interrupt(server);
    }
}

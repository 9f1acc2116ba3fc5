//! Calls with few file descriptors left: each call runs in a process of its own, with 0 to 5 descriptors to spare. It
//! succeeds, or its error is EMFILE. It does not abort, hang or loop.
#![cfg(target_os = "linux")]

mod common;
#[path = "descriptors/connections.rs"]
mod connections;
#[path = "descriptors/threads.rs"]
mod threads;
#[path = "descriptors/waits.rs"]
mod waits;

use std::cell::Cell;
use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use common::descriptors::{cpu_time_of_rest, use_up_descriptors};
use common::{DEADLINE, Process, TCP, alone, context, in_own_process, kinds, role, text};
use zmq::monitor::{Event, Events};
use zmq::security::Security;
use zmq::{Context, Dealer, Pair, Pull, Push, Rep, Req, Socket, curve_keypair};

type Outcome = Result<(), Box<dyn Error>>;

/// A call. It prepares itself while there are descriptors, and then uses them up by its argument.
type Call = fn(&Descriptors) -> Outcome;

struct Descriptors {
    spare: usize,
    held: Cell<Vec<OwnedFd>>,
}

impl Descriptors {
    /// Uses up all but the spare ones.
    fn use_up(&self) {
        self.held.set(use_up_descriptors(self.spare));
    }

    /// Makes room again.
    fn free(&self) {
        self.held.take();
    }

    /// Checks that no thread of the process loops.
    fn rest(&self) {
        assert!(cpu_time_of_rest() < Duration::from_millis(100), "a thread loops");
    }
}

/// Runs each call of the named test with 0 to 5 descriptors to spare.
fn try_all(test: &str, calls: &[(&str, Call)]) {
    if let Some(role) = role() {
        let (name, spare) = role.rsplit_once(' ').unwrap();
        let (_, call) = calls.iter().find(|(other, _)| *other == name).unwrap();
        let descriptors = Descriptors { spare: spare.parse().unwrap(), held: Cell::default() };
        let outcome = call(&descriptors);
        descriptors.free();
        println!("\noutcome: {}", outcome.map_or_else(|error| error.to_string(), |()| "success".to_owned()));
        return;
    }
    let roles = calls.iter().flat_map(|(name, _)| (0..=5).map(move |spare| format!("{name} {spare}")));
    let roles: Mutex<Vec<String>> = Mutex::new(roles.collect());
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some(role) = roles.lock().unwrap().pop() else { return };
                    let mut process = Process::spawn(&mut alone(test, &role));
                    let lines = process.rest();
                    let outcome = lines.iter().find_map(|line| line.strip_prefix("outcome: ")).unwrap_or("none");
                    let status = process.wait();
                    let is_good = status.success() && (outcome == "success" || outcome.contains("(EMFILE)"));
                    let names_call = outcome == "success" || outcome.contains(": ");
                    if !is_good || !names_call {
                        failed.lock().unwrap().push(format!("{role}: {status}, {outcome}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Calls `call` with each item, and returns the last error.
fn with_each<I>(items: impl IntoIterator<Item = I>, mut call: impl FnMut(I) -> zmq::Result<()>) -> Outcome {
    let outcomes: Vec<_> = items.into_iter().map(&mut call).collect();
    outcomes.into_iter().rfind(Result::is_err).unwrap_or(Ok(())).map_err(Into::into)
}

/// Endpoints to bind to. Only draft kinds have udp.
fn endpoints() -> impl Iterator<Item = &'static str> {
    let ws = zmq::has("WS").then_some(["ws://127.0.0.1:*", "ws://lo:*"]);
    [TCP, "tcp://*:*", "tcp://lo:*", "ipc://*", "inproc://name"].into_iter().chain(ws.into_iter().flatten())
}

#[deadline::test]
fn default_context_panics_with_the_text_of_the_error() {
    in_own_process("default_context_panics_with_the_text_of_the_error", || {
        let files = use_up_descriptors(0);
        let text = Context::new().unwrap_err().to_string();
        let panic = std::panic::catch_unwind(Context::default).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>(), Some(&text));
        drop(files);
        drop(Context::default());
    });
}

/// A client connects without descriptors, and sends a message when there are some.
fn connect_secured(descriptors: &Descriptors, server: &Security, client: &Security, context: &Context) -> Outcome {
    let (of_server, of_client) = (context.socket(Dealer)?, context.socket(Dealer)?);
    of_server.secure(server)?;
    of_client.secure(client)?;
    let endpoint = of_server.bind(TCP)?;
    descriptors.use_up();
    of_client.connect(&endpoint)?;
    descriptors.rest();
    descriptors.free();
    of_client.send("Hello")?;
    assert_eq!(text(&of_server), "Hello");
    Ok(())
}

/// A message over a new connection.
fn round_trip(server: &Socket<'_, Rep>, endpoint: &str) {
    let context = context();
    let client = context.socket(Req).unwrap();
    client.connect(endpoint).unwrap();
    client.send("Hello").unwrap();
    assert_eq!(text(server), "Hello");
}

const SOCKETS: &[(&str, Call)] = &[
    ("Context::new", |descriptors| {
        descriptors.use_up();
        drop(Context::new()?);
        Ok(())
    }),
    ("Context::socket, the first", |descriptors| {
        let contexts: Vec<_> = kinds().into_iter().map(|kind| (context(), kind)).collect();
        descriptors.use_up();
        with_each(&contexts, |(context, kind)| context.socket(*kind).map(drop))
    }),
    ("Context::socket, the first, with I/O threads", |descriptors| {
        let context = Context::new()?;
        context.set_io_threads(2)?;
        descriptors.use_up();
        let opened = context.socket(Pair).map(drop);
        descriptors.free();
        context.socket(Pair)?.bind(TCP)?;
        Ok(opened?)
    }),
    ("Context::socket", |descriptors| {
        let context = context();
        let _first = context.socket(Pair)?;
        descriptors.use_up();
        with_each(kinds(), |kind| context.socket(kind).map(drop))
    }),
    ("Context::owned_socket", |descriptors| {
        let context = context();
        let _first = context.socket(Pair)?;
        descriptors.use_up();
        let _sockets = (0..10).map(|_| context.owned_socket(Dealer)).collect::<zmq::Result<Vec<_>>>()?;
        Ok(())
    }),
    ("the end of sockets and of their context", |descriptors| {
        let context = context();
        let sockets = kinds().into_iter().map(|kind| context.owned_socket(kind)).collect::<zmq::Result<Vec<_>>>()?;
        let (left, right) = (context.owned_socket(Pair)?, context.owned_socket(Pair)?);
        right.connect(&left.bind(TCP)?)?;
        left.send("connected")?;
        assert_eq!(text(&right), "connected");
        left.send("Hello")?;
        descriptors.use_up();
        assert_eq!(text(&right), "Hello");
        drop((sockets, left, right));
        context.terminate(DEADLINE)?;
        Ok(())
    }),
    ("the end of a context whose sockets wait for inproc names", |descriptors| {
        let context = context();
        let socket = context.owned_socket(Dealer)?;
        for number in 0..5 {
            socket.connect(&format!("inproc://nobody-{number}"))?;
        }
        descriptors.use_up();
        drop(socket);
        context.terminate(DEADLINE)?;
        Ok(())
    }),
    ("Context::shutdown", |descriptors| {
        let context = context();
        let socket = context.socket(Pull)?;
        descriptors.use_up();
        context.shutdown()?;
        assert_eq!(socket.recv_msg().unwrap_err().errno(), zmq::Errno::ETERM);
        Ok(())
    }),
];

#[deadline::test(patches = [44, 45, 47])]
fn sockets_open_and_close_with_few_descriptors() {
    try_all("sockets_open_and_close_with_few_descriptors", SOCKETS);
}

const ENDPOINTS: &[(&str, Call)] = &[
    ("Socket::bind", |descriptors| {
        let context = context();
        let servers: Vec<_> = endpoints().map(|endpoint| (context.socket(Rep).unwrap(), endpoint)).collect();
        descriptors.use_up();
        let bound = with_each(&servers, |(server, endpoint)| server.bind(endpoint).map(drop));
        descriptors.rest();
        descriptors.free();
        for (server, _) in &servers {
            let endpoint = server.bind(TCP)?;
            round_trip(server, &endpoint);
        }
        bound
    }),
    ("Socket::bind, IPv6", |descriptors| {
        let context = context();
        let server = context.socket(Rep)?;
        server.set_ipv6(true)?;
        descriptors.use_up();
        Ok(server.bind("tcp://[::1]:*").map(drop)?)
    }),
    ("Socket::bind_fd", |descriptors| {
        let context = context();
        let server = context.socket(Rep)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        descriptors.use_up();
        let endpoint = server.bind_fd(TCP, listener.into())?;
        descriptors.free();
        round_trip(&server, &endpoint);
        Ok(())
    }),
    ("Socket::connect", |descriptors| {
        let context = context();
        let server = context.socket(Pull)?;
        let endpoints: Vec<_> = endpoints().map(|endpoint| server.bind(endpoint)).collect::<Result<_, _>>()?;
        let clients: Vec<_> = endpoints.iter().map(|endpoint| (context.socket(Push).unwrap(), endpoint)).collect();
        descriptors.use_up();
        let connected =
            with_each(&clients, |(client, endpoint)| client.connect(&endpoint.replace("0.0.0.0", "127.0.0.1")));
        descriptors.rest();
        descriptors.free();
        if connected.is_ok() {
            for (client, endpoint) in &clients {
                client.send(endpoint.as_str())?;
            }
            for _ in &clients {
                text(&server);
            }
        }
        connected
    }),
    ("Socket::connect, by a host's name or with a source address", |descriptors| {
        let context = context();
        let server = context.socket(Pull)?;
        let endpoint = server.bind(TCP)?;
        let clients = [
            endpoint.replace("127.0.0.1", "localhost"),
            endpoint.replace("tcp://", "tcp://lo:0;"),
            endpoint.replace("tcp://", "tcp://127.0.0.1:0;"),
        ]
        .map(|endpoint| (context.socket(Push).unwrap(), endpoint));
        descriptors.use_up();
        let connected = with_each(&clients, |(client, endpoint)| client.connect(endpoint));
        descriptors.rest();
        descriptors.free();
        for (client, endpoint) in &clients {
            client.send(endpoint.as_str())?;
        }
        for _ in &clients {
            text(&server);
        }
        connected
    }),
    ("Socket::connect, through a proxy", |descriptors| {
        let context = context();
        let client = context.socket(Push)?;
        let monitor = client.monitor(Events::ALL)?;
        client.set_socks_proxy(Some("127.0.0.1:1"))?;
        descriptors.use_up();
        client.connect("tcp://127.0.0.1:2")?;
        while !matches!(monitor.next_event(None)?.unwrap().event(), Event::ConnectRetried { .. }) {}
        descriptors.rest();
        Ok(())
    }),
    ("Socket::connect, to an inproc name that is not bound", |descriptors| {
        let context = context();
        let socket = context.socket(Dealer)?;
        descriptors.use_up();
        socket.connect("inproc://nobody")?;
        Ok(())
    }),
    ("a listener", |descriptors| {
        let context = context();
        let server = context.socket(Rep)?;
        let endpoints = endpoints().filter(|endpoint| !endpoint.starts_with("inproc"));
        let endpoints: Vec<_> = endpoints.map(|endpoint| server.bind(endpoint)).collect::<Result<_, _>>()?;
        let clients: Vec<_> = endpoints.iter().map(|_| context.socket(Req).unwrap()).collect();
        descriptors.use_up();
        for (client, endpoint) in clients.iter().zip(&endpoints) {
            client.connect(&endpoint.replace("0.0.0.0", "127.0.0.1"))?;
            client.send("Hello")?;
        }
        descriptors.rest();
        descriptors.free();
        for _ in &clients {
            assert_eq!(text(&server), "Hello");
            server.send("Hello")?;
        }
        Ok(())
    }),
    ("Socket::unbind and Socket::disconnect", |descriptors| {
        let context = context();
        let (server, client) = (context.socket(Pull)?, context.socket(Push)?);
        let bound: Vec<_> = endpoints().map(|endpoint| server.bind(endpoint)).collect::<Result<_, _>>()?;
        let endpoint = bound[0].as_str();
        client.connect(endpoint)?;
        client.send("Hello")?;
        assert_eq!(text(&server), "Hello");
        descriptors.use_up();
        client.disconnect(endpoint)?;
        bound.iter().try_for_each(|endpoint| server.unbind(endpoint))?;
        Ok(())
    }),
    ("Socket::secure", |descriptors| {
        let context = context();
        let server = context.socket(Rep)?;
        descriptors.use_up();
        if zmq::has("curve") {
            let (_, secret) = curve_keypair()?;
            server.secure(&Security::curve_server(&secret))?;
        }
        server.secure(&Security::plain_server())?;
        Ok(())
    }),
    ("Socket::monitor", |descriptors| {
        let context = context();
        let server = context.socket(Rep)?;
        descriptors.use_up();
        let monitor = server.monitor(Events::ALL);
        let bound = server.bind(TCP);
        let works = monitor.is_ok() && bound.is_ok();
        if works {
            assert!(matches!(monitor.as_ref().unwrap().next_event(None)?.unwrap().event(), Event::Listening { .. }));
        }
        descriptors.rest();
        drop(monitor?);
        bound?;
        server.monitor(Events::ALL)?;
        Ok(())
    }),
];

#[deadline::test(patches = [44, 45, 48])]
fn endpoints_bind_and_connect_with_few_descriptors() {
    try_all("endpoints_bind_and_connect_with_few_descriptors", ENDPOINTS);
}

#[cfg(feature = "draft")]
const DRAFTS: &[(&str, Call)] = &[
    ("Socket::bind and Socket::connect over udp", |descriptors| {
        let context = context();
        let (radio, dish) = (context.socket(zmq::Radio)?, context.socket(zmq::Dish)?);
        let port = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let endpoint = format!("udp://127.0.0.1:{port}");
        descriptors.use_up();
        let bound = dish.bind(&endpoint);
        let connected = radio.connect(&endpoint);
        descriptors.rest();
        bound?;
        Ok(connected?)
    }),
    ("a socket that threads share", |descriptors| {
        let context = context();
        let (server, client) = (context.socket(zmq::Server)?, context.socket(zmq::Client)?);
        let endpoint = server.bind(TCP)?;
        descriptors.use_up();
        client.connect(&endpoint)?;
        client.send("Hello")?;
        thread::scope(|scope| {
            let received = scope.spawn(|| server.within(Duration::from_millis(10)).recv_msg());
            received.join().unwrap()
        })?;
        Ok(())
    }),
    ("ppoll", |descriptors| {
        let context = context();
        let socket = context.socket(Pull)?;
        descriptors.use_up();
        let mut items = [zmq::PollItem::socket(&socket, zmq::PollEvents::POLLIN)];
        zmq::ppoll(&mut items, Duration::from_millis(1), &zmq::SignalMask::of_thread())?;
        Ok(())
    }),
];

#[cfg(feature = "draft")]
#[deadline::test(patches = [6, 7, 8, 9, 12, 13, 47])]
fn drafts_work_with_few_descriptors() {
    try_all("drafts_work_with_few_descriptors", DRAFTS);
}

/// A client of another process connects while the server's process has no descriptor. A peer must not be able to end it.
#[deadline::test(patches = [45])]
fn clients_of_other_processes_are_served_when_there_are_descriptors() {
    const TEST: &str = "clients_of_other_processes_are_served_when_there_are_descriptors";
    if role().is_some() {
        let context = context();
        let server = context.socket(Rep).unwrap();
        let ws = zmq::has("WS").then_some("ws://127.0.0.1:*");
        let endpoints = [TCP, "ipc://*"].into_iter().chain(ws);
        let bound: Vec<_> = endpoints.map(|endpoint| server.bind(endpoint).unwrap()).collect();
        let held = use_up_descriptors(0);
        println!("\nbound: {}", bound.join(" "));
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        assert!(cpu_time_of_rest() < Duration::from_millis(100), "a listener loops");
        drop(held);
        for _ in &bound {
            assert_eq!(text(&server), "Hello");
            server.send("World").unwrap();
        }
        println!("served");
        std::io::stdin().read_line(&mut line).unwrap();
        return;
    }
    let mut process = Process::spawn(&mut alone(TEST, "server"));
    let bound = loop {
        if let Some(bound) = process.line().strip_prefix("bound: ") {
            break bound.to_owned();
        }
    };
    let context = context();
    let clients: Vec<_> = bound.split(' ').map(|endpoint| (context.socket(Req).unwrap(), endpoint)).collect();
    let mut silent = Vec::new();
    for (client, endpoint) in &clients {
        if let Some(address) = endpoint.strip_prefix("tcp://") {
            silent.extend((0..20).map(|_| TcpStream::connect(address).unwrap()));
        }
        client.connect_and_wait(endpoint, Duration::from_millis(50)).unwrap();
        client.send("Hello").unwrap();
    }
    process.type_line("go on");
    for (client, _) in &clients {
        assert_eq!(text(client), "World");
    }
    process.type_line("end");
    process.succeeds();
}

//! A peer that sends any bytes to a socket that listens: each kind, over tcp, ipc and ws, with and without security. The
//! sockets are monitored, so the events of such peers are decoded and printed too.
//!
//! An input is a kind, a transport and a mechanism, one byte each, and then chunks: a length and the bytes. A chunk of no bytes
//! waits until the socket has answered.
#![no_main]

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use zmq::monitor::{Events, Monitor};
use zmq::security::Security;
use zmq::{Context, Kind, SecretKey, Socket};
use zmq_fuzz::{Bystander, DEADLINE, Input};

/// How long a chunk of no bytes waits for an answer.
const PAUSE: Duration = Duration::from_millis(2);

/// The longest message that a socket takes.
const LONGEST: u64 = 64 << 10;

const KINDS: [Kind; 20] = [
    Kind::Pair,
    Kind::Pub,
    Kind::Sub,
    Kind::Req,
    Kind::Rep,
    Kind::Dealer,
    Kind::Router,
    Kind::Pull,
    Kind::Push,
    Kind::XPub,
    Kind::XSub,
    Kind::Stream,
    Kind::Server,
    Kind::Client,
    Kind::Radio,
    Kind::Dish,
    Kind::Gather,
    Kind::Scatter,
    Kind::Peer,
    Kind::Channel,
];

/// The number of stable kinds, which come first.
const STABLE: usize = 12;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Transport {
    Tcp,
    Ipc,
    Ws,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Mechanism {
    Null,
    Plain,
    Curve,
}

struct Target {
    socket: Socket<'static>,
    monitor: Option<Monitor>,
    /// The address without its transport.
    address: String,
}

struct World {
    context: Context,
    bystander: Bystander,
    targets: HashMap<(u8, Transport, Mechanism), Target>,
    runs: u64,
    /// The descriptors that were open when they were counted last, and the targets at that time.
    open: Option<usize>,
    known: usize,
}

trait Stream: Read + Write {
    fn end(&self);
}

impl Stream for TcpStream {
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Stream for UnixStream {
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl World {
    fn new() -> World {
        let context = Context::new().unwrap();
        let bystander = Bystander::new(&context);
        World { context, bystander, targets: HashMap::new(), runs: 0, open: None, known: 0 }
    }

    /// Waits until the connections of the peers that have left are closed, and panics if some are kept.
    fn has_closed_connections(&mut self) {
        let end = Instant::now() + DEADLINE;
        // A new target has its own descriptors, its listener's, and those of its monitor.
        let new_targets = self.targets.len() - self.known;
        let most = self.open.map_or(usize::MAX, |open| open + 8 * new_targets);
        loop {
            let open = fs::read_dir("/proc/self/fd").unwrap().count();
            if open <= most {
                (self.open, self.known) = (Some(open), self.targets.len());
                return;
            }
            assert!(Instant::now() < end, "{open} descriptors are open, of {most} at most");
            std::thread::sleep(PAUSE);
        }
    }

    fn target(&mut self, kind: u8, transport: Transport, mechanism: Mechanism) -> &Target {
        let context = &self.context;
        self.targets.entry((kind, transport, mechanism)).or_insert_with(|| {
            let socket = context.owned_socket(KINDS[usize::from(kind)]).unwrap();
            socket.set_maxmsgsize(LONGEST).unwrap();
            socket.set_handshake_ivl(Duration::from_millis(200)).unwrap();
            match socket.kind() {
                Kind::Sub => socket.set_option("ZMQ_SUBSCRIBE", "").unwrap(),
                Kind::Dish => socket.set_rcvhwm(10).unwrap(),
                _ => {}
            }
            match mechanism {
                Mechanism::Null => {}
                Mechanism::Plain => socket.secure(&Security::plain_server()).unwrap(),
                Mechanism::Curve => socket.secure(&Security::curve_server(&SecretKey::from([7; 32]))).unwrap(),
            }
            let monitor = socket.monitor(Events::ALL).ok();
            let endpoint = match transport {
                Transport::Tcp => socket.bind("tcp://127.0.0.1:*"),
                Transport::Ipc => socket.bind("ipc://*"),
                Transport::Ws => socket.bind("ws://127.0.0.1:*"),
            };
            let endpoint = endpoint.unwrap_or_else(|error| panic!("{}: {error}", socket.kind()));
            let address = endpoint.split_once("://").unwrap().1.trim_end_matches('/').to_owned();
            Target { socket, monitor, address }
        })
    }
}

fn connect(transport: Transport, address: &str) -> Box<dyn Stream> {
    match transport {
        Transport::Ipc => {
            let stream = UnixStream::connect(address).expect("the socket listens");
            stream.set_read_timeout(Some(PAUSE)).unwrap();
            Box::new(stream)
        }
        Transport::Tcp | Transport::Ws => {
            let stream = TcpStream::connect(address).expect("the socket listens");
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(PAUSE)).unwrap();
            Box::new(stream)
        }
    }
}

fn attack(world: &mut World, mut input: Input<'_>) {
    // Without patches there are no sockets of draft kinds.
    let kinds = if zmq::PATCHES == "none" { STABLE } else { KINDS.len() };
    let kind = input.byte() % kinds as u8;
    let transport = input.pick(&[Transport::Tcp, Transport::Tcp, Transport::Ipc, Transport::Ws]);
    let mechanism = input.pick(&[Mechanism::Null, Mechanism::Null, Mechanism::Plain, Mechanism::Curve]);
    // A STREAM has neither WebSocket nor security.
    let is_stream = KINDS[usize::from(kind)] == Kind::Stream;
    let transport = if is_stream { Transport::Tcp } else { transport };
    let mechanism = if is_stream { Mechanism::Null } else { mechanism };
    let target = world.target(kind, transport, mechanism);
    let mut stream = connect(transport, &target.address);
    let mut answer = [0; 4096];
    while !input.is_empty() {
        let chunk = input.bytes();
        let goes_on =
            if chunk.is_empty() { !matches!(stream.read(&mut answer), Ok(0)) } else { stream.write_all(chunk).is_ok() };
        if !goes_on {
            break;
        }
    }
    stream.end();
    // The end of the connection, after the socket has read everything.
    for _ in 0..4 {
        if matches!(stream.read(&mut answer), Ok(0) | Err(_)) {
            break;
        }
    }
    if target.socket.kind() != Kind::Pub {
        while let Ok(Some(message)) = target.socket.now().recv_msg() {
            let _ = (format!("{message:?}"), message.gets("Peer-Address"), message.gets("User-Id"));
        }
    }
    // A message to the peer, if there is one.
    let _ = target.socket.now().send("answer");
    if let Some(monitor) = &target.monitor {
        while let Ok(Some(notice)) = monitor.next_event(Duration::ZERO) {
            let _ = format!("{notice:?}");
        }
    }
    drop(stream);
    world.runs += 1;
    if world.runs.is_multiple_of(16) {
        world.bystander.is_served();
    }
    if world.runs.is_multiple_of(256) {
        world.has_closed_connections();
    }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fuzz_target!(|input: &[u8]| {
    WORLD.with_borrow_mut(|world| attack(world, Input(input)));
});

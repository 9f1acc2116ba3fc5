//! Conversations with native peers: `interop/peer.c`, compiled against the linked libzmq and run as a process.
//!
//! A [`Talk`] says which kinds of socket meet and what each side does. It is held with Rust on either side, binding and
//! connecting, over tcp and ipc, by each way of sending and receiving. Messages are written as `peer.c` explains.

mod common;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{LazyLock, OnceLock};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, Process, c_program, within_deadline};
use zmq::{Context, Dealer, Kind, Message, Multipart, Req, Router, Socket, SocketType};

/// What travels in every conversation: empty frames alone, first, in the middle and last, the sizes around the 33 bytes
/// that a message holds in itself, NULs and a mebibyte.
const MESSAGES: &[&str] = &[
    "Hello",
    "",
    "#1",
    "#32",
    "#33",
    "#34",
    "#35",
    "#1048576",
    "two|parts",
    "|first empty",
    "middle||empty",
    "last empty|",
    "||",
    "%00|%0000|%ff00ff",
    "#255|#256||#65536|#1048576|#33|",
];

/// What a publisher repeats until its subscriber has it, and how often.
const SYNC: &str = "A sync";
const REPEAT: Duration = Duration::from_millis(10);
/// Longer than the longest frame.
const BUFFER: usize = 2 << 20;
/// The longest frame's content; the others are its beginnings.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| (0..1 << 20).map(|i| (i * 167 + (i >> 8) * 13) as u8).collect());
/// The longest content that the peer prints in full.
const SHOWN: usize = 34;

/// What one side of a conversation is, and what it does.
struct Party {
    kind: Kind,
    option: Option<Choice>,
    steps: Vec<Step>,
}

/// An option that is set before the socket binds or connects.
enum Choice {
    RoutingId(&'static str),
    Subscribe(&'static str),
}

enum Step {
    Send(String),
    Recv(String),
    /// Repeats [`SYNC`] until the other side has it.
    Publish,
    /// Receives [`SYNC`], says so, and leaves its repetitions out from then on.
    Await,
}

/// The peer's argument.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::RoutingId(id) => write!(f, "id:{id}"),
            Choice::Subscribe(prefix) => write!(f, "subscribe:{prefix}"),
        }
    }
}

/// The peer's argument.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Send(message) => write!(f, "send:{message}"),
            Step::Recv(_) => f.write_str("recv"),
            Step::Publish => write!(f, "publish:{SYNC}"),
            Step::Await => write!(f, "await:{SYNC}"),
        }
    }
}

impl Party {
    fn new(kind: Kind) -> Party {
        Party { kind, option: None, steps: Vec::new() }
    }

    /// What the peer prints in this role, after its endpoint.
    fn observations(&self) -> Vec<String> {
        let received = self.steps.iter().filter_map(|step| match step {
            Step::Recv(message) => Some(described(&frames(message))),
            Step::Await => Some(described(&frames(SYNC))),
            Step::Send(_) | Step::Publish => None,
        });
        received.chain(["done".to_owned()]).collect()
    }
}

struct Talk {
    left: Party,
    right: Party,
}

impl Talk {
    fn between(left: Kind, right: Kind) -> Talk {
        Talk { left: Party::new(left), right: Party::new(right) }
    }

    fn left_option(mut self, option: Choice) -> Talk {
        self.left.option = Some(option);
        self
    }

    fn right_option(mut self, option: Choice) -> Talk {
        self.right.option = Some(option);
        self
    }

    /// Left sends and right receives: not always the same frames.
    fn rightward(mut self, sent: &str, received: &str) -> Talk {
        self.left.steps.push(Step::Send(sent.to_owned()));
        self.right.steps.push(Step::Recv(received.to_owned()));
        self
    }

    fn leftward(mut self, sent: &str, received: &str) -> Talk {
        self.right.steps.push(Step::Send(sent.to_owned()));
        self.left.steps.push(Step::Recv(received.to_owned()));
        self
    }

    /// Left publishes what right must not receive: it would come before the next message that does.
    fn unheard(mut self, messages: &[&str]) -> Talk {
        self.left.steps.extend(messages.iter().map(|message| Step::Send((*message).to_owned())));
        self
    }

    /// Right has subscribed when this is over: left repeats itself.
    fn synchronized(mut self) -> Talk {
        self.left.steps.push(Step::Publish);
        self.right.steps.push(Step::Await);
        self
    }

    /// Right has subscribed when this is over: left receives the subscription.
    fn subscribed(mut self, subscription: &str) -> Talk {
        self.left.steps.push(Step::Recv(subscription.to_owned()));
        self
    }

    fn for_each(self, messages: &[&str], turns: impl Fn(Talk, &str) -> Talk) -> Talk {
        messages.iter().fold(self, |talk, message| turns(talk, message))
    }
}

fn push_pull() -> Talk {
    Talk::between(Kind::Push, Kind::Pull).for_each(MESSAGES, |talk, m| talk.rightward(m, m))
}

fn req_rep() -> Talk {
    Talk::between(Kind::Req, Kind::Rep).for_each(MESSAGES, |talk, m| {
        let reply = format!("re|{m}");
        talk.rightward(m, m).leftward(&reply, &reply)
    })
}

/// The DEALER makes the delimiter that a REQ would: alone, and behind the addresses of two hops.
fn dealer_rep() -> Talk {
    Talk::between(Kind::Dealer, Kind::Rep).for_each(MESSAGES, |talk, m| {
        let (near, far) = (format!("|{m}"), format!("hop|%0001||{m}"));
        talk.rightward(&near, m).leftward(m, &near).rightward(&far, m).leftward(m, &far)
    })
}

fn dealer_dealer() -> Talk {
    Talk::between(Kind::Dealer, Kind::Dealer).for_each(MESSAGES, |talk, m| talk.rightward(m, m).leftward(m, m))
}

/// With the envelope `[id][][body]`, and with the id alone.
fn dealer_router() -> Talk {
    let talk = Talk::between(Kind::Dealer, Kind::Router).left_option(Choice::RoutingId("alice"));
    talk.for_each(MESSAGES, |talk, m| {
        let (delimited, enveloped, addressed) = (format!("|{m}"), format!("alice||{m}"), format!("alice|{m}"));
        let talk = talk.rightward(&delimited, &enveloped).leftward(&enveloped, &delimited);
        talk.rightward(m, &addressed).leftward(&addressed, m)
    })
}

fn req_router() -> Talk {
    let talk = Talk::between(Kind::Req, Kind::Router).left_option(Choice::RoutingId("%ff00626f62"));
    talk.for_each(MESSAGES, |talk, m| {
        let enveloped = format!("%ff00626f62||{m}");
        talk.rightward(m, &enveloped).leftward(&enveloped, m)
    })
}

/// Each message under topics that begin with the prefix A, and under others.
fn topics(talk: Talk) -> Talk {
    let talk = talk.for_each(MESSAGES, |talk, m| {
        let (prefix, longer) = (format!("A|{m}"), format!("A longer topic|{m}"));
        let talk = talk.unheard(&["B|no", "|no", "a|no", "%00|no", "BA|no", "B|A", ""]);
        talk.rightward(&prefix, &prefix).rightward(&longer, &longer)
    });
    talk.unheard(&["not A"]).rightward("A end", "A end")
}

fn pub_sub() -> Talk {
    topics(Talk::between(Kind::Pub, Kind::Sub).right_option(Choice::Subscribe("A")).synchronized())
}

fn xpub_sub() -> Talk {
    topics(Talk::between(Kind::XPub, Kind::Sub).right_option(Choice::Subscribe("A")).subscribed("%0141"))
}

/// A prefix that contains a NUL. A shorter pattern is a prefix of a longer one.
fn binary_prefix() -> Talk {
    let talk = Talk::between(Kind::XPub, Kind::Sub).right_option(Choice::Subscribe("#3")).subscribed("%0100a74e");
    talk.for_each(&["#3", "#33", "#3||", "#1048576|"], |talk, m| {
        talk.unheard(&["", "%00", "#2", "#2|#3", "|#3", "%00a74f4e"]).rightward(m, m)
    })
}

/// The four tests of each conversation.
macro_rules! conversations {
    ($($talk:ident)*) => {$(
        mod $talk {
            use super::{Side, converse};

            #[test]
            fn rust_is_left_and_binds() {
                converse(super::$talk, Side::Left, Side::Left);
            }

            #[test]
            fn rust_is_left_and_connects() {
                converse(super::$talk, Side::Left, Side::Right);
            }

            #[test]
            fn rust_is_right_and_binds() {
                converse(super::$talk, Side::Right, Side::Right);
            }

            #[test]
            fn rust_is_right_and_connects() {
                converse(super::$talk, Side::Right, Side::Left);
            }
        }
    )*};
}

conversations! {
    push_pull
    req_rep
    dealer_rep
    dealer_dealer
    dealer_router
    req_router
    pub_sub
    xpub_sub
    binary_prefix
}

/// A ROUTER makes ids up for peers that have none, and each reply finds the one who asked.
#[test]
fn rust_router_answers_those_who_asked() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let router = open(&context, Router);
        let endpoint = router.bind("tcp://127.0.0.1:*").unwrap();
        let connect = format!("connect:{endpoint}");
        let req = peer("msg", Kind::Req, &[&connect, "send:from REQ", "recv"]);
        let dealer = peer("buffer", Kind::Dealer, &[&connect, "send:|from DEALER", "recv"]);

        // Both have asked before the first is answered.
        let mut requests = [router.recv_multipart().unwrap(), router.recv_multipart().unwrap()];
        requests.sort_by(|one, other| one.back().cmp(&other.back()));
        let addresses = requests.each_mut().map(|request| request.unwrap().unwrap());
        assert_eq!(requests, [Multipart::from(["from DEALER"]), Multipart::from(["from REQ"])]);
        assert_ne!(addresses[0], addresses[1]);
        for (address, reply) in addresses.into_iter().zip(["to DEALER", "to REQ"]) {
            assert_eq!((address.len(), address[0]), (5, 0), "an id that the ROUTER made up");
            let mut reply = Multipart::from([reply]);
            reply.wrap(address);
            router.send_multipart(reply).unwrap();
        }
        for (peer, reply) in [(req, "to REQ"), (dealer, "|to DEALER")] {
            assert_eq!(peer.rest(), [described(&frames(reply)), "done".to_owned()]);
            peer.succeeds();
        }
    });
}

#[test]
fn c_router_answers_those_who_asked() {
    within_deadline(|| {
        let steps = ["bind:tcp://127.0.0.1:*", "recv", "echo", "recv", "recv", "send:b||to b", "send:a||to a"];
        let peer = peer("msg", Kind::Router, &steps);
        let endpoint = bound(&peer);
        let context = Context::new().unwrap();

        let nameless = open(&context, Req);
        nameless.connect(&endpoint).unwrap();
        nameless.send_multipart(["from", "nameless"]).unwrap();
        let line = peer.line();
        let (address, request) = line.split_once('|').unwrap();
        assert!(address.starts_with("5:00"), "{address}");
        assert_eq!(request, described(&frames("|from|nameless")));
        assert_eq!(nameless.recv_multipart().unwrap(), ["from", "nameless"]);

        let a = open(&context, Req);
        a.set_routing_id("a").unwrap();
        a.connect(&endpoint).unwrap();
        a.send("from a").unwrap();
        assert_eq!(peer.line(), described(&frames("a||from a")));
        let b = open(&context, Dealer);
        b.set_routing_id("b").unwrap();
        b.connect(&endpoint).unwrap();
        b.send_multipart(["", "from b"]).unwrap();
        assert_eq!(peer.line(), described(&frames("b||from b")));
        assert_eq!(a.recv_multipart().unwrap(), ["to a"]);
        assert_eq!(b.recv_multipart().unwrap(), ["", "to b"]);
        assert_eq!(peer.rest(), ["done"]);
        peer.succeeds();
    });
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
}

/// How Rust sends and receives.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// `send(&[u8])` and `recv_into`.
    Slices,
    /// `send(Vec<u8>)`, which does not copy, and `recv`.
    Messages,
    /// `send_multipart` and `recv_multipart`.
    Multiparts,
}

/// Holds a conversation in each way over each transport.
fn converse(talk: fn() -> Talk, rust: Side, binder: Side) {
    within_deadline(move || {
        let talk = talk();
        let (own, native) = if rust == Side::Left { (talk.left, talk.right) } else { (talk.right, talk.left) };
        let expected = native.observations();
        for (way, functions) in [(Way::Slices, "msg"), (Way::Messages, "buffer"), (Way::Multiparts, "msg")] {
            let directory = Directory::new();
            for endpoint in ["tcp://127.0.0.1:*".to_owned(), directory.ipc()] {
                println!("{way:?} over {endpoint}");
                let context = Context::new().unwrap();
                let socket = open(&context, own.kind);
                match own.option {
                    Some(Choice::RoutingId(id)) => socket.set_routing_id(&frames(id)[0]).unwrap(),
                    Some(Choice::Subscribe(prefix)) => socket.subscribe(&frames(prefix)[0]).unwrap(),
                    None => {}
                }
                let start = |place: String| {
                    let option = native.option.iter().map(Choice::to_string);
                    let args: Vec<_> = option.chain([place]).chain(native.steps.iter().map(Step::to_string)).collect();
                    peer(functions, native.kind, &args.iter().map(String::as_str).collect::<Vec<_>>())
                };
                let peer = if rust == binder {
                    start(format!("connect:{}", socket.bind(&endpoint).unwrap()))
                } else {
                    let peer = start(format!("bind:{endpoint}"));
                    socket.connect(&bound(&peer)).unwrap();
                    peer
                };

                let mut speaker = Speaker { socket, way, peer, observations: Vec::new(), leave_out: None };
                own.steps.iter().for_each(|step| speaker.take(step));
                let Speaker { peer, mut observations, .. } = speaker;
                observations.extend(peer.rest());
                assert_eq!(observations, expected);
                peer.succeeds();
            }
        }
    });
}

/// The Rust side of a conversation.
struct Speaker<'ctx> {
    socket: Socket<'ctx>,
    way: Way,
    peer: Process,
    /// What the peer has printed so far.
    observations: Vec<String>,
    /// The message whose repetitions do not count.
    leave_out: Option<Vec<Vec<u8>>>,
}

impl Speaker<'_> {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Send(message) => self.send(frames(message)),
            Step::Recv(message) => {
                let received = loop {
                    let received = self.recv();
                    if self.leave_out.as_ref() != Some(&received) {
                        break received;
                    }
                };
                let expected = frames(message);
                assert!(received == expected, "{} instead of {}", described(&received), described(&expected));
            }
            Step::Publish => {
                let observation = self.publish_until_heard();
                self.observations.push(observation);
            }
            Step::Await => {
                let received = self.recv();
                assert_eq!(received, frames(SYNC));
                self.leave_out = Some(received);
                self.peer.type_line("heard");
            }
        }
    }

    fn send(&self, frames: Vec<Vec<u8>>) {
        let last = frames.len() - 1;
        match self.way {
            Way::Slices => {
                frames[..last].iter().for_each(|frame| self.socket.send_more(&frame[..]).unwrap());
                self.socket.send(&frames[last][..]).unwrap();
            }
            Way::Messages => {
                for (index, frame) in frames.into_iter().enumerate() {
                    let message = Message::from(frame);
                    let sent = if index < last { self.socket.send_more(message) } else { self.socket.send(message) };
                    sent.unwrap();
                }
            }
            Way::Multiparts => self.socket.send_multipart(frames).unwrap(),
        }
    }

    fn recv(&self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        match self.way {
            Way::Slices => {
                let mut buffer = vec![0; BUFFER];
                loop {
                    let received = self.socket.recv_into(&mut buffer).unwrap();
                    assert!(!received.is_truncated(), "{received:?}");
                    frames.push(buffer[..received.copied].to_vec());
                    if !self.socket.rcvmore().unwrap() {
                        return frames;
                    }
                }
            }
            Way::Messages => loop {
                let message = self.socket.recv().unwrap();
                frames.push(message.to_vec());
                if !message.more() {
                    return frames;
                }
            },
            Way::Multiparts => self.socket.recv_multipart().unwrap().iter().map(|part| part.to_vec()).collect(),
        }
    }

    /// Gives what the peer says when it has heard.
    fn publish_until_heard(&mut self) -> String {
        let Speaker { socket, peer, .. } = self;
        let (say, heard) = channel();
        thread::scope(|scope| {
            scope.spawn(move || say.send(peer.line()));
            loop {
                socket.send(SYNC).unwrap();
                match heard.recv_timeout(REPEAT) {
                    Ok(line) => return line,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => panic!("the peer has ended and heard nothing"),
                }
            }
        })
    }
}

/// A socket that gives up in time to say where, and does not linger: when it is dropped, its peer has ended.
fn open<T: SocketType>(context: &Context, kind: T) -> Socket<'_, T> {
    let socket = context.socket(kind).unwrap();
    socket.set_rcvtimeo(Some(DEADLINE / 2)).unwrap();
    socket.set_sndtimeo(Some(DEADLINE / 2)).unwrap();
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    socket
}

/// Starts the peer; it is compiled once.
fn peer(functions: &str, kind: Kind, steps: &[&str]) -> Process {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| c_program("peer.c"));
    let kind = kind.c_name().trim_start_matches("ZMQ_").to_lowercase();
    Process::start(program, &[&[functions, &kind], steps].concat())
}

/// The endpoint that the peer has bound.
fn bound(peer: &Process) -> String {
    let line = peer.line();
    line.strip_prefix("bound ").unwrap_or_else(|| panic!("{line} instead of the endpoint")).to_owned()
}

/// A message's frames from its notation.
fn frames(message: &str) -> Vec<Vec<u8>> {
    let frame = |text: &str| match text.as_bytes() {
        [b'#', ..] => PATTERN[..text[1..].parse().unwrap()].to_vec(),
        [b'%', digits @ ..] => {
            let byte = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
            digits.chunks(2).map(byte).collect()
        }
        text => text.to_vec(),
    };
    message.split('|').map(frame).collect()
}

/// A message as the peer prints it.
fn described(frames: &[Vec<u8>]) -> String {
    let content = |frame: &[u8]| match frame.len() {
        0..=SHOWN => frame.iter().map(|byte| format!("{byte:02x}")).collect(),
        _ => {
            let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
            format!("{:016x}", frame.iter().fold(0xcbf2_9ce4_8422_2325, hash))
        }
    };
    frames.iter().map(|frame| format!("{}:{}", frame.len(), content(frame))).collect::<Vec<_>>().join("|")
}

/// A temporary directory.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("zmq-interop-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }

    fn ipc(&self) -> String {
        format!("ipc://{}", self.0.join("peer").display())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

//! Conversations between Rust and a peer in another language. The peer is a process.
//!
//! A [`Talk`] has the socket kind and the steps of each side. It runs with Rust on either side, binding and connecting,
//! over tcp and ipc, by each style of calls. Messages are written as `peer.c` explains.

mod notation;
mod speaker;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zmq::{Context, Dealer, Kind, Multipart, Req, Router, Socket, SocketType};

use crate::common::{DEADLINE, Process};
use notation::{described, frames};
use speaker::{CallStyle, Speaker};

/// Starts a peer with the functions that it uses (`buffer` or `msg`), its socket kind, and its steps.
pub type StartPeer = fn(functions: &str, kind: &str, steps: &[&str]) -> Process;

/// The messages of most conversations: empty frames alone, first, in the middle and last, the sizes around the 33 bytes
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

/// The message that a publisher repeats until its subscriber has received it.
const SYNC: &str = "A sync";

/// One side of a conversation.
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
    /// Receives [`SYNC`], reports it, and skips its repetitions from then on.
    Await,
    /// A STREAM receives the notice of a connection: the address of the other side, and an empty frame.
    Greet,
    /// A STREAM sends these bytes to the address that it received last.
    Write(String),
    /// A STREAM receives this many bytes, in any number of messages.
    Read(String),
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
            Step::Greet => f.write_str("greet"),
            Step::Write(bytes) => write!(f, "write:{bytes}"),
            Step::Read(bytes) => write!(f, "read:{}", frames(bytes)[0].len()),
        }
    }
}

impl Party {
    fn new(kind: Kind) -> Party {
        Party { kind, option: None, steps: Vec::new() }
    }

    /// The lines that the peer prints in this role, after its endpoint.
    fn observations(&self) -> Vec<String> {
        let received = self.steps.iter().filter_map(|step| match step {
            Step::Recv(message) => Some(described(&frames(message))),
            Step::Await => Some(described(&frames(SYNC))),
            Step::Greet => Some("5:address|0:".to_owned()),
            Step::Read(bytes) => Some(described(&frames(bytes))),
            Step::Send(_) | Step::Write(_) | Step::Publish => None,
        });
        received.chain(["done".to_owned()]).collect()
    }
}

pub struct Talk {
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

    /// Left sends and right receives. The frames can differ: a ROUTER adds an id.
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

    /// Left publishes messages that right must not receive. They would arrive before the next message that it receives.
    fn unheard(mut self, messages: &[&str]) -> Talk {
        self.left.steps.extend(messages.iter().map(|message| Step::Send((*message).to_owned())));
        self
    }

    /// Left repeats a message until right has subscribed and received it.
    fn synchronized(mut self) -> Talk {
        self.left.steps.push(Step::Publish);
        self.right.steps.push(Step::Await);
        self
    }

    /// Left receives the subscription of right.
    fn subscribed(mut self, subscription: &str) -> Talk {
        self.left.steps.push(Step::Recv(subscription.to_owned()));
        self
    }

    fn greeted(mut self) -> Talk {
        self.left.steps.push(Step::Greet);
        self.right.steps.push(Step::Greet);
        self
    }

    /// Left writes and right reads.
    fn written_rightward(mut self, bytes: &str) -> Talk {
        self.left.steps.push(Step::Write(bytes.to_owned()));
        self.right.steps.push(Step::Read(bytes.to_owned()));
        self
    }

    fn written_leftward(mut self, bytes: &str) -> Talk {
        self.right.steps.push(Step::Write(bytes.to_owned()));
        self.left.steps.push(Step::Read(bytes.to_owned()));
        self
    }

    fn for_each(self, messages: &[&str], turns: impl Fn(Talk, &str) -> Talk) -> Talk {
        messages.iter().fold(self, |talk, message| turns(talk, message))
    }
}

pub fn push_pull() -> Talk {
    Talk::between(Kind::Push, Kind::Pull).for_each(MESSAGES, |talk, m| talk.rightward(m, m))
}

pub fn req_rep() -> Talk {
    Talk::between(Kind::Req, Kind::Rep).for_each(MESSAGES, |talk, m| {
        let reply = format!("re|{m}");
        talk.rightward(m, m).leftward(&reply, &reply)
    })
}

/// The DEALER sends the delimiter that a REQ would send: alone, and after the addresses of two hops.
pub fn dealer_rep() -> Talk {
    Talk::between(Kind::Dealer, Kind::Rep).for_each(MESSAGES, |talk, m| {
        let (near, far) = (format!("|{m}"), format!("hop|%0001||{m}"));
        talk.rightward(&near, m).leftward(m, &near).rightward(&far, m).leftward(m, &far)
    })
}

pub fn dealer_dealer() -> Talk {
    Talk::between(Kind::Dealer, Kind::Dealer).for_each(MESSAGES, |talk, m| talk.rightward(m, m).leftward(m, m))
}

/// With the envelope `[id][][body]`, and with the id alone.
pub fn dealer_router() -> Talk {
    let talk = Talk::between(Kind::Dealer, Kind::Router).left_option(Choice::RoutingId("alice"));
    talk.for_each(MESSAGES, |talk, m| {
        let (delimited, enveloped, addressed) = (format!("|{m}"), format!("alice||{m}"), format!("alice|{m}"));
        let talk = talk.rightward(&delimited, &enveloped).leftward(&enveloped, &delimited);
        talk.rightward(m, &addressed).leftward(&addressed, m)
    })
}

pub fn req_router() -> Talk {
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

pub fn pub_sub() -> Talk {
    topics(Talk::between(Kind::Pub, Kind::Sub).right_option(Choice::Subscribe("A")).synchronized())
}

pub fn xpub_sub() -> Talk {
    topics(Talk::between(Kind::XPub, Kind::Sub).right_option(Choice::Subscribe("A")).subscribed("%0141"))
}

/// A prefix that contains a NUL. A shorter pattern is a prefix of a longer one.
pub fn binary_prefix() -> Talk {
    let talk = Talk::between(Kind::XPub, Kind::Sub).right_option(Choice::Subscribe("#3")).subscribed("%0100a74e");
    talk.for_each(&["#3", "#33", "#3||", "#1048576|"], |talk, m| {
        talk.unheard(&["", "%00", "#2", "#2|#3", "|#3", "%00a74f4e"]).rightward(m, m)
    })
}

/// The subscriptions are messages here. Other messages of the XSUB arrive unchanged.
pub fn xpub_xsub() -> Talk {
    let talk = topics(Talk::between(Kind::XPub, Kind::XSub).leftward("%0141", "%0141"));
    let talk = talk.for_each(&["up", "", "%02ff", "two|parts", "middle||empty", "||"], |talk, m| talk.leftward(m, m));
    let talk = talk.leftward("%0041", "%0041").leftward("%0142", "%0142");
    talk.unheard(&["A not any more"]).rightward("B|from now on", "B|from now on")
}

pub fn pair() -> Talk {
    Talk::between(Kind::Pair, Kind::Pair).for_each(MESSAGES, |talk, m| talk.rightward(m, m).leftward(m, m))
}

/// Bytes without ZMTP.
pub fn stream() -> Talk {
    let talk = Talk::between(Kind::Stream, Kind::Stream).greeted();
    talk.for_each(&["Hello", "#1", "#33", "%00ff00", "#65536", "#1048576", "bye"], |talk, bytes| {
        talk.written_rightward(bytes).written_leftward(bytes)
    })
}

/// The tests of each conversation, with peers that the function starts.
macro_rules! conversations {
    ($peer:ident) => {
        $crate::talk::conversations! {
            $peer: push_pull req_rep dealer_rep dealer_dealer dealer_router req_router pub_sub xpub_sub xpub_xsub
            binary_prefix pair stream
        }

        #[deadline::test]
        fn rust_router_answers_the_peers_that_asked() {
            $crate::talk::rust_router_answers($peer);
        }

        #[deadline::test]
        fn native_router_answers_the_peers_that_asked() {
            $crate::talk::their_router_answers($peer);
        }
    };
    ($peer:ident: $($talk:ident)*) => {$(
        mod $talk {
            use crate::talk::{Side, converse, $talk};

            #[deadline::test]
            fn rust_is_left_and_binds() {
                converse($talk, Side::Left, Side::Left, super::$peer);
            }

            #[deadline::test]
            fn rust_is_left_and_connects() {
                converse($talk, Side::Left, Side::Right, super::$peer);
            }

            #[deadline::test]
            fn rust_is_right_and_binds() {
                converse($talk, Side::Right, Side::Right, super::$peer);
            }

            #[deadline::test]
            fn rust_is_right_and_connects() {
                converse($talk, Side::Right, Side::Left, super::$peer);
            }
        }
    )*};
}
pub(crate) use conversations;

/// A ROUTER generates ids for peers without one, and each reply reaches the peer that asked.
pub fn rust_router_answers(peer: StartPeer) {
    let context = Context::new().unwrap();
    let router = open(&context, Router);
    let endpoint = router.bind("tcp://127.0.0.1:*").unwrap();
    let connect = format!("connect:{endpoint}");
    let req = peer("msg", "REQ", &[&connect, "send:from REQ", "recv"]);
    let dealer = peer("buffer", "DEALER", &[&connect, "send:|from DEALER", "recv"]);

    // The ROUTER receives both requests before it sends the first reply.
    let mut requests = [router.recv_multipart().unwrap(), router.recv_multipart().unwrap()];
    requests.sort_by(|one, other| one.last().cmp(&other.last()));
    let addresses = requests.each_mut().map(|request| request.pop_envelope().unwrap());
    assert_eq!(requests, [Multipart::from(["from DEALER"]), Multipart::from(["from REQ"])]);
    assert_ne!(addresses[0], addresses[1]);
    for (address, reply) in addresses.into_iter().zip(["to DEALER", "to REQ"]) {
        assert_eq!((address.len(), address[0]), (5, 0), "an id that the ROUTER generated");
        let mut reply = Multipart::from([reply]);
        reply.push_envelope(address);
        router.send_multipart(reply).unwrap();
    }
    for (peer, reply) in [(req, "to REQ"), (dealer, "|to DEALER")] {
        assert_eq!(peer.rest(), [described(&frames(reply)), "done".to_owned()]);
        peer.succeeds();
    }
}

/// The other language's ROUTER echoes a message, and sends to a routing id.
pub fn their_router_answers(peer: StartPeer) {
    let steps = ["bind:tcp://127.0.0.1:*", "recv", "echo", "recv", "recv", "send:b||to b", "send:a||to a"];
    let peer = peer("msg", "ROUTER", &steps);
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
}

#[derive(Clone, Copy, PartialEq)]
pub enum Side {
    Left,
    Right,
}

/// Runs the conversation with each style of calls over each transport.
pub fn converse(talk: fn() -> Talk, rust: Side, binder: Side, peer: StartPeer) {
    let talk = talk();
    let (own, native) = if rust == Side::Left { (talk.left, talk.right) } else { (talk.right, talk.left) };
    let expected = native.observations();
    for (style, functions) in
        [(CallStyle::Slices, "msg"), (CallStyle::Messages, "buffer"), (CallStyle::Multiparts, "msg")]
    {
        let directory = Directory::new();
        for endpoint in ["tcp://127.0.0.1:*".to_owned(), directory.ipc()] {
            println!("{style:?} over {endpoint}");
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
                peer(functions, c_name(native.kind), &args.iter().map(String::as_str).collect::<Vec<_>>())
            };
            let peer = if rust == binder {
                start(format!("connect:{}", socket.bind(&endpoint).unwrap()))
            } else {
                let peer = start(format!("bind:{endpoint}"));
                socket.connect(&bound(&peer)).unwrap();
                peer
            };

            let mut speaker = Speaker::new(socket, style, peer);
            own.steps.iter().for_each(|step| speaker.take(step));
            assert_eq!(speaker.peers_observations(), expected);
        }
    }
}

/// A socket whose time-outs are shorter than the test's, so that a failure names its call. It does not linger, because
/// its peer has ended when it is dropped.
fn open<T: SocketType>(context: &Context, kind: T) -> Socket<'_, T> {
    let socket = context.socket(kind).unwrap();
    socket.set_rcvtimeo(Some(DEADLINE / 2)).unwrap();
    socket.set_sndtimeo(Some(DEADLINE / 2)).unwrap();
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    socket
}

/// The peers' name of the kind.
fn c_name(kind: Kind) -> &'static str {
    kind.c_name().trim_start_matches("ZMQ_")
}

/// The endpoint that the peer has bound.
fn bound(peer: &Process) -> String {
    let line = peer.line();
    line.strip_prefix("bound ").unwrap_or_else(|| panic!("{line} instead of the endpoint")).to_owned()
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

//! The draft kinds and native peers: `interop/draft_peer.c`, compiled against the linked libzmq and run as a process. Rust
//! and C take either side, each binds and connects, over tcp and ipc, and over udp if the kind has it.

#![cfg(feature = "draft")]

mod common;

use std::net::UdpSocket;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Process, c_program};
use zmq::{Context, Kind, Message, Multipart, Socket};

static PEER: LazyLock<std::path::PathBuf> = LazyLock::new(|| c_program("draft_peer.c"));

const SIZES: [usize; 9] = [0, 1, 29, 33, 34, 255, 256, 7000, 65536];
/// The sizes that fit a datagram with the longest group.
const DATAGRAM_SIZES: [usize; 8] = [0, 1, 29, 33, 34, 255, 256, 7000];
/// Longer than a name that `zmq_msg_t` itself can hold.
const GROUP: &str = "a group of more than fourteen bytes";

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|i| (size + 7 * i) as u8).collect()
}

/// Starts the peer, which takes these steps.
fn peer(kind: Kind, steps: &[&str]) -> Process {
    let name = kind.c_name().strip_prefix("ZMQ_").unwrap();
    Process::start(&*PEER, &[&[name], steps].concat())
}

/// Asserts that the peer prints the size of each message that it receives.
fn prints(peer: &Process, sizes: &[usize]) {
    for size in sizes {
        assert_eq!(peer.line(), size.to_string());
    }
}

fn ends(peer: Process) {
    assert_eq!(peer.line(), "done");
    peer.succeeds();
}

/// The side that binds. The other side connects. A PEER that connects then knows the routing id of its peer.
#[derive(Clone, Copy, PartialEq)]
enum Binds {
    Ours,
    Theirs,
    Either,
}

/// Runs `talk` and the peer's steps over each transport.
fn both_ways(
    ours: Kind,
    theirs: Kind,
    binds: Binds,
    steps: &[&str],
    talk: impl Fn(&Socket<'_>, Option<NonZeroU32>, &mut Process),
) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("zmq-draft-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = format!("ipc://{}", Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).display());
    for (we_bind, endpoint) in
        [(true, "tcp://127.0.0.1:*"), (false, "tcp://127.0.0.1:*"), (true, &path), (false, &path)]
    {
        if binds == (if we_bind { Binds::Theirs } else { Binds::Ours }) {
            continue;
        }
        let context = Context::new().unwrap();
        let socket = context.socket(ours).unwrap();
        if ours == Kind::Dish {
            socket.join(GROUP).unwrap();
        }
        if we_bind {
            let endpoint = socket.bind(endpoint).unwrap();
            let mut peer = peer(theirs, &[&[&*format!("connect:{endpoint}")], steps].concat());
            talk(&socket, None, &mut peer);
            ends(peer);
        } else {
            let mut peer = peer(theirs, &[&[&*format!("bind:{endpoint}")], steps].concat());
            let bound = peer.line();
            let endpoint = bound.strip_prefix("bound ").unwrap();
            let id = (ours == Kind::Peer).then(|| socket.connect_peer(endpoint).unwrap());
            if id.is_none() {
                socket.connect(endpoint).unwrap();
            }
            talk(&socket, id, &mut peer);
            ends(peer);
        }
    }
}

/// Sends a message of each size, to the peer with that routing id if there is one.
fn send_all(socket: &Socket<'_>, sizes: &[usize], id: Option<NonZeroU32>) {
    for &size in sizes {
        match id {
            Some(id) => socket.send_to_peer(id, content(size)).unwrap(),
            None if socket.kind() == Kind::Radio => socket.send_to_group(GROUP, content(size)).unwrap(),
            None => socket.send(content(size)).unwrap(),
        }
    }
}

fn is_sync(message: &Message) -> bool {
    *message == "sync"
}

/// Receives a message of each size.
fn take_all(socket: &Socket<'_>, sizes: &[usize]) {
    for &size in sizes {
        let mut message = socket.recv_msg().unwrap();
        while is_sync(&message) {
            message = socket.recv_msg().unwrap();
        }
        assert!(message == content(size), "{size}: {message:?}");
        assert_eq!(message.routing_id().is_some(), matches!(socket.kind(), Kind::Server | Kind::Peer));
        assert_eq!(message.group(), if socket.kind() == Kind::Dish { GROUP } else { "" });
    }
}

fn echo_all(socket: &Socket<'_>, sizes: &[usize]) {
    for &size in sizes {
        let message = socket.recv_msg().unwrap();
        assert!(message == content(size), "{size}: {message:?}");
        socket.send(message).unwrap();
    }
}

#[deadline::test(patches = [13])]
fn client_asks_a_c_server() {
    both_ways(Kind::Client, Kind::Server, Binds::Either, &["echo"], |socket, _, peer| {
        send_all(socket, &SIZES, None);
        prints(peer, &SIZES);
        take_all(socket, &SIZES);
    });
}

#[deadline::test(patches = [13])]
fn server_answers_a_c_client() {
    both_ways(Kind::Server, Kind::Client, Binds::Either, &["send", "take"], |socket, _, peer| {
        echo_all(socket, &SIZES);
        prints(peer, &SIZES);
    });
}

#[deadline::test(patches = [13])]
fn channel_exchanges_messages_with_a_c_channel() {
    both_ways(Kind::Channel, Kind::Channel, Binds::Either, &["echo", "send"], |socket, _, peer| {
        send_all(socket, &SIZES, None);
        prints(peer, &SIZES);
        take_all(socket, &SIZES);
        take_all(socket, &SIZES);
    });
}

#[deadline::test(patches = [13])]
fn peer_connects_to_a_c_peer() {
    both_ways(Kind::Peer, Kind::Peer, Binds::Theirs, &["echo"], |socket, id, peer| {
        send_all(socket, &SIZES, id);
        prints(peer, &SIZES);
        take_all(socket, &SIZES);
    });
}

#[deadline::test(patches = [13])]
fn peer_answers_a_c_peer_that_connects() {
    both_ways(Kind::Peer, Kind::Peer, Binds::Ours, &["send", "take"], |socket, _, peer| {
        echo_all(socket, &SIZES);
        prints(peer, &SIZES);
    });
}

#[deadline::test(patches = [13])]
fn scatter_feeds_a_c_gather() {
    both_ways(Kind::Scatter, Kind::Gather, Binds::Either, &["take"], |socket, _, peer| {
        send_all(socket, &SIZES, None);
        prints(peer, &SIZES);
    });
}

#[deadline::test(patches = [13])]
fn gather_receives_from_a_c_scatter() {
    both_ways(Kind::Gather, Kind::Scatter, Binds::Either, &["send"], |socket, _, _| take_all(socket, &SIZES));
}

/// Repeats "sync" until the peer has it.
fn sync(radio: &Socket<'_>, peer: &Process) {
    loop {
        radio.send_to_group(GROUP, "sync").unwrap();
        if let Some(line) = peer.line_within(Duration::from_millis(10)) {
            assert_eq!(line, "synced");
            return;
        }
    }
}

#[deadline::test(patches = [6, 7, 13])]
fn radio_reaches_a_c_dish() {
    let join = format!("join:{GROUP}");
    both_ways(Kind::Radio, Kind::Dish, Binds::Either, &[&join, "await", "take"], |radio, _, peer| {
        sync(radio, peer);
        send_all(radio, &SIZES, None);
        prints(peer, &SIZES);
    });
}

#[deadline::test(patches = [6, 7, 13])]
fn dish_receives_from_a_c_radio() {
    let group = format!("group:{GROUP}");
    both_ways(Kind::Dish, Kind::Radio, Binds::Either, &[&group, "sync", "send"], |dish, _, peer| {
        assert_eq!(dish.recv_msg().unwrap(), "sync");
        peer.type_line("heard");
        take_all(dish, &SIZES);
    });
}

/// A port that is free. libzmq has no wildcard for udp.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[deadline::test(patches = [6, 8, 13])]
fn dish_receives_datagrams_of_a_c_radio() {
    let context = Context::new().unwrap();
    let dish = context.socket(Kind::Dish).unwrap();
    dish.join(GROUP).unwrap();
    let endpoint = format!("udp://127.0.0.1:{}", free_port());
    dish.bind(&endpoint).unwrap();
    let steps = [&*format!("connect:{endpoint}"), &*format!("group:{GROUP}"), "sync", "send"];
    let mut peer = peer(Kind::Radio, &steps);
    assert_eq!(dish.recv_msg().unwrap(), "sync");
    peer.type_line("heard");
    take_all(&dish, &DATAGRAM_SIZES);
    ends(peer);
}

#[deadline::test(patches = [6, 9, 13])]
fn radio_reaches_a_c_dish_by_datagrams() {
    let endpoint = format!("udp://127.0.0.1:{}", free_port());
    let peer = peer(Kind::Dish, &[&*format!("join:{GROUP}"), &*format!("bind:{endpoint}"), "await", "take"]);
    assert!(peer.line().starts_with("bound "));
    let context = Context::new().unwrap();
    let radio = context.socket(Kind::Radio).unwrap();
    radio.connect(&endpoint).unwrap();
    sync(&radio, &peer);
    send_all(&radio, &DATAGRAM_SIZES, None);
    prints(&peer, &DATAGRAM_SIZES);
    ends(peer);
}

#[deadline::test(patches = [9, 12])]
fn dgram_exchanges_datagrams_with_a_c_dgram() {
    let (ours, theirs) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dgram).unwrap();
    socket.bind(&format!("udp://{ours}")).unwrap();
    let steps = [&*format!("bind:udp://{theirs}"), "await", "echo", &*format!("to:{ours}"), "send"];
    let peer = peer(Kind::Dgram, &steps);
    assert!(peer.line().starts_with("bound "));
    // Datagrams that arrive before the peer is bound are lost.
    loop {
        socket.send_to(theirs.parse().unwrap(), "sync").unwrap();
        if peer.line_within(Duration::from_millis(10)).is_some_and(|line| line == "synced") {
            break;
        }
    }
    for size in DATAGRAM_SIZES {
        socket.send_multipart([Message::from(&theirs), content(size).into()]).unwrap();
        assert_eq!(peer.line(), size.to_string());
        assert_eq!(socket.recv_from().unwrap(), (theirs.parse().unwrap(), content(size).into()));
    }
    for size in DATAGRAM_SIZES {
        let parts: Multipart = socket.recv_multipart().unwrap();
        assert_eq!((parts.len(), &*parts[1]), (2, &*content(size)));
    }
    ends(peer);
}

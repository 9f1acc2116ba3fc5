//! req.cpp, pair.cpp, channel.cpp: peers that leave in the middle of a message, that come back, or that are a second peer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use zmq::monitor::Events;
use zmq::{Context, Errno, Kind, Pair, Rep, Req, Socket};

use crate::common::{DEADLINE, TCP, context};
use crate::{RECV_TIMEOUT, SHORT, greeted, listener, peer, process_commands, wait_for_reaper};

/// The kinds that have one peer.
const ONE_PEER: &[Kind] = &[
    Kind::Pair,
    #[cfg(feature = "draft")]
    Kind::Channel,
];

/// The REQ takes the next request for the rest of the one whose peer has left, and sends it without its envelope.
#[deadline::test(patches = [1012])]
fn req_ends_a_request_whose_peer_left_with_the_last_part() {
    for (parts, lost) in [(2, 1), (3, 1), (3, 2), (4, 3)] {
        let context = Context::new().unwrap();
        let client = context.socket(Req).unwrap();
        client.set_req_relaxed(true).unwrap();
        client.bind("inproc://client").unwrap();
        let mut server = Some(context.socket(Rep).unwrap());
        server.as_ref().unwrap().connect("inproc://client").unwrap();
        for part in 0..parts {
            if part == lost {
                server = None;
                wait_for_reaper(&context);
            }
            if part + 1 == parts { client.send("last").unwrap() } else { client.send_more("part").unwrap() }
        }
        assert!(server.is_none());
        // The REQ waits for the reply, as it does if its peer leaves right after a request.
        assert!(client.within(SHORT).recv_msg().unwrap().is_none());
        let server = context.socket(Rep).unwrap();
        server.connect("inproc://client").unwrap();
        for _ in 0..3 {
            client.send("request").unwrap();
            assert_eq!(server.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a request"), "request");
            server.send("reply").unwrap();
            assert_eq!(client.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a reply"), "reply");
        }
    }
}

/// The first frame of a reply meets the mark, and the session waits for the second one. The first frame comes again when there
/// is room, and the session gives the connection up for good.
#[deadline::test(patches = [64])]
fn req_receives_a_reply_that_has_waited_for_room() {
    let context = context();
    let client = context.socket(Req).unwrap();
    client.set_req_correlate(true).unwrap();
    client.set_req_relaxed(true).unwrap();
    client.set_rcvhwm(1).unwrap();
    let listener = listener();
    let mut server = peer(&client, &listener, "ROUTER");
    let request = |server: &mut TcpStream, text: &str| {
        client.send(text).unwrap();
        // The id, the empty frame and the text.
        let mut frames = vec![0; 6 + 2 + 2 + text.len()];
        server.read_exact(&mut frames).unwrap();
        frames
    };
    let first = request(&mut server, "first");
    let second = request(&mut server, "second");
    // The first reply fills the pipe. It can be received only after the session has met the second one.
    server.write_all(&[first, second].concat()).unwrap();
    assert_eq!(client.within(RECV_TIMEOUT).recv_msg().unwrap().expect("the second reply"), "second");
    let third = request(&mut server, "third");
    server.write_all(&third).unwrap();
    assert_eq!(client.within(RECV_TIMEOUT).recv_msg().unwrap().expect("the third reply"), "third");
}

/// The next peer receives the rest of the message as a whole message.
#[deadline::test(patches = [1013])]
fn pair_drops_the_rest_of_a_message_whose_peer_left() {
    let context = Context::new().unwrap();
    let left = context.socket(Pair).unwrap();
    left.bind("inproc://pair").unwrap();
    for round in 0..20 {
        let first = context.socket(Pair).unwrap();
        first.connect("inproc://pair").unwrap();
        left.send_more("first half").unwrap();
        if round % 2 == 0 {
            left.send_more("more").unwrap();
        }
        drop(first);
        wait_for_reaper(&context);
        process_commands(&left);
        let second = context.socket(Pair).unwrap();
        second.connect("inproc://pair").unwrap();
        // The next part is refused, and the part after it begins a new message.
        let refused = match round % 3 {
            0 => left.send_more("rest").unwrap_err(),
            1 => left.send("second half").unwrap_err(),
            _ => left.within(RECV_TIMEOUT).send("second half").unwrap_err(),
        };
        assert_eq!(refused.error().errno(), Errno::ECONNRESET);
        left.send("whole").unwrap();
        let message = second.within(DEADLINE).recv_multipart().unwrap().unwrap();
        assert_eq!(message, ["whole"], "round {round}");
        drop(second);
        wait_for_reaper(&context);
        process_commands(&left);
    }
}

/// PAIR refuses a second connection. The old one ends only when it is read to its end, and a PAIR that only sends never reads.
#[deadline::test(patches = [87])]
fn pair_that_only_sends_accepts_its_peer_again() {
    let context = Context::new().unwrap();
    let pair = context.socket(Pair).unwrap();
    pair.set_immediate(true).unwrap();
    pair.set_reconnect_ivl(Some(Duration::from_millis(10))).unwrap();
    let listener = listener();
    let mut first = peer(&pair, &listener, "PAIR");
    pair.send("a").unwrap();
    first.read_exact(&mut [0; 3]).unwrap();
    first.write_all(b"\0\x01x").unwrap();
    drop(first);
    let mut second = greeted(&listener, "PAIR");
    pair.send("b").unwrap();
    let mut received = [0; 3];
    second.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"\0\x01b");
}

fn client<'ctx>(context: &'ctx Context, kind: Kind, endpoint: &str, message: &str) -> Socket<'ctx> {
    let client = context.socket(kind).unwrap();
    client.connect(endpoint).unwrap();
    client.send(message).unwrap();
    client
}

fn assert_receives(socket: &Socket<'_>, message: &str) {
    let received = socket.within(RECV_TIMEOUT).recv_msg().unwrap();
    assert_eq!(received.unwrap_or_else(|| panic!("{}: no {message}", socket.kind())), message);
}

/// The socket does not read while it is at its mark, and does not see the end of the old connection. It refuses the new one for
/// good.
#[deadline::test(patches = [13, 90, 1037])]
fn peer_that_comes_back_at_the_mark_is_served() {
    for (kind, endpoint) in ONE_PEER.iter().flat_map(|kind| [TCP, "ipc://*", "ws://127.0.0.1:*"].map(|to| (*kind, to)))
    {
        if endpoint.starts_with("ws") && !zmq::has("WS") {
            continue;
        }
        let context = context();
        let socket = context.socket(kind).unwrap();
        socket.set_rcvhwm(1).unwrap();
        let monitor = socket.monitor(Events::HANDSHAKE_SUCCEEDED).unwrap();
        // Over ws, the first of two events reports the HTTP request.
        let connected = || {
            for _ in 0..if endpoint.starts_with("ws") { 2 } else { 1 } {
                monitor.next_event(DEADLINE).unwrap().expect("a connection");
            }
        };
        let endpoint = socket.bind(endpoint).unwrap();
        for round in 0..3 {
            let peer = client(&context, kind, &endpoint, "0");
            connected();
            for number in 1..5 {
                peer.send(number.to_string()).unwrap();
            }
            drop(peer);
            let peer = client(&context, kind, &endpoint, "again");
            connected();
            socket.events().unwrap();
            for number in 0..5 {
                assert_receives(&socket, &number.to_string());
            }
            assert_receives(&socket, "again");
            socket.send(format!("{round}")).unwrap();
            assert_receives(&peer, &format!("{round}"));
        }
        drop(socket);
        context.terminate(DEADLINE).unwrap();
    }
}

/// The socket refuses a second peer for good, even if the first one has left and the socket has not processed its end yet.
#[deadline::test(patches = [13, 90])]
fn second_peer_is_served_when_the_first_has_left() {
    for (kind, endpoint) in ONE_PEER.iter().flat_map(|kind| ["inproc://one", TCP, "ipc://*"].map(|to| (*kind, to))) {
        let context = context();
        let socket = context.socket(kind).unwrap();
        let endpoint = socket.bind(endpoint).unwrap();
        let first = client(&context, kind, &endpoint, "first");
        assert_receives(&socket, "first");
        let second = client(&context, kind, &endpoint, "second");
        // The first one is the peer as long as it is connected.
        assert_eq!(socket.within(SHORT).recv_msg().unwrap(), None);
        socket.send("to the first").unwrap();
        assert_receives(&first, "to the first");
        first.send("still there").unwrap();
        assert_receives(&socket, "still there");
        assert_eq!(second.now().recv_msg().unwrap(), None);
        drop(first);
        assert_receives(&socket, "second");
        socket.send("to the second").unwrap();
        assert_receives(&second, "to the second");
        // A third one waits when the socket closes.
        let third = client(&context, kind, &endpoint, "third");
        assert_eq!(socket.within(SHORT).recv_msg().unwrap(), None);
        drop((socket, second, third));
        context.terminate(DEADLINE).unwrap();
    }
}

/// Peers come and leave while the first one stays. Their messages are lost. Without a bound they would fill the memory.
#[deadline::test(patches = [13, 90])]
fn peers_that_leave_while_they_wait_are_received_up_to_a_bound() {
    const KEPT: u32 = 100;
    for &kind in ONE_PEER {
        let context = context();
        let socket = context.socket(kind).unwrap();
        socket.bind("inproc://one").unwrap();
        let first = client(&context, kind, "inproc://one", "first");
        assert_receives(&socket, "first");
        for number in 0..KEPT + 20 {
            drop(client(&context, kind, "inproc://one", &number.to_string()));
            wait_for_reaper(&context);
            socket.events().unwrap();
        }
        let last = client(&context, kind, "inproc://one", "last");
        socket.events().unwrap();
        drop(first);
        for number in 20..KEPT + 20 {
            assert_receives(&socket, &number.to_string());
        }
        assert_receives(&socket, "last");
        socket.send("to the last").unwrap();
        assert_receives(&last, "to the last");
        assert_eq!(socket.now().recv_msg().unwrap(), None);
    }
}

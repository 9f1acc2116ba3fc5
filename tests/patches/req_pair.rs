//! req.cpp, pair.cpp: peers that leave in the middle of a message, or return.

use std::io::{Read, Write};
use std::time::Duration;

use zmq::{Context, Errno, Pair, Rep, Req};

use crate::common::DEADLINE;
use crate::{RECV_TIMEOUT, SHORT, greeted, listener, peer, process_commands, wait_for_reaper};

/// The next request was taken for the rest of the one whose peer had left. It was sent without its envelope.
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
        assert!(client.recv_timeout(SHORT).unwrap().is_none());
        let server = context.socket(Rep).unwrap();
        server.connect("inproc://client").unwrap();
        for _ in 0..3 {
            client.send("request").unwrap();
            assert_eq!(server.recv_timeout(RECV_TIMEOUT).unwrap().expect("a request"), "request");
            server.send("reply").unwrap();
            assert_eq!(client.recv_timeout(RECV_TIMEOUT).unwrap().expect("a reply"), "reply");
        }
    }
}

/// The next peer received the rest of the message as a message of its own.
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
        // The next part is refused, and what follows it is a message of its own.
        let refused = match round % 3 {
            0 => left.send_more("rest").unwrap_err(),
            1 => left.send("second half").unwrap_err(),
            _ => left.send_timeout("second half", RECV_TIMEOUT).unwrap_err(),
        };
        assert_eq!(refused.error().errno(), Errno::ECONNRESET);
        left.send("whole").unwrap();
        let message = second.recv_multipart_timeout(DEADLINE).unwrap().unwrap();
        assert_eq!(message, ["whole"], "round {round}");
        drop(second);
        wait_for_reaper(&context);
        process_commands(&left);
    }
}

/// PAIR refuses a second connection. The old one ended only when it was read to its end, and nothing received from it.
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

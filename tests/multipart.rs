//! Multipart messages: the types that they are made of and turn into, their envelopes, and sending and receiving them.

mod common;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use zmq::{Context, Dealer, Message, Multipart, Rep, Req, Router};

#[deadline::test]
fn multipart_is_made_of_everything_that_messages_are_made_of() {
    let expected = ["a", "b"];
    assert_eq!(Multipart::from(["a", "b"]), expected);
    assert_eq!(Multipart::from(vec!["a".to_owned(), "b".to_owned()]), expected);
    assert_eq!(Multipart::from([&b"a"[..], b"b"]), expected);
    assert_eq!(Multipart::from(vec![Message::from("a"), Message::from("b")]), expected);
    assert_eq!(Multipart::from(VecDeque::from([Message::from("a"), Message::from("b")])), expected);
    assert_eq!(["a", "b"].into_iter().collect::<Multipart>(), expected);
    assert_eq!(Multipart::from(&Multipart::from(["a", "b"])), expected);
    assert_eq!(Multipart::from(Message::from("a")), ["a"]);
    let mut grown = Multipart::from(["a"]);
    grown.extend(["b"]);
    assert_eq!(grown, expected);
    assert!(Multipart::new().is_empty() && Multipart::default().is_empty());
}

#[deadline::test]
fn multipart_is_made_of_slices_and_references() {
    let expected = ["a", "b"];
    let (texts, strings) = (vec!["a", "b"], vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(Multipart::from(&texts), expected);
    assert_eq!(Multipart::from(&texts[..]), expected);
    assert_eq!(Multipart::from(&["a", "b"]), expected);
    assert_eq!(Multipart::from(&strings), expected);
    assert_eq!(Multipart::from(&strings[..]), expected);
    assert_eq!(Multipart::from(&[&strings[0], &strings[1]]), expected);
    assert_eq!(Multipart::from(&[b"a".to_vec(), b"b".to_vec()][..]), expected);
    assert_eq!(Multipart::from(&[*b"a", *b"b"]), expected);
    assert_eq!(Multipart::from(&[&b"a"[..], b"b"]), expected);
    assert_eq!(strings.iter().collect::<Multipart>(), expected);
    let mut grown = Multipart::from(&texts[..1]);
    grown.extend(&strings[1..]);
    assert_eq!(grown, expected);

    let part = Message::from(vec![b'x'; 1000]);
    let parts = [part.clone(), part];
    let shared = Multipart::from(&parts);
    assert_eq!(shared[0].as_ptr(), parts[0].as_ptr());
    assert_eq!(Multipart::from(&[] as &[Message]).len(), 0);
}

#[deadline::test]
fn bytes_are_one_part() {
    for message in [
        Multipart::from(b"ab"),
        Multipart::from(&b"ab"[..]),
        Multipart::from(b"ab".to_vec()),
        Multipart::from("ab"),
        Multipart::from("ab".to_owned()),
    ] {
        assert_eq!(message, ["ab"]);
    }
}

#[deadline::test]
fn multipart_is_sent_from_slices_and_received_as_vecs() {
    let context = Context::new().unwrap();
    let (left, right) = common::pair(&context, "inproc://vecs");
    let frames = vec!["key".to_owned(), String::new(), "value".to_owned()];
    left.send_multipart(&frames).unwrap();
    left.send_multipart(&frames[..2]).unwrap();
    let received = right.recv_multipart().unwrap();
    let copied = Vec::<Vec<u8>>::from(&received);
    assert_eq!(copied, [b"key".to_vec(), vec![], b"value".to_vec()]);
    assert_eq!(Vec::<Vec<u8>>::from(received), copied);
    assert_eq!(right.recv_multipart().unwrap(), ["key", ""]);
}

#[deadline::test]
fn multipart_turns_into_its_parts() {
    let message = Multipart::from(["a", "b"]);
    let parts: Vec<Message> = message.clone().into();
    assert_eq!(parts, ["a", "b"]);
    let parts: VecDeque<Message> = message.clone().into();
    assert_eq!(parts, ["a", "b"]);
    assert_eq!(message.iter().map(|part| part.len()).sum::<usize>(), 2);
    assert_eq!(
        (&message).into_iter().rev().collect::<Vec<_>>(),
        ["b", "a"].map(Message::from).iter().collect::<Vec<_>>()
    );
    assert_eq!(message.into_iter().next_back().unwrap(), "b");
}

#[deadline::test]
fn parts_are_reached_from_both_ends_and_by_number() {
    let mut message = Multipart::new();
    assert!(message.is_empty());
    assert!(message.pop_front().is_none() && message.pop_back().is_none() && message.last_mut().is_none());
    message.push_back("b");
    message.push_front("a");
    message.push_back(vec![b'c'; 3]);
    assert_eq!(message.len(), 3);
    assert_eq!(message.first().unwrap(), "a");
    assert_eq!(message.last().unwrap(), "ccc");
    assert_eq!(message.get(1).unwrap(), "b");
    assert!(message.get(3).is_none());
    message[1] = "B".into();
    *message.last_mut().unwrap() = "C".into();
    message.iter_mut().next().unwrap().clone_from(&Message::from("A"));
    assert_eq!(message, ["A", "B", "C"]);
    assert_eq!(message.pop_back().unwrap(), "C");
    assert_eq!(message.pop_front().unwrap(), "A");
    assert_eq!(message, ["B"]);
}

#[deadline::test]
fn equality_is_that_of_the_parts() {
    let message = Multipart::from(["a", "b"]);
    assert_eq!(message, message.clone());
    assert_ne!(message, Multipart::from(["ab"]));
    assert_ne!(message, Multipart::from(["a", "b", ""]));
    assert_ne!(message, ["a"]);
    assert_ne!(message, ["a", "c"]);
}

#[deadline::test]
fn multipart_prints_a_line_for_each_part() {
    let message = Multipart::from([&b"text"[..], b"", b"\x00\xff", b"tab\t"]);
    assert_eq!(message.to_string(), "[004] text\n[000] \n[002] 00FF\n[004] 74616209\n");
    assert_eq!(format!("{:?}", Multipart::from(["a", ""])), r#"[Message(1 bytes, "a"), Message(0 bytes, "")]"#);
}

#[deadline::test]
fn dump_writes_to_standard_error() {
    const ROLE: &str = "SAFE_ZMQ_DUMP";
    if std::env::var_os(ROLE).is_some() {
        Multipart::from(["address", "", "body"]).dump();
        return;
    }
    let output = common::this_program()
        .args(["--exact", "dump_writes_to_standard_error", "--nocapture"])
        .env(ROLE, "")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "[007] address\n[000] \n[004] body\n");
}

#[deadline::test]
fn pop_envelope_takes_the_envelope_of_a_req_off() {
    let context = Context::new().unwrap();
    let (client, server) = (context.socket(Req).unwrap(), context.socket(Router).unwrap());
    client.set_routing_id("client").unwrap();
    client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    client.send_multipart(["Hello", "World"]).unwrap();

    let mut message = server.recv_multipart().unwrap();
    assert_eq!(message, ["client", "", "Hello", "World"]);
    let address = message.pop_envelope().unwrap();
    assert_eq!(address, "client");
    assert_eq!(message, ["Hello", "World"]);
    message.push_back("!");
    message.push_envelope(address);
    server.send_multipart(message).unwrap();
    assert_eq!(client.recv_multipart().unwrap(), ["Hello", "World", "!"]);
}

#[deadline::test]
fn push_envelope_leaves_the_message_alone_if_the_address_panics() {
    struct Panics;

    impl From<Panics> for Message {
        fn from(_: Panics) -> Message {
            panic!("no address")
        }
    }

    let mut message = Multipart::from(["body"]);
    assert!(catch_unwind(AssertUnwindSafe(|| message.push_envelope(Panics))).is_err());
    assert_eq!(message, ["body"]);
}

#[deadline::test]
fn envelope_holds_the_addresses_of_all_hops() {
    // A message of a DEALER passes a ROUTER and a DEALER and reaches a REP with all addresses in its envelope.
    let context = Context::new().unwrap();
    let client = context.socket(Dealer).unwrap();
    client.set_routing_id("client").unwrap();
    let (frontend, backend) = (context.socket(Router).unwrap(), context.socket(Dealer).unwrap());
    let server = context.socket(Rep).unwrap();
    frontend.bind("inproc://frontend").unwrap();
    client.connect("inproc://frontend").unwrap();
    backend.bind("inproc://backend").unwrap();
    server.connect("inproc://backend").unwrap();

    client.send_multipart(["", "question"]).unwrap();
    let forwarded = frontend.recv_multipart().unwrap();
    assert_eq!(forwarded, ["client", "", "question"]);
    backend.send_multipart(forwarded).unwrap();
    assert_eq!(server.recv_multipart().unwrap(), ["question"]);
    server.send("answer").unwrap();
    frontend.send_multipart(backend.recv_multipart().unwrap()).unwrap();
    assert_eq!(client.recv_multipart().unwrap(), ["", "answer"]);
}

#[deadline::test]
fn many_parts_stay_in_order() {
    let context = Context::new().unwrap();
    let (left, right) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
    // The message has more parts than the high-water mark. The mark counts parts, and lets a begun message end.
    right.connect(&left.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    let message: Multipart = (0..5000_u32).map(|number| Message::from(number.to_be_bytes())).collect();
    right.send_multipart(&message).unwrap();
    right.send_multipart(["next"]).unwrap();
    assert_eq!(left.recv_multipart().unwrap(), message);
    assert_eq!(left.recv_multipart().unwrap(), ["next"]);
}

#[deadline::test]
fn empty_parts_are_parts() {
    let context = Context::new().unwrap();
    let (left, right) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
    right.connect(&left.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    right.send_multipart(["", "", ""]).unwrap();
    assert_eq!(left.recv_multipart().unwrap(), ["", "", ""]);
}

#[deadline::test]
fn clone_shares_the_content() {
    let message = Multipart::from([vec![0; 1000]]);
    assert_eq!(message.clone()[0].as_ptr(), message[0].as_ptr());
}

//! Receiving: every form, time-outs, buffers that are too short, messages that are not UTF-8.

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::pair;
use zmq::{Context, Errno, Error, Kind, Message, Pair, Pull, Push, RecvStringError, Rep, Req, Result, Socket, Within};

/// Long enough to be distinguished from no wait.
const SHORT: Duration = Duration::from_millis(30);
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3600);

/// Every receiving method of [`Within`]. Each call returns whether it has received.
const WITHIN: [fn(Within<'_, '_, Pair>) -> Result<bool>; 5] = [
    |socket| socket.recv_msg().map(|message| message.is_some()),
    |socket| socket.recv(&mut Message::new()),
    |socket| socket.recv_into(&mut [0; 10]).map(|received| received.is_some()),
    |socket| socket.recv_string().map(|text| text.is_some()).map_err(Error::from),
    |socket| socket.recv_multipart().map(|parts| parts.is_some()),
];

/// Every form that waits as `ZMQ_RCVTIMEO` says, with the C function that its errors name.
type Form = fn(&Socket<'_, Pair>) -> Result<()>;
const WAITING: [(Form, &str); 5] = [
    (|socket| socket.recv_msg().map(drop), "zmq_msg_recv"),
    (|socket| socket.recv(&mut Message::new()), "zmq_msg_recv"),
    (|socket| socket.recv_into(&mut [0; 10]).map(drop), "zmq_recv"),
    (|socket| socket.recv_string().map(drop).map_err(Error::from), "zmq_msg_recv"),
    (|socket| socket.recv_multipart().map(drop), "zmq_msg_recv"),
];

#[deadline::test]
fn every_form_receives() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    for _ in 0..14 {
        left.send("Hello").unwrap();
    }
    assert_eq!(right.recv_msg().unwrap(), "Hello");
    let mut message = Message::from(vec![0; 1000]);
    right.recv(&mut message).unwrap();
    assert_eq!(message, "Hello");
    let mut buffer = [0; 10];
    let received = right.recv_into(&mut buffer).unwrap();
    assert_eq!(&buffer[..received.copied], b"Hello");
    assert_eq!(right.recv_string().unwrap(), "Hello");
    for view in [right.now(), right.within(LONG)] {
        let mut message = Message::from(vec![0; 1000]);
        assert!(view.recv(&mut message).unwrap());
        assert_eq!(message, "Hello");
    }
    for view in [right.now(), right.within(LONG)] {
        let mut buffer = [0; 3];
        let received = view.recv_into(&mut buffer).unwrap().unwrap();
        assert_eq!((&buffer, received.copied, received.size), (b"Hel", 3, 5));
    }
    assert_eq!(right.now().recv_string().unwrap().unwrap(), "Hello");
    assert_eq!(right.within(LONG).recv_string().unwrap().unwrap(), "Hello");
    assert_eq!(right.now().recv_msg().unwrap().unwrap(), "Hello");
    assert_eq!(right.within(LONG).recv_msg().unwrap().unwrap(), "Hello");
    assert_eq!(right.within(Duration::MAX).recv_msg().unwrap().unwrap(), "Hello");
    assert_eq!(right.within(Duration::ZERO).recv_msg().unwrap().unwrap(), "Hello");
    assert!(right.now().recv_msg().unwrap().is_none());
}

#[deadline::test]
fn every_multipart_form_receives() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    for _ in 0..4 {
        left.send_multipart(["a", "", "c"]).unwrap();
    }
    assert_eq!(right.recv_multipart().unwrap(), ["a", "", "c"]);
    assert_eq!(right.now().recv_multipart().unwrap().unwrap(), ["a", "", "c"]);
    assert_eq!(right.within(LONG).recv_multipart().unwrap().unwrap(), ["a", "", "c"]);
    assert_eq!(right.within(Duration::ZERO).recv_multipart().unwrap().unwrap(), ["a", "", "c"]);
    assert!(right.now().recv_multipart().unwrap().is_none());
}

#[deadline::test]
fn parts_say_whether_more_follow() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    left.send_multipart(["a", "b", "c", "d"]).unwrap();
    assert!(right.recv_msg().unwrap().more());
    assert!(right.rcvmore().unwrap());
    let mut message = Message::new();
    right.recv(&mut message).unwrap();
    assert!(message.more());
    // A buffer has no MORE flag; the socket has ZMQ_RCVMORE.
    assert_eq!(right.recv_into(&mut [0; 1]).unwrap().size, 1);
    assert!(right.rcvmore().unwrap());
    assert!(!right.recv_msg().unwrap().more());
    assert!(!right.rcvmore().unwrap());
}

#[deadline::test]
fn recv_multipart_receives_the_remaining_parts_of_a_message() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    left.send_multipart(["a", "b", "c"]).unwrap();
    left.send("next").unwrap();
    assert_eq!(right.recv_msg().unwrap(), "a");
    assert_eq!(right.recv_multipart().unwrap(), ["b", "c"]);
    assert_eq!(right.recv_multipart().unwrap(), ["next"]);
}

#[deadline::test]
fn recv_into_fills_the_buffer_and_reports_the_size_of_the_message() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    for size in [0, 4, 5, 6, 100_000] {
        left.send(vec![b'x'; size]).unwrap();
        let mut buffer = [b'-'; 6];
        let received = right.recv_into(&mut buffer[..5]).unwrap();
        assert_eq!((received.copied, received.size), (size.min(5), size));
        assert_eq!(received.is_truncated(), size > 5);
        let expected: Vec<u8> = (0..6).map(|index| if index < size.min(5) { b'x' } else { b'-' }).collect();
        assert_eq!(buffer[..], expected, "no byte behind the content is written");
    }
    assert!(right.now().recv_msg().unwrap().is_none(), "the rest of a truncated message is dropped");
}

#[deadline::test]
fn recv_into_refuses_an_empty_buffer_and_keeps_the_message() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    left.send("Hello").unwrap();
    let error = right.recv_into(&mut []).unwrap_err();
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "zmq_recv"));
    assert_eq!(right.recv_msg().unwrap(), "Hello");
}

#[deadline::test]
fn recv_string_returns_the_bytes_when_they_are_not_utf_8() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    left.send(b"caf\xe9").unwrap();
    let failed = right.recv_string().unwrap_err();
    assert!(failed.to_string().starts_with("zmq_msg_recv: the message is not UTF-8: "), "{failed}");
    let RecvStringError::NotUtf8(error) = failed else { panic!("{failed}") };
    assert_eq!(error.as_bytes(), b"caf\xe9");
    assert_eq!(Error::from(RecvStringError::NotUtf8(error)).call(), "zmq_msg_recv");

    left.send(b"caf\xe9").unwrap();
    let error = Error::from(right.recv_string().unwrap_err());
    assert_eq!(error.errno(), Errno::EINVAL);
    left.send("caf\u{e9}\0").unwrap();
    assert_eq!(right.recv_string().unwrap(), "caf\u{e9}\0");
}

#[deadline::test]
fn now_does_not_wait() {
    let context = Context::new().unwrap();
    let (_left, right) = pair(&context, "inproc://pair");
    // ZMQ_RCVTIMEO does not apply.
    for timeout in [None, Some(LONG)] {
        right.set_rcvtimeo(timeout).unwrap();
        for receive in WITHIN {
            assert!(!receive(right.now()).unwrap());
            assert!(!receive(right.within(Duration::ZERO)).unwrap());
        }
    }
}

#[deadline::test]
fn within_clears_the_message_when_none_arrives() {
    let context = Context::new().unwrap();
    let (_left, right) = pair(&context, "inproc://pair");
    for view in [right.now(), right.within(SHORT)] {
        let mut message = Message::from("old");
        assert!(!view.recv(&mut message).unwrap());
        assert!(message.is_empty());
    }
}

#[deadline::test]
fn within_keeps_the_bytes_of_a_text_that_is_not_utf_8() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    for view in [right.now(), right.within(LONG)] {
        left.send(b"caf\xe9").unwrap();
        let failed = view.recv_string().unwrap_err();
        let RecvStringError::NotUtf8(error) = failed else { panic!("{failed}") };
        assert_eq!(error.into_bytes(), b"caf\xe9");
    }
}

#[deadline::test]
fn recv_waits_for_the_whole_timeout() {
    let context = Context::new().unwrap();
    let (_left, right) = pair(&context, "inproc://pair");
    for receive in WITHIN {
        let start = Instant::now();
        assert!(!receive(right.within(SHORT)).unwrap());
        assert!(start.elapsed() >= SHORT);
    }

    right.set_rcvtimeo(Some(SHORT)).unwrap();
    for (receive, call) in WAITING {
        let start = Instant::now();
        let error = receive(&right).unwrap_err();
        assert!(start.elapsed() >= SHORT);
        assert_eq!((error.errno(), error.call()), (Errno::EAGAIN, call));
    }
    right.set_rcvtimeo(Some(Duration::ZERO)).unwrap();
    for (receive, _) in WAITING {
        assert_eq!(receive(&right).unwrap_err().errno(), Errno::EAGAIN);
    }
}

#[deadline::test]
fn failed_receive_leaves_an_empty_message() {
    let context = Context::new().unwrap();
    let (_left, right) = pair(&context, "inproc://pair");
    right.set_rcvtimeo(Some(Duration::ZERO)).unwrap();
    let mut message = Message::from("old");
    right.recv(&mut message).unwrap_err();
    assert!(message.is_empty());

    // libzmq does not touch the message for these errors.
    let push = context.socket(Kind::Push).unwrap();
    for receive in [
        |socket: &Socket<'_>, message: &mut Message| socket.recv(message).map(|()| true),
        |socket: &Socket<'_>, message: &mut Message| socket.now().recv(message),
        |socket: &Socket<'_>, message: &mut Message| socket.within(LONG).recv(message),
    ] {
        message = Message::from("old");
        assert_eq!(receive(&push, &mut message).unwrap_err().errno(), Errno::ENOTSUP);
        assert!(message.is_empty());
    }
    context.shutdown().unwrap();
    message = Message::from("old");
    assert_eq!(right.now().recv(&mut message).unwrap_err().errno(), Errno::ETERM);
    assert!(message.is_empty());
}

#[deadline::test]
fn within_receives_a_message_that_arrives_in_time() {
    for limit in [None, Some(LONG)] {
        for receive in WITHIN {
            let context = Context::new().unwrap();
            let (left, right) = pair(&context, "inproc://pair");
            thread::scope(|scope| {
                let receiver = scope.spawn(move || receive(right.within(limit)));
                thread::sleep(Duration::from_millis(2));
                left.send("Hello").unwrap();
                assert!(receiver.join().unwrap().unwrap());
            });
        }
    }
}

#[deadline::test]
fn rcvtimeo_lets_a_message_arrive_in_time() {
    for limit in [None, Some(LONG)] {
        for (receive, _) in WAITING {
            let context = Context::new().unwrap();
            let (left, right) = pair(&context, "inproc://pair");
            right.set_rcvtimeo(limit).unwrap();
            thread::scope(|scope| {
                let receiver = scope.spawn(move || receive(&right));
                thread::sleep(Duration::from_millis(2));
                left.send("Hello").unwrap();
                receiver.join().unwrap().unwrap();
            });
        }
    }
}

#[deadline::test]
fn shutdown_ends_a_receive_that_waits() {
    for limit in [None, Some(LONG)] {
        for (receive, call) in WAITING {
            let context = Context::new().unwrap();
            let socket = context.socket(Pair).unwrap();
            socket.set_rcvtimeo(limit).unwrap();
            thread::scope(|scope| {
                let receiver = scope.spawn(move || receive(&socket));
                // The outcome is the same if the thread waits already and if it begins to wait now.
                thread::sleep(Duration::from_millis(2));
                context.shutdown().unwrap();
                let error = receiver.join().unwrap().unwrap_err();
                assert_eq!((error.errno(), error.call()), (Errno::ETERM, call));
            });
        }
    }
}

#[deadline::test]
fn now_and_within_fail_after_a_shutdown() {
    let context = Context::new().unwrap();
    let (_left, right) = pair(&context, "inproc://pair");
    context.shutdown().unwrap();
    for receive in WITHIN {
        assert_eq!(receive(right.now()).unwrap_err().errno(), Errno::ETERM);
        assert_eq!(receive(right.within(LONG)).unwrap_err().errno(), Errno::ETERM);
    }
}

#[deadline::test]
fn receive_out_of_turn_fails_and_changes_no_state() {
    let context = Context::new().unwrap();
    let (client, server) = (context.socket(Req).unwrap(), context.socket(Rep).unwrap());
    server.bind("inproc://server").unwrap();
    client.connect("inproc://server").unwrap();
    let error = client.recv_msg().unwrap_err();
    assert_eq!((error.errno(), error.call()), (Errno::EFSM, "zmq_msg_recv"));
    assert_eq!(client.now().recv_msg().unwrap_err().errno(), Errno::EFSM);
    assert_eq!(client.recv_into(&mut [0; 1]).unwrap_err().to_string(), format!("zmq_recv: {}", Errno::EFSM));
    client.send("Hello").unwrap();
    assert_eq!(server.recv_msg().unwrap(), "Hello");
    assert_eq!(server.recv_msg().unwrap_err().errno(), Errno::EFSM);
    server.send("World").unwrap();
    assert_eq!(client.recv_msg().unwrap(), "World");
}

#[deadline::test]
fn recv_receives_messages_of_every_size() {
    let context = Context::new().unwrap();
    let (source, sink) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
    source.connect(&sink.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    for size in [0, 1, 32, 33, 34, 255, 256, 8192, 8193, 1 << 20] {
        let content: Vec<u8> = (0..size).map(|index: usize| (index % 251) as u8).collect();
        source.send(content.as_slice()).unwrap();
        source.send(content.clone()).unwrap();
        assert_eq!(sink.recv_msg().unwrap(), content);
        let mut buffer = vec![0; size + 1];
        assert_eq!(sink.recv_into(&mut buffer).unwrap().size, size);
        assert_eq!(buffer[..size], content);
    }
}

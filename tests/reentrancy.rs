//! Owners of messages whose destructors use the very sockets and contexts that libzmq lets go of them in.

mod common;

use std::cell::OnceCell;
use std::net::TcpStream;
use std::time::Duration;

use common::wait_for_dropped_owners;
use zmq::{Context, Message, Multipart, Pull, Push, SendError, Socket, Stream, Sub, XPub};

/// Bytes with a destructor.
struct Owner {
    bytes: Vec<u8>,
    when_dropped: fn(),
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        (self.when_dropped)();
    }
}

fn owned(size: usize, when_dropped: fn()) -> Message {
    Message::from_owner(Owner { bytes: vec![b'x'; size], when_dropped })
}

#[deadline::test]
fn an_owner_receives_from_the_socket_that_receives_into_its_message() {
    thread_local! {
        static PUBLISHER: OnceCell<Socket<'static, XPub>> = const { OnceCell::new() };
    }
    fn receive() {
        PUBLISHER.with(|publisher| publisher.get().map(|publisher| publisher.try_recv().unwrap()));
    }
    let context = Context::new().unwrap();
    let publisher = context.owned_socket(XPub).unwrap();
    publisher.bind("inproc://news").unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.connect("inproc://news").unwrap();
    subscriber.subscribe("a topic that is longer than a short one").unwrap();
    PUBLISHER.with(|cell| assert!(cell.set(publisher).is_ok()));
    PUBLISHER.with(|cell| {
        let publisher = cell.get().unwrap();
        let mut message = owned(100, receive);
        publisher.recv_msg(&mut message).unwrap();
        assert!(message.ends_with(b"a short one"));
        assert!(publisher.try_recv().unwrap().is_none(), "there was one subscription");
    });
    wait_for_dropped_owners();
}

#[deadline::test]
fn an_owner_sends_on_the_socket_that_sends_its_message() {
    thread_local! {
        static SERVER: OnceCell<(Socket<'static, Stream>, Message)> = const { OnceCell::new() };
    }
    fn send() {
        SERVER.with(|cell| cell.get().map(|(server, id)| server.send_more(id)));
    }
    let context = Context::new().unwrap();
    let server = context.owned_socket(Stream).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let _client = TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
    let id = server.recv().unwrap();
    server.recv().unwrap();
    server.send_more(&id).unwrap();
    SERVER.with(|cell| assert!(cell.set((server, id)).is_ok()));
    SERVER.with(|cell| cell.get().unwrap().0.send(owned(0, send))).unwrap();
    wait_for_dropped_owners();
}

#[deadline::test]
fn an_owner_shuts_down_the_context_that_binds_a_name() {
    thread_local! {
        static CONTEXT: OnceCell<Context> = const { OnceCell::new() };
    }
    fn shut_down() {
        CONTEXT.with(|context| context.get().map(Context::shutdown));
    }
    let context = Context::new().unwrap();
    CONTEXT.with(|cell| cell.set(context.clone())).unwrap();
    let source = context.socket(Push).unwrap();
    source.bind("inproc://a").unwrap();
    let sink = context.socket(Pull).unwrap();
    sink.connect("inproc://a").unwrap();
    source.send(owned(100, shut_down)).unwrap();
    sink.disconnect("inproc://a").unwrap();
    source.events().unwrap();
    sink.bind("inproc://b").unwrap();
    wait_for_dropped_owners();
}

/// Sends a first part while it is converted.
struct SendsFirst<'a>(&'a Socket<'a, Push>);

impl From<SendsFirst<'_>> for Message {
    fn from(sender: SendsFirst<'_>) -> Message {
        sender.0.send_more("head").unwrap();
        "tail".into()
    }
}

impl From<SendsFirst<'_>> for Multipart {
    fn from(sender: SendsFirst<'_>) -> Multipart {
        Message::from(sender).into()
    }
}

/// The fast path was chosen before `into` ran. The socket took itself to be in the middle of a message afterwards, and
/// discarded what was sent when its peer had left.
#[deadline::test]
fn every_send_decides_after_into_has_used_the_socket() {
    type Send = fn(&Socket<'_, Push>) -> Result<(), SendError<Multipart>>;
    let sends: [(&str, Send); 6] = [
        ("send", |push| push.send(SendsFirst(push)).map_err(multipart)),
        ("send_with", |push| push.send_with(SendsFirst(push), zmq::Flags::NONE).map_err(multipart)),
        ("try_send", |push| push.try_send(SendsFirst(push)).map(|sent| assert!(sent.is_sent())).map_err(multipart)),
        ("send_timeout", |push| {
            let sent = push.send_timeout(SendsFirst(push), Duration::from_secs(5));
            sent.map(|sent| assert!(sent.is_sent())).map_err(multipart)
        }),
        ("send_multipart", |push| push.send_multipart(SendsFirst(push))),
        ("try_send_multipart", |push| push.try_send_multipart(SendsFirst(push)).map(|sent| assert!(sent.is_sent()))),
    ];
    for (name, send) in sends {
        let context = Context::new().unwrap();
        let push = context.socket(Push).unwrap();
        let pull = context.socket(Pull).unwrap();
        pull.bind("inproc://pull").unwrap();
        push.connect("inproc://pull").unwrap();
        send(&push).unwrap();
        assert_eq!(pull.recv_multipart().unwrap(), ["head", "tail"], "{name}");
        drop(pull);
        while push.try_send("nobody is there").unwrap().is_sent() {}
        assert!(!push.send_timeout("still nobody", Duration::from_millis(1)).unwrap().is_sent(), "{name}");
        let pull = context.socket(Pull).unwrap();
        pull.bind("inproc://next").unwrap();
        push.connect("inproc://next").unwrap();
        push.send("one").unwrap();
        push.send_multipart(["two", "parts"]).unwrap();
        assert_eq!(pull.recv_multipart().unwrap(), ["one"], "{name}");
        assert_eq!(pull.recv_multipart().unwrap(), ["two", "parts"], "{name}");
    }
}

fn multipart(failed: SendError) -> SendError<Multipart> {
    panic!("{}", failed.error())
}

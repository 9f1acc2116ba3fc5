//! Owners of messages whose destructors use the very sockets and contexts that libzmq lets go of them in.

mod common;

use std::cell::OnceCell;
use std::net::TcpStream;

use common::wait_for_dropped_owners;
use zmq::{Context, Message, Pull, Push, Socket, Stream, Sub, XPub};

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

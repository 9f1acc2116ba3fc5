//! The bytes of secured connections: what a machine between the peers can read, and whom a client trusts.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use common::zap::{ANY_PORT, keys, lets_in_alice_and_any_key};
use common::{DEADLINE, lacks_curve};
use zmq::security::{Authenticator, Security};
use zmq::{Context, Dealer, Socket};

const PASSWORD: &str = "open sesame";
const MESSAGE: &str = "the attack begins at dawn";

/// A client of the user alice, whom the server must let in.
fn alice() -> Security {
    Security::plain_client("alice", PASSWORD)
}

/// The endpoint of a relay to `endpoint` for one connection, and the bytes that its client has sent.
fn relay(endpoint: &str) -> (String, Arc<Mutex<Vec<u8>>>) {
    let target = endpoint.strip_prefix("tcp://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let entry = format!("tcp://{}", listener.local_addr().unwrap());
    let sent = Arc::new(Mutex::new(Vec::new()));
    let by_client = sent.clone();
    thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let server = TcpStream::connect(target).unwrap();
        let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || pass_on(back.0, back.1, |_| {}));
        pass_on(client, server, |bytes| by_client.lock().unwrap().extend(bytes));
    });
    (entry, sent)
}

/// Passes the bytes of `from` on until one of the two is closed.
fn pass_on(mut from: TcpStream, mut to: TcpStream, note: impl Fn(&[u8])) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        note(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Has a client send `MESSAGE`, and then messages of 1000 and 3000 bytes. Returns the bytes up to the first of these, and how
/// many bytes more the second one takes.
fn overheard(context: &Context, server: &Security, client: &Security) -> (Vec<u8>, usize) {
    let [server, client] = [server, client].map(|security| {
        let socket = context.socket(Dealer).unwrap();
        socket.secure(security).unwrap();
        socket
    });
    let (entry, sent) = relay(&server.bind(ANY_PORT).unwrap());
    client.connect(&entry).unwrap();
    let send = |message: &[u8]| {
        let before = sent.lock().unwrap().len();
        client.send(message).unwrap();
        assert_eq!(server.within(DEADLINE).recv_msg().unwrap().expect("a message"), message);
        sent.lock().unwrap().len() - before
    };
    send(MESSAGE.as_bytes());
    let bytes = sent.lock().unwrap().clone();
    let (short, long) = (send(&[0; 1000]), send(&[0; 3000]));
    (bytes, long - short)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[deadline::test]
fn curve_hides_messages_and_plain_does_not() {
    let context = Context::new().unwrap();
    let _authenticator = lets_in_alice_and_any_key(&context);
    let (bytes, longer) = overheard(&context, &Security::plain_server(), &alice());
    assert!(contains(&bytes, PASSWORD) && contains(&bytes, MESSAGE));
    assert_eq!(longer, 2000);
    if lacks_curve() {
        return;
    }
    let (_, server, client) = keys();
    let (bytes, longer) = overheard(&context, &server, &client);
    assert!(contains(&bytes, "CURVE") && !contains(&bytes, MESSAGE));
    assert_eq!(longer, 2000, "the length of a message is not hidden");
}

/// A PLAIN client asks for no proof of who its server is.
#[deadline::test]
fn plain_client_gives_its_password_to_any_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let context = Context::new().unwrap();
    let client = context.socket(Dealer).unwrap();
    client.secure(&alice()).unwrap();
    client.connect(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0PLAIN".to_vec();
    greeting.resize(64, 0);
    server.write_all(&greeting).unwrap();
    server.read_exact(&mut [0; 64]).unwrap();
    let mut hello = [0; 26];
    server.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"\x04\x18\x05HELLO\x05alice\x0bopen sesame");
}

/// The handler lets in no client, and is not asked.
#[deadline::test]
fn inproc_connections_have_no_security() {
    let context = Context::new().unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    let (server, client): (Socket<'_, Dealer>, _) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
    server.secure(&Security::plain_server().domain("lan")).unwrap();
    server.bind("inproc://server").unwrap();
    client.connect("inproc://server").unwrap();
    client.send("Hello").unwrap();
    let message = server.within(DEADLINE).recv_msg().unwrap().expect("a message");
    assert_eq!((message.as_str(), message.gets("User-Id")), (Some("Hello"), None));
    let statistics = authenticator.statistics().unwrap();
    assert_eq!((statistics.allowed, statistics.denied), (0, 0));
}

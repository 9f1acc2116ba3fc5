//! Peers that violate the protocol, at servers that ask an authenticator: no such peer gets in, the authenticator
//! reports its credentials, and the server goes on to serve other peers.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use common::zap::refusal;
use common::{DEADLINE, eventually, wait_for_close};
use zmq::security::{AuthEvent, Authenticator, Credentials, Security, Verdict};
use zmq::{Context, Rep, Req, Socket};

/// The signature, with which a ZMTP greeting begins.
const SIGNATURE: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f";

fn greeting(mechanism: &[u8]) -> Vec<u8> {
    let mut greeting = [SIGNATURE, b"\x03\x01", mechanism].concat();
    greeting.resize(64, 0);
    greeting
}

/// A command frame in the long form, which can state any length.
fn command(name: &[u8], body: &[u8]) -> Vec<u8> {
    let length = 1 + name.len() + body.len();
    [&[6][..], &(length as u64).to_be_bytes(), &[name.len() as u8], name, body].concat()
}

/// The first command of a PLAIN client.
fn hello(username: &[u8], password: &[u8]) -> Vec<u8> {
    let body = [&[username.len() as u8][..], username, &[password.len() as u8], password].concat();
    command(b"HELLO", &body)
}

fn property(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[name.len() as u8][..], name, &(value.len() as u32).to_be_bytes(), value].concat()
}

/// A connection on which a peer has sent these bytes.
fn peer(endpoint: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // The server may have closed the connection already.
    let _ = stream.write_all(bytes);
    stream
}

/// Whether the server has answered with ERROR, and not with WELCOME. The search leaves out the first letter of ERROR, because
/// libzmq's PLAIN mechanism sends another one.
fn is_denied(stream: &mut TcpStream) -> bool {
    let (mut words, mut buffer) = (Vec::new(), [0; 1024]);
    while !contains(&words, b"RROR\x03") {
        match stream.read(&mut buffer).unwrap() {
            0 => return false,
            count => words.extend_from_slice(&buffer[..count]),
        }
    }
    !contains(&words, b"WELCOME")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

struct Secured<'a> {
    server: Socket<'a, Rep>,
    endpoint: String,
    client: Security,
}

impl Secured<'_> {
    fn open<'a>(context: &'a Context, server: &Security, client: Security) -> Secured<'a> {
        let socket = context.socket(Rep).unwrap();
        socket.secure(server).unwrap();
        let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
        Secured { server: socket, endpoint, client }
    }

    /// Checks that a client with valid credentials is accepted, and that the next message is from this client.
    fn serves(&self, context: &Context) {
        let client = context.socket(Req).unwrap();
        client.secure(&self.client).unwrap();
        client.connect(&self.endpoint).unwrap();
        client.send("question").unwrap();
        assert_eq!(self.server.within(DEADLINE).recv_msg().unwrap().expect("the question"), "question");
        self.server.send("answer").unwrap();
        assert_eq!(client.within(DEADLINE).recv_msg().unwrap().expect("the answer"), "answer");
    }
}

fn plain(context: &Context) -> (Authenticator, Secured<'_>) {
    let authenticator = Authenticator::start(context).unwrap();
    authenticator
        .configure("*", |policy| {
            policy.allow_users([("alice", "hush")]);
            policy.check_passwords(|request| match &request.credentials {
                Credentials::Plain { username, .. } if username == "panic" => panic!("as told"),
                Credentials::Plain { username, .. } if username == "anybody" => Verdict::allow(username),
                Credentials::Plain { username, .. } if username.contains('\0') => Verdict::allow(username),
                _ => Verdict::deny("unknown"),
            });
        })
        .unwrap();
    let secured = Secured::open(context, &Security::plain_server(), Security::plain_client("alice", "hush"));
    (authenticator, secured)
}

#[deadline::test]
fn plain_server_refuses_wrong_and_malformed_credentials() {
    let context = common::context();
    let (authenticator, secured) = plain(&context);
    let long = [b'x'; 255];
    let cases: [(&[u8], &[u8], u16); 8] = [
        (b"", b"", 400),
        (b"", b"hush", 400),
        (b"alice", b"", 400),
        (b"alice", b"hush\0", 400),
        (b"alice\0", b"hush", 500),
        (b"ALICE", b"hush", 400),
        (&long, &long, 400),
        (b"panic", b"", 500),
    ];
    for (username, password, expected) in cases {
        let mut peer = peer(&secured.endpoint, &[greeting(b"PLAIN"), hello(username, password)].concat());
        let shown = username.escape_ascii();
        assert!(is_denied(&mut peer), "{shown}");
        let event = match refusal(&authenticator) {
            AuthEvent::Panicked { message, .. } if username == b"panic" => {
                assert_eq!(message, "as told");
                refusal(&authenticator)
            }
            event => event,
        };
        let AuthEvent::Denied { client, status, .. } = event else { panic!("{shown}: {event:?}") };
        assert_eq!((client.user.as_bytes(), client.address.as_str(), status), (username, "127.0.0.1", expected));
    }
    for (username, password, why) in
        [(&b"\xff"[..], &b"hush"[..], "its user name"), (b"alice", b"\xff", "its password")]
    {
        let mut peer = peer(&secured.endpoint, &[greeting(b"PLAIN"), hello(username, password)].concat());
        assert!(is_denied(&mut peer), "{why}");
        let AuthEvent::Malformed { reason } = refusal(&authenticator) else { panic!("{why}") };
        assert_eq!(reason, format!("{why} is not UTF-8 (from 127.0.0.1)"));
    }
    assert_eq!(secured.server.now().recv_msg().unwrap(), None);
    secured.serves(&context);
    assert!(authenticator.is_running());
}

/// Commands at the wrong time, incomplete commands, and peers without a security mechanism.
fn nonsense() -> Vec<Vec<u8>> {
    let message = [&[0, 4][..], b"body"].concat();
    let long = vec![0x61; 70_000];
    let mut all = vec![
        // Older versions, and NULL, which would get in if no handler were asked.
        [&[1, 0][..], &[1, 0], &[5, 0], b"hello"].concat(),
        [SIGNATURE, b"\x01\x03\0\0", &message].concat(),
        [greeting(b"NULL"), command(b"READY", &property(b"Socket-Type", b"REQ")), message.clone()].concat(),
        [greeting(b"GSSAPI"), message.clone()].concat(),
    ];
    for mechanism in [&b"PLAIN"[..], b"CURVE"] {
        let mut with = |commands: &[Vec<u8>]| all.push([greeting(mechanism), commands.concat()].concat());
        with(std::slice::from_ref(&message));
        with(&[command(b"READY", &property(b"Socket-Type", b"REQ")), message.clone()]);
        with(&[command(b"INITIATE", &property(b"Socket-Type", b"REQ")), message.clone()]);
        with(&[command(b"WELCOME", b"")]);
        with(&[command(b"ERROR", b"\x03400")]);
        with(&[command(b"ERROR", b"\xff")]);
        with(&[command(b"", b"")]);
        with(&[command(b"HELLO", b"")]);
        with(&[command(b"HELLO", b"\xff")]);
        with(&[command(b"HELLO", b"\x05alice")]);
        with(&[command(b"HELLO", b"\x05alice\xffhush")]);
        with(&[command(b"HELLO", b"\x05alice\x04hush and more")]);
        with(&[command(b"HELLO", &long)]);
        with(&[command(b"HELLO", &[0; 194])]);
        with(&[command(b"HELLO", &[&[1, 0][..], &[0xab; 192]].concat())]);
        with(&[command(b"MESSAGE", &[0; 100])]);
    }
    let mut let_in = |rest: &[Vec<u8>]| {
        all.push([greeting(b"PLAIN"), hello(b"anybody", b""), rest.concat()].concat());
    };
    let_in(&[hello(b"anybody", b"")]);
    let_in(&[command(b"INITIATE", b"\xff")]);
    let_in(&[command(b"INITIATE", b"\x0bSocket-Type\xff\xff\xff\xff")]);
    let_in(&[command(b"INITIATE", &property(b"Socket-Type", b"TEAPOT"))]);
    let_in(&[command(b"INITIATE", &property(b"User-Id", &long)), command(b"INITIATE", b"")]);
    let_in(&[vec![6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]);
    all
}

#[deadline::test(patches = [1001])]
fn peers_that_do_not_speak_the_protocol_do_not_get_in() {
    let context = common::context();
    let (authenticator, plain) = plain(&context);
    let mut secured = vec![plain];
    authenticator.configure("lan", |policy| policy.deny(std::net::IpAddr::from([127, 0, 0, 2]))).unwrap();
    secured.push(Secured::open(&context, &Security::null().domain("lan"), Security::null()));
    if zmq::has("curve") {
        let (server_public, server_secret) = zmq::curve_keypair().unwrap();
        let (public, secret) = zmq::curve_keypair().unwrap();
        authenticator.configure("*", |policy| policy.allow_keys([public])).unwrap();
        let client = Security::curve_client(&secret, &server_public);
        secured.push(Secured::open(&context, &Security::curve_server(&server_secret), client));
    }
    for secured in &secured {
        let mut open = Vec::new();
        for bytes in nonsense() {
            // One peer sends the bytes and stays connected, another sends them and closes.
            open.push(peer(&secured.endpoint, &bytes));
            let mut goes = peer(&secured.endpoint, &bytes);
            let _ = goes.shutdown(Shutdown::Write);
            wait_for_close(&mut goes);
        }
        secured.serves(&context);
    }
    assert!(authenticator.is_running());
}

/// A peer leaves before the authenticator answers, also while the authenticator, the context or the server ends.
#[deadline::test]
fn authenticator_and_server_survive_peers_that_leave_before_the_answer() {
    for ends_first in ["nobody", "authenticator", "context", "server"] {
        let context = common::context();
        let (authenticator, secured) = plain(&context);
        let (mut authenticator, mut secured) = (Some(authenticator), Some(secured));
        let endpoint = secured.as_ref().unwrap().endpoint.clone();
        let said = [greeting(b"PLAIN"), hello(b"anybody", b"")].concat();
        thread::scope(|scope| {
            let rush = || {
                for _ in 0..100 {
                    let Ok(mut peer) = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()) else { return };
                    let _ = peer.write_all(&said);
                }
            };
            (0..2).for_each(|_| drop(scope.spawn(rush)));
            let asked = || authenticator.as_ref().unwrap().statistics().unwrap().allowed;
            eventually("some have asked", || asked() > 20);
            match ends_first {
                "authenticator" => drop(authenticator.take()),
                "context" => context.shutdown().unwrap(),
                "server" => drop(secured.take()),
                _ => secured.as_ref().unwrap().serves(&context),
            }
        });
        drop((secured, authenticator));
        context.terminate(DEADLINE).unwrap();
    }
}

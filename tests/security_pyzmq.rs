//! Secured conversations with pyzmq, which brings its own libzmq and its own authenticator, as a process: each side as the
//! server, clients that are accepted and clients that are refused.

mod common;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use common::{Process, lacks_curve, python_program};
use zmq::security::{AuthEvent, Authenticator, Certificate, Network, Policy, Security};
use zmq::{Context, Rep, Req, Socket, SocketType};

/// A temporary directory with the certificates of a server, a known and an unknown client. It is removed when this is dropped.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let place = Place(std::env::temp_dir().join(format!("zmq-pyzmq-{name}-{}", std::process::id())));
        fs::create_dir_all(place.0.join("clients")).unwrap();
        for name in ["server", "known", "unknown"] {
            let mut certificate = Certificate::generate().unwrap();
            certificate.set_metadata("X-Name", name).unwrap();
            certificate.save(place.0.join(format!("{name}.key"))).unwrap();
            if name == "known" {
                certificate.save_public(place.0.join("clients/known.key")).unwrap();
            }
        }
        place
    }

    fn certificate(&self, name: &str) -> Certificate {
        Certificate::load(self.0.join(name)).unwrap()
    }

    fn key(&self, name: &str) -> String {
        self.certificate(name).public_key().to_string()
    }

    fn server(&self) -> Security {
        Security::curve_server(self.certificate("server").secret_key().unwrap())
    }

    fn client(&self, name: &str, server: &str) -> Security {
        Security::curve_client(self.certificate(name).secret_key().unwrap(), self.certificate(server).public_key())
    }

    /// The arguments of a pyzmq client.
    fn pyzmq_client(&self, name: &str, server: &str) -> [String; 3] {
        let path = self.0.display();
        [
            "mechanism=curve".to_owned(),
            format!("certificate={path}/{name}.key_secret"),
            format!("server={path}/{server}.key"),
        ]
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Shorter than a test may take, so that the test reports the missing message.
const RECV_TIMEOUT: Duration = Duration::from_secs(30);

fn open<T: SocketType>(context: &Context, kind: T) -> Socket<'_, T> {
    let socket = context.socket(kind).unwrap();
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    // A client that is refused does not connect again.
    socket.set_reconnect_ivl(None).unwrap();
    socket
}

/// A server of this library, with its authenticator, for pyzmq clients.
struct Server<'a> {
    authenticator: Authenticator,
    socket: Socket<'a, Rep>,
    endpoint: String,
    /// The process that runs all clients, one after the other.
    clients: Process,
}

impl<'a> Server<'a> {
    fn start(context: &'a Context, security: &Security, change: impl FnOnce(&mut Policy)) -> Server<'a> {
        let authenticator = Authenticator::start(context).unwrap();
        authenticator.configure("*", change).unwrap();
        let socket = open(context, Rep);
        socket.secure(security).unwrap();
        let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
        let clients = Process::spawn(python_program("security.py").arg("clients"));
        Server { authenticator, socket, endpoint, clients }
    }

    fn connect<A: AsRef<str>>(&mut self, args: &[A]) {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        self.clients.type_line(&format!("endpoint={}\t{}", self.endpoint, args.join("\t")));
    }

    fn event(&self) -> AuthEvent {
        self.authenticator.next_event(RECV_TIMEOUT).unwrap().expect("an event")
    }

    /// Checks that the client is accepted, and that its message has this user id. Returns the message.
    fn lets_in<A: AsRef<str>>(&mut self, args: &[A], user: &str) -> zmq::Message {
        self.connect(args);
        let message = self.socket.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a message");
        assert_eq!((message.as_str(), message.gets("User-Id").as_deref()), (Some("Hello"), Some(user)));
        self.socket.send("World").unwrap();
        assert_eq!(self.clients.line(), "World");
        assert!(matches!(self.event(), AuthEvent::Allowed { user_id, .. } if user_id == user));
        message
    }

    /// Checks that both sides report the refusal of the client, and that no message arrives.
    fn refuses<A: AsRef<str>>(&mut self, args: &[A], why: &str) {
        self.connect(args);
        assert_eq!(self.clients.line(), "HANDSHAKE_FAILED_AUTH 400");
        match self.event() {
            AuthEvent::Denied { status: 400, reason, .. } => assert_eq!(reason, why),
            event => panic!("{event:?}"),
        }
        assert_eq!(self.socket.now().recv_msg().unwrap(), None);
    }
}

/// A pyzmq server, with its authenticator, for clients of this library.
struct Pyzmq {
    process: Process,
    endpoint: String,
}

impl Pyzmq {
    fn start(args: &[&str]) -> Pyzmq {
        let process = Process::spawn(python_program("security.py").arg("server").args(args));
        let line = process.line();
        let endpoint = line.strip_prefix("bound ").unwrap_or_else(|| panic!("{line}")).to_owned();
        Pyzmq { process, endpoint }
    }

    fn lets_in(&self, security: &Security, user: &str) {
        let context = Context::new().unwrap();
        let socket = open(&context, Req);
        socket.secure(security).unwrap();
        socket.connect(&self.endpoint).unwrap();
        socket.send("Hello").unwrap();
        assert_eq!(self.process.line(), format!("Hello from {user}"));
        assert_eq!(socket.within(RECV_TIMEOUT).recv_msg().unwrap().expect("an answer"), "World");
    }

    fn refuses(&self, security: &Security) {
        let context = Context::new().unwrap();
        let socket = open(&context, Req);
        socket.secure(security).unwrap();
        socket.connect(&self.endpoint).unwrap();
        // If the client is refused already, no peer takes the message.
        let _ = socket.now().send("Hello").unwrap();
        assert_eq!(self.process.line(), "HANDSHAKE_FAILED_AUTH 400");
    }
}

fn network(text: &str) -> Network {
    text.parse().unwrap()
}

#[deadline::test]
fn null_clients_of_pyzmq_are_let_in_by_address() {
    let context = Context::new().unwrap();
    let security = Security::null().domain("lan");
    let mut server = Server::start(&context, &security, |policy| policy.allow(network("127.0.0.0/8")));
    server.lets_in(&["mechanism=null"], "");
    server.authenticator.configure("*", |policy| policy.deny(network("127.0.0.1"))).unwrap();
    server.refuses(&["mechanism=null"], "its address may not connect");
    server.authenticator.configure("lan", |_| ()).unwrap();
    server.lets_in(&["mechanism=null"], "");
}

#[deadline::test]
fn null_clients_are_let_in_by_pyzmq() {
    let lan = ["mechanism=null", "domain=lan"];
    Pyzmq::start(&[lan[0], lan[1], "allow=127.0.0.1"]).lets_in(&Security::null(), "anonymous");
    Pyzmq::start(&[lan[0], lan[1], "deny=127.0.0.1"]).refuses(&Security::null());
    Pyzmq::start(&[lan[0], lan[1], "allow=10.0.0.1"]).refuses(&Security::null());
}

#[deadline::test]
fn plain_clients_of_pyzmq_are_let_in_by_password() {
    let context = Context::new().unwrap();
    let mut server = Server::start(&context, &Security::plain_server(), |policy| {
        policy.allow_users([("alice", "open sesame")]);
    });
    server.lets_in(&["mechanism=plain", "user=alice", "password=open sesame"], "alice");
    for args in [["user=alice", "password=hush"], ["user=bob", "password=open sesame"]] {
        server.refuses(&["mechanism=plain", args[0], args[1]], "unknown user or wrong password");
    }
}

#[deadline::test]
fn plain_clients_are_let_in_by_pyzmq() {
    let server = Pyzmq::start(&["mechanism=plain", "user=alice", "password=open sesame"]);
    server.refuses(&Security::plain_client("alice", "hush"));
    server.lets_in(&Security::plain_client("alice", "open sesame"), "alice");
    server.refuses(&Security::plain_client("bob", "open sesame"));
}

#[deadline::test]
fn curve_clients_of_pyzmq_are_let_in_by_key() {
    if lacks_curve() {
        return;
    }
    let place = Place::new("keys-here");
    let context = Context::new().unwrap();
    let mut server = Server::start(&context, &place.server(), |policy| policy.allow_keys_in(place.0.join("clients")));
    let known = place.pyzmq_client("known", "server");
    let unknown = place.pyzmq_client("unknown", "server");
    let message = server.lets_in(&known, &place.key("known"));
    assert_eq!(message.gets("X-Name").as_deref(), Some("known"));
    server.refuses(&unknown, "unknown key");
    server.authenticator.configure("*", |policy| policy.allow_any_key()).unwrap();
    server.lets_in(&unknown, &place.key("unknown"));
    server.authenticator.configure("*", |policy| policy.deny(network("127.0.0.1"))).unwrap();
    server.refuses(&known, "its address may not connect");
}

#[deadline::test]
fn curve_clients_are_let_in_by_pyzmq() {
    if lacks_curve() {
        return;
    }
    let place = Place::new("keys-there");
    let path = place.0.display();
    let own = format!("certificate={path}/server.key_secret");
    let server = Pyzmq::start(&["mechanism=curve", &own, &format!("clients={path}/clients")]);
    server.refuses(&place.client("unknown", "server"));
    server.lets_in(&place.client("known", "server"), &place.key("known"));
    let server = Pyzmq::start(&["mechanism=curve", &own, "clients=any"]);
    server.lets_in(&place.client("unknown", "server"), &place.key("unknown"));
}

/// The server reports a client that has the wrong server key as a protocol error. It asks no handler.
#[deadline::test]
fn curve_client_with_the_wrong_server_key_is_refused() {
    if lacks_curve() {
        return;
    }
    let place = Place::new("wrong-server");
    let path = place.0.display();
    let own = format!("certificate={path}/server.key_secret");
    let server = Pyzmq::start(&["mechanism=curve", &own, "clients=any"]);
    let context = Context::new().unwrap();
    let socket = open(&context, Req);
    socket.secure(&place.client("known", "unknown")).unwrap();
    socket.connect(&server.endpoint).unwrap();
    assert!(server.process.line().starts_with("HANDSHAKE_FAILED_PROTOCOL "));
    // A client without encryption is refused too.
    for security in [Security::null(), Security::plain_client("alice", "hush")] {
        let socket = open(&context, Req);
        socket.secure(&security).unwrap();
        socket.connect(&server.endpoint).unwrap();
        // The event depends on the side that closes first.
        let line = server.process.line();
        assert!(line.starts_with("HANDSHAKE_FAILED_") && !line.contains("AUTH"), "{line}");
    }
    server.lets_in(&place.client("known", "server"), &place.key("known"));
}

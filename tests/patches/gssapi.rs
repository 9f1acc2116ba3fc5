//! gssapi_server.cpp and gssapi_mechanism_base.cpp: GSSAPI security, in a Kerberos realm that each test makes.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use socket2::Type;
use zmq::monitor::{Event, Events};
use zmq::{Context, Dealer, Errno, Rep, Socket, SocketType};

use super::conflate::resident;
use super::subscriptions_arrive;
use crate::common::zap::HANDLER;
use crate::common::{
    DEADLINE, HeldPort, Process, TCP, alone, c_program, context, eventually, role, skip_unless, wait_for_close,
};

/// The service, whose key the clients of the tests use too.
const SERVICE: &str = "zmq@localhost";

/// The path of a Kerberos program. Debian has some of them in /usr/sbin, which is not in the PATH of each user.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    directories.map(|directory| directory.join(name)).find(|program| program.is_file())
}

/// A Kerberos realm with its KDC.
struct Realm {
    directory: PathBuf,
    _kdc: Process,
    _port: HeldPort,
}

impl Realm {
    fn new([kdb5_util, kadmin, krb5kdc]: [PathBuf; 3]) -> Realm {
        let directory =
            std::env::temp_dir().join(format!("zmq-realm-{}-{:?}", std::process::id(), thread::current().id()));
        fs::create_dir_all(&directory).unwrap();
        let port = HeldPort::new(Type::DGRAM, Ipv4Addr::LOCALHOST);
        let (address, place) = (port.address(), directory.display());
        let client = format!(
            "[libdefaults]\ndefault_realm = TEST\ndns_canonicalize_hostname = false\nrdns = false\n\
             dns_lookup_kdc = false\ndns_lookup_realm = false\n[realms]\nTEST = {{\nkdc = {address}\n}}\n"
        );
        let server = format!(
            "[realms]\nTEST = {{\ndatabase_name = {place}/database\nkey_stash_file = {place}/stash\n\
             kdc_listen = {address}\nkdc_tcp_listen = \"\"\n}}\n[logging]\nkdc = FILE:{place}/log\n"
        );
        fs::write(directory.join("krb5.conf"), client).unwrap();
        fs::write(directory.join("kdc.conf"), server).unwrap();
        let keytab = format!("ktadd -k {place}/keytab zmq/localhost");
        for (program, arguments) in [
            (&kdb5_util, &["create", "-s", "-W", "-P", "secret", "-r", "TEST"][..]),
            (&kadmin, &["-q", "addprinc -randkey zmq/localhost"]),
            (&kadmin, &["-q", &keytab]),
        ] {
            let mut command = Command::new(program);
            let output = in_realm_of(command.args(arguments), &directory).output().unwrap();
            assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
        }
        // The KDC says on standard error that it listens.
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" -n 2>&1"]).arg(krb5kdc);
        let kdc = Process::spawn(in_realm_of(&mut shell, &directory));
        assert!(kdc.line().ends_with("starting..."));
        Realm { directory, _kdc: kdc, _port: port }
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Sets the variables of Kerberos for the realm in this directory.
fn in_realm_of<'a>(command: &'a mut Command, directory: &Path) -> &'a mut Command {
    let file = |name: &str| directory.join(name).display().to_string();
    command
        .env("KRB5_CONFIG", file("krb5.conf"))
        .env("KRB5_KDC_PROFILE", file("kdc.conf"))
        .env("KRB5_KTNAME", file("keytab"))
        .env("KRB5_CLIENT_KTNAME", file("keytab"))
        .env("KRB5CCNAME", format!("FILE:{}", file("tickets")))
        .env("KRB5RCACHENAME", "none:")
}

/// Runs the body of the named test in another process, in a new realm. The test is skipped if libzmq has no GSSAPI, or if the
/// programs of a KDC are not installed.
fn in_realm(test: &str, body: impl FnOnce()) {
    if role().is_some() {
        return body();
    }
    let programs = ["kdb5_util", "kadmin.local", "krb5kdc"].map(program);
    if skip_unless(zmq::has("gssapi"), "this libzmq has no GSSAPI")
        || skip_unless(programs.iter().all(Option::is_some), "the programs of a KDC are not installed")
    {
        return;
    }
    let realm = Realm::new(programs.map(Option::unwrap));
    Process::spawn(in_realm_of(&mut alone(test, "alone"), &realm.directory)).succeeds();
}

fn set_server<T: SocketType>(server: &Socket<'_, T>, plaintext: bool) {
    server.set_gssapi_principal(SERVICE).unwrap();
    server.set_gssapi_plaintext(plaintext).unwrap();
    server.set_gssapi_server(true).unwrap();
}

fn set_client<T: SocketType>(client: &Socket<'_, T>, plaintext: bool) {
    client.set_reconnect_ivl(None).unwrap();
    client.set_linger(Some(Duration::ZERO)).unwrap();
    client.set_gssapi_plaintext(plaintext).unwrap();
    client.set_gssapi_service_principal(SERVICE).unwrap();
}

fn server(context: &Context, plaintext: bool) -> Socket<'_, Dealer> {
    let server = context.socket(Dealer).unwrap();
    set_server(&server, plaintext);
    server
}

fn client(context: &Context, plaintext: bool) -> Socket<'_, Dealer> {
    let client = context.socket(Dealer).unwrap();
    set_client(&client, plaintext);
    client
}

/// A pair over which a message has arrived.
fn connected(context: &Context) -> (Socket<'_, Dealer>, Socket<'_, Dealer>) {
    let (server, client) = (server(context, false), client(context, false));
    client.connect(&server.bind(TCP).unwrap()).unwrap();
    client.send("Hello").unwrap();
    assert_eq!(server.within(DEADLINE).recv_msg().unwrap().expect("a message"), "Hello");
    (server, client)
}

/// The events at the end of a client's handshake with this server.
fn verdict(context: &Context, server: &Socket<'_, Dealer>, plaintext: bool) -> Vec<Event> {
    let failures =
        Events::HANDSHAKE_FAILED_NO_DETAIL | Events::HANDSHAKE_FAILED_PROTOCOL | Events::HANDSHAKE_FAILED_AUTH;
    let monitor = server.monitor(failures | Events::HANDSHAKE_SUCCEEDED | Events::DISCONNECTED).unwrap();
    let client = client(context, plaintext);
    client.connect(&server.bind(TCP).unwrap()).unwrap();
    // If the client is refused already, no peer takes the message.
    let _ = client.now().send("Hello").unwrap();
    let mut events = Vec::new();
    loop {
        let notice = monitor.next_event(DEADLINE).unwrap().expect("an event");
        match notice.event() {
            Event::Disconnected { .. } => return events,
            Event::HandshakeSucceeded => {
                events.push(Event::HandshakeSucceeded);
                assert_eq!(server.within(DEADLINE).recv_msg().unwrap().expect("a message"), "Hello");
                return events;
            }
            event => events.push(event.clone()),
        }
    }
}

/// The server goes on with the handshake whatever the ZAP handler answers.
#[deadline::test(patches = [51, 70])]
fn gssapi_server_refuses_clients_that_zap_refuses() {
    in_realm("gssapi::gssapi_server_refuses_clients_that_zap_refuses", || {
        let context = context();
        let handler = context.socket(Rep).unwrap();
        handler.bind(HANDLER).unwrap();
        for (plaintext, status) in
            [false, true].iter().flat_map(|&plaintext| [200, 300, 400, 500].map(|s| (plaintext, s)))
        {
            let events = thread::scope(|scope| {
                let verdict = scope.spawn(|| verdict(&context, &server(&context, plaintext), plaintext));
                let request = handler.within(DEADLINE).recv_multipart().unwrap().expect("a request");
                assert_eq!((&request[5], &request[6]), (&"GSSAPI".into(), &"zmq/localhost@TEST".into()));
                let (version, id) = (request[0].clone(), request[1].clone());
                let status = status.to_string();
                handler.send_multipart([version, id, status.into(), "".into(), "".into(), "".into()]).unwrap();
                verdict.join().unwrap()
            });
            let end = match status {
                200 => Event::HandshakeSucceeded,
                status => Event::HandshakeFailedAuth { status },
            };
            assert_eq!(events, [end], "plaintext: {plaintext}");
        }
    });
}

/// The server ignores ZMQ_ZAP_ENFORCE_DOMAIN.
#[cfg(feature = "draft")]
#[deadline::test(patches = [70])]
fn gssapi_server_needs_a_handler_if_its_domain_is_enforced() {
    in_realm("gssapi::gssapi_server_needs_a_handler_if_its_domain_is_enforced", || {
        let context = context();
        for plaintext in [false, true] {
            for (domain, enforce) in [(None, false), (None, true), (Some("domain"), false), (Some("domain"), true)] {
                let server = server(&context, plaintext);
                domain.map_or(Ok(()), |domain| server.set_zap_domain(domain)).unwrap();
                server.set_zap_enforce_domain(enforce).unwrap();
                let end = match (domain, enforce) {
                    (Some(_), true) => Event::HandshakeFailedNoDetail { errno: Errno::EFAULT },
                    _ => Event::HandshakeSucceeded,
                };
                assert_eq!(verdict(&context, &server, plaintext), [end]);
            }
        }
    });
}

/// decode_message asserts that a token of the peer is encrypted and not empty. libzmq aborts the process.
#[deadline::test(patches = [71])]
fn gssapi_peer_cannot_abort_by_an_empty_or_plain_token() {
    in_realm("gssapi::gssapi_peer_cannot_abort_by_an_empty_or_plain_token", || {
        let program = c_program("gssapi_peer.c");
        let context = context();
        for (when, wrap) in [("ready", "empty"), ("ready", "plain"), ("message", "empty"), ("message", "plain")] {
            let server = server(&context, false);
            let endpoint = server.bind(TCP).unwrap();
            let peer = Process::start(&program, &["client", endpoint.rsplit(':').next().unwrap(), when, wrap]);
            assert_eq!(peer.line(), "dropped", "{when}, {wrap}");

            let peer = Process::start(&program, &["server", when, wrap]);
            let client = client(&context, false);
            client.connect(&format!("tcp://127.0.0.1:{}", peer.line().strip_prefix("bound ").unwrap())).unwrap();
            assert_eq!(peer.line(), "dropped", "{when}, {wrap}");
            for socket in [&server, &client] {
                assert!(socket.now().recv_msg().unwrap().is_none(), "{when}, {wrap}");
            }
        }
        connected(&context);
    });
}

/// Exchanges greetings, as a server or a client.
fn greet(peer: &mut TcpStream, as_server: u8) {
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0GSSAPI".to_vec();
    greeting.resize(64, 0);
    greeting[32] = as_server;
    peer.write_all(&greeting).unwrap();
    peer.read_exact(&mut [0; 64]).unwrap();
}

/// An INITIATE command with a token that no peer accepts, and the bytes `behind` the token.
fn initiate_frame(size: usize, behind: &[u8]) -> Vec<u8> {
    let mut command = b"\x08INITIATE".to_vec();
    command.extend((size as u32).to_be_bytes());
    command.resize(command.len() + size, 1);
    command.extend(behind);
    // The flags say that it is a command, and that the length has eight bytes.
    [&[6], &(command.len() as u64).to_be_bytes()[..], &command].concat()
}

/// Reads an INITIATE command.
fn read_initiate(peer: &mut TcpStream) {
    let mut head = [0; 2];
    peer.read_exact(&mut head).unwrap();
    let mut size = usize::from(head[1]);
    if head[0] == 6 {
        let mut rest = [0; 7];
        peer.read_exact(&mut rest).unwrap();
        size = rest.iter().fold(size, |size, &byte| size << 8 | usize::from(byte));
    }
    let mut command = vec![0; size];
    peer.read_exact(&mut command).unwrap();
    assert!(command.starts_with(b"\x08INITIATE"));
}

/// The numbers of bytes of a connection of 127.0.0.1 that the system has not transmitted, and that its program has not read.
fn queues(from: u16, to: u16) -> (u64, u64) {
    let connections = fs::read_to_string("/proc/net/tcp").unwrap();
    let ends = format!(" 0100007F:{from:04X} 0100007F:{to:04X} ");
    let connection = connections.lines().find(|line| line.contains(&ends)).expect("the connection");
    let queues = connection.split_whitespace().nth(4).unwrap().split(':');
    let [unsent, unread] = queues.map(|size| u64::from_str_radix(size, 16).unwrap()).collect::<Vec<_>>()[..] else {
        panic!("{connection}")
    };
    (unsent, unread)
}

/// The client frees the token of its server again when it makes its next command.
#[deadline::test(patches = [71])]
fn gssapi_client_frees_a_refused_token_once() {
    in_realm("gssapi::gssapi_client_frees_a_refused_token_once", || {
        let context = context();
        let (server, client) = (server(&context, false), client(&context, false));
        client.set_reconnect_ivl(Some(Duration::from_millis(10))).unwrap();
        let endpoint = server.bind(TCP).unwrap();
        client.connect(&endpoint).unwrap();
        // After this message, the session waits for the next one.
        client.send("Hello").unwrap();
        assert_eq!(server.within(DEADLINE).recv_msg().unwrap().expect("a message"), "Hello");
        server.close();

        let rogue = TcpListener::bind(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
        let (mut peer, _) = rogue.accept().unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        greet(&mut peer, 1);
        read_initiate(&mut peer);
        // The C library returns a block of this size to the system when it is freed.
        peer.write_all(&initiate_frame(1 << 20, &[])).unwrap();
        let (server, client_port) = (peer.local_addr().unwrap().port(), peer.peer_addr().unwrap().port());
        eventually("the token is transmitted", || queues(server, client_port).0 == 0);
        eventually("the client has read the token", || queues(client_port, server).1 == 0);
        client.send("Is somebody there?").unwrap();
        read_initiate(&mut peer);
    });
}

/// Each message that is sent leaks, and the token of an INITIATE command with bytes behind it.
#[deadline::test(patches = [71])]
fn gssapi_frees_tokens() {
    in_realm("gssapi::gssapi_frees_tokens", || {
        const SIZE: usize = 1 << 20;
        const COUNT: usize = 64;
        let context = context();
        let (server, client) = connected(&context);
        let send = |count| {
            for _ in 0..count {
                client.send(vec![0; SIZE]).unwrap();
                assert_eq!(server.within(DEADLINE).recv_msg().unwrap().expect("a message").len(), SIZE);
            }
        };
        let endpoint = server.last_endpoint().unwrap().unwrap();
        let initiate = |count| {
            for _ in 0..count {
                let mut peer = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
                greet(&mut peer, 0);
                peer.write_all(&initiate_frame(SIZE, &[1])).unwrap();
                wait_for_close(&mut peer);
            }
        };
        let steps: [(&str, &dyn Fn(usize)); 2] = [("messages", &send), ("INITIATE commands", &initiate)];
        for (what, step) in steps {
            step(4);
            let before = resident();
            step(COUNT);
            let grown = resident().saturating_sub(before);
            assert!(grown < COUNT * SIZE / 4, "{COUNT} {what}: {grown} bytes");
        }
    });
}

/// encode_message leaves out whether a message is a subscription or the end of one.
#[deadline::test(patches = [85])]
fn gssapi_subscriptions_arrive() {
    in_realm("gssapi::gssapi_subscriptions_arrive", || {
        subscriptions_arrive(TCP, "GSSAPI", |_, bound, connecting| {
            set_server(bound, false);
            set_client(connecting, false);
        });
    });
}

/// With and without the patches the mechanism wraps a copy of the memory that the user hands over.
#[deadline::test]
fn gssapi_leaves_memory_that_is_handed_over_unwritten() {
    in_realm("gssapi::gssapi_leaves_memory_that_is_handed_over_unwritten", || {
        for (endpoint, plaintext) in
            [TCP, "ipc://*"].iter().flat_map(|endpoint| [false, true].map(|text| (endpoint, text)))
        {
            let context = context();
            let (server, client) = (server(&context, plaintext), client(&context, plaintext));
            client.connect(&server.bind(endpoint).unwrap()).unwrap();
            for size in [34, 1000, 8192, 20_000] {
                let content: Arc<[u8]> = vec![b'a'; size].into();
                // The server can send when it knows its client.
                for [source, sink] in [[&client, &server], [&server, &client]] {
                    source.send(content.clone()).unwrap();
                    let received = sink.within(DEADLINE).recv_msg().unwrap().expect("a message");
                    assert!(received[..] == content[..], "{endpoint}, {plaintext}, {size}");
                    assert!(content.iter().all(|byte| *byte == b'a'), "{endpoint}, {plaintext}, {size}: written");
                }
            }
        }
    });
}

/// The engine of a client asserts that it knows a protocol for the mechanism, in a build without `NDEBUG`.
#[deadline::test]
fn gssapi_is_refused_over_websockets() {
    if skip_unless(zmq::has("gssapi") && zmq::has("WS"), "this libzmq lacks GSSAPI or WebSockets") {
        return;
    }
    let context = context();
    let (server, client) = (server(&context, false), client(&context, false));
    assert_eq!(server.bind("ws://127.0.0.1:*").unwrap_err().errno(), Errno::ENOTSUP);
    assert_eq!(client.connect("ws://127.0.0.1:9").unwrap_err().errno(), Errno::ENOTSUP);
}

//! The set-up of secured sockets, and the secrecy of keys and passwords.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::zap::lets_in_alice_and_any_key;
use common::{DEADLINE, Process, alone, in_own_process, lacks_curve, role, skip_unless};
use zmq::security::{AuthEvent, Authenticator, Certificate, Policy, SecretText, Security, Verdict, ZapRequest};
use zmq::sockopt::{Mechanism, OptionValue};
use zmq::{Context, Dealer, Errno, Kind, PublicKey, SecretKey, Socket};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

fn open(context: &Context) -> Socket<'_, Dealer> {
    let socket = context.socket(Dealer).unwrap();
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    socket
}

/// Connects the two sockets, and sends a message each way.
fn talks(binder: &Socket<'_, Dealer>, connecter: &Socket<'_, Dealer>) {
    connecter.connect(&binder.bind(ANY_PORT).unwrap()).unwrap();
    connecter.send("Hello").unwrap();
    assert_eq!(binder.within(DEADLINE).recv_msg().unwrap().expect("a message"), "Hello");
    binder.send("World").unwrap();
    assert_eq!(connecter.within(DEADLINE).recv_msg().unwrap().expect("a message"), "World");
}

/// Either side may be the server, and the socket may have had any role before. The connecter does not connect again.
#[deadline::test]
fn each_mechanism_is_set_up_in_one_call() {
    let context = Context::new().unwrap();
    let _authenticator = lets_in_alice_and_any_key(&context);
    let mut pairs = vec![
        (Mechanism::Null, Security::null(), Security::null()),
        (Mechanism::Null, Security::null().domain("lan"), Security::null()),
        (Mechanism::Plain, Security::plain_server(), Security::plain_client("alice", "open sesame")),
    ];
    if !lacks_curve() {
        let [(server_public, server), (_, client)] = [zmq::curve_keypair().unwrap(), zmq::curve_keypair().unwrap()];
        let client = Security::curve_client(&client, &server_public);
        pairs.push((Mechanism::Curve, Security::curve_server(&server), client));
    }
    for (mechanism, server, client) in &pairs {
        for (binding, connecting) in [(server, client), (client, server)] {
            for (_, before, other) in &pairs {
                for before in [before, other] {
                    let (binder, connecter) = (open(&context), open(&context));
                    binder.secure(before).unwrap();
                    connecter.secure(before).unwrap();
                    binder.secure(binding).unwrap();
                    connecter.secure(connecting).unwrap();
                    connecter.set_reconnect_ivl(None).unwrap();
                    assert_eq!(binder.mechanism().unwrap(), *mechanism);
                    assert_eq!(connecter.mechanism().unwrap(), *mechanism);
                    talks(&binder, &connecter);
                }
            }
        }
    }
}

#[deadline::test]
fn secure_sets_the_options_of_its_mechanism() {
    let context = Context::new().unwrap();
    let socket = open(&context);
    socket.secure(&Security::plain_client("alice", "open sesame").domain("accounts")).unwrap();
    assert_eq!(socket.plain_username().unwrap().as_deref(), Some("alice"));
    assert_eq!(socket.plain_password().unwrap().as_deref(), Some("open sesame"));
    assert_eq!(socket.zap_domain().unwrap().as_deref(), Some("accounts"));
    assert!(!socket.plain_server().unwrap());
    socket.secure(&Security::plain_server()).unwrap();
    assert!(socket.plain_server().unwrap());
    assert_eq!(socket.zap_domain().unwrap().as_deref(), Some("accounts"), "a domain stays");
    if lacks_curve() {
        return;
    }
    let (public, secret) = zmq::curve_keypair().unwrap();
    let (other, _) = zmq::curve_keypair().unwrap();
    socket.secure(&Security::curve_server(&secret)).unwrap();
    assert!(socket.curve_server().unwrap() && !socket.plain_server().unwrap());
    assert_eq!((socket.curve_publickey().unwrap(), socket.curve_secretkey().unwrap()), (public, secret.clone()));
    socket.secure(&Security::curve_client(&secret, &other)).unwrap();
    assert!(!socket.curve_server().unwrap());
    assert_eq!(socket.curve_serverkey().unwrap(), other);
}

#[deadline::test]
fn secure_changes_no_option_when_it_fails() {
    let context = Context::new().unwrap();
    let long = "x".repeat(256);
    let zeros = SecretKey::from([0; 32]);
    let secret = SecretKey::from([7; 32]);
    let no_key = PublicKey::from_bytes([0; 32]);
    let mut bad = vec![
        (Security::plain_client("", "x"), "the user name has 0 bytes, not 1 to 255"),
        (Security::plain_client("alice", ""), "the password has 0 bytes, not 1 to 255"),
        (Security::plain_client("alice", long.as_str()), "the password has 256 bytes, not 1 to 255"),
        (Security::plain_client(&long, "x"), "the user name has 256 bytes, not 1 to 255"),
        (Security::plain_client("alice", "hush\0hush"), "the password contains a NUL"),
        (Security::plain_client("al\0ice", "hush"), "the user name contains a NUL"),
        (Security::plain_client("alice", "hush").domain(&long), "the domain has 256 bytes, not 1 to 255"),
        (Security::plain_server().domain(""), "the domain has 0 bytes, not 1 to 255"),
    ];
    if !lacks_curve() {
        bad.push((Security::curve_server(&zeros), "the secret key is all zeros, which is none"));
        bad.push((Security::curve_client(&zeros, &no_key), "the secret key is all zeros, which is none"));
        bad.push((Security::curve_client(&secret, &no_key), "the server's public key is all zeros, which is none"));
    }
    for (security, why) in bad {
        let socket = open(&context);
        let error = socket.secure(&security).unwrap_err();
        assert_eq!((error.errno(), error.detail()), (Errno::EINVAL, Some(why)));
        assert_eq!(socket.mechanism().unwrap(), Mechanism::Null);
        assert_eq!((socket.plain_username().unwrap(), socket.zap_domain().unwrap()), (None, None));
        assert!(!error.to_string().contains("hush"), "{error}");
    }
    let stream = context.socket(Kind::Stream).unwrap();
    assert_eq!(stream.secure(&Security::plain_server()).unwrap_err().errno(), Errno::EINVAL);
}

/// Raw data bypasses the security options, although the program has set them.
#[deadline::test]
fn raw_data_is_refused_if_security_is_set() {
    let context = Context::new().unwrap();
    for kind in [Kind::Stream, Kind::Router] {
        let settings: [fn(&Socket<'_>) -> zmq::Result<()>; 4] = [
            |socket| socket.set_zap_domain("lan"),
            |socket| socket.set_plain_server(true),
            |socket| socket.set_plain_username(Some("alice")),
            |socket| socket.set_curve_server(true),
        ];
        for set in settings {
            let socket = context.socket(kind).unwrap();
            if kind == Kind::Router {
                socket.set_router_raw(true).unwrap();
            }
            if set(&socket).is_err() && lacks_curve() {
                continue;
            }
            for outcome in [socket.bind(ANY_PORT).map(drop), socket.connect("tcp://127.0.0.1:1")] {
                let error = outcome.unwrap_err();
                assert_eq!(error.errno(), Errno::EINVAL);
                assert!(error.to_string().contains("cannot be secured"), "{error}");
            }
            if socket.mechanism().unwrap() != Mechanism::Null {
                socket.set_plain_server(false).unwrap();
                socket.bind(ANY_PORT).unwrap();
            }
        }
    }
}

#[deadline::test]
fn errors_name_curve_when_libzmq_was_built_without_it() {
    if skip_unless(!zmq::has("curve"), "this libzmq has CURVE") {
        return;
    }
    let context = Context::new().unwrap();
    let secret = SecretKey::from([7; 32]);
    let socket = open(&context);
    let errors = [
        socket.secure(&Security::curve_server(&secret)).unwrap_err(),
        socket.secure(&Security::curve_client(&secret, &PublicKey::from_bytes([7; 32]))).unwrap_err(),
        zmq::curve_keypair().unwrap_err(),
        zmq::curve_public(&secret).unwrap_err(),
        Certificate::generate().unwrap_err(),
        Certificate::try_from(secret.clone()).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.errno(), Errno::ENOTSUP, "{error}");
        assert!(error.to_string().ends_with("this libzmq was built without curve"), "{error}");
    }
    assert_eq!(socket.mechanism().unwrap(), Mechanism::Null);
}

#[cfg(feature = "gssapi")]
#[deadline::test]
fn gssapi_is_set_up_in_one_call() {
    let context = Context::new().unwrap();
    let socket = open(&context);
    socket.secure(&Security::plain_server()).unwrap();
    socket.secure(&Security::gssapi_client(Some("alice"), "host@server")).unwrap();
    assert_eq!(socket.mechanism().unwrap(), Mechanism::Gssapi);
    assert!(!socket.gssapi_server().unwrap());
    assert_eq!(socket.gssapi_service_principal().unwrap().as_deref(), Some("host@server"));
    socket.secure(&Security::gssapi_server("host@server")).unwrap();
    assert!(socket.gssapi_server().unwrap());
    assert_eq!(socket.gssapi_principal().unwrap().as_deref(), Some("host@server"));
    socket.secure(&Security::gssapi_client(None, "host@other")).unwrap();
    assert!(!socket.gssapi_server().unwrap());
    for bad in
        [Security::gssapi_server(""), Security::gssapi_client(Some(""), "x"), Security::gssapi_client(None, "\0")]
    {
        let fresh = open(&context);
        assert_eq!(fresh.secure(&bad).unwrap_err().errno(), Errno::EINVAL);
        assert_eq!(fresh.mechanism().unwrap(), Mechanism::Null);
    }
}

/// The beginning of a connection, as a PLAIN client makes it.
fn plain_hello() -> Vec<u8> {
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0PLAIN".to_vec();
    greeting.resize(64, 0);
    greeting.extend_from_slice(b"\x04\x0a\x05HELLO\x01a\x01b");
    greeting
}

/// libzmq does not distinguish the connections that one socket makes one after the other. If the socket connected again while
/// the handler decides, the new connection would get the answer to the old one, or the process would abort.
#[deadline::test]
fn client_of_a_slow_handler_does_not_reconnect() {
    let context = Context::new().unwrap();
    let authenticator = Authenticator::start(&context).unwrap();
    let (entered, inside) = channel();
    let (leave, left) = channel::<()>();
    let channels = Mutex::new((entered, left));
    let hold = move |_: &ZapRequest| {
        let (entered, left) = &*channels.lock().unwrap();
        entered.send(()).unwrap();
        left.recv().unwrap();
        Verdict::allow("alice")
    };
    authenticator.configure("*", |policy| policy.check_passwords(hold)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let mut roles = vec![Security::plain_server(), Security::null().domain("lan")];
    if !lacks_curve() {
        roles.push(Security::curve_server(&zmq::curve_keypair().unwrap().1));
    }
    for role in &roles {
        let socket = open(&context);
        socket.secure(role).unwrap();
        let error = socket.connect(&endpoint).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "zmq_connect"));
        assert!(error.to_string().contains("ZMQ_RECONNECT_IVL"), "{error}");
        socket.connect("inproc://here").unwrap();
    }

    let server = open(&context);
    server.set_reconnect_ivl(None).unwrap();
    server.secure(&Security::plain_server()).unwrap();
    server.connect(&endpoint).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(&plain_hello()).unwrap();
    inside.recv_timeout(DEADLINE).unwrap();
    drop(peer);
    leave.send(()).unwrap();
    let event = authenticator.next_event(DEADLINE).unwrap();
    assert!(matches!(event, Some(AuthEvent::Allowed { .. })), "{event:?}");
    listener.set_nonblocking(true).unwrap();
    assert_eq!(server.within(Duration::from_millis(100)).recv_msg().unwrap(), None);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

/// The documentation of servers whose context has no handler says so.
#[deadline::test]
fn plain_refuses_and_curve_lets_in_without_a_handler() {
    let context = Context::new().unwrap();
    let (binder, connecter) = (open(&context), open(&context));
    binder.secure(&Security::null().domain("lan")).unwrap();
    talks(&binder, &connecter);
    if !lacks_curve() {
        let (server_public, server) = zmq::curve_keypair().unwrap();
        let (_, client) = zmq::curve_keypair().unwrap();
        let (binder, connecter) = (open(&context), open(&context));
        binder.secure(&Security::curve_server(&server).domain("lan")).unwrap();
        connecter.secure(&Security::curve_client(&client, &server_public)).unwrap();
        talks(&binder, &connecter);
    }
    let (binder, connecter) = (open(&context), open(&context));
    binder.secure(&Security::plain_server()).unwrap();
    connecter.secure(&Security::plain_client("alice", "x")).unwrap();
    connecter.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
    connecter.connect(&binder.bind(ANY_PORT).unwrap()).unwrap();
    connecter.send("Hello").unwrap();
    // The client reconnects until the handler exists, and is then accepted.
    assert_eq!(binder.within(Duration::from_millis(100)).recv_msg().unwrap(), None);
    let authenticator = Authenticator::start(&context).unwrap();
    authenticator.configure("*", |policy| policy.allow_users([("alice", "x")])).unwrap();
    assert_eq!(binder.within(DEADLINE).recv_msg().unwrap().expect("a message"), "Hello");
}

#[deadline::test]
fn secrets_are_not_printed() {
    let secret = SecretKey::from([7; 32]);
    let mut policy = Policy::new();
    policy.allow_users([("alice", "open sesame")]);
    let shown = format!(
        "{:?} {:?} {:?} {:?} {policy:?}",
        Security::plain_client("alice", "open sesame"),
        Security::curve_server(&secret),
        SecretText::from("open sesame"),
        secret.to_z85(),
    );
    assert!(!shown.contains("sesame") && !shown.contains(&*secret.to_z85()) && !shown.contains("7, 7"), "{shown}");
    assert!(shown.contains("PlainClient") && shown.contains("alice"), "{shown}");
}

/// The mask of a secret in this test. It keeps the search from finding its own pattern.
const VEIL: u8 = 0x5a;

/// A secret that the test stores only masked.
#[derive(Clone)]
struct Veiled(Arc<Vec<u8>>);

impl Veiled {
    fn of(secret: &[u8]) -> Veiled {
        Veiled(Arc::new(secret.iter().map(|byte| byte ^ VEIL).collect()))
    }

    /// Calls `using` with the secret, and wipes the secret afterwards.
    fn lift<R>(&self, using: impl FnOnce(&str) -> R) -> R {
        let mut text = self.0.to_vec();
        text.iter_mut().for_each(|byte| *byte ^= VEIL);
        let result = using(std::str::from_utf8(&text).unwrap());
        wipe(&mut text);
        result
    }

    /// The addresses of the secret's parts in all writable memory of this process. The search is for parts because `free`
    /// overwrites the beginning of a block.
    fn places(&self) -> Vec<String> {
        let memory = fs::File::open("/proc/self/mem").unwrap();
        // The search has copies of memory and of the secret's parts. Their addresses are left out.
        let mut buffer = vec![0u8; 1 << 16];
        // The buffers are large: a small one could get the memory that the secret had.
        let mut parts = Vec::with_capacity(1 << 12);
        parts.extend_from_slice(&self.0);
        let own = [&buffer, &parts].map(|own| own.as_ptr() as u64..own.as_ptr() as u64 + own.len() as u64);
        parts.iter_mut().for_each(|byte| *byte ^= VEIL);
        let mut places = Vec::new();
        let mut maps = String::with_capacity(1 << 16);
        fs::File::open("/proc/self/maps").unwrap().read_to_string(&mut maps).unwrap();
        for line in maps.lines() {
            let mut words = line.split_whitespace();
            let (Some(range), Some(permissions)) = (words.next(), words.next()) else { continue };
            let (start, end) = range.split_once('-').unwrap();
            let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
            let name = words.next_back().unwrap_or_default();
            for position in (start..end).step_by(buffer.len() - PART) {
                let length = (end - position).min(buffer.len() as u64) as usize;
                if !permissions.starts_with("rw") || memory.read_exact_at(&mut buffer[..length], position).is_err() {
                    break;
                }
                for part in parts.chunks_exact(PART) {
                    let mut from = 0;
                    while let Some(offset) = find(&buffer[from..length], part) {
                        let place = position + (from + offset) as u64;
                        if !own.iter().any(|own| own.contains(&place)) {
                            places.push(format!("{place:x} {name}"));
                        }
                        from += offset + 1;
                    }
                }
            }
        }
        wipe(&mut parts);
        wipe(&mut buffer);
        places
    }
}

/// The length of a part, in bytes.
const PART: usize = 8;

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    // SAFETY: both pointers come with their lengths.
    let found = unsafe { libc::memmem(haystack.as_ptr().cast(), haystack.len(), needle.as_ptr().cast(), needle.len()) };
    (!found.is_null()).then(|| found as usize - haystack.as_ptr() as usize)
}

fn wipe(secret: &mut [u8]) {
    for byte in secret {
        // SAFETY: a valid reference.
        unsafe { std::ptr::write_volatile(byte, 0) };
    }
}

/// Searches for secrets in another thread, so that the search does not overwrite the stack that had them.
struct Searcher {
    ask: Sender<Veiled>,
    places: Receiver<Vec<String>>,
}

impl Searcher {
    fn start() -> Searcher {
        let (ask, asked) = channel();
        let (answer, places) = channel();
        std::thread::spawn(
            move || {
                while asked.recv().is_ok_and(|secret: Veiled| answer.send(secret.places()).is_ok()) {}
            },
        );
        Searcher { ask, places }
    }

    fn find(&self, secret: &Veiled) -> Vec<String> {
        self.ask.send(secret.clone()).unwrap();
        self.places.recv().unwrap()
    }

    /// Runs `using`, and checks that the secrets are not in memory afterwards. `using` gets a function that checks that they
    /// are in memory.
    fn finds_nothing_after(&self, what: &str, secrets: &[&Veiled], using: impl FnOnce(&dyn Fn())) {
        let is_there = || {
            for secret in secrets {
                assert_ne!(self.find(secret), [""; 0], "{what}: it would be found if it were there");
            }
        };
        using(&is_there);
        for secret in secrets {
            assert_eq!(self.find(secret), [""; 0], "{what}");
        }
    }
}

/// Searches the whole memory of a process that has used secrets, as a reader of its core dump could.
#[cfg(target_os = "linux")]
#[test]
fn secrets_are_wiped_from_all_memory() {
    if skip_unless(cfg!(not(target_env = "musl")), "with musl a part of a secret key stays in memory") {
        return;
    }
    const TEST: &str = "secrets_are_wiped_from_all_memory";
    if role().is_none() {
        // The dynamic linker binds a shared library's function when it is first called. It leaves registers on the stack, which
        // have parts of the data that was copied before.
        return Process::spawn(alone(TEST, "alone").env("LD_BIND_NOW", "1")).succeeds();
    }
    in_own_process(TEST, || {
        let searcher = Searcher::start();
        // A key that zmq_curve_keypair made, masked, and its bytes.
        let text = Veiled::of(b"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs");
        let bytes = text.lift(|text| Veiled::of(text.parse::<SecretKey>().unwrap().as_bytes()));
        let key = || text.lift(|text| text.parse::<SecretKey>().unwrap());

        searcher.finds_nothing_after("a key", &[&bytes], |is_there| {
            let key = key();
            let moved = [Some(key.clone()), Some(key)];
            is_there();
            assert!(moved[0] == moved[1]);
        });
        searcher.finds_nothing_after("its text", &[&bytes, &text], |is_there| {
            let key = key();
            let text = key.to_z85();
            is_there();
            assert_eq!(text.clone(), text);
        });
        searcher.finds_nothing_after("a key of bytes", &[&bytes], |is_there| {
            let mut array: [u8; 32] = [0; 32];
            array.copy_from_slice(&bytes.0);
            array.iter_mut().for_each(|byte| *byte ^= VEIL);
            let key = SecretKey::from(array);
            wipe(&mut array);
            is_there();
            drop(key);
        });
        searcher.finds_nothing_after("a bad text", &[], |_| {
            let error = text.lift(|text| text.replace('D', "~").parse::<SecretKey>().unwrap_err());
            assert_eq!(error.detail(), Some("not a Z85 text"));
        });
        searcher.finds_nothing_after("a set-up", &[&bytes], |is_there| {
            let security = Security::curve_server(&key());
            is_there();
            drop(security);
        });

        let password = Veiled::of(b"open sesame, and let me in");
        searcher.finds_nothing_after("passwords", &[&password], |is_there| {
            let mut policy = Policy::new();
            password.lift(|password| policy.allow_users([("alice", password)]));
            let copy = policy.clone();
            let client = password.lift(|password| Security::plain_client("alice", password));
            policy.remove_user("alice");
            is_there();
            drop((policy, copy, client));
        });

        // libzmq keeps the password while the socket is open. Reading the option must leave no further copy.
        let password = Veiled::of(b"swordfish, and nothing else");
        let context = Context::new().unwrap();
        let socket = open(&context);
        password.lift(|password| socket.set_plain_password(Some(password)).unwrap());
        let before = searcher.find(&password);
        drop(socket.plain_password().unwrap().expect("the password"));
        let new: Vec<_> = searcher.find(&password).into_iter().filter(|place| !before.contains(place)).collect();
        assert_eq!(new, [""; 0], "the password of a socket");

        let password =
            Veiled::of(b"longer than the memory that an array of a configuration file gets before it must grow for it");
        searcher.finds_nothing_after("an option's bytes", &[&password], |is_there| {
            let value = password.lift(|password| OptionValue::from(password.as_bytes()));
            is_there();
            socket.set_option("linger", value.clone()).unwrap_err();
        });
        #[cfg(feature = "serde")]
        searcher.finds_nothing_after("an option's bytes in a configuration file", &[&password], |is_there| {
            let array = password.lift(|password| format!("{:?}", password.as_bytes()));
            let value: OptionValue = serde_json::from_str(&array).unwrap();
            is_there();
            drop(value);
        });

        if lacks_curve() {
            return;
        }
        searcher.finds_nothing_after("the public key of a key", &[&bytes, &text], |_| {
            zmq::curve_public(&key()).unwrap();
        });
        let place = Place::new("wiped");
        searcher.finds_nothing_after("a certificate on disk", &[&bytes, &text], |_| {
            let certificate = Certificate::try_from(key()).unwrap();
            certificate.save(place.0.join("key")).unwrap();
            let loaded = Certificate::load(place.0.join("key")).unwrap();
            assert_eq!(loaded.secret_key(), certificate.secret_key());
        });
        let (_, made) = zmq::curve_keypair().unwrap();
        let bytes = Veiled::of(made.as_bytes());
        let text = Veiled::of(made.to_z85().as_bytes());
        searcher.finds_nothing_after("a new pair", &[&bytes, &text], |_| drop(made));
    });
}

/// A temporary directory that is removed when this is dropped.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("zmq-security-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

//! The authenticator: whom it lets in, what it reports, and that nothing ends or freezes it.

mod common;

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, eventually, in_own_process, skip_unless, within_deadline};
use zmq::security::{AuthEvent, Authenticator, Certificate, Credentials, Network, Security, Verdict};
use zmq::{Context, Dealer, Errno, Multipart, PublicKey, Router, Socket};

const ANY_PORT: &str = "tcp://127.0.0.1:*";
const HANDLER: &str = "inproc://zeromq.zap.01";

fn network(text: &str) -> Network {
    text.parse().unwrap()
}

fn server<'a>(context: &'a Context, security: &Security) -> (Socket<'a, Dealer>, String) {
    let server = context.socket(Dealer).unwrap();
    server.set_linger(Some(Duration::ZERO)).unwrap();
    server.secure(security).unwrap();
    let endpoint = server.bind(ANY_PORT).unwrap();
    (server, endpoint)
}

/// A client that is refused tries again only after a minute, so that each has one event.
fn client<'a>(context: &'a Context, security: &Security, endpoint: &str) -> Socket<'a, Dealer> {
    let client = context.socket(Dealer).unwrap();
    client.set_linger(Some(Duration::ZERO)).unwrap();
    client.set_reconnect_ivl(Some(Duration::from_secs(60))).unwrap();
    client.secure(security).unwrap();
    client.connect(endpoint).unwrap();
    // Where it was refused already, there is nobody to wait for.
    let _ = client.try_send("Hello").unwrap();
    client
}

fn event(authenticator: &Authenticator) -> AuthEvent {
    authenticator.next_event(DEADLINE).unwrap().expect("an event")
}

/// The status that the next client gets, and the user id or the reason.
fn decision(authenticator: &Authenticator) -> (u16, String) {
    match event(authenticator) {
        AuthEvent::Allowed { user_id, .. } => (200, user_id),
        AuthEvent::Denied { status, reason, .. } => (status, reason),
        event => panic!("{event:?}"),
    }
}

/// Whether a client gets in, as the authenticator says.
fn is_let_in(authenticator: &Authenticator, context: &Context, security: &Security, endpoint: &str) -> bool {
    let _client = client(context, security, endpoint);
    decision(authenticator).0 == 200
}

fn lacks_curve() -> bool {
    skip_unless(zmq::has("curve"), "this libzmq has no CURVE")
}

#[test]
fn addresses_are_allowed_and_denied_by_domain() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        authenticator.configure("home", |policy| policy.allow(network("127.0.0.0/8"))).unwrap();
        authenticator.configure("away", |policy| policy.allow(network("10.0.0.0/8"))).unwrap();
        authenticator.configure("hostile", |policy| policy.deny(network("127.0.0.1"))).unwrap();
        let lets_in = |domain: &str| {
            let (_server, endpoint) = server(&context, &Security::null().with_domain(domain));
            is_let_in(&authenticator, &context, &Security::null(), &endpoint)
        };
        assert!(lets_in("home"));
        assert!(!lets_in("away"));
        assert!(!lets_in("hostile"));
        assert!(!lets_in("elsewhere"), "no policy, no entry");
        authenticator.configure("*", |policy| policy.clear_networks()).unwrap();
        assert!(lets_in("elsewhere"));
        assert!(!lets_in("hostile"), "its own policy is the one that counts");
        assert!(authenticator.remove("hostile").unwrap());
        assert!(lets_in("hostile"));
        assert_eq!(authenticator.statistics().unwrap().allowed, 3);
        assert_eq!(authenticator.statistics().unwrap().denied, 4);
    });
}

#[test]
fn addresses_of_ipv6_are_known() {
    within_deadline(|| {
        if skip_unless(std::net::TcpListener::bind("[::1]:0").is_ok(), "there is no IPv6 here") {
            return;
        }
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        authenticator.configure("one", |policy| policy.allow(network("::1/128"))).unwrap();
        authenticator.configure("mapped", |policy| policy.allow(network("127.0.0.0/8"))).unwrap();
        let lets_in = |domain: &str, bind: &str, host: &str| {
            let server = context.socket(Dealer).unwrap();
            server.set_ipv6(true).unwrap();
            server.secure(&Security::null().with_domain(domain)).unwrap();
            let endpoint = server.bind(bind).unwrap();
            let port = endpoint.rsplit(':').next().unwrap();
            let client = context.socket(Dealer).unwrap();
            client.set_ipv6(true).unwrap();
            client.set_reconnect_ivl(None).unwrap();
            client.connect(&format!("tcp://{host}:{port}")).unwrap();
            decision(&authenticator).0 == 200
        };
        assert!(lets_in("one", "tcp://[::1]:*", "[::1]"));
        assert!(!lets_in("mapped", "tcp://[::1]:*", "[::1]"));
        // An IPv4 client of a socket that speaks both has an address of either form.
        assert!(lets_in("mapped", "tcp://*:*", "127.0.0.1"));
        assert!(!lets_in("one", "tcp://*:*", "127.0.0.1"));
    });
}

#[test]
fn processes_of_this_machine_have_no_network() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        authenticator.configure("lan", |policy| policy.allow(network("10.0.0.0/8"))).unwrap();
        authenticator.configure("denied", |policy| policy.deny(network("0.0.0.0/0"))).unwrap();
        let lets_in = |domain: &str| {
            let server = context.socket(Dealer).unwrap();
            server.secure(&Security::null().with_domain(domain)).unwrap();
            let endpoint = server.bind("ipc://*").unwrap();
            is_let_in(&authenticator, &context, &Security::null(), &endpoint)
        };
        assert!(!lets_in("lan"));
        assert!(lets_in("denied"));
        authenticator.configure("lan", |policy| policy.allow_local()).unwrap();
        assert!(lets_in("lan"));
    });
}

#[test]
fn users_get_in_with_their_passwords() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        let users = std::collections::HashMap::from([("alice", "open sesame"), ("bob", "hush")]);
        authenticator.configure("*", |policy| policy.allow_users(users)).unwrap();
        let (server, endpoint) = server(&context, &Security::plain_server());
        let _alice = client(&context, &Security::plain_client("alice", "open sesame"), &endpoint);
        assert_eq!(decision(&authenticator), (200, "alice".to_owned()));
        let message = server.recv().unwrap();
        assert_eq!(message.gets("User-Id").as_deref(), Some("alice"));
        assert_eq!(message.gets("Peer-Address").as_deref(), Some("127.0.0.1"));
        for (name, password) in [("alice", "hush"), ("bob", "hush!"), ("eve", "hush")] {
            assert!(!is_let_in(&authenticator, &context, &Security::plain_client(name, password), &endpoint), "{name}");
        }
        assert!(is_let_in(&authenticator, &context, &Security::plain_client("bob", "hush"), &endpoint));
        authenticator.configure("*", |policy| policy.remove_user("bob")).unwrap();
        assert!(!is_let_in(&authenticator, &context, &Security::plain_client("bob", "hush"), &endpoint));
    });
}

/// A client that knows the password has the address looked at all the same.
#[test]
fn a_password_does_not_help_a_denied_address() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        authenticator
            .configure("*", |policy| {
                policy.allow_user("alice", "open sesame");
                policy.deny(network("127.0.0.0/8"));
            })
            .unwrap();
        let (_server, endpoint) = server(&context, &Security::plain_server());
        let security = Security::plain_client("alice", "open sesame");
        assert!(!is_let_in(&authenticator, &context, &security, &endpoint));
    });
}

#[test]
fn a_callback_gives_user_ids_and_metadata() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        authenticator
            .configure("accounts", |policy| {
                policy.check_passwords(|request| match &request.credentials {
                    Credentials::Plain { username, password } if password.as_str() == "open sesame" => {
                        assert_eq!((request.domain.as_str(), request.address.as_str()), ("accounts", "127.0.0.1"));
                        assert_eq!(request.routing_id, b"front");
                        Verdict::allow(format!("user {username}")).with_metadata("X-Role", "admin")
                    }
                    Credentials::Plain { .. } => Verdict::later("come back"),
                    _ => Verdict::deny("not PLAIN"),
                });
            })
            .unwrap();
        let server = context.socket(Dealer).unwrap();
        server.set_routing_id("front").unwrap();
        server.secure(&Security::plain_server().with_domain("accounts")).unwrap();
        let endpoint = server.bind(ANY_PORT).unwrap();
        let _alice = client(&context, &Security::plain_client("alice", "open sesame"), &endpoint);
        assert_eq!(decision(&authenticator), (200, "user alice".to_owned()));
        let message = server.recv().unwrap();
        assert_eq!(message.gets("User-Id").as_deref(), Some("user alice"));
        assert_eq!(message.gets("X-Role").as_deref(), Some("admin"));
        let _bob = client(&context, &Security::plain_client("bob", "x"), &endpoint);
        assert_eq!(decision(&authenticator), (300, "come back".to_owned()));
    });
}

/// Peers say what they like of themselves, but nothing else than the handler does.
#[cfg(feature = "draft")]
#[test]
fn what_a_verdict_says_counts_more_than_what_the_peer_does() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        let check = |_: &zmq::security::ZapRequest| Verdict::allow("alice").with_metadata("X-Role", "guest");
        authenticator.configure("*", |policy| policy.check_passwords(check)).unwrap();
        let (server, endpoint) = server(&context, &Security::plain_server());
        let client = context.socket(Dealer).unwrap();
        client.set_metadata("X-Role", "admin").unwrap();
        client.set_metadata("X-Team", "red").unwrap();
        client.secure(&Security::plain_client("alice", "x")).unwrap();
        client.connect(&endpoint).unwrap();
        client.send("Hello").unwrap();
        let message = server.recv().unwrap();
        assert_eq!(message.gets("X-Role").as_deref(), Some("guest"));
        assert_eq!(message.gets("X-Team").as_deref(), Some("red"), "only what the verdict says is to be relied on");
        assert_eq!(message.gets("User-Id").as_deref(), Some("alice"));
    });
}

/// Whoever is told that it may not get in stays away until it is told to connect again.
#[test]
fn who_is_refused_gives_up_and_who_is_put_off_does_not() {
    if skip_unless(cfg!(zmq_vendored), "without our mend who is put off waits for ZMQ_HANDSHAKE_IVL") {
        return;
    }
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        let mut roles = vec![(Security::plain_server(), Security::plain_client("alice", "x"))];
        if !lacks_curve() {
            let (_, server_role, client_role) = keys();
            roles.push((server_role, client_role));
        }
        for (server_role, client_role) in roles {
            let check = |verdict: fn() -> Verdict| {
                authenticator
                    .configure("*", |policy| {
                        policy.check_passwords(move |_| verdict());
                        policy.check_keys(move |_| verdict());
                    })
                    .unwrap();
            };
            let (server, endpoint) = server(&context, &server_role);
            let client = context.socket(Dealer).unwrap();
            client.set_linger(Some(Duration::ZERO)).unwrap();
            client.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
            client.secure(&client_role).unwrap();
            check(|| Verdict::later("ask again"));
            client.connect(&endpoint).unwrap();
            for _ in 0..3 {
                assert_eq!(decision(&authenticator).0, 300);
            }
            check(|| Verdict::deny("no"));
            while decision(&authenticator).0 != 400 {}
            let next = authenticator.next_event(Duration::from_millis(100)).unwrap();
            assert_eq!(next, None, "it does not try again");
            check(|| Verdict::allow("alice"));
            client.disconnect(&endpoint).unwrap();
            client.connect(&endpoint).unwrap();
            client.send("Hello").unwrap();
            assert_eq!(server.recv_timeout(DEADLINE).unwrap().expect("a message"), "Hello");
            assert_eq!(decision(&authenticator).0, 200);
        }
    });
}

fn keys() -> (PublicKey, Security, Security) {
    let (server_public, server_secret) = zmq::curve_keypair().unwrap();
    let (public, secret) = zmq::curve_keypair().unwrap();
    (public, Security::curve_server(&server_secret), Security::curve_client(&secret, &server_public))
}

#[test]
fn keys_get_in_by_a_list_or_a_callback_or_all() {
    within_deadline(|| {
        if lacks_curve() {
            return;
        }
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        let (public, server_role, client_role) = keys();
        let (server, endpoint) = server(&context, &server_role);
        let lets_in = || is_let_in(&authenticator, &context, &client_role, &endpoint);
        assert!(!lets_in(), "no policy");
        authenticator.configure("*", |policy| policy.allow_key(PublicKey::from_bytes([7; 32]))).unwrap();
        assert!(!lets_in(), "another key");
        authenticator.configure("*", |policy| policy.allow_key(public)).unwrap();
        let _client = client(&context, &client_role, &endpoint);
        assert_eq!(decision(&authenticator), (200, public.to_string()));
        assert_eq!(server.recv().unwrap().gets("User-Id"), Some(public.to_string().into()));
        authenticator.configure("*", |policy| policy.remove_key(&public)).unwrap();
        assert!(!lets_in(), "no longer");
        let check = move |request: &zmq::security::ZapRequest| match request.credentials {
            Credentials::Curve(key) if key == public => Verdict::allow("alice"),
            _ => Verdict::deny("who?"),
        };
        authenticator.configure("*", |policy| policy.check_keys(check)).unwrap();
        assert!(lets_in());
        authenticator.remove("*").unwrap();
        assert!(!lets_in());
        authenticator.configure("*", |policy| policy.allow_any_key()).unwrap();
        assert!(lets_in());
    });
}

#[test]
fn keys_get_in_by_a_directory_that_changes() {
    within_deadline(|| {
        if lacks_curve() {
            return;
        }
        let directory = std::env::temp_dir().join(format!("zmq-zap-directory-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        authenticator.configure("*", |policy| policy.allow_keys_in(&directory)).unwrap();
        let (public, server_role, client_role) = keys();
        let (server, endpoint) = server(&context, &server_role);
        let lets_in = || is_let_in(&authenticator, &context, &client_role, &endpoint);
        assert!(!lets_in());

        let mut certificate = Certificate::of_public(public);
        certificate.set_metadata("email", "alice@example.org").unwrap();
        certificate.set_metadata("User-Id", "mallory").unwrap();
        certificate.save_public(directory.join("alice.key")).unwrap();
        let alice = client(&context, &client_role, &endpoint);
        assert_eq!(decision(&authenticator), (200, public.to_string()));
        let message = server.recv().unwrap();
        assert_eq!(message.gets("email").as_deref(), Some("alice@example.org"));
        assert_eq!(message.gets("User-Id"), Some(public.to_string().into()));
        drop(alice);

        std::fs::write(directory.join("broken.key"), "curve\n    public-key = \"?\"\n").unwrap();
        let _again = client(&context, &client_role, &endpoint);
        let AuthEvent::BadCertificate { reason } = event(&authenticator) else { panic!() };
        assert!(reason.contains("broken.key:2: "), "{reason}");
        assert_eq!(decision(&authenticator).0, 200);

        std::fs::remove_file(directory.join("alice.key")).unwrap();
        assert!(!lets_in());
        // A directory that is away for a moment costs a moment.
        std::fs::remove_dir_all(&directory).unwrap();
        let last = context.socket(Dealer).unwrap();
        last.set_linger(Some(Duration::ZERO)).unwrap();
        last.set_reconnect_ivl(Some(Duration::from_millis(10))).unwrap();
        last.secure(&client_role).unwrap();
        last.connect(&endpoint).unwrap();
        assert!(matches!(event(&authenticator), AuthEvent::BadCertificate { .. }));
        assert_eq!(decision(&authenticator).0, 300);
        if cfg!(zmq_vendored) {
            // As a whole: who asks while it is empty is refused.
            let new = directory.with_extension("new");
            std::fs::create_dir(&new).unwrap();
            certificate.save_public(new.join("alice.key")).unwrap();
            std::fs::rename(new, &directory).unwrap();
            last.send("Hello").unwrap();
            assert_eq!(server.recv_timeout(DEADLINE).unwrap().expect("a message"), "Hello");
            std::fs::remove_dir_all(&directory).unwrap();
        }
    });
}

/// Panics again when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload panics too");
    }
}

#[test]
fn a_panicking_callback_refuses_and_is_reported() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        authenticator
            .configure("*", |policy| {
                policy.check_passwords(|request| match request.credentials.user().as_str() {
                    "text" => panic!("no {} today", "text"),
                    "bomb" => std::panic::panic_any(Bomb),
                    user => Verdict::allow(user),
                });
            })
            .unwrap();
        let (_server, endpoint) = server(&context, &Security::plain_server());
        for (name, said) in [("text", "no text today"), ("bomb", "a panic without a text")] {
            let _client = client(&context, &Security::plain_client(name, "x"), &endpoint);
            let AuthEvent::Panicked { client, message } = event(&authenticator) else { panic!() };
            assert_eq!((client.user.as_str(), message.as_str()), (name, said));
            assert_eq!(decision(&authenticator), (500, "a callback panicked".to_owned()));
        }
        assert!(is_let_in(&authenticator, &context, &Security::plain_client("alice", "x"), &endpoint));
        let statistics = authenticator.statistics().unwrap();
        assert_eq!((statistics.panicked, statistics.denied, statistics.allowed), (2, 2, 1));
    });
}

/// What a callback owns may panic when it is dropped, wherever that happens to be.
#[test]
fn a_policy_that_panics_when_dropped_ends_nothing() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Arc::new(Authenticator::start(&context).unwrap());
        let bomb = Bomb;
        let weak = Arc::downgrade(&authenticator);
        authenticator
            .configure("*", |policy| {
                policy.check_passwords(move |_| {
                    let _owned = &bomb;
                    // From now on the request has the last reference.
                    weak.upgrade().unwrap().remove("*").unwrap();
                    Verdict::allow("alice")
                });
            })
            .unwrap();
        let (_server, endpoint) = server(&context, &Security::plain_server());
        let _client = client(&context, &Security::plain_client("alice", "x"), &endpoint);
        assert!(matches!(event(&authenticator), AuthEvent::Panicked { .. }));
        assert_eq!(decision(&authenticator).0, 500);
        authenticator.configure("*", |policy| policy.allow_user("bob", "hush")).unwrap();
        assert!(is_let_in(&authenticator, &context, &Security::plain_client("bob", "hush"), &endpoint));
    });
}

/// Asks as libzmq does, from a socket of the context.
fn ask(asker: &Socket<'_, Dealer>, frames: &[&[u8]]) -> Vec<Vec<u8>> {
    asker.send_multipart(frames.iter().map(|frame| frame.to_vec()).collect::<Vec<_>>()).unwrap();
    let reply = asker.recv_multipart_timeout(DEADLINE).unwrap().expect("a reply");
    reply.iter().map(|frame| frame.to_vec()).collect()
}

#[test]
fn a_malformed_request_is_refused_and_reported() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        authenticator.configure("*", |policy| policy.allow_any_key()).unwrap();
        let asker = context.socket(Dealer).unwrap();
        asker.connect(HANDLER).unwrap();
        let long = [b'x'; 256];
        let cases: &[(&[&[u8]], &str)] = &[
            (&[b"", b"1.0"], "it has 1 frames"),
            (&[b"", b"1.0", b"1", b"d", b"a", b"i"], "it has 5 frames"),
            (&[b"", b"1.1", b"1", b"d", b"a", b"i", b"NULL"], "its version"),
            (&[b"", b"", b"1", b"d", b"a", b"i", b"NULL"], "its version"),
            (&[b"", b"1.0", b"1", &long, b"a", b"i", b"NULL"], "its domain"),
            (&[b"", b"1.0", b"1", b"\xff", b"a", b"i", b"NULL"], "its domain"),
            (&[b"", b"1.0", b"1", b"d", &long, b"i", b"NULL"], "its address"),
            (&[b"", b"1.0", b"1", b"d", b"a", &long, b"NULL"], "its routing id"),
            (&[b"", b"1.0", b"1", b"d", b"a", b"i", b"NULL", b"x"], "it has 1 frames of NULL"),
            (&[b"", b"1.0", b"1", b"d", b"a", b"i", b"PLAIN", b"u"], "it has 1 frames of PLAIN"),
            (&[b"", b"1.0", b"1", b"d", b"a", b"i", b"CURVE", b"short"], "its key has 5 bytes"),
            (&[b"", b"1.0", b"1", b"d", b"a", b"i", b"CURVE", &[7; 32], b""], "it has 2 frames of CURVE"),
            (&[b"", b"1.0", b"1", b"d", b"a", b"i", b"MAGIC"], "its mechanism"),
        ];
        for (frames, why) in cases {
            let reply = ask(&asker, frames);
            assert_eq!(reply.len(), 7, "{why}");
            assert_eq!((&*reply[0], &*reply[1], &*reply[3]), (&b""[..], &b"1.0"[..], &b"400"[..]), "{why}");
            assert!(reply[5].is_empty() && reply[6].is_empty());
            let AuthEvent::Malformed { reason } = event(&authenticator) else { panic!("{why}") };
            assert!(reason.starts_with(why), "{reason}");
        }
        // A request id that is too long is not sent back.
        assert_eq!(ask(&asker, &[b"", b"1.0", &long, b"d", b"a", b"i", b"NULL"])[2], b"");
        // What has no envelope gets no answer.
        let before = authenticator.statistics().unwrap().malformed;
        for frames in [&["x"][..], &["x", "", "1.0"]] {
            asker.send_multipart(frames.iter().map(|frame| zmq::Message::from(*frame)).collect::<Multipart>()).unwrap();
        }
        eventually("both are counted", || authenticator.statistics().unwrap().malformed == before + 2);
        let reply = ask(&asker, &[b"", b"1.0", b"seven", b"d", b"a", b"i", b"CURVE", &[7; 32]]);
        assert_eq!((&*reply[2], &*reply[3]), (&b"seven"[..], &b"200"[..]));
        assert_eq!(reply[5], PublicKey::from_bytes([7; 32]).to_string().into_bytes());
    });
}

#[test]
fn metadata_that_cannot_be_sent_is_a_refusal() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        let check = |_: &zmq::security::ZapRequest| Verdict::allow("alice").with_metadata("Socket-Type", "PUB");
        authenticator.configure("*", |policy| policy.check_passwords(check)).unwrap();
        let (_server, endpoint) = server(&context, &Security::plain_server());
        let _client = client(&context, &Security::plain_client("alice", "x"), &endpoint);
        assert_eq!(decision(&authenticator).0, 500);
    });
}

#[test]
fn a_context_has_one_handler_at_a_time() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let own = context.socket(Router).unwrap();
        own.bind(HANDLER).unwrap();
        assert_eq!(Authenticator::start(&context).unwrap_err().errno(), Errno::EADDRINUSE);
        drop(own);
        for _ in 0..50 {
            Authenticator::start(&context).unwrap().stop(DEADLINE).unwrap();
        }
        context.shutdown().unwrap();
        assert_eq!(Authenticator::start(&context).unwrap_err().errno(), Errno::ETERM);
    });
}

#[test]
fn nothing_freezes_in_any_order_of_dropping() {
    const ORDERS: [[usize; 4]; 24] = {
        let mut orders = [[0; 4]; 24];
        let mut code = 0;
        let mut found = 0;
        while code < 256 {
            let order = [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6];
            if (1 << order[0] | 1 << order[1] | 1 << order[2] | 1 << order[3]) == 15 {
                orders[found] = order;
                found += 1;
            }
            code += 1;
        }
        orders
    };
    for answered in [true, false] {
        for order in ORDERS {
            within_deadline(move || {
                let context = Context::new().unwrap();
                let authenticator = Authenticator::start(&context).unwrap();
                authenticator.configure("*", |policy| policy.allow_user("alice", "hush")).unwrap();
                let open = |security: Security| {
                    let socket = context.owned_socket(Dealer).unwrap();
                    socket.set_linger(Some(Duration::ZERO)).unwrap();
                    socket.secure(&security).unwrap();
                    socket
                };
                let server = open(Security::plain_server());
                let client = open(Security::plain_client("alice", "hush"));
                client.connect(&server.bind(ANY_PORT).unwrap()).unwrap();
                client.send("Hello").unwrap();
                if answered {
                    server.recv().unwrap();
                }
                let (mut context, mut authenticator) = (Some(context), Some(authenticator));
                let (mut server, mut client) = (Some(server), Some(client));
                for which in order {
                    match which {
                        0 => drop(context.take()),
                        1 => drop(authenticator.take()),
                        2 => drop(server.take()),
                        _ => drop(client.take()),
                    }
                }
            });
        }
    }
}

#[test]
fn the_end_of_the_context_ends_it() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        assert!(authenticator.is_running());
        // It holds no handle of the context that would have to be dropped first.
        context.terminate(DEADLINE).unwrap();
        let AuthEvent::Ended { error: Some(error) } = event(&authenticator) else { panic!() };
        assert_eq!(error.errno(), Errno::ETERM);
        assert!(matches!(event(&authenticator), AuthEvent::Ended { .. }));
        assert!(!authenticator.is_running());
        authenticator.configure("*", |policy| policy.allow_any_key()).unwrap();
        authenticator.stop(Duration::ZERO).unwrap();
    });
}

/// As a socket does, it lets a context that nobody else holds send what lingers.
#[test]
fn it_keeps_its_context_alive() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        let other = Context::new().unwrap();
        let receiver = other.socket(Dealer).unwrap();
        let endpoint = receiver.bind(ANY_PORT).unwrap();
        let sender = context.owned_socket(Dealer).unwrap();
        sender.connect(&endpoint).unwrap();
        sender.send("Hello").unwrap();
        drop(sender);
        drop(context);
        drop(authenticator);
        assert_eq!(receiver.recv().unwrap(), "Hello");
    });
}

#[test]
fn stopping_does_not_wait_for_a_callback_that_hangs() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        let (entered, inside) = channel();
        let (leave, left) = channel::<()>();
        let (entered, left) = (Mutex::new(entered), Mutex::new(left));
        authenticator
            .configure("*", |policy| {
                policy.check_passwords(move |_| {
                    entered.lock().unwrap().send(()).unwrap();
                    let _ = left.lock().unwrap().recv();
                    Verdict::allow("alice")
                });
            })
            .unwrap();
        let (_server, endpoint) = server(&context, &Security::plain_server());
        let _client = client(&context, &Security::plain_client("alice", "x"), &endpoint);
        inside.recv_timeout(DEADLINE).unwrap();
        let start = Instant::now();
        let error = authenticator.stop(Duration::from_millis(30)).unwrap_err();
        assert_eq!(error.errno(), Errno::EAGAIN);
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        assert_eq!(Authenticator::start(&context).unwrap_err().errno(), Errno::EADDRINUSE);
        leave.send(()).unwrap();
        eventually("it stops when the callback returns", || Authenticator::start(&context).is_ok());
    });
}

/// Whoever has asked is told to ask again, and so gets in with the next authenticator.
#[test]
fn clients_that_wait_when_it_stops_are_told_to_try_again() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        let (entered, inside) = channel();
        let (leave, left) = channel::<()>();
        let channels = Mutex::new((entered, left));
        authenticator
            .configure("*", |policy| {
                policy.check_passwords(move |request| {
                    let (entered, left) = &*channels.lock().unwrap();
                    entered.send(()).unwrap();
                    // Ends when the other end is dropped.
                    let _ = left.recv();
                    Verdict::allow(request.credentials.user())
                });
            })
            .unwrap();
        let (server, endpoint) = server(&context, &Security::plain_server());
        let _first = client(&context, &Security::plain_client("first", "x"), &endpoint);
        inside.recv_timeout(DEADLINE).unwrap();
        // This one asks as libzmq does, so that its request is there for certain.
        let asker = context.socket(Dealer).unwrap();
        asker.connect(HANDLER).unwrap();
        asker.send_multipart(["", "1.0", "1", "", "127.0.0.1", "", "PLAIN", "second", "x"]).unwrap();
        assert_eq!(authenticator.stop(Duration::from_millis(1)).unwrap_err().errno(), Errno::EAGAIN);
        drop(leave);
        assert_eq!(server.recv().unwrap().gets("User-Id").as_deref(), Some("first"));
        let reply = asker.recv_multipart_timeout(DEADLINE).unwrap().expect("an answer");
        assert_eq!(reply.get(3).unwrap(), "300");

        let mut next = None;
        eventually("its endpoint is free", || {
            next = Authenticator::start(&context).ok();
            next.is_some()
        });
        let next = next.unwrap();
        next.configure("*", |policy| policy.allow_user("second", "x")).unwrap();
        assert!(is_let_in(&next, &context, &Security::plain_client("second", "x"), &endpoint));
    });
}

#[test]
fn a_callback_may_use_the_authenticator_and_drop_it() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let slot = Arc::new(Mutex::new(None::<Authenticator>));
        let authenticator = Authenticator::start(&context).unwrap();
        let given = slot.clone();
        authenticator
            .configure("*", |policy| {
                policy.check_passwords(move |request| {
                    let authenticator = given.lock().unwrap().take().unwrap();
                    authenticator.configure("*", |policy| policy.allow_any_key()).unwrap();
                    assert!(authenticator.is_running());
                    drop(authenticator);
                    Verdict::allow(request.credentials.user())
                });
            })
            .unwrap();
        *slot.lock().unwrap() = Some(authenticator);
        let (server, endpoint) = server(&context, &Security::plain_server());
        let _client = client(&context, &Security::plain_client("alice", "x"), &endpoint);
        assert_eq!(server.recv().unwrap().gets("User-Id").as_deref(), Some("alice"));
        eventually("its endpoint is free", || Authenticator::start(&context).is_ok());
    });
}

#[test]
fn configuring_inside_of_configuring_is_an_error() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        let mut inner = None;
        authenticator.configure("*", |_| inner = Some(authenticator.configure("*", |_| ()))).unwrap();
        assert_eq!(inner.unwrap().unwrap_err().errno(), Errno::from_raw(libc::EDEADLK));
        // One that panics changes nothing and holds nobody up.
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            authenticator.configure("*", |policy| {
                policy.allow_any_key();
                panic!("on purpose");
            })
        }));
        assert!(panicked.is_err());
        authenticator.configure("*", |policy| assert!(format!("{policy:?}").contains("any_key: false"))).unwrap();
    });
}

#[test]
fn many_clients_at_once() {
    within_deadline(|| {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        authenticator.configure("*", |policy| policy.allow_user("alice", "hush")).unwrap();
        let (server, endpoint) = server(&context, &Security::plain_server());
        let clients: Vec<_> =
            (0..200).map(|_| client(&context, &Security::plain_client("alice", "hush"), &endpoint)).collect();
        for _ in &clients {
            server.recv().unwrap();
        }
        assert_eq!(authenticator.statistics().unwrap().allowed, 200);
    });
}

/// What this process has computed so far.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid pointer.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Signals are for the program's own threads.
#[test]
fn ctrl_c_does_not_end_it() {
    in_own_process("ctrl_c_does_not_end_it", || {
        within_deadline(|| {
            zmq::interrupt::catch_signals().unwrap();
            let context = Context::new().unwrap();
            let authenticator = Authenticator::start(&context).unwrap();
            authenticator.configure("*", |policy| policy.allow_user("alice", "hush")).unwrap();
            for _ in 0..20 {
                // SAFETY: the signal is caught.
                unsafe { libc::kill(std::process::id() as i32, libc::SIGINT) };
            }
            assert_eq!(authenticator.next_event(None).unwrap_err().errno(), Errno::EINTR);
            let before = processor_time();
            thread::sleep(Duration::from_millis(300));
            let used = processor_time() - before;
            assert!(used < Duration::from_millis(150), "a standing interrupt makes it spin: {used:?}");
            zmq::interrupt::clear();
            let (server, endpoint) = server(&context, &Security::plain_server());
            let _client = client(&context, &Security::plain_client("alice", "hush"), &endpoint);
            assert_eq!(server.recv().unwrap().gets("User-Id").as_deref(), Some("alice"));
        });
    });
}

#[test]
fn a_forked_child_leaves_it_alone() {
    in_own_process("a_forked_child_leaves_it_alone", || {
        within_deadline(|| {
            let context = Context::new().unwrap();
            let authenticator = Authenticator::start(&context).unwrap();
            authenticator.configure("*", |policy| policy.allow_user("alice", "hush")).unwrap();
            // SAFETY: the child calls nothing that another thread of the parent may hold a lock of, but for the allocator,
            // which glibc makes usable.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let failed = authenticator.configure("*", |_| ()).is_err()
                    && authenticator.next_event(None).is_err()
                    && authenticator.statistics().is_err()
                    && !authenticator.is_running();
                drop(authenticator);
                drop(context);
                // SAFETY: ends this process and nothing else.
                unsafe { libc::_exit(if failed { 0 } else { 1 }) };
            }
            let mut status = 0;
            // SAFETY: the child is ours, and the pointer valid.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
            let (server, endpoint) = server(&context, &Security::plain_server());
            let _client = client(&context, &Security::plain_client("alice", "hush"), &endpoint);
            assert_eq!(server.recv().unwrap().gets("User-Id").as_deref(), Some("alice"));
        });
    });
}

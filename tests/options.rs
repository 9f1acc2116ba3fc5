//! The option table against the header and against the library itself, and the values that setters refuse.

mod common;
#[path = "common/zmq_h.rs"]
mod zmq_h;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_int;
use std::time::Duration;

use common::{kinds, outcome};
use zmq::sockopt::{self, OptionInfo};
use zmq::{Context, Errno, Error, Kind, Socket, sys};
use zmq_h::zmq_h;

fn rows() -> impl Iterator<Item = &'static OptionInfo> {
    OptionInfo::all()
}

/// The definitions of `zmq.h` below a comment that begins with `title`, up to the next comment: names and their values.
fn section(header: &str, title: &str) -> BTreeMap<String, String> {
    let mut lines = header.lines().skip_while(|line| !line.starts_with(&format!("/*  {title}")));
    assert!(lines.next().is_some(), "zmq.h has no section {title:?}");
    let mut found = BTreeMap::new();
    for line in lines.take_while(|line| !line.starts_with("/*")) {
        if let Some((name, value)) = line.strip_prefix("#define ").and_then(|line| line.split_once(' ')) {
            found.insert(name.to_owned(), value.trim().to_owned());
        }
    }
    assert!(!found.is_empty(), "section {title:?} defines nothing");
    found
}

/// The options among the definitions, and the further names among them.
fn split(definitions: BTreeMap<String, String>) -> (BTreeMap<String, i32>, BTreeMap<String, String>) {
    let (mut numbers, mut names) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in definitions {
        match value.parse() {
            Ok(number) => drop(numbers.insert(name, number)),
            Err(_) => drop(names.insert(name, value)),
        }
    }
    (numbers, names)
}

#[deadline::test]
fn table_has_every_socket_option_of_the_header_and_no_other() {
    let header = zmq_h();
    let (mut stable, mut aliases) = split(section(&header, "Socket options."));
    assert!(aliases.is_empty(), "{aliases:?}");
    let (deprecated, names) = split(section(&header, "Deprecated options and aliases"));
    stable.extend(deprecated);
    aliases.extend(names);
    // zmq.h lists the old name of a send and receive flag among the aliases of options.
    assert_eq!(aliases.remove("ZMQ_NOBLOCK").as_deref(), Some("ZMQ_DONTWAIT"));
    let draft =
        if cfg!(feature = "draft") { split(section(&header, "DRAFT Socket options.")).0 } else { BTreeMap::new() };

    let of_table = |draft| {
        let rows: Vec<_> =
            rows().filter(|row| row.draft == draft).map(|row| (row.name.to_owned(), row.number)).collect();
        let named: BTreeMap<_, _> = rows.iter().cloned().collect();
        assert_eq!(rows.len(), named.len(), "an option has two rows");
        named
    };
    assert_eq!(of_table(false), stable);
    assert_eq!(of_table(true), draft);
    for (alias, name) in aliases {
        assert_eq!(OptionInfo::find(&alias).map(|option| option.name), Some(&*name), "{alias}");
    }

    let numbers: BTreeSet<i32> = rows().map(|row| row.number).collect();
    assert_eq!(numbers.len(), rows().count(), "two rows have one number");
}

#[deadline::test]
fn every_context_option_of_the_header_has_its_method() {
    let header = zmq_h();
    let mut of_header = section(&header, "Context options");
    if cfg!(feature = "draft") {
        of_header.extend(section(&header, "DRAFT Context options"));
    }
    let mut reviewed: BTreeSet<&str> = BTreeSet::new();
    macro_rules! methods {
        ($($name:literal: $($method:ident)*;)*) => {$(
            $(let _ = Context::$method;)*
            reviewed.insert($name);
        )*};
    }
    // An option without a method is read by `Context::option`.
    methods! {
        "ZMQ_IO_THREADS": io_threads set_io_threads;
        "ZMQ_MAX_SOCKETS": max_sockets set_max_sockets;
        "ZMQ_SOCKET_LIMIT":;
        "ZMQ_THREAD_PRIORITY": set_thread_priority;
        "ZMQ_THREAD_SCHED_POLICY": thread_sched_policy set_thread_sched_policy;
        "ZMQ_MAX_MSGSZ": max_msgsz set_max_msgsz;
        "ZMQ_MSG_T_SIZE":;
        "ZMQ_THREAD_AFFINITY_CPU_ADD": add_thread_affinity_cpu;
        "ZMQ_THREAD_AFFINITY_CPU_REMOVE": remove_thread_affinity_cpu;
        "ZMQ_THREAD_NAME_PREFIX": thread_name_prefix set_thread_name_prefix;
    }
    #[cfg(feature = "draft")]
    methods! {
        "ZMQ_ZERO_COPY_RECV": zero_copy_recv set_zero_copy_recv;
        "ZMQ_THREAD_NAME_PREFIX": thread_name_prefix_text set_thread_name_prefix_text;
    }
    assert_eq!(reviewed, of_header.keys().map(String::as_str).collect());

    // zmq.h lists two more context options among the socket options.
    methods! { "ZMQ_IPV6": ipv6 set_ipv6; "ZMQ_BLOCKY": blocky set_blocky; }
    let of_sockets = section(&header, "Socket options.");
    assert!(of_sockets.contains_key("ZMQ_IPV6") && of_sockets.contains_key("ZMQ_BLOCKY"));
}

#[deadline::test]
fn every_message_option_of_the_header_has_its_method() {
    let header = zmq_h();
    let mut of_header = section(&header, "Message options");
    of_header.extend(section(&header, "Deprecated Message options"));
    let _ = (zmq::Message::more, zmq::Message::is_shared, zmq::Message::source_fd);
    let reviewed = ["ZMQ_MORE", "ZMQ_SHARED", "ZMQ_SRCFD"];
    assert_eq!(of_header.keys().map(String::as_str).collect::<Vec<_>>(), reviewed);
}

/// A value in C's form that the option accepts, if it accepts any.
fn sample(name: &str) -> Vec<u8> {
    let int = |value: c_int| value.to_ne_bytes().to_vec();
    match name {
        "ZMQ_AFFINITY" | "ZMQ_MAXMSGSIZE" => 1_u64.to_ne_bytes().to_vec(),
        name if name.starts_with("ZMQ_VMCI_BUFFER") => 1_u64.to_ne_bytes().to_vec(),
        "ZMQ_CURVE_PUBLICKEY" | "ZMQ_CURVE_SECRETKEY" | "ZMQ_CURVE_SERVERKEY" => vec![7; 32],
        "ZMQ_METADATA" => b"X-name:value".to_vec(),
        "ZMQ_TCP_ACCEPT_FILTER" => b"127.0.0.1\0".to_vec(),
        "ZMQ_BINDTODEVICE" => b"lo".to_vec(),
        "ZMQ_SOCKS_PROXY" => b"127.0.0.1:1080".to_vec(),
        "ZMQ_ROUTING_ID"
        | "ZMQ_CONNECT_ROUTING_ID"
        | "ZMQ_SUBSCRIBE"
        | "ZMQ_UNSUBSCRIBE"
        | "ZMQ_PLAIN_USERNAME"
        | "ZMQ_PLAIN_PASSWORD"
        | "ZMQ_ZAP_DOMAIN"
        | "ZMQ_GSSAPI_PRINCIPAL"
        | "ZMQ_GSSAPI_SERVICE_PRINCIPAL"
        | "ZMQ_XPUB_WELCOME_MSG"
        | "ZMQ_SOCKS_USERNAME"
        | "ZMQ_SOCKS_PASSWORD"
        | "ZMQ_WSS_KEY_PEM"
        | "ZMQ_WSS_CERT_PEM"
        | "ZMQ_WSS_TRUST_PEM"
        | "ZMQ_WSS_HOSTNAME"
        | "ZMQ_HELLO_MSG"
        | "ZMQ_DISCONNECT_MSG"
        | "ZMQ_HICCUP_MSG" => b"some text".to_vec(),
        // -1 is off. libzmq would adopt any other number as a descriptor.
        "ZMQ_USE_FD" => int(-1),
        "ZMQ_HEARTBEAT_TTL" => int(100),
        _ => int(1),
    }
}

fn set(socket: &Socket<'_>, number: c_int, value: &[u8]) -> Result<(), Errno> {
    // SAFETY: the handle is open; pointer and length are those of the slice, which is at least as long as the option's
    // C type.
    let rc = unsafe { sys::zmq_setsockopt(socket.as_raw(), number, value.as_ptr().cast(), value.len()) };
    outcome(rc)
}

fn get(socket: &Socket<'_>, number: c_int, len: usize) -> Result<(), Errno> {
    let mut buffer = vec![0_u8; len];
    let mut len = len;
    // SAFETY: the handle is open; libzmq writes at most `len` bytes, the buffer's length.
    let rc = unsafe { sys::zmq_getsockopt(socket.as_raw(), number, buffer.as_mut_ptr().cast(), &raw mut len) };
    outcome(rc)
}

/// Whether this libzmq was built with the capability that an option needs.
fn is_built_in(name: &str) -> bool {
    const NEEDS: [(&str, &str); 6] = [
        ("ZMQ_CURVE_", "curve"),
        ("ZMQ_GSSAPI_", "gssapi"),
        ("ZMQ_IPC_FILTER_", "ipc"),
        ("ZMQ_NORM_", "norm"),
        ("ZMQ_VMCI_", "vmci"),
        ("ZMQ_WSS_", "WSS"),
    ];
    NEEDS.iter().find(|(prefix, _)| name.starts_with(prefix)).is_none_or(|(_, capability)| zmq::has(capability))
}

#[deadline::test]
fn libzmq_accepts_each_option_on_the_kinds_of_its_row() {
    let mut wrong = Vec::new();
    let kinds = kinds();
    for row in rows() {
        // Each option has its own context, whose end waits until the sockets are closed. One context would run out of
        // sockets.
        let context = Context::new().unwrap();
        for &kind in &kinds {
            let socket = context.socket(kind).unwrap();
            let there = is_built_in(row.name);
            let accepted = set(&socket, row.number, &sample(row.name));
            let expected = if there && row.set && row.is_accepted_by(kind) { Ok(()) } else { Err(Errno::EINVAL) };
            if accepted != expected {
                wrong.push(format!("{} set on {kind}: {accepted:?}", row.name));
            }

            // libzmq accepts one length for most options.
            let read = [4, 8, 32, 256].map(|len| get(&socket, row.number, len));
            // An option that a kind stores for itself can be read from that kind. An option that can be set and read
            // can be read from every kind.
            let readable = there && row.get && (row.set || row.is_accepted_by(kind));
            if read.contains(&Ok(())) != readable
                || read.iter().any(|read| !matches!(read, Ok(()) | Err(Errno::EINVAL)))
            {
                wrong.push(format!("{} got from {kind}: {read:?}", row.name));
            }
            assert!(
                Kind::ALL.iter().all(|&kind| {
                    // XPUB accepts SUBSCRIBE too in manual mode.
                    !row.applies_to(kind) || row.is_accepted_by(kind) || row.name.ends_with("SUBSCRIBE")
                }),
                "{}: kinds are not among the accepted",
                row.name
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[deadline::test]
fn publishers_accept_subscribe_options_only_in_manual_mode() {
    let context = Context::new().unwrap();
    for kind in [Kind::XPub, Kind::Pub] {
        for option in [sys::ZMQ_SUBSCRIBE, sys::ZMQ_UNSUBSCRIBE] {
            let socket = context.socket(kind).unwrap();
            assert_eq!(set(&socket, option, b"A"), Err(Errno::EINVAL));
            set(&socket, sys::ZMQ_XPUB_MANUAL, &1_i32.to_ne_bytes()).unwrap();
            assert_eq!(set(&socket, option, b"A"), Ok(()), "{kind}");
        }
    }
}

/// A call of one option's method.
type Attempt = fn(&Socket<'_>) -> Result<(), Error>;

/// The options that do not apply to every kind, each with a call of its safe method.
fn restricted() -> Vec<(&'static str, Attempt)> {
    macro_rules! attempts {
        ($($name:literal: |$socket:ident| $call:expr;)*) => { vec![$(($name, (|$socket| $call) as Attempt)),*] };
    }
    let mut attempts = attempts! {
        "ZMQ_SUBSCRIBE": |socket| socket.subscribe("A");
        "ZMQ_UNSUBSCRIBE": |socket| socket.unsubscribe("A");
        "ZMQ_ROUTER_MANDATORY": |socket| socket.set_router_mandatory(true);
        "ZMQ_ROUTER_RAW": |socket| socket.set_router_raw(true);
        "ZMQ_ROUTER_HANDOVER": |socket| socket.set_router_handover(true);
        "ZMQ_CONNECT_ROUTING_ID": |socket| socket.connect_with_routing_id("alice", "tcp://127.0.0.1:1");
        "ZMQ_PROBE_ROUTER": |socket| socket.set_probe_router(true);
        "ZMQ_REQ_CORRELATE": |socket| socket.set_req_correlate(true);
        "ZMQ_REQ_RELAXED": |socket| socket.set_req_relaxed(true);
        "ZMQ_XPUB_VERBOSE": |socket| socket.set_xpub_verbose(true);
        "ZMQ_XPUB_VERBOSER": |socket| socket.set_xpub_verboser(true);
        "ZMQ_XPUB_MANUAL": |socket| socket.set_xpub_manual(true);
        "ZMQ_XPUB_NODROP": |socket| socket.set_xpub_nodrop(true);
        "ZMQ_XPUB_WELCOME_MSG": |socket| socket.set_xpub_welcome_msg("hello");
        "ZMQ_CONFLATE": |socket| socket.conflate().and_then(|_| socket.set_conflate(true));
        "ZMQ_INVERT_MATCHING": |socket| socket.invert_matching().and_then(|_| socket.set_invert_matching(true));
        "ZMQ_STREAM_NOTIFY": |socket| socket.set_stream_notify(false);
    };
    #[cfg(feature = "draft")]
    attempts.extend(attempts! {
        "ZMQ_FD": |socket| socket.fd().map(drop);
        "ZMQ_ROUTER_NOTIFY": |socket| socket.set_router_notify(sockopt::RouterNotify::CONNECT);
        "ZMQ_XPUB_MANUAL_LAST_VALUE": |socket| socket.set_xpub_manual_last_value(true);
        "ZMQ_ONLY_FIRST_SUBSCRIBE": |socket| socket.set_only_first_subscribe(true);
        "ZMQ_HELLO_MSG": |socket| socket.set_hello_msg("hello");
        "ZMQ_DISCONNECT_MSG": |socket| socket.set_disconnect_msg("gone");
        "ZMQ_HICCUP_MSG": |socket| socket.set_hiccup_msg("hiccup");
        "ZMQ_XSUB_VERBOSE_UNSUBSCRIBE": |socket| socket.set_xsub_verbose_unsubscribe(true);
        "ZMQ_TOPICS_COUNT": |socket| socket.topics_count().map(drop);
    });
    attempts.sort_by_key(|attempt| attempt.0);
    attempts
}

#[deadline::test]
fn option_on_the_wrong_kind_is_an_error_that_names_both() {
    let attempts = restricted();
    let number_of_kinds = |row: &OptionInfo| Kind::ALL.iter().filter(|kind| row.applies_to(**kind)).count();
    let is_of_some = |row: &&OptionInfo| (1..Kind::ALL.len()).contains(&number_of_kinds(row));
    let mut of_table: Vec<_> = rows().filter(is_of_some).map(|row| row.name).collect();
    of_table.sort_unstable();
    assert_eq!(attempts.iter().map(|attempt| attempt.0).collect::<Vec<_>>(), of_table);

    let kinds = kinds();
    for (name, attempt) in attempts {
        let context = common::context();
        let row = rows().find(|row| row.name == name).unwrap();
        for &kind in &kinds {
            let socket = context.socket(kind).unwrap();
            if row.applies_to(kind) {
                if name.ends_with("SUBSCRIBE") && kind == Kind::XPub {
                    socket.set_xpub_manual(true).unwrap();
                }
                let outcome = attempt(&socket);
                if row.is_available() {
                    outcome.unwrap_or_else(|error| panic!("{name} on {kind}: {error}"));
                } else {
                    outcome.expect_err(name);
                }
            } else {
                let error = attempt(&socket).expect_err(name);
                assert_eq!((error.errno(), error.call()), (Errno::EINVAL, name), "{kind}: {error}");
                assert!(error.detail().unwrap_or_default().contains(kind.c_name()), "{error}");
            }
        }
    }
}

/// Checks the error of a value that is out of range: it must name the option and show the value.
#[track_caller]
fn out_of_range(outcome: zmq::Result<()>, name: &str, shown: &str) {
    let error = outcome.expect_err(name);
    assert_eq!((error.errno(), error.call()), (Errno::EINVAL, name), "{error}");
    let text = error.to_string();
    assert!(text.contains(name) && text.contains(shown), "{text:?} does not show {shown:?}");
}

#[deadline::test]
fn numbers_out_of_range_are_named() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    let above = i32::MAX as u32 + 1;
    let shown = above.to_string();
    out_of_range(socket.set_sndhwm(above), "ZMQ_SNDHWM", &shown);
    out_of_range(socket.set_rcvhwm(above), "ZMQ_RCVHWM", &shown);
    out_of_range(socket.set_rcvhwm(u32::MAX), "ZMQ_RCVHWM", "4294967295");
    out_of_range(socket.set_backlog(above), "ZMQ_BACKLOG", &shown);
    out_of_range(socket.set_sndbuf(Some(above)), "ZMQ_SNDBUF", &shown);
    out_of_range(socket.set_rcvbuf(Some(above)), "ZMQ_RCVBUF", &shown);
    out_of_range(socket.set_tcp_keepalive_cnt(Some(0)), "ZMQ_TCP_KEEPALIVE_CNT", "0 is not in 1..=");
    out_of_range(socket.set_tcp_keepalive_cnt(Some(above)), "ZMQ_TCP_KEEPALIVE_CNT", &shown);
    out_of_range(socket.set_rate(0), "ZMQ_RATE", "0 is not in 1..");
    out_of_range(socket.set_rate(2_147_484), "ZMQ_RATE", "2147484");
    out_of_range(socket.set_sndhwm(1 << 30), "ZMQ_SNDHWM", "1073741824 is not in 0..=1073741823");
    out_of_range(socket.set_rcvhwm(1 << 30), "ZMQ_RCVHWM", "1073741824 is not in 0..=1073741823");
    out_of_range(socket.set_multicast_hops(0), "ZMQ_MULTICAST_HOPS", "0 is not in 1..");
    out_of_range(socket.set_multicast_maxtpdu(0), "ZMQ_MULTICAST_MAXTPDU", "0 is not in 1..");
    out_of_range(socket.set_maxmsgsize(Some(1 << 63)), "ZMQ_MAXMSGSIZE", "9223372036854775808");
    socket.set_maxmsgsize(Some(i64::MAX as u64)).unwrap();
    socket.set_rate(1).unwrap();
    assert_eq!((socket.sndhwm().unwrap(), socket.rate().unwrap()), (1000, 1), "a refused value changes nothing");
}

#[deadline::test]
fn durations_out_of_range_are_named() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    let month = Duration::from_secs(30 * 24 * 3600);
    out_of_range(socket.set_linger(Some(month)), "ZMQ_LINGER", "2592000s");
    out_of_range(socket.set_rcvtimeo(Some(Duration::MAX)), "ZMQ_RCVTIMEO", "18446744073709551615.999999999s");
    out_of_range(socket.set_sndtimeo(Some(month)), "ZMQ_SNDTIMEO", "2592000s");
    out_of_range(socket.set_reconnect_ivl(Some(month)), "ZMQ_RECONNECT_IVL", "2592000s");
    out_of_range(socket.set_reconnect_ivl_max(Some(month)), "ZMQ_RECONNECT_IVL_MAX", "2592000s");
    out_of_range(socket.set_recovery_ivl(month), "ZMQ_RECOVERY_IVL", "2592000s");
    out_of_range(socket.set_handshake_ivl(Some(month)), "ZMQ_HANDSHAKE_IVL", "2592000s");
    out_of_range(socket.set_heartbeat_ivl(Some(month)), "ZMQ_HEARTBEAT_IVL", "2592000s");
    out_of_range(socket.set_heartbeat_timeout(Some(month)), "ZMQ_HEARTBEAT_TIMEOUT", "2592000s");
    // A libzmq peer misreads a TTL of more than 65.5 s.
    for above in [65_501, 66_000, 6_553_600, u64::MAX] {
        let shown = format!("{:?} is not in 0..=65.5s", Duration::from_millis(above));
        out_of_range(socket.set_heartbeat_ttl(Duration::from_millis(above)), "ZMQ_HEARTBEAT_TTL", &shown);
    }
    out_of_range(socket.set_connect_timeout(Some(month)), "ZMQ_CONNECT_TIMEOUT", "2592000s");
    out_of_range(socket.set_tcp_maxrt(Some(month)), "ZMQ_TCP_MAXRT", "2592000s");
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    out_of_range(socket.set_tcp_keepalive_idle(Some(century)), "ZMQ_TCP_KEEPALIVE_IDLE", "3153600000s");
    out_of_range(socket.set_tcp_keepalive_idle(Some(Duration::ZERO)), "ZMQ_TCP_KEEPALIVE_IDLE", "0ns is not in 1s..=");
    out_of_range(socket.set_tcp_keepalive_intvl(Some(century)), "ZMQ_TCP_KEEPALIVE_INTVL", "3153600000s");

    // The largest value that fits, and values between two units.
    socket.set_linger(Some(Duration::from_millis(i32::MAX as u64))).unwrap();
    assert_eq!(socket.linger().unwrap(), Some(Duration::from_millis(i32::MAX as u64)));
    for (set, is) in
        [(0, 0), (1, 100), (99, 100), (100, 100), (101, 200), (150, 200), (65_401, 65_500), (65_500, 65_500)]
    {
        socket.set_heartbeat_ttl(Duration::from_millis(set)).unwrap();
        assert_eq!(socket.heartbeat_ttl().unwrap(), Duration::from_millis(is), "a part of 100 ms is rounded up");
    }
    socket.set_rcvtimeo(Some(Duration::from_nanos(1))).unwrap();
    assert_eq!(socket.rcvtimeo().unwrap(), Some(Duration::from_millis(1)), "a wait is never cut short");
    socket.set_heartbeat_timeout(Some(Duration::from_secs(1))).unwrap();
    let back = socket.set_heartbeat_timeout(None).expect_err("it cannot be set back");
    assert_eq!((back.errno(), back.call()), (Errno::EINVAL, "ZMQ_HEARTBEAT_TIMEOUT"));
}

#[deadline::test]
fn texts_out_of_range_are_named_and_never_shown() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    let texts: [(&str, Attempt, Attempt, Attempt); 5] = [
        (
            "ZMQ_PLAIN_USERNAME",
            |s| s.set_plain_username("k".repeat(256).as_str()),
            |s| s.set_plain_username(Some("")),
            |s| s.set_plain_username(Some("hush\0hush")),
        ),
        (
            "ZMQ_PLAIN_PASSWORD",
            |s| s.set_plain_password("k".repeat(256).as_str()),
            |s| s.set_plain_password(Some("")),
            |s| s.set_plain_password(Some("hush\0hush")),
        ),
        (
            "ZMQ_ZAP_DOMAIN",
            |s| s.set_zap_domain(&"k".repeat(256)),
            |s| s.set_zap_domain(""),
            |s| s.set_zap_domain("hush\0hush"),
        ),
        (
            "ZMQ_SOCKS_PROXY",
            |s| s.set_socks_proxy("k".repeat(5000).as_str()),
            |s| s.set_socks_proxy(Some("")),
            |s| s.set_socks_proxy(Some("hush\0hush")),
        ),
        (
            "ZMQ_BINDTODEVICE",
            |s| s.set_bindtodevice("k".repeat(16).as_str()),
            |s| s.set_bindtodevice(Some("")),
            |s| s.set_bindtodevice(Some("hush\0hush")),
        ),
    ];
    for (name, too_long, empty, with_nul) in texts {
        for attempt in [too_long, empty, with_nul] {
            let error = attempt(&socket).expect_err(name);
            assert_eq!((error.errno(), error.call()), (Errno::EINVAL, name), "{error}");
            let text = format!("{error} {error:?}");
            assert!(!text.contains("kkk") && !text.contains("hush"), "{text}");
        }
        assert!(too_long(&socket).unwrap_err().to_string().contains("bytes is not in 1..="));
        assert!(with_nul(&socket).unwrap_err().to_string().contains("NUL"));
    }
    assert_eq!(socket.plain_password().unwrap(), None, "a refused value changes nothing");
    assert_eq!(socket.mechanism().unwrap(), sockopt::Mechanism::Null);

    // A shut-down context refuses a valid password. The error does not show its text either.
    context.shutdown().unwrap();
    assert_eq!(socket.events().unwrap_err().errno(), Errno::ETERM, "the socket knows of the shutdown");
    let error = socket.set_plain_password(Some("hush")).unwrap_err();
    assert_eq!(error.errno(), Errno::ETERM);
    assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
}

#[deadline::test]
fn routing_ids_have_1_to_255_bytes() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    out_of_range(socket.set_routing_id(""), "ZMQ_ROUTING_ID", "a length of 0");
    out_of_range(socket.set_routing_id([b'a'; 256]), "ZMQ_ROUTING_ID", "a length of 256");
    socket.set_routing_id([0xff; 255]).unwrap();
    assert_eq!(socket.routing_id().unwrap(), [0xff; 255]);
    // A ROUTER makes up ids of this form. libzmq aborts if it makes up one that a peer has announced.
    out_of_range(socket.set_routing_id([0, 1, 2, 3, 4]), "ZMQ_ROUTING_ID", "\\x00\\x01");
    assert_eq!(socket.routing_id().unwrap(), [0xff; 255]);
    for id in [&[0][..], &[0, 1, 2, 3], &[0, 1, 2, 3, 4, 5]] {
        socket.set_routing_id(id).unwrap();
        assert_eq!(socket.routing_id().unwrap(), id, "a ROUTER makes only ids of 5 bytes");
    }
}

#[deadline::test]
fn subscription_has_8192_bytes_at_most() {
    let context = Context::new().unwrap();
    let (fits, long) = (vec![b'a'; 8192], vec![b'a'; 8193]);
    let subscriber = context.socket(zmq::Sub).unwrap();
    subscriber.subscribe(&fits).unwrap();
    out_of_range(subscriber.subscribe(&long), "ZMQ_SUBSCRIBE", "a length of 8193");
    out_of_range(subscriber.unsubscribe(&long), "ZMQ_UNSUBSCRIBE", "a length of 8193");
    subscriber.unsubscribe(&fits).unwrap();

    let subscriber = context.socket(zmq::XSub).unwrap();
    for first in [1, 0] {
        subscriber.send([&[first], fits.as_slice()].concat()).unwrap();
        let long = [&[first], long.as_slice()].concat();
        for outcome in [subscriber.send(&long[..]), subscriber.now().send(&long[..]).map(drop)] {
            let failed = outcome.unwrap_err();
            assert_eq!(failed.error().errno(), Errno::EMSGSIZE);
            assert_eq!(failed.into_message().len(), long.len(), "the message comes back");
        }
        let failed = subscriber.within(Duration::from_secs(1)).send_multipart([&long[..]]).unwrap_err();
        assert_eq!(failed.error().errno(), Errno::EMSGSIZE);
    }
    // A message that is no subscription may have any length.
    subscriber.send([&[2], long.as_slice()].concat()).unwrap();
}

#[deadline::test]
fn options_that_libzmq_cannot_reset_stay_set() {
    let context = Context::new().unwrap();
    let router = context.socket(zmq::Router).unwrap();
    router.set_router_raw(false).unwrap();
    router.set_probe_router(true).unwrap();
    out_of_range(router.set_router_raw(true), "ZMQ_ROUTER_RAW", "true: ZMQ_PROBE_ROUTER is on");
    router.set_probe_router(false).unwrap();
    router.set_router_raw(true).unwrap();
    router.set_router_raw(true).unwrap();
    out_of_range(router.set_router_raw(false), "ZMQ_ROUTER_RAW", "false: it cannot be switched off again");
    out_of_range(router.set_probe_router(true), "ZMQ_PROBE_ROUTER", "true: ZMQ_ROUTER_RAW is on");
    router.set_probe_router(false).unwrap();

    let publisher = context.socket(zmq::XPub).unwrap();
    publisher.set_xpub_manual(false).unwrap();
    publisher.set_xpub_manual(true).unwrap();
    out_of_range(publisher.set_xpub_manual(false), "ZMQ_XPUB_MANUAL", "false: it cannot be switched off again");
    #[cfg(feature = "draft")]
    {
        let name = "ZMQ_XPUB_MANUAL_LAST_VALUE";
        out_of_range(publisher.set_xpub_manual_last_value(false), name, "false: it cannot be switched off again");
        publisher.set_xpub_manual_last_value(true).unwrap();
    }
}

#[deadline::test]
fn invalid_tcp_accept_filters_are_refused() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    for text in ["localhost", "127.0.0.1/33", "127.0.0.1/x", "999.0.0.1", "127.0.0.1\0", &"k".repeat(255)] {
        let error = socket.set_option("ZMQ_TCP_ACCEPT_FILTER", text).expect_err(text);
        assert_eq!(error.call(), "ZMQ_TCP_ACCEPT_FILTER", "{error}");
    }
}

#[deadline::test]
fn options_name_the_capability_that_libzmq_was_built_without() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    let tries: [(&str, &str, Attempt); 3] = [
        ("curve", "ZMQ_CURVE_SERVER", |socket| socket.set_curve_server(true)),
        ("gssapi", "ZMQ_GSSAPI_SERVER", |socket| socket.set_gssapi_server(true)),
        ("vmci", "ZMQ_VMCI_BUFFER_SIZE", |socket| socket.set_option("ZMQ_VMCI_BUFFER_SIZE", 65536)),
    ];
    for (capability, name, attempt) in tries {
        let outcome = attempt(&socket);
        if zmq::has(capability) {
            outcome.unwrap();
        } else {
            out_of_range(outcome, name, &format!("built without {capability}"));
        }
    }
    #[cfg(feature = "draft")]
    if !zmq::has("norm") {
        out_of_range(socket.set_option("ZMQ_NORM_PUSH", true), "ZMQ_NORM_PUSH", "built without norm");
    }
}

#[cfg(feature = "draft")]
#[deadline::test]
fn draft_values_out_of_range_are_named() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    out_of_range(socket.set_in_batch_size(63), "ZMQ_IN_BATCH_SIZE", "63 is not in 64..");
    out_of_range(socket.set_out_batch_size(0), "ZMQ_OUT_BATCH_SIZE", "0 is not in 1..");
    out_of_range(socket.set_out_batch_size(u32::MAX), "ZMQ_OUT_BATCH_SIZE", "4294967295");
    out_of_range(socket.set_socks_username("k".repeat(256).as_str()), "ZMQ_SOCKS_USERNAME", "256 bytes");
    out_of_range(socket.set_priority(u32::MAX), "ZMQ_PRIORITY", "4294967295");
    let error = socket.set_socks_password(Some("hush\0hush")).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
    for (name, value) in
        [("Name", "value"), ("X-", "value"), ("X-a:b", "value"), ("X-name", ""), ("X-a", ""), ("X-n\0", "v")]
    {
        let error = socket.set_metadata(name, value).expect_err(name);
        assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "ZMQ_METADATA"), "{error}");
    }
    let long = format!("X-{}", "n".repeat(254));
    assert!(socket.set_metadata(&long, "value").is_err(), "256 bytes");
    socket.set_metadata(&long[..255], "value").unwrap();
}

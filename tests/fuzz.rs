//! Endpoints and frames of every shape, in child processes. libzmq aborts over input that it does not expect, and no input of
//! safe code may cause that. A call may fail or succeed. A signal may not end the process.

mod common;

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, Process, alone, kinds, opens, role, send_part, skip_part_unless_patched};
#[cfg(feature = "draft")]
use zmq::Message;
use zmq::{Context, Kind, Multipart, Socket};

/// Runs the named test once for each role in a process of its own, and expects success of all.
fn in_children(test: &str, roles: &[String]) {
    let next = AtomicUsize::new(0);
    let run_each = || {
        while let Some(role) = roles.get(next.fetch_add(1, Ordering::Relaxed)) {
            // A name server that does not answer costs each lookup a second, instead of ten.
            let mut child = Process::spawn(alone(test, role).env("RES_OPTIONS", "timeout:1 attempts:1"));
            let lines = child.rest();
            let status = child.wait();
            let last = lines.iter().rev().find(|line| line.starts_with("case ")).map_or("", String::as_str);
            assert_eq!(status.signal(), None, "{role} died: {last}");
            assert!(status.success(), "{role}: {status}: {last}");
        }
    };
    // The children wait most of the time.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(run_each);
        }
    });
}

/// Prints the next case, so that the parent can name it if this process dies.
fn case(text: std::fmt::Arguments<'_>) {
    println!("case {text}");
    std::io::stdout().flush().unwrap();
}

fn kind_of(role: &str) -> Kind {
    *Kind::ALL.iter().find(|kind| kind.c_name() == role).unwrap()
}

/// Addresses that are valid for some transport, for none, or nearly valid.
fn addresses(listening: u16) -> Vec<String> {
    let long = |len| "a".repeat(len);
    // A port that is taken, so no other program can listen there.
    let port = listening.to_string();
    let mut all: Vec<String> = [
        "*",
        "*:*",
        "*:0",
        "*:P",
        ":",
        "::",
        ":::",
        ":P",
        "1",
        "0",
        "-1",
        "*:-1",
        "*:+1",
        "*:1e3",
        "*:0x10",
        "*: 1",
        " ",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:*",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:4294967297",
        "127.1:*",
        "0:*",
        "256.1.1.1:*",
        "1.2.3:P",
        "1.2.3.4.5:P",
        "127.0.0.1:P:2",
        "127.0.0.1:P/",
        "127.0.0.1:*/path",
        "127.0.0.1/8:P",
        "[",
        "]",
        "[]",
        "[]:P",
        "[::1",
        "[::1]",
        "[::1]:*",
        "[::1]:P",
        "[::1%lo]:*",
        "[::1%]:*",
        "[::1%999999]:*",
        "[::ffff:127.0.0.1]:*",
        "[:::::::::]:P",
        "::1:*",
        "lo",
        "lo:*",
        "lo:",
        "%lo:*",
        "nosuchdev:*",
        ";",
        ";;",
        ";1",
        "1;",
        "127.0.0.1:*;127.0.0.1:P",
        "*:*;127.0.0.1:P",
        "lo:0;127.0.0.1:P",
        ";127.0.0.1:P",
        "127.0.0.1:P;",
        "127.0.0.1:0;127.0.0.1:P;127.0.0.1:2",
        "[::1]:0;127.0.0.1:P",
        "nosuchdev:0;127.0.0.1:P",
        "239.1.1.1:P",
        "lo;239.1.1.1:P",
        "127.0.0.1;239.1.1.1:P",
        "lo;127.0.0.1:P",
        "255.255.255.255:P",
        "@",
        "@abstract",
        "@/",
        "/",
        "//",
        "///",
        ".",
        "..",
        "./.",
        "/dev/null",
        "/dev",
        "/proc/self/mem",
        "/nowhere/at/all",
        "relative/path/that/is/not/there",
        "~",
        "$HOME",
        "{",
        "}",
        "{}",
        "{1}",
        "{1,}",
        "{1,2}",
        "{1,2,3}",
        "{-1,0,4294967296}",
        "{1,2,3,4}",
        "{1,2}@1.2.3",
        "{1,2}@999.999.999",
        "{5560,0,4294967295}",
        "{a,b,c}",
        "<",
        "<>",
        "<*>",
        "<1.2.3:4>",
        "<1.1.1:4294967295>",
        "<999.999.999:1>",
        "<*",
        "-1:-1",
        "@:P",
        "@:*",
        "*:*:*",
        "1,lo;239.1.1.1:P",
        "1,2,3;4,5;6:7",
        "lo;239.1.1.1,239.1.1.2;127.0.0.1:P",
        "http://127.0.0.1",
        "\u{7f}",
        "\t:P",
        "\n",
        "ü:P",
        "日本:*",
        "%s%s%s%n:P",
        "%:P",
        "127.0.0.1:%s",
        "'; --",
        "\\",
        "a b:P",
        "127.0.0.1:P ",
        " 127.0.0.1:P",
        "127.0.0.1:P\n",
        "zeromq.zap.01",
        "x",
        "x/y/z",
        "x:y",
    ]
    .map(|address| address.replace('P', &port))
    .into();
    for len in [15, 16, 17, 106, 107, 108, 109, 254, 255, 256, 257, 1024, 5000, 70_000] {
        all.push(long(len));
        all.push(format!("{}:{port}", long(len)));
        all.push(format!("127.0.0.1:{}", "1".repeat(len)));
        all.push(format!("127.0.0.1:*/{}", long(len)));
        all.push(format!("@{}", long(len)));
        all.push(format!("/tmp/{}", long(len)));
        all.push(format!("[{}]:{port}", long(len)));
        all.push(format!("::1%{}:{port}", long(len)));
        all.push(format!("{};127.0.0.1:{port}", long(len)));
    }
    // A socket listens at this port: some faults show only after the connection is made.
    for path in ["", "/", "/path", "/a/b", "/a:b", "//", "/ ", "/\r\nHost: x", "/%00"] {
        all.push(format!("127.0.0.1:{listening}{path}"));
    }
    for len in [250, 4000, 8000, 9000, 100_000] {
        all.push(format!("127.0.0.1:{listening}/{}", long(len)));
        all.push(format!("127.0.0.1:{listening}{}", long(len)));
    }
    all.push(format!("127.0.0.1:0;127.0.0.1:{listening}"));
    all.push(format!("{}127.0.0.1:{listening}", "0".repeat(100)));
    all
}

const TRANSPORTS: [&str; 17] = [
    "tcp", "ipc", "inproc", "ws", "wss", "udp", "tipc", "pgm", "epgm", "norm", "vmci", "hyperv", "TCP", "Inproc", "",
    "://", "x",
];

#[test]
fn no_endpoint_brings_the_process_down() {
    let Some(role) = role() else {
        let roles: Vec<String> = kinds().iter().map(Kind::to_string).collect();
        return in_children("no_endpoint_brings_the_process_down", &roles);
    };
    let kind = kind_of(&role);
    // The listener takes connections and never sends a byte.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = addresses(listener.local_addr().unwrap().port());
    let directory = std::env::temp_dir().join(format!("zmq-fuzz-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    // Relative ipc paths end up here.
    std::env::set_current_dir(&directory).unwrap();
    for transport in TRANSPORTS {
        // NORM binds in the background, and libzmq aborts if that fails, as for a port that is taken.
        if transport == "norm" && zmq::has("norm") {
            continue;
        }
        // Each transport has its own context, whose end must clear away all that the calls have left.
        let context = Context::new().unwrap();
        context.set_blocky(false).unwrap();
        context.set_max_sockets(8000).unwrap();
        for address in &addresses {
            let endpoint = format!("{transport}://{address}");
            if (transport == "ws" || transport == "udp") && asks_for_names(address) {
                continue;
            }
            let shown: String = endpoint.chars().take(80).collect();
            case(format_args!("{kind} {shown} ({} bytes)", endpoint.len()));
            let socket = context.socket(kind).unwrap();
            socket.set_ipv6(address.contains('[')).unwrap();
            let bound = socket.bind(&endpoint);
            let connected = socket.connect(&endpoint);
            let _ = socket.now().send("x");
            let _ = socket.now().recv_msg();
            if let Ok(bound) = &bound {
                let _ = socket.unbind(bound);
            }
            for _ in 0..2 {
                let _ = socket.unbind(&endpoint);
                let _ = socket.disconnect(&endpoint);
            }
            #[cfg(feature = "draft")]
            {
                // For DGRAM: a valid datagram, and one that is too long.
                let _ = socket.now().send_multipart(["127.0.0.1:9", "x"]);
                let _ = socket.now().send_multipart([Message::from("127.0.0.1:9"), vec![0; 70_000].into()]);
                let mut message = Message::from("x");
                message.set_group("group").unwrap();
                let _ = socket.now().send(message);
                let _ = socket.connect_peer(&endpoint);
            }
            for error in [bound.err(), connected.err()].into_iter().flatten() {
                assert!(error.detail().is_some(), "{error}");
            }
            if kind == Kind::Router || kind == Kind::Stream {
                let named = context.socket(kind).unwrap();
                let _ = named.connect_with_routing_id("id", &endpoint);
                let _ = named.now().send_multipart(["id", "x"]);
            }
        }
        // Connections are made in the background meanwhile.
        let socket = context.socket(kind).unwrap();
        let _ = socket.within(Duration::from_millis(50)).recv_msg();
        drop(socket);
        context.terminate(DEADLINE).unwrap();
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Whether connecting over WebSockets or udp would ask a name server, which may be slow.
fn asks_for_names(address: &str) -> bool {
    !address.starts_with(|first: char| first.is_ascii_digit() || "[*:;@/".contains(first))
}

/// Messages of every shape: lone and empty frames, huge and odd ids, broken envelopes, subscriptions.
fn shapes() -> Vec<Vec<Vec<u8>>> {
    let frames = |frames: &[&[u8]]| frames.iter().map(|frame| frame.to_vec()).collect::<Vec<_>>();
    let mut all = vec![
        frames(&[b""]),
        frames(&[b"\0"]),
        frames(&[b"\x01"]),
        frames(&[b"\xff"]),
        frames(&[b"\0\0"]),
        frames(&[b"\x01\0"]),
        frames(&[b"\x01A"]),
        frames(&[b"\0A"]),
        frames(&[b"A"]),
        frames(&[b"", b""]),
        frames(&[b"", b"", b""]),
        frames(&[b"", b"body"]),
        frames(&[b"id", b"body"]),
        frames(&[b"id", b"", b"body"]),
        frames(&[b"\0\x01\x02\x03\x04", b"", b"body"]),
        frames(&[b"\0\0\0\0\x01", b"raw"]),
        frames(&[b"\0\0\0\0\x01", b""]),
        frames(&[b"\x01", b"\x01", b"\0", b"\0"]),
        frames(&[b"x", b"\x01B", b"\0B"]),
        frames(&[b"\x01C", b"x"]),
        frames(&[&[0; 255], b"x"]),
        frames(&[&[7; 256], b"x"]),
        frames(&[&[0; 33]]),
        frames(&[&[0; 34]]),
        frames(&[b"READY"]),
        frames(&[b"\x05READY"]),
        frames(&[b"\x09SUBSCRIBE"]),
        frames(&[b"\x04PING\0\0"]),
    ];
    let large = [b'x'; 100_000];
    all.push(frames(&[&large]));
    all.push(frames(&[&large, &large]));
    all.push(frames(&[b"", &large]));
    all.push((0..200).map(|part| vec![part]).collect());
    all.push(vec![vec![]; 200]);
    all.push(vec![[vec![0], vec![b'y'; 3000]].concat()]);
    all.push(vec![[vec![1], vec![b'y'; 3000]].concat()]);
    all
}

/// Options that change how frames are handled, as names.
const MODES: [&str; 15] = [
    "plain",
    "name first",
    "mandatory",
    "raw",
    "raw off again",
    "probe",
    "relaxed",
    "verboser",
    "manual",
    "nodrop",
    "conflate",
    "handover",
    "no notify",
    "hello",
    "goodbye",
];

/// Sets an option. Returns whether the kind has it.
fn set_mode(socket: &Socket<'_>, mode: &str) -> bool {
    let set = match mode {
        "mandatory" => socket.set_router_mandatory(true),
        "raw" => socket.set_router_raw(true),
        "raw off again" => socket.set_router_raw(true).and_then(|()| socket.set_router_raw(false)),
        "probe" => socket.set_probe_router(true),
        "relaxed" => socket.set_req_relaxed(true).and_then(|()| socket.set_req_correlate(true)),
        "verboser" => socket.set_xpub_verboser(true),
        "manual" => socket.set_xpub_manual(true),
        "nodrop" => socket.set_xpub_nodrop(true),
        "conflate" => socket.set_conflate(true),
        "handover" => socket.set_router_handover(true).and_then(|()| socket.set_routing_id("same")),
        "no notify" => socket.set_stream_notify(false),
        #[cfg(feature = "draft")]
        "hello" => socket.set_hello_msg("hello"),
        #[cfg(feature = "draft")]
        "goodbye" => socket.set_disconnect_msg("gone").or(socket.set_hiccup_msg("broken")),
        #[cfg(not(feature = "draft"))]
        "hello" | "goodbye" => return false,
        _ => return true,
    };
    set.is_ok()
}

/// Receives all parts that are there, at most 400. Sends them back if `answer` is true.
fn drain(socket: &Socket<'_>, answer: bool) {
    for _ in 0..400 {
        match socket.now().recv_msg() {
            Ok(Some(message)) => {
                let more = message.more();
                if answer {
                    let _ = send_part(socket, message, more);
                }
            }
            Ok(None) | Err(_) => return,
        }
    }
}

/// The calls of draft kinds: groups of all lengths, groups that both have joined, and routing ids that no peer has.
#[cfg(feature = "draft")]
fn talk_in_groups(left: &Socket<'_>, right: &Socket<'_>) {
    for len in [0, 1, 14, 15, 254, 255, 256, 1000] {
        let group = "g".repeat(len);
        for socket in [left, right] {
            let _ = socket.join(&group);
            let _ = socket.join(&group);
            for size in [0, 33, 34, 9000] {
                let mut message = Message::from(vec![b'x'; size]);
                let _ = message.set_group(&group);
                let _ = message.set_routing_id(std::num::NonZeroU32::new(len as u32 + 1).unwrap());
                let copy = message.clone();
                let _ = socket.now().send(message);
                let _ = socket.now().send(copy);
            }
        }
        drain(left, true);
        drain(right, false);
        for socket in [left, right] {
            if len % 2 == 0 {
                let _ = socket.leave(&group);
            }
            let _ = socket.leave("never");
            let _ = socket.peer_state(&group);
        }
    }
}

/// Everything that one side can do with its frames.
fn talk(left: &Socket<'_>, right: &Socket<'_>) {
    #[cfg(feature = "draft")]
    talk_in_groups(left, right);
    for (index, shape) in shapes().into_iter().enumerate() {
        for socket in [left, right] {
            let _ = socket.now().send_multipart(Multipart::from(shape.clone()));
            for (place, part) in shape.iter().enumerate() {
                // Some messages lack their end, and the next message ends them.
                let more = place + 1 < shape.len() || index % 5 == 0;
                let _ = send_part(socket, part.clone(), more);
            }
        }
        drain(left, index % 2 == 0);
        drain(right, index % 3 == 0);
        if index % 4 == 0 {
            let _ = left.subscribe("");
            let _ = right.subscribe("A");
            let _ = left.unsubscribe("never");
            let _ = right.within(Duration::from_millis(1)).recv_msg();
        }
        for socket in [left, right] {
            // The first part can be the id to answer to.
            if let Ok(Some(id)) = socket.now().recv_msg() {
                let _ = socket.now().send_multipart([id.clone(), "answer".into()]);
                let _ = socket.now().send_multipart([id.clone(), "".into(), "answer".into()]);
                let _ = socket.now().send_multipart([id, "".into()]);
            }
        }
    }
}

/// Two sockets of any two kinds, which need not be compatible, over one transport.
fn meet(context: &Context, endpoint: &str, kinds: (Kind, Kind), mode: &str) {
    let (left, right) = (context.socket(kinds.0).unwrap(), context.socket(kinds.1).unwrap());
    let applies = [&left, &right].map(|socket| set_mode(socket, mode));
    if applies == [false, false] {
        return;
    }
    // Over inproc, the connect may come before the bind.
    let early = mode == "name first" && right.connect(endpoint).is_ok();
    let Ok(bound) = left.bind(endpoint) else { return };
    if !early && right.connect(&bound).is_err() {
        return;
    }
    // The sockets may be connected now, or never. All following calls must work in both cases.
    let _ = right.within(Duration::from_millis(5)).recv_msg();
    talk(&left, &right);
    // Options change while the sockets are connected.
    for late in MODES {
        let _ = set_mode(&left, late);
    }
    let _ = left.now().send_multipart(["late", "late"]);
    let _ = right.now().send_multipart(["late", "late"]);
    drain(&left, true);
    drain(&right, true);
    // The connection ends in the middle of a message.
    for part in ["one", "two", "three"] {
        let _ = left.now().send_more(part);
    }
    let _ = left.now().send("four");
    let _ = right.now().recv_msg();
    let _ = right.disconnect(&bound);
    let _ = left.unbind(&bound);
    talk(&left, &right);
    drain(&right, false);
    let _ = right.disconnect(&bound);
    talk(&left, &right);
}

#[test]
fn no_frames_bring_the_process_down() {
    let Some(role) = role() else {
        // libzmq aborts if a connection ends in the middle of a message (its issue 3442).
        let skips = skip_part_unless_patched("messages over tcp and ws", &[17]);
        let transports: &[&str] = if skips { &["inproc"] } else { &["inproc", "tcp", "ws"] };
        let of = |kind| transports.iter().map(move |transport| format!("{kind} {transport}"));
        let roles: Vec<String> = kinds().into_iter().flat_map(of).collect();
        return in_children("no_frames_bring_the_process_down", &roles);
    };
    let (kind, transport) = role.split_once(' ').unwrap();
    let first = kind_of(kind);
    for &second in Kind::ALL.iter().filter(|kind| opens(**kind)) {
        let context = common::context();
        for (number, mode) in MODES.iter().enumerate() {
            case(format_args!("{first} {second} over {transport}, {mode}"));
            let endpoint = match transport {
                "inproc" => format!("inproc://{number}"),
                _ => format!("{transport}://127.0.0.1:*"),
            };
            meet(&context, &endpoint, (first, second), mode);
        }
        context.terminate(DEADLINE).unwrap();
    }
}

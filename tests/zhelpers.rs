//! The guide's helpers: their output, which only another process can read, and the faults of their C versions.

mod common;

use std::process::{Command, Output};

use common::{DEADLINE, pair};
use zmq::zhelpers::{
    s_catch_signals, s_clock, s_dump, s_interrupted, s_recv, s_send, s_sendmore, s_set_id, s_sleep, s_version,
    s_version_assert,
};
use zmq::{Context, Dealer, Errno, Rep, Req, Router};

/// The environment variable that is set in the child of a test.
const ROLE: &str = "SAFE_ZMQ_ROLE";
/// A child prints these before and after the output that is checked. The test harness prints around them.
const BEGIN: &str = "<<<begin\n";
const END: &str = "end>>>\n";

/// Runs `print` in a child process, which runs only this test of this program. Returns the child's output, and `None` in the
/// child.
fn printed(test: &str, environment: &[(&str, &str)], print: impl FnOnce()) -> Option<(Output, String)> {
    if std::env::var_os(ROLE).is_some() {
        use std::io::Write;
        // A hung child aborts, and the test that waits for it fails.
        std::thread::spawn(|| {
            std::thread::sleep(DEADLINE);
            eprintln!("hung: not done within {DEADLINE:?}");
            std::process::abort();
        });
        let mut output = std::io::stdout();
        write!(output, "\n{BEGIN}").unwrap();
        print();
        write!(output, "{END}").unwrap();
        return None;
    }
    let output = common::this_program()
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ROLE, "")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let (_, printed) = text.split_once(BEGIN).unwrap();
    let printed = printed.split(END).next().unwrap().to_owned();
    Some((output, printed))
}

#[deadline::test]
fn s_dump_prints_the_format_of_the_guide() {
    let frames: [&[u8]; 8] =
        [b"", b"text", b"\x7f", b"~ !", b"\ttab he", "\u{4e2d}".as_bytes(), &[0, 1, 2, 3, 4], &[b'x'; 1001]];
    let outcome = printed("s_dump_prints_the_format_of_the_guide", &[], || {
        let context = Context::new().unwrap();
        let (left, right) = pair(&context, "inproc://pair");
        left.send_multipart(Vec::from(frames)).unwrap();
        left.send(" ").unwrap();
        s_dump(&right).unwrap();
        s_dump(&right).unwrap();
    });
    let Some((output, printed)) = outcome else { return };
    assert!(output.status.success());
    let dashes = "-".repeat(40);
    let long = "x".repeat(1001);
    assert_eq!(
        printed,
        format!(
            "{dashes}\n[000] \n[004] text\n[001] 7F\n[003] ~ !\n[007] 09746162206865\n[003] E4B8AD\n\
             [005] 0001020304\n[1001] {long}\n{dashes}\n[001]  \n"
        )
    );
}

#[deadline::test]
fn s_dump_keeps_an_empty_last_frame() {
    let outcome = printed("s_dump_keeps_an_empty_last_frame", &[], || {
        let context = Context::new().unwrap();
        let (left, right) = pair(&context, "inproc://pair");
        left.send_multipart(["address", "", ""]).unwrap();
        s_dump(&right).unwrap();
    });
    let Some((_, printed)) = outcome else { return };
    assert_eq!(printed, format!("{}\n[007] address\n[000] \n[000] \n", "-".repeat(40)));
}

#[deadline::test]
fn s_console_puts_the_local_time_before_the_text() {
    // A time zone that no machine has by accident: five and a half hours east, under a name that does not exist.
    const ZONE: (&str, &str) = ("TZ", "XYZ-5:30");
    let now = || {
        let output = Command::new("date").arg("+%y-%m-%d %H:%M:%S").env(ZONE.0, ZONE.1).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let before = now();
    let outcome = printed("s_console_puts_the_local_time_before_the_text", &[ZONE], || {
        zmq::s_console!("{} workers {}", 3, "ready");
    });
    let Some((_, printed)) = outcome else { return };
    let after = now();
    let (time, text) = printed.split_at(before.len());
    assert_eq!(text, " 3 workers ready\n");
    // The digits are in the order of their weight, so the texts compare as the times do.
    assert!(*before <= *time && *time <= *after, "{before} <= {time} <= {after}");
}

#[deadline::test]
fn s_version_prints_the_linked_version() {
    let Some((_, printed)) = printed("s_version_prints_the_linked_version", &[], s_version) else { return };
    let (major, minor, patch) = zmq::version();
    assert_eq!(printed, format!("Current 0MQ version is {major}.{minor}.{patch}\n"));
}

#[deadline::test]
fn s_version_assert_ends_the_program() {
    let outcome = printed("s_version_assert_ends_the_program", &[], || s_version_assert(99, 1));
    let Some((output, printed)) = outcome else { return };
    let (major, minor, patch) = zmq::version();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        printed,
        format!("Current 0MQ version is {major}.{minor}.{patch}\nApplication needs at least 99.1 - cannot continue\n")
    );
}

#[deadline::test]
fn s_version_assert_returns_when_libzmq_is_new_enough() {
    s_version_assert(4, 3);
    s_version_assert(3, 99);
    s_version_assert(0, 0);
}

#[deadline::test]
fn s_recv_truncates_no_text() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    for text in ["", "Hello", "a\0b", &"x".repeat(255), &"x".repeat(256), &"x".repeat(100_000)] {
        assert_eq!(s_send(&left, text).unwrap(), text.len());
        assert_eq!(s_recv(&right).unwrap(), text);
    }
    left.send(b"caf\xe9").unwrap();
    assert_eq!(s_recv(&right).unwrap(), "caf\u{fffd}");
}

#[deadline::test]
fn s_sendmore_leaves_the_message_open() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://pair");
    assert_eq!(s_sendmore(&left, "topic").unwrap(), 5);
    assert_eq!(s_sendmore(&left, "").unwrap(), 0);
    assert_eq!(s_send(&left, "news").unwrap(), 4);
    assert_eq!(right.recv_multipart().unwrap(), ["topic", "", "news"]);
}

#[deadline::test]
fn s_recv_returns_an_error_when_c_returns_null() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    server.bind("inproc://server").unwrap();
    let client = context.socket(Req).unwrap();
    client.connect("inproc://server").unwrap();
    assert_eq!(s_recv(&client).unwrap_err().errno(), Errno::EFSM);
    assert_eq!(s_dump(&client).unwrap_err().errno(), Errno::EFSM);
    let failed = s_send(&server, "nobody asked").unwrap_err();
    assert_eq!((failed.error().errno(), failed.message()), (Errno::EFSM, &"nobody asked".into()));
    context.shutdown().unwrap();
    assert_eq!(s_recv(&server).unwrap_err().errno(), Errno::ETERM);
    assert_eq!(s_sendmore(&client, "late").unwrap_err().error().errno(), Errno::ETERM);
}

#[deadline::test]
fn s_set_id_gives_printable_names() {
    let context = Context::new().unwrap();
    let server = context.socket(Router).unwrap();
    server.bind("inproc://server").unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let client = context.socket(Dealer).unwrap();
        let id = s_set_id(&client).unwrap();
        let halves: Vec<&str> = id.split('-').collect();
        assert_eq!(halves.len(), 2, "{id}");
        for half in halves {
            let is_upper_hex = |digit: char| digit.is_ascii_digit() || ('A'..='F').contains(&digit);
            assert!(half.len() == 4 && half.chars().all(is_upper_hex), "{id}");
        }
        client.connect("inproc://server").unwrap();
        client.send("Hello").unwrap();
        assert_eq!(server.recv_multipart().unwrap(), [id.as_str(), "Hello"]);
        seen.insert(id);
    }
    assert!(seen.len() > 15, "they are random: {seen:?}");
}

#[deadline::test]
fn s_clock_and_s_sleep_count_milliseconds() {
    let start = s_clock();
    assert!(start > 1_700_000_000_000, "since 1970: {start}");
    s_sleep(30);
    assert!(s_clock() - start >= 30);
}

#[deadline::test]
fn s_catch_signals_ends_a_wait() {
    let outcome = printed("s_catch_signals_ends_a_wait", &[], || {
        s_catch_signals().unwrap();
        assert!(!s_interrupted());
        let context = Context::new().unwrap();
        let socket = context.socket(Rep).unwrap();
        socket.bind("inproc://server").unwrap();
        common::signal(std::process::id(), libc::SIGINT);
        let error = s_recv(&socket).unwrap_err();
        println!("{} {}", error.errno() == Errno::EINTR, s_interrupted());
    });
    let Some((output, printed)) = outcome else { return };
    assert!(output.status.success());
    assert_eq!(printed, "true true\n");
}

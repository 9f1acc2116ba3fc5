//! The programs that show what goes wrong, with other numbers than in their headers. `forbidden` prints the messages of the
//! compiler.

mod common;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::Process;
use common::guide::{Port, example};

/// The lines of a program with these arguments, separated by blanks. It must succeed.
fn lines(name: &'static str, args: &str) -> Vec<String> {
    let args: Vec<String> = args.split(' ').filter(|arg| !arg.is_empty()).map(str::to_owned).collect();
    let process = Process::start(example(name), &args.iter().map(String::as_str).collect::<Vec<_>>());
    let lines = process.rest();
    process.succeeds();
    lines
}

#[deadline::test]
fn slowjoiner_misses_all_of_many_updates_or_none() {
    let port = Port::reserve();
    assert_eq!(
        lines("slowjoiner", &format!("--endpoint tcp://127.0.0.1:{} --updates 900", port.number())),
        [
            "Published at once: the subscriber has 0 of 900 updates",
            "Published once it had subscribed: the subscriber has 900 of 900 updates",
        ]
    );
}

/// The client waits no longer than it says, and goes on with each of the cures.
#[deadline::test]
fn lostreply_waits_for_its_timeout() {
    let port = Port::reserve();
    let start = Instant::now();
    let printed = lines("lostreply", &format!("--endpoint tcp://127.0.0.1:{} --timeout 50", port.number()));
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(printed.len(), 5);
    assert_eq!(printed[0], "A REQ: no reply to Hello 1 within 50 ms");
}

#[deadline::test]
fn hwmdrop_drops_updates_above_the_mark() {
    let printed = lines("hwmdrop", "--hwm 3 --updates 50");
    assert_eq!(
        printed[1..],
        [
            "It has 6 of them, 1 to 6, and the next that it receives is 51: nobody was told of the 44 between",
            "With NODROP, update 7 is handed back to the publisher; when the subscriber has read, it is sent",
        ]
    );
}

#[deadline::test]
fn hwmblock_blocks_the_third_task_at_a_mark_of_one() {
    let start = Instant::now();
    let printed = lines("hwmblock", "--hwm 1 --timeout 120");
    assert!(start.elapsed() >= Duration::from_millis(120));
    assert_eq!(printed[1], "A worker is there that does nothing: 2 tasks sent, \"task 3\" has to wait");
    assert_eq!(printed[4], "The worker had 3 tasks, the last was \"task 3\"");
}

#[deadline::test]
fn routerdrop_drops_messages_above_the_mark() {
    let printed = lines("routerdrop", "--hwm 1");
    assert_eq!(printed[2], "Alice has 2 of them, and what was for Bob is nowhere");
    assert_eq!(printed[4], "MANDATORY, to Alice: message 3 has to wait; handed back: [Alice] [3]");
}

/// Over a transport more messages fit between the two queues, and every message is accounted for.
#[deadline::test]
fn fault_programs_do_the_same_over_a_transport() {
    let number = |line: &str, word: usize| line.split(' ').nth(word).unwrap().parse::<u32>().unwrap();
    let printed = lines("hwmdrop", "--endpoint ipc://* --hwm 2 --updates 500 --patience 500");
    let received = number(&printed[1], 2);
    assert!((2..500).contains(&received), "{printed:?}");
    assert!(
        printed[1]
            .ends_with(&format!("the next that it receives is 501: nobody was told of the {} between", 500 - received))
    );

    let printed = lines("hwmblock", "--endpoint ipc://* --hwm 2 --timeout 500");
    let sent = number(&printed[1], 7);
    assert!(sent >= 4, "{printed:?}");
    assert_eq!(printed[4], format!("The worker had {0} tasks, the last was \"task {0}\"", sent + 1));

    let printed = lines("routerdrop", "--endpoint ipc://* --hwm 1 --messages 2000 --patience 500");
    assert!((1..2000).contains(&number(&printed[2], 2)), "{printed:?}");
    assert!(printed[4].starts_with("MANDATORY, to Alice: message "), "{printed:?}");
}

#[deadline::test]
fn fault_programs_say_in_words_what_is_wrong() {
    let output = Command::new(example("hwclient")).args(["--endpoint", "tcp://"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "Error: zmq_connect: Invalid argument (EINVAL): \"tcp://\": an endpoint is transport://address\n"
    );
}

/// A linger is the longest wait at the end. The wait ends when the message is delivered.
#[deadline::test]
fn lingerdrop_waits_until_the_message_is_delivered() {
    let port = Port::reserve();
    let start = Instant::now();
    let printed = lines("lingerdrop", &format!("--endpoint tcp://127.0.0.1:{} --linger 3600000", port.number()));
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(printed[3], "Received \"with a linger of 3600000 ms\", and nothing else");
}

/// `tests/ui.rs` compares these messages with those of the compiler.
#[deadline::test]
fn forbidden_prints_programs_and_the_compilers_messages() {
    let cases = ["socket_shared_in_scope", "socket_shared_in_arc", "context_dropped_too_early", "sub_does_not_send"];
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let mut printed = lines("forbidden", "").into_iter();
    for case in cases {
        let title = printed.next().unwrap();
        assert!(title.starts_with("=== ") && title.ends_with(" ==="), "{title}");
        let text = |extension| std::fs::read_to_string(directory.join(case).with_extension(extension)).unwrap();
        for (index, line) in text("rs").lines().enumerate() {
            assert_eq!(printed.next().unwrap(), format!("{:>4}  {line}", index + 1));
        }
        assert_eq!(printed.next().unwrap(), "--- the compiler says ---");
        for line in text("stderr").lines() {
            assert_eq!(printed.next().unwrap(), line);
        }
    }
    assert_eq!(printed.next(), None);
}

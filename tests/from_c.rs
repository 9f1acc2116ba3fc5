//! The programs of `examples/from_c`: each talks to itself, and to a program in C that does the same in C's way, on either side.
//!
//! This program contains them all. To run one, it starts itself with the program's name in the environment. So the tests need
//! no examples that Cargo has built, and run over every libzmq.

mod common;

#[path = "../examples/from_c/chat.rs"]
mod chat;
#[path = "../examples/from_c/event_loop.rs"]
mod event_loop;
#[path = "../examples/from_c/forked_worker.rs"]
mod forked_worker;
#[path = "../examples/from_c/locked_publisher.rs"]
mod locked_publisher;
#[path = "../examples/from_c/notifier.rs"]
mod notifier;
#[path = "../examples/from_c/options_file.rs"]
mod options_file;
#[path = "../examples/from_c/secure_server.rs"]
mod secure_server;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use libtest_mimic::{Arguments, Trial};
use zmq::PublicKey;
use zmq::security::Certificate;

use common::guide::{Directory, ended};
use common::{Process, c_program, lacks_curve, within_deadline};

type Main = fn() -> Result<(), Box<dyn Error>>;
/// A test of two programs that talk with each other.
type Pair = fn(Side, Side);

const PROGRAMS: [(&str, Main); 7] = [
    ("chat", chat::main),
    ("event_loop", event_loop::main),
    ("forked_worker", forked_worker::main),
    ("locked_publisher", locked_publisher::main),
    ("notifier", notifier::main),
    ("options_file", options_file::main),
    ("secure_server", secure_server::main),
];

/// The environment variable that names the program to run.
const PROGRAM: &str = "FROM_C_PROGRAM";

/// Most programs wait most of the time.
const MAX_CONCURRENT: usize = 4;

/// The language of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Rust,
    C,
}

use Side::{C, Rust};

const PAIRS: [(Side, Side); 3] = [(Rust, Rust), (Rust, C), (C, Rust)];

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(PROGRAM) {
        let (_, program) = PROGRAMS.iter().find(|(program, _)| *program == name).expect("one of the programs");
        return match program() {
            Ok(()) => ExitCode::SUCCESS,
            // Rust prints the error of a `main` in this form.
            Err(error) => {
                eprintln!("Error: {error:?}");
                ExitCode::FAILURE
            }
        };
    }

    let mut trials = vec![
        test("every_program_is_an_example_of_cargo", every_program_is_an_example_of_cargo),
        test("secure_server_lets_c_in_by_key", secure_server_lets_c_in_by_key),
        test("secure_client_is_let_in_by_c", secure_client_is_let_in_by_c),
        test("secure_client_and_server_talk", secure_client_and_server_talk),
        test("forked_worker_in_c_hires_forks", || squares(C, None)),
        test("options_file_names_the_line_and_the_option", options_file_names_the_line_and_the_option),
        test("options_file_shows_options_of_the_file", options_file_shows_options_of_the_file),
    ];
    let pairs: [(&str, Pair); 5] = [
        ("notifier_sends_to_a_listener", notifier_sends_to_a_listener),
        ("chat_exchanges_lines_and_ends_on_both_sides", chat_exchanges_lines_and_ends_on_both_sides),
        ("event_loops_exchange_messages", event_loops_exchange_messages),
        ("locked_publisher_tears_no_message", locked_publisher_tears_no_message),
        ("options_file_opens_either_side", options_file_opens_either_side),
    ];
    for (name, run) in pairs {
        trials.extend(PAIRS.map(|(one, other)| test(&format!("{name} {one:?} {other:?}"), move || run(one, other))));
    }
    trials.extend(PAIRS.map(|(boss, worker)| {
        test(&format!("forked_workers_square_numbers {boss:?} {worker:?}"), move || squares(boss, Some(worker)))
    }));

    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(MAX_CONCURRENT);
    libtest_mimic::run(&args, trials).exit_code()
}

fn test(name: &str, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        within_deadline(run);
        Ok(())
    })
}

/// A command that runs a program.
fn command(side: Side, name: &'static str) -> Command {
    let mut command = match side {
        Rust => common::this_program(),
        C => Command::new(c(name)),
    };
    // A program in C passes the variable on to a worker in Rust.
    command.env(PROGRAM, name);
    command
}

fn start(side: Side, name: &'static str, args: &[&str]) -> Process {
    Process::spawn(command(side, name).args(args))
}

/// A program in C, compiled once.
fn c(name: &'static str) -> PathBuf {
    static COMPILED: Mutex<BTreeMap<&str, Arc<OnceLock<PathBuf>>>> = Mutex::new(BTreeMap::new());
    // Several programs can be compiled at once.
    let program = COMPILED.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default().clone();
    let source = match name {
        "curve" => "curve.c".to_owned(),
        _ => format!("../from_c/{name}.c"),
    };
    program.get_or_init(|| c_program(&source)).clone()
}

/// The endpoint that a program has bound.
fn bound(process: &Process) -> String {
    let line = process.line();
    line.strip_prefix("bound ").unwrap_or_else(|| panic!("{line:?}")).to_owned()
}

fn every_program_is_an_example_of_cargo() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(root.join("examples/from_c")).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<_> = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(files, PROGRAMS.iter().map(|(name, _)| (*name).to_owned()).collect());
    let [cargo, contents] =
        ["Cargo.toml", "examples/README.md"].map(|file| fs::read_to_string(root.join(file)).unwrap());
    for name in files {
        let example = format!("[[example]]\nname = \"from_c_{name}\"\npath = \"examples/from_c/{name}.rs\"\n");
        assert!(cargo.contains(&example), "Cargo.toml lacks {name}");
        assert!(contents.contains(&format!("(from_c/{name}.rs)")), "examples/README.md lacks {name}");
    }
}

fn notifier_sends_to_a_listener(sender: Side, listener: Side) {
    let listener = start(listener, "notifier", &["listen", "6"]);
    let sender = start(sender, "notifier", &["send", &bound(&listener)]);
    let notices = ended(listener);
    for name in ["alpha", "beta", "gamma"] {
        let of_thread: Vec<_> = notices.iter().filter_map(|notice| notice.strip_prefix(name)).collect();
        assert_eq!(of_thread, [" has begun", " is done"]);
    }
    assert_eq!(notices.len(), 6, "{notices:?}");
    ended(sender);
}

fn chat_exchanges_lines_and_ends_on_both_sides(binding: Side, connecting: Side) {
    let mut alice = start(binding, "chat", &["bind", "tcp://127.0.0.1:*"]);
    let mut bob = start(connecting, "chat", &["connect", &bound(&alice)]);
    alice.type_line("Hello");
    assert_eq!(bob.line(), "> Hello");
    // Both lines come at once.
    bob.type_line("World\nHow are you?");
    assert_eq!([alice.line(), alice.line()], ["> World", "> How are you?"]);
    alice.type_all("");
    assert_eq!(ended(bob), ["(the other has left)"]);
    ended(alice);
}

fn event_loops_exchange_messages(binding: Side, connecting: Side) {
    let one = start(binding, "event_loop", &["bind", "1000"]);
    let other = start(connecting, "event_loop", &["connect", &bound(&one), "1000"]);
    assert_eq!(ended(one), ["sent 1000, received 1000"]);
    assert_eq!(ended(other), ["sent 1000, received 1000"]);
}

fn locked_publisher_tears_no_message(publisher: Side, subscriber: Side) {
    let publisher = start(publisher, "locked_publisher", &["publish", "4", "200"]);
    let subscriber = start(subscriber, "locked_publisher", &["subscribe", &bound(&publisher)]);
    assert_eq!(ended(subscriber), ["800 whole messages of 4 threads"]);
    assert_eq!(ended(publisher), ["subscribed news"]);
}

/// Runs a boss. Its workers are forks or copies of the boss, or a program of the worker's language.
fn squares(boss: Side, worker: Option<Side>) {
    let program = match worker {
        None => None,
        Some(Rust) => Some(std::env::current_exe().unwrap()),
        Some(C) => Some(c("forked_worker")),
    };
    // A boss in Rust hires copies of itself if it gets no program.
    let program = program.filter(|_| (boss, worker) != (Rust, Some(Rust)));
    let boss = Process::spawn(command(boss, "forked_worker").args(["hire", "3", "10"]).args(program));
    assert_eq!(ended(boss), ["the squares of 1 to 10 add up to 385"]);
}

/// Three new keys in files: of a server, of its client, and of a client that the server does not know.
struct Keys {
    server: Certificate,
    client: Certificate,
    unknown: Certificate,
    directory: Directory,
}

impl Keys {
    fn new(test: &str) -> Keys {
        let [server, client, unknown] = [(); 3].map(|()| Certificate::generate().unwrap());
        let directory = Directory::new(&format!("from_c-{test}"));
        for (name, certificate) in [("server", &server), ("client", &client), ("unknown", &unknown)] {
            certificate.save_secret(directory.path().join(name)).unwrap();
        }
        Keys { server, client, unknown, directory }
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn start_server(&self) -> Process {
        let client = self.client.public_key().to_string();
        start(Rust, "secure_server", &["server", &self.file("server"), &client])
    }

    fn start_client(&self, name: &str, endpoint: &str) -> Process {
        let server = self.server.public_key().to_string();
        start(Rust, "secure_server", &["client", &self.file(name), endpoint, &server])
    }
}

fn secret(certificate: &Certificate) -> String {
    certificate.secret_key().unwrap().to_z85().as_str().to_owned()
}

/// Ends a server by the end of its input.
fn end_server(mut server: Process) {
    server.type_all("");
    ended(server);
}

fn secure_server_lets_c_in_by_key() {
    if lacks_curve() {
        return;
    }
    let keys = Keys::new("server");
    let server = keys.start_server();
    let endpoint = bound(&server);
    let ask = |certificate: &Certificate, server_key: &PublicKey| {
        ended(start(C, "curve", &["client", &endpoint, &server_key.to_string(), &secret(certificate)]))
    };
    assert_eq!(ask(&keys.client, keys.server.public_key()), ["World"]);
    assert_eq!(server.line(), format!("Hello from {}", keys.client.public_key()));
    assert_eq!(ask(&keys.unknown, keys.server.public_key()), ["failed auth 400"]);
    assert_eq!(server.line(), "failed auth 400");
    ask(&keys.client, keys.unknown.public_key());
    assert!(server.line().starts_with("failed HandshakeFailedProtocol"));
    end_server(server);
}

fn secure_client_is_let_in_by_c() {
    if lacks_curve() {
        return;
    }
    let keys = Keys::new("client");
    let server = start(C, "curve", &["server", &secret(&keys.server), &keys.client.public_key().to_string()]);
    let endpoint = bound(&server);
    assert_eq!(ended(keys.start_client("client", &endpoint)), ["World"]);
    assert_eq!(server.line(), "Hello from known in C");
    assert_eq!(ended(keys.start_client("unknown", &endpoint)), ["failed auth 400"]);
    assert_eq!(server.line(), "failed auth 400");
    end_server(server);
}

fn secure_client_and_server_talk() {
    if lacks_curve() {
        return;
    }
    let keys = Keys::new("both");
    let server = keys.start_server();
    let endpoint = bound(&server);
    assert_eq!(ended(keys.start_client("client", &endpoint)), ["World"]);
    assert_eq!(ended(keys.start_client("unknown", &endpoint)), ["failed auth 400"]);
    assert_eq!(server.line(), format!("Hello from {}", keys.client.public_key()));
    assert_eq!(server.line(), "failed auth 400");
    end_server(server);
}

/// Writes a file of options in a directory of the test.
fn options(directory: &Directory, name: &str, text: &str) -> String {
    let file = directory.path().join(name);
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn options_file_opens_either_side(pushing: Side, pulling: Side) {
    let directory = Directory::new(&format!("from_c-{pushing:?}-{pulling:?}"));
    let text = "[socket]\ntype = PULL\nrcvhwm = 7\nlinger = 0\nbind = tcp://127.0.0.1:*\n";
    let pull = start(pulling, "options_file", &[&options(&directory, "pull", text)]);
    let text = format!("[socket]\ntype = PUSH\nsndhwm = 7\nlinger = 5000\nconnect = {}\n", bound(&pull));
    let mut push = start(pushing, "options_file", &[&options(&directory, "push", &text)]);
    push.type_all("one\ntwo\n");
    assert_eq!(ended(pull), ["one", "two"]);
    ended(push);
}

fn options_file_shows_options_of_the_file() {
    let directory = Directory::new("from_c-shown");
    let text = "[context]\nmax_sockets = 5\nipv6 = yes\n\n[socket]\ntype = PUSH\nZMQ_LINGER = 0\nsndhwm = 7\nconnect = inproc://a\n";
    let file = options(&directory, "file", text);
    let mut push = start(Rust, "options_file", &[&file, "linger", "ZMQ_SNDHWM", "ipv6", "rcvtimeo"]);
    push.type_all("");
    assert_eq!(
        ended(push),
        ["linger is Duration(0ns)", "ZMQ_SNDHWM is Int(7)", "ipv6 is Bool(true)", "rcvtimeo is None"]
    );
}

fn options_file_names_the_line_and_the_option() {
    let directory = Directory::new("from_c-wrong");
    for (text, line, why) in [
        ("[socket]\ntype = PUSH\nlinger = soon\n", 3, r#"ZMQ_LINGER: Invalid argument (EINVAL): "soon" is not a time"#),
        ("[socket]\ntype = PUSH\nrcvhvm = 7\n", 3, r#""rcvhvm" is no option of a socket"#),
        (
            "[socket]\ntype = PUSH\n\nsubscribe = A\n",
            4,
            "ZMQ_SUBSCRIBE: Invalid argument (EINVAL): a ZMQ_PUSH socket has no",
        ),
        ("[context]\nio_threads = 257\n", 2, "ZMQ_IO_THREADS: Invalid argument (EINVAL): 257 is not in 0..=256"),
        ("[socket]\nlinger = 7\n", 2, "a socket's type before its options"),
        ("[socket]\ntype = BOX\n", 2, r#""BOX" is no type of socket"#),
        ("[socket]\ntype PUSH\n", 2, r#""type PUSH" is not NAME = VALUE"#),
    ] {
        let file = options(&directory, "file", text);
        let output = command(Rust, "options_file").arg(&file).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(&format!("line {line}: ")), "{text:?}: {said}");
        assert!(said.replace("\\\"", "\"").contains(why), "{text:?}: {said}");
    }
}

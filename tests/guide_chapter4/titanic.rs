//! Titanic: its programs in Rust and in C, in every mix.

use std::fs;
use std::path::Path;
use std::process::Command;

use zmq_patterns::titanic::{RequestId, Store};

use crate::common::Process;
use crate::common::guide::{Directory, Port, ended, example, interrupt, kill};
use crate::majordomo::{broker, worker};
use crate::peers::Side::{C, Rust};
use crate::peers::{Side, c, rust};

const RARE: &str = "60000";
const TIMES: [&str; 8] = ["--pause", "100", "--timeout", "2000", "--reconnect", "100", "--heartbeat", "200"];

/// A Titanic that has opened its directory.
pub fn titanic(port: &Port, directory: &Directory) -> Process {
    let path = directory.path().to_str().unwrap();
    let place = ["--endpoint", &port.connect(), "--directory", path, "--verbose"];
    let titanic = rust("titanic", &[&place[..], &TIMES].concat());
    let line = titanic.line();
    assert!(line.contains("requests to deliver"), "{line}");
    titanic
}

/// A Titanic of a side, which is registered.
fn titanic_of(side: Side, port: &Port, directory: &Directory) -> Process {
    match side {
        Rust => titanic(port, directory),
        C => {
            let titanic = c("titanic", &[&port.connect(), RARE]);
            assert_eq!(titanic.line(), "registered");
            titanic
        }
    }
}

/// Stores and fetches by a client of each side, with a broker, a Titanic and a worker of these sides.
fn mix(broker_side: Side, titanic_side: Side, worker_side: Side) {
    let name = format!("titanic-{broker_side:?}-{titanic_side:?}-{worker_side:?}");
    let (port, directory) = (Port::reserve(), Directory::new(&name));
    let _broker = broker(broker_side, &port, RARE);
    let titanic = titanic_of(titanic_side, &port, &directory);
    let endpoint = port.connect();
    let late = rust("ticlient", &["--endpoint", &endpoint, "--interval", "50", "--timeout", "50000"]);
    let line = late.line();
    assert!(
        line.strip_prefix("I: request UUID ").is_some_and(|id| RequestId::parse(id.as_bytes()).is_some()),
        "{line}"
    );
    assert_eq!(late.line(), "I: no reply yet, trying again...");
    let _worker = worker(worker_side, &port, RARE, "0");
    assert_eq!(ended(late).last().unwrap(), "Reply: Hello world");
    assert_eq!(ended(c("ticlient", &[&endpoint, "echo", "5", "50000"])), ["5 replies"]);
    match titanic_side {
        Rust => {
            let lines = interrupt(titanic);
            assert_eq!(lines.iter().filter(|line| line.ends_with("is closed")).count(), 6);
        }
        C => drop(kill(titanic)),
    }
}

#[deadline::test]
fn titanic_programs_work_with_rust_workers_and_clients_of_either_side() {
    mix(Rust, Rust, Rust);
    mix(C, Rust, Rust);
}

#[deadline::test]
fn titanic_programs_work_with_c_workers_and_clients_of_either_side() {
    mix(Rust, Rust, C);
    mix(C, Rust, C);
}

#[deadline::test]
fn titanic_in_c_works_with_brokers_workers_and_clients_of_either_side() {
    for broker_side in [Rust, C] {
        mix(broker_side, C, Rust);
        mix(broker_side, C, C);
    }
}

/// Runs a Titanic that must fail, and returns what it prints to standard error.
fn refused(directory: &Path) -> String {
    let args = ["--endpoint", "tcp://127.0.0.1:9", "--directory", directory.to_str().unwrap()];
    let output = Command::new(example("titanic")).args(args).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    String::from_utf8(output.stderr).unwrap()
}

#[deadline::test]
fn titanic_names_a_store_that_it_cannot_open_and_leaves_it_as_it_is() {
    let directory = Directory::new("titanic-refused");
    let path = directory.path();
    let store = Store::open(path).unwrap();
    store.add("echo", &"Hello".into()).unwrap();
    let error = refused(path);
    assert!(error.contains("is in use"), "{error}");
    drop(store);

    let file = path.join("requests");
    let good = fs::read(&file).unwrap();
    let refuses = |place: usize, byte: u8, text: &str| {
        let mut changed = good.clone();
        changed[place] = byte;
        fs::write(&file, &changed).unwrap();
        let error = refused(path);
        assert!(error.contains(text) && error.contains("requests"), "{error}");
        assert_eq!(fs::read(&file).unwrap(), changed);
    };
    // The version is behind the 8 bytes that name the format.
    refuses(8, 2, "has version 2, and this program reads none after 1");
    refuses(0, b't', "is not a file of a Titanic store");
    fs::write(&file, &good).unwrap();
    assert_eq!(Store::open(path).unwrap().statistics().pending, 1);

    let error = refused(Path::new("/proc/titanic"));
    assert!(error.contains("cannot make /proc/titanic"), "{error}");
}

#[deadline::test]
fn ticlient_says_nothing_without_a_broker() {
    let port = Port::reserve();
    let args = ["--endpoint", &port.connect(), "--timeout", "50", "--retries", "0"];
    assert!(ended(rust("ticlient", &args)).is_empty());
}

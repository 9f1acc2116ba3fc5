//! The page `zmq::surprises`: each of its entries has a test here, whose comment is the title of the entry.

#[path = "../common/mod.rs"]
mod common;
mod endpoints;
mod messages;
mod peers;
mod security;
mod waiting;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::{HeldPort, TCP, eventually};
use socket2::Type;
use zmq::monitor::{Events, Monitor};
use zmq::{Socket, SocketType};

/// How long a test waits for an event that must not happen.
const SHORT: Duration = Duration::from_millis(200);

/// The delay between attempts to connect.
const RETRY: Duration = Duration::from_millis(10);

/// The endpoints of the transports that make connections, for a bind that is repeated.
fn wires() -> Vec<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut wires = vec![TCP.to_owned(), format!("ipc://@zmq-surprises-{}-{number}", std::process::id())];
    wires.extend(zmq::has("WS").then(|| "ws://127.0.0.1:*".to_owned()));
    wires
}

/// [`wires`], and inproc.
fn transports() -> Vec<String> {
    let mut transports = wires();
    transports.push("inproc://surprise".to_owned());
    transports
}

/// Endpoints at which no socket listens, with the holders of their ports.
fn absent() -> Vec<(String, Option<HeldPort>)> {
    let hold = |endpoint: String| {
        let Some(transport) = endpoint.strip_suffix("127.0.0.1:*") else { return (endpoint, None) };
        let port = HeldPort::new(Type::STREAM, [127, 0, 0, 1].into());
        (format!("{transport}{}", port.address()), Some(port))
    };
    wires().into_iter().map(hold).collect()
}

/// A monitor that counts connections.
fn counting<T: SocketType>(socket: &Socket<'_, T>) -> Monitor {
    socket.monitor(Events::NONE).unwrap()
}

/// Uses `socket` until that many connections have been made.
#[track_caller]
fn wait_for_connections<T: SocketType>(socket: &Socket<'_, T>, monitor: &Monitor, endpoint: &str, count: u64) {
    // A ws connection counts twice.
    let count = if endpoint.starts_with("ws") { 2 * count } else { count };
    eventually("the connections are made", || {
        socket.events().unwrap();
        monitor.connections() >= count
    });
}

/// Ends the connections of an endpoint, and binds it again.
fn bind_again<T: SocketType>(socket: &Socket<'_, T>, endpoint: &str) {
    socket.unbind(endpoint).unwrap();
    socket.bind(endpoint).unwrap();
}

/// Adds the parts of links to the page that follow `surprises#`, from the files of a folder.
fn links(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            links(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            let ends = text.split("crate::surprises#").skip(1);
            found.extend(ends.map(|rest| rest.split(')').next().unwrap().to_owned()));
        }
    }
}

#[deadline::test]
fn each_entry_of_the_page_has_a_test_and_a_link() {
    let page = include_str!("../../src/surprises.rs");
    let titles: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("//! ## ")).collect();
    assert!(titles.len() > 20, "{titles:?}");
    let tests = [
        include_str!("endpoints.rs"),
        include_str!("messages.rs"),
        include_str!("peers.rs"),
        include_str!("security.rs"),
        include_str!("waiting.rs"),
    ];
    for title in &titles {
        let comment = format!("\n/// {title}\n#[deadline::test");
        assert!(tests.iter().any(|text| text.contains(&comment)), "{title}: has no test");
    }
    // rustdoc makes these of the titles.
    let anchors = titles.iter().map(|title| title.to_lowercase().replace(' ', "-").replace(',', ""));
    let mut found = BTreeSet::new();
    links(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert_eq!(found, anchors.collect());
}

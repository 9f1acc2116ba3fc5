//! The programs of the guide's chapter 8 as processes: discovery by UDP, the decentralised chat and eagain, with native C
//! peers.

mod common;
#[path = "guide/peers.rs"]
mod peers;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;

use zmq::{Context, Pub, Sub};

use common::guide::{NOTHING, Port, ended, example, interrupt, kill, names_taken_endpoint};
use common::{Process, skip_unless};
use peers::{c, c_peer, rust};

/// The id of the peer in C, as our programs print it.
const C_ID: &str = "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC";

/// A port for broadcasts on the loopback network; `None` if the system does not deliver them there.
fn loopback() -> Option<Port> {
    let port = Port::reserve_udp();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.number())).into()).unwrap();
    let socket = UdpSocket::from(socket);
    let arrives = socket.send_to(b"!", ("127.255.255.255", port.number())).is_ok() && socket.recv(&mut [0; 1]).is_ok();
    (!skip_unless(arrives, "no broadcasts on the loopback network")).then_some(port)
}

fn udpping(model: u32, port: &Port, more: &[&str]) -> Process {
    let broadcast = format!("udp://127.255.255.255:{}", port.number());
    rust(&format!("udpping{model}"), &[&["--broadcast", &broadcast, "--interval", "20"], more].concat())
}

fn in_c(model: &str, port: &Port) -> Process {
    let peer = c("udpping", &[model, "127.255.255.255", &port.number().to_string()]);
    assert_eq!(peer.line(), "ready");
    peer
}

/// The program hears itself and the peer in C; the peer would end if a beacon were not the byte `!`.
#[deadline::test]
fn udpping1_and_udpping2_ping_and_hear_a_c_peer() {
    let Some(port) = loopback() else { return };
    let peer = in_c("1", &port);
    let lines = ended(udpping(1, &port, &["--count", "20"]));
    let (pings, found): (Vec<_>, Vec<_>) = lines.iter().partition(|line| *line == "Pinging peers...");
    assert!(!pings.is_empty() && found.len() == 20, "{lines:?}");
    for line in found {
        let from = line.strip_prefix("Found peer ").and_then(|from| from.parse::<SocketAddr>().ok());
        assert!(from.is_some_and(|from| from.ip().is_loopback() && from.port() == port.number()), "{line}");
    }
    let lines = ended(udpping(2, &port, &["--count", "20"]));
    assert!(!lines.is_empty() && lines.iter().all(|line| line == "Pinging peers..."), "{lines:?}");
    // All beacons are the same to the peer.
    assert_eq!(kill(peer), ["21"]);
}

/// The two lines of an event.
fn event(process: &Process) -> (String, String) {
    let (kind, peer) = (process.line(), process.line());
    let peer = peer.strip_prefix("[032] ").unwrap_or_else(|| panic!("{peer:?}"));
    (kind[6..].to_owned(), peer.to_owned())
}

#[deadline::test]
fn udpping3_and_a_c_peer_find_each_other_and_notice_who_leaves() {
    let Some(port) = loopback() else { return };
    let peer = in_c("3", &port);
    let one = udpping(3, &port, &["--expiry", "3000"]);
    assert_eq!(event(&one), ("JOINED".to_owned(), C_ID.to_owned()));
    let id_of_one = peer.line();
    let other = udpping(3, &port, &["--count", "2"]);
    let id_of_other = event(&one);
    assert_eq!(id_of_other.0, "JOINED");
    let mut found = [event(&other).1, event(&other).1];
    found.sort();
    let mut expected = [id_of_one, C_ID.to_owned()];
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(ended(other), NOTHING);
    kill(peer);
    let left = [event(&one), event(&one)];
    assert!(left.iter().all(|(kind, _)| kind == "LEFT"), "{left:?}");
    assert!(left.iter().any(|(_, peer)| peer == C_ID) && left.iter().any(|(_, peer)| *peer == id_of_other.1));
    assert_eq!(interrupt(one), NOTHING);
}

/// The defaults: the broadcast address of all networks, and the port 9999, in a network of its own.
#[deadline::test]
fn udpping_programs_find_c_peers_at_their_default_address() {
    let network = "ip link set lo up && ip route add default dev lo";
    let works = Command::new("unshare").args(["-rn", "sh", "-c", network]).output();
    let works = works.is_ok_and(|output| output.status.success());
    if skip_unless(works, "unshare and ip make no network namespace here") {
        return;
    }
    let peer = c_peer("udpping");
    let peer = peer.to_str().unwrap();
    for model in ["1", "3"] {
        let program = example(&format!("udpping{model}"));
        // The peer in C ends when the shell ends its children.
        let script = format!(
            "{network} && {{ '{peer}' {model} 255.255.255.255 9999 & }} && '{}' --count 3; status=$?; kill $!; exit $status",
            program.display()
        );
        let script = if model == "3" { script.replace("--count 3", "--count 1") } else { script };
        let lines = ended(Process::spawn(Command::new("unshare").args(["-rn", "sh", "-c", &script])));
        if model == "3" {
            assert!(
                lines.contains(&"[006] JOINED".to_owned()) && lines.contains(&format!("[032] {C_ID}")),
                "{lines:?}"
            );
        } else {
            assert_eq!(lines.iter().filter(|line| line.starts_with("Found peer ")).count(), 3, "{lines:?}");
        }
    }
    // Without a route the system says so.
    let program = example("udpping3");
    let output = Command::new("unshare").args(["-rn", program.to_str().unwrap()]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && errors.contains("255.255.255.255:9999"), "{errors}");
}

#[deadline::test]
fn dechat_speaks_with_a_c_peer_and_with_itself() {
    // All peers have the same port, and the address of the other is in the network of the first.
    let port = Port::reserve();
    let [one, other] = ["127.0.0.1", "127.0.0.2"].map(|address| format!("tcp://{address}:{}", port.number()));
    let mut joe = rust("dechat", &["--interface", &one, "--network", &one, "--username", "Joe"]);
    let peer = c("dechat", &[&other, &one, "Ann"]);
    assert_eq!(joe.line(), "Ann: hello");
    joe.type_line("Hi, Ann");
    assert_eq!(peer.line(), "Joe: Hi, Ann");
    loop {
        match &*joe.line() {
            // It hears itself too.
            "Joe: Hi, Ann" => break,
            line => assert!(["Ann: hello", "Ann: bye"].contains(&line), "{line}"),
        }
    }
    assert!(peer.rest().is_empty());
    let rest = {
        joe.type_all("");
        ended(joe)
    };
    assert!(rest.iter().all(|line| line.starts_with("Ann: ")), "{rest:?}");
}

/// A line is a message of one frame with its end of line, and a message of any bytes is printed.
#[deadline::test]
fn dechat_publishes_each_line_and_prints_any_message() {
    let (port, theirs) = (Port::reserve(), Port::reserve());
    let context = Context::new().unwrap();
    let (ears, mouth) = (context.socket(Sub).unwrap(), context.socket(Pub).unwrap());
    ears.subscribe("").unwrap();
    ears.connect(&port.connect()).unwrap();
    mouth.bind(&theirs.bind()).unwrap();
    let network = format!("tcp://127.0.0.77:{}", theirs.number());
    let mut joe = rust("dechat", &["--interface", &port.bind(), "--network", &network, "--username", "Joe"]);
    let said = loop {
        joe.type_line("two words");
        if let Some(said) = ears.within(std::time::Duration::from_millis(50)).recv_multipart().unwrap() {
            break said;
        }
    };
    assert_eq!(said, ["Joe: two words\n"]);
    loop {
        mouth.send(&b"\xff\n"[..]).unwrap();
        if let Some(line) = joe.line_within(std::time::Duration::from_millis(50)) {
            assert_eq!(line, "\u{fffd}");
            break;
        }
    }
    interrupt(joe);
    let output = Command::new(example("dechat")).args(["--network", "nonsense"]).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("tcp://A.B.C.D:PORT"));
    let taken = mouth.last_endpoint().unwrap().unwrap();
    names_taken_endpoint("dechat", &["--interface", &taken], &taken);
}

#[deadline::test]
fn eagain_counts_the_messages_that_fit() {
    let port = Port::reserve();
    let sent = |numbers: std::ops::Range<u32>| numbers.map(|number| format!("Sending message {number}"));
    let refused = "Resource temporarily unavailable".to_owned();
    let lines = ended(rust("eagain", &["--endpoint", &port.connect()]));
    assert_eq!(lines, sent(0..5).chain([refused]).collect::<Vec<_>>());
    // Without a mark all fit.
    let lines = ended(rust("eagain", &["--endpoint", &port.connect(), "--hwm", "0"]));
    assert_eq!(lines, sent(0..10).collect::<Vec<_>>());
}

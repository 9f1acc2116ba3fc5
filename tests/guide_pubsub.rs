//! The publishers and subscribers of the guide's chapters 2 and 5 as processes, each with native C peers in either role,
//! and what their headers cannot say.

mod common;
#[path = "guide_pubsub/durable.rs"]
mod durable;
#[path = "../examples/durapub2.rs"]
#[allow(dead_code, reason = "only its swap is tested by itself")]
mod durapub2;
#[path = "guide_pubsub/last_value.rs"]
mod last_value;
#[path = "guide_pubsub/snail.rs"]
mod snail;
#[path = "guide_pubsub/swap.rs"]
mod swap;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::guide::{Directory, NOTHING, Port, ended, example, interrupt, kill, names_taken_endpoint};
use common::{Process, c_program, eventually};
use zmq::{Context, Multipart, Pub, Pull, Push, Rep, Req, Socket, Sub, XPub};

/// Starts an example with arguments that are separated by blanks.
fn start(name: &str, args: &str) -> Process {
    let args: Vec<&str> = args.split(' ').filter(|arg| !arg.is_empty()).collect();
    Process::start(example(name), &args)
}

/// Two ports, each as endpoints for the two sides.
struct Ports {
    first: Port,
    second: Port,
}

impl Ports {
    fn reserve() -> Ports {
        Ports { first: Port::reserve(), second: Port::reserve() }
    }

    /// The arguments of the side that binds: the publisher's.
    fn bind(&self) -> String {
        format!("--publisher {} --sync {}", self.first.bind(), self.second.bind())
    }

    fn connect(&self) -> String {
        format!("--publisher {} --sync {}", self.first.connect(), self.second.connect())
    }
}

mod sync {
    use super::*;

    const UPDATES: u64 = 20_000;

    fn expect_all(subscribers: Vec<Process>) {
        for subscriber in subscribers {
            assert_eq!(subscriber.rest(), [format!("Received {UPDATES} updates")]);
            subscriber.succeeds();
        }
    }

    /// Says that a subscriber is ready, as syncsub does.
    fn say_ready(context: &Context, ports: &Ports) {
        let client = context.socket(Req).unwrap();
        client.connect(&ports.second.connect()).unwrap();
        client.send("").unwrap();
        assert_eq!(client.recv_multipart().unwrap(), [""]);
    }

    #[deadline::test]
    fn syncpub_sends_every_update_to_ten_c_and_rust_subscribers() {
        let ports = Ports::reserve();
        let publisher = start("syncpub", &format!("{} --updates {UPDATES}", ports.bind()));
        let c_subscriber = c_program("syncsub.c");
        let mut subscribers = Vec::new();
        for _ in 0..5 {
            subscribers.push(start("syncsub", &format!("{} --delay 0", ports.connect())));
            subscribers.push(Process::start(&c_subscriber, &[&ports.first.connect(), &ports.second.connect()]));
        }
        assert_eq!(publisher.rest(), ["Waiting for subscribers", "Broadcasting messages"]);
        publisher.succeeds();
        expect_all(subscribers);
    }

    #[deadline::test]
    fn syncsub_gets_every_update_of_a_c_publisher() {
        let ports = Ports::reserve();
        let args = [&*ports.first.bind(), &ports.second.bind(), "2", &UPDATES.to_string()];
        let publisher = Process::start(c_program("syncpub.c"), &args);
        let subscribers =
            (0..2).map(|_| start("syncsub", &format!("{} --delay 0", ports.connect()))).collect::<Vec<_>>();
        assert_eq!(publisher.rest(), [format!("Sent {UPDATES} updates")]);
        publisher.succeeds();
        expect_all(subscribers);
    }

    /// The subscriber says that it is ready before it has subscribed.
    #[deadline::test]
    fn syncpub_waits_for_the_subscription_itself() {
        let ports = Ports::reserve();
        let publisher = start("syncpub", &format!("{} --subscribers 1 --updates 3", ports.bind()));
        let context = Context::new().unwrap();
        let subscriber = context.socket(Sub).unwrap();
        subscriber.connect(&ports.first.connect()).unwrap();
        say_ready(&context, &ports);
        assert_eq!(publisher.line(), "Waiting for subscribers");
        assert_eq!(publisher.line_within(Duration::from_millis(200)), None);
        subscriber.subscribe("").unwrap();
        for update in ["Rhubarb", "Rhubarb", "Rhubarb", "END"] {
            assert_eq!(subscriber.recv_multipart().unwrap(), [update]);
        }
        publisher.succeeds();
    }

    /// The updates are far more than the queues and the connection can hold.
    #[deadline::test]
    fn syncpub_waits_for_a_slow_subscriber() {
        let ports = Ports::reserve();
        let mut publisher = start("syncpub", &format!("{} --subscribers 1 --updates 600000 --hwm 20000", ports.bind()));
        let context = Context::new().unwrap();
        let subscriber = context.socket(Sub).unwrap();
        subscriber.set_rcvhwm(1000).unwrap();
        subscriber.set_rcvbuf(Some(4096)).unwrap();
        subscriber.connect(&ports.first.connect()).unwrap();
        subscriber.subscribe("").unwrap();
        say_ready(&context, &ports);
        assert_eq!(publisher.line(), "Waiting for subscribers");
        assert_eq!(publisher.line(), "Broadcasting messages");
        // The publisher still runs; without the wait it would have ended.
        assert_eq!(publisher.line_within(Duration::from_millis(500)), None);
        let mut updates = 0;
        while subscriber.recv_msg().unwrap() != "END" {
            updates += 1;
        }
        assert_eq!(updates, 600_000);
        assert!(publisher.wait().success());
    }

    #[deadline::test]
    fn ctrl_c_ends_syncpub_without_subscribers_and_when_one_does_not_read() {
        let ports = Ports::reserve();
        let publisher = start("syncpub", &ports.bind());
        assert_eq!(publisher.line(), "Waiting for subscribers");
        assert_eq!(interrupt(publisher), NOTHING);

        // The first mark holds all updates; with the second the publisher waits for room.
        for hwm in [1_100_000, 1000] {
            let publisher = start("syncpub", &format!("{} --subscribers 1 --hwm {hwm}", ports.bind()));
            let context = Context::new().unwrap();
            let subscriber = context.socket(Sub).unwrap();
            subscriber.set_rcvhwm(1).unwrap();
            subscriber.connect(&ports.first.connect()).unwrap();
            subscriber.subscribe("").unwrap();
            say_ready(&context, &ports);
            assert_eq!(publisher.line(), "Waiting for subscribers");
            assert_eq!(publisher.line(), "Broadcasting messages");
            assert_eq!(subscriber.recv_msg().unwrap(), "Rhubarb");
            assert_eq!(publisher.line_within(Duration::from_millis(300)), None);
            assert_eq!(interrupt(publisher), NOTHING);
        }
    }

    #[deadline::test]
    fn ctrl_c_ends_syncsub_without_a_publisher_and_in_the_middle() {
        let ports = Ports::reserve();
        let context = Context::new().unwrap();
        let publisher = context.socket(XPub).unwrap();
        publisher.bind(&ports.first.bind()).unwrap();
        let subscriber = start("syncsub", &format!("{} --delay 100000", ports.connect()));
        assert_eq!(publisher.recv_msg().unwrap(), b"\x01");
        assert_eq!(interrupt(subscriber), NOTHING);

        assert_eq!(publisher.recv_msg().unwrap(), b"\x00");
        let subscriber = start("syncsub", &format!("{} --delay 0", ports.connect()));
        assert_eq!(publisher.recv_msg().unwrap(), b"\x01");
        assert_eq!(interrupt(subscriber), NOTHING);

        let service = context.socket(Rep).unwrap();
        service.bind(&ports.second.bind()).unwrap();
        let subscriber = start("syncsub", &format!("{} --delay 0", ports.connect()));
        assert_eq!(service.recv_multipart().unwrap(), [""]);
        service.send("").unwrap();
        publisher.send("Rhubarb").unwrap();
        assert_eq!(interrupt(subscriber), NOTHING);
    }
}

mod envelopes {
    use super::*;

    #[deadline::test]
    fn psenvpub_serves_a_c_subscriber() {
        let port = Port::reserve();
        let publisher = start("psenvpub", &format!("--endpoint {} --delay 10", port.bind()));
        let subscriber = Process::start(c_program("psenvsub.c"), &[&port.connect(), "3"]);
        assert_eq!(subscriber.rest(), ["[B] We would like to see this"; 3]);
        subscriber.succeeds();
        assert_eq!(interrupt(publisher), NOTHING);
    }

    #[deadline::test]
    fn psenvsub_gets_the_messages_of_a_c_publisher() {
        let port = Port::reserve();
        let _publisher = Process::start(c_program("psenvpub.c"), &[&port.bind()]);
        let subscriber = start("psenvsub", &format!("--endpoint {} --count 3", port.connect()));
        let lines = subscriber.rest();
        assert_eq!(lines.len(), 3, "{lines:?}");
        let first: u64 = lines[0].strip_prefix("[B] number ").unwrap().parse().unwrap();
        assert_eq!(lines, [0, 1, 2].map(|more| format!("[B] number {}", first + more)));
        subscriber.succeeds();
    }

    #[deadline::test]
    fn psenvpub_sends_both_messages_in_turn() {
        let port = Port::reserve();
        let publisher = start("psenvpub", &format!("--endpoint {} --delay 10", port.bind()));
        let context = Context::new().unwrap();
        let subscriber = context.socket(Sub).unwrap();
        subscriber.connect(&port.connect()).unwrap();
        subscriber.subscribe("").unwrap();
        // The subscriber may join between the two messages.
        let mut message = subscriber.recv_multipart().unwrap();
        if message[0] == "B" {
            message = subscriber.recv_multipart().unwrap();
        }
        for _ in 0..2 {
            assert_eq!(message, ["A", "We don't want to see this"]);
            assert_eq!(subscriber.recv_multipart().unwrap(), ["B", "We would like to see this"]);
            message = subscriber.recv_multipart().unwrap();
        }
        assert_eq!(interrupt(publisher), NOTHING);
    }

    #[deadline::test]
    fn psenvsub_ignores_messages_without_an_envelope() {
        let port = Port::reserve();
        let context = Context::new().unwrap();
        let publisher = context.socket(XPub).unwrap();
        publisher.bind(&port.bind()).unwrap();
        let subscriber = start("psenvsub", &format!("--endpoint {}", port.connect()));
        assert_eq!(publisher.recv_msg().unwrap(), b"\x01B");
        publisher.send("B").unwrap();
        publisher.send_multipart(["B", "too", "much"]).unwrap();
        publisher.send_multipart([&b"B\xff"[..], b"\xfe"]).unwrap();
        publisher.send_multipart(["B", ""]).unwrap();
        assert_eq!(subscriber.line(), "[B\u{fffd}] \u{fffd}");
        assert_eq!(subscriber.line(), "[B] ");
        assert_eq!(interrupt(subscriber), NOTHING);
    }

    #[deadline::test]
    fn psenvpub_does_not_wait_for_a_slow_subscriber() {
        let port = Port::reserve();
        let publisher = start("psenvpub", &format!("--endpoint {} --delay 0", port.bind()));
        let context = Context::new().unwrap();
        let subscribers = [1, 1000].map(|hwm| {
            let subscriber = context.socket(Sub).unwrap();
            subscriber.set_rcvhwm(hwm).unwrap();
            subscriber.connect(&port.connect()).unwrap();
            subscriber.subscribe("B").unwrap();
            subscriber.recv_multipart().unwrap();
            subscriber
        });
        // The program has by now published far more than an unread connection can hold.
        for _ in 0..200_000 {
            subscribers[1].recv_multipart().unwrap();
        }
        assert_eq!(interrupt(publisher), NOTHING);
    }
}

mod espresso {
    use super::*;

    const SUBSCRIPTIONS: [&str; 2] = ["[002] 0141", "[002] 0142"];
    const ENDS: [&str; 2] = ["[002] 0041", "[002] 0042"];

    fn lines(process: &Process, count: usize) -> Vec<String> {
        (0..count).map(|_| process.line()).collect()
    }

    fn is_message(line: &str) -> bool {
        let digits = line.strip_prefix("A-").or(line.strip_prefix("B-")).unwrap_or_default();
        digits.len() == 5 && digits.bytes().all(|digit| digit.is_ascii_digit())
    }

    /// The proxy prints what the original prints: two subscriptions, five messages, the ends of both subscriptions.
    #[deadline::test]
    fn espresso_forwards_subscriptions_to_a_c_publisher() {
        let ports = Ports::reserve();
        let publisher = Process::start(c_program("espressopub.c"), &[&ports.first.bind()]);
        let (front, back, sub) = (ports.first.connect(), ports.second.bind(), ports.second.connect());
        let args = format!("--no-publisher --frontend {front} --backend {back} --subscriber {sub}");
        let proxy = start("espresso", &args);
        assert_eq!(publisher.rest(), ["0141", "0142", "0041", "0042"]);
        publisher.succeeds();
        let messages = ["A-00001", "B-00003", "A-00004", "A-00006", "B-99999"].map(|text| format!("[007] {text}"));
        let expected: Vec<String> = SUBSCRIPTIONS.map(str::to_owned).into_iter().chain(messages).collect();
        assert_eq!(lines(&proxy, 7), expected);
        assert_eq!(lines(&proxy, 2), ENDS);
        assert_eq!(interrupt(proxy), [" interrupted"]);
    }

    #[deadline::test]
    fn espresso_serves_a_c_subscriber() {
        let ports = Ports::reserve();
        let (publ, front, back) = (ports.first.bind(), ports.first.connect(), ports.second.bind());
        let args = format!("--no-subscriber --delay 5 --publisher {publ} --frontend {front} --backend {back}");
        let proxy = start("espresso", &args);
        let subscriber = Process::start(c_program("espressosub.c"), &[&ports.second.connect()]);
        let received = subscriber.rest();
        subscriber.succeeds();
        assert_eq!(lines(&proxy, 2), SUBSCRIPTIONS);
        let captured = lines(&proxy, 5);
        assert_eq!(captured, received.iter().map(|line| format!("[007] {line}")).collect::<Vec<_>>());
        eventually("the ends of both subscriptions", || proxy.line() == ENDS[0]);
        assert_eq!(proxy.line(), ENDS[1]);
        assert_eq!(interrupt(proxy), [" interrupted"]);
    }

    #[deadline::test]
    fn espresso_forwards_between_c_peers() {
        let ports = Ports::reserve();
        let publisher = Process::start(c_program("espressopub.c"), &[&ports.first.bind()]);
        let (front, back) = (ports.first.connect(), ports.second.bind());
        let proxy = start("espresso", &format!("--no-publisher --no-subscriber --frontend {front} --backend {back}"));
        let subscriber = Process::start(c_program("espressosub.c"), &[&ports.second.connect()]);
        assert_eq!(subscriber.rest(), ["A-00001", "B-00003", "A-00004", "A-00006", "B-99999"]);
        subscriber.succeeds();
        assert_eq!(publisher.rest(), ["0141", "0142", "0041", "0042"]);
        publisher.succeeds();
        assert_eq!(lines(&proxy, 9).len(), 9);
        assert_eq!(interrupt(proxy), [" interrupted"]);
    }

    /// The program's own proxy has no peers.
    #[deadline::test]
    fn publisher_and_subscriber_of_espresso_use_a_c_proxy() {
        let (ports, unused) = (Ports::reserve(), Ports::reserve());
        let proxy = Process::start(c_program("espresso.c"), &[&ports.first.connect(), &ports.second.bind()]);
        let (front, back) = (unused.first.connect(), unused.second.bind());
        let (publ, sub) = (ports.first.bind(), ports.second.connect());
        let args = format!("--delay 5 --publisher {publ} --frontend {front} --backend {back} --subscriber {sub}");
        let program = start("espresso", &args);
        let printed = proxy.rest();
        proxy.succeeds();
        assert_eq!(printed[..2], ["0141", "0142"]);
        let (messages, ends) = printed[2..].split_at(printed.len() - 4);
        assert!(messages.len() >= 5 && messages.iter().all(|line| is_message(line)), "{messages:?}");
        assert_eq!(ends, ["0041", "0042"]);
        assert_eq!(interrupt(program), [" interrupted"]);
    }

    #[deadline::test]
    fn pubsub_programs_name_an_endpoint_that_is_in_use() {
        let context = Context::new().unwrap();
        let holder = context.socket(Pub).unwrap();
        let taken = holder.bind("tcp://127.0.0.1:*").unwrap();
        names_taken_endpoint("espresso", &["--publisher", &taken, "--backend", "tcp://127.0.0.1:*"], &taken);
    }
}

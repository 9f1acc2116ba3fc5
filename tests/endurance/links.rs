//! A link between two network namespaces that is cut and healed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use zmq::{Context, Dealer, Multipart, PollEvents, PollItem, Pub, Router, Socket, SocketType, Sub, poll};

use crate::common::namespaces::{ip, lacks_namespaces, link_to, within};
use crate::common::rng::Rng;
use crate::common::{Process, alone, context, role};
use crate::flow::{number_of, numbered};
use crate::run::{LONGEST_WAIT, die_with_parent, endure_by};

const TEST: &str = "links::subscriptions_and_messages_flow_again_after_a_link_is_healed";

/// The role of the process at the far end.
const FAR: &str = "far";

/// The addresses of the ends of the link.
const NEAR_ADDRESS: &str = "10.99.0.1";
const FAR_ADDRESS: &str = "10.99.0.2";

const TOPICS: usize = 20;

/// How often the far end sends, and the near end publishes.
const INTERVAL: Duration = Duration::from_millis(2);

/// A loss is allowed between two connections: what a PUB sends to a subscriber that is not connected, and what was on its
/// way when a connection broke. Inside a connection no number is missing, and none comes twice. After the last heal all
/// subscribed topics arrive, also those that were subscribed to during a cut, and requests and replies.
#[deadline::test]
fn subscriptions_and_messages_flow_again_after_a_link_is_healed() {
    match role().as_deref() {
        Some(FAR) => far(),
        None if lacks_namespaces() => {}
        _ => endure_by(|command| within("-rn", &command), TEST, round),
    }
}

/// A socket whose connections end within half a second after the link is cut.
fn socket<T: SocketType>(context: &Context, kind: T) -> Socket<'_, T> {
    let socket = context.socket(kind).unwrap();
    socket.set_heartbeat_ivl(Some(Duration::from_millis(100))).unwrap();
    socket.set_heartbeat_timeout(Some(Duration::from_millis(500))).unwrap();
    socket.set_connect_timeout(Some(Duration::from_millis(300))).unwrap();
    socket.set_reconnect_ivl(Some(Duration::from_millis(20))).unwrap();
    socket
}

/// Prints a line for the near end. The test harness has begun the line.
fn tell(line: &str) {
    println!("\nfar: {line}");
}

/// The far end: subscribes and sends. It tells the newest mark of each topic and of the replies.
fn far() {
    die_with_parent();
    let (sender, commands) = channel();
    thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    tell("ready");
    let context = context();
    let (sub, dealer) = (socket(&context, Sub), socket(&context, Dealer));
    let (mut marks, mut number, mut sends) = (BTreeMap::new(), 0, true);
    let mut next = Instant::now();
    while obey(&commands, &sub, &dealer, &mut sends, number) {
        if sends && dealer.last_endpoint().unwrap().is_some() && Instant::now() >= next {
            next = Instant::now() + INTERVAL;
            // What finds no room was not accepted.
            number += u64::from(dealer.now().send(numbered(number, 50)).unwrap().is_sent());
        }
        let mut items = [PollItem::socket(&sub, PollEvents::POLLIN), PollItem::socket(&dealer, PollEvents::POLLIN)];
        poll(&mut items, INTERVAL).unwrap();
        while let Some(message) = sub.now().recv_multipart().unwrap() {
            note(&mut marks, &message[0], &message[1]);
        }
        while let Some(message) = dealer.now().recv_multipart().unwrap() {
            number_of(&message[0]);
            note(&mut marks, b"reply", &message[1]);
        }
    }
}

/// Tells a mark that is newer than the last one of its topic. An older one is out of order.
fn note(marks: &mut BTreeMap<Vec<u8>, u64>, topic: &[u8], mark: &[u8]) {
    let mark = number_of(mark);
    let last = marks.insert(topic.to_vec(), mark);
    assert!(last.is_none_or(|last| last <= mark), "{topic:?}: {mark} comes after {last:?}");
    if last != Some(mark) {
        tell(&format!("{} {mark}", String::from_utf8_lossy(topic)));
    }
}

/// Does what the near end has typed. Returns false if that is the end.
fn obey(
    commands: &Receiver<String>,
    sub: &Socket<'_, Sub>,
    dealer: &Socket<'_, Dealer>,
    sends: &mut bool,
    number: u64,
) -> bool {
    while let Ok(line) = commands.try_recv() {
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("ip", arguments) => ip(arguments),
            ("sub", endpoint) => sub.connect(endpoint).unwrap(),
            ("dealer", endpoint) => dealer.connect(endpoint).unwrap(),
            ("subscribe", topic) => sub.subscribe(topic).unwrap(),
            ("unsubscribe", topic) => sub.unsubscribe(topic).unwrap(),
            ("stop", _) => {
                *sends = false;
                tell(&format!("accepted {number}"));
            }
            _ => return false,
        }
    }
    true
}

/// The near end: publishes marks, and answers.
struct Near<'ctx> {
    publisher: Socket<'ctx, Pub>,
    router: Socket<'ctx, Router>,
    far: Process,
    mark: u64,
    /// The last number that came over each connection.
    connections: BTreeMap<Vec<u8>, u64>,
    /// The numbers that came over any connection.
    numbers: BTreeSet<u64>,
    /// The numbers that came in a row over the newest connection.
    in_row: u64,
    /// The newest mark that came to the far end, of each topic and of the replies.
    told: BTreeMap<String, u64>,
}

impl Near<'_> {
    /// Publishes, and answers what comes meanwhile.
    fn step(&mut self) {
        for topic in 0..TOPICS {
            self.publisher.send_multipart([name(topic).into(), numbered(self.mark, 0)]).unwrap();
        }
        let end = Instant::now() + INTERVAL;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Some(request) = self.router.within(left).recv_multipart().unwrap() else { break };
            self.take(&request);
            let reply = [request[0].clone(), request[1].clone(), numbered(self.mark, 0).into()];
            self.router.send_multipart(Multipart::from_iter(reply)).unwrap();
        }
        while let Some(line) = self.far.line_within(Duration::ZERO) {
            let Some((topic, mark)) = line.strip_prefix("far: ").and_then(|line| line.split_once(' ')) else {
                continue;
            };
            self.told.insert(topic.to_owned(), mark.parse().unwrap());
        }
    }

    fn take(&mut self, request: &Multipart) {
        let number = number_of(&request[1]);
        assert!(self.numbers.insert(number), "message {number} came twice");
        match self.connections.insert(request[0].to_vec(), number) {
            Some(last) => assert_eq!(number, last + 1, "a message is lost in the middle of a connection"),
            None => self.in_row = 0,
        }
        self.in_row += 1;
    }

    /// Steps until `done` is true.
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < LONGEST_WAIT, "never came true: {what}; the far end has told {:?}", self.told);
            self.step();
        }
    }

    /// Waits until all that is wanted flows: the topics, the replies, and messages in a row.
    fn flows(&mut self, wanted: &BTreeSet<usize>) {
        self.mark += 1;
        let mark = self.mark;
        let names: Vec<_> = wanted.iter().map(|topic| name(*topic)).chain(["reply".to_owned()]).collect();
        let what = format!("each of {names:?} comes with mark {mark}");
        self.until(&what, |near| names.iter().all(|name| near.told.get(name) == Some(&mark)));
        self.in_row = 0;
        self.until("100 messages come in a row", |near| near.in_row >= 100);
    }
}

fn name(topic: usize) -> String {
    format!("topic-{topic:02}")
}

/// The commands that cut the link and heal it: of both directions, of the way there, and of the way back. A wrong
/// hardware address takes packets away without a notice.
const CUTS: [(End, &str, &str); 3] = [
    (End::Near, "link set near down", "link set near up"),
    (
        End::Near,
        "neigh replace 10.99.0.2 lladdr 02:00:00:00:00:01 dev near nud permanent",
        "neigh del 10.99.0.2 dev near",
    ),
    (End::Far, "neigh replace 10.99.0.1 lladdr 02:00:00:00:00:01 dev far nud permanent", "neigh del 10.99.0.1 dev far"),
];

#[derive(Clone, Copy)]
enum End {
    Near,
    Far,
}

fn round(rng: &mut Rng) {
    let mut far = Process::spawn(&mut within("-n", &alone(TEST, FAR)));
    // From here on the process is in its namespace.
    while far.line() != "far: ready" {}
    link_to(&far, NEAR_ADDRESS);
    far.type_line(&format!("ip addr add {FAR_ADDRESS}/24 dev far"));
    far.type_line("ip link set far up");

    let context = context();
    let (publisher, router) = (socket(&context, Pub), socket(&context, Router));
    far.type_line(&format!("sub {}", publisher.bind(&format!("tcp://{NEAR_ADDRESS}:*")).unwrap()));
    far.type_line(&format!("dealer {}", router.bind(&format!("tcp://{NEAR_ADDRESS}:*")).unwrap()));
    let mut near = Near {
        publisher,
        router,
        far,
        mark: 0,
        connections: BTreeMap::new(),
        numbers: BTreeSet::new(),
        in_row: 0,
        told: BTreeMap::new(),
    };
    let mut wanted = BTreeSet::new();
    let change = |near: &mut Near<'_>, wanted: &mut BTreeSet<usize>, topic: usize| {
        let (command, is_new) = if wanted.remove(&topic) { ("unsubscribe", false) } else { ("subscribe", true) };
        if is_new {
            wanted.insert(topic);
        }
        near.far.type_line(&format!("{command} {}", name(topic)));
    };
    (0..TOPICS / 2).for_each(|topic| change(&mut near, &mut wanted, topic));
    near.flows(&wanted);
    for _ in 0..1 + rng.below(3) {
        let (end, cut, heal) = *rng.pick(&CUTS);
        let command = |near: &mut Near<'_>, command: &str| match end {
            End::Near => ip(command),
            End::Far => near.far.type_line(&format!("ip {command}")),
        };
        command(&mut near, cut);
        let healed = Instant::now() + Duration::from_millis(20 + rng.below(700) as u64);
        for _ in 0..rng.below(4) {
            change(&mut near, &mut wanted, rng.below(TOPICS));
        }
        while Instant::now() < healed {
            near.step();
        }
        command(&mut near, heal);
        // Some cuts come before the connections are there again.
        if rng.coin() {
            near.flows(&wanted);
        }
    }
    near.flows(&wanted);
    near.far.type_line("stop");
    near.until("the far end stops", |near| near.told.contains_key("accepted"));
    let accepted = near.told["accepted"];
    near.until("the last messages come", |near| near.numbers.contains(&(accepted - 1)));
    let lost = accepted - near.numbers.len() as u64;
    assert!(lost == 0 || near.connections.len() > 1, "{lost} messages are lost, and no connection broke");
    // By itself the system removes the link some time after the namespace.
    ip("link del near");
    near.far.type_line("end");
    let Near { far, publisher, router, .. } = near;
    far.succeeds();
    drop((publisher, router));
    context.terminate(LONGEST_WAIT).unwrap();
}

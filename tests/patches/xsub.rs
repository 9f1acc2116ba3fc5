//! xsub.cpp: SUB and XSUB.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use socket2::Type;
use zmq::{Context, Kind, Multipart, Socket, Sub, XPub, XSub};
use zmq_patterns::Proxy;

#[cfg(target_os = "linux")]
use super::conflate::resident;
#[cfg(target_os = "linux")]
use crate::common::in_own_process;
use crate::common::{DEADLINE, HeldPort, TCP, bound, connected, context, eventually};
use crate::{RECV_TIMEOUT, connecting, peer, process_commands};

/// Subscribes and unsubscribes many times. The publisher receives each change before the next one is sent.
fn subscribe_one_by_one(endpoint: &str) {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.set_rcvhwm(3).unwrap();
    let endpoint = publisher.bind(endpoint).unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.set_sndhwm(3).unwrap();
    subscriber.connect(&endpoint).unwrap();
    for number in 0..300_u16 {
        for end in [false, true] {
            let topic = number.to_be_bytes();
            if end {
                subscriber.unsubscribe(topic).unwrap()
            } else {
                subscriber.subscribe(topic).unwrap()
            }
            let news = publisher.within(RECV_TIMEOUT).recv_msg().unwrap().unwrap_or_else(|| panic!("no {number}"));
            assert_eq!(news, [u8::from(!end), topic[0], topic[1]]);
        }
    }
}

/// SUB does not process the reports of what the publisher has read. The pipe seems to be full.
#[deadline::test(patches = [1009])]
fn sub_sends_subscriptions_that_have_room() {
    subscribe_one_by_one("inproc://publisher");
    subscribe_one_by_one("tcp://127.0.0.1:*");
}

/// Subscriptions beyond the mark are lost before a connection exists, or while its thread is busy.
#[deadline::test(patches = [1009])]
fn sub_sends_more_subscriptions_than_the_mark() {
    const TOPICS: u16 = 5_000;
    for (endpoint, before) in ["inproc://publisher", "tcp://127.0.0.1:*", "ipc://*"]
        .into_iter()
        .flat_map(|endpoint| [(endpoint, false), (endpoint, true)])
    {
        let context = Context::new().unwrap();
        let publisher = context.socket(XPub).unwrap();
        let endpoint = publisher.bind(endpoint).unwrap();
        let subscriber = context.socket(Sub).unwrap();
        let other = context.socket(XSub).unwrap();
        if !before {
            subscriber.connect(&endpoint).unwrap();
            other.connect(&endpoint).unwrap();
        }
        for number in 0..TOPICS {
            let topic = number.to_be_bytes();
            subscriber.subscribe(topic).unwrap();
            other.send([1, b'x', topic[0], topic[1]]).unwrap();
        }
        if before {
            subscriber.connect(&endpoint).unwrap();
            other.connect(&endpoint).unwrap();
        }
        for number in 0..2 * TOPICS {
            assert!(publisher.within(RECV_TIMEOUT).recv_msg().unwrap().is_some(), "{endpoint}: {number} alone");
        }
    }
}

/// Subscriptions that the lost connection has read already still count towards the mark.
#[deadline::test(patches = [1009])]
fn sub_sends_its_subscriptions_again_after_a_reconnect() {
    const TOPICS: u8 = 100;
    for mark in [7, 150] {
        let context = Context::new().unwrap();
        let publisher = context.socket(XPub).unwrap();
        let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
        let subscriber = context.socket(Sub).unwrap();
        subscriber.set_sndhwm(mark).unwrap();
        subscriber.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
        subscriber.connect(&endpoint).unwrap();
        for topic in 0..TOPICS {
            subscriber.subscribe([topic]).unwrap();
            assert_eq!(publisher.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a subscription"), [1, topic]);
        }
        for _ in 0..4 {
            publisher.unbind(&endpoint).unwrap();
            for _ in 0..TOPICS {
                assert_eq!(publisher.within(RECV_TIMEOUT).recv_msg().unwrap().expect("an end")[0], 0);
            }
            eventually("the port is free", || publisher.bind(&endpoint).is_ok());
            for number in 0..TOPICS {
                eventually(&format!("{number} are back"), || {
                    // A socket sends its subscriptions anew while it is used.
                    subscriber.events().unwrap();
                    publisher.now().recv_msg().unwrap().is_some_and(|message| message[0] == 1)
                });
            }
        }
    }
}

/// The room is counted from the subscriptions in force. Those that have ended are queued as well.
#[deadline::test(patches = [1009])]
fn sub_sends_a_subscription_after_many_that_ended() {
    let context = Context::new().unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.connect("inproc://late").unwrap();
    for _ in 0..3000 {
        subscriber.subscribe("short-lived").unwrap();
        subscriber.unsubscribe("short-lived").unwrap();
    }
    subscriber.subscribe("news").unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.bind("inproc://late").unwrap();
    eventually("the last subscription arrives", || {
        // The socket sends changes that found no room while it is used.
        subscriber.events().unwrap();
        std::iter::from_fn(|| publisher.now().recv_msg().unwrap()).any(|news| news == b"\x01news"[..])
    });
    publisher.send("news").unwrap();
    assert_eq!(subscriber.within(DEADLINE).recv_msg().unwrap().expect("a message"), "news");
}

/// The time that a message may need from an I/O thread to the socket.
const A_MOMENT: Duration = Duration::from_millis(1);

/// The topics that a publisher knows of, by the subscriptions and ends that it has received.
fn take_news(publisher: &Socket<'_, XPub>, known: &mut BTreeSet<Vec<u8>>, timeout: Duration) {
    while let Some(news) = publisher.within(timeout).recv_msg().unwrap() {
        let topic = news[1..].to_vec();
        if news[0] == 1 {
            known.insert(topic)
        } else {
            known.remove(&topic)
        };
    }
}

/// A SUB, or an XSUB that gets the same changes as messages.
enum Subscriber<'a> {
    Sub(Socket<'a, Sub>),
    XSub(Socket<'a, XSub>),
}

impl Subscriber<'_> {
    fn kind(&self) -> Kind {
        match self {
            Subscriber::Sub(socket) => socket.kind(),
            Subscriber::XSub(socket) => socket.kind(),
        }
    }

    fn change(&self, topic: &[u8], begins: bool) {
        match self {
            Subscriber::Sub(socket) if begins => socket.subscribe(topic).unwrap(),
            Subscriber::Sub(socket) => socket.unsubscribe(topic).unwrap(),
            Subscriber::XSub(socket) => socket.send([&[u8::from(begins)], topic].concat()).unwrap(),
        }
    }

    fn use_it(&self) {
        match self {
            Subscriber::Sub(socket) => drop(socket.events().unwrap()),
            Subscriber::XSub(socket) => drop(socket.events().unwrap()),
        }
    }
}

fn subscribers<'a>(context: &'a Context, endpoint: &str, mark: u32) -> [Subscriber<'a>; 2] {
    let (sub, xsub) = (context.socket(Sub).unwrap(), context.socket(XSub).unwrap());
    sub.set_sndhwm(mark).unwrap();
    xsub.set_sndhwm(mark).unwrap();
    sub.connect(endpoint).unwrap();
    xsub.connect(endpoint).unwrap();
    [Subscriber::Sub(sub), Subscriber::XSub(xsub)]
}

/// The room is counted from the subscriptions in force, which become fewer while their ends queue.
#[deadline::test(patches = [1031])]
fn sub_and_xsub_send_every_end_of_a_subscription() {
    for (endpoint, mark) in
        ["inproc://publisher", TCP, "ipc://*"].into_iter().flat_map(|endpoint| [(endpoint, 1), (endpoint, 1000)])
    {
        // Over inproc the mark is the sum of both. With a mark of 1 over the others, the I/O thread wakes up for each message.
        let topics = if mark == 1 && !endpoint.starts_with("inproc") { 1_000 } else { 10_000 };
        for which in 0..2 {
            let context = Context::new().unwrap();
            let publisher = context.socket(XPub).unwrap();
            publisher.set_rcvhwm(mark).unwrap();
            let endpoint = publisher.bind(endpoint).unwrap();
            let [sub, xsub] = subscribers(&context, &endpoint, mark);
            let subscriber = if which == 0 { &sub } else { &xsub };
            assert_all_arrive(
                &publisher,
                topics,
                |topic, begins| subscriber.change(topic, begins),
                || subscriber.use_it(),
            );
        }
    }
}

/// With the patch all of them queue: the queue has room for twice as many changes as there were topics.
#[deadline::test(patches = [1031])]
fn sub_sends_a_hundred_thousand_ends() {
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    let [sub, _] = subscribers(&context, &publisher.bind(TCP).unwrap(), 1);
    assert_all_arrive(&publisher, 100_000, |topic, begins| sub.change(topic, begins), || sub.use_it());
}

/// Subscribes to `topics` topics, and unsubscribes again. Checks that the publisher receives all changes.
fn assert_all_arrive(publisher: &Socket<'_, XPub>, topics: u32, change: impl Fn(&[u8], bool), use_it: impl Fn()) {
    let mut known = BTreeSet::new();
    for begins in [true, false] {
        (0..topics).for_each(|number| change(&number.to_be_bytes(), begins));
        wait_for_news(publisher, &mut known, if begins { topics as usize } else { 0 }, &use_it);
    }
}

/// Receives until the publisher knows `topics` topics.
fn wait_for_news(publisher: &Socket<'_, XPub>, known: &mut BTreeSet<Vec<u8>>, topics: usize, use_it: impl Fn()) {
    let start = Instant::now();
    while known.len() != topics {
        // A socket sends changes that found no room while it is used.
        use_it();
        take_news(publisher, known, A_MOMENT);
        assert!(start.elapsed() < DEADLINE, "the publisher knows {} of {topics} topics", known.len());
    }
}

/// The publisher does not know the topics in force after changes that were made while the pipe was full.
#[deadline::test(patches = [1031])]
fn publisher_knows_the_topics_in_force_after_many_changes() {
    let endpoints = ["inproc://publisher", "tcp://127.0.0.1:*"].into_iter();
    for (endpoint, (mark, which)) in
        endpoints.flat_map(|endpoint| [(1, 0), (1, 1), (20, 0), (20, 1)].map(|to| (endpoint, to)))
    {
        let context = Context::new().unwrap();
        let publisher = context.socket(XPub).unwrap();
        publisher.set_rcvhwm(mark).unwrap();
        let endpoint = publisher.bind(endpoint).unwrap();
        // Only one of them has topics, because an XPUB reports a topic of two subscribers once.
        let subscriber = &subscribers(&context, &endpoint, mark)[which];
        let (mut known, mut in_force) = (BTreeSet::new(), BTreeSet::new());
        let mut random = 1_u32;
        for round in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let topic = (random >> 16) % if round % 5000 < 2500 { 3 } else { 300 };
            let topic = topic.to_be_bytes().to_vec();
            let begins = in_force.insert(topic.clone());
            if !begins {
                in_force.remove(&topic);
            }
            subscriber.change(&topic, begins);
            if random % 4096 < 2 {
                take_news(&publisher, &mut known, Duration::ZERO);
            }
        }
        let start = Instant::now();
        while known != in_force {
            subscriber.use_it();
            take_news(&publisher, &mut known, A_MOMENT);
            let lacks: Vec<_> = in_force.difference(&known).collect();
            let has: Vec<_> = known.difference(&in_force).collect();
            let kind = subscriber.kind();
            assert!(
                start.elapsed() < DEADLINE / 2,
                "{kind} at {endpoint} with {mark}: the publisher lacks {lacks:?} and knows {has:?}"
            );
        }
    }
}

/// The XSUB of a forwarder, which sends what its XPUB receives, loses ends of subscriptions.
#[deadline::test(patches = [1031])]
fn forwarder_passes_on_every_end_of_a_subscription() {
    const TOPICS: u32 = 10_000;
    for leaves in [false, true] {
        let context = Context::new().unwrap();
        let front = context.owned_socket(XSub).unwrap();
        let publisher = connected(&context, XPub, &front.bind("tcp://127.0.0.1:*").unwrap());
        let _forwarder = Proxy::start(front, bound(&context, XPub, "inproc://back"), None).unwrap();
        let subscriber = context.socket(Sub).unwrap();
        subscriber.connect("inproc://back").unwrap();
        let mut known = BTreeSet::new();
        (0..TOPICS).for_each(|number| subscriber.subscribe(number.to_be_bytes()).unwrap());
        eventually("all subscriptions arrive", || {
            subscriber.events().unwrap();
            take_news(&publisher, &mut known, Duration::ZERO);
            known.len() == TOPICS as usize
        });
        if leaves {
            drop(subscriber);
            eventually("all ends arrive", || {
                take_news(&publisher, &mut known, Duration::ZERO);
                known.is_empty()
            });
        } else {
            (0..TOPICS).for_each(|number| subscriber.unsubscribe(number.to_be_bytes()).unwrap());
            eventually("all ends arrive", || {
                subscriber.events().unwrap();
                take_news(&publisher, &mut known, Duration::ZERO);
                known.is_empty()
            });
        }
    }
}

/// Two forwarders in a row, whose sockets all have the same mark, lose ends of subscriptions.
#[deadline::test(patches = [1031])]
fn forwarders_in_a_row_pass_on_every_end_of_a_subscription() {
    for (endpoint, mark) in ["inproc", TCP].into_iter().flat_map(|endpoint| [(endpoint, 1), (endpoint, 1000)]) {
        let context = Context::new().unwrap();
        let name = |name: &str| if endpoint == "inproc" { format!("inproc://{name}") } else { endpoint.to_owned() };
        let publisher = context.socket(XPub).unwrap();
        publisher.set_rcvhwm(mark).unwrap();
        let mut upstream = publisher.bind(&name("publisher")).unwrap();
        let forwarders = ["first", "second"].map(|forwarder| {
            let (front, back) = (context.owned_socket(XSub).unwrap(), context.owned_socket(XPub).unwrap());
            front.set_sndhwm(mark).unwrap();
            front.connect(&upstream).unwrap();
            back.set_rcvhwm(mark).unwrap();
            upstream = back.bind(&name(forwarder)).unwrap();
            Proxy::start(front, back, None).unwrap()
        });
        let [sub, xsub] = subscribers(&context, &upstream, mark);
        let topics = if mark == 1 { 500 } else { 5_000 };
        for subscriber in [sub, xsub] {
            let change = |topic: &[u8], begins| subscriber.change(topic, begins);
            assert_all_arrive(&publisher, topics, change, || subscriber.use_it());
        }
        // A subscriber that leaves ends its subscriptions.
        let [sub, _] = subscribers(&context, &upstream, mark);
        (0..topics).for_each(|number| sub.change(&number.to_be_bytes(), true));
        let mut known = BTreeSet::new();
        wait_for_news(&publisher, &mut known, topics as usize, || sub.use_it());
        drop(sub);
        wait_for_news(&publisher, &mut known, 0, || {});
        drop(forwarders);
    }
}

/// SUB queues each subscription and each end of one while it has no publisher: 63 MB after a million.
#[deadline::test(patches = [1031])]
fn sub_keeps_no_history_of_its_subscriptions() {
    for (late, which) in ["inproc://late", TCP, "ipc://@"].into_iter().flat_map(|late| [(late, 0), (late, 1)]) {
        let context = context();
        let publisher = context.socket(XPub).unwrap();
        let port = HeldPort::new(Type::STREAM, Ipv4Addr::LOCALHOST);
        let late = match late {
            TCP => format!("tcp://{}", port.address()),
            "ipc://@" => format!("ipc://@zmq-late-{}-{which}", std::process::id()),
            inproc => inproc.to_owned(),
        };
        let [sub, xsub] = subscribers(&context, &late, 1000);
        let subscriber = if which == 0 { &sub } else { &xsub };
        for round in 0..20_000_u32 {
            // The topic A in each round, and another topic once.
            subscriber.change(b"A", true);
            subscriber.change(&round.to_be_bytes(), true);
            subscriber.change(b"A", false);
            subscriber.change(&round.to_be_bytes(), false);
        }
        subscriber.change(b"last", true);
        eventually("the publisher is bound", || publisher.bind(&late).is_ok());
        let mut received = 0;
        eventually("the last subscription arrives", || {
            subscriber.use_it();
            std::iter::from_fn(|| publisher.now().recv_msg().unwrap())
                .inspect(|_| received += 1)
                .any(|news| news == b"\x01last"[..])
        });
        assert!(received < 3000, "{late}, {which}: {received}");
    }
}

/// The memory of a SUB grows with each subscription and each end while it has no publisher.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [1031])]
fn subscriptions_and_ends_take_no_memory_while_the_sub_has_no_publisher() {
    in_own_process("xsub::subscriptions_and_ends_take_no_memory_while_the_sub_has_no_publisher", || {
        for late in ["inproc://late", "tcp://127.0.0.1:9", "ipc:///nowhere/at/all"] {
            let context = context();
            for subscriber in subscribers(&context, late, 1000) {
                let toggle = |count: u32| {
                    for round in 0..count {
                        subscriber.change(b"A", true);
                        subscriber.change(&round.to_be_bytes(), true);
                        subscriber.change(b"A", false);
                        subscriber.change(&round.to_be_bytes(), false);
                    }
                };
                // The queue fills to the mark.
                toggle(5_000);
                let before = resident();
                toggle(20_000);
                let grown = resident().saturating_sub(before);
                // A message has 64 bytes: without a bound these are 5 MB.
                assert!(grown < 1 << 20, "{late}: {grown} bytes");
            }
        }
    });
}

/// A frame of ZMTP 3.0: its flags and its content.
fn frame(stream: &mut impl Read) -> (u8, Vec<u8>) {
    const LARGE: u8 = 2;
    let mut flags = [0];
    stream.read_exact(&mut flags).unwrap();
    let mut size = [0; 8];
    let len = if flags[0] & LARGE != 0 { 8 } else { 1 };
    stream.read_exact(&mut size[8 - len..]).unwrap();
    let mut content = vec![0; usize::try_from(u64::from_be_bytes(size)).unwrap()];
    stream.read_exact(&mut content).unwrap();
    (flags[0], content)
}

/// With 255 bytes the length has the form of a large frame, and the flags are those of a small one.
#[deadline::test(patches = [84])]
fn subscription_of_each_length_reaches_a_zmtp3_peer() {
    let context = Context::new().unwrap();
    let (subscriber, listener) = connecting(&context, Sub);
    let mut publisher = peer(&subscriber, &listener, "PUB");
    for len in [0, 1, 253, 254, 255, 256, 1000] {
        let topic = vec![b't'; len];
        subscriber.subscribe(&topic).unwrap();
        subscriber.unsubscribe(&topic).unwrap();
        for first in [1, 0] {
            let (flags, content) = frame(&mut publisher);
            assert_eq!(flags, if len + 1 > 255 { 2 } else { 0 }, "{len}");
            assert_eq!(content, [&[first], &topic[..]].concat(), "{len}");
        }
    }
}

/// The rest of the message goes into the new queue of the pipe, and arrives as a whole message.
#[deadline::test(patches = [1041])]
fn xsub_drops_the_rest_of_a_message_whose_connection_was_made_again() {
    // The name of "ipc://*" cannot be bound again.
    let ipc = format!("ipc://@zmq-cut-{}", std::process::id());
    for endpoint in [TCP, &ipc, "ws://127.0.0.1:*"] {
        if endpoint.starts_with("ws") && !zmq::has("WS") {
            continue;
        }
        let context = Context::new().unwrap();
        let [cut, other] = [(); 2].map(|()| context.socket(XPub).unwrap());
        let xsub = context.socket(XSub).unwrap();
        xsub.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
        let endpoint = cut.bind(endpoint).unwrap();
        xsub.connect(&endpoint).unwrap();
        xsub.connect(&other.bind("inproc://other").unwrap()).unwrap();
        xsub.send("connected").unwrap();
        for publisher in [&cut, &other] {
            assert_eq!(publisher.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a message"), "connected");
        }
        for round in 0..4 {
            xsub.send_more("first").unwrap();
            if round % 2 == 0 {
                xsub.send_more("more").unwrap();
            }
            cut.unbind(&endpoint).unwrap();
            // The connection ends when both sockets have processed its end.
            process_commands(&cut);
            process_commands(&xsub);
            if round >= 2 {
                eventually("the port is free", || cut.bind(&endpoint).is_ok());
                process_commands(&xsub);
            }
            xsub.send_more("rest").unwrap();
            xsub.send("last").unwrap();
            if round < 2 {
                eventually("the port is free", || cut.bind(&endpoint).is_ok());
            }
            xsub.send_multipart(["a", "whole one"]).unwrap();
            let more = if round % 2 == 0 { &["more"][..] } else { &[] };
            let all: Multipart = [&["first"], more, &["rest", "last"]].concat().into_iter().collect();
            assert_eq!(other.within(RECV_TIMEOUT).recv_multipart().unwrap().expect("all parts"), all);
            for publisher in [&cut, &other] {
                let message = publisher.within(RECV_TIMEOUT).recv_multipart().unwrap();
                assert_eq!(message.expect("the next message"), ["a", "whole one"], "{endpoint}");
            }
        }
    }
}

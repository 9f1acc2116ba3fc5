//! The last value cache: its machine over arbitrary updates and subscriptions, and over sockets.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{DEADLINE, TCP, connected, eventually};
use proptest::prelude::*;
use zmq::{Context, Multipart, Pub, Socket, Sub, XPub, XSub};
use zmq_patterns::last_value::machine::{CacheAction, CacheMachine};
use zmq_patterns::last_value::{Event, LastValueCache, Statistics};

/// One step of a run.
#[derive(Debug, Clone)]
enum Step {
    Update(Vec<Vec<u8>>),
    /// The topic's beginning.
    Subscribe(Vec<u8>),
    /// Any message of a subscriber.
    Frames(Vec<Vec<u8>>),
    /// So many values are sent, if so many are there.
    Serve(usize),
}

/// Topics of few letters, so that many begin alike.
fn topic() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(0xFF)], 0..4)
}

fn step() -> impl Strategy<Value = Step> {
    let value = || prop::collection::vec(any::<u8>(), 0..300);
    let update = (topic(), prop::collection::vec(value(), 0..3));
    let update = update.prop_map(|(topic, rest)| Step::Update([vec![topic], rest].concat()));
    let frames = prop::collection::vec(prop::collection::vec(0..3_u8, 0..3), 0..3);
    prop_oneof![
        8 => update,
        4 => topic().prop_map(Step::Subscribe),
        1 => frames.prop_map(Step::Frames),
        6 => (0..6_usize).prop_map(Step::Serve),
    ]
}

/// A subscription that is being answered: the values that it must get if no update comes before, by topic.
struct Expected {
    prefix: Vec<u8>,
    last: Option<Vec<u8>>,
}

/// A cache that is written as simply as possible. The real one must do the same.
struct Model {
    max_topics: usize,
    max_bytes: usize,
    /// The values, the least recently updated first.
    values: Vec<Vec<Vec<u8>>>,
    answers: VecDeque<Expected>,
    statistics: Statistics,
}

fn cost(frames: &[Vec<u8>]) -> usize {
    frames[0].len() + frames.iter().map(|frame| frame.len() + 128).sum::<usize>()
}

impl Model {
    fn bytes(&self) -> usize {
        self.values.iter().map(|value| cost(value)).sum()
    }

    fn step(&mut self, step: &Step) -> Vec<CacheAction> {
        let mut actions = Vec::new();
        match step {
            Step::Update(frames) if frames.len() < 2 => {
                self.statistics.malformed += 1;
                actions.push(CacheAction::Report(Event::MalformedUpdate(frames.into())));
            }
            Step::Update(frames) => {
                self.statistics.updates += 1;
                self.values.retain(|value| value[0] != frames[0]);
                if cost(frames) > self.max_bytes || self.max_topics == 0 {
                    actions.push(CacheAction::Report(Event::TooLarge(frames[0].clone().into())));
                } else {
                    self.values.push(frames.clone());
                }
                while self.values.len() > self.max_topics || self.bytes() > self.max_bytes {
                    self.statistics.evicted += 1;
                    let topic = self.values.remove(0).swap_remove(0);
                    actions.push(CacheAction::Report(Event::Evicted(topic.into())));
                }
                actions.push(CacheAction::Publish(frames.into()));
            }
            Step::Subscribe(prefix) => {
                self.statistics.subscriptions += 1;
                self.answers.push_back(Expected { prefix: prefix.clone(), last: None });
            }
            Step::Frames(frames) => match &frames[..] {
                [frame] if frame.first() == Some(&1) => return self.step(&Step::Subscribe(frame[1..].to_vec())),
                [frame] if frame.first() == Some(&0) => {}
                _ => {
                    self.statistics.malformed += 1;
                    actions.push(CacheAction::Report(Event::MalformedSubscription(frames.into())));
                }
            },
            Step::Serve(count) => (0..*count).for_each(|_| self.serve(&mut actions)),
        }
        actions
    }

    fn serve(&mut self, actions: &mut Vec<CacheAction>) {
        let Some(answer) = self.answers.front_mut() else { return };
        let sorted: BTreeMap<_, _> = self.values.iter().map(|value| (&value[0], value)).collect();
        let next = sorted.values().find(|value| {
            value[0].starts_with(&answer.prefix) && answer.last.as_ref().is_none_or(|last| value[0] > *last)
        });
        match next {
            Some(value) => {
                answer.last = Some(value[0].clone());
                self.statistics.served += 1;
                actions.push(CacheAction::Report(Event::ValueServed(value[0].clone().into())));
                actions.push(CacheAction::Publish((*value).into()));
            }
            None => drop(self.answers.pop_front()),
        }
    }
}

proptest! {
    #[deadline::test]
    fn cache_machine_does_what_a_list_does(
        max_topics in 0..8_usize,
        max_bytes in 300..3000_usize,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut machine = CacheMachine::new();
        machine.set_max_topics(max_topics);
        machine.set_max_bytes(max_bytes);
        let (values, answers) = (Vec::new(), VecDeque::new());
        let mut model = Model { max_topics, max_bytes, values, answers, statistics: Statistics::default() };
        for step in &steps {
            let mut actions = VecDeque::new();
            match step {
                Step::Update(frames) => machine.on_update(frames.into(), &mut actions),
                Step::Subscribe(prefix) => {
                    machine.on_subscription([&[1], &prefix[..]].concat().into(), &mut actions);
                }
                Step::Frames(frames) => machine.on_subscription(frames.into(), &mut actions),
                Step::Serve(count) => (0..*count).for_each(|_| machine.serve(&mut actions)),
            }
            prop_assert_eq!(Vec::from(actions), model.step(step));
            prop_assert_eq!(machine.topics(), model.values.len());
            prop_assert_eq!(machine.bytes(), model.bytes());
            prop_assert!(machine.topics() <= max_topics && machine.bytes() <= max_bytes);
            prop_assert_eq!(machine.is_serving(), !model.answers.is_empty());
            prop_assert_eq!(machine.statistics(), model.statistics);
        }
    }
}

#[deadline::test]
fn cache_machine_keeps_a_value_of_exactly_the_bytes_that_are_allowed() {
    let mut machine = CacheMachine::new();
    // Two frames of one byte, with 128 bytes each, and the topic again.
    for (max_bytes, topics) in [(259, 1), (258, 0)] {
        machine.set_max_bytes(max_bytes);
        machine.on_update(["a", "1"].into(), &mut VecDeque::new());
        assert_eq!(machine.topics(), topics);
    }
}

/// A publisher, and a cache in a thread that is connected to it.
struct Running {
    context: Context,
    publisher: Socket<'static, XPub>,
    endpoint: String,
    events: Receiver<Event>,
    thread: JoinHandle<LastValueCache<'static>>,
}

impl Running {
    fn start(set: impl FnOnce(LastValueCache<'static>) -> LastValueCache<'static>) -> Running {
        let context = Context::new().unwrap();
        let publisher = context.owned_socket(XPub).unwrap();
        publisher.set_sndhwm(0).unwrap();
        let updates = publisher.bind(TCP).unwrap();
        let (frontend, backend) = (context.owned_socket(Sub).unwrap(), context.owned_socket(XPub).unwrap());
        frontend.set_rcvhwm(0).unwrap();
        backend.set_sndhwm(0).unwrap();
        let mut cache = set(LastValueCache::new(frontend, backend).unwrap());
        let endpoint = cache.backend().bind(TCP).unwrap();
        cache.frontend().connect(&updates).unwrap();
        let (sender, events) = channel();
        let thread = thread::spawn(move || {
            // The test may have ended.
            cache.run(|event| drop(sender.send(event.clone()))).unwrap();
            cache
        });
        assert_eq!(publisher.recv_msg().unwrap(), b"\x01", "the cache has subscribed");
        Running { context, publisher, endpoint, events, thread }
    }

    fn publish(&self, frames: &[&str]) {
        self.publisher.send_multipart(frames).unwrap();
    }

    fn subscriber(&self, topics: &[&str]) -> Socket<'static, Sub> {
        let subscriber = self.context.owned_socket(Sub).unwrap();
        subscriber.set_rcvhwm(0).unwrap();
        topics.iter().for_each(|topic| subscriber.subscribe(*topic).unwrap());
        subscriber.connect(&self.endpoint).unwrap();
        subscriber
    }

    /// Waits until the cache has passed all updates on.
    fn settle(&self) {
        let witness = self.subscriber(&["settled"]);
        // The subscription may reach the cache after the first of them.
        while witness.within(Duration::from_millis(20)).recv_multipart().unwrap().is_none() {
            self.publish(&["settled", ""]);
        }
    }

    fn end(self) -> LastValueCache<'static> {
        self.context.shutdown().unwrap();
        self.thread.join().unwrap()
    }
}

#[deadline::test]
fn each_late_subscriber_gets_the_last_value_and_then_updates() {
    let running = Running::start(|cache| cache);
    for number in 0..100 {
        running.publish(&["a", &number.to_string()]);
    }
    running.publish(&["b", "other", "frames"]);
    running.settle();
    let mut subscribers = Vec::new();
    // The second subscription to a topic is served too.
    for _ in 0..3 {
        let subscriber = running.subscriber(&["a"]);
        assert_eq!(subscriber.recv_multipart().unwrap(), ["a", "99"]);
        subscribers.push(subscriber);
    }
    running.publish(&["a", "100"]);
    for subscriber in &subscribers {
        // Those that were there before get the value again with each newcomer.
        loop {
            let message = subscriber.recv_multipart().unwrap();
            if message == ["a", "100"] {
                break;
            }
            assert_eq!(message, ["a", "99"]);
        }
    }
    assert_eq!(running.subscriber(&["b"]).recv_multipart().unwrap(), ["b", "other", "frames"]);
    assert!(running.end().statistics().served >= 4);
}

#[deadline::test]
fn subscription_to_a_prefix_is_answered_with_all_its_topics_while_updates_flow() {
    const TOPICS: usize = 20_000;
    let running = Running::start(|cache| cache);
    for number in 0..TOPICS {
        running.publish(&[&format!("t{number:05}"), "old"]);
    }
    running.publish(&["other", ""]);
    running.settle();
    let subscriber = running.subscriber(&["t"]);
    let mut values = BTreeMap::new();
    let mut note = |message: Multipart| {
        let [topic, value] = [0, 1].map(|frame| message[frame].as_str().unwrap().to_owned());
        let before = values.insert(topic, value.clone());
        assert!(before.is_none_or(|before| before <= value), "an older value after a newer one");
        values.len() == TOPICS && values.values().filter(|value| *value > &"old".to_owned()).count() == TOPICS / 2
    };
    assert!(!note(subscriber.recv_multipart().unwrap()));
    for number in 0..TOPICS / 2 {
        running.publish(&[&format!("t{number:05}"), "you"]);
    }
    while !note(subscriber.recv_multipart().unwrap()) {}
    running.end();
}

#[deadline::test]
fn cache_keeps_no_more_than_its_bounds() {
    let running = Running::start(|cache| cache.max_topics(3).max_bytes(1000));
    let large = "x".repeat(1000);
    for topic in ["a", "b", "c", "d"] {
        running.publish(&[topic, "1"]);
    }
    running.publish(&["d", &large]);
    let expected = [Event::Evicted("a".into()), Event::TooLarge("d".into())];
    for event in expected {
        assert_eq!(running.events.recv_timeout(DEADLINE).unwrap(), event);
    }
    // Nothing is cached for these two.
    let subscriber = running.subscriber(&["a", "d", "c"]);
    assert_eq!(subscriber.recv_multipart().unwrap(), ["c", "1"]);
    let cache = running.end();
    assert_eq!((cache.topics(), cache.statistics().evicted), (2, 1));
    assert!(cache.bytes() <= 1000);
}

#[deadline::test]
fn cache_drops_malformed_messages() {
    let running = Running::start(|cache| cache);
    running.publish(&["alone"]);
    running.publish(&["a", "1"]);
    running.settle();
    let nonsense = connected(&running.context, XSub, &running.endpoint);
    for frames in [&["\u{2}"][..], &["x", "y"], &["", "y"], &["\u{1}a"]] {
        nonsense.send_multipart(frames).unwrap();
    }
    assert_eq!(nonsense.recv_multipart().unwrap(), ["a", "1"]);
    let events: Vec<Event> = running.events.try_iter().filter(|event| !is_of_settle(event)).collect();
    assert_eq!(events[0], Event::MalformedUpdate(["alone"].into()));
    let malformed = |event: &&Event| matches!(event, Event::MalformedSubscription(_));
    assert!(events.iter().filter(malformed).count() >= 2, "{events:?}");
    running.end();
}

fn is_of_settle(event: &Event) -> bool {
    matches!(event, Event::ValueServed(topic) if topic == "settled")
}

#[deadline::test]
fn cache_can_be_run_in_steps() {
    let context = Context::new().unwrap();
    let mut cache =
        LastValueCache::new(context.owned_socket(Sub).unwrap(), context.owned_socket(XPub).unwrap()).unwrap();
    cache.frontend().bind("inproc://updates").unwrap();
    cache.backend().bind("inproc://values").unwrap();
    let publisher = connected(&context, Pub, "inproc://updates");
    let subscriber = connected(&context, Sub, "inproc://values");
    subscriber.subscribe("").unwrap();
    eventually("the update passes", || {
        publisher.send_multipart(["a", "1"]).unwrap();
        cache.run_once(Duration::from_millis(5), |_| {}).unwrap();
        subscriber.now().recv_multipart().unwrap().is_some_and(|message| message == ["a", "1"])
    });
    cache.run_once(Duration::ZERO, |_| {}).unwrap();
    assert_eq!((cache.statistics().subscriptions, cache.topics()), (1, 1));
    assert!(format!("{cache:?}").contains("topics: 1"), "{cache:?}");
}

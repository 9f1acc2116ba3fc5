//! Subscriptions: an XPUB that receives all messages knows the subscriptions at the end.

use std::collections::BTreeSet;
use std::time::Duration;

use zmq::security::Security;
use zmq::{Kind, SecretKey};
use zmq_patterns::Proxy;

#[cfg(feature = "draft")]
use super::Stop;
use super::{Flow, Result};

/// A number of topics or groups: a few, or many more than the high-water marks on their way.
fn topics_of(flow: &mut Flow<'_>, marks: &[u32]) -> usize {
    let count = 1 + if flow.rng.one_in(4) { flow.rng.below(3000) } else { flow.rng.below(30) };
    // With such a mark, the threads take turns for each subscription.
    if marks.iter().any(|mark| (1..=10).contains(mark)) { count.min(300) } else { count }
}

pub fn run(flow: &mut Flow<'_>) -> Result {
    let (publisher, subscriber) = (flow.socket(Kind::XPub)?, flow.socket(Kind::Sub)?);
    flow.tune(&publisher)?;
    flow.tune(&subscriber)?;
    // With a proxy in between, or without.
    let number = flow.world.number();
    let mut marks = vec![publisher.rcvhwm()?, subscriber.sndhwm()?];
    let proxy = if flow.rng.one_in(3) {
        let (front, back) = (format!("inproc://topics-{number}-front"), format!("inproc://topics-{number}-back"));
        publisher.bind(&front)?;
        let mark = *flow.rng.pick(&[1, 10, 1000]);
        marks.push(mark);
        let context = &flow.world.context;
        let (xsub, xpub) = (context.owned_socket(Kind::XSub)?, context.owned_socket(Kind::XPub)?);
        xsub.set_sndhwm(mark)?;
        xsub.connect(&front)?;
        xpub.set_rcvhwm(mark)?;
        xpub.bind(&back)?;
        subscriber.connect(&back)?;
        Some(Proxy::start(xsub, xpub, None)?)
    } else {
        flow.link(&publisher, &[&subscriber])?;
        None
    };
    let topics: Vec<String> = (0..topics_of(flow, &marks)).map(|topic| format!("topic-{topic}")).collect();
    let mut wanted = BTreeSet::new();
    let mut known = BTreeSet::new();
    let hear = |known: &mut BTreeSet<Vec<u8>>, time: Duration| -> Result<bool> {
        let mut heard = false;
        while let Some(message) = publisher.within(time).recv_msg()? {
            heard = true;
            match message.split_first() {
                Some((1, topic)) => drop(known.insert(topic.to_vec())),
                Some((0, topic)) => drop(known.remove(topic)),
                _ => {}
            }
        }
        Ok(heard)
    };
    for _ in 0..flow.rng.below(topics.len() * 3 + 100) {
        let topic = flow.rng.pick(&topics).clone().into_bytes();
        if wanted.remove(&topic) {
            subscriber.unsubscribe(&topic)?;
        } else {
            subscriber.subscribe(&topic)?;
            wanted.insert(topic);
        }
        if flow.rng.one_in(20) {
            hear(&mut known, Duration::ZERO)?;
        }
    }
    // With a mark of 1, all together can take longer than the time of one.
    while known != wanted {
        flow.wait("the XPUB knows the subscriptions of the SUB", || {
            // A socket processes its commands when it is used.
            subscriber.events()?;
            hear(&mut known, Duration::from_millis(1))
        })?;
    }
    drop(proxy);
    if zmq::has("curve") && flow.rng.one_in(3) { encrypted(flow) } else { Ok(()) }
}

/// A publisher knows the subscriptions that CURVE encrypts.
fn encrypted(flow: &mut Flow<'_>) -> Result {
    let kind = *flow.rng.pick(&[Kind::Sub, Kind::XSub]);
    let (publisher, subscriber) = (flow.socket(Kind::XPub)?, flow.socket(kind)?);
    let secret = SecretKey::from([5; 32]);
    publisher.secure(&Security::curve_server(&secret))?;
    subscriber.secure(&Security::curve_client(&secret, &zmq::curve_public(&secret)?))?;
    let endpoint = *flow.rng.pick(&["ws://127.0.0.1:*", "tcp://127.0.0.1:*", "ipc://*"]);
    // A server whose clients an authenticator checks must bind.
    subscriber.connect(&publisher.bind(endpoint)?)?;
    for begins in [true, false] {
        let change = [&[u8::from(begins)], &b"topic"[..]].concat();
        match (kind, begins) {
            (Kind::Sub, true) => subscriber.subscribe("topic")?,
            (Kind::Sub, false) => subscriber.unsubscribe("topic")?,
            _ => subscriber.send(&change[..])?,
        }
        flow.wait("an XPUB knows what CURVE encrypts", || {
            subscriber.events()?;
            let received = publisher.within(Duration::from_millis(1)).recv_msg()?;
            Ok(received.is_some_and(|message| message == change))
        })?;
    }
    Ok(())
}

/// A DISH that joins and leaves groups receives the messages to its groups at the end.
#[cfg(feature = "draft")]
pub fn groups(flow: &mut Flow<'_>) -> Result {
    let (radio, dish) = (flow.socket(Kind::Radio)?, flow.socket(Kind::Dish)?);
    flow.tune(&radio)?;
    flow.tune(&dish)?;
    flow.link(&radio, &[&dish])?;
    let marks = [radio.rcvhwm()?, dish.sndhwm()?, radio.sndhwm()?, dish.rcvhwm()?];
    let groups: Vec<String> = (0..topics_of(flow, &marks)).map(|group| format!("group-{group}")).collect();
    let mut wanted = BTreeSet::new();
    for _ in 0..flow.rng.below(groups.len() * 3 + 100) {
        let group = flow.rng.pick(&groups);
        if wanted.remove(group) {
            dish.leave(group)?;
        } else {
            dish.join(group)?;
            wanted.insert(group.clone());
        }
        if flow.rng.one_in(50) {
            radio.events()?;
        }
    }
    let mut missing = wanted.clone();
    while !missing.is_empty() {
        flow.wait("a DISH receives the messages to its groups", || {
            // A RADIO drops messages to groups that it does not know yet, and those that have no room.
            for group in missing.iter().take(50) {
                radio.send_to_group(group, "x")?;
            }
            let before = missing.len();
            while let Some(message) = dish.within(Duration::from_millis(1)).recv_msg()? {
                let group = message.group().into_owned();
                if !wanted.contains(&group) {
                    return Err(Stop::Fault(format!("a DISH receives of the group {group}, which it is not in")));
                }
                missing.remove(&group);
            }
            Ok(missing.len() < before)
        })?;
    }
    Ok(())
}

//! Subscriptions: an XPUB that reads everything knows the subscriptions that there are at the end.

use std::collections::BTreeSet;

use zmq::{Kind, SocketSpec};

use super::{Flow, Result};

pub fn run(flow: &mut Flow<'_>) -> Result {
    let (publisher, subscriber) = (flow.socket(Kind::XPub)?, flow.socket(Kind::Sub)?);
    flow.tune(&publisher)?;
    flow.tune(&subscriber)?;
    // Through a forwarder, or straight.
    let number = flow.world.number();
    let proxy = if flow.rng.one_in(3) {
        let (front, back) = (format!("inproc://topics-{number}-front"), format!("inproc://topics-{number}-back"));
        publisher.bind(&front)?;
        let mark = *flow.rng.pick(&[1, 10, 1000]);
        let front = SocketSpec::new(Kind::XSub).with(move |socket| socket.set_sndhwm(mark)).connect(front);
        let back = SocketSpec::new(Kind::XPub).with(move |socket| socket.set_rcvhwm(mark)).bind(back.clone());
        let proxy = zmq::Proxy::builder(front, back).start(&flow.world.context)?;
        subscriber.connect(&proxy.backend_endpoints()[0])?;
        Some(proxy)
    } else {
        flow.link_one(&publisher, &[&subscriber])?;
        None
    };
    let topics: Vec<String> = (0..1 + flow.rng.below(30)).map(|topic| format!("topic-{topic}")).collect();
    let mut wanted = BTreeSet::new();
    let mut known = BTreeSet::new();
    let hear = |known: &mut BTreeSet<Vec<u8>>| -> Result {
        while let Some(message) = publisher.try_recv()? {
            match message.split_first() {
                Some((1, topic)) => drop(known.insert(topic.to_vec())),
                Some((0, topic)) => drop(known.remove(topic)),
                _ => {}
            }
        }
        Ok(())
    };
    for _ in 0..flow.rng.below(300) {
        let topic = flow.rng.pick(&topics).clone().into_bytes();
        if wanted.remove(&topic) {
            subscriber.unsubscribe(&topic)?;
        } else {
            subscriber.subscribe(&topic)?;
            wanted.insert(topic);
        }
        if flow.rng.one_in(20) {
            hear(&mut known)?;
        }
    }
    flow.wait("the XPUB knows the subscriptions of the SUB", || {
        hear(&mut known)?;
        // A socket works while it is used.
        subscriber.events()?;
        Ok(known == wanted)
    })?;
    drop(proxy);
    Ok(())
}

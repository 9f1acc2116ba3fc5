//! generic_mtrie_impl.hpp: the subscriptions of PUB and XPUB.

use std::time::Duration;

use zmq::{Context, Sub, XPub};

use crate::common::{DEADLINE, TCP};

/// The topics of a peer that left without unsubscribing are still counted.
#[deadline::test(patches = [1006])]
fn topics_count_has_no_topics_of_peers_that_left() {
    for endpoint in ["inproc://publisher", TCP] {
        let context = Context::new().unwrap();
        let publisher = context.socket(XPub).unwrap();
        let endpoint = publisher.bind(endpoint).unwrap();
        let [stays, leaves] = [("same", "b"), ("same", "a")].map(|topics| {
            let subscriber = context.socket(Sub).unwrap();
            subscriber.subscribe(topics.0).unwrap();
            subscriber.subscribe(topics.1).unwrap();
            subscriber.connect(&endpoint).unwrap();
            subscriber
        });
        assert!(publisher.wait_for_topics(3, DEADLINE).unwrap());
        drop(leaves);
        while publisher.within(DEADLINE).recv_msg().unwrap().expect("the end of a subscription") != b"\0a"[..] {}
        assert!(publisher.wait_for_topics(2, Duration::ZERO).unwrap(), "{endpoint}");
        assert!(!publisher.wait_for_topics(3, Duration::ZERO).unwrap(), "{endpoint}");
        drop(stays);
    }
}

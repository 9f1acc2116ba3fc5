//! The weather programs over a proxy.

use std::time::Duration;

use zmq::{Context, Pub, Socket, Sub, XPub};

use crate::common::guide::{NOTHING, Port, interrupt, names_taken_endpoint};
use crate::listens;
use crate::peers::{c, rust};

#[deadline::test]
fn wuproxy_forwards_between_c_peers() {
    let (inside, outside) = (Port::reserve(), Port::reserve());
    let _server = c("wuserver", &[&inside.bind()]);
    let proxy = rust("wuproxy", &["--frontend", &inside.connect(), "--backend", &outside.bind()]);
    for (filter, average) in [("1", "42"), ("9", "-80")] {
        let client = c("wuclient", &[&outside.connect(), filter, "100"]);
        let lines = client.rest();
        assert_eq!(lines, [format!("Average temperature for zipcode '{filter}' was {average}F")]);
        client.succeeds();
    }
    assert_eq!(interrupt(proxy), NOTHING);
}

#[deadline::test]
fn wuclient_gets_the_updates_of_wuserver_over_a_c_proxy() {
    let (inside, outside) = (Port::reserve(), Port::reserve());
    let server = rust("wuserver", &["--endpoint", &inside.bind()]);
    let _proxy = c("wuproxy", &[&inside.connect(), &outside.bind()]);
    let client = rust("wuclient", &["1", "--endpoint", &outside.connect()]);
    let lines = client.rest();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].starts_with("Average temperature for zipcode '1' was "), "{lines:?}");
    client.succeeds();
    assert_eq!(interrupt(server), NOTHING);
}

/// The proxy forwards equal subscriptions once, and cancels them when the last subscriber leaves.
#[deadline::test]
fn wuproxy_forwards_subscriptions() {
    let (inside, outside) = (Port::reserve(), Port::reserve());
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.bind(&inside.bind()).unwrap();
    let proxy = rust("wuproxy", &["--frontend", &inside.connect(), "--backend", &outside.bind()]);
    listens(&outside);
    let subscriber = |filter: &str| {
        let subscriber = context.socket(Sub).unwrap();
        subscriber.subscribe(filter).unwrap();
        subscriber.connect(&outside.connect()).unwrap();
        subscriber
    };
    let first = subscriber("10001 ");
    assert_eq!(publisher.recv_msg().unwrap(), "\u{1}10001 ");
    let second = subscriber("10001 ");
    second.subscribe("2").unwrap();
    assert_eq!(publisher.recv_msg().unwrap(), "\u{1}2");
    for update in ["10002 7 10", "20000 7 10", "10001 7 10"] {
        publisher.send(update).unwrap();
    }
    assert_eq!(first.recv_msg().unwrap(), "10001 7 10");
    assert_eq!(second.recv_msg().unwrap(), "20000 7 10");
    assert_eq!(second.recv_msg().unwrap(), "10001 7 10");
    drop(first);
    drop(second);
    let mut taken_back = [publisher.recv_string().unwrap(), publisher.recv_string().unwrap()];
    taken_back.sort();
    assert_eq!(taken_back, ["\0".to_owned() + "10001 ", "\0".to_owned() + "2"]);
    assert_eq!(interrupt(proxy), NOTHING);
}

/// The original in C goes on and forwards nothing.
#[deadline::test]
fn wuproxy_names_the_endpoint_that_it_cannot_bind() {
    let inside = Port::reserve();
    let taken = Port::reserve();
    let context = Context::new().unwrap();
    let holder = context.socket(XPub).unwrap();
    holder.bind(&taken.bind()).unwrap();
    let args = ["--frontend", &inside.connect(), "--backend", &taken.bind()];
    names_taken_endpoint("wuproxy", &args, &taken.bind());
}

/// Ctrl-C ends the proxy whether its publisher is there or not, and with a subscriber that does not read.
#[deadline::test]
fn wuproxy_does_not_wait_for_its_peers() {
    let (inside, outside) = (Port::reserve(), Port::reserve());
    let args = ["--frontend", &inside.connect(), "--backend", &outside.bind()];
    let context = Context::new().unwrap();
    let subscriber = || {
        let subscriber = context.socket(Sub).unwrap();
        subscriber.set_rcvhwm(1).unwrap();
        subscriber.subscribe("").unwrap();
        assert!(subscriber.connect_and_wait(&outside.connect(), None).unwrap());
        subscriber
    };
    let proxy = rust("wuproxy", &args);
    listens(&outside);
    let subscribed = subscriber();
    assert_eq!(interrupt(proxy), NOTHING);
    drop(subscribed);

    let proxy = rust("wuproxy", &args);
    let publisher = context.socket(Pub).unwrap();
    publisher.bind(&inside.bind()).unwrap();
    let update = vec![0; 1 << 20];
    // Updates do not reach a subscriber before it has subscribed.
    let reach = |subscriber: &Socket<'_, Sub>, times| {
        let mut reached = 0;
        while reached < times {
            publisher.send(&update).unwrap();
            reached += usize::from(subscriber.within(Duration::from_millis(100)).recv_msg().unwrap().is_some());
        }
    };
    listens(&outside);
    let (stuck, quick) = (subscriber(), subscriber());
    reach(&stuck, 1);
    reach(&quick, 40);
    assert_eq!(interrupt(proxy), NOTHING);
}

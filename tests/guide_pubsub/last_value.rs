//! The last value cache: pathopub, pathosub and lvcache, each with a C peer in the place of the others.

use super::*;

const VALUE: &str = "Save Roger";

fn cache(ports: &Ports) -> Process {
    start("lvcache", &format!("--frontend {} --backend {}", ports.first.connect(), ports.second.bind()))
}

/// Two subscribers of one topic come after its only update, and both get it.
#[deadline::test]
fn lvcache_serves_late_c_and_rust_subscribers_of_a_c_publisher() {
    let ports = Ports::reserve();
    let peer = c_program("lvcache.c");
    let publisher = Process::start(&peer, &["pub", &ports.first.bind()]);
    let cache = cache(&ports);
    assert_eq!(publisher.line(), "sent");
    let endpoint = ports.second.connect();
    for _ in 0..2 {
        assert_eq!(ended(Process::start(&peer, &["sub", &endpoint, "007"])), [VALUE]);
        assert_eq!(cache.line(), "Sending cached topic 007");
        assert_eq!(ended(start("pathosub", &format!("--endpoint {endpoint} --topic 007 --count 1"))), [VALUE]);
        assert_eq!(cache.line(), "Sending cached topic 007");
    }
    // While others hold the subscription, it is served too.
    let staying: Vec<Process> =
        (0..3).map(|_| start("pathosub", &format!("--endpoint {endpoint} --topic 003"))).collect();
    for subscriber in &staying {
        assert_eq!(subscriber.line(), VALUE);
    }
    for subscriber in staying {
        interrupt(subscriber);
    }
    let lines = interrupt(cache);
    assert_eq!(lines, vec!["Sending cached topic 003"; 3]);
    kill(publisher);
}

#[deadline::test]
fn pathopub_and_pathosub_use_a_c_cache() {
    let ports = Ports::reserve();
    let peer = c_program("lvcache.c");
    let cache = Process::start(&peer, &["cache", &ports.first.connect(), &ports.second.bind()]);
    assert_eq!(cache.line(), "ready");
    let publisher = start("pathopub", &format!("--endpoint {} --wait 3000 --delay 3600000", ports.first.bind()));
    let endpoint = ports.second.connect();
    let subscribers: Vec<Process> =
        ["000", "999", "500"].map(|topic| start("pathosub", &format!("--endpoint {endpoint} --topic {topic}"))).into();
    for subscriber in &subscribers {
        assert_eq!(subscriber.line(), VALUE);
    }
    // These come after everything was sent.
    let late = start("pathosub", &format!("--endpoint {endpoint} --topic 001 --count 1"));
    assert_eq!(ended(late), [VALUE]);
    // Ctrl-C ends them while nothing comes.
    for subscriber in subscribers {
        interrupt(subscriber);
    }
    assert_eq!(interrupt(publisher), NOTHING);
    kill(cache);
}

#[deadline::test]
fn pathopub_sends_each_topic_once_and_then_random_ones() {
    let port = Port::reserve();
    let publisher = start("pathopub", &format!("--endpoint {} --wait 3000 --delay 5", port.bind()));
    let context = Context::new().unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect(&port.connect()).unwrap();
    for topic in 0..1000 {
        assert_eq!(subscriber.recv_multipart().unwrap(), [&*format!("{topic:03}"), VALUE]);
    }
    for _ in 0..5 {
        let message = subscriber.recv_multipart().unwrap();
        let topic = message[0].as_str().unwrap();
        assert!(
            topic.len() == 3 && topic.parse::<u32>().is_ok() && message[1..] == ["Off with his head!"],
            "{message:?}"
        );
    }
    assert_eq!(interrupt(publisher), NOTHING);
}

#[deadline::test]
fn lvcache_and_pathosub_ignore_messages_of_another_form() {
    let ports = Ports::reserve();
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.bind(&ports.first.bind()).unwrap();
    let cache = cache(&ports);
    assert_eq!(publisher.recv_msg().unwrap(), b"\x01");
    publisher.send("007").unwrap();
    assert_eq!(cache.line(), "E: invalid message from publisher");
    publisher.send_multipart(["007", "too", "much"]).unwrap();
    publisher.send_multipart(["0070", "another topic"]).unwrap();
    let subscriber = start("pathosub", &format!("--endpoint {} --topic 007", ports.second.connect()));
    while cache.line() != "Sending cached topic 0070" {}
    publisher.send_multipart(["007", "right"]).unwrap();
    assert_eq!(subscriber.line(), "right");
    interrupt(subscriber);
    interrupt(cache);
    names_taken_endpoint("pathopub", &["--endpoint", &ports.first.bind()], &ports.first.number().to_string());
}

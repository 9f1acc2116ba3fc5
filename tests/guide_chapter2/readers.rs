//! The readers of two sockets.

use std::time::Duration;

use zmq::{Context, Pull, Push, XPub};

use crate::common::guide::{NOTHING, Port, interrupt};
use crate::peers::{c, rust};

const READERS: [&str; 2] = ["msreader", "mspoller"];

#[deadline::test]
fn msreader_and_mspoller_read_from_c_peers() {
    for name in READERS {
        let (tasks, results, weather) = (Port::reserve(), Port::reserve(), Port::reserve());
        let _server = c("wuserver", &[&weather.bind()]);
        let reader = rust(name, &["--ventilator", &tasks.connect(), "--weather", &weather.connect()]);
        let context = Context::new().unwrap();
        let sink = context.socket(Pull).unwrap();
        sink.bind(&results.bind()).unwrap();
        let mut ventilator = c("taskvent", &[&tasks.bind(), &results.connect(), "100"]);
        ventilator.type_line("");
        // The ventilator ends when all of its tasks are delivered.
        assert_eq!(ventilator.rest(), ["Total expected cost: 5050 msec"]);
        ventilator.succeeds();
        assert_eq!(interrupt(reader), NOTHING);
    }
}

/// The readers read both sockets, however much arrives at each. Far more messages pass than the queues can hold.
#[deadline::test]
fn msreader_and_mspoller_empty_both_sockets() {
    for name in READERS {
        let (tasks, weather) = (Port::reserve(), Port::reserve());
        let context = Context::new().unwrap();
        // The end of the context must not wait for messages that the reader did not take.
        context.set_blocky(false).unwrap();
        let ventilator = context.socket(Push).unwrap();
        ventilator.bind(&tasks.bind()).unwrap();
        let server = context.socket(XPub).unwrap();
        // With ZMQ_XPUB_NODROP the publisher waits too, so unread updates stop it.
        server.set_xpub_nodrop(true).unwrap();
        server.bind(&weather.bind()).unwrap();
        let reader = rust(name, &["--ventilator", &tasks.connect(), "--weather", &weather.connect()]);
        assert_eq!(server.recv_msg().unwrap(), "\u{1}10001 ");
        let padding = "9".repeat(5000);
        for _ in 0..4000 {
            ventilator.send(&padding).unwrap();
            server.send(format!("10001 {padding}")).unwrap();
        }
        assert_eq!(interrupt(reader), NOTHING);
    }
}

/// Ctrl-C ends the readers without peers, and while messages arrive all the time.
#[deadline::test]
fn msreader_and_mspoller_end_whatever_their_peers_do() {
    for name in READERS {
        let (tasks, weather) = (Port::reserve(), Port::reserve());
        let args = ["--ventilator", &tasks.connect(), "--weather", &weather.connect()];
        let reader = rust(name, &args);
        assert_eq!(interrupt(reader), NOTHING);

        let reader = rust(name, &args);
        std::thread::scope(|scope| {
            let (flooding, flooded) = std::sync::mpsc::channel();
            let tasks = &tasks;
            scope.spawn(move || {
                let context = Context::new().unwrap();
                let ventilator = context.socket(Push).unwrap();
                ventilator.set_linger(Some(Duration::ZERO)).unwrap();
                ventilator.bind(&tasks.bind()).unwrap();
                // The flood begins when the reader is connected, and ends when it takes no more.
                ventilator.send("1").unwrap();
                while ventilator.within(Duration::from_millis(500)).send("1").unwrap().is_sent() {
                    flooding.send(()).unwrap();
                }
            });
            for _ in 0..100_000 {
                flooded.recv().unwrap();
            }
            assert_eq!(interrupt(reader), NOTHING);
            while flooded.recv().is_ok() {}
        });
    }
}

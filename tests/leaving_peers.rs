//! What a socket does about its connections while peers are just leaving: libzmq, without our mends, uses the memory of
//! those that have left.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{in_own_process, skip_unless};
use zmq::{Context, PollEvents, PollItem, Pub, Socket, Sub, poll};

/// Has subscribers come and go, at a socket that does `work` again and again.
fn while_peers_leave(work: impl Fn(&Socket<'_, Pub>)) {
    let context = Context::new().unwrap();
    let publisher = context.socket(Pub).unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let until = done.clone();
    let peers = thread::spawn(move || {
        let context = Context::new().unwrap();
        let mut served = 0;
        while !until.load(Ordering::Relaxed) {
            let subscriber = context.socket(Sub).unwrap();
            subscriber.connect(&endpoint).unwrap();
            subscriber.subscribe("").unwrap();
            served += usize::from(subscriber.recv_timeout(Duration::from_millis(2)).unwrap().is_some());
        }
        served
    });
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1500) {
        // Has libzmq take note of those that leave.
        poll(&mut [PollItem::socket(&publisher, PollEvents::POLLIN)], Duration::ZERO).unwrap();
        publisher.send("Hello").unwrap();
        work(&publisher);
    }
    done.store(true, Ordering::Relaxed);
    assert!(peers.join().unwrap() > 0, "there were subscribers");
}

#[test]
fn their_marks_may_be_changed() {
    if skip_unless(zmq::sys::LINKED == "vendored", "libzmq up to 4.3.5, without our mend, crashes, so it is refused") {
        let context = Context::new().unwrap();
        let publisher = context.socket(Pub).unwrap();
        publisher.set_sndhwm(500).unwrap();
        publisher.bind("tcp://127.0.0.1:*").unwrap();
        assert_eq!(publisher.set_sndhwm(400).unwrap_err().errno(), zmq::Errno::EINVAL);
        assert_eq!(publisher.set_rcvhwm(400).unwrap_err().errno(), zmq::Errno::EINVAL);
        return;
    }
    in_own_process("their_marks_may_be_changed", || {
        while_peers_leave(|publisher| {
            publisher.set_sndhwm(500).unwrap();
            publisher.set_rcvhwm(500).unwrap();
        });
    });
}

#[cfg(feature = "draft")]
#[test]
fn their_queues_may_be_asked_for() {
    use zmq::monitor::{Event, Events, Options, Version};

    if skip_unless(zmq::sys::LINKED == "vendored", "refused over a libzmq without our mend") {
        return;
    }
    in_own_process("their_queues_may_be_asked_for", || {
        let monitor = std::cell::OnceCell::new();
        while_peers_leave(|publisher| {
            let options = Options::new().set_events(Events::PIPES_STATS).set_version(Version::Two);
            monitor.get_or_init(|| publisher.monitor(options).unwrap());
            publisher.request_pipes_stats().unwrap();
        });
        let notice = monitor.get().unwrap().recv().unwrap();
        assert!(matches!(notice.event(), Event::PipesStats { .. }), "{notice:?}");
    });
}

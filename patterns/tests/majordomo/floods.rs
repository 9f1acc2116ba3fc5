//! Peers that send without a pause, and requests and replies that nobody takes.

use std::thread;
use std::time::Duration;

use zmq::{Context, Dealer, Errno, Message, Multipart, Router, Socket, interrupt};
use zmq_patterns::majordomo::{AsyncClient, Event, Worker};

use super::common::{self, connected, in_own_process, next};
use super::{LONG, Serving};

const ENDPOINT: &str = "inproc://broker";
const MANY: u64 = 2000;

/// A broker by hand, whose peers have room for any number of messages if they take them.
fn broker(context: &Context) -> Socket<'_, Router> {
    let router = context.socket(Router).unwrap();
    router.set_sndhwm(0).unwrap();
    router.bind(ENDPOINT).unwrap();
    router
}

/// A worker that has registered, and its routing id.
fn registered(context: &Context, router: &Socket<'_, Router>, heartbeat: Duration) -> (Worker, Message) {
    let mut worker = Worker::new(context, ENDPOINT, "echo").unwrap().heartbeat(heartbeat).with(|s| s.set_rcvhwm(0));
    assert_eq!(worker.now().recv().unwrap(), None);
    let id = next(router).remove(0).into();
    (worker, id)
}

/// Sends a peer the same message many times.
fn flood(router: &Socket<'_, Router>, peer: &Message, message: impl Into<Multipart>) {
    let mut message = message.into();
    message.push_front(peer);
    for _ in 0..MANY {
        router.send_multipart(&message).unwrap();
    }
}

#[deadline::test]
fn worker_sends_heartbeats_when_the_broker_sends_without_a_pause() {
    let context = Context::new().unwrap();
    let router = broker(&context);
    let (mut worker, id) = registered(&context, &router, Duration::from_millis(1));
    flood(&router, &id, ["", "MDPW01", "\x04"]);
    let mut request = Multipart::from(["", "MDPW01", "\x02", "client", "", "Hello"]);
    request.push_front(id);
    router.send_multipart(request).unwrap();
    thread::sleep(Duration::from_millis(2));
    assert_eq!(worker.recv().unwrap(), ["Hello"]);
    let heartbeat = router.now().recv_multipart().unwrap().expect("a heartbeat before the request");
    assert_eq!(heartbeat[1..], ["", "MDPW01", "\x04"]);
}

#[deadline::test]
fn receives_end_when_a_signal_is_caught_while_a_peer_sends_without_a_pause() {
    in_own_process("floods::receives_end_when_a_signal_is_caught_while_a_peer_sends_without_a_pause", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let router = broker(&context);
        let (mut worker, worker_id) = registered(&context, &router, LONG);
        let mut client = AsyncClient::new(&context, ENDPOINT).timeout(LONG);
        client.send("echo", "Hello").unwrap();
        let client_id = next(&router).remove(0).into();
        flood(&router, &worker_id, ["", "none of the protocol"]);
        flood(&router, &client_id, ["", "none of the protocol"]);
        common::signal(std::process::id(), libc::SIGINT);
        common::eventually("the signal is caught", interrupt::interrupted);
        assert_eq!(worker.recv().unwrap_err().errno(), Errno::EINTR);
        assert_eq!(client.recv().unwrap_err().errno(), Errno::EINTR);
        // They did not wait for the end of the messages.
        assert!(worker.statistics().malformed < MANY && client.malformed() < MANY);
    });
}

/// The memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB")).unwrap();
    kib.trim().parse::<usize>().unwrap() * 1024
}

/// Each request comes alone, in a receive buffer of 8 KiB of its own, which libzmq keeps for as long as a frame points into it.
#[cfg(target_os = "linux")]
#[deadline::test]
fn waiting_requests_keep_no_receive_buffers() {
    in_own_process("floods::waiting_requests_keep_no_receive_buffers", || {
        const COUNT: usize = 4000;
        let serving = Serving::start(|broker| broker);
        let mut client = AsyncClient::new(&serving.context, &serving.endpoint).timeout(LONG);
        let mut ask = |count| {
            for _ in 0..count {
                client.send("nobody", "x".repeat(100)).unwrap();
                client.send("mmi.service", "nobody").unwrap();
                assert_eq!(client.recv().unwrap().unwrap().body, ["404"]);
            }
        };
        ask(100);
        let before = memory();
        ask(COUNT);
        let each = memory().saturating_sub(before) / COUNT;
        println!("{each} bytes for each request");
        assert!(each < 2048, "{each} bytes for each request");
        assert_eq!(serving.end().requests, 100 + COUNT as u64);
    });
}

/// Over inproc, the replies wait in the broker's process until the client takes them.
#[deadline::test]
fn broker_drops_replies_that_have_too_many_bytes_for_a_client_which_takes_none() {
    const LONG_REPLY: usize = 100 << 10;
    let serving = Serving::start(|mut broker| {
        broker.bind("inproc://clients").unwrap();
        broker.max_reply_bytes(1 << 20)
    });
    let mut worker = Worker::new(&serving.context, &serving.endpoint, "repeat").unwrap();
    let working =
        thread::spawn(move || worker.run(|request| "x".repeat(request[0].as_str().unwrap().parse().unwrap()).into()));
    let client = connected(&serving.context, Dealer, "inproc://clients");
    let ask = |length: usize| client.send_multipart(["", "MDPC01", "repeat", &length.to_string()]).unwrap();
    (0..13).for_each(|_| ask(LONG_REPLY));
    for _ in 0..3 {
        let lost = serving.wait_for(|event| matches!(event, Event::ReplyLost { .. }));
        assert!(lost.to_string().contains("is dropped"), "{lost}");
    }
    // Short ones are limited in number only.
    ask(1000);
    for expected in [LONG_REPLY; 10].into_iter().chain([1000]) {
        assert_eq!(next(&client)[3].len(), expected);
    }
    // The broker has room again when the memory is free, also for a reply that is longer than the limit by itself.
    common::eventually("a reply has room", || {
        ask(2 << 20);
        ask(10);
        let reply = next(&client)[3].len();
        assert!([10, 2 << 20].contains(&reply));
        reply != 10 && next(&client)[3].len() == 10
    });
    let numbers = serving.end();
    assert!(numbers.lost_replies >= 3, "{numbers:?}");
    working.join().unwrap().unwrap();
}

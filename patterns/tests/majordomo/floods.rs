//! Peers that send without a pause, and requests and replies that nobody takes.

use std::thread;
use std::time::Duration;

use zmq::{Context, Errno, Message, Multipart, Router, Socket, interrupt};
use zmq_patterns::majordomo::{AsyncClient, Worker};

use super::LONG;
use super::common::{self, in_own_process, next};

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
    assert_eq!(worker.recv_within(Duration::ZERO).unwrap(), None);
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

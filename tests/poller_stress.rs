//! A poller misses no event, however the polled sockets are used between its waits.
//!
//! In each test the poller's thread and its peers wait for each other. A single lost wake-up stops all of them, and a wait
//! returns no event. Between waits the sockets are used in ways that take the signals of their descriptors. Each test fails
//! if the poller is not notified of such uses.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::skip_part_unless_patched;
use zmq::{Context, Dealer, PollEvents, Poller, Pull, Push, Rep, Req, Socket, SocketType};

/// A wait that takes longer has missed an event.
const RECV_TIMEOUT: Duration = Duration::from_secs(10);
const ENDPOINTS: [&str; 2] = ["inproc://", "tcp://127.0.0.1:*"];

/// Pseudo-random numbers, which are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// A queue of this length is full all the time.
const SHORT: u32 = 2;
/// With a queue of this length a peer that receives sends no signals, which could replace a lost one.
const LONG: u32 = 100_000;

fn bound<T: SocketType>(context: &Context, kind: T, number: usize, queue: u32) -> (Socket<'_, T>, String) {
    let socket = context.socket(kind).unwrap();
    socket.set_sndhwm(queue).unwrap();
    socket.set_rcvhwm(queue).unwrap();
    let endpoint = match ENDPOINTS[number % ENDPOINTS.len()] {
        "inproc://" => format!("inproc://{number}"),
        other => other.to_owned(),
    };
    let endpoint = socket.bind(&endpoint).unwrap();
    (socket, endpoint)
}

fn connected<T: SocketType>(context: &Context, kind: T, endpoint: &str, queue: u32) -> Socket<'static, T> {
    let socket = context.owned_socket(kind).unwrap();
    socket.set_sndhwm(queue).unwrap();
    socket.set_rcvhwm(queue).unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

/// Uses a socket as a program might, without receiving from it.
fn meddle<T: SocketType>(socket: &Socket<'_, T>, numbers: &mut Numbers) {
    match numbers.below(4) {
        0 => drop(socket.events().unwrap()),
        1 => drop(socket.sndhwm().unwrap()),
        2 => socket.set_linger(Some(Duration::ZERO)).unwrap(),
        _ => {}
    }
}

#[deadline::test]
fn poller_misses_no_message_when_polled_sockets_send_and_receive() {
    const SOCKETS: usize = 12;
    const ROUNDS: usize = 2_000;
    let context = Context::new().unwrap();
    let (sockets, endpoints): (Vec<_>, Vec<_>) =
        (0..SOCKETS).map(|number| bound(&context, Dealer, number, LONG)).unzip();
    let mut poller = Poller::new().unwrap();
    for (number, socket) in sockets.iter().enumerate() {
        poller.add(socket, number, PollEvents::POLLIN).unwrap();
    }
    thread::scope(|scope| {
        for endpoint in &endpoints {
            let peer = connected(&context, Dealer, endpoint, LONG);
            // The next request is sent when the last is answered. The messages between are noise.
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    peer.send("ask").unwrap();
                    while peer.within(RECV_TIMEOUT).recv_msg().unwrap().expect("an answer") != "answer" {}
                }
                peer.send("done").unwrap();
            });
        }
        let mut numbers = Numbers(1);
        let (mut asked, mut done) = (0, 0);
        let mut events = Vec::new();
        while done < SOCKETS {
            let found = poller.wait_into(&mut events, RECV_TIMEOUT).unwrap();
            assert_ne!(found, 0, "no event after {asked} questions");
            for event in &events {
                while let Some(message) = sockets[event.key].now().recv_msg().unwrap() {
                    if message == "done" {
                        done += 1;
                        continue;
                    }
                    asked += 1;
                    sockets[event.key].send("answer").unwrap();
                }
                for _ in 0..2 {
                    let other = &sockets[numbers.below(SOCKETS)];
                    drop(other.now().send("noise").unwrap());
                    meddle(&sockets[numbers.below(SOCKETS)], &mut numbers);
                }
            }
        }
        assert_eq!(asked, SOCKETS * ROUNDS);
    });
}

#[deadline::test]
fn poller_misses_no_pollout_at_the_high_water_mark() {
    const SOCKETS: usize = 8;
    const MESSAGES: u64 = 4_000;
    let context = Context::new().unwrap();
    let (sockets, endpoints): (Vec<_>, Vec<_>) =
        (0..SOCKETS).map(|number| bound(&context, Push, number, SHORT)).unzip();
    let received = AtomicU64::new(0);
    let mut poller = Poller::new().unwrap();
    for (number, socket) in sockets.iter().enumerate() {
        poller.add(socket, number, PollEvents::POLLOUT).unwrap();
    }
    thread::scope(|scope| {
        for endpoint in &endpoints {
            let peer = connected(&context, Pull, endpoint, SHORT);
            let received = &received;
            scope.spawn(move || {
                for _ in 0..MESSAGES {
                    peer.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a message");
                    received.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut numbers = Numbers(2);
        let mut left = [MESSAGES; SOCKETS];
        let mut events = Vec::new();
        while left.iter().any(|left| *left != 0) {
            let found = poller.wait_into(&mut events, RECV_TIMEOUT).unwrap();
            assert_ne!(found, 0, "no POLLOUT, with {left:?} to send");
            for event in &events {
                while left[event.key] != 0 && sockets[event.key].now().send("job").unwrap().is_sent() {
                    left[event.key] -= 1;
                }
                if left[event.key] == 0 {
                    poller.modify(event.key, PollEvents::NONE).unwrap();
                }
                meddle(&sockets[numbers.below(SOCKETS)], &mut numbers);
            }
        }
    });
    assert_eq!(received.into_inner(), MESSAGES * SOCKETS as u64);
}

#[deadline::test]
fn poller_misses_no_state_of_req_and_rep_that_changes_without_a_signal() {
    const PAIRS: usize = 6;
    const ROUNDS: usize = 2_000;
    // Without the patch libzmq drops some replies if the mark is low. The clients of these replies wait for ever.
    let replies = if skip_part_unless_patched("replies at a low mark", &[1009]) { LONG } else { SHORT };
    let context = Context::new().unwrap();
    let (clients, answering): (Vec<_>, Vec<_>) = (0..PAIRS).map(|number| bound(&context, Req, number, SHORT)).unzip();
    let (servers, asking): (Vec<_>, Vec<_>) =
        (0..PAIRS).map(|number| bound(&context, Rep, PAIRS + number, SHORT)).unzip();
    let mut poller = Poller::new().unwrap();
    for number in 0..PAIRS {
        poller.add(&clients[number], (true, number), PollEvents::POLLIN | PollEvents::POLLOUT).unwrap();
        poller.add(&servers[number], (false, number), PollEvents::POLLIN | PollEvents::POLLOUT).unwrap();
    }
    thread::scope(|scope| {
        for number in 0..PAIRS {
            let server = connected(&context, Rep, &answering[number], replies);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    server.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a request");
                    server.send("answer").unwrap();
                }
            });
            let client = connected(&context, Req, &asking[number], SHORT);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    client.send("ask").unwrap();
                    client.within(RECV_TIMEOUT).recv_msg().unwrap().expect("a reply");
                }
            });
        }
        let mut left = [(ROUNDS, ROUNDS); PAIRS];
        let mut numbers = Numbers(3);
        let mut events = Vec::new();
        while left != [(0, 0); PAIRS] {
            let found = poller.wait_into(&mut events, RECV_TIMEOUT).unwrap();
            assert_ne!(found, 0, "no event, with {left:?} left");
            for event in &events {
                let (is_client, number) = event.key;
                match (is_client, event.is_writable()) {
                    (true, true) if left[number].0 == 0 => {
                        poller.modify(event.key, PollEvents::POLLIN).unwrap();
                    }
                    (true, true) => clients[number].send("ask").unwrap(),
                    (true, false) => {
                        clients[number].recv_msg().unwrap();
                        left[number].0 -= 1;
                    }
                    (false, true) => {
                        servers[number].send("answer").unwrap();
                        left[number].1 -= 1;
                    }
                    (false, false) => drop(servers[number].recv_msg().unwrap()),
                }
                meddle(&clients[numbers.below(PAIRS)], &mut numbers);
                meddle(&servers[numbers.below(PAIRS)], &mut numbers);
            }
        }
    });
}

//! Messages of any frames to the patterns: Majordomo's broker, a pirate's queue, a freelance server, Clone's messages.
#![no_main]

use std::cell::RefCell;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use zmq::{Context, Dealer, Multipart, Router, Socket};
use zmq_fuzz::{DEADLINE, Input};
use zmq_patterns::clone::{Format, KvMsg};
use zmq_patterns::freelance::Server;
use zmq_patterns::majordomo::{Action, BrokerMachine};
use zmq_patterns::pirate::Queue;
use zmq_patterns::titanic::RequestId;

/// Frames that the protocols have, besides any others.
const WORDS: [&[u8]; 16] = [
    b"",
    b"MDPC01",
    b"MDPW01",
    b"\x01",
    b"\x02",
    b"\x03",
    b"\x04",
    b"\x05",
    b"echo",
    b"mmi.service",
    b"PING",
    b"PONG",
    b"HUGZ",
    b"worker",
    b"client",
    b"ICANHAZ?",
];

fn message(input: &mut Input<'_>) -> Multipart {
    let count = input.byte() % 10;
    let part = |_| match input.byte() {
        word @ 0..16 => WORDS[usize::from(word)],
        _ => input.bytes(),
    };
    (0..count).map(part).collect()
}

/// The broker's state machine takes anything, at any times.
fn broker(mut input: Input<'_>) {
    let mut machine = BrokerMachine::new().max_waiting(20, 4096).tries(u32::from(input.byte() % 4) + 1);
    let mut now = Instant::now();
    let mut actions = Vec::new();
    while !input.is_empty() {
        match input.byte() {
            step @ 0..32 => {
                now += Duration::from_millis(u64::from(step) * 500);
                machine.on_tick(now, &mut actions);
            }
            _ => {
                let mut parts = message(&mut input);
                parts.push_front(input.pick(&["a", "b", "c"]));
                machine.on_message(now, parts, &mut actions);
            }
        }
        // Some peers cannot be reached.
        for action in std::mem::take(&mut actions) {
            match action {
                Action::Send(sent) if input.byte() % 8 == 1 => machine.on_undelivered(now, sent, &mut actions),
                Action::Send(sent) => assert!(sent.len() > 2, "{sent:?}"),
                Action::Report(event) => drop(event.to_string()),
            }
        }
        let numbers = machine.statistics();
        assert!(numbers.waiting <= 20 + numbers.workers + 3, "{numbers:?}");
    }
}

fn kvmsg(mut input: Input<'_>) {
    let format = input.pick(&[Format::Simple, Format::Full]);
    if let Ok(message) = KvMsg::from_multipart(format, input.parts()) {
        let _ = (message.ttl().is_ok(), message.properties().count(), format!("{message:?}"));
        let frames = message.into_multipart(format);
        let again = KvMsg::from_multipart(format, frames.clone()).expect("a message that was read can be read again");
        assert_eq!(again.into_multipart(format), frames);
    }
    let _ = RequestId::parse(input.0);
}

struct World {
    queue: Queue<'static>,
    workers: Socket<'static, Dealer>,
    clients: Socket<'static, Dealer>,
    server: Server<'static>,
    asker: Socket<'static, Dealer>,
}

impl World {
    fn new() -> World {
        let context = Context::new().unwrap();
        let bound = |name: &str| {
            let socket = context.owned_socket(Router).unwrap();
            socket.bind(name).unwrap();
            socket
        };
        let connected = |name: &str| {
            let socket = context.owned_socket(Dealer).unwrap();
            socket.connect(name).unwrap();
            socket
        };
        let (frontend, backend) = (bound("inproc://frontend"), bound("inproc://backend"));
        let server = bound("inproc://server");
        server.set_rcvtimeo(DEADLINE).unwrap();
        World {
            queue: Queue::paranoid(frontend, backend).unwrap().max_workers(10),
            workers: connected("inproc://backend"),
            clients: connected("inproc://frontend"),
            server: Server::new(server).unwrap(),
            asker: connected("inproc://server"),
        }
    }

    fn pirate(&mut self, mut input: Input<'_>) {
        while !input.is_empty() {
            let socket = if input.byte() % 2 == 0 { &self.workers } else { &self.clients };
            let parts = message(&mut input);
            if !parts.is_empty() {
                let _ = socket.now().send_multipart(parts).unwrap();
            }
            self.queue.run_once(Duration::ZERO, |event| drop(format!("{event:?}"))).unwrap();
        }
        for socket in [&self.workers, &self.clients] {
            while socket.now().recv_multipart().unwrap().is_some() {}
        }
    }

    fn freelance(&mut self, mut input: Input<'_>) {
        while !input.is_empty() {
            let parts = message(&mut input);
            if !parts.is_empty() {
                self.asker.send_multipart(parts).unwrap();
            }
        }
        self.asker.send_multipart(["last", "request"]).unwrap();
        loop {
            self.server.run_once(|request| request, |event| drop(format!("{event:?}"))).unwrap();
            while let Some(reply) = self.asker.now().recv_multipart().unwrap() {
                if reply.first().is_some_and(|first| *first == "last") {
                    return;
                }
            }
        }
    }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    match input.byte() % 4 {
        0 => broker(input),
        1 => kvmsg(input),
        2 => WORLD.with_borrow_mut(|world| world.pirate(input)),
        _ => WORLD.with_borrow_mut(|world| world.freelance(input)),
    }
});

//! The cost of a request at Majordomo's broker: no frame is copied, and the cost does not depend on the number of workers and
//! services.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::connected;
use common::counting::{Counting, of_thread};
use zmq::{Context, Dealer, Message, Multipart};
use zmq_patterns::majordomo::{Action, Broker, BrokerMachine};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Longer than what libzmq keeps inside a message, and than its receive buffer.
const LENGTHS: [usize; 2] = [100, 100_000];

/// Longer than the broker's copies of frames that wait.
const LONG: usize = 100_000;

/// A frame of its own memory, and the address of that.
fn frame(len: usize) -> (Message, *const u8) {
    let frame = Message::from(vec![b'x'; len]);
    let address = frame.as_ptr();
    (frame, address)
}

fn message(head: &[&[u8]], body: Message) -> Multipart {
    let mut message: Multipart = head.iter().map(|frame| Message::from(*frame)).collect();
    message.push_back(body);
    message
}

/// Over inproc a message keeps its memory, so each frame has its address at the other end too, unless the broker copies it.
#[deadline::test]
fn broker_hands_requests_and_replies_on_without_a_copy() {
    let context = Context::new().unwrap();
    let mut broker = Broker::new(&context).unwrap();
    let endpoint = broker.bind("inproc://broker").unwrap();
    let [worker, client] = [(); 2].map(|()| connected(&context, Dealer, &endpoint));
    let mut serve = || broker.run_once(None, |_| {}).unwrap();
    worker.send_multipart(["", "MDPW01", "\x01", "echo"]).unwrap();
    serve();
    for len in LENGTHS {
        let (body, address) = frame(len);
        client.send_multipart(message(&[b"", b"MDPC01", b"echo"], body)).unwrap();
        serve();
        let request = worker.recv_multipart().unwrap();
        assert_eq!(
            (request.len(), request[5].len(), request[5].as_ptr()),
            (6, len, address),
            "a request of {len} bytes"
        );

        let (body, address) = frame(len);
        worker.send_multipart(message(&[b"", b"MDPW01", b"\x03", &request[3], b""], body)).unwrap();
        serve();
        let reply = client.recv_multipart().unwrap();
        assert_eq!((reply.len(), reply[3].len(), reply[3].as_ptr()), (4, len, address), "a reply of {len} bytes");
    }
}

/// A request that waits is the one exception: its short frames would keep libzmq's receive buffer.
#[deadline::test]
fn broker_copies_only_short_frames_of_requests_that_wait() {
    let context = Context::new().unwrap();
    let mut broker = Broker::new(&context).unwrap();
    let endpoint = broker.bind("inproc://broker").unwrap();
    let [worker, client] = [(); 2].map(|()| connected(&context, Dealer, &endpoint));
    let [short, long] = [frame(100), frame(LONG)];
    let mut request = message(&[b"", b"MDPC01", b"echo"], short.0);
    request.push_back(long.0);
    client.send_multipart(request).unwrap();
    broker.run_once(None, |_| {}).unwrap();
    worker.send_multipart(["", "MDPW01", "\x01", "echo"]).unwrap();
    broker.run_once(None, |_| {}).unwrap();
    let request = worker.recv_multipart().unwrap();
    assert_eq!((request[5].len(), request[5].as_ptr() == short.1), (100, false));
    assert_eq!((request[6].len(), request[6].as_ptr() == long.1), (LONG, true));
}

/// A machine with idle workers, and the service of the one that is asked.
struct Full {
    machine: BrokerMachine,
    actions: Vec<Action>,
    now: Instant,
    services: usize,
}

impl Full {
    /// Each of the services has as many of the workers.
    fn new(workers: usize, services: usize) -> Full {
        let (machine, actions, now) = (BrokerMachine::new(), Vec::new(), Instant::now());
        let mut full = Full { machine, actions, now, services };
        for worker in 0..workers {
            let (id, service) = (format!("worker {worker}"), format!("service {}", worker % services));
            full.take([&*id, "", "MDPW01", "\x01", &service].into());
        }
        let numbers = full.machine.statistics();
        assert_eq!((numbers.workers, numbers.services), (workers, services));
        full
    }

    /// Gives the machine a message, as a broker does. Returns the message that it sends; `None` if its one action is another.
    fn take(&mut self, message: Multipart) -> Option<Multipart> {
        self.actions.clear();
        self.machine.on_message(self.now, message, &mut self.actions);
        self.machine.on_tick(self.now, &mut self.actions);
        assert!(self.machine.next_tick().is_some_and(|tick| tick > self.now));
        assert_eq!(self.actions.len(), 1, "more than one action for one message, or none");
        match self.actions.pop() {
            Some(Action::Send(message)) => Some(message),
            _ => None,
        }
    }

    /// A request and its reply, of the service in the middle.
    fn ask(&mut self) {
        let service = format!("service {}", self.services / 2);
        let mut request = self.take(["client", "", "MDPC01", &service, "Hello"].into()).unwrap();
        request[3] = "\x03".into();
        // The reply to the worker's request has its frames: the worker, the envelope, REPLY, the client and the body.
        let reply = self.take(request).unwrap();
        assert_eq!(reply, ["client", "", "MDPC01", &service, "Hello"]);
    }

    /// The allocations of a thousand requests.
    fn allocations(&mut self) -> usize {
        let before = of_thread();
        (0..1000).for_each(|_| self.ask());
        of_thread() - before
    }

    /// The shortest time of a request. Other load of the machine makes no request faster.
    fn shortest(&mut self) -> Duration {
        let once = |_| {
            let start = Instant::now();
            self.ask();
            start.elapsed()
        };
        (0..2000).map(once).min().unwrap()
    }
}

#[deadline::test]
fn request_costs_the_broker_the_same_with_many_workers_and_services() {
    const MANY: usize = 20_000;
    let mut one = Full::new(1, 1);
    let (allocations, time) = (one.allocations(), one.shortest());
    for (workers, services) in [(MANY, 1), (MANY, MANY), (MANY, MANY / 10)] {
        let mut many = Full::new(workers, services);
        let with = format!("{workers} workers of {services} services");
        let counted = many.allocations();
        // The list of idle workers needs a new node of its map for each sixth worker.
        assert!(counted <= allocations + allocations / 8, "{counted} allocations with {with}, {allocations} with one");
        // A walk over all of them takes a hundred times as long. The ordered maps and the processor's caches take some times one.
        let shortest = many.shortest();
        println!("{counted} allocations and {shortest:?} with {with}, {allocations} and {time:?} with one");
        assert!(shortest < 10 * time, "{shortest:?} with {with}, {time:?} with one");
    }
}

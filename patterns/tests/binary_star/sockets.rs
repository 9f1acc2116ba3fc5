//! Nodes, clients and a witness over sockets, each node in a thread with a context of its own.

use std::cell::{Cell, RefCell};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::Type;
use zmq::{Context, Errno, Pub, Rep, Router, Sub};
use zmq_patterns::binary_star::{
    BinaryStar, BinaryStarError, Client, Conflict, Event, Reason, Role, Statistics, Timing, Witness, WitnessEvent,
};
use zmq_patterns::{Ended, ReactorError, TryEvent};

use crate::common::{self, DEADLINE, HeldPort, PATIENCE, eventually};

/// A busy machine must not keep a node from its peer for two heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(200 * PATIENCE as u64);

/// The endpoints of a pair: for states and for requests, and those by which the nodes hear each other.
struct Place {
    _ports: Vec<HeldPort>,
    states: [String; 2],
    remotes: [String; 2],
    services: [String; 2],
    witness: Option<String>,
    heartbeat: Duration,
}

impl Place {
    fn new() -> Place {
        let ports: Vec<HeldPort> = (0..5).map(|_| HeldPort::new(Type::STREAM, Ipv4Addr::LOCALHOST)).collect();
        let endpoint = |index: usize| format!("tcp://{}", ports[index].address());
        Place {
            states: [endpoint(0), endpoint(1)],
            remotes: [endpoint(1), endpoint(0)],
            services: [endpoint(2), endpoint(3)],
            witness: None,
            heartbeat: HEARTBEAT,
            _ports: ports,
        }
    }

    fn with_witness() -> Place {
        let mut place = Place::new();
        place.witness = Some(format!("tcp://{}", place._ports[4].address()));
        place
    }

    fn client(&self) -> Client {
        let context = Context::new().unwrap();
        Client::new(&context, &self.services[0], &self.services[1]).timeout(2 * HEARTBEAT).settle(HEARTBEAT).tries(100)
    }
}

type Outcome = Result<Ended, BinaryStarError>;

/// A node in a thread, which answers each request by the request and its own role.
struct Node {
    context: Context,
    thread: JoinHandle<(Outcome, Statistics)>,
    events: Receiver<Event>,
}

impl Node {
    fn start(place: &Place, index: usize) -> Node {
        Node::with_role(place, index, [Role::Primary, Role::Backup][index])
    }

    fn with_role(place: &Place, index: usize, role: Role) -> Node {
        let context = common::context();
        let (sender, events) = channel();
        let [state, remote, service] = [&place.states, &place.remotes, &place.services].map(|of| of[index].clone());
        let (own, witness, heartbeat) = (context.clone(), place.witness.clone(), place.heartbeat);
        let thread = thread::spawn(move || {
            let frontend = own.socket(Router).unwrap();
            frontend.bind(&service).unwrap();
            let mut node = BinaryStar::new(&own, role, state, remote)
                .unwrap()
                .timing(Timing::new(heartbeat))
                .with(|socket| socket.set_reconnect_ivl(Some(Duration::from_millis(10))));
            if let Some(witness) = witness {
                node = node.witness(witness);
            }
            node.on_event(|event| sender.send(*event).unwrap_or_default());
            node.voter(&frontend, |_, mut request| {
                request.push_back(role.to_string());
                Ok(frontend.send_multipart(request)?)
            })
            .unwrap();
            (node.run(), node.statistics())
        });
        Node { context, thread, events }
    }

    fn wait_for(&self, wanted: Event) {
        loop {
            let event = self.events.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("{wanted:?} never comes"));
            if event == wanted {
                return;
            }
        }
    }

    /// Ends the node as if its process had died.
    fn kill(self) -> Statistics {
        self.context.shutdown().unwrap();
        let (outcome, statistics) = self.thread.join().unwrap();
        assert_eq!(outcome.unwrap(), Ended::Terminated);
        statistics
    }

    fn conflict(self) -> Conflict {
        match self.thread.join().unwrap().0 {
            Err(BinaryStarError::Conflict(conflict)) => conflict,
            other => panic!("{other:?}"),
        }
    }
}

/// A witness in a thread.
struct Running(Context, JoinHandle<()>);

impl Running {
    fn start(place: &Place) -> Running {
        let context = common::context();
        let (own, endpoint) = (context.clone(), place.witness.clone().unwrap());
        let lease = 2 * place.heartbeat;
        let thread = thread::spawn(move || {
            let mut witness = Witness::new(&own, endpoint).lease(lease);
            witness.run(|event| assert!(matches!(event, WitnessEvent::Bound(_)), "{event:?}")).unwrap();
        });
        Running(context, thread)
    }

    fn kill(self) {
        self.0.shutdown().unwrap();
        self.1.join().unwrap();
    }
}

/// A link from the publisher of one node to the subscriber of the other, which can be cut.
fn link(from: &str, is_cut: &Arc<AtomicBool>) -> String {
    let context = common::context();
    let publisher = context.owned_socket(Pub).unwrap();
    let endpoint = publisher.bind(common::TCP).unwrap();
    let subscriber = context.owned_socket(Sub).unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect(from).unwrap();
    let is_cut = is_cut.clone();
    thread::spawn(move || {
        while let Ok(message) = subscriber.recv_multipart() {
            if !is_cut.load(Ordering::SeqCst) {
                publisher.send_multipart(message).unwrap();
            }
        }
    });
    endpoint
}

/// Asks once, and returns the role of the node that answers.
fn ask(client: &mut Client, number: usize) -> String {
    let reply = client.request(number.to_string()).unwrap();
    assert_eq!((reply.len(), &reply[0]), (2, &number.to_string().into()));
    reply[1].to_str().unwrap().to_owned()
}

/// Runs a pair until both nodes have their states.
fn pair(place: &Place) -> [Node; 2] {
    let nodes = [Node::start(place, 0), Node::start(place, 1)];
    nodes[0].wait_for(Event::Active(Reason::BackupReady));
    nodes[1].wait_for(Event::Passive(Role::Primary));
    nodes
}

fn fail_over_and_back(place: &Place) {
    let [primary, backup] = pair(place);
    let mut client = place.client();
    assert_eq!(ask(&mut client, 1), "primary");
    primary.kill();
    assert_eq!(ask(&mut client, 2), "backup");
    backup.wait_for(Event::Active(Reason::Failover));

    // The primary comes back, and is passive.
    let primary = Node::start(place, 0);
    primary.wait_for(Event::Passive(Role::Backup));
    for number in 3..10 {
        assert_eq!(ask(&mut client, number), "backup");
    }
    backup.kill();
    assert_eq!(ask(&mut client, 10), "primary");
    primary.wait_for(Event::Active(Reason::Failover));
    primary.kill();
}

#[deadline::test]
fn nodes_take_over_from_each_other() {
    fail_over_and_back(&Place::new());
}

#[deadline::test]
fn nodes_with_a_witness_take_over_from_each_other() {
    let place = Place::with_witness();
    let witness = Running::start(&place);
    fail_over_and_back(&place);
    witness.kill();
}

/// The peer restarts so fast that no client noticed it: the passive node takes over at once.
#[deadline::test]
fn passive_node_takes_over_from_a_peer_that_restarts() {
    let place = Place::new();
    let [primary, backup] = pair(&place);
    primary.kill();
    let primary = Node::start(&place, 0);
    backup.wait_for(Event::Active(Reason::PeerRestarted(Role::Primary)));
    primary.wait_for(Event::Passive(Role::Backup));
}

#[deadline::test]
fn primary_serves_alone_and_a_backup_does_not() {
    let place = Place::new();
    let backup = Node::start(&place, 1);
    let mut client = place.client().tries(6);
    let failed = client.request("x").unwrap_err();
    assert_eq!(failed.errno(), Errno::EAGAIN);
    assert_eq!(failed.into_request(), ["x"]);
    assert!(backup.kill().refused >= 3);

    let primary = Node::start(&place, 0);
    assert_eq!(ask(&mut client.tries(None), 1), "primary");
    primary.wait_for(Event::Active(Reason::Alone));
}

#[deadline::test]
fn nodes_of_the_same_role_end() {
    for role in [Role::Primary, Role::Backup] {
        let place = Place::new();
        let nodes = [0, 1].map(|index| Node::with_role(&place, index, role));
        eventually("a node ends", || nodes.iter().any(|node| node.thread.is_finished()));
        let ended = nodes.into_iter().find(|node| node.thread.is_finished()).unwrap();
        assert_eq!(ended.conflict(), Conflict::SameRole(role));
    }
}

/// A peer that sends garbage is no peer: it is dropped, and does not keep the primary from serving alone.
#[deadline::test]
fn garbage_from_the_peer_is_counted_and_dropped() {
    let place = Place::new();
    let context = common::context();
    let peer = common::bound(&context, Pub, &place.states[1]);
    let primary = Node::start(&place, 0);
    let sending = Arc::new(AtomicBool::new(true));
    let still = sending.clone();
    let sender = thread::spawn(move || {
        while still.load(Ordering::SeqCst) {
            for garbage in
                [vec![""], vec!["0"], vec!["33"], vec!["3", ""], vec!["3", "", "", ""], vec!["nonsense"; 100]]
            {
                peer.send_multipart(garbage).unwrap();
            }
            peer.send(vec![b'3'; 1 << 20]).unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        peer
    });
    primary.wait_for(Event::MalformedState);
    assert_eq!(ask(&mut place.client(), 1), "primary");
    sending.store(false, Ordering::SeqCst);
    // A state after the garbage is understood. The PUB drops it while the primary has not read the garbage.
    let peer = sender.join().unwrap();
    eventually("the primary ends", || {
        peer.send("3").unwrap();
        primary.thread.is_finished()
    });
    primary.wait_for(Event::Conflict(Conflict::BothActive));
    let (outcome, statistics) = primary.thread.join().unwrap();
    assert!(matches!(outcome, Err(BinaryStarError::Conflict(Conflict::BothActive))));
    assert!(statistics.malformed >= 7 && statistics.states == 1, "{statistics:?}");
}

/// Two nodes alone cannot decide which one serves if their link is cut while clients reach both.
#[deadline::test]
fn both_nodes_serve_when_their_link_is_cut_and_no_witness_is_there() {
    let mut place = Place::new();
    let is_cut = Arc::new(AtomicBool::new(false));
    place.remotes = [link(&place.states[1], &is_cut), link(&place.states[0], &is_cut)];
    let [primary, backup] = pair(&place);
    is_cut.store(true, Ordering::SeqCst);
    let only = |index: usize| {
        let endpoint = &place.services[index];
        Client::new(&Context::new().unwrap(), endpoint, endpoint).timeout(2 * HEARTBEAT).settle(HEARTBEAT)
    };
    let (mut here, mut there) = (only(0), only(1));
    assert_eq!(ask(&mut there, 1), "backup");
    for number in 2..10 {
        assert_eq!(ask(&mut here, number), "primary");
        assert_eq!(ask(&mut there, number), "backup");
    }
    // The link is back: one of them notices it, and ends.
    is_cut.store(false, Ordering::SeqCst);
    eventually("a node ends", || primary.thread.is_finished() || backup.thread.is_finished());
    let ended = [primary, backup].into_iter().find(|node| node.thread.is_finished()).unwrap();
    assert_eq!(ended.conflict(), Conflict::BothActive);
}

#[deadline::test]
fn witness_lets_one_node_serve_when_their_link_is_cut() {
    let mut place = Place::with_witness();
    // A busy machine must not keep the primary from the witness for two heartbeats.
    place.heartbeat = 4 * HEARTBEAT;
    let is_cut = Arc::new(AtomicBool::new(false));
    place.remotes = [link(&place.states[1], &is_cut), link(&place.states[0], &is_cut)];
    let witness = Running::start(&place);
    let [primary, backup] = pair(&place);
    is_cut.store(true, Ordering::SeqCst);
    let endpoint = &place.services[1];
    let context = Context::new().unwrap();
    let mut stuck = Client::new(&context, endpoint, endpoint).timeout(HEARTBEAT).settle(HEARTBEAT).tries(8);
    assert_eq!(stuck.request("1").unwrap_err().errno(), Errno::EAGAIN);
    assert_eq!(ask(&mut place.client(), 2), "primary");

    // The primary dies, and the witness knows it.
    assert!(primary.kill().leases > 0);
    assert_eq!(ask(&mut stuck.tries(100), 3), "backup");
    backup.kill();
    witness.kill();
}

/// The pair goes on without the witness. The death of a node stops the other one then, until the witness is back.
#[deadline::test]
fn pair_goes_on_without_its_witness_until_a_node_dies() {
    let place = Place::with_witness();
    let witness = Running::start(&place);
    let [primary, backup] = pair(&place);
    witness.kill();
    let mut client = place.client();
    for number in 0..5 {
        thread::sleep(HEARTBEAT);
        ask(&mut client, number);
    }
    backup.kill();
    primary.wait_for(Event::SteppedDown);
    let witness = Running::start(&place);
    assert_eq!(ask(&mut client, 10), "primary");
    primary.kill();
    witness.kill();
}

#[deadline::test]
fn witness_drops_malformed_requests() {
    let context = common::context();
    let (sender, events) = channel();
    let own = context.clone();
    let serving = thread::spawn(move || {
        let mut witness = Witness::new(&own, common::TCP);
        witness.run(|event| sender.send(event.clone()).unwrap()).unwrap();
        witness.malformed()
    });
    let WitnessEvent::Bound(endpoint) = events.recv().unwrap() else { panic!("it is not bound") };
    let node = common::connected(&context, zmq::Dealer, &endpoint);
    for garbage in [vec![""], vec!["BSW01"], vec!["BSW01", "", ""], vec!["BSW02", "0123456789abcdef"]] {
        node.send_multipart(garbage).unwrap();
        assert_eq!(events.recv().unwrap(), WitnessEvent::Malformed);
    }
    // It has just started, and refuses.
    node.send_multipart(["BSW01", "0123456789abcdef"]).unwrap();
    assert_eq!(node.recv_multipart().unwrap(), ["BSW01", "0123456789abcdef\0\0\0\0"]);
    context.shutdown().unwrap();
    assert_eq!(serving.join().unwrap(), 4);
}

#[deadline::test]
fn client_counts_and_reports_what_is_no_reply() {
    let context = common::context();
    let server = common::bound(&context, Router, "inproc://primary");
    let (sender, events) = channel();
    let mut client =
        Client::new(&context, "inproc://primary", "inproc://backup").timeout(DEADLINE).on_try(move |event| {
            if let TryEvent::Malformed { message, .. } = event {
                sender.send((*message).clone()).unwrap();
            }
        });
    let asking = thread::spawn(move || (client.request("x").unwrap(), client.malformed()));
    let id = server.recv_multipart().unwrap().pop_front().unwrap();
    for frames in [&["garbage"][..], &["", "reply"]] {
        let mut message = zmq::Multipart::from(frames);
        message.push_front(&id);
        server.send_multipart(message).unwrap();
    }
    assert_eq!(asking.join().unwrap(), (zmq::Multipart::from("reply"), 1));
    assert_eq!(events.iter().collect::<Vec<_>>(), [zmq::Multipart::from("garbage")]);
}

#[deadline::test]
fn handlers_are_called_when_the_node_becomes_active_and_passive() {
    let place = Place::new();
    let context = common::context();
    let peer = common::bound(&context, Pub, &place.states[1]);
    let changes = RefCell::new(Vec::new());
    let mut node = BinaryStar::new(&context, Role::Primary, &place.states[0], &place.remotes[0])
        .unwrap()
        .timing(Timing::new(HEARTBEAT));
    node.reactor()
        .every(Duration::from_millis(20), |_, _| Ok(peer.send(if changes.borrow().is_empty() { "2" } else { "3" })?))
        .unwrap();
    node.on_active(|_| {
        changes.borrow_mut().push("active");
        Ok(())
    });
    node.on_passive(|_| {
        changes.borrow_mut().push("passive");
        Err("enough".into())
    });
    // The peer becomes active too: the guide's nodes end then. The second run begins anew.
    assert!(matches!(node.run(), Err(BinaryStarError::Conflict(Conflict::BothActive))));
    match node.run() {
        Err(BinaryStarError::Loop(ReactorError::Handler { source, .. })) => assert_eq!(source.to_string(), "enough"),
        other => panic!("{other:?}"),
    }
    drop(node);
    assert_eq!(changes.into_inner(), ["active", "passive"]);
}

#[deadline::test]
fn taken_endpoint_is_an_error_of_setup() {
    let context = common::context();
    let taken = common::bound(&context, Rep, "inproc://taken");
    let mut node = BinaryStar::new(&context, Role::Backup, "inproc://taken", "inproc://peer").unwrap();
    for _ in 0..2 {
        match node.run() {
            Err(BinaryStarError::Setup(error)) => assert_eq!(error.errno(), Errno::EADDRINUSE),
            other => panic!("{other:?}"),
        }
    }
    let failed = Witness::new(&context, "inproc://taken").run(|_| {}).unwrap_err();
    assert_eq!(failed.errno(), Errno::EADDRINUSE);
    drop(taken);
}

/// A handler that takes too long: the node steps down, since its peer may have taken over.
#[deadline::test]
fn node_whose_handler_takes_too_long_steps_down() {
    let context = common::context();
    let frontend = common::bound(&context, Router, "inproc://requests");
    let client = common::connected(&context, zmq::Dealer, "inproc://requests");
    let passive = Cell::new(false);
    let mut slow = BinaryStar::new(&context, Role::Primary, "inproc://slow", "inproc://nobody")
        .unwrap()
        .timing(Timing::new(HEARTBEAT));
    slow.on_active(|reactor| {
        reactor.after(Duration::ZERO, |_, _| {
            thread::sleep(2 * HEARTBEAT);
            Ok(())
        });
        Ok(())
    });
    slow.on_passive(|reactor| {
        passive.set(true);
        reactor.stop();
        Ok(())
    });
    slow.voter(&frontend, |_, _| Ok(())).unwrap();
    slow.reactor().every(HEARTBEAT / 2, |_, _| Ok(client.send("vote")?)).unwrap();
    assert_eq!(slow.run().unwrap(), Ended::Stopped);
    drop(slow);
    assert!(passive.get());
}

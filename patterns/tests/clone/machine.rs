//! The machines under arbitrary losses, repetitions, delays and deaths.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;
use zmq::Multipart;
use zmq_patterns::clone::machine::{ClientMachine, Piece, ServerAction, ServerMachine};
use zmq_patterns::clone::{Format, KvMsg, Model};

use crate::world::{CLIENTS, KEYS, Queue, World};

/// The longest that a server may stand still after the other one has become active, in milliseconds: it must answer within the
/// expiry time.
const LONGEST_STANDING: u64 = 1400;

/// The pair makes a server active after such a silence of the other one at least.
const SHORTEST_SILENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
enum Step {
    Set(usize, usize, Option<u64>),
    Deliver(usize, usize),
    Lose(usize),
    Repeat(usize),
    /// The connection of a subscriber is cut, with what is on its way, or made.
    Cut(usize, usize),
    Connect(usize, usize),
    Pass(u64),
    Run(u64),
    /// The active server dies, and the other one of a pair takes over, if it has the map. A server alone comes back.
    Kill,
    Restart,
    /// The active server stands still, and the other one takes over. It may have been started just before, and have got a few
    /// messages of the snapshot. The first one goes on after some milliseconds, and handles some messages before it knows.
    Stand {
        is_new: bool,
        messages: usize,
        time: u64,
        late: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (client, server) = (|| 0..CLIENTS, || 0..2_usize);
    prop_oneof![
        8 => (client(), 0..KEYS.len(), prop::option::weighted(0.3, 1..4_u64))
            .prop_map(|(client, key, ttl)| Step::Set(client, key, ttl)),
        16 => (0..usize::MAX, 1..6_usize).prop_map(|(queue, count)| Step::Deliver(queue, count)),
        2 => (0..usize::MAX).prop_map(Step::Lose),
        2 => (0..usize::MAX).prop_map(Step::Repeat),
        1 => (client(), server()).prop_map(|(client, server)| Step::Cut(client, server)),
        3 => (client(), server()).prop_map(|(client, server)| Step::Connect(client, server)),
        4 => (0..1500_u64).prop_map(Step::Pass),
        3 => (1..3000_u64).prop_map(Step::Run),
        1 => Just(Step::Kill),
        2 => Just(Step::Restart),
        2 => (any::<bool>(), 0..20_usize, 0..LONGEST_STANDING, 0..4_usize)
            .prop_map(|(is_new, messages, time, late)| Step::Stand { is_new, messages, time, late }),
    ]
}

fn do_step(world: &mut World, step: Step) {
    let queues = Queue::all();
    let pick = |number: usize| queues[number % queues.len()];
    match step {
        Step::Set(client, key, ttl) => world.set(client, key, ttl),
        Step::Deliver(queue, count) => (0..count).for_each(|_| {
            world.deliver(pick(queue));
        }),
        Step::Lose(queue) => world.lose(pick(queue)),
        Step::Repeat(queue) => {
            // Answers of a ROUTER are not repeated: the connection is new for each request.
            if let Some(queue) = world.queue(pick(queue))
                && let Some(message) = queue.front().cloned()
            {
                queue.push_front(message);
            }
        }
        Step::Cut(client, server) if server < world.servers.len() => {
            world.clients[client].published[server].clear();
            world.subscribe(client, server, false);
        }
        Step::Connect(client, server) if server < world.servers.len() => world.subscribe(client, server, true),
        Step::Pass(milliseconds) => world.pass(Duration::from_millis(milliseconds)),
        Step::Run(milliseconds) => world.run_for(Duration::from_millis(milliseconds)),
        Step::Kill => {
            let Some(active) = world.active() else { return };
            if !world.is_pair() {
                world.kill(active);
            } else if world.servers[1 - active].is_in_sync {
                world.kill(active);
                // The messages of the dead server arrive, or a part of them.
                world.deliver(Queue::ToFollower(active));
                world.queue(Queue::ToFollower(active)).unwrap().clear();
                world.lead(1 - active);
            }
        }
        Step::Restart => {
            for server in 0..world.servers.len() {
                if world.servers[server].machine.is_none() {
                    world.start(server);
                }
            }
        }
        Step::Stand { is_new, messages, time, late } if world.is_pair() => {
            let Some(active) = world.active() else { return };
            let other = 1 - active;
            if is_new || !world.servers[other].is_in_sync {
                world.kill(other);
                world.queue(Queue::ToFollower(other)).unwrap().clear();
                world.start(other);
            }
            for message in 0..messages {
                world.deliver(Queue::Updates(message % CLIENTS, active));
                world.deliver(Queue::ToLeader(other));
                world.deliver(Queue::ToFollower(active));
            }
            world.servers[active].stands = true;
            world.run_for(SHORTEST_SILENCE);
            world.lead(other);
            world.run_for(Duration::from_millis(time));
            world.servers[active].stands = false;
            for _ in 0..late {
                for client in 0..CLIENTS {
                    world.deliver(Queue::Updates(client, active));
                }
                world.deliver(Queue::ToLeader(other));
            }
            world.server(active, |machine, now, actions| machine.on_passive(now, actions));
            world.run_for(Duration::from_secs(1));
            assert!(world.active().is_some(), "the other server has not got the map");
        }
        _ => {}
    }
}

fn check(servers: usize, steps: Vec<Step>) {
    let mut world = World::new(servers);
    for step in steps {
        do_step(&mut world, step);
    }
    do_step(&mut world, Step::Restart);
    world.run_for(Duration::from_secs(25));
    world.check_maps();
    world.check_commits();
    assert!(world.clients.iter().all(|client| client.machine.unconfirmed() == 0));
    // All times to live are over.
    let active = world.servers[world.active().unwrap()].machine.as_ref().unwrap();
    assert!(active.map().messages().all(|message| message.property("ttl").is_none()), "{:?}", active.map());
    let gaps: u64 = world.clients.iter().map(|client| client.machine.statistics().gaps).sum();
    world.run_for(Duration::from_secs(4));
    let later: u64 = world.clients.iter().map(|client| client.machine.statistics().gaps).sum();
    assert_eq!(gaps, later, "snapshots are asked for without end");
}

/// Few cases in the gate. `PROPTEST_CASES=1000` runs more.
fn config() -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { ProptestConfig { cases: 48, ..default } }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn clients_have_the_map_of_a_server_after_losses_and_restarts(steps in prop::collection::vec(step(), 0..150)) {
        check(1, steps);
    }

    #[test]
    fn pair_loses_no_published_update(steps in prop::collection::vec(step(), 0..150)) {
        check(2, steps);
    }

    /// Whatever arrives, the machines go on, and keep no message that is none.
    #[test]
    fn machines_take_any_frames(messages in prop::collection::vec((0..6_u8, frames()), 0..60)) {
        let now = Instant::now();
        let mut server = ServerMachine::new(Model::Six, now, SystemTime::UNIX_EPOCH, [1; 16]);
        let mut passive = ServerMachine::new(Model::Six, now, SystemTime::UNIX_EPOCH, [2; 16])
            .in_pair(Duration::from_secs(2));
        passive.on_passive(now, &mut VecDeque::new());
        let mut client = ClientMachine::new(Model::Six, 3);
        client.on_connect(now, &mut VecDeque::new());
        for (place, frames) in messages {
            let (mut actions, mut done) = (VecDeque::new(), VecDeque::new());
            let message: Multipart = frames.into();
            match place {
                0 => server.on_update(now, message, &mut actions),
                1 => server.on_request(message, &mut actions),
                2 => server.on_subscription(message, &mut actions),
                3 => server.on_follower(now, message, &mut actions),
                4 => client.on_snapshot(now, 0, message, &mut done),
                _ => client.on_published(now, 0, message, &mut done),
            }
            passive.on_leader(now, Multipart::from(["no", "ENTRY"]), &mut actions);
        }
    }
}

fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let frame = prop_oneof![
        Just(vec![]),
        Just(b"ICANHAZ?".to_vec()),
        Just(b"KTHXBAI".to_vec()),
        Just(b"HUGZ".to_vec()),
        Just(b"COUNT:/a/".to_vec()),
        Just(b"FOLLOW".to_vec()),
        Just(b"ttl=x\n".to_vec()),
        Just(vec![255; 8]),
        Just(vec![7; 16]),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(frame, 0..7)
}

/// A peer that subscribes to ever more counts does not make the server's memory and heartbeats grow without end.
#[test]
fn server_counts_the_updates_of_few_subtrees() {
    let now = Instant::now();
    let (mut actions, mut server) =
        (VecDeque::new(), ServerMachine::new(Model::Six, now, SystemTime::UNIX_EPOCH, [1; 16]));
    for number in 0..10_100 {
        server.on_subscription(format!("\x01COUNT:{number}/").into(), &mut actions);
    }
    server.on_tick(now + Duration::from_secs(1), &mut actions);
    let is_published = |action: &&ServerAction| matches!(action, ServerAction::Publish(_));
    assert_eq!(actions.iter().filter(is_published).count(), 1 + 10_000);
}

/// The end of a snapshot waits until its client has room, and updates do not wait for it.
#[test]
fn snapshot_does_not_stop_updates_and_keeps_its_end() {
    let now = Instant::now();
    let (mut actions, mut server) =
        (VecDeque::new(), ServerMachine::new(Model::Six, now, SystemTime::UNIX_EPOCH, [1; 16]));
    let update = |key: usize| KvMsg::new(key.to_string(), "value").into_multipart(Format::Full);
    (0..10).for_each(|key| server.on_update(now, update(key), &mut actions));
    server.on_request(["client", "ICANHAZ?", ""].into(), &mut actions);
    let mut keys = Vec::new();
    let mut at = now;
    for round in 0.. {
        at += Duration::from_millis(100);
        actions.clear();
        server.on_update(at, update(5), &mut actions);
        assert!(matches!(actions[0], ServerAction::Publish(_)));
        let Some(piece) = server.next_piece(at) else { break };
        // Every second one has no room.
        let outcome = if round % 2 == 0 { Piece::Refused } else { Piece::Sent };
        server.on_piece(at, outcome);
        if outcome == Piece::Sent {
            keys.push(piece[1].clone());
        }
    }
    assert_eq!(keys.len(), 11);
    assert_eq!(keys[10], "KTHXBAI");
    assert_eq!(server.statistics().snapshots, 1);
}

/// An update that the passive server has got waits until the active one has published it, or a later one of its client.
#[test]
fn passive_server_keeps_an_update_when_another_clients_is_published() {
    let mut world = World::new(2);
    world.set(0, 0, None);
    world.deliver(Queue::Updates(0, 1));
    world.lose(Queue::Updates(0, 0));
    world.set(1, 0, None);
    world.deliver(Queue::Updates(1, 0));
    world.lose(Queue::Updates(1, 1));
    while world.deliver(Queue::ToFollower(0)) || world.deliver(Queue::ToLeader(1)) {}
    assert_eq!(world.published, 1);
    world.kill(0);
    world.lead(1);
    let successor = world.servers[1].machine.as_ref().unwrap();
    assert_eq!((successor.sequence(), successor.map().get(KEYS[0])), (2, Some(&"1".into())));
}

/// A deletion that was not published does not make the server forget the update that set the value.
#[test]
fn server_knows_an_update_after_its_values_end_was_dropped() {
    let mut world = World::new(2);
    world.set(0, 0, Some(1));
    let update = world.queue(Queue::Updates(0, 0)).unwrap().front().unwrap().clone();
    world.run_for(Duration::from_millis(400));
    assert_eq!(world.published, 1);
    for _ in 0..2 {
        world.pass(Duration::from_millis(600));
    }
    world.server(0, |machine, now, actions| {
        assert_eq!((machine.statistics().expired, machine.sequence()), (1, 1));
        machine.on_passive(now, actions);
        let before = machine.statistics().repeated;
        machine.on_update(now, update, actions);
        assert_eq!(machine.statistics().repeated, before + 1);
    });
}

/// A passive server is not given up because the snapshot takes longer than the expiry time.
#[test]
fn passive_server_gets_a_snapshot_that_takes_long() {
    let mut world = World::new(2);
    (0..KEYS.len()).for_each(|key| world.set(0, key, None));
    world.run_for(Duration::from_millis(400));
    world.kill(1);
    world.start(1);
    for _ in 0..30 {
        world.pass(Duration::from_millis(500));
        while world.deliver(Queue::ToLeader(1)) {}
        world.deliver(Queue::ToFollower(0));
    }
    assert!(world.servers[1].is_in_sync);
}

/// A value ends on the server that takes it over, whose clock is another one. The first server has deleted it already, but stood
/// still before it published that.
#[test]
fn value_ends_on_a_server_with_another_clock() {
    let mut world = World::new(2);
    world.set(0, 0, Some(1));
    world.run_for(Duration::from_millis(1));
    world.pass(Duration::from_millis(800));
    do_step(&mut world, Step::Stand { is_new: true, messages: 0, time: 0, late: 0 });
    world.run_for(Duration::from_secs(3));
    let active = world.servers[world.active().unwrap()].machine.as_ref().unwrap();
    assert!(active.map().is_empty(), "{:?}", active.map());
}

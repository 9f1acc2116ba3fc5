//! The machine of a node, without sockets: in a simulated world, and transition by transition.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use zmq::Multipart;
use zmq_patterns::binary_star::{Action, Conflict, Event, Lease, Machine, Reason, Role, State, Timing};

use crate::model::{HEARTBEAT, Rules, Step, Time, World};

const SECOND: Duration = Duration::from_secs(1);

/// Steps, and the time before each.
fn steps(also: impl Strategy<Value = Step> + 'static) -> impl Strategy<Value = Vec<(Time, Step)>> {
    let node = 0..2usize;
    let step = prop_oneof![
        6 => node.clone().prop_map(Step::Request),
        2 => node.clone().prop_map(Step::Crash),
        3 => node.clone().prop_map(Step::Start),
        1 => node.clone().prop_map(Step::Pause),
        2 => node.prop_map(Step::Resume),
        3 => also,
    ];
    let pause = prop_oneof![0..HEARTBEAT / 20, 0..HEARTBEAT, 0..3 * HEARTBEAT];
    vec((pause, step), 1..80)
}

/// Cuts of one direction between a node and its peer or the witness.
fn cuts() -> impl Strategy<Value = Step> {
    (0..2usize, 0..5u8).prop_map(|(node, which)| match which {
        0 => Step::CutLinkTo(node),
        1 => Step::MendLinkTo(node),
        2 => Step::CutToWitness(node),
        3 => Step::CutFromWitness(node),
        _ => Step::MendWitness(node),
    })
}

/// Does the steps. Eager clients ask both nodes all the time besides.
fn happen(world: &mut World, steps: Vec<(Time, Step)>, are_eager: bool) {
    for (time, step) in steps {
        let slices = if are_eager { 1 + time * 10 / HEARTBEAT } else { 1 };
        for _ in 0..slices {
            world.run(time / slices);
            if are_eager {
                world.step(Step::Request(0));
                world.step(Step::Request(1));
            }
        }
        world.step(step);
    }
}

/// Few cases in the gate, which take a second. `PROPTEST_CASES=100000` runs more.
fn config() -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { ProptestConfig { cases: 100, ..default } }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nodes_are_never_both_active_under_the_conditions_of_the_guide(
        most_lost in 0..3u32,
        seed: u64,
        are_eager: bool,
        steps in steps((0..2usize).prop_map(Step::Request)),
    ) {
        let mut world = World::new(Rules::of_the_guide(most_lost), seed);
        happen(&mut world, steps, are_eager);
        world.recovers();
    }

    #[test]
    fn nodes_with_a_witness_are_never_both_active(
        longest_delay in prop_oneof![0..HEARTBEAT / 4, 0..2 * HEARTBEAT, 0..10 * HEARTBEAT],
        speeds in [980..1020u64, 980..1020u64, 980..1020u64],
        seed: u64,
        are_eager: bool,
        steps in steps(prop_oneof![
            Just(Step::CrashWitness), Just(Step::StartWitness), Just(Step::CutLink), Just(Step::MendLink), cuts()
        ]),
    ) {
        let mut world = World::new(Rules::of_a_witness(longest_delay, speeds), seed);
        happen(&mut world, steps, are_eager);
        world.recovers();
    }

    /// Each direction of the link is cut by itself. Clients ask the other node only when no reply comes.
    #[test]
    fn nodes_are_never_both_active_without_a_witness_if_no_client_reaches_the_passive_one(
        most_lost in 0..3u32,
        seed: u64,
        steps in vec((
            prop_oneof![0..HEARTBEAT / 20, 0..HEARTBEAT, 0..3 * HEARTBEAT],
            prop_oneof![
                6 => Just(Step::Client),
                2 => (0..2usize).prop_map(Step::Crash),
                3 => (0..2usize).prop_map(Step::Start),
                1 => (0..2usize).prop_map(Step::CutLinkTo),
                1 => (0..2usize).prop_map(Step::MendLinkTo),
            ],
        ), 1..80),
    ) {
        let mut world = World::new(Rules { clients_stay: true, ..Rules::of_the_guide(most_lost) }, seed);
        for (time, step) in steps {
            // The client asks all the time, so that it stays with the node that serves.
            for _ in 0..1 + time * 10 / HEARTBEAT {
                world.run(time / (1 + time * 10 / HEARTBEAT));
                world.step(Step::Client);
            }
            world.step(step);
        }
    }

    #[test]
    fn machine_takes_any_message_at_any_time(
        with_witness: bool,
        is_primary: bool,
        calls in vec((0..4u8, 0..4000u64, vec(vec(any::<u8>(), 0..24), 0..4), 0..6u8), 0..60),
    ) {
        let role = if is_primary { Role::Primary } else { Role::Backup };
        let start = Instant::now();
        let mut machine = Machine::new(start, role, Timing::default());
        if with_witness {
            machine = machine.with_witness(7);
        }
        let (mut actions, mut requests, mut messages) = (Vec::new(), 0, 0);
        let mut now = start;
        for (call, time, mut frames, digit) in calls {
            if call == 0 && digit > 0 {
                frames = vec![vec![b'0' + digit]];
            }
            // Times may go back.
            now = now + Duration::from_millis(time) - SECOND.min(now - start) / 2;
            let message = Multipart::from(frames);
            match call {
                0 | 1 if machine.conflict().is_none() => {
                    messages += 1;
                    machine.on_state(now, &message, &mut actions);
                }
                2 => {
                    messages += 1;
                    machine.on_witness(now, &message, &mut actions);
                }
                3 => {
                    requests += 1;
                    let serves = machine.on_request(now, &mut actions);
                    prop_assert_eq!(serves, machine.state() == State::Active && machine.conflict().is_none());
                }
                _ => machine.on_tick(now, &mut actions),
            }
            prop_assert!(actions.len() <= 8, "{:?}", actions);
            actions.clear();
        }
        let counted = machine.statistics();
        prop_assert_eq!(counted.served + counted.refused, requests);
        // No answer of a witness is well-formed here but by an incredible chance.
        prop_assert!(counted.states + counted.malformed + counted.leases >= messages);
    }
}

/// Two nodes alone cannot decide which one serves if clients reach both.
#[test]
fn nodes_without_a_witness_are_both_active_when_their_link_is_cut() {
    let rules = Rules { has_witness: false, ..Rules::of_a_witness(0, [1000; 3]) };
    let rules = Rules { latest_tick: 0, most_lost: None, ..rules };
    let mut world = World::new(rules, 1);
    until_in_pair(&mut world);
    world.step(Step::CutLink);
    world.run(3 * HEARTBEAT);
    world.step(Step::Request(0));
    world.step(Step::Request(1));
    assert_eq!((world.state(0), world.state(1)), (Some(State::Active), Some(State::Active)));
    assert!(world.both_serve());

    // Without any delay, the first node that hears the other one again ends, and the other one goes on. Messages that cross
    // end both.
    world.step(Step::MendLink);
    world.run(10 * HEARTBEAT);
    let conflicts = world.events.iter().filter(|(_, _, event)| *event == Event::Conflict(Conflict::BothActive));
    assert_eq!(conflicts.count(), 1, "{}", world.history());
    world.step(Step::Request(0));
    world.step(Step::Request(1));
    assert!(!world.both_serve());
}

/// One direction of the link is cut. The passive node that hears nothing becomes active by a client's request, and the active
/// one hears that at once and ends. An active node that hears nothing goes on, and the passive one hears it.
#[test]
fn nodes_without_a_witness_notice_a_second_active_node_when_one_direction_is_cut() {
    let pair = || {
        let mut world =
            World::new(Rules { longest_delay: HEARTBEAT / 100, latest_tick: 0, ..Rules::of_the_guide(0) }, 1);
        until_in_pair(&mut world);
        world
    };
    let mut world = pair();
    world.step(Step::CutLinkTo(0));
    for _ in 0..40 {
        world.run(HEARTBEAT / 4);
        world.step(Step::Request(1));
        world.step(Step::Request(0));
    }
    assert_eq!((world.state(0), world.served(0), world.served(1)), (Some(State::Active), 40, 0));
    // The active node dies, and the other one takes over. The first one is started again, and hears nothing of that.
    world.step(Step::Crash(0));
    world.run(3 * HEARTBEAT);
    world.step(Step::Request(1));
    assert_eq!((world.state(1), world.served(1)), (Some(State::Active), 1));

    let mut world = World::new(Rules { clients_stay: true, latest_tick: 0, ..Rules::of_the_guide(0) }, 1);
    until_in_pair(&mut world);
    world.step(Step::CutLinkTo(1));
    world.run(10 * HEARTBEAT);
    // No client has asked the passive node.
    assert_eq!((world.state(0), world.state(1)), (Some(State::Active), Some(State::Passive)));
    assert!(world.events.iter().all(|(_, _, event)| !matches!(event, Event::Conflict(_))));

    let rules = Rules { most_lost: None, has_witness: false, latest_tick: 0, ..Rules::of_a_witness(0, [1000; 3]) };
    let mut world = World::new(rules, 1);
    until_in_pair(&mut world);
    world.step(Step::CutLinkTo(1));
    world.run(3 * HEARTBEAT);
    world.step(Step::Request(1));
    world.run(5 * HEARTBEAT);
    world.step(Step::Request(0));
    world.step(Step::Request(1));
    let conflicts: Vec<_> = world
        .events
        .iter()
        .filter(|(_, _, event)| matches!(event, Event::Conflict(_)))
        .map(|(_, node, _)| *node)
        .collect();
    assert_eq!((conflicts, world.served(0), world.served(1)), (vec![0], 0, 2));
}

/// Each of the six directions between the nodes and the witness is cut or not. Both nodes are never active, and one is as long as
/// it hears, and is heard by, one of the other two.
#[test]
fn witness_keeps_one_node_active_whichever_directions_are_cut() {
    for cut in 0..64_u32 {
        let rules = Rules { latest_tick: 0, most_lost: Some(0), ..Rules::of_a_witness(HEARTBEAT / 100, [1000; 3]) };
        let mut world = World::new(rules, 1);
        until_in_pair(&mut world);
        let steps = [
            Step::CutLinkTo(0),
            Step::CutLinkTo(1),
            Step::CutToWitness(0),
            Step::CutToWitness(1),
            Step::CutFromWitness(0),
            Step::CutFromWitness(1),
        ];
        let is_cut = |step: usize| cut >> step & 1 == 1;
        (0..6).filter(|step| is_cut(*step)).for_each(|step| world.step(steps[step]));
        let ask = |world: &mut World, times: u32| {
            for _ in 0..times {
                world.run(HEARTBEAT / 4);
                world.step(Step::Request(0));
                world.step(Step::Request(1));
            }
        };
        ask(&mut world, 40);
        let before = world.served(0) + world.served(1);
        ask(&mut world, 40);
        let served = world.served(0) + world.served(1) - before;
        let link_works = !is_cut(0) && !is_cut(1);
        let witness_works = |node: usize| !is_cut(2 + node) && !is_cut(4 + node);
        let expected = if link_works || witness_works(0) || witness_works(1) { 40 } else { 0 };
        assert_eq!(served, expected, "{cut:06b}: {}", world.history());
        world.recovers();
    }
}

/// The same with a witness, with each order of the clients' requests.
#[test]
fn witness_keeps_one_node_active_when_the_link_is_cut() {
    for first in 0..2 {
        let rules = Rules { latest_tick: 0, most_lost: Some(0), ..Rules::of_a_witness(HEARTBEAT / 100, [1000; 3]) };
        let mut world = World::new(rules, 1);
        until_in_pair(&mut world);
        world.step(Step::CutLink);
        for _ in 0..40 {
            world.run(HEARTBEAT / 4);
            world.step(Step::Request(first));
            world.step(Step::Request(1 - first));
        }
        assert_eq!((world.state(0), world.state(1)), (Some(State::Active), Some(State::Passive)));
        // The primary dies: the witness lets the backup take over.
        world.step(Step::Crash(0));
        for _ in 0..20 {
            world.run(HEARTBEAT / 4);
            world.step(Step::Request(1));
        }
        assert_eq!(world.state(1), Some(State::Active));
        world.recovers();
    }
}

/// The witness is gone: the pair goes on, a second failure stops it, and it goes on when either is back.
#[test]
fn nodes_whose_witness_is_gone_serve_while_they_hear_each_other() {
    let rules = Rules { latest_tick: 0, most_lost: Some(0), ..Rules::of_a_witness(HEARTBEAT / 100, [1000; 3]) };
    for back in [Step::StartWitness, Step::MendLink] {
        let mut world = World::new(rules, 1);
        until_in_pair(&mut world);
        world.step(Step::CrashWitness);
        let ask = |world: &mut World, times: u32| {
            let before = [world.served(0), world.served(1)];
            for _ in 0..times {
                world.run(HEARTBEAT / 4);
                world.step(Step::Request(0));
                world.step(Step::Request(1));
            }
            [world.served(0) - before[0], world.served(1) - before[1]]
        };
        assert_eq!(ask(&mut world, 40), [40, 0]);
        world.step(Step::CutLink);
        world.run(2 * HEARTBEAT);
        assert_eq!(ask(&mut world, 40), [0, 0]);
        world.step(back);
        let served = ask(&mut world, 40);
        assert!(served.iter().sum::<u64>() >= 15, "{served:?} after {back:?}{}", world.history());
        world.recovers();
    }
}

/// Runs a pair until the primary is active and the backup is passive.
fn until_in_pair(world: &mut World) {
    for _ in 0..40 {
        world.run(HEARTBEAT / 4);
        if (world.state(0), world.state(1)) == (Some(State::Active), Some(State::Passive)) {
            return;
        }
    }
    panic!("{}", world.history());
}

/// A machine, the time, and the actions of the last call.
struct Bench {
    machine: Machine,
    now: Instant,
    actions: Vec<Action>,
}

impl Bench {
    fn new(role: Role) -> Bench {
        let now = Instant::now();
        Bench { machine: Machine::new(now, role, Timing::default()), now, actions: Vec::new() }
    }

    fn with_witness(role: Role) -> Bench {
        let Bench { machine, now, actions } = Bench::new(role);
        Bench { machine: machine.with_witness(7), now, actions }
    }

    /// Lets time pass, with all ticks on time.
    fn run(&mut self, time: Duration) -> &mut Bench {
        let end = self.now + time;
        self.actions.clear();
        while let Some(tick) = self.machine.next_tick().filter(|tick| *tick <= end) {
            self.machine.on_tick(tick, &mut self.actions);
        }
        self.now = end;
        self
    }

    fn hear(&mut self, state: &str) -> &mut Bench {
        self.actions.clear();
        self.machine.on_state(self.now, &Multipart::from([state]), &mut self.actions);
        self
    }

    /// The peer has a witness too, and gives no vote.
    fn hear_marked(&mut self, state: &str) -> &mut Bench {
        self.actions.clear();
        let message = Multipart::from([state.as_bytes(), &[0; 16], b""]);
        self.machine.on_state(self.now, &message, &mut self.actions);
        self
    }

    fn asked(&mut self) -> bool {
        self.actions.clear();
        self.machine.on_request(self.now, &mut self.actions)
    }

    fn published(&self) -> Vec<String> {
        let published = self.actions.iter().filter_map(|action| match action {
            Action::Publish(message) => Some(message[0].as_str().unwrap().to_owned()),
            _ => None,
        });
        published.collect()
    }

    /// The last requests to the witness.
    fn lease_requests(&self) -> Vec<&Multipart> {
        let requests = self.actions.iter().filter_map(|action| match action {
            Action::Ask(request) => Some(request),
            _ => None,
        });
        requests.collect()
    }

    fn events(&self) -> Vec<Event> {
        let events = self.actions.iter().filter_map(|action| match action {
            Action::Report(event) => Some(*event),
            _ => None,
        });
        events.collect()
    }
}

#[test]
fn primary_follows_the_guides_transitions() {
    let mut node = Bench::new(Role::Primary);
    assert_eq!(node.run(SECOND).published(), ["1"]);
    assert_eq!(node.hear("2").events(), [Event::Active(Reason::BackupReady)]);
    assert_eq!(node.published(), ["3"]);
    assert!(node.asked());
    assert_eq!(node.hear("4").events(), []);
    assert_eq!(node.hear("1").events(), []);
    assert_eq!(node.run(3 * SECOND).published(), ["3", "3", "3"]);
    assert_eq!(node.hear("3").events(), [Event::Conflict(Conflict::BothActive)]);
    assert!(!node.asked());
    assert_eq!(node.machine.next_tick(), None);

    let mut node = Bench::new(Role::Primary);
    assert_eq!(node.hear("3").events(), [Event::Passive(Role::Backup)]);
    assert_eq!(node.published(), ["4"]);
    assert!(!node.asked());
}

#[test]
fn backup_follows_the_guides_transitions() {
    let mut node = Bench::new(Role::Backup);
    assert_eq!(node.run(3 * SECOND).published(), ["2", "2", "2"]);
    assert!(!node.asked());
    assert_eq!(node.hear("1").events(), []);
    assert_eq!(node.hear("3").events(), [Event::Passive(Role::Primary)]);
    node.run(2 * SECOND - SECOND / 100);
    assert!(!node.asked());
    node.run(SECOND / 100);
    assert!(node.asked());
    assert_eq!(node.events(), [Event::Active(Reason::Failover)]);
    assert_eq!(node.published(), ["3"]);
    // The primary comes back.
    assert_eq!(node.hear("1").events(), []);
    assert!(node.asked());

    for (digit, role) in [("1", Role::Primary), ("2", Role::Backup)] {
        let mut node = Bench::new(Role::Backup);
        assert_eq!(node.hear("3").run(SECOND).hear(digit).events(), [Event::Active(Reason::PeerRestarted(role))]);
    }
    let mut node = Bench::new(Role::Backup);
    // It has just started: the message may be old.
    assert_eq!(node.hear("3").hear("4").events(), []);
    assert_eq!(node.run(SECOND).hear("4").events(), [Event::Conflict(Conflict::BothPassive)]);
}

#[test]
fn primary_serves_alone_after_the_expiry_time_and_a_backup_does_not() {
    let mut node = Bench::new(Role::Primary);
    node.run(2 * SECOND - SECOND / 100);
    assert!(!node.asked());
    node.run(SECOND / 100);
    assert!(node.asked());
    assert_eq!(node.events(), [Event::Active(Reason::Alone)]);
    assert!(node.asked());
    assert_eq!((node.machine.statistics().served, node.machine.statistics().refused), (2, 1));

    let mut node = Bench::new(Role::Backup);
    node.run(60 * SECOND);
    assert!(!node.asked());
    assert_eq!(node.machine.statistics().refused, 1);
}

#[test]
fn nodes_of_the_same_role_are_a_conflict() {
    for (role, digit) in [(Role::Primary, "1"), (Role::Backup, "2")] {
        let mut node = Bench::new(role);
        assert_eq!(node.run(SECOND).hear(digit).events(), [Event::Conflict(Conflict::SameRole(role))]);
        assert!(!node.asked());
        node.machine.restart(node.now);
        assert_eq!(node.machine.conflict(), None);
        assert_eq!(node.run(SECOND).published(), [digit]);
    }
}

/// The node has stood still: its peer may have taken over, so old messages and requests do not make it active.
#[test]
fn active_node_steps_down_after_it_stood_still() {
    let mut node = Bench::new(Role::Primary);
    node.run(SECOND).hear("2");
    node.now += SECOND * 3 / 2 - Duration::from_millis(1);
    assert!(node.asked());
    node.now += Duration::from_millis(1);
    assert!(!node.asked());
    assert_eq!(node.events(), [Event::SteppedDown]);
    assert_eq!(node.hear("2").published(), Vec::<String>::new());
    assert_eq!(node.machine.state(), State::Primary);
    assert_eq!(node.hear("3").events(), [Event::Passive(Role::Backup)]);
}

/// A backup that was active and has stood still serves alone again, and says nothing that would make a primary active.
#[test]
fn lone_backup_serves_again_after_it_stood_still() {
    let mut node = Bench::new(Role::Backup);
    node.hear("3").run(2 * SECOND);
    assert!(node.asked());
    node.now += 10 * SECOND;
    assert!(!node.asked());
    assert_eq!(node.run(3 * SECOND - SECOND / 100).published(), Vec::<String>::new());
    assert!(!node.asked());
    node.run(SECOND / 100);
    assert!(node.asked());
    assert_eq!(node.events(), [Event::Active(Reason::Alone)]);
}

/// It tells a primary that it hears to lead, and no longer when it may lead itself.
#[test]
fn backup_that_was_active_is_quiet_again_when_its_peer_is_silent() {
    let mut node = Bench::new(Role::Backup);
    node.hear("3").run(2 * SECOND);
    assert!(node.asked());
    node.now += 10 * SECOND;
    assert!(!node.asked());
    assert_eq!(node.run(SECOND).hear("1").published(), ["2"]);
    assert_eq!(node.run(2 * SECOND).published(), ["2"]);
    assert_eq!(node.run(4 * SECOND).published(), Vec::<String>::new());
}

#[test]
fn garbage_is_counted_and_is_no_sign_of_life() {
    let mut node = Bench::new(Role::Backup);
    node.hear("3").run(2 * SECOND - SECOND / 100);
    for garbage in ["", "0", "5", "33", "3\0", " 3", "active"] {
        assert_eq!(node.hear(garbage).events(), [Event::MalformedState]);
    }
    let two = Multipart::from(["3", "3"]);
    node.machine.on_state(node.now, &two, &mut node.actions);
    assert_eq!(node.machine.statistics().malformed, 8);
    node.run(SECOND / 100);
    assert!(node.asked());
    node.machine.on_witness(node.now, &two, &mut node.actions);
    assert_eq!(node.events().last(), Some(&Event::MalformedAnswer));
    assert_eq!(node.machine.statistics().malformed, 9);
}

/// A claim lasts for the expiry time. The witness is asked at once, and at each heartbeat.
#[test]
fn node_with_a_witness_leads_when_the_witness_answers_in_time() {
    let mut node = Bench::with_witness(Role::Primary);
    let mut lease = Lease::new(node.now, 2 * SECOND);
    assert!(!node.run(2 * SECOND).asked());
    let answer = lease.on_request(node.now, node.lease_requests()[0]).unwrap();
    node.now += SECOND / 2;
    node.machine.on_witness(node.now, &answer, &mut node.actions);
    assert_eq!(node.events(), [Event::Active(Reason::Alone)]);
    assert_eq!(node.machine.statistics().leases, 1);
    assert!(node.asked());
    // The lease decides, not an old message of the other node.
    assert_eq!(node.hear_marked("3").events(), []);

    let mut node = Bench::with_witness(Role::Primary);
    assert!(!node.run(2 * SECOND).asked());
    assert_eq!(node.run(4 * SECOND).lease_requests().len(), 1);
}

/// A node that has asked for a lease asks no longer: the witness would grant it to the passive node.
#[test]
fn node_with_a_witness_drops_its_claim_when_it_hears_the_peer() {
    let mut node = Bench::with_witness(Role::Primary);
    assert!(!node.run(2 * SECOND).asked());
    assert_eq!(node.hear_marked("4").run(SECOND).lease_requests().len(), 0);

    let mut node = Bench::with_witness(Role::Backup);
    assert_eq!(node.hear_marked("3").run(SECOND).hear_marked("1").lease_requests().len(), 1);
    assert_eq!(node.hear_marked("3").run(SECOND).lease_requests().len(), 0);
}

#[test]
fn backup_with_a_witness_votes_for_a_primary_and_not_for_a_backup() {
    for (digit, votes) in [("1", 1), ("2", 0)] {
        let mut node = Bench::with_witness(Role::Backup);
        node.run(SECOND).hear_marked(digit);
        let has_vote = |action: &&Action| matches!(action, Action::Publish(message) if !message[2].is_empty());
        assert_eq!(node.actions.iter().filter(has_vote).count(), votes);
    }
}

/// Without a witness, two passive nodes are a conflict.
#[test]
fn passive_node_with_a_witness_steps_down_when_its_peer_is_passive() {
    let mut node = Bench::with_witness(Role::Backup);
    assert_eq!(node.hear_marked("3").run(SECOND).hear_marked("4").events(), [Event::SteppedDown]);
    assert_eq!(node.machine.state(), State::Backup);
}

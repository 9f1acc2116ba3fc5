//! A pair as processes, which are killed, stopped and started at random while clients ask, with a witness and without one.
//! A client is broken too.
//!
//! `ZMQ_BREAK_SECONDS` is the time for each test, `ZMQ_BREAK_SEED` the seed, which each test prints.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use socket2::Type;
use zmq::{Context, Router};
use zmq_patterns::binary_star::{BinaryStar, Client, Role, Timing, Witness};

use crate::common::breaking::{Answered, Victim, end_with_the_test, length, milliseconds, seed, wait_for_answers};
use crate::common::rng::Rng;
use crate::common::{self, HeldPort, Process, alone, eventually, role};

/// Milliseconds. A state message must not take longer than a quarter, also on a busy machine.
const HEARTBEAT: usize = 600;
const INTERVAL: Duration = Duration::from_millis(HEARTBEAT as u64);

/// The roles of the processes.
const PRIMARY: &str = "0";
const WITNESS: &str = "2";
const CLIENT: &str = "client";

/// The id of a process, and how often it has become active.
type Term = (u32, u64);
/// The times of the first and the last answer in each term, in nanoseconds.
type Answers = Arc<Mutex<BTreeMap<Term, (u128, u128)>>>;

fn nanoseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// Runs a child process. Its arguments are its role and all endpoints; the last one is the witness's.
fn child(arguments: &str) {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let [role, states @ .., primary, backup, witness] = &arguments[..] else { panic!("{arguments:?}") };
    match *role {
        CLIENT => ask_until_killed([primary, backup].map(|endpoint| (*endpoint).to_owned())),
        WITNESS => Witness::new(&common::context(), *witness).lease(2 * INTERVAL).run(|_| {}).unwrap(),
        role => {
            let index = usize::from(role != PRIMARY);
            let witness = (*witness != NO_WITNESS).then_some(*witness);
            serve(index, [states[index], states[1 - index]], [primary, backup][index], witness);
        }
    }
}

/// Stands for the endpoint of the witness.
const NO_WITNESS: &str = "-";

/// A node. It prints its events.
fn serve(index: usize, [local, remote]: [&str; 2], endpoint: &str, witness: Option<&str>) {
    let context = common::context();
    let frontend = context.socket(Router).unwrap();
    frontend.bind(endpoint).unwrap();
    let terms = AtomicU64::new(0);
    let mut node = BinaryStar::new(&context, [Role::Primary, Role::Backup][index], local, remote)
        .unwrap()
        .timing(Timing::new(INTERVAL))
        .with(|socket| socket.set_reconnect_ivl(Some(Duration::from_millis(10))));
    if let Some(witness) = witness {
        node = node.witness(witness);
    }
    node.on_event(|event| println!("{event}"));
    node.on_active(|_| {
        terms.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    node.voter(&frontend, |_, mut request| {
        request.push_back(format!("{} {} {}", process::id(), terms.load(Ordering::Relaxed), nanoseconds()));
        Ok(frontend.send_multipart(request)?)
    })
    .unwrap();
    node.run().unwrap();
}

/// Sends a request and returns the term of its answer, and when it was answered.
fn ask_once(client: &mut Client, request: &str) -> (Term, u128) {
    let reply = client.request(request).unwrap();
    assert_eq!((reply.len(), reply[0].as_str()), (2, Some(request)), "a reply to another request");
    let stamp: Vec<u128> = reply[1].to_str().unwrap().split(' ').map(|word| word.parse().unwrap()).collect();
    ((stamp[0] as u32, stamp[1] as u64), stamp[2])
}

fn client([primary, backup]: [String; 2]) -> Client {
    Client::new(&Context::new().unwrap(), primary, backup).timeout(INTERVAL / 2).settle(INTERVAL / 2)
}

/// The process of a client.
fn ask_until_killed(services: [String; 2]) {
    end_with_the_test();
    let (mut client, mut answered) = (client(services), Answered::default());
    for number in 0_u64.. {
        ask_once(&mut client, &format!("{} {number}", process::id()));
        answered.say();
        thread::sleep(PAUSE);
    }
}

/// A client's pause after each answer.
const PAUSE: Duration = Duration::from_millis(5);

/// The processes of a pair, and its clients: two threads, and a process that is broken as well.
struct World {
    /// The primary, the backup, and the witness if there is one.
    servers: Vec<Victim>,
    broken_client: Victim,
    clients: Vec<(JoinHandle<()>, Arc<AtomicU64>)>,
    ends: Arc<AtomicBool>,
    answers: Answers,
    _ports: Vec<HeldPort>,
}

impl World {
    fn start(test: &'static str, has_witness: bool) -> World {
        let ports: Vec<HeldPort> = (0..5).map(|_| HeldPort::new(Type::STREAM, Ipv4Addr::LOCALHOST)).collect();
        let mut endpoints: Vec<String> = ports.iter().map(|port| format!("tcp://{}", port.address())).collect();
        if !has_witness {
            NO_WITNESS.clone_into(&mut endpoints[4]);
        }
        let victim = |role: &str| {
            let role = format!("{role} {}", endpoints.join(" "));
            Victim::new(move || Process::spawn(&mut alone(test, &role)))
        };
        let servers = [PRIMARY, "1", WITNESS].into_iter().take(if has_witness { 3 } else { 2 }).map(victim).collect();
        let (ends, answers) = (Arc::new(AtomicBool::new(false)), Answers::default());
        let asking = |name| {
            let (until, answers, count) = (ends.clone(), answers.clone(), Arc::new(AtomicU64::new(0)));
            let services = [endpoints[2].clone(), endpoints[3].clone()];
            let counted = count.clone();
            let thread = thread::spawn(move || {
                let mut client = client(services);
                while !until.load(Ordering::Relaxed) {
                    let (term, at) = ask_once(&mut client, &format!("{name} {}", count.load(Ordering::Relaxed)));
                    let mut answers = answers.lock().unwrap();
                    let (first, last) = answers.entry(term).or_insert((at, at));
                    (*first, *last) = ((*first).min(at), (*last).max(at));
                    drop(answers);
                    count.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(PAUSE);
                }
            });
            (thread, counted)
        };
        let clients = (0..2).map(asking).collect();
        World { servers, broken_client: victim(CLIENT), clients, ends, answers, _ports: ports }
    }

    /// Waits until the clients that are threads have further answers.
    fn wait_for_answers(&self) {
        let before: Vec<u64> = self.clients.iter().map(|(_, count)| count.load(Ordering::Relaxed)).collect();
        eventually("both clients have answers", || {
            let failed = self.clients.iter().any(|(client, _)| client.is_finished());
            let counts = self.clients.iter().zip(&before);
            failed || counts.into_iter().all(|((_, count), before)| count.load(Ordering::Relaxed) > before + 3)
        });
    }

    /// Waits until all clients have answers again, and ends them and the servers. Checks that no two processes answered at the
    /// same time. Returns the number of terms.
    fn end(mut self) -> usize {
        self.servers.iter_mut().chain([&mut self.broken_client]).for_each(Victim::heal);
        self.wait_for_answers();
        wait_for_answers(self.broken_client.process().unwrap());
        self.broken_client.kill();
        self.ends.store(true, Ordering::Relaxed);
        for (client, _) in self.clients {
            client.join().unwrap();
        }
        // A node that has found a conflict has ended by itself.
        self.servers.iter_mut().for_each(|server| drop(server.kill()));
        let mut terms: Vec<(u128, u128, Term)> =
            self.answers.lock().unwrap().iter().map(|(term, (first, last))| (*first, *last, *term)).collect();
        terms.sort();
        for pair in terms.windows(2) {
            let overlap = pair[0].1.saturating_sub(pair[1].0);
            assert_eq!(overlap, 0, "{:?} and {:?} answered at once", pair[0], pair[1]);
        }
        let kills: Vec<usize> = self.servers.iter().map(Victim::kills).collect();
        println!("{} terms; kills of the servers: {kills:?}, of a client: {}", terms.len(), self.broken_client.kills());
        terms.len()
    }
}

/// Any of the three processes dies or stands still at any time.
///
/// Each wait has a deadline. The test has none, so that it can run for longer.
#[test]
fn pair_with_a_witness_survives_kills_and_stops() {
    if let Some(arguments) = role() {
        return child(&arguments);
    }
    let mut rng = Rng::new(seed("Binary Star with a witness"));
    let mut world = World::start("chaos::pair_with_a_witness_survives_kills_and_stops", true);
    world.wait_for_answers();
    let (begin, time) = (Instant::now(), length(Duration::from_secs(6)));
    while begin.elapsed() < time {
        thread::sleep(milliseconds(&mut rng, 0, 900));
        world.broken_client.do_something(&mut rng);
        let server = &mut world.servers[rng.below(3)];
        match rng.below(3) {
            _ if server.process().is_none() => server.heal(),
            0 => drop(server.kill()),
            1 => {
                server.pause();
                thread::sleep(milliseconds(&mut rng, 0, 1500));
                server.resume();
            }
            _ => {}
        }
    }
    world.end();
}

/// The states of the nodes by the last events that they have printed. `None` for a node that waits, or was broken since.
#[derive(Default, Debug)]
struct Standings([Option<bool>; 2]);

impl Standings {
    /// Waits until one node is active, and the other one knows that.
    fn wait_for_a_pair(&mut self, servers: &[Victim]) {
        eventually("one node is active and one passive", || {
            for (server, is_active) in servers.iter().zip(&mut self.0) {
                while let Some(line) = server.process().unwrap().line_within(Duration::ZERO) {
                    *is_active = line.contains(", ready ").then(|| line.ends_with("active"));
                }
            }
            matches!(self.0, [Some(one), Some(other)] if one != other)
        });
    }
}

/// Without a witness, under the conditions of the module's documentation: the link is whole, one node at a time dies or stands
/// still, and the next one only when both hear each other again. A node that died starts no earlier than after a quarter of a
/// heartbeat.
#[test]
fn pair_without_a_witness_survives_kills_and_stops_of_one_node_at_a_time() {
    if let Some(arguments) = role() {
        return child(&arguments);
    }
    let mut rng = Rng::new(seed("Binary Star without a witness"));
    let test = "chaos::pair_without_a_witness_survives_kills_and_stops_of_one_node_at_a_time";
    let mut world = World::start(test, false);
    let mut standings = Standings::default();
    let (begin, time) = (Instant::now(), length(Duration::from_secs(8)));
    let mut is_first = true;
    while begin.elapsed() < time {
        standings.wait_for_a_pair(&world.servers);
        world.wait_for_answers();
        thread::sleep(milliseconds(&mut rng, 0, HEARTBEAT));
        world.broken_client.do_something(&mut rng);
        // The first one is active, so that a short run has a failover.
        let active = usize::from(standings.0[1] == Some(true));
        let index = if std::mem::take(&mut is_first) { active } else { rng.below(2) };
        let server = &mut world.servers[index];
        if rng.coin() {
            server.kill();
            thread::sleep(milliseconds(&mut rng, HEARTBEAT / 4, 4 * HEARTBEAT));
            server.heal();
        } else {
            server.pause();
            // It then stands still for long enough that it steps down, whether the other node has taken over or not.
            thread::sleep(milliseconds(&mut rng, 2 * HEARTBEAT, 5 * HEARTBEAT));
            server.resume();
        }
        standings.0[index] = None;
        println!("{:>8.3} s: node {index} is back", begin.elapsed().as_secs_f64());
    }
    standings.wait_for_a_pair(&world.servers);
    assert!(world.end() > 1, "no node has taken over");
}

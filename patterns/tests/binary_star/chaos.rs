//! A pair and its witness as processes, which are killed, stopped and started at random while clients ask.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use socket2::Type;
use zmq::{Context, Router};
use zmq_patterns::binary_star::{BinaryStar, Client, Role, Timing, Witness};

use crate::common::rng::{Rng, seed};
use crate::common::{self, HeldPort, Process, alone, eventually, role, signal, variable};

const TEST: &str = "chaos::pair_with_a_witness_survives_kills_and_stops";
const HEARTBEAT: Duration = Duration::from_millis(400);

/// The id of a process, and how often it has become active.
type Term = (u32, u64);
/// The times of the first and the last answer in each term, in nanoseconds.
type Answers = Arc<Mutex<BTreeMap<Term, (u128, u128)>>>;

fn nanoseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// A child process: `0`, `1` or `2`, for the primary, the backup and the witness, and then all endpoints.
fn child(arguments: &str) {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let [number, states @ .., witness] = &arguments[..] else { panic!("{arguments:?}") };
    let context = common::context();
    let index: usize = number.parse().unwrap();
    if index == 2 {
        return Witness::new(&context, *witness).lease(2 * HEARTBEAT).run(|_| {}).unwrap();
    }
    let frontend = context.socket(Router).unwrap();
    frontend.bind(states[2 + index]).unwrap();
    let terms = AtomicU64::new(0);
    let mut node = BinaryStar::new(&context, [Role::Primary, Role::Backup][index], states[index], states[1 - index])
        .unwrap()
        .timing(Timing::new(HEARTBEAT))
        .witness(*witness)
        .with(|socket| socket.set_reconnect_ivl(Some(Duration::from_millis(10))));
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

/// A client that asks until `ends` is set, and counts its answers.
fn ask(services: [String; 2], name: usize, ends: &AtomicBool, count: &AtomicU64, answers: &Answers) {
    let context = Context::new().unwrap();
    let [primary, backup] = services;
    let mut client = Client::new(&context, primary, backup).timeout(HEARTBEAT / 2).settle(HEARTBEAT / 2);
    while !ends.load(Ordering::Relaxed) {
        let request = format!("{name} {}", count.load(Ordering::Relaxed));
        let reply = client.request(request.as_str()).unwrap();
        assert_eq!((reply.len(), reply[0].as_str()), (2, Some(&*request)), "a reply to another request");
        let stamp: Vec<u128> = reply[1].to_str().unwrap().split(' ').map(|word| word.parse().unwrap()).collect();
        let (term, at) = ((stamp[0] as u32, stamp[1] as u64), stamp[2]);
        let mut answers = answers.lock().unwrap();
        let (first, last) = answers.entry(term).or_insert((at, at));
        (*first, *last) = ((*first).min(at), (*last).max(at));
        count.fetch_add(1, Ordering::Relaxed);
        drop(answers);
        thread::sleep(Duration::from_millis(5));
    }
}

/// A random time below this number of milliseconds.
fn milliseconds(rng: &mut Rng, limit: usize) -> Duration {
    Duration::from_millis(rng.below(limit) as u64)
}

/// The times in which two processes answered never overlap. `ZMQ_SEED` and `ZMQ_SECONDS` choose the seed and the time.
///
/// Each wait has a deadline. The test has none, so that it can run for longer.
#[test]
fn pair_with_a_witness_survives_kills_and_stops() {
    if let Some(arguments) = role() {
        return child(&arguments);
    }
    let seed = seed("ZMQ_SEED");
    let time = variable("ZMQ_SECONDS").map_or(Duration::from_secs(6), Duration::from_secs);
    println!("ZMQ_SEED={seed}");
    let mut rng = Rng::new(seed);

    let ports: Vec<HeldPort> = (0..5).map(|_| HeldPort::new(Type::STREAM, Ipv4Addr::LOCALHOST)).collect();
    let endpoints: Vec<String> = ports.iter().map(|port| format!("tcp://{}", port.address())).collect();
    let start = |index: usize| Process::spawn(&mut alone(TEST, &format!("{index} {}", endpoints.join(" "))));
    let mut processes: Vec<Option<Process>> = (0..3).map(|index| Some(start(index))).collect();

    let (ends, answers) = (Arc::new(AtomicBool::new(false)), Answers::default());
    let clients: Vec<_> = (0..2)
        .map(|name| {
            let (ends, answers, count) = (ends.clone(), answers.clone(), Arc::new(AtomicU64::new(0)));
            let services = [endpoints[2].clone(), endpoints[3].clone()];
            let counted = count.clone();
            (thread::spawn(move || ask(services, name, &ends, &count, &answers)), counted)
        })
        .collect();
    let have_answers = || {
        let before: Vec<u64> = clients.iter().map(|(_, count)| count.load(Ordering::Relaxed)).collect();
        eventually("both clients have answers", || {
            let failed = clients.iter().any(|(client, _)| client.is_finished());
            let counts = clients.iter().zip(&before);
            failed || counts.into_iter().all(|((_, count), before)| count.load(Ordering::Relaxed) > before + 3)
        });
    };
    have_answers();

    let begin = Instant::now();
    while begin.elapsed() < time {
        thread::sleep(milliseconds(&mut rng, 900));
        let index = rng.below(3);
        match (rng.below(3), &processes[index]) {
            (0, Some(_)) => processes[index] = None,
            (1, Some(process)) => {
                signal(process.id(), libc::SIGSTOP);
                thread::sleep(milliseconds(&mut rng, 1500));
                signal(process.id(), libc::SIGCONT);
            }
            (_, None) => processes[index] = Some(start(index)),
            _ => {}
        }
    }
    for (index, process) in processes.iter_mut().enumerate() {
        process.get_or_insert_with(|| start(index));
    }
    have_answers();
    ends.store(true, Ordering::Relaxed);
    for (client, _) in clients {
        assert!(client.join().is_ok(), "ZMQ_SEED={seed}");
    }
    drop(processes);

    let mut terms: Vec<(u128, u128, Term)> =
        answers.lock().unwrap().iter().map(|(term, (first, last))| (*first, *last, *term)).collect();
    terms.sort();
    for pair in terms.windows(2) {
        let overlap = pair[0].1.saturating_sub(pair[1].0);
        assert_eq!(overlap, 0, "{:?} and {:?} answered at once: ZMQ_SEED={seed}", pair[0], pair[1]);
    }
}

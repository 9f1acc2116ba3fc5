//! Titanic while its process, the broker and the workers are killed and paused at random.
//!
//! `ZMQ_CHAOS_SECONDS=600 cargo test --test guide_chapter4 titanic_chaos -- --nocapture` runs it for ten minutes.
//! `ZMQ_CHAOS_SEED=SEED` begins with the seed of a round that failed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zmq::Context;
use zmq_patterns::majordomo;
use zmq_patterns::titanic::{Client, RequestId, Stored};

use crate::common::guide::{Directory, Port, interrupt, kill};
use crate::common::rng::{Rng, seed};
use crate::common::{Process, signal, variable, within_deadline};
use crate::majordomo::{broker, starting_worker, worker};
use crate::peers::Side::{C, Rust};
use crate::titanic;

const BEAT: &str = "200";
const ROUND: Duration = Duration::from_secs(6);

/// Its process, the broker and the workers are killed and paused at random moments while requests are stored, delivered, fetched
/// and closed. Everything that it has acknowledged is answered by its own reply.
#[test]
fn titanic_answers_all_that_it_acknowledged_although_processes_are_killed() {
    let time = Duration::from_secs(variable("ZMQ_CHAOS_SECONDS").unwrap_or(ROUND.as_secs()));
    let mut seed = seed("ZMQ_CHAOS_SEED");
    let start = Instant::now();
    while start.elapsed() < time {
        println!("seed {seed}");
        within_deadline(move || round(seed));
        seed += 1;
    }
}

fn round(seed: u64) {
    let mut rng = Rng::new(seed);
    let (port, directory) = (Port::reserve(), Directory::new("titanic-killed"));
    let mut serving_broker = Some(broker(Rust, &port, BEAT));
    let mut workers = [worker(Rust, &port, BEAT, "1"), worker(C, &port, BEAT, "2")].map(Some);
    let endpoint = &port.connect();
    let calm = &AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|client| scope.spawn(move || store(client, endpoint, calm))).collect();
        let start = Instant::now();
        let mut kills = [0; 3];
        let mut pauses = 0;
        let mut serving = titanic::titanic(&port, &directory);
        while start.elapsed() < ROUND {
            thread::sleep(Duration::from_millis(100 + rng.below(900) as u64));
            if rng.one_in(3) {
                let worker = workers[rng.below(2)].as_ref();
                let paused = [Some(&serving), serving_broker.as_ref(), worker][rng.below(3)].map(Process::id);
                paused.into_iter().for_each(|process| signal(process, libc::SIGSTOP));
                // Longer than three heartbeats at times: broker and workers then lose each other.
                thread::sleep(Duration::from_millis(rng.below(700) as u64));
                paused.into_iter().for_each(|process| signal(process, libc::SIGCONT));
                pauses += 1;
                continue;
            }
            let victim = [0, 0, 0, 1, 2][rng.below(5)];
            match victim {
                0 => {
                    kill(serving);
                    serving = titanic::titanic(&port, &directory);
                }
                1 => {
                    // The port is free only when the old process has ended.
                    drop(serving_broker.take().map(kill));
                    serving_broker = Some(broker(Rust, &port, BEAT));
                }
                _ => {
                    let chosen = rng.below(2);
                    drop(workers[chosen].take().map(kill));
                    // It registers when the broker is there again.
                    workers[chosen] = Some(starting_worker([Rust, C][chosen], &port, BEAT, "1"));
                }
            }
            kills[victim] += 1;
        }
        calm.store(true, Ordering::SeqCst);
        let acknowledged: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
        println!(
            "{acknowledged} requests acknowledged and answered; kills of the Titanic, the broker and workers: {kills:?}"
        );
        println!("{pauses} pauses of one of them");
        assert!(acknowledged > 0);
        drop(interrupt(serving));
    });
    drop(serving_broker);
}

/// Stores requests, and closes half of those that are answered early. Returns how many were acknowledged, when all have
/// their reply.
fn store(client: usize, endpoint: &str, calm: &AtomicBool) -> usize {
    let context = Context::new().unwrap();
    let asking = majordomo::Client::new(&context, endpoint).timeout(Duration::from_millis(300)).retries(0);
    let mut asking = Client::from(asking);
    let (mut open, mut acknowledged) = (Vec::<(RequestId, String)>::new(), 0);
    while !calm.load(Ordering::SeqCst) {
        let text = format!("client {client}, request {acknowledged}");
        if let Ok(id) = asking.request("echo", text.as_str()) {
            open.push((id, text));
            acknowledged += 1;
        }
        if acknowledged % 2 == 0
            && let Some((id, text)) = open.first()
            && let Ok(Stored::Answered(reply)) = asking.reply(*id)
        {
            assert_eq!(reply, [text.as_str()]);
            // Whether the answer comes or not, it may be closed.
            let _ = asking.close(*id);
            open.remove(0);
        }
    }
    for (id, text) in open {
        loop {
            match asking.reply(id) {
                Ok(Stored::Answered(reply)) => {
                    assert_eq!(reply, [text.as_str()]);
                    break;
                }
                Ok(Stored::Unknown) => panic!("{id} was acknowledged, and is lost: {text}"),
                Ok(Stored::Pending) | Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }
    acknowledged
}

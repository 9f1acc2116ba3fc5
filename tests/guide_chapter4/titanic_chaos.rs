//! Titanic while its process, the broker, the workers and the clients are killed and paused at random.
//!
//! `ZMQ_BREAK_SECONDS=600 cargo test --test guide_chapter4 titanic_chaos -- --nocapture` runs it for ten minutes.
//! `ZMQ_BREAK_SEED=SEED` begins with the seed of a round that failed.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use zmq::Context;
use zmq_patterns::majordomo;
use zmq_patterns::titanic::{Client, RequestId, Stored};

use crate::common::breaking::{Victim, end_with_the_test, length, milliseconds, seed};
use crate::common::guide::{Directory, Port};
use crate::common::rng::Rng;
use crate::common::{Process, alone, role, within_deadline};
use crate::majordomo::{broker, starting_worker};
use crate::peers::Side::{C, Rust};
use crate::titanic;

const TEST: &str = "titanic_chaos::titanic_answers_all_that_it_acknowledged_although_processes_are_killed";
const BEAT: &str = "200";
const ROUND: Duration = Duration::from_secs(6);
const CLIENTS: usize = 4;

/// The line that a client prints when it has fetched a reply to a request of the process before it.
const FETCHED: &str = "fetched for the process before";

/// Its process, the broker, the workers and the clients are killed and paused at random moments while requests are stored,
/// delivered, fetched and closed. Everything that it has acknowledged is answered by its own reply. A client has a record of
/// what was acknowledged, by which the next process of it fetches the replies.
#[test]
fn titanic_answers_all_that_it_acknowledged_although_processes_are_killed() {
    if let Some(role) = role() {
        let (endpoint, record) = role.split_once(' ').unwrap();
        end_with_the_test();
        return store(endpoint, Record::open(Path::new(record)));
    }
    let time = length(ROUND);
    let mut seed = seed("Titanic");
    let start = Instant::now();
    while start.elapsed() < time {
        println!("seed {seed}");
        within_deadline(move || round(seed));
        seed += 1;
    }
}

fn round(seed: u64) {
    let mut rng = Rng::new(seed);
    let port = Rc::new(Port::reserve());
    let [requests, records] = ["titanic-killed", "titanic-clients"].map(|name| Rc::new(Directory::new(name)));
    let mut broker = {
        let port = port.clone();
        Victim::new(move || broker(Rust, &port, BEAT))
    };
    let mut titanic = {
        let port = port.clone();
        Victim::new(move || titanic::titanic(&port, &requests))
    };
    // They register when the broker is there.
    let mut workers = [Rust, C].map(|side| {
        let port = port.clone();
        Victim::new(move || starting_worker(side, &port, BEAT, "1"))
    });
    let endpoint = port.connect();
    let record = |client: usize| records.path().join(client.to_string());
    let mut clients: Vec<Victim> = (0..CLIENTS)
        .map(|client| {
            let role = format!("{endpoint} {}", record(client).display());
            Victim::new(move || Process::spawn(&mut alone(TEST, &role)))
        })
        .collect();

    let (mut pauses, mut lines) = (0, Vec::new());
    let start = Instant::now();
    while start.elapsed() < ROUND {
        thread::sleep(milliseconds(&mut rng, 50, 600));
        let victim = match rng.below(8) {
            0..3 => &mut titanic,
            3 => &mut broker,
            4 => &mut workers[rng.below(2)],
            _ => &mut clients[rng.below(CLIENTS)],
        };
        if rng.one_in(3) {
            victim.pause();
            // Longer than three heartbeats at times: broker and workers then lose each other.
            thread::sleep(milliseconds(&mut rng, 0, 700));
            victim.resume();
            pauses += 1;
        } else {
            // Of a client's lines, the rest counts.
            lines.extend(victim.restart());
        }
    }
    lines.extend(clients.iter_mut().flat_map(Victim::kill));
    let context = Context::new().unwrap();
    let acknowledged: usize = (0..CLIENTS)
        .map(|client| {
            let mut record = Record::open(&record(client));
            fetch_all(&mut titanic_client(&context, &endpoint), &mut record, |_| false);
            record.acknowledged
        })
        .sum();
    let kills = [titanic.kills(), broker.kills(), workers.iter().map(Victim::kills).sum()];
    let kills_of_clients: usize = clients.iter().map(Victim::kills).sum();
    let fetched = lines.iter().filter(|line| line.ends_with(FETCHED)).count();
    println!("{acknowledged} requests acknowledged and answered, {fetched} of them to a later process of their client");
    println!("{pauses} pauses; kills of the Titanic, the broker, workers: {kills:?}; of clients: {kills_of_clients}");
    assert!(acknowledged > 0);
    for victim in workers.iter_mut().chain([&mut titanic, &mut broker]) {
        victim.kill();
    }
}

/// The requests of a client that were acknowledged and that it has not closed. They are in a file: a client that is killed
/// leaves them to the next process.
struct Record {
    file: File,
    open: Vec<(RequestId, String)>,
    /// The number of all requests that were acknowledged.
    acknowledged: usize,
}

impl Record {
    fn open(path: &Path) -> Record {
        let text = fs::read_to_string(path).unwrap_or_default();
        let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        // The client may have been killed in the middle of the last line.
        let complete = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(complete as u64).unwrap();
        let mut record = Record { file, open: Vec::new(), acknowledged: 0 };
        for line in text[..complete].lines() {
            let (id, request) = line[1..].split_once(' ').unwrap();
            let id = RequestId::parse(id.as_bytes()).unwrap();
            if line.starts_with('+') {
                record.open.push((id, request.to_owned()));
                record.acknowledged += 1;
            } else {
                record.open.retain(|(open, _)| *open != id);
            }
        }
        record
    }

    fn write(&mut self, sign: char, id: RequestId, request: &str) {
        self.file.write_all(format!("{sign}{id} {request}\n").as_bytes()).unwrap();
    }

    fn acknowledge(&mut self, id: RequestId, request: String) {
        self.write('+', id, &request);
        self.open.push((id, request));
        self.acknowledged += 1;
    }

    /// Removes a request before it is closed. From then on it may be unknown.
    fn remove(&mut self, index: usize) -> RequestId {
        let (id, request) = self.open.remove(index);
        self.write('-', id, &request);
        id
    }
}

fn titanic_client(context: &Context, endpoint: &str) -> Client {
    majordomo::Client::new(context, endpoint).timeout(Duration::from_millis(300)).retries(0).into()
}

/// Fetches the replies to the first requests of the record, as many as are open now, and closes each for which `closes` says so.
fn fetch_all(client: &mut Client, record: &mut Record, mut closes: impl FnMut(usize) -> bool) {
    let mut kept = 0;
    for number in 0..record.open.len() {
        let (id, text) = &record.open[kept];
        loop {
            match client.reply(*id) {
                Ok(Stored::Answered(reply)) => {
                    assert_eq!(reply, [text.as_str()]);
                    break;
                }
                Ok(Stored::Unknown) => panic!("{id} was acknowledged, and is lost: {text}"),
                Ok(Stored::Pending) | Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
        if closes(number) {
            // Whether the answer comes or not, it may be closed.
            let _ = client.close(record.remove(kept));
        } else {
            kept += 1;
        }
    }
}

/// The process of a client: fetches what the process before it has left, and then stores requests, and closes half of those
/// that are answered early.
fn store(endpoint: &str, mut record: Record) {
    let context = Context::new().unwrap();
    let mut client = titanic_client(&context, endpoint);
    fetch_all(&mut client, &mut record, |number| {
        println!("{FETCHED}");
        number % 2 == 0
    });
    for number in 0_u64.. {
        let text = format!("process {}, request {number}", std::process::id());
        if let Ok(id) = client.request("echo", text.as_str()) {
            record.acknowledge(id, text);
        }
        if number % 2 == 0
            && let Some((id, text)) = record.open.first()
            && let Ok(Stored::Answered(reply)) = client.reply(*id)
        {
            assert_eq!(reply, [text.as_str()]);
            let _ = client.close(record.remove(0));
        }
    }
}

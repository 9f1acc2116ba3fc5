//! The pirates: workers, queues and clients are broken. The clients are `LazyPirate`s.

use std::time::Duration;

use zmq::Context;
use zmq_patterns::LazyPirate;

use crate::common::breaking::Victim;
use crate::common::guide::{Port, example};
use crate::common::{Process, role};
use crate::{Ask, Asking, ask_until_killed, break_at_random, client_process};

/// Milliseconds: the interval of heartbeats.
const BEAT: &str = "50";

fn client(endpoint: &str) -> Ask {
    let context = Context::new().unwrap();
    let mut pirate = LazyPirate::new(&context, endpoint).timeout(Duration::from_millis(200)).retries(4);
    Box::new(move |text| pirate.request(text).map_err(|failed| failed.errno()))
}

/// Two clients that are threads, and two that are broken.
fn clients(test: &'static str, endpoint: &str) -> (Vec<Victim>, Vec<Asking>) {
    let clients = (0..2).map(|number| Asking::start(&format!("client {number}"), client(endpoint)));
    let broken = (0..2).map(|_| client_process(test, endpoint.to_owned()));
    (broken.collect(), clients.collect())
}

/// The workers and the clients are broken. A simple worker does not notice that its queue is started again, so the queue is paused
/// only.
#[test]
fn simple_pirate_answers_while_workers_the_queue_and_clients_are_broken() {
    const TEST: &str = "pirate::simple_pirate_answers_while_workers_the_queue_and_clients_are_broken";
    if let Some(endpoint) = role() {
        return ask_until_killed(client(&endpoint));
    }
    let (frontend, backend) = (Port::reserve(), Port::reserve());
    let (bind, backend_bind) = (frontend.bind(), backend.bind());
    let queue =
        Victim::new(move || Process::start(example("spqueue"), &["--frontend", &bind, "--backend", &backend_bind]));
    let worker = |_| {
        let endpoint = backend.connect();
        let args = ["--delay", "0", "--crash", "0", "--overload", "50", "--pause", "100"];
        Victim::new(move || Process::start(example("spworker"), &[&["--endpoint", &endpoint][..], &args].concat()))
    };
    let programs = [queue.only_paused()].into_iter().chain((0..4).map(worker)).collect();
    let (broken, clients) = clients(TEST, &frontend.connect());
    break_at_random("simple pirate", programs, broken, clients);
}

/// The workers, the queue and the clients are broken.
#[test]
fn paranoid_pirate_answers_while_workers_the_queue_and_clients_are_broken() {
    const TEST: &str = "pirate::paranoid_pirate_answers_while_workers_the_queue_and_clients_are_broken";
    if let Some(endpoint) = role() {
        return ask_until_killed(client(&endpoint));
    }
    let (frontend, backend) = (Port::reserve(), Port::reserve());
    let (bind, backend_bind) = (frontend.bind(), backend.bind());
    let queue = Victim::new(move || {
        let args = ["--frontend", &bind, "--backend", &backend_bind, "--heartbeat", BEAT];
        Process::start(example("ppqueue"), &args)
    });
    let worker = |_| {
        let endpoint = backend.connect();
        let args = ["--heartbeat", BEAT, "--reconnect", BEAT, "--pause-after", "0", "--crash", "0", "--overload", "50"];
        Victim::new(move || {
            Process::start(example("ppworker"), &[&["--endpoint", &endpoint, "--pause", "100"][..], &args].concat())
        })
    };
    let programs = [queue].into_iter().chain((0..4).map(worker)).collect();
    let (broken, clients) = clients(TEST, &frontend.connect());
    break_at_random("paranoid pirate", programs, broken, clients);
}

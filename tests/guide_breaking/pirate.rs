//! The pirates: workers and queues are broken, clients are `LazyPirate`s.

use std::time::Duration;

use zmq::Context;
use zmq_patterns::LazyPirate;

use crate::common::Process;
use crate::common::guide::{Port, example};
use crate::{Asking, Victim, break_at_random};

/// Milliseconds: the interval of heartbeats.
const BEAT: &str = "50";

fn clients(context: &Context, endpoint: &str) -> Vec<Asking> {
    let client = |number: u32| {
        let mut pirate = LazyPirate::new(context, endpoint).timeout(Duration::from_millis(200)).retries(4);
        Asking::start(&format!("client {number}"), move |text| pirate.request(text).map_err(|failed| failed.errno()))
    };
    (0..3).map(client).collect()
}

/// The workers are broken. A simple worker does not notice that its queue is started again, so the queue stays.
#[test]
fn simple_pirate_answers_while_workers_are_broken() {
    let (frontend, backend) = (Port::reserve(), Port::reserve());
    let _queue = Process::start(example("spqueue"), &["--frontend", &frontend.bind(), "--backend", &backend.bind()]);
    let worker = |_| {
        let endpoint = backend.connect();
        let args = ["--delay", "0", "--crash", "0", "--overload", "50", "--pause", "100"];
        Victim::new(move || Process::start(example("spworker"), &[&["--endpoint", &endpoint][..], &args].concat()))
    };
    let context = Context::new().unwrap();
    let clients = clients(&context, &frontend.connect());
    break_at_random("simple pirate", (0..4).map(worker).collect(), clients);
}

/// The workers and the queue are broken.
#[test]
fn paranoid_pirate_answers_while_workers_and_the_queue_are_broken() {
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
    let context = Context::new().unwrap();
    let clients = clients(&context, &frontend.connect());
    let victims = [queue].into_iter().chain((0..4).map(worker)).collect();
    break_at_random("paranoid pirate", victims, clients);
}

//! The pipeline whose sink tells the workers to end.

use std::time::Duration;

use zmq::monitor::Events;
use zmq::{Context, Push, Sub, XPub};

use crate::common::guide::{NOTHING, Port, ended, interrupt};
use crate::peers::Side::{C, Rust};
use crate::peers::{FOR_EVER, Side, c, check_results, check_tasks, elapsed_behind_marks, rust};

/// Runs the three stages with one worker, which ends when the sink says so.
fn ventilate_and_kill(ventilator: Side, worker: Side, sink: Side) {
    let (tasks, results, control) = (Port::reserve(), Port::reserve(), Port::reserve());
    let sink_process = match sink {
        Rust => rust("tasksink2", &["--endpoint", &results.bind(), "--controller", &control.bind()]),
        C => c("tasksink2", &[&results.bind(), &control.bind()]),
    };
    // The worker in C does not wait for its controller, so the controller must start first.
    let context = Context::new().unwrap();
    assert!(context.socket(Sub).unwrap().connect_and_wait(&control.connect(), None).unwrap());
    let worker_process = match worker {
        Rust => {
            let (tasks, results, control) = (tasks.connect(), results.connect(), control.connect());
            rust("taskwork2", &["--ventilator", &tasks, "--sink", &results, "--controller", &control])
        }
        C => c("taskwork2", &[&tasks.connect(), &results.connect(), &control.connect()]),
    };
    let mut vent_process = match ventilator {
        Rust => {
            let (tasks, results) = (tasks.bind(), results.connect());
            rust("taskvent", &["--endpoint", &tasks, "--sink", &results, "--longest", "5"])
        }
        C => c("taskvent", &[&tasks.bind(), &results.connect(), "5"]),
    };
    vent_process.type_line("");

    let expected = vent_process.rest();
    vent_process.succeeds();
    let collected = sink_process.rest();
    sink_process.succeeds();
    let worked = worker_process.rest();
    worker_process.succeeds();

    check_tasks(expected.last().unwrap(), &worked, 5);
    check_results(sink, &collected);
}

#[deadline::test]
fn task_programs_end_on_kill() {
    ventilate_and_kill(Rust, Rust, Rust);
}

#[deadline::test]
fn c_taskwork2_ends_on_the_kill_of_tasksink2() {
    ventilate_and_kill(Rust, C, Rust);
}

#[deadline::test]
fn taskwork2_ends_on_the_kill_of_a_c_sink() {
    ventilate_and_kill(Rust, Rust, C);
}

#[deadline::test]
fn taskwork2_works_between_c_peers() {
    ventilate_and_kill(C, Rust, C);
}

#[deadline::test]
fn tasksink2_collects_from_c_peers() {
    ventilate_and_kill(C, C, Rust);
}

/// The plain sink announces no end. A worker waits for its controller for the time of `--patience` only.
#[deadline::test]
fn taskwork2_works_for_a_sink_without_a_controller() {
    for sink in [Rust, C] {
        let (tasks, results, control) = (Port::reserve(), Port::reserve(), Port::reserve());
        let sink_process = match sink {
            Rust => rust("tasksink", &["--endpoint", &results.bind()]),
            C => c("tasksink", &[&results.bind()]),
        };
        let args = ["--ventilator", &tasks.connect(), "--sink", &results.connect(), "--controller", &control.connect()];
        let worker = rust("taskwork2", &[&args[..], &["--patience", "50"]].concat());
        let vent_args = ["--endpoint", &tasks.bind(), "--sink", &results.connect(), "--longest", "5"];
        let mut ventilator = rust("taskvent", &vent_args);
        ventilator.type_line("");
        let expected = ventilator.rest();
        ventilator.succeeds();
        check_results(sink, &ended(sink_process));
        check_tasks(expected.last().unwrap(), &interrupt(worker), 5);
    }
}

/// A worker that waits for its controller takes no task before it can hear the sink.
#[deadline::test]
fn taskwork2_hears_the_end_when_its_controller_comes_late() {
    let (tasks, results, control) = (Port::reserve(), Port::reserve(), Port::reserve());
    let context = Context::new().unwrap();
    let ventilator = context.socket(Push).unwrap();
    let monitor = ventilator.monitor(Events::NONE).unwrap();
    ventilator.bind(&tasks.bind()).unwrap();
    let args = ["--ventilator", &tasks.connect(), "--sink", &results.connect(), "--controller", &control.connect()];
    let workers = [(); 3].map(|()| rust("taskwork2", &[&args[..], &["--patience", FOR_EVER]].concat()));
    assert!(!monitor.wait_for_connections(1, Duration::from_millis(100)).unwrap());

    let sink = rust("tasksink2", &["--endpoint", &results.bind(), "--controller", &control.bind()]);
    assert!(monitor.wait_for_connections(3, None).unwrap());
    let start = context.socket(Push).unwrap();
    start.connect(&results.connect()).unwrap();
    start.send("0").unwrap();
    for _ in 0..100 {
        ventilator.send("1").unwrap();
    }
    let lines = sink.rest();
    assert_eq!(lines.len(), 1);
    elapsed_behind_marks(&lines[0]);
    sink.succeeds();
    let mut done = 0;
    for worker in workers {
        done += worker.rest().first().map_or(0, |tasks| tasks.split_terminator('.').count());
        worker.succeeds();
    }
    assert_eq!(done, 100);
}

#[deadline::test]
fn taskwork2_does_not_wait_for_a_missing_sink() {
    let (tasks, results, control) = (Port::reserve(), Port::reserve(), Port::reserve());
    let args = ["--ventilator", &tasks.connect(), "--sink", &results.connect(), "--controller", &control.connect()];
    let worker = rust("taskwork2", &args);
    assert_eq!(interrupt(worker), NOTHING);

    // Results for a missing sink do not keep the worker running, neither after Ctrl-C nor after KILL.
    let context = Context::new().unwrap();
    let controller = context.socket(XPub).unwrap();
    controller.bind(&control.bind()).unwrap();
    let ventilator = context.socket(Push).unwrap();
    ventilator.bind(&tasks.bind()).unwrap();
    let worker = rust("taskwork2", &args);
    assert_eq!(controller.recv_msg().unwrap(), "\u{1}");
    // The send waits until the worker is connected.
    ventilator.send("1").unwrap();
    controller.send("KILL").unwrap();
    worker.rest();
    worker.succeeds();
}

//! Task worker in Tokio that waits for four things at once: tasks, a controller, a timer and Ctrl-C.
//!
//! Chapter: 2, Handling Errors and ETERM
//! Original: taskwork2.c
//! Replaces it: in any pair
//! Teaches: `select!` over the receives of several sockets: those that are not ready are dropped, and lose no message
//! Arguments: --ventilator tcp://localhost:5557, --sink tcp://localhost:5558,
//!     --controller tcp://localhost:5559, --patience 1000, --linger 1000, --interval 1000
//! Other files: common/mod.rs
//! Features: tokio
//! Ends: by itself
//! Test partners: taskvent --longest 5, tasksink2
//! Test run: --interval 50
//! Test prints: in order
//! - 0+ x `<n> tasks so far`
//! - `100 tasks, and the controller says that all is done`

mod common;

use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{interval, sleep};
use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Pull, Push, Sub};

/// Task worker in Tokio that waits for four things at once: tasks, a controller, a timer and Ctrl-C.
#[derive(Parser)]
struct Args {
    /// The endpoint of the tasks
    #[arg(long, default_value = "tcp://localhost:5557")]
    ventilator: String,

    /// The endpoint of the sink
    #[arg(long, default_value = "tcp://localhost:5558")]
    sink: String,

    /// The endpoint of the controller, which announces the end
    #[arg(long, default_value = "tcp://localhost:5559")]
    controller: String,

    /// How long to wait for the controller before taking tasks, in milliseconds
    #[arg(long, default_value_t = 1000)]
    patience: u64,

    /// How long to wait at the end for a sink that does not take its results, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,

    /// The time between two reports, in milliseconds
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    let controller = context.owned_socket(Sub)?;
    controller.subscribe("")?;
    // This connection comes first: if the end is announced before it is made, the announcement is lost. The call blocks
    // its thread, so it is made before there are tasks in this one.
    if !controller.connect_and_wait(&args.controller, Duration::from_millis(args.patience))? {
        eprintln!("no controller at {} yet: working all the same", args.controller);
    }
    let tasks = context.owned_socket(Pull)?;
    tasks.connect(&args.ventilator)?;
    let results = context.owned_socket(Push)?;
    // At the end, the program waits no longer than this for a sink that is gone.
    results.set_linger(Duration::from_millis(args.linger))?;
    results.connect(&args.sink)?;

    let mut controller = AsyncSocket::new(controller, Runtime::Tokio)?;
    let mut tasks = AsyncSocket::new(tasks, Runtime::Tokio)?;
    let mut results = AsyncSocket::new(results, Runtime::Tokio)?;
    let mut reports = interval(Duration::from_millis(args.interval));
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    let mut done = 0;
    loop {
        tokio::select! {
            task = tasks.recv_msg() => {
                let task = task?;
                match task.as_str().and_then(|text| text.parse().ok()) {
                    Some(milliseconds) => {
                        // The pause stands for the work. Meanwhile nothing is waited for: messages, ticks of the timer
                        // and Ctrl-C stay where they are until the next `select!`.
                        sleep(Duration::from_millis(milliseconds)).await;
                        // A sink that takes no results must not keep Ctrl-C waiting.
                        tokio::select! {
                            sent = results.send("") => sent?,
                            _ = ctrl_c.recv() => return Ok(()),
                        }
                        done += 1;
                    }
                    None => eprintln!("not a task: {task:?}"),
                }
            }
            // Any message of the controller announces the end.
            word = controller.recv_msg() => {
                word?;
                println!("{done} tasks, and the controller says that all is done");
                return Ok(());
            }
            _ = reports.tick() => println!("{done} tasks so far"),
            _ = ctrl_c.recv() => return Ok(()),
        }
    }
}

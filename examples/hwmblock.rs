//! A high-water mark that blocks: a ventilator whose worker does not keep up has to wait, and loses nothing.
//!
//! Chapter: 2, High-Water Marks
//! Original: none
//! Teaches: a PUSH waits at its mark, or hands the message back
//! Arguments: --endpoint inproc://tasks, --hwm 10, --timeout 50
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - `Nobody is there: "task 1" has to wait`
//! - `A worker is there that does nothing: 20 tasks sent, "task 21" has to wait`
//! - `Waited <n> ms in vain: <text>EAGAIN<text>, and "task 21" is handed back`
//! - `The worker works: "task 21" is sent`
//! - `The worker had 21 tasks, the last was "task 21"`

mod common;

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use clap::Parser;
use zmq::{Context, Errno, Message, Pull, Push, SendError, Socket, TrySend};

/// A high-water mark that blocks: a ventilator whose worker does not keep up has to wait, and loses nothing.
#[derive(Parser)]
struct Args {
    /// The endpoint of the tasks; over a network more messages fit on the way, and the numbers differ
    #[arg(long, default_value = "inproc://tasks")]
    endpoint: String,

    /// The high-water mark at either end
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    hwm: u32,

    /// How long to wait for the worker, in milliseconds
    #[arg(long, default_value_t = 50)]
    timeout: u64,
}

fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    let ventilator = context.socket(Push)?;
    ventilator.set_sndhwm(args.hwm)?;
    let endpoint = ventilator.bind(&args.endpoint)?;

    // `send` would wait for the first worker. `now().send` does not wait, and gives the message back.
    let TrySend::WouldBlock(task) = ventilator.now().send("task 1")? else {
        return Err(common::failure("somebody is there"));
    };
    println!("Nobody is there: {:?} has to wait", task.to_str()?);

    // In one process the two queues together hold twice the mark. Across a network, more messages fit on the way.
    let worker = context.socket(Pull)?;
    worker.set_rcvhwm(args.hwm)?;
    worker.connect(&endpoint)?;
    // With a time-out, `send` waits no longer than that. Then it fails, with the message in the error.
    ventilator.set_sndtimeo(Duration::from_millis(args.timeout))?;
    let (sent, failed) = send_until_full(&ventilator, task)?;
    let reason = failed.error().to_string();
    let task = failed.into_message();
    println!("A worker is there that does nothing: {sent} tasks sent, {:?} has to wait", task.to_str()?);
    println!("Waited {} ms in vain: {reason}, and {:?} is handed back", args.timeout, task.to_str()?);

    // Without a time-out, `send` waits until there is room: the worker sets the pace.
    ventilator.set_sndtimeo(None)?;
    let text = task.to_str()?.to_owned();
    let received = thread::scope(|scope| {
        let working = scope.spawn(move || work(&worker, sent + 1));
        ventilator.send(task)?;
        println!("The worker works: {text:?} is sent");
        working.join().unwrap_or_else(|panic| resume_unwind(panic))
    })?;
    if let Some(last) = received.last() {
        println!("The worker had {} tasks, the last was {last:?}", received.len());
    }
    Ok(())
}

/// Sends tasks until one times out. Returns the number of tasks that were sent, and the error of the last.
fn send_until_full(ventilator: &Socket<'_, Push>, mut task: Message) -> common::Result<(usize, SendError)> {
    let mut sent = 0;
    loop {
        match ventilator.send(task) {
            Err(failed) if failed.error().errno() == Errno::EAGAIN => return Ok((sent, failed)),
            other => other?,
        }
        sent += 1;
        task = format!("task {}", sent + 1).into();
    }
}

fn work(worker: &Socket<'_, Pull>, tasks: usize) -> common::Result<Vec<String>> {
    (0..tasks).map(|_| Ok(worker.recv_string()?)).collect()
}

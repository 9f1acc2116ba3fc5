//! Workers in processes of their own: a crash of one ends neither the program nor the other workers.
//!
//! In C: `fork`, and a new context in the child, which must not use the parent's: `zmq_close` of an inherited socket or
//! `zmq_ctx_term` breaks the parent. libzmq's threads do not exist in the child, and locks that they held stay locked.
//!
//! Here: [`Command`] starts a program, this one by default. It forks and runs the program at once, and libzmq's descriptors
//! are closed in it. A program can also `fork` alone, by the crate `libc`: in such a child every call on an inherited socket
//! fails with ENOTSOCK, dropping the socket leaves the parent's alone, and a new context works.
//!
//! The compiler checks: a worker can be given texts, files and descriptors, and no socket.
//!
//! Usage: `from_c_forked_worker hire WORKERS JOBS [PROGRAM]`, which starts `PROGRAM work ENDPOINT` so many times

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use zmq::{Context, Rep, Req};

fn hire(workers: usize, count: u64, program: &Path) -> Result<(), Box<dyn Error>> {
    let context = Context::new()?;
    let boss = context.socket(Rep)?;
    let endpoint = boss.bind("tcp://127.0.0.1:*")?;
    let start = |_| Command::new(program).args(["work", &endpoint]).spawn();
    let mut children = (0..workers).map(start).collect::<Result<Vec<_>, _>>()?;

    // A worker asks for a job with the result of its last one, at first with "ready". An empty job ends it. A PUSH could send
    // the end of a worker that connects late to another worker.
    let (mut given, mut sum, mut working) = (0, 0, workers);
    while working > 0 {
        let result = boss.recv_string()?;
        if result != "ready" {
            sum += result.parse::<u64>()?;
        }
        if given < count {
            given += 1;
            boss.send(given.to_string())?;
        } else {
            working -= 1;
            boss.send("")?;
        }
    }
    for child in &mut children {
        let status = child.wait()?;
        if !status.success() {
            return Err(format!("a worker has failed: {status}").into());
        }
    }
    println!("the squares of 1 to {count} add up to {sum}");
    Ok(())
}

fn work(endpoint: &str) -> Result<(), Box<dyn Error>> {
    let context = Context::new()?;
    let boss = context.socket(Req)?;
    boss.connect(endpoint)?;
    boss.send("ready")?;
    loop {
        let job = boss.recv_string()?;
        if job.is_empty() {
            return Ok(());
        }
        let number: u64 = job.parse()?;
        boss.send((number * number).to_string())?;
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["hire", workers, count] => hire(workers.parse()?, count.parse()?, &env::current_exe()?),
        ["hire", workers, count, program] => hire(workers.parse()?, count.parse()?, &PathBuf::from(program)),
        ["work", endpoint] => work(endpoint),
        _ => Err("usage: from_c_forked_worker hire WORKERS JOBS [PROGRAM] | work ENDPOINT".into()),
    }
}

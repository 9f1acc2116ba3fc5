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
//! Usage: `from_c_forked_worker hire WORKERS JOBS [PROGRAM]`, which starts `PROGRAM work JOBS RESULTS` so many times

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use zmq::{Context, Pull, Push};

fn hire(workers: usize, count: u64, program: &Path) -> Result<(), Box<dyn Error>> {
    let context = Context::new()?;
    let jobs = context.socket(Push)?;
    let results = context.socket(Pull)?;
    let endpoints = [jobs.bind("tcp://127.0.0.1:*")?, results.bind("tcp://127.0.0.1:*")?];
    let start = |_| Command::new(program).arg("work").args(&endpoints).spawn();
    let mut children = (0..workers).map(start).collect::<Result<Vec<_>, _>>()?;

    // All workers are there before the first job is sent. Otherwise the first to connect would get most jobs.
    for _ in &children {
        results.recv_msg()?;
    }
    for job in 1..=count {
        jobs.send(job.to_string())?;
    }
    let mut sum = 0;
    for _ in 0..count {
        sum += results.recv_string()?.parse::<u64>()?;
    }
    // An empty job ends a worker.
    for _ in &children {
        jobs.send("")?;
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

fn work(jobs_endpoint: &str, results_endpoint: &str) -> Result<(), Box<dyn Error>> {
    let context = Context::new()?;
    let jobs = context.socket(Pull)?;
    jobs.connect(jobs_endpoint)?;
    let results = context.socket(Push)?;
    results.connect(results_endpoint)?;
    results.send("ready")?;
    loop {
        let job = jobs.recv_string()?;
        if job.is_empty() {
            return Ok(());
        }
        let number: u64 = job.parse()?;
        results.send((number * number).to_string())?;
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["hire", workers, count] => hire(workers.parse()?, count.parse()?, &env::current_exe()?),
        ["hire", workers, count, program] => hire(workers.parse()?, count.parse()?, &PathBuf::from(program)),
        ["work", jobs, results] => work(jobs, results),
        _ => Err("usage: from_c_forked_worker hire WORKERS JOBS [PROGRAM] | work JOBS RESULTS".into()),
    }
}

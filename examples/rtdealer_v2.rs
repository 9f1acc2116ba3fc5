//! A ROUTER scatters ten tasks to two DEALER workers by their addresses: A gets about twice as many as B.
//! This is the rtdealer of the older editions. Today's guide has another program under that name, which is rtdealer
//! here.
//!
//! Chapter: 3, Router-to-Dealer Routing (older editions)
//! Original: rtdealer.c of the older editions
//! Replaces it: in any pair
//! Teaches: a ROUTER sends to the peer that the first frame names, which does not reply
//! Arguments: --endpoint ipc://routing.ipc, --tasks 10, --no-router, --no-workers
//! Other files: common/mod.rs, common/routing.rs, common/threads.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in any order
//! - `A received: <n>`
//! - `B received: <n>`

mod common;

use std::thread;

use clap::Parser;
use zmq::zhelpers::{randof, s_recv};
use zmq::{Context, Dealer, Multipart, Router};

use common::routing::send_when_there;
use common::threads;

/// A ROUTER scatters ten tasks to two DEALER workers by their addresses: A gets about twice as many as B.
#[derive(Parser)]
struct Args {
    /// The endpoint of the ROUTER
    #[arg(long, default_value = "ipc://routing.ipc")]
    endpoint: String,

    /// How many tasks there are for both workers
    #[arg(long, default_value_t = 10)]
    tasks: u32,

    /// Start the workers alone, for a ROUTER that is another program
    #[arg(long)]
    no_router: bool,

    /// Start the ROUTER alone, for workers that are other programs
    #[arg(long)]
    no_workers: bool,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(Args::parse()))
}

fn run(mut args: Args) -> common::Result {
    let context = Context::new()?;
    let client = context.socket(Router)?;
    if !args.no_router {
        args.endpoint = client.bind(&args.endpoint)?;
    }

    thread::scope(|scope| {
        let mut workers = Vec::new();
        if !args.no_workers {
            for name in ["A", "B"] {
                let (context, endpoint) = (&context, &args.endpoint);
                workers.push(scope.spawn(move || threads::run(context, || work(context, endpoint, name))));
            }
        }
        if !args.no_router {
            threads::run(&context, || {
                for _ in 0..args.tasks {
                    let worker = if randof(3) > 0 { "A" } else { "B" };
                    // C sleeps for a second, in which both workers must connect. This waits until the worker is
                    // connected.
                    send_when_there(&client, &Multipart::from([worker, "This is the workload"]))?;
                }
                for worker in ["A", "B"] {
                    send_when_there(&client, &Multipart::from([worker, "END"]))?;
                }
                Ok(())
            })?;
        }
        workers.into_iter().try_for_each(threads::join)
    })
}

/// A worker takes tasks, one frame each, until the end is announced.
fn work(context: &Context, endpoint: &str, name: &str) -> common::Result {
    let worker = context.socket(Dealer)?;
    worker.set_routing_id(name)?;
    worker.connect(endpoint)?;

    let mut total = 0;
    while s_recv(&worker)? != "END" {
        total += 1;
    }
    println!("{name} received: {total}");
    Ok(())
}

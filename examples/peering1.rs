//! Broker peering, first step: brokers tell one another how many of their workers are free.
//!
//! Chapter: 3, Prototyping the State Flow
//! Original: peering1.c
//! Replaces it: in any pair
//! Teaches: state is published: each broker has a PUB of its own and one SUB for all others
//! Arguments: [NAMES]..., --directory ., --pause 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: peering1 DC2 DC1 --pause 50
//! Test run: DC1 DC2 --pause 50
//! Test prints: in any order
//! - `I: preparing broker at DC1...`
//! - `I: connecting to state backend at 'DC2'`
//! - 3+ x `DC2 - <n> workers free`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{randof, s_send, s_sendmore};
use zmq::{Context, PollEvents, Pub, Sub};
use zmq_patterns::Reactor;

/// Broker peering, first step: brokers tell one another how many of their workers are free.
#[derive(Parser)]
struct Args {
    /// The name of this broker, and then those of its peers
    names: Vec<String>,

    /// The directory of the brokers' endpoints; all brokers need the same
    #[arg(long, default_value = ".")]
    directory: String,

    /// How long to wait before each message, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pause: u64,
}

fn main() -> common::Result {
    let args = Args::parse();
    let Some((name, peers)) = args.names.split_first() else {
        println!("syntax: peering1 me {{you}}...");
        return Ok(());
    };
    common::until_ctrl_c(|| run(name, peers, &args))
}

fn run(name: &str, peers: &[String], args: &Args) -> common::Result {
    let endpoint = |broker: &str| format!("ipc://{}/{broker}-state.ipc", args.directory);
    println!("I: preparing broker at {name}...");

    let context = Context::new()?;
    let statebe = context.socket(Pub)?;
    // News that is not received by the end is of no use.
    statebe.set_linger(Duration::ZERO)?;
    statebe.bind(&endpoint(name))?;

    // One socket receives from all peers. A peer that starts later is connected then.
    let statefe = context.socket(Sub)?;
    statefe.subscribe("")?;
    for peer in peers {
        println!("I: connecting to state backend at '{peer}'");
        statefe.connect(&endpoint(peer))?;
    }

    let mut reactor = Reactor::new()?;
    reactor.add(&statefe, PollEvents::POLLIN, |_, _| {
        // News is [broker][number]. The program ignores other messages.
        let news = statefe.recv_multipart()?;
        if let (Some(peer), Some(free), 2) = (news.first(), news.last(), news.len()) {
            println!("{} - {} workers free", String::from_utf8_lossy(peer), String::from_utf8_lossy(free));
        }
        Ok(())
    })?;
    // The number is random: this step has no workers yet. In C a broker sends when it has received nothing for a
    // second, so a broker that receives news all the time never sends. Messages do not delay a timer.
    reactor.every(Duration::from_millis(args.pause), |_, _| {
        s_sendmore(&statebe, name)?;
        s_send(&statebe, &randof(10).to_string())?;
        Ok(())
    })?;
    reactor.run()?;
    Ok(())
}

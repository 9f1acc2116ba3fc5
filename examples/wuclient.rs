//! Weather update client: collects a hundred updates for a zip code and averages their temperatures.
//!
//! Chapter: 1, Getting the Message Out
//! Original: wuclient.c
//! Replaces it: in any pair
//! Teaches: a SUB socket: subscribe to a prefix, and receive the updates that begin with it from then on
//! Arguments: [FILTER] "10001 ", --endpoint tcp://localhost:5556, --count 100
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: wuserver
//! Test run: 1
//! Test prints: in order
//! - `Collecting updates from weather server...`
//! - `Average temperature for zipcode '1' was <n>F`

mod common;

use std::num::NonZeroU32;

use clap::Parser;
use zmq::zhelpers::s_recv;
use zmq::{Context, Sub};

/// Weather update client: collects a hundred updates for a zip code and averages their temperatures.
#[derive(Parser)]
struct Args {
    /// How the updates begin that are wanted
    // A filter is a prefix, not a word: with the blank, longer zip codes do not match.
    #[arg(default_value = "10001 ")]
    filter: String,

    /// The endpoint of the server
    #[arg(long, default_value = "tcp://localhost:5556")]
    endpoint: String,

    /// How many updates to collect
    #[arg(long, default_value = "100")]
    count: NonZeroU32,
}

fn main() -> common::Result {
    let args = Args::parse();

    println!("Collecting updates from weather server...");
    let context = Context::new()?;
    let subscriber = context.socket(Sub)?;
    subscriber.connect(&args.endpoint)?;
    // Without a subscription a SUB socket receives nothing at all.
    subscriber.subscribe(&args.filter)?;

    let mut total = 0;
    for _ in 0..args.count.get() {
        total += next_temperature(&subscriber)?;
    }
    let average = total / i64::from(args.count.get());
    println!("Average temperature for zipcode '{}' was {average}F", args.filter);
    Ok(())
}

/// The temperature of the next update, which is zip code, temperature and humidity.
fn next_temperature(subscriber: &zmq::Socket<'_, Sub>) -> common::Result<i64> {
    loop {
        let update = s_recv(subscriber)?;
        match update.split(' ').nth(1).map(str::parse::<i32>) {
            Some(Ok(temperature)) => return Ok(temperature.into()),
            // A malformed update does not end the client.
            _ => eprintln!("not an update: {update:?}"),
        }
    }
}

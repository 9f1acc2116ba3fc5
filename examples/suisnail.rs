//! Suicidal snail: a subscriber that ends when its messages come too late.
//!
//! Chapter: 5, Slow Subscriber Detection (Suicidal Snail Pattern)
//! Original: suisnail.c
//! Replaces it: in any pair
//! Teaches: messages that carry their time, and a subscriber that would rather end than be late; C dies of a signal
//! Arguments: --publisher tcp://*:5556, --subscriber tcp://localhost:5556, --delay 1, --work 1, --limit 1000,
//!     --patience 5000, --no-publisher, --no-subscriber
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test run: --delay 1 --work 5 --limit 100
//! Test prints: in order
//! - 2+ x `<n>`

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use zmq::zhelpers::{randof, s_recv, s_send};
use zmq::{Context, Pub, Sub};
use zmq_patterns::{Actor, ActorPipe};

/// Suicidal snail: a subscriber that ends when its messages come too late.
#[derive(Parser)]
struct Args {
    /// The endpoint of the publisher
    #[arg(long, default_value = "tcp://*:5556")]
    publisher: String,

    /// The endpoint of the publisher, as the subscriber connects to it
    #[arg(long, default_value = "tcp://localhost:5556")]
    subscriber: String,

    /// How long the publisher waits between two messages, in milliseconds
    #[arg(long, default_value_t = 1)]
    delay: u64,

    /// How long the work for a message takes at least, in milliseconds; it may take one more
    #[arg(long, default_value_t = 1)]
    work: u64,

    /// How late a message may be, in milliseconds
    #[arg(long, default_value_t = 1000)]
    limit: u128,

    /// How long the publisher may take to end, in milliseconds
    #[arg(long, default_value_t = 5000)]
    patience: u64,

    /// Leave publishing to another process
    #[arg(long)]
    no_publisher: bool,

    /// Leave subscribing to another process
    #[arg(long)]
    no_subscriber: bool,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(Args::parse()))
}

fn run(args: Args) -> common::Result {
    let context = Context::new()?;
    let mut publisher = None;
    if !args.no_publisher {
        let (endpoint, delay) = (args.publisher.clone(), Duration::from_millis(args.delay));
        let publish = move |pipe: &ActorPipe| Ok(publish(pipe, &endpoint, delay)?);
        publisher = Some(Actor::spawn(&context, "publisher", publish)?);
    }
    if args.no_subscriber {
        common::wait_for_ctrl_c()?;
    } else {
        subscribe(&context, &args)?;
    }
    if let Some(publisher) = publisher {
        publisher.terminate(Duration::from_millis(args.patience))?;
    }
    Ok(())
}

/// Sends the time, again and again, until the pipe says that the program ends.
fn publish(pipe: &ActorPipe, endpoint: &str, delay: Duration) -> common::Result {
    let context = pipe.context();
    let publisher = context.socket(Pub)?;
    publisher.set_linger(Duration::ZERO)?;
    publisher.bind(endpoint)?;
    pipe.ready();
    while !pipe.is_terminated() {
        s_send(&publisher, &now()?.to_string())?;
        // The owner of the pipe sends nothing: the wait is a pause that its end cuts short.
        pipe.within(delay).recv_multipart()?;
    }
    Ok(())
}

/// Receives messages slower than they are sent, and returns at the first that is too late.
///
/// The check is a line of the program and no type of zmq-patterns: what is late depends on where a message carries its
/// time, on the clocks of two machines, and on what the program does then.
fn subscribe(context: &Context, args: &Args) -> common::Result {
    let subscriber = context.socket(Sub)?;
    subscriber.subscribe("")?;
    subscriber.connect(&args.subscriber)?;
    while !zmq::interrupt::interrupted() {
        let text = s_recv(&subscriber)?;
        println!("{text}");
        // A text that is no time is not a message of the publisher.
        let Ok(sent) = text.parse::<u128>() else { continue };
        // A publisher whose clock is ahead is not late.
        if now()?.saturating_sub(sent) > args.limit {
            eprintln!("E: subscriber cannot keep up, aborting");
            break;
        }
        common::pause(args.work + u64::from(randof(2)))?;
    }
    Ok(())
}

/// The milliseconds since 1970.
fn now() -> common::Result<u128> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())
}

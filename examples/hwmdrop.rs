//! A high-water mark that drops: a publisher goes on as if nothing were, and its slow subscriber has a gap.
//!
//! Chapter: 2, High-Water Marks
//! Original: none
//! Teaches: a PUB drops updates above its mark without an error; an XPUB with NODROP hands them back
//! Arguments: --endpoint inproc://updates, --hwm 10, --updates 100, --patience 50
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - `Published updates 1 to 100 to a subscriber that reads nothing for now`
//! - `It has 20 of them, 1 to 20, and the next that it receives is 101: nobody was told of the 80 between`
//! - `With NODROP, update 21 is handed back to the publisher; when the subscriber has read, it is sent`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Socket, Sub, TrySend, XPub};

/// A high-water mark that drops: a publisher goes on as if nothing were, and its slow subscriber has a gap.
#[derive(Parser)]
struct Args {
    /// The endpoint of the updates; over a network more updates fit on the way, and the numbers differ
    #[arg(long, default_value = "inproc://updates")]
    endpoint: String,

    /// The high-water mark at either end
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    hwm: u32,

    /// How many updates to publish
    #[arg(long, default_value_t = 100)]
    updates: u64,

    /// How long an update may be on its way, in milliseconds
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    patience: u64,
}

fn main() -> common::Result {
    let args = Args::parse();
    drop_updates(&args)?;
    hand_back(&args)
}

/// A publisher and a subscriber that has subscribed. In one process the two queues together hold twice the mark. Across
/// a network, more updates fit on the way.
fn pair<'a>(context: &'a Context, args: &Args) -> common::Result<(Socket<'a, XPub>, Socket<'a, Sub>)> {
    // A PUB drops messages as an XPUB does, but does not report its subscribers.
    let publisher = context.socket(XPub)?;
    publisher.set_sndhwm(args.hwm)?;
    let endpoint = publisher.bind(&args.endpoint)?;
    let subscriber = context.socket(Sub)?;
    subscriber.set_rcvhwm(args.hwm)?;
    subscriber.connect(&endpoint)?;
    subscriber.subscribe("")?;
    publisher.wait_for_subscribers(1, None, &mut Vec::new())?;
    Ok((publisher, subscriber))
}

fn drop_updates(args: &Args) -> common::Result {
    let context = Context::new()?;
    let (publisher, subscriber) = pair(&context, args)?;
    for update in 1..=args.updates {
        publisher.send(update.to_string())?;
    }
    println!("Published updates 1 to {} to a subscriber that reads nothing for now", args.updates);

    let mut received = Vec::new();
    let patience = Duration::from_millis(args.patience);
    while let Some(update) = subscriber.within(patience).recv_msg()? {
        received.push(update.to_str()?.to_owned());
    }
    // A publisher learns of new room when it processes its peers' commands. `send` does that from time to time,
    // `events` always.
    publisher.events()?;
    publisher.send((args.updates + 1).to_string())?;
    let next = subscriber.recv_msg()?;

    // Numbers in the messages show the subscriber that some are missing.
    println!(
        "It has {} of them, {} to {}, and the next that it receives is {}: nobody was told of the {} between",
        received.len(),
        received.first().map_or("", String::as_str),
        received.last().map_or("", String::as_str),
        next.to_str()?,
        args.updates - received.len() as u64,
    );
    Ok(())
}

/// The cure, if losing updates is worse than waiting for the slowest subscriber.
fn hand_back(args: &Args) -> common::Result {
    let context = Context::new()?;
    let (publisher, subscriber) = pair(&context, args)?;
    publisher.set_xpub_nodrop(true)?;

    for number in 1_u64.. {
        // `send` would wait here until the subscriber has made room.
        if let TrySend::WouldBlock(update) = publisher.now().send(number.to_string())? {
            while subscriber.now().recv_msg()?.is_some() {}
            print!("With NODROP, update {} is handed back to the publisher; ", update.to_str()?);
            publisher.send(update)?;
            break;
        }
    }
    subscriber.recv_msg()?;
    println!("when the subscriber has read, it is sent");
    Ok(())
}

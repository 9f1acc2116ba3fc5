//! Espresso: a proxy between publisher and subscriber that shows all that runs through it.
//!
//! Chapter: 5, Pub-Sub Tracing (Espresso Pattern)
//! Original: espresso.c
//! Replaces it: in any pair
//! Teaches: a proxy whose capture socket is a tap on the pipe
//! Arguments: --publisher tcp://*:6000, --frontend tcp://localhost:6000, --backend tcp://*:6001,
//!     --subscriber tcp://localhost:6001, --capture inproc://capture, --delay 100, --messages 5,
//!     --no-publisher, --no-subscriber
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: none
//! Test run: --delay 5
//! Test prints: in order
//! - `[002] 0141`
//! - `[002] 0142`
//! - 5+ x `[007] <text>`
//! - `[002] 0041`
//! - `[002] 0042`
//! - 0+ x ` interrupted`

mod common;

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use clap::Parser;
use zmq::interrupt;
use zmq::zhelpers::{format_frame, randof, s_recv, s_send};
use zmq::{Context, Pair, Pub, Socket, Sub, XPub, XSub, proxy};

/// Espresso: a proxy between publisher and subscriber that shows all that runs through it.
#[derive(Parser)]
struct Args {
    /// The endpoint of the publisher
    #[arg(long, default_value = "tcp://*:6000")]
    publisher: String,

    /// The endpoint of the publisher, as the proxy connects to it
    #[arg(long, default_value = "tcp://localhost:6000")]
    frontend: String,

    /// The endpoint of the proxy for subscribers
    #[arg(long, default_value = "tcp://*:6001")]
    backend: String,

    /// The endpoint of the proxy, as the subscriber connects to it
    #[arg(long, default_value = "tcp://localhost:6001")]
    subscriber: String,

    /// The endpoint between the proxy and the listener
    #[arg(long, default_value = "inproc://capture")]
    capture: String,

    /// How long the publisher waits between two messages, in milliseconds
    #[arg(long, default_value_t = 100)]
    delay: u64,

    /// After how many messages the subscriber leaves
    #[arg(long, default_value_t = 5)]
    messages: u64,

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

/// The main task is the proxy. Publisher, subscriber and listener are threads. A socket may move to a thread, but two
/// threads may not use it at once.
fn run(args: Args) -> common::Result {
    let context = Context::new()?;

    // Both ends of the tap are connected before the first message.
    let listener = context.socket(Pair)?;
    let endpoint = listener.bind(&args.capture)?;
    let capture = context.socket(Pair)?;
    capture.connect(&endpoint)?;

    let frontend = context.socket(XSub)?;
    frontend.connect(&args.frontend)?;
    let backend = context.socket(XPub)?;
    // After Ctrl-C, the program does not wait for subscribers that do not read.
    backend.set_linger(Duration::ZERO)?;
    backend.bind(&args.backend)?;

    let publisher = if args.no_publisher {
        None
    } else {
        let publisher = context.socket(Pub)?;
        publisher.set_linger(Duration::ZERO)?;
        publisher.bind(&args.publisher)?;
        Some(publisher)
    };
    let subscriber = if args.no_subscriber {
        None
    } else {
        let subscriber = context.socket(Sub)?;
        subscriber.connect(&args.subscriber)?;
        Some(subscriber)
    };

    thread::scope(|scope| {
        let mut threads = vec![scope.spawn(|| common::until_ctrl_c(|| listen(listener)))];
        if let Some(publisher) = publisher {
            threads.push(scope.spawn(|| common::until_ctrl_c(|| publish(publisher, args.delay))));
        }
        if let Some(subscriber) = subscriber {
            threads.push(scope.spawn(|| common::until_ctrl_c(|| subscribe(subscriber, args.messages))));
        }

        // Messages go to the subscriber, subscriptions to the publisher, and a copy of each to the tap.
        common::until_ctrl_c(|| Ok(proxy(&frontend, &backend, &capture)?))?;

        // Ctrl-C ends every call that waits, so all threads end.
        for thread in threads {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        }
        println!(" interrupted");
        Ok(())
    })
}

/// Publishes a number under one of the letters A to J, again and again.
fn publish(publisher: Socket<'_, Pub>, delay: u64) -> common::Result {
    while !interrupt::interrupted() {
        let letter = char::from(b'A' + randof(10) as u8);
        s_send(&publisher, &format!("{letter}-{:05}", randof(100_000)))?;
        common::pause(delay)?;
    }
    Ok(())
}

/// Receives some messages under A and B, and ends. Then the publisher no longer sends these to the proxy either.
fn subscribe(subscriber: Socket<'_, Sub>, messages: u64) -> common::Result {
    subscriber.subscribe("A")?;
    subscriber.subscribe("B")?;
    for _ in 0..messages {
        s_recv(&subscriber)?;
    }
    Ok(())
}

/// Prints all messages that the proxy forwards, in either direction. A subscription is a message too: the byte 1 and
/// its topic, or 0 and the topic at its end.
fn listen(listener: Socket<'_, Pair>) -> common::Result {
    loop {
        println!("{}", format_frame(&listener.recv_msg()?));
    }
}

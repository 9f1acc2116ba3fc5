//! Durable subscriber: killed and started again, it goes on where it was.
//! The original set the identity "Hello" on its SUB socket, by which libzmq 2 knew it again when it was back. libzmq has
//! no durable sockets any more. Here the name is what it subscribes to, so that its subscription tells the publisher
//! who has come, and the PUSH socket, which only said that it was ready, says what it has.
//!
//! Chapter: 2, (Semi-)Durable Subscribers and High-Water Marks (older editions)
//! Original: durasub.c
//! Teaches: to acknowledge what is done, and not what has come
//! Arguments: --publisher tcp://localhost:5565, --sync tcp://localhost:5564, --name Hello,
//!     --again 1000
//! Partners: durapub --delay 20
//! Ends: by itself
//! Prints: in order
//! - 10 x `Update <n>`
//! - `END`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Message, Push, Sub, interrupt};

/// Durable subscriber: killed and started again, it goes on where it was.
#[derive(Parser)]
struct Args {
    /// Where updates are published
    #[arg(long, default_value = "tcp://localhost:5565")]
    publisher: String,

    /// Where the publisher hears what this subscriber has
    #[arg(long, default_value = "tcp://localhost:5564")]
    sync: String,

    /// What the publisher knows this subscriber by
    #[arg(long, default_value = "Hello")]
    name: String,

    /// After how long to say again what it has, in milliseconds
    #[arg(long, default_value_t = 1000)]
    again: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| collect(Args::parse()))
}

fn collect(args: Args) -> common::Result {
    let context = Context::new()?;
    let again = Duration::from_millis(args.again);
    let sync = context.socket(Push)?;
    // The last acknowledgement gets this long to leave. Should it not, the publisher sends that update once more.
    sync.set_linger(Some(again))?;
    sync.connect(&args.sync)?;

    let subscriber = context.socket(Sub)?;
    subscriber.connect(&args.publisher)?;
    subscriber.subscribe(&args.name)?;

    let mut last: Option<Message> = None;
    // While messages come in all the time, no call waits that Ctrl-C could end: the loop asks for it too.
    while !interrupt::interrupted() {
        let mut is_end = false;
        if let Some(message) = subscriber.recv_multipart_timeout(again)? {
            let [Some(name), Some(number), Some(update)] = [message.get(0), message.get(1), message.get(2)] else {
                continue;
            };
            // Names that begin with this one are subscribed to as well.
            if *name != args.name {
                continue;
            }
            // What comes twice is an update of which the acknowledgement has not arrived.
            if last.as_ref() != Some(number) {
                println!("{}", String::from_utf8_lossy(update));
                last = Some(number.clone());
            }
            is_end = *update == "END";
        }

        // Only now that it is printed: whoever kills this program before sees the update in its next life. An
        // acknowledgement may be lost with a connection, so it is repeated while nothing comes.
        if let Some(number) = &last {
            sync.try_send_multipart([args.name.as_bytes(), number])?.is_sent();
        }
        if is_end {
            break;
        }
    }
    Ok(())
}

//! Durable subscriber: killed and started again, it goes on with the next update.
//! The original set the identity "Hello" on its SUB socket, by which libzmq 2 knew it again. Today's libzmq has no
//! durable sockets. Here the subscriber subscribes to its own name, so that the subscription tells the publisher which
//! subscriber has come. The PUSH socket, which only said that the subscriber was ready, acknowledges updates.
//!
//! Chapter: 2, (Semi-)Durable Subscribers and High-Water Marks (older editions)
//! Original: durasub.c
//! Replaces it: no, libzmq has no durable sockets any more, so it speaks with our durapub and durapub2 alone
//! Teaches: to acknowledge an update when it is done, not when it comes
//! Arguments: --publisher tcp://localhost:5565, --sync tcp://localhost:5564, --name Hello,
//!     --again 1000
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: durapub --delay 20
//! Test prints: in order
//! - 10 x `Update <n>`
//! - `END`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Message, Push, Sub, interrupt};

/// Durable subscriber: killed and started again, it goes on with the next update.
#[derive(Parser)]
struct Args {
    /// The endpoint of the updates
    #[arg(long, default_value = "tcp://localhost:5565")]
    publisher: String,

    /// The endpoint for acknowledgements
    #[arg(long, default_value = "tcp://localhost:5564")]
    sync: String,

    /// The name by which the publisher knows this subscriber
    #[arg(long, default_value = "Hello")]
    name: String,

    /// After how long to repeat the last acknowledgement, in milliseconds
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
    // The last acknowledgement has this long to leave. If it does not leave, the publisher sends that update again.
    sync.set_linger(Some(again))?;
    sync.connect(&args.sync)?;

    let subscriber = context.socket(Sub)?;
    subscriber.connect(&args.publisher)?;
    subscriber.subscribe(&args.name)?;

    let mut last: Option<Message> = None;
    let mut is_end = false;
    // Ctrl-C ends calls that wait. If messages arrive all the time, no call waits, so the loop checks for it too.
    while !interrupt::interrupted() {
        if let Some(message) = subscriber.within(again).recv_multipart()? {
            let [name, number, update, ..] = &message[..] else { continue };
            // The subscription also matches longer names that begin with this one.
            if *name != args.name {
                continue;
            }
            // An update comes twice if its acknowledgement has not arrived.
            if last.as_ref() != Some(number) {
                println!("{}", String::from_utf8_lossy(update));
                last = Some(number.clone());
            }
            is_end = *update == "END";
        }

        // The update is printed before it is acknowledged: if the program is killed in between, the update comes again.
        // An acknowledgement may be lost with a connection, so it is repeated while no update comes.
        if let Some(number) = &last {
            let is_sent = sync.now().send_multipart([args.name.as_bytes(), number])?.is_sent();
            if is_end && is_sent {
                break;
            }
        }
    }
    Ok(())
}

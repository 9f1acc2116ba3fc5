//! Request-reply broker: hands the clients' requests to the workers, and the replies back.
//!
//! Chapter: 2, Shared Queue (DEALER and ROUTER sockets)
//! Original: rrbroker.c
//! Replaces it: in any pair
//! Teaches: ROUTER and DEALER: one notes the client of a request, the other deals requests out
//! Arguments: --frontend tcp://*:5559, --backend tcp://*:5560, --linger 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: 2 x rrclient, 2 x rrworker --delay 5
//! Test prints: nothing

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::{Context, Dealer, PollEvents, PollItem, Router, interrupt, poll};

/// Request-reply broker: hands the clients' requests to the workers, and the replies back.
#[derive(Parser)]
struct Args {
    /// The endpoint for clients
    #[arg(long, default_value = "tcp://*:5559")]
    frontend: String,

    /// The endpoint for workers
    #[arg(long, default_value = "tcp://*:5560")]
    backend: String,

    /// How long to wait at the end for peers that do not take their messages, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| broker(Args::parse()))
}

fn broker(args: Args) -> common::Result {
    let context = Context::new()?;
    // After Ctrl-C, the program waits no longer than this for peers that do not take their messages.
    let patience = Some(Duration::from_millis(args.linger));
    let frontend = context.socket(Router)?;
    frontend.set_linger(patience)?;
    frontend.bind(&args.frontend)?;
    let backend = context.socket(Dealer)?;
    backend.set_linger(patience)?;
    backend.bind(&args.backend)?;

    let mut items = [PollItem::socket(&frontend, PollEvents::POLLIN), PollItem::socket(&backend, PollEvents::POLLIN)];

    // Ctrl-C ends calls that wait. If messages arrive all the time, no call waits, so the loop checks for it too.
    while !interrupt::interrupted() {
        poll(&mut items, None)?;

        // A message is passed on with all its frames: the first are the address of the client.
        if items[0].is_readable() {
            backend.send_multipart(frontend.recv_multipart()?)?;
        }
        if items[1].is_readable() {
            frontend.send_multipart(backend.recv_multipart()?)?;
        }
    }
    Ok(())
}

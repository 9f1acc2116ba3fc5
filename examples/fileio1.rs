//! File transfer, model one: the server sends the whole file at once.
//!
//! Chapter: 7, Transferring Files
//! Original: fileio1.c
//! Replaces it: in any pair
//! Teaches: a request with many replies, and an empty one at their end; in C, a slow client costs the whole file in memory
//! Arguments: --bind tcp://*:6000, --connect tcp://127.0.0.1:6000, --file testdata, --output, --no-server, --no-client
//! Other files: common/mod.rs, common/threads.rs, common/file_transfer.rs
//! Ends: by itself
//! Test partners: none
//! Test run: --file /etc/passwd
//! Test prints: in order
//! - `<n> chunks received, <n> bytes`

mod common;
#[path = "common/file_transfer.rs"]
mod file_transfer;

use std::io::Write;
use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::s_send;
use zmq::{Dealer, Errno, Error, interrupt};
use zmq_patterns::file_transfer::Received;

use file_transfer::Transfer;

/// File transfer, model one: the server sends the whole file at once.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    transfer: Transfer,
}

fn main() -> common::Result {
    let Args { transfer } = Args::parse();
    common::until_ctrl_c(|| {
        transfer.run(|context, output| {
            let dealer = context.socket(Dealer)?;
            // After Ctrl-C, the program does not wait for a server that is not there.
            dealer.set_linger(Duration::ZERO)?;
            // The server sends as fast as it can. In C, up to a thousand chunks wait here.
            dealer.set_rcvhwm(10)?;
            dealer.connect(&transfer.connect)?;
            s_send(&dealer, "fetch")?;
            let mut received = Received::default();
            loop {
                // While chunks come faster than they are written, no call waits, and none notices Ctrl-C.
                if interrupt::interrupted() {
                    return Err(Error::new(Errno::EINTR, "zmq_msg_recv", "Ctrl-C").into());
                }
                let chunk = dealer.recv_msg()?;
                received.chunks += 1;
                received.bytes += chunk.len() as u64;
                if chunk.is_empty() {
                    return Ok(received);
                }
                output.write_all(&chunk)?;
            }
        })
    })
}

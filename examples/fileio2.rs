//! File transfer, model two: the client asks for each chunk.
//!
//! Chapter: 7, Transferring Files
//! Original: fileio2.c
//! Replaces it: in any pair
//! Teaches: the client asks for each chunk. In C the ROUTER has a mark of 1 and drops chunks, and the client waits for ever
//! Arguments: --bind tcp://*:6000, --connect tcp://127.0.0.1:6000, --file testdata, --output, --no-server, --no-client,
//!     --chunk 250000
//! Other files: common/mod.rs, common/threads.rs, common/file_transfer.rs
//! Ends: by itself
//! Test partners: none
//! Test run: --file /etc/passwd --chunk 100
//! Test prints: in order
//! - `<n> chunks received, <n> bytes`

mod common;
#[path = "common/file_transfer.rs"]
mod file_transfer;

use clap::Parser;
use zmq_patterns::file_transfer::Client;

use file_transfer::Transfer;

/// File transfer, model two: the client asks for each chunk.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    transfer: Transfer,

    /// The size of a chunk in bytes
    #[arg(long, default_value_t = 250_000)]
    chunk: usize,
}

fn main() -> common::Result {
    let Args { transfer, chunk } = Args::parse();
    common::until_ctrl_c(|| {
        transfer.run(|context, output| {
            // One request is under way, so each chunk costs a round trip.
            let mut client = Client::new(context, &transfer.connect).chunk(chunk).credit(1);
            Ok(client.fetch(output)?)
        })
    })
}

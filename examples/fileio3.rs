//! File transfer, model three: the client asks for several chunks at once.
//!
//! Chapter: 7, Transferring Files
//! Original: fileio3.c
//! Replaces it: in any pair
//! Teaches: so many requests are under way, the credit; C sets a mark of 20, with which its ROUTER drops chunks
//! Arguments: --bind tcp://*:6000, --connect tcp://127.0.0.1:6000, --file testdata, --output, --no-server, --no-client,
//!     --chunk 250000, --credit 10
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

/// File transfer, model three: the client asks for several chunks at once.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    transfer: Transfer,

    /// The size of a chunk in bytes
    #[arg(long, default_value_t = 250_000)]
    chunk: usize,

    /// How many requests are under way
    #[arg(long, default_value_t = 10)]
    credit: u32,
}

fn main() -> common::Result {
    let Args { transfer, chunk, credit } = Args::parse();
    common::until_ctrl_c(|| {
        transfer.run(|context, output| {
            // While a chunk travels, others are asked for: the link is never idle.
            let mut client = Client::new(context, &transfer.connect).chunk(chunk).credit(credit);
            Ok(client.fetch(output)?)
        })
    })
}

//! Hello World client in smol, or any other runtime: says "Hello" ten times, and waits for "World" each time.
//!
//! Chapter: 1, Ask and Ye Shall Receive
//! Original: hwclient.c
//! Replaces it: in any pair
//! Teaches: the runtime async-io, which every executor can use
//! Arguments: --endpoint tcp://localhost:5555, --count 10
//! Other files: common/mod.rs
//! Features: async-io
//! Ends: by itself
//! Test partners: hwserver --delay 5
//! Test prints: in order
//! - `Connecting to hello world server...`
//! - 10 x `Sending Hello <n>...`, `Received World <n>`

mod common;

use clap::Parser;
use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Req};

/// Hello World client in smol, or any other runtime: says "Hello" ten times, and waits for "World" each time.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// How many requests to send
    #[arg(long, default_value_t = 10)]
    count: u32,
}

fn main() -> common::Result {
    // `smol::block_on` is this function. The executor of async-std, or any other, could run the future too.
    async_io::block_on(ask(Args::parse()))
}

async fn ask(args: Args) -> common::Result {
    // The server may start later: libzmq keeps trying to connect in the background.
    println!("Connecting to hello world server...");
    let context = Context::new()?;
    let client = context.owned_socket(Req)?;
    client.connect(&args.endpoint)?;
    let mut client = AsyncSocket::new(client, Runtime::AsyncIo)?;

    for number in 0..args.count {
        println!("Sending Hello {number}...");
        client.send("Hello").await?;

        // A REQ socket must receive the answer before it sends again.
        let reply = client.recv_multipart().await?;
        println!("Received {} {number}", String::from_utf8_lossy(&reply[0]));
    }
    Ok(())
}

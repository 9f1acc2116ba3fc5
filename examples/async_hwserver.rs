//! Hello World server in Tokio: answers every "Hello" with "World".
//!
//! Chapter: 1, Ask and Ye Shall Receive
//! Original: hwserver.c
//! Replaces it: in any pair
//! Teaches: a socket that is set up as always, and made asynchronous; Ctrl-C and the work of a reply in `select!`
//! Arguments: --endpoint tcp://*:5555, --delay 1000, --linger 1000
//! Other files: common/mod.rs
//! Features: tokio
//! Ends: on Ctrl-C
//! Test partners: hwclient
//! Test run: --delay 5
//! Test prints: in order
//! - 10 x `Received Hello`

mod common;

use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Rep};

/// Hello World server in Tokio: answers every "Hello" with "World".
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://*:5555")]
    endpoint: String,

    /// How long the work for an answer takes, in milliseconds
    #[arg(long, default_value_t = 1000)]
    delay: u64,

    /// How long to wait at the end for clients that do not take their replies, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    let server = context.owned_socket(Rep)?;
    // After Ctrl-C, the program waits no longer than this for clients that do not take their replies.
    server.set_linger(Duration::from_millis(args.linger))?;
    server.bind(&args.endpoint)?;
    let mut server = AsyncSocket::new(server, Runtime::Tokio)?;

    // A Ctrl-C while no `select!` waits for it ends the next one.
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    loop {
        // If Ctrl-C comes first, the receive is dropped. It has taken no request from the socket.
        let request = tokio::select! {
            request = server.recv_multipart() => request?,
            _ = ctrl_c.recv() => return Ok(()),
        };
        println!("Received {}", String::from_utf8_lossy(&request[0]));

        // The pause stands for the work. Ctrl-C cuts it short, and the client still gets its reply.
        let is_last = tokio::select! {
            () = sleep(Duration::from_millis(args.delay)) => false,
            _ = ctrl_c.recv() => true,
        };
        server.send("World").await?;
        if is_last {
            return Ok(());
        }
    }
}

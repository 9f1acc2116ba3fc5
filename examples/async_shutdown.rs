//! Server in Tokio that ends gracefully: after Ctrl-C it takes no more requests, and answers those that it has.
//!
//! Chapter: none, a server that ends gracefully
//! Original: none
//! Teaches: a server whose requests are futures, a CancellationToken that ends it, and a bound for the end
//! Arguments: --endpoint tcp://*:5555, --work 1000, --patience 5000
//! Other files: common/mod.rs
//! Features: tokio
//! Ends: on Ctrl-C
//! Test partners: hwclient
//! Test run: --work 5
//! Test prints: in order
//! - 10 x `Received Hello`
//! - 0+ x `No more requests`

mod common;

use std::time::Duration;

use clap::Parser;
use tokio::signal::ctrl_c;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use zmq::aio::{AsyncSocket, Runtime, serve};
use zmq::{Context, Multipart, Router};

/// The number of requests that are answered at the same time.
const AT_ONCE: usize = 1000;

/// Server in Tokio that ends gracefully: after Ctrl-C it takes no more requests, and answers those that it has.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://*:5555")]
    endpoint: String,

    /// How long the work for an answer takes, in milliseconds
    #[arg(long, default_value_t = 1000)]
    work: u64,

    /// How long to wait at the end for the requests that are under way, and then for clients that do not take their
    /// replies, in milliseconds
    #[arg(long, default_value_t = 5000)]
    patience: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let (work, patience) = (Duration::from_millis(args.work), Duration::from_millis(args.patience));
    let context = Context::new()?;
    let server = context.owned_socket(Router)?;
    // The context waits this long for clients that do not take their replies.
    server.set_linger(patience)?;
    server.bind(&args.endpoint)?;
    let mut server = AsyncSocket::new(server, Runtime::Tokio)?;

    // Each part of a program has a clone of the token, and ends its own way.
    let stop = CancellationToken::new();
    tokio::spawn(cancel_on_ctrl_c(stop.clone()));
    tokio::select! {
        // Returns when the token is cancelled and the requests are answered that it has taken.
        served = serve(&mut server, AT_ONCE, |request| answer(request, work), stop.cancelled()) => served?,
        () = time_is_up(&stop, patience) => eprintln!("giving up on requests that take longer"),
    }
    Ok(())
}

async fn cancel_on_ctrl_c(stop: CancellationToken) {
    // Without a handler for Ctrl-C the signal ends the program.
    if ctrl_c().await.is_ok() {
        println!("No more requests");
        stop.cancel();
    }
}

async fn time_is_up(stop: &CancellationToken, patience: Duration) {
    stop.cancelled().await;
    sleep(patience).await;
}

/// The answer to a request. Other requests are answered meanwhile.
async fn answer(request: Multipart, work: Duration) -> &'static str {
    println!("Received {}", String::from_utf8_lossy(request.first().map_or(b"", |part| part)));
    sleep(work).await;
    "World"
}

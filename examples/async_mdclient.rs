//! Majordomo client in Tokio: one half of its socket sends all requests, the other receives the replies.
//!
//! Chapter: 4, Asynchronous Majordomo Pattern
//! Original: mdclient2.c
//! Replaces it: in any pair
//! Teaches: a protocol whose frames are made and parsed apart from any socket, over a socket in Tokio
//! Arguments: --endpoint tcp://localhost:5555, --service echo, --count 100000, --timeout 2500
//! Other files: common/mod.rs
//! Features: tokio
//! Ends: by itself
//! Test partners: mdbroker, 2 x mdworker
//! Test run: --count 1000
//! Test prints: in order
//! - `1000 replies received`

mod common;

use std::time::Duration;

use clap::Parser;
use tokio::time::timeout;
use zmq::aio::{AsyncReceiver, AsyncSender, AsyncSocket, Runtime};
use zmq::{Context, Dealer};
use zmq_patterns::majordomo::{Reply, request_message};

/// Majordomo client in Tokio: one half of its socket sends all requests, the other receives the replies.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// The service
    #[arg(long, default_value = "echo")]
    service: String,

    /// How many requests to send
    #[arg(long, default_value_t = 100_000)]
    count: u32,

    /// How long to wait for the next reply, in milliseconds
    #[arg(long, default_value_t = 2500)]
    timeout: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    let broker = context.owned_socket(Dealer)?;
    // Requests that no broker has taken at the end are dropped. Replies that are not received yet may take all memory: the
    // broker would drop them if the queue were full.
    broker.set_linger(Duration::ZERO)?;
    broker.set_rcvhwm(0)?;
    broker.connect(&args.endpoint)?;
    let (mut requests, mut replies) = AsyncSocket::new(broker, Runtime::Tokio)?.split();

    tokio::select! {
        count = receive(&mut replies, &args) => println!("{} replies received", count?),
        // Without a broker the requests wait for room, and the receiver gives up.
        Err(failure) = send(&mut requests, &args) => return Err(failure),
    }
    Ok(())
}

async fn send(requests: &mut AsyncSender<Dealer>, args: &Args) -> common::Result {
    for _ in 0..args.count {
        requests.send_multipart(request_message(&args.service, "Hello world")?).await?;
    }
    Ok(())
}

/// Receives the replies until all are there, or none comes in time. Returns their number.
async fn receive(replies: &mut AsyncReceiver<Dealer>, args: &Args) -> common::Result<u32> {
    let mut count = 0;
    while count < args.count {
        // The time-out drops the receive. It has taken no reply from the socket.
        let Ok(message) = timeout(Duration::from_millis(args.timeout), replies.recv_multipart()).await else { break };
        match Reply::from_message(message?) {
            Ok(_) => count += 1,
            Err(fault) => eprintln!("dropped: {fault}"),
        }
    }
    Ok(count)
}

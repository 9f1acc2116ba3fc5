//! Hello World server that works for several clients at once, each in a thread of its own.
//!
//! Chapter: 2, Multithreading with ZeroMQ
//! Original: mtserver.c
//! Replaces it: in any pair
//! Teaches: a broker and its workers in one process: threads share the context, never a socket
//! Arguments: --endpoint tcp://*:5555, --backend inproc://workers, --workers 5, --delay 1000, --linger 1000
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: 5 x hwclient
//! Test run: --delay 5
//! Test prints: in order
//! - 50 x `Received request: [Hello]`

mod common;

use std::num::NonZeroU32;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send};
use zmq::{Context, Dealer, Rep, Router, interrupt, proxy};

/// Hello World server that works for several clients at once, each in a thread of its own.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://*:5555")]
    endpoint: String,

    /// The endpoint for workers
    #[arg(long, default_value = "inproc://workers")]
    backend: String,

    /// How many requests are worked on at once
    #[arg(long, default_value = "5")]
    workers: NonZeroU32,

    /// How long the work for an answer takes, in milliseconds
    #[arg(long, default_value_t = 1000)]
    delay: u64,

    /// How long to wait at the end for clients that do not take their replies, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| serve(Args::parse()))
}

fn serve(args: Args) -> common::Result {
    let context = Context::new()?;
    let clients = context.socket(Router)?;
    // After Ctrl-C, the program waits no longer than this for clients that do not take their replies.
    clients.set_linger(Duration::from_millis(args.linger))?;
    clients.bind(&args.endpoint)?;
    // Threads of one process meet over inproc, without a network.
    let workers = context.socket(Dealer)?;
    let backend = workers.bind(&args.backend)?;

    // The scope ends when all of its threads have ended.
    let ended = thread::scope(|scope| {
        let (connecting, connected) = mpsc::channel();
        for _ in 0..args.workers.get() {
            // A worker borrows the context and opens its own socket. A worker that used one of the two sockets above
            // would not compile.
            let (context, backend, connecting) = (&context, &backend, connecting.clone());
            scope.spawn(move || {
                if let Err(error) = common::until_ctrl_c(|| work(context, backend, connecting, args.delay)) {
                    eprintln!("a worker has failed: {error}");
                }
            });
        }
        // A DEALER sends requests in turn to the workers that are connected. C starts before all are connected, so one
        // worker may get two requests while another has none. Here the channel ends when every worker has connected.
        drop(connecting);
        for () in connected {}

        // Runs until Ctrl-C, which ends the workers as well.
        proxy(&clients, &workers, None)
    });

    // Sends the replies of the workers that have arrived since Ctrl-C to the clients.
    let (unforwarded, error) = match ended {
        Ok(()) => return Ok(()),
        Err(failed) => failed.into_parts(),
    };
    if let Some(reply) = unforwarded.to_frontend {
        clients.send_multipart(reply)?;
    }
    while let Some(reply) = workers.now().recv_multipart()? {
        clients.send_multipart(reply)?;
    }
    Err(error.into())
}

fn work(context: &Context, backend: &str, connecting: Sender<()>, delay: u64) -> common::Result {
    let receiver = context.socket(Rep)?;
    receiver.connect(backend)?;
    drop(connecting);

    while !interrupt::interrupted() {
        let request = s_recv(&receiver)?;
        println!("Received request: [{request}]");

        // A real worker would work for its answer here.
        common::pause(delay)?;

        s_send(&receiver, "World")?;
    }
    Ok(())
}

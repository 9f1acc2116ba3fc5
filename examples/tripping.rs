//! Round-trip demonstrator: how much faster calls are if they do not wait for one another.
//!
//! Chapter: 4, Asynchronous Majordomo Pattern
//! Original: tripping.c
//! Replaces it: alone
//! Teaches: a round trip takes time that a client need not wait: requests sent ahead are many times faster
//! Arguments: --frontend tcp://*:5555, --client tcp://localhost:5555, --backend tcp://*:5556,
//!     --worker tcp://localhost:5556, --synchronous 10000, --asynchronous 100000, --no-broker
//! Other files: common/mod.rs, common/threads.rs
//! Ends: by itself
//! Test partners: none
//! Test run: --synchronous 200 --asynchronous 2000
//! Test prints: in order
//! - `Setting up test...`
//! - `Synchronous round-trip test...`
//! - ` <n> calls/second`
//! - `Asynchronous round-trip test...`
//! - ` <n> calls/second`

mod common;

use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use common::threads;
use zmq::zhelpers::s_send;
use zmq::{Context, Dealer, PollEvents, PollItem, Socket, poll};

/// Round-trip demonstrator: how much faster calls are if they do not wait for one another.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker for clients
    #[arg(long, default_value = "tcp://*:5555")]
    frontend: String,

    /// The same, as the client connects to it
    #[arg(long, default_value = "tcp://localhost:5555")]
    client: String,

    /// The endpoint of the broker for workers
    #[arg(long, default_value = "tcp://*:5556")]
    backend: String,

    /// The same, as the worker connects to it
    #[arg(long, default_value = "tcp://localhost:5556")]
    worker: String,

    /// How many calls wait for one another
    #[arg(long, default_value_t = 10_000)]
    synchronous: u32,

    /// How many calls do not
    #[arg(long, default_value_t = 100_000)]
    asynchronous: u32,

    /// Start the client and the worker alone, for a broker that is another program
    #[arg(long)]
    no_broker: bool,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(Args::parse()))
}

fn run(args: Args) -> common::Result {
    let context = Context::new()?;
    let (frontend, backend) = (dealer(&context)?, dealer(&context)?);
    if !args.no_broker {
        frontend.bind(&args.frontend)?;
        backend.bind(&args.backend)?;
    }
    let (context, args) = (&context, &args);
    thread::scope(|scope| {
        let mut others = vec![scope.spawn(move || threads::run(context, || work(context, &args.worker)))];
        if !args.no_broker {
            others.push(scope.spawn(move || threads::run(context, || pass_on(&frontend, &backend))));
        }
        let outcome = threads::run(context, || measure(context, args));
        // The other threads run until their context ends.
        context.shutdown()?;
        others.into_iter().try_for_each(threads::join).and(outcome)
    })
}

/// A DEALER that never waits for room: it may have as many messages as the client sends ahead. In C each socket has room
/// for a thousand, and three programs that wait for one another's room would wait for ever.
fn dealer(context: &Context) -> zmq::Result<Socket<'_, Dealer>> {
    let socket = context.socket(Dealer)?;
    socket.set_sndhwm(0)?;
    socket.set_rcvhwm(0)?;
    socket.set_linger(Duration::ZERO)?;
    Ok(socket)
}

/// The client, which measures.
fn measure(context: &Context, args: &Args) -> common::Result {
    let client = dealer(context)?;
    client.connect(&args.client)?;
    println!("Setting up test...");
    common::pause(100)?;

    println!("Synchronous round-trip test...");
    let start = Instant::now();
    for _ in 0..args.synchronous {
        s_send(&client, "hello")?;
        client.recv_msg()?;
    }
    print_rate(args.synchronous, start);

    println!("Asynchronous round-trip test...");
    let start = Instant::now();
    for _ in 0..args.asynchronous {
        s_send(&client, "hello")?;
    }
    for _ in 0..args.asynchronous {
        client.recv_msg()?;
    }
    print_rate(args.asynchronous, start);
    Ok(())
}

fn print_rate(calls: u32, start: Instant) {
    println!(" {:.0} calls/second", f64::from(calls) / start.elapsed().as_secs_f64());
}

/// The worker returns each message.
fn work(context: &Context, endpoint: &str) -> common::Result {
    let worker = dealer(context)?;
    worker.connect(endpoint)?;
    loop {
        worker.send_multipart(worker.recv_multipart()?)?;
    }
}

/// The broker passes messages on in both directions. It has one client and one worker, so it needs no addresses.
fn pass_on(frontend: &Socket<'_, Dealer>, backend: &Socket<'_, Dealer>) -> common::Result {
    let mut items = [PollItem::socket(frontend, PollEvents::POLLIN), PollItem::socket(backend, PollEvents::POLLIN)];
    loop {
        poll(&mut items, None)?;
        if items[0].is_readable() {
            backend.send_multipart(frontend.recv_multipart()?)?;
        }
        if items[1].is_readable() {
            frontend.send_multipart(backend.recv_multipart()?)?;
        }
    }
}

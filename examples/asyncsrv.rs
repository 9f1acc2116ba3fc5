//! Asynchronous server: clients that do not wait for one reply before the next request, and a pool of workers for all.
//!
//! Chapter: 3, The Asynchronous Client/Server Pattern
//! Original: asyncsrv.c
//! Replaces it: in any pair
//! Teaches: DEALER to ROUTER without an empty frame, a proxy with workers, and actors
//! Arguments: --bind tcp://*:5570, --connect tcp://localhost:5570, --backend inproc://backend, --clients 3,
//!     --workers 5, --pause 1000, --work 1000, --replies 4, --duration 5000, --patience 5000
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test run: --pause 50 --work 20 --duration 2000
//! Test prints: in any order
//! - 10+ x `<id>[<n>] request #<n>`

mod common;

use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{format_frame, randof, s_set_id};
use zmq::{Context, Dealer, PollEvents, PollItem, Router, poll};
use zmq_patterns::{Actor, ActorPipe, Proxy, Reactor};

/// Asynchronous server: clients that do not wait for one reply before the next request, and a pool of workers for all.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://*:5570")]
    bind: String,

    /// The endpoint of the server, as the clients connect to it
    #[arg(long, default_value = "tcp://localhost:5570")]
    connect: String,

    /// The endpoint between the server and its workers
    #[arg(long, default_value = "inproc://backend")]
    backend: String,

    /// How many clients to run; with 0, the server serves those of other programs
    #[arg(long, default_value_t = 3)]
    clients: u32,

    /// How many workers the server has; with 0 there is no server, and the clients use that of another program
    #[arg(long, default_value_t = 5)]
    workers: u32,

    /// How long a client waits before each request, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pause: u64,

    /// How long the work for a reply takes at most, in milliseconds
    #[arg(long, default_value_t = 1000)]
    work: u32,

    /// How many replies a request has at most
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(..1000))]
    replies: u32,

    /// How long all this goes on, in milliseconds
    #[arg(long, default_value_t = 5000)]
    duration: u64,

    /// How long each thread may take to end, in milliseconds
    #[arg(long, default_value_t = 5000)]
    patience: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(Args::parse()))
}

fn run(args: Args) -> common::Result {
    let context = Context::new()?;
    // Messages that are under way at the end are of no use.
    context.set_blocky(false)?;

    // The proxy is the server. Its frontend is for clients, its backend for workers, and the workers get requests in
    // turn.
    let mut proxy = None;
    if args.workers > 0 {
        let (frontend, backend) = (context.owned_socket(Router)?, context.owned_socket(Dealer)?);
        frontend.bind(&args.bind)?;
        backend.bind(&args.backend)?;
        proxy = Some(Proxy::start(frontend, backend, None)?);
    }
    let mut threads = Vec::new();
    for _ in 0..args.clients {
        let (endpoint, pause) = (args.connect.clone(), Duration::from_millis(args.pause));
        threads.push(start(&context, "client", move |pipe| client(pipe, &endpoint, pause))?);
    }
    for _ in 0..args.workers {
        let (backend, work, replies) = (args.backend.clone(), args.work, args.replies);
        threads.push(start(&context, "worker", move |pipe| worker(pipe, &backend, work, replies))?);
    }

    common::pause(args.duration)?;

    // Ends each thread and waits for it. The proxy is the last, so that no worker waits for it to take a reply.
    for thread in threads {
        thread.terminate(Duration::from_millis(args.patience))?;
    }
    if let Some(proxy) = proxy {
        // A message that it could not forward is dropped with the outcome, like all messages in the queues.
        drop(proxy.terminate()?);
    }
    Ok(())
}

/// Starts a thread with a pipe to this one, over which it is told to end. The thread opens its own sockets: the
/// compiler lets no thread use those of another.
fn start(
    context: &Context,
    name: &str,
    body: impl FnOnce(&ActorPipe) -> common::Result + Send + 'static,
) -> zmq::Result<Actor> {
    Ok(Actor::spawn(context, name, |pipe| Ok(common::until_ctrl_c(|| body(pipe))?))?)
}

/// Sends requests from time to time, and prints the replies: a request may have none, or several.
fn client(pipe: &ActorPipe, endpoint: &str, pause: Duration) -> common::Result {
    let context = pipe.context();
    let client = context.socket(Dealer)?;
    // A name that can be printed tells the clients apart.
    let id = s_set_id(&client)?;
    client.connect(endpoint)?;
    pipe.ready();

    let mut number = 0;
    let mut reactor = Reactor::new()?;
    reactor.add(&client, PollEvents::POLLIN, |_, _| {
        let reply = client.recv_multipart()?;
        if let Some(text) = reply.last() {
            println!("{id}{}", format_frame(text));
        }
        Ok(())
    })?;
    // C counts a hundred waits of 10 ms as a second, and a reply ends such a wait early. This timer keeps its interval.
    reactor.every(pause, |_, _| {
        // Without a server the requests queue up. A request that finds no room is sent again after the next interval.
        if client.now().send(format!("request #{}", number + 1))?.is_sent() {
            number += 1;
        }
        Ok(())
    })?;
    reactor.add(pipe.as_ref(), PollEvents::POLLIN, |reactor, _| {
        reactor.stop();
        Ok(())
    })?;
    reactor.run()?;
    Ok(())
}

/// Answers each request with a random number of replies, or with none.
fn worker(pipe: &ActorPipe, backend: &str, work: u32, replies: u32) -> common::Result {
    let context = pipe.context();
    let worker = context.socket(Dealer)?;
    worker.connect(backend)?;
    pipe.ready();

    while !pipe.is_terminated() {
        let end = PollItem::socket(pipe.as_ref(), PollEvents::POLLIN);
        poll(&mut [end, PollItem::socket(&worker, PollEvents::POLLIN)], None)?;
        let Some(request) = worker.now().recv_multipart()? else { continue };

        // The server's ROUTER has added the client's name: [client][request]. A reply begins with that name.
        for _ in 0..randof(replies + 1) {
            // The pause stands for the work. The end of the actor ends it, with ECANCELED.
            pipe.within(Duration::from_millis(u64::from(randof(work.max(1))) + 1)).recv_multipart()?;
            worker.send_multipart(&request)?;
        }
    }
    Ok(())
}

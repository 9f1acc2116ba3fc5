//! Broker peering, second step: brokers pass requests on to their own workers, and to one another.
//!
//! Chapter: 3, Prototyping the Local and Cloud Flows
//! Original: peering2.c
//! Replaces it: in any pair
//! Teaches: ROUTER to ROUTER by names that both know, envelopes across two brokers
//! Arguments: [NAMES]..., --directory ., --clients 10, --workers 3, --pause 1000, --retry 500,
//!     --abroad 5, --requests
//! Other files: common/mod.rs, common/peering.rs
//! Ends: on Ctrl-C
//! Test partners: peering2 DC2 DC1
//! Test run: DC1 DC2
//! Test input: Enter
//! Test prints: in any order
//! - `I: preparing broker at DC1...`
//! - `I: connecting to cloud frontend at 'DC2'`
//! - `Press Enter when all brokers are started: <text>`
//! - 10+ x `Client: OK`
//! - 3+ x `Worker: [005] HELLO`

mod common;
#[path = "common/peering.rs"]
mod peering;

use std::io::{self, BufRead, Write};
use std::num::NonZeroU32;
use std::os::fd::AsFd;
use std::time::Duration;

use clap::Parser;
use peering::{Broker, READY};
use zmq::zhelpers::{format_frame, randof, s_send};
use zmq::{Context, PollEvents, PollItem, Req, interrupt, poll};
use zmq_patterns::ActorPipe;

/// Broker peering, second step: brokers pass requests on to their own workers, and to one another.
#[derive(Parser)]
struct Args {
    /// The name of this broker, and then those of its peers
    names: Vec<String>,

    /// The directory of the brokers' endpoints; all brokers need the same
    #[arg(long, default_value = ".")]
    directory: String,

    /// How many clients of its own the broker has
    #[arg(long, default_value_t = 10)]
    clients: u32,

    /// How many workers of its own; a broker without workers leaves all requests to its peers
    #[arg(long, default_value_t = 3)]
    workers: u32,

    /// How long a client waits after a reply, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pause: u64,

    /// After how long a request that found no worker and no peer is tried again, in milliseconds
    #[arg(long, default_value_t = 500)]
    retry: u64,

    /// One request in so many goes to a peer, though workers are free here
    #[arg(long, default_value = "5")]
    abroad: NonZeroU32,

    /// How many requests each client makes, without end if not given
    #[arg(long)]
    requests: Option<u64>,
}

fn main() -> common::Result {
    let args = Args::parse();
    let Some((name, peers)) = args.names.split_first() else {
        println!("syntax: peering2 me {{you}}...");
        return Ok(());
    };
    common::until_ctrl_c(|| run(name, peers, &args))
}

fn run(name: &str, peers: &[String], args: &Args) -> common::Result {
    let context = Context::new()?;
    // Messages that are under way at the end are of no use.
    context.set_blocky(false)?;
    let broker = Broker::prepare(&context, &args.directory, name, peers)?;
    let cloud = peering::endpoint(&args.directory, name, "cloud");
    if args.workers > 0 {
        broker.cloudfe.bind(&cloud)?;
    }

    print!("Press Enter when all brokers are started: ");
    io::stdout().flush()?;
    // Ctrl-C ends the poll. It would not end the read.
    poll(&mut [PollItem::fd(io::stdin().as_fd(), PollEvents::POLLIN)], None)?;
    io::stdin().lock().skip_until(b'\n')?;

    // Dropping an actor ends its thread.
    let mut threads = Vec::new();
    for _ in 0..args.workers {
        let endpoint = peering::endpoint(&args.directory, name, "localbe");
        threads.push(peering::start(&context, "worker", move |pipe| worker(pipe, &endpoint))?);
    }
    for _ in 0..args.clients {
        let endpoint = peering::endpoint(&args.directory, name, "localfe");
        let (pause, requests) = (Duration::from_millis(args.pause), args.requests);
        threads.push(peering::start(&context, "client", move |pipe| client(pipe, &endpoint, pause, requests))?);
    }
    route(broker, args, &cloud)
}

/// Makes a request, waits for the reply, and again.
fn client(pipe: &ActorPipe, endpoint: &str, pause: Duration, requests: Option<u64>) -> common::Result {
    let context = pipe.context();
    let client = context.socket(Req)?;
    client.connect(endpoint)?;
    pipe.ready();

    for _ in 0..requests.unwrap_or(u64::MAX) {
        if pipe.is_terminated() {
            break;
        }
        s_send(&client, "HELLO")?;
        let Some(reply) = peering::recv(pipe, &client, None)? else { break };
        if let Some(text) = reply.last() {
            println!("Client: {}", String::from_utf8_lossy(text));
        }
        // No message comes over the pipe. The end of the actor ends the pause, with ECANCELED.
        pipe.within(pause).recv_multipart()?;
    }
    Ok(())
}

/// Says that it is ready, and then answers one request after the other.
fn worker(pipe: &ActorPipe, endpoint: &str) -> common::Result {
    let context = pipe.context();
    let worker = context.socket(Req)?;
    worker.connect(endpoint)?;
    pipe.ready();

    worker.send(READY)?;
    while let Some(mut message) = peering::recv(pipe, &worker, None)? {
        // The envelope goes back unchanged, with another body. Brokers find the client by it.
        if let Some(body) = message.last_mut() {
            println!("Worker: {}", format_frame(body));
            *body = "OK".into();
        }
        worker.send_multipart(message)?;
    }
    Ok(())
}

/// The broker's own work, until Ctrl-C.
fn route(mut broker: Broker, args: &Args, cloud: &str) -> common::Result {
    let mut has_workers = args.workers > 0;
    // A request that found no worker and no peer, and whether it is from an own client.
    let mut held = None;
    // Ctrl-C ends calls that wait. If messages arrive all the time, no call waits, so the loop checks for it too.
    while !interrupt::interrupted() {
        // Replies can always be passed on. Requests wait in the sockets' queues until a worker or a peer can take them.
        // C polls for requests after a reply, or once in a second. Here a request ends the wait.
        let can_work = held.is_none() && !broker.workers.is_empty();
        let can_ask = held.is_none() && !broker.peers.is_empty() && !has_workers;
        let mut items = [
            peering::readable(&broker.localbe, true),
            peering::readable(&broker.cloudbe, true),
            peering::readable(&broker.cloudfe, can_work),
            peering::readable(&broker.localfe, can_work || can_ask),
        ];
        poll(&mut items, held.is_some().then_some(Duration::from_millis(args.retry)))?;
        let [from_worker, from_peer, peer_asks, client_asks] = items.map(|item| item.is_readable());

        if from_worker {
            if let Some(reply) = broker.recv_from_worker()? {
                broker.reply(reply)?;
            }
            // A broker without workers is not bound, so its peers do not ask it. Now it has a worker.
            if !has_workers && !broker.workers.is_empty() {
                broker.cloudfe.bind(cloud)?;
                has_workers = true;
            }
        }
        if from_peer {
            broker.reply(broker.recv_from_peer()?)?;
        }

        // Peers come first, as in C: otherwise busy own clients would starve them. A peer's request is not passed on
        // again, because it could circulate for ever.
        let next = match held.take() {
            Some(held) => Some(held),
            None if peer_asks => Some((broker.cloudfe.recv_multipart()?, false)),
            None if client_asks => Some((broker.localfe.recv_multipart()?, true)),
            None => None,
        };
        let Some((request, is_local)) = next else { continue };
        // One request in `abroad` goes to a peer, to exercise that route. peering3 knows the peers with free workers.
        let abroad = is_local && !broker.peers.is_empty() && (!has_workers || randof(args.abroad.get()) == 0);
        let unsent = if abroad { broker.offer_to_peers(broker.peers.iter(), request)? } else { Some(request) };
        let unsent = match unsent {
            Some(request) => broker.offer_to_worker(request)?,
            None => None,
        };
        held = unsent.map(|request| (request, is_local));
    }
    Ok(())
}

//! The load-balancing broker once more, with the high-level API: whole messages, and actors in the place of threads.
//!
//! Chapter: 3, The CZMQ High-Level API
//! Original: lbbroker2.c
//! Replaces it: in any pair
//! Teaches: messages that are wrapped and unwrapped whole, and actors that end when told to
//! Arguments: --frontend ipc://frontend.ipc, --backend ipc://backend.ipc, --clients 10, --workers 3, --linger 200,
//!     --patience 1000, --no-broker
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in any order
//! - 10 x `Worker: [005] HELLO`
//! - 10 x `Client: OK`

mod common;

use std::collections::VecDeque;
use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{format_frame, s_recv, s_send};
use zmq::{Context, PollEvents, PollItem, Req, Router, Socket, poll};
use zmq_patterns::{Actor, ActorPipe};

/// The first message of a worker.
const WORKER_READY: &str = "READY";

/// The load-balancing broker once more, with the high-level API: whole messages, and actors in the place of threads.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker for clients
    #[arg(long, default_value = "ipc://frontend.ipc")]
    frontend: String,

    /// The endpoint of the broker for workers
    #[arg(long, default_value = "ipc://backend.ipc")]
    backend: String,

    /// How many clients to start, after the last of which it ends; with none it serves others until Ctrl-C
    #[arg(long, default_value_t = 10)]
    clients: usize,

    /// How many workers to start; others may come from outside
    #[arg(long, default_value_t = 3)]
    workers: usize,

    /// How long what was sent may take to leave in the end, in milliseconds
    #[arg(long, default_value_t = 200)]
    linger: u64,

    /// How long an actor may take to end, in milliseconds
    #[arg(long, default_value_t = 1000)]
    patience: u64,

    /// Start clients and workers alone, for a broker that is another program
    #[arg(long)]
    no_broker: bool,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| run(Args::parse()))
}

fn run(mut args: Args) -> common::Result {
    let context = Context::new()?;
    // At the end, the sockets of the broker and the workers wait no longer than this for messages that are under way.
    let (linger, patience) = (Duration::from_millis(args.linger), Duration::from_millis(args.patience));
    let mut staff = Vec::new();
    if !args.no_broker {
        // The sockets own their context, since they move to the actor.
        let (frontend, backend) = (context.owned_socket(Router)?, context.owned_socket(Router)?);
        frontend.set_linger(Some(linger))?;
        backend.set_linger(Some(linger))?;
        args.frontend = frontend.bind(&args.frontend)?;
        args.backend = backend.bind(&args.backend)?;
        staff.push(start(&context, "broker", move |pipe| balance(pipe, &frontend, &backend))?);
    }
    for _ in 0..args.workers {
        let endpoint = args.backend.clone();
        staff.push(start(&context, "worker", move |pipe| work(pipe, &endpoint, linger))?);
    }
    let mut clients = Vec::new();
    for _ in 0..args.clients {
        let endpoint = args.frontend.clone();
        clients.push(start(&context, "client", move |pipe| ask(pipe, &endpoint))?);
    }

    // A client ends when it has its answer, the other actors when they are told to. An actor that ends earlier has
    // failed.
    while staff.iter().all(Actor::is_running) && (args.clients == 0 || !clients.is_empty()) {
        let actors = staff.iter().chain(&clients);
        let mut pipes: Vec<_> = actors.map(|actor| PollItem::socket(actor.as_ref(), PollEvents::POLLIN)).collect();
        poll(&mut pipes, None)?;
        for client in clients.extract_if(.., |client| !client.is_running()) {
            client.terminate(patience)?;
        }
    }
    for actor in clients.into_iter().chain(staff) {
        actor.terminate(patience)?;
    }
    Ok(())
}

/// Starts an actor. Ctrl-C ends it too.
fn start<B>(context: &Context, name: &str, body: B) -> zmq::Result<Actor>
where
    B: FnOnce(&ActorPipe) -> common::Result + Send + 'static,
{
    Ok(Actor::spawn(context, name, |pipe| Ok(common::until_ctrl_c(|| body(pipe))?))?)
}

/// Waits for a message. Gives `false` if this actor must end.
fn is_readable(socket: &Socket<'_, Req>, pipe: &ActorPipe) -> zmq::Result<bool> {
    let pipe_item = PollItem::socket(pipe.as_ref(), PollEvents::POLLIN);
    poll(&mut [pipe_item, PollItem::socket(socket, PollEvents::POLLIN)], None)?;
    Ok(!pipe.is_terminated())
}

/// A client asks once.
fn ask(pipe: &ActorPipe, endpoint: &str) -> common::Result {
    let context = pipe.context();
    let client = context.socket(Req)?;
    client.set_linger(Duration::ZERO)?;
    client.connect(endpoint)?;
    pipe.ready();

    s_send(&client, "HELLO")?;
    if is_readable(&client, pipe)? {
        println!("Client: {}", s_recv(&client)?);
    }
    Ok(())
}

/// A worker answers each request: it replaces the last frame by its answer.
fn work(pipe: &ActorPipe, endpoint: &str, linger: Duration) -> common::Result {
    let context = pipe.context();
    let worker = context.socket(Req)?;
    worker.set_linger(Some(linger))?;
    worker.connect(endpoint)?;
    pipe.ready();

    s_send(&worker, WORKER_READY)?;
    while is_readable(&worker, pipe)? {
        let mut message = worker.recv_multipart()?;
        if let Some(body) = message.last_mut() {
            println!("Worker: {}", format_frame(body));
            *body = "OK".into();
        }
        // The frames before the last, the address and the empty frame, go back unchanged.
        worker.send_multipart(message)?;
    }
    Ok(())
}

/// The broker, in whole messages.
fn balance(pipe: &ActorPipe, frontend: &Socket<'_, Router>, backend: &Socket<'_, Router>) -> common::Result {
    pipe.ready();
    let mut ready = VecDeque::new();
    while !pipe.is_terminated() {
        // While no worker is ready, requests wait in the socket.
        let requests = if ready.is_empty() { PollEvents::NONE } else { PollEvents::POLLIN };
        let mut items = [
            PollItem::socket(pipe.as_ref(), PollEvents::POLLIN),
            PollItem::socket(backend, PollEvents::POLLIN),
            PollItem::socket(frontend, requests),
        ];
        poll(&mut items, None)?;
        let [_, from_worker, from_client] = items.map(|item| item.is_readable());

        if from_worker {
            // A worker that sends a message is ready.
            let mut message = backend.recv_multipart()?;
            if let Some(worker) = message.pop_envelope() {
                ready.push_back(worker);
            }
            // READY is a message of one frame, an answer has more. C compares the beginning of the first frame, and so
            // drops the answers to a client whose address begins with READY.
            if message.len() > 1 {
                frontend.send_multipart(message)?;
            }
        }
        if from_client && let Some(worker) = ready.pop_front() {
            let mut message = frontend.recv_multipart()?;
            message.push_envelope(worker);
            backend.send_multipart(message)?;
        }
    }
    Ok(())
}

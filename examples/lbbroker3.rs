//! The load-balancing broker for the third time, with a reactor, which calls a handler for each message.
//!
//! Chapter: 3, The CZMQ High-Level API
//! Original: lbbroker3.c
//! Replaces it: in any pair
//! Teaches: a reactor, whose handlers come and go: without workers, no requests are read
//! Arguments: --frontend ipc://frontend.ipc, --backend ipc://backend.ipc, --clients 10, --workers 3, --pause 1000,
//!     --linger 200, --patience 1000, --no-broker
//! Other files: common/mod.rs
//! Ends: on Ctrl-C
//! Test partners: none
//! Test run: --pause 100
//! Test prints: in any order
//! - 30+ x `Client: OK`
//! - 30+ x `Worker: [005] HELLO`

mod common;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{format_frame, s_send};
use zmq::{Context, Message, PollEvents, PollItem, PollerEvent, Req, Router, Socket, poll};
use zmq_patterns::{Actor, ActorPipe, HandlerId, HandlerResult, Reactor};

/// The first message of a worker.
const WORKER_READY: &[u8] = &[1];

/// The load-balancing broker for the third time, with a reactor, which calls a handler for each message.
#[derive(Parser)]
struct Args {
    /// The endpoint of the broker for clients
    #[arg(long, default_value = "ipc://frontend.ipc")]
    frontend: String,

    /// The endpoint of the broker for workers
    #[arg(long, default_value = "ipc://backend.ipc")]
    backend: String,

    /// How many clients to start; others may come from outside
    #[arg(long, default_value_t = 10)]
    clients: usize,

    /// How many workers to start; others may come from outside
    #[arg(long, default_value_t = 3)]
    workers: usize,

    /// How long a client waits before it asks again, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pause: u64,

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
    let linger = Duration::from_millis(args.linger);
    let broker = Broker::new(&context, linger)?;
    if !args.no_broker {
        args.frontend = broker.frontend.bind(&args.frontend)?;
        args.backend = broker.backend.bind(&args.backend)?;
    }
    let mut actors = Vec::new();
    for _ in 0..args.workers {
        let endpoint = args.backend.clone();
        actors.push(start(&context, "worker", move |pipe| work(pipe, &endpoint, linger))?);
    }
    let pause = Duration::from_millis(args.pause);
    for _ in 0..args.clients {
        let endpoint = args.frontend.clone();
        actors.push(start(&context, "client", move |pipe| ask(pipe, &endpoint, pause))?);
    }

    let mut reactor = Reactor::new()?;
    reactor.add(&broker.backend, PollEvents::POLLIN, |reactor, _| broker.handle_backend(reactor))?;
    for actor in &actors {
        // An actor that ends before it is told to has failed.
        reactor.add(actor.as_ref(), PollEvents::POLLIN, |reactor, _| {
            reactor.stop();
            Ok(())
        })?;
    }
    // Ctrl-C ends the reactor. That is no error.
    reactor.run()?;
    drop(reactor);

    // Ends each actor and waits for it. An error of the actor is returned here.
    for actor in actors {
        actor.terminate(Duration::from_millis(args.patience))?;
    }
    Ok(())
}

/// The broker's sockets, and the addresses of the workers that are ready.
struct Broker<'ctx> {
    frontend: Socket<'ctx, Router>,
    backend: Socket<'ctx, Router>,
    /// Both handlers change it.
    ready: RefCell<VecDeque<Message>>,
}

impl<'ctx> Broker<'ctx> {
    fn new(context: &'ctx Context, linger: Duration) -> zmq::Result<Broker<'ctx>> {
        let (frontend, backend) = (context.socket(Router)?, context.socket(Router)?);
        frontend.set_linger(Some(linger))?;
        backend.set_linger(Some(linger))?;
        Ok(Broker { frontend, backend, ready: RefCell::default() })
    }

    /// A worker is ready, and may have an answer.
    fn handle_backend<'a>(&'a self, reactor: &mut Reactor<'a>) -> HandlerResult {
        let mut message = self.backend.recv_multipart()?;
        let mut ready = self.ready.borrow_mut();
        if let Some(worker) = message.pop_envelope() {
            ready.push_back(worker);
        }

        // The first worker is ready: requests are read again.
        if ready.len() == 1 {
            let handler =
                |reactor: &mut Reactor<'a>, event: PollerEvent<HandlerId>| self.handle_frontend(reactor, event.key);
            reactor.add(&self.frontend, PollEvents::POLLIN, handler)?;
        }
        // The byte 1 of a ready worker is a message of one frame, an answer has more. C compares the first byte only,
        // and so drops the answers to a client whose address begins with 1.
        if message.len() > 1 {
            self.frontend.send_multipart(message)?;
        }
        Ok(())
    }

    /// A client asks. This handler is registered only while a worker is ready.
    fn handle_frontend(&self, reactor: &mut Reactor<'_>, this: HandlerId) -> HandlerResult {
        let mut ready = self.ready.borrow_mut();
        if let Some(worker) = ready.pop_front() {
            let mut message = self.frontend.recv_multipart()?;
            message.push_envelope(worker);
            self.backend.send_multipart(message)?;
        }
        // While no worker is ready, requests wait in the socket.
        if ready.is_empty() {
            reactor.remove(this)?;
        }
        Ok(())
    }
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

/// A client asks again and again.
fn ask(pipe: &ActorPipe, endpoint: &str, pause: Duration) -> common::Result {
    let context = pipe.context();
    let client = context.socket(Req)?;
    client.set_linger(Duration::ZERO)?;
    client.connect(endpoint)?;
    pipe.ready();

    loop {
        s_send(&client, "HELLO")?;
        if !is_readable(&client, pipe)? {
            return Ok(());
        }
        if let Some(text) = client.recv_multipart()?.last() {
            println!("Client: {}", String::from_utf8_lossy(text));
        }
        // No message comes over the pipe. The end of the actor ends the pause, with ECANCELED.
        pipe.within(pause).recv_multipart()?;
    }
}

/// A worker answers each request: it replaces the last frame by its answer.
fn work(pipe: &ActorPipe, endpoint: &str, linger: Duration) -> common::Result {
    let context = pipe.context();
    let worker = context.socket(Req)?;
    worker.set_linger(Some(linger))?;
    worker.connect(endpoint)?;
    pipe.ready();

    worker.send(WORKER_READY)?;
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

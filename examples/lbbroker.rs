//! A load-balancing broker with its clients and workers: a request goes to the worker that has been idle longest.
//!
//! Chapter: 3, A Load Balancing Message Broker
//! Original: lbbroker.c
//! Replaces it: in any pair
//! Teaches: a queue of ready workers between two ROUTERs, and requests that wait while it is empty
//! Arguments: --frontend ipc://frontend.ipc, --backend ipc://backend.ipc, --clients 10, --workers 3, --linger 200,
//!     --no-broker
//! Other files: common/mod.rs, common/threads.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in any order
//! - 10 x `Worker: HELLO`
//! - 10 x `Client: OK`

mod common;

use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::{s_recv, s_send, s_set_id};
use zmq::{Context, Multipart, PollEvents, PollItem, Req, Router, Socket, interrupt, poll};

use common::threads;

/// A load-balancing broker with its clients and workers: a request goes to the worker that has been idle longest.
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
    let (frontend, backend) = (context.socket(Router)?, context.socket(Router)?);
    frontend.set_linger(Some(linger))?;
    backend.set_linger(Some(linger))?;
    if !args.no_broker {
        args.frontend = frontend.bind(&args.frontend)?;
        args.backend = backend.bind(&args.backend)?;
    }

    let (context, args) = (&context, &args);
    thread::scope(|scope| {
        let mut staff = Vec::new();
        if !args.no_broker {
            // The two sockets move into the thread. They cannot be used here any more.
            staff.push(scope.spawn(move || threads::run(context, || balance(&frontend, &backend))));
        }
        for _ in 0..args.workers {
            staff.push(scope.spawn(|| threads::run(context, || work(context, &args.backend, linger))));
        }
        let start = |_| scope.spawn(|| threads::run(context, || ask(context, &args.frontend)));
        let clients: Vec<_> = (0..args.clients).map(start).collect();

        // C counts answers, also those for clients from outside. Here the program ends when its own clients have their
        // answers. Calls of the other threads then fail with ETERM, which ends them. C does not end its threads.
        let outcome = clients.into_iter().try_for_each(threads::join);
        if args.clients > 0 {
            context.shutdown()?;
        }
        staff.into_iter().try_for_each(threads::join).and(outcome)
    })
}

/// A client asks once.
fn ask(context: &Context, endpoint: &str) -> common::Result {
    let client = context.socket(Req)?;
    s_set_id(&client)?;
    // After Ctrl-C the answer is of no use.
    client.set_linger(Duration::ZERO)?;
    client.connect(endpoint)?;

    s_send(&client, "HELLO")?;
    println!("Client: {}", s_recv(&client)?);
    Ok(())
}

/// A worker asks for a request, with the answer to the one before.
fn work(context: &Context, endpoint: &str, linger: Duration) -> common::Result {
    let worker = context.socket(Req)?;
    worker.set_linger(Some(linger))?;
    s_set_id(&worker)?;
    worker.connect(endpoint)?;

    // The first message answers nothing: it says that the worker is ready.
    let mut answer = Multipart::from("READY");
    loop {
        worker.send_multipart(answer)?;

        // A request is the client's address, an empty frame and the text. The address goes back unchanged. In C it is a
        // C string, which ends at the first NUL, so every client needs a printable name.
        let mut request = worker.recv_multipart()?;
        let client = request.pop_envelope().unwrap_or_default();
        answer = match request.first() {
            Some(text) => {
                println!("Worker: {}", String::from_utf8_lossy(text));
                Multipart::from([client, "".into(), "OK".into()])
            }
            // The message was no request.
            None => Multipart::from("READY"),
        };
    }
}

/// The broker: requests from the frontend go to workers at the backend, and their answers back.
fn balance(frontend: &Socket<'_, Router>, backend: &Socket<'_, Router>) -> common::Result {
    // The worker that became ready first gets the next request. If it has left meanwhile, the request is lost: see
    // chapter 4.
    let mut ready = VecDeque::new();
    // Ctrl-C ends calls that wait. If messages arrive all the time, no call waits, so the loop checks for it too.
    while !interrupt::interrupted() {
        // While no worker is ready, requests wait in the socket.
        let requests = if ready.is_empty() { PollEvents::NONE } else { PollEvents::POLLIN };
        let mut items = [PollItem::socket(backend, PollEvents::POLLIN), PollItem::socket(frontend, requests)];
        poll(&mut items, None)?;
        let [from_worker, from_client] = items.map(|item| item.is_readable());

        if from_worker {
            // A worker that sends a message is ready.
            let mut answer = backend.recv_multipart()?;
            if let Some(worker) = answer.pop_envelope() {
                ready.push_back(worker);
            }
            // An answer begins with its client's address. READY is one frame alone.
            if answer.len() > 1 {
                frontend.send_multipart(answer)?;
            }
        }
        if from_client && let Some(worker) = ready.pop_front() {
            let mut request = frontend.recv_multipart()?;
            request.push_envelope(worker);
            backend.send_multipart(request)?;
        }
    }
    Ok(())
}

//! Asynchronous server in Tokio: clients, a proxy and workers, each a task, in one thread.
//!
//! Chapter: 3, The Asynchronous Client/Server Pattern
//! Original: asyncsrv.c
//! Replaces it: in any pair
//! Teaches: halves of a socket that send and receive at once, a proxy as a task, and tasks that end when they are dropped
//! Arguments: --bind tcp://*:5570, --connect tcp://localhost:5570, --backend inproc://backend, --clients 3,
//!     --workers 5, --pause 1000, --work 1000, --replies 4, --duration 5000
//! Other files: common/mod.rs
//! Features: tokio
//! Ends: by itself
//! Test partners: none
//! Test run: --pause 50 --work 20 --duration 2000
//! Test prints: in any order
//! - 10+ x `<id>[<n>] request #<n>`

mod common;

use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::sleep;
use zmq::aio::{AsyncProxy, AsyncReceiver, AsyncSender, AsyncSocket, Runtime};
use zmq::zhelpers::{format_frame, randof, s_set_id};
use zmq::{Context, Dealer, Router, Socket};

/// Asynchronous server in Tokio: clients, a proxy and workers, each a task, in one thread.
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
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    // Messages that are under way at the end are of no use.
    context.set_blocky(false)?;

    let mut tasks = JoinSet::new();
    if args.workers > 0 {
        let (frontend, backend) = (context.owned_socket(Router)?, context.owned_socket(Dealer)?);
        frontend.bind(&args.bind)?;
        backend.bind(&args.backend)?;
        tasks.spawn(serve(frontend, backend));
    }
    for _ in 0..args.clients {
        tasks.spawn(client(context.clone(), args.connect.clone(), Duration::from_millis(args.pause)));
    }
    for _ in 0..args.workers {
        tasks.spawn(worker(context.clone(), args.backend.clone(), args.work, args.replies));
    }

    // The end drops the tasks, wherever they wait. They close their sockets.
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    tokio::select! {
        () = sleep(Duration::from_millis(args.duration)) => Ok(()),
        _ = ctrl_c.recv() => Ok(()),
        // A task ends by itself only if it fails.
        Some(ended) = tasks.join_next() => ended?,
    }
}

/// The server: the backend deals requests out to the workers in turn, and the frontend returns each reply to the client
/// whose name it begins with.
async fn serve(frontend: Socket<'static, Router>, backend: Socket<'static, Dealer>) -> common::Result {
    let frontend = AsyncSocket::new(frontend, Runtime::Tokio)?;
    let backend = AsyncSocket::new(backend, Runtime::Tokio)?;
    Ok(AsyncProxy::new(frontend, backend)?.run().await?)
}

/// Sends requests from time to time, and prints the replies: a request may have none, or several.
async fn client(context: Context, endpoint: String, pause: Duration) -> common::Result {
    let client = context.owned_socket(Dealer)?;
    // A name that can be printed tells the clients apart.
    let id = s_set_id(&client)?;
    client.connect(&endpoint)?;
    // A request that waits for room does not keep the other half from receiving.
    let (mut requests, mut replies) = AsyncSocket::new(client, Runtime::Tokio)?.split();
    tokio::try_join!(ask(&mut requests, pause), print(&mut replies, &id))?;
    Ok(())
}

async fn ask(requests: &mut AsyncSender<Dealer>, pause: Duration) -> common::Result {
    let mut number = 0;
    loop {
        sleep(pause).await;
        number += 1;
        requests.send(format!("request #{number}")).await?;
    }
}

async fn print(replies: &mut AsyncReceiver<Dealer>, id: &str) -> common::Result {
    loop {
        if let Some(text) = replies.recv_multipart().await?.last() {
            println!("{id}{}", format_frame(text));
        }
    }
}

/// Answers each request with a random number of replies, or with none.
async fn worker(context: Context, backend: String, work: u32, replies: u32) -> common::Result {
    let worker = context.owned_socket(Dealer)?;
    worker.connect(&backend)?;
    let mut worker = AsyncSocket::new(worker, Runtime::Tokio)?;
    loop {
        // The server's ROUTER has added the client's name: [client][request]. A reply begins with that name.
        let request = worker.recv_multipart().await?;
        for _ in 0..randof(replies + 1) {
            // The pause stands for the work. The other tasks run meanwhile.
            sleep(Duration::from_millis(u64::from(randof(work.max(1))) + 1)).await;
            worker.send_multipart(&request).await?;
        }
    }
}

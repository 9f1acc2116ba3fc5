//! Broker peering, complete: a cluster of brokers, each of which passes on requests when its own workers are busy.
//!
//! Chapter: 3, Putting it All Together
//! Original: peering3.c
//! Replaces it: in any pair
//! Teaches: a state flow that says where there is capacity, and a broker that routes by it
//! Arguments: [NAMES]..., --directory ., --clients 10, --workers 5, --pause 4000, --burst 14, --work 1000,
//!     --timeout 10000, --retry 500, --tasks
//! Other files: common/mod.rs, common/peering.rs
//! Ends: on Ctrl-C
//! Test partners: peering3 DC2 DC1 --pause 100 --work 10
//! Test run: DC1 DC2 --pause 100 --work 10
//! Test prints: in any order
//! - `I: preparing broker at DC1...`
//! - `I: connecting to cloud frontend at 'DC2'`
//! - `I: connecting to state backend at 'DC2'`
//! - 20+ x `<hex>`

mod common;
#[path = "common/peering.rs"]
mod peering;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Parser;
use peering::{Broker, READY};
use zmq::zhelpers::{randof, s_recv, s_send};
use zmq::{Context, Multipart, PollEvents, PollItem, Pull, Push, Req, Socket, Sub, XPub, interrupt, poll};
use zmq_patterns::ActorPipe;

/// Broker peering, complete: a cluster of brokers, each of which passes on requests when its own workers are busy.
#[derive(Parser, Clone)]
struct Args {
    /// The name of this broker, and then those of its peers
    names: Vec<String>,

    /// The directory of the brokers' endpoints; all brokers need the same
    #[arg(long, default_value = ".")]
    directory: String,

    /// How many clients of its own the broker has
    #[arg(long, default_value_t = 10)]
    clients: u32,

    /// How many workers of its own
    #[arg(long, default_value_t = 5)]
    workers: u32,

    /// How long a client pauses at most between two bursts of tasks, in milliseconds
    #[arg(long, default_value_t = 4000)]
    pause: u32,

    /// How many tasks a burst has at most
    #[arg(long, default_value_t = 14)]
    burst: u32,

    /// How long a worker is busy with a task, if at all, in milliseconds
    #[arg(long, default_value_t = 1000)]
    work: u32,

    /// How long a client waits for a task before it gives up, in milliseconds
    #[arg(long, default_value_t = 10_000)]
    timeout: u64,

    /// After how long a request that found no worker and no peer is tried again, in milliseconds
    #[arg(long, default_value_t = 500)]
    retry: u64,

    /// How many tasks each client has, without end if not given
    #[arg(long)]
    tasks: Option<u64>,
}

fn main() -> common::Result {
    let args = Args::parse();
    let Some((name, peers)) = args.names.split_first() else {
        println!("syntax: peering3 me {{you}}...");
        return Ok(());
    };
    common::until_ctrl_c(|| run(name, peers, &args))
}

fn run(name: &str, peers: &[String], args: &Args) -> common::Result {
    let context = Context::new()?;
    // Messages that are under way at the end are of no use.
    context.set_blocky(false)?;
    let broker = Broker::prepare(&context, &args.directory, name, peers)?;
    broker.cloudfe.bind(&peering::endpoint(&args.directory, name, "cloud"))?;

    // Subscribers see no difference between an XPUB and a PUB. A verbose XPUB receives each subscription.
    let statebe = context.socket(XPub)?;
    statebe.set_xpub_verbose(true)?;
    statebe.bind(&peering::endpoint(&args.directory, name, "state"))?;
    let statefe = context.socket(Sub)?;
    statefe.subscribe("")?;
    for peer in peers {
        println!("I: connecting to state backend at '{peer}'");
        statefe.connect(&peering::endpoint(&args.directory, peer, "state"))?;
    }
    let monitor = context.socket(Pull)?;
    monitor.bind(&peering::endpoint(&args.directory, name, "monitor"))?;

    // Dropping an actor ends its thread.
    let mut threads = Vec::new();
    for _ in 0..args.workers {
        let args = args.clone();
        threads.push(peering::start(&context, "worker", move |pipe| worker(pipe, &args))?);
    }
    for _ in 0..args.clients {
        let args = args.clone();
        threads.push(peering::start(&context, "client", move |pipe| client(pipe, &args))?);
    }
    let retry = Duration::from_millis(args.retry);
    Cluster { name, broker, statebe, statefe, monitor, capacity: BTreeMap::new(), retry }.route()
}

/// Pauses for a while, then sends many tasks, one after the other, and reports each to the monitor.
fn client(pipe: &ActorPipe, args: &Args) -> common::Result {
    let context = pipe.context();
    let client = context.socket(Req)?;
    client.connect(&peering::endpoint(&args.directory, &args.names[0], "localfe"))?;
    let monitor = context.socket(Push)?;
    monitor.connect(&peering::endpoint(&args.directory, &args.names[0], "monitor"))?;
    pipe.ready();

    let mut left = args.tasks.unwrap_or(u64::MAX);
    'end: while left > 0 {
        // No message comes over the pipe. The end of the actor ends the pause, with ECANCELED.
        pipe.within(Duration::from_millis(randof(args.pause.saturating_add(1)).into())).recv_multipart()?;
        for _ in 0..u64::from(randof(args.burst.saturating_add(1))).min(left) {
            left -= 1;
            let task = format!("{:04X}", randof(0x10000));
            s_send(&client, &task)?;

            let reply = peering::recv(pipe, &client, Some(Duration::from_millis(args.timeout)))?;
            if pipe.is_terminated() {
                break 'end;
            }
            // The worker returns the task. In C a wrong task ends the whole program.
            if reply.is_none_or(|reply| reply != [task.as_str()]) {
                s_send(&monitor, &format!("E: CLIENT EXIT - lost task {task}"))?;
                break 'end;
            }
            s_send(&monitor, &task)?;
        }
    }
    // Closing a socket drops messages that are under way, so both stay open until the program ends.
    pipe.recv_multipart()?;
    Ok(())
}

/// Says that it is ready, and then returns one task after the other, about half of them late.
fn worker(pipe: &ActorPipe, args: &Args) -> common::Result {
    let context = pipe.context();
    let worker = context.socket(Req)?;
    worker.connect(&peering::endpoint(&args.directory, &args.names[0], "localbe"))?;
    pipe.ready();

    worker.send(READY)?;
    while let Some(task) = peering::recv(pipe, &worker, None)? {
        pipe.within(Duration::from_millis(u64::from(args.work) * u64::from(randof(2)))).recv_multipart()?;
        worker.send_multipart(task)?;
    }
    Ok(())
}

/// A request, and whether it is from a client of this broker.
struct Request {
    message: Multipart,
    is_local: bool,
}

/// A broker and the state of its peers.
struct Cluster<'a> {
    name: &'a str,
    broker: Broker<'a>,
    /// Publishes this broker's state.
    statebe: Socket<'a, XPub>,
    /// Receives the peers' states.
    statefe: Socket<'a, Sub>,
    monitor: Socket<'a, Pull>,
    /// The number of free workers that each peer has published last. C keeps one number for all peers.
    capacity: BTreeMap<String, u32>,
    /// After how long a request that found no worker and no peer is tried again.
    retry: Duration,
}

impl Cluster<'_> {
    /// The broker's own work, until Ctrl-C.
    fn route(mut self) -> common::Result {
        // The number of free workers that was published last.
        let mut announced = Some(0);
        let mut held = None;
        // Ctrl-C ends calls that wait. If messages arrive all the time, no call waits, so the loop checks for it too.
        while !interrupt::interrupted() {
            // Requests wait in the sockets' queues until a worker or a peer has room for them.
            let local = held.is_none() && !self.broker.workers.is_empty();
            let cloud = held.is_none() && !self.capacity.is_empty();
            let mut items = [
                peering::readable(&self.broker.localbe, true),
                peering::readable(&self.broker.cloudbe, true),
                peering::readable(&self.broker.localfe, local || cloud),
                peering::readable(&self.broker.cloudfe, local),
                PollItem::socket(&self.statefe, PollEvents::POLLIN),
                PollItem::socket(&self.statebe, PollEvents::POLLIN),
                PollItem::socket(&self.monitor, PollEvents::POLLIN),
            ];
            poll(&mut items, held.is_some().then_some(self.retry))?;
            let [from_worker, from_peer, _, _, news, subscription, report] = items.map(|item| item.is_readable());

            if from_worker && let Some(reply) = self.broker.recv_from_worker()? {
                self.broker.reply(reply)?;
            }
            if from_peer {
                self.broker.reply(self.broker.recv_from_peer()?)?;
            }
            if news {
                self.learn(&self.statefe.recv_multipart()?);
            }
            if report {
                println!("{}", s_recv(&self.monitor)?);
            }

            held = self.route_requests(held)?;

            // A message that begins with 1 is a subscription. The new peer has missed earlier states. In C it does not
            // know of idle workers until one of them starts to work.
            if subscription && self.statebe.recv_msg()?.starts_with(&[1]) {
                announced = None;
            }
            // A worker that already has its next task is not announced.
            let free = self.broker.workers.len();
            if announced != Some(free) {
                self.statebe.send_multipart([self.name, &free.to_string()])?;
                announced = Some(free);
            }
        }
        Ok(())
    }

    /// Routes requests while a worker or a peer has room for them, `held` first. Gives back a request that must wait.
    fn route_requests(&mut self, mut held: Option<Request>) -> common::Result<Option<Request>> {
        while !interrupt::interrupted() {
            let next = match held.take() {
                Some(request) => Some(request),
                None => self.next_request()?,
            };
            let Some(Request { message, is_local }) = next else { return Ok(None) };
            let unsent = match self.broker.offer_to_worker(message)? {
                Some(message) if is_local => self.broker.offer_to_peers(self.capacity.keys(), message)?,
                unsent => unsent,
            };
            if let Some(message) = unsent {
                return Ok(Some(Request { message, is_local }));
            }
        }
        Ok(held)
    }

    /// The next request that a worker or a peer has room for. Own clients come first, as in C: peers wait while own
    /// clients keep all workers busy. A peer's request is never passed on, because it could circulate for ever.
    fn next_request(&self) -> zmq::Result<Option<Request>> {
        let has_workers = !self.broker.workers.is_empty();
        if (has_workers || !self.capacity.is_empty())
            && let Some(message) = self.broker.localfe.now().recv_multipart()?
        {
            return Ok(Some(Request { message, is_local: true }));
        }
        if !has_workers {
            return Ok(None);
        }
        let message = self.broker.cloudfe.now().recv_multipart()?;
        Ok(message.map(|message| Request { message, is_local: false }))
    }

    /// Takes in the state of a peer: [peer][number of free workers].
    fn learn(&mut self, news: &Multipart) {
        let texts: Vec<_> = news.iter().map_while(|part| part.to_str().ok()).collect();
        if let [peer, number] = texts[..]
            && let Ok(free) = number.parse()
            && self.broker.peers.iter().any(|known| known == peer)
        {
            self.capacity.insert(peer.to_owned(), free);
        }
        self.capacity.retain(|_, free| *free > 0);
    }
}

//! Contexts that end while many threads wait.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use zmq::monitor::{Event, Events};
use zmq::{Context, Errno, Error, Pair, PollEvents, PollItem, Poller, Pub, Pull, Push, Router, Socket, poll, proxy};
use zmq_patterns::SharedSocket;

use crate::common::rng::Rng;
use crate::common::{DEADLINE, TCP, context, eventually, thread_names};
use crate::flow::{Count, numbered};
use crate::run::{LONGEST_WAIT, endure};

const TEST: &str = "contexts::context_ends_under_100_threads_that_wait";

const THREADS: usize = 100;

/// Calls up to a wait that only the end of the context ends. All of them fail after it.
type Wait = fn(&Context) -> Result<(), Error>;

fn pull(context: &Context) -> Result<Socket<'static, Pull>, Error> {
    let socket = context.owned_socket(Pull)?;
    socket.bind(TCP)?;
    Ok(socket)
}

/// A PUSH without a peer.
fn full(context: &Context) -> Result<Socket<'static, Push>, Error> {
    context.owned_socket(Push)
}

const WAITS: [(&str, Wait); 13] = [
    ("recv_msg", |context| pull(context)?.recv_msg().map(drop)),
    ("recv_multipart", |context| pull(context)?.recv_multipart().map(drop)),
    ("recv_into", |context| pull(context)?.recv_into(&mut [0; 8]).map(drop)),
    ("within", |context| pull(context)?.within(DEADLINE).recv_msg().map(drop)),
    ("send", |context| {
        let failed = full(context)?.send("kept").unwrap_err();
        assert_eq!(failed.message(), "kept");
        Err(failed.into())
    }),
    ("send_multipart", |context| Ok(full(context)?.within(DEADLINE).send_multipart(["a", "b"]).map(drop)?)),
    ("poll", |context| {
        let socket = pull(context)?;
        poll(&mut [PollItem::socket(&socket, PollEvents::POLLIN)], None).map(drop)
    }),
    ("Poller", |context| {
        let socket = pull(context)?;
        let mut poller = Poller::new()?;
        poller.add(&socket, 1, PollEvents::POLLIN)?;
        poller.wait(None).map(drop)
    }),
    ("Monitor", |context| {
        let socket = pull(context)?;
        let monitor = socket.monitor(Events::CONNECTED)?;
        assert_eq!(*monitor.next_event(None)?.expect("a notice").event(), Event::MonitorStopped);
        socket.recv_msg().map(drop)
    }),
    ("proxy", |context| Ok(proxy(&pull(context)?, &full(context)?, None)?)),
    ("connect_and_wait", |context| context.owned_socket(Router)?.connect_and_wait("inproc://nobody", None).map(drop)),
    ("SharedSocket", |context| SharedSocket::new(pull(context)?)?.recv_multipart().map(drop)),
    ("traffic", traffic),
];

/// Sends to itself. What was received is what was sent.
fn traffic(context: &Context) -> Result<(), Error> {
    let (left, right) = (context.owned_socket(Pair)?, context.owned_socket(Pair)?);
    right.connect(&left.bind(TCP)?)?;
    let (mut sent, mut received) = (0, Count::default());
    loop {
        left.send(numbered(sent, 100))?;
        sent += 1;
        received.take(&right.recv_msg()?);
    }
}

/// Each call fails with ETERM.
#[deadline::test]
fn context_ends_under_100_threads_that_wait() {
    endure(TEST, round);
}

fn round(rng: &mut Rng) {
    let context = context();
    let threads_before = thread_names().len();
    // A PUB without subscribers has a message for nobody.
    let publisher = context.owned_socket(Pub).unwrap();
    publisher.send("nobody").unwrap();
    let (begun, ended) = (Barrier::new(THREADS + 1), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let mut rng = rng.fork();
            let (context, begun, ended) = (&context, &begun, &ended);
            scope.spawn(move || {
                begun.wait();
                let (name, wait) = rng.pick(&WAITS);
                let errno = wait(context).map_err(|error| error.errno());
                assert_eq!(errno, Err(Errno::ETERM), "{name}");
                ended.fetch_add(1, Ordering::SeqCst);
            });
        }
        begun.wait();
        // Some have not opened their socket yet.
        eventually("threads have opened their sockets", || context.open_sockets().len() > THREADS / 2);
        thread::sleep(Duration::from_micros(rng.below(20_000) as u64));
        drop(publisher);
        if rng.coin() {
            context.shutdown().unwrap();
        }
        context.terminate(LONGEST_WAIT).unwrap();
    });
    assert_eq!(ended.load(Ordering::SeqCst), THREADS);
    // The thread of a `SharedSocket` may still drop its socket.
    eventually("no socket is listed", || context.open_sockets().is_empty());
    eventually("all threads end", || thread_names().len() <= threads_before);
}

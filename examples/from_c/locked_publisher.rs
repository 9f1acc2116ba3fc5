//! A publisher under a lock: several threads publish through one socket, and no message is torn.
//!
//! In C: a global socket and a `pthread_mutex_t`, which every caller must lock around all parts of a message. If a caller
//! forgets it, libzmq's memory is corrupted; if it locks for each part, parts of two messages mix.
//!
//! Here: a [`Mutex`] around the socket. The socket can be reached through the lock only, and a message of several parts is one
//! call. An XPUB instead of the PUB receives subscriptions, so the publisher waits for its subscriber without a `sleep`.
//!
//! The compiler checks: without the mutex the threads do not compile, since a `Socket` is not `Sync`.
//!
//! Usage: `from_c_locked_publisher publish THREADS COUNT`, and with the endpoint that it prints
//! `from_c_locked_publisher subscribe ENDPOINT`

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::thread;

use zmq::{Context, Socket, Sub, XPub};

/// Publishes one message: a topic, the number of its thread, its own number.
fn publish(publisher: &Mutex<Socket<'_, XPub>>, thread: u32, number: u32) -> zmq::Result<()> {
    // A thread that panicked with the lock has not left half a message in the socket: a message is one call.
    let publisher = publisher.lock().unwrap_or_else(PoisonError::into_inner);
    publisher.send_multipart(["news".to_owned(), thread.to_string(), number.to_string()])?;
    Ok(())
}

fn publish_all(threads: u32, count: u32) -> Result<(), Box<dyn Error>> {
    let context = Context::new()?;
    let publisher = context.socket(XPub)?;
    // A publisher drops messages above its mark. 0 means no mark.
    publisher.set_sndhwm(0)?;
    println!("bound {}", publisher.bind("tcp://127.0.0.1:*")?);
    let subscription = publisher.recv_msg()?;
    println!("subscribed {}", subscription.get(1..).unwrap_or_default().escape_ascii());

    let publisher = Mutex::new(publisher);
    thread::scope(|scope| {
        let publish_some = |thread| {
            let publisher = &publisher;
            scope.spawn(move || (0..count).try_for_each(|number| publish(publisher, thread, number)))
        };
        let publishing: Vec<_> = (0..threads).map(publish_some).collect();
        publishing.into_iter().try_for_each(|thread| thread.join().expect("a thread does not panic"))
    })?;
    // The lock is no longer needed: all threads are done with it.
    let publisher = publisher.into_inner().unwrap_or_else(PoisonError::into_inner);
    publisher.send("news")?;
    Ok(())
}

fn subscribe(endpoint: &str) -> Result<(), Box<dyn Error>> {
    let context = Context::new()?;
    let subscriber = context.socket(Sub)?;
    subscriber.set_rcvhwm(0)?;
    subscriber.subscribe("news")?;
    subscriber.connect(endpoint)?;
    let mut next: Vec<u32> = Vec::new();
    loop {
        let message = subscriber.recv_multipart()?;
        let parts: Vec<_> = message.iter().map(|part| part.as_str().unwrap_or_default()).collect();
        match parts[..] {
            ["news", thread, number] => {
                let thread: usize = thread.parse()?;
                next.resize(next.len().max(thread + 1), 0);
                if number != next[thread].to_string() {
                    return Err(format!("{message:?}, and not {}", next[thread]).into());
                }
                next[thread] += 1;
            }
            ["news"] => break,
            _ => return Err(format!("a torn message: {message:?}").into()),
        }
    }
    println!("{} whole messages of {} threads", next.iter().sum::<u32>(), next.len());
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["publish", threads, count] => publish_all(threads.parse()?, count.parse()?),
        ["subscribe", endpoint] => subscribe(endpoint),
        _ => Err("usage: from_c_locked_publisher publish THREADS COUNT | subscribe ENDPOINT".into()),
    }
}

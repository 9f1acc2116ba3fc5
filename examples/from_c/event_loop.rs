//! A socket in an event loop of somebody else's: here that of mio; libuv, libev and glib are used in the same way.
//!
//! In C: `ZMQ_FD` goes into `epoll` with EPOLLET, `ZMQ_EVENTS` is read when it fires. The descriptor fires when something
//! changes, not while something is there: who does not read `ZMQ_EVENTS` again after *every* send and receive sleeps for ever,
//! sooner or later. And a `read` from the descriptor, or a `close`, breaks libzmq.
//!
//! Here: the same rule holds, since the library is the same. [`Socket::fd`] lends a descriptor that is for waiting alone, and
//! [`Socket::events`] reads `ZMQ_EVENTS`. The loop below is the whole pattern: work until neither direction can go on, then sleep.
//!
//! The compiler checks: the descriptor is a `BorrowedFd`, so it cannot be closed, and it does not outlive the socket as long
//! as it is passed on as what it is. `as_raw_fd`, which mio needs, ends that: deregister it before the socket is dropped.
//!
//! Usage: `from_c_event_loop bind COUNT`, and with the endpoint that it prints `from_c_event_loop connect ENDPOINT COUNT`. Each
//! sends so many messages and receives as many.

use std::error::Error;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Poll, Token};
use zmq::{Context, Pair, PollEvents, Socket};

const SOCKET: Token = Token(0);

/// Sends and receives what can be sent and received now. Each turn asks for the events anew: the call before may have
/// taken the wake-up of the other direction.
fn work(socket: &Socket<'_, Pair>, count: u32, sent: &mut u32, received: &mut u32) -> Result<(), Box<dyn Error>> {
    loop {
        let events = socket.events()?;
        if events.contains(PollEvents::POLLIN) {
            if let Some(message) = socket.now().recv_msg()? {
                if message.as_str() != Some(&received.to_string()) {
                    return Err(format!("{message:?} instead of {received}").into());
                }
                *received += 1;
            }
        } else if events.contains(PollEvents::POLLOUT) && *sent < count {
            if socket.now().send(sent.to_string())?.is_sent() {
                *sent += 1;
            }
        } else {
            return Ok(());
        }
    }
}

fn exchange(socket: &Socket<'_, Pair>, count: u32) -> Result<(), Box<dyn Error>> {
    let mut poll = Poll::new()?;
    let mut events = mio::Events::with_capacity(8);
    let fd = socket.fd()?.as_raw_fd();
    poll.registry().register(&mut SourceFd(&fd), SOCKET, Interest::READABLE)?;

    let (mut sent, mut received) = (0, 0);
    loop {
        // Before the first sleep too: the descriptor may have fired before it was registered.
        work(socket, count, &mut sent, &mut received)?;
        if (sent, received) == (count, count) {
            break;
        }
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => outcome?,
        }
    }
    poll.registry().deregister(&mut SourceFd(&fd))?;
    println!("sent {sent}, received {received}");
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let context = Context::new()?;
    let socket = context.socket(Pair)?;
    socket.set_linger(Duration::from_secs(5))?;
    // Low marks make both directions stop and go.
    socket.set_sndhwm(10)?;
    socket.set_rcvhwm(10)?;
    let count = match args[..] {
        ["bind", count] => {
            println!("bound {}", socket.bind("tcp://127.0.0.1:*")?);
            count
        }
        ["connect", endpoint, count] => {
            socket.connect(endpoint)?;
            count
        }
        _ => return Err("usage: from_c_event_loop bind COUNT | connect ENDPOINT COUNT".into()),
    };
    exchange(&socket, count.parse()?)
}

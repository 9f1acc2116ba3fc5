//! A socket in the event loop of another library: mio here; libuv, libev and glib are used in the same way.
//!
//! In C: `ZMQ_FD` goes into `epoll` with EPOLLET, and the program reads `ZMQ_EVENTS` when it fires. The descriptor fires when
//! the state changes, not while a message is there: a program that does not read `ZMQ_EVENTS` again after *every* send and
//! receive sleeps for ever, sooner or later. A `read` or `close` of the descriptor breaks libzmq.
//!
//! Here: the same rule holds, since the library is the same. [`Socket::fd`] lends a descriptor that is for waiting only, and
//! [`Socket::events`] reads `ZMQ_EVENTS`. The loop below is the whole pattern: work until neither direction can go on, then
//! sleep.
//!
//! The compiler checks: the descriptor is a `BorrowedFd`, so it cannot be closed or outlive the socket. mio needs `as_raw_fd`,
//! which the compiler does not check: deregister the descriptor before the socket is dropped.
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

/// Sends and receives until neither is possible. Each round reads the events again: the call before may have consumed the
/// wake-up of the other direction.
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
        // This comes before the first sleep too: the descriptor may have fired before it was registered.
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
    // With low marks both directions often have to wait.
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

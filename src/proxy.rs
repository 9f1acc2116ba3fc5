//! Forwarding between two sockets.

use crate::error::{Errno, Result};
use crate::poll::{PollEvents, poll};
use crate::raw::{self, PollItem};
use crate::socket::{Core, Flags, SocketRef};

/// Forwards messages between two sockets, whole and both ways, and copies each to `capture` if there is one.
///
/// It returns only to report an error. The frontend is, by convention, the side that clients connect to: ROUTER and
/// DEALER make a queue, XSUB and XPUB a forwarder, PULL and PUSH a streamer. The capture socket is a PUB, DEALER, PUSH
/// or PAIR.
///
/// A caught signal ends it between messages, but for one: a message that it holds while the capture socket, or a ROUTER
/// with `ZMQ_ROUTER_MANDATORY`, has no room for it is lost.
///
/// # Errors
///
/// `ETERM` once the context was shut down, `EINTR` after a caught signal (where [`crate::interrupt`] was set up before),
/// and what sending and receiving on the sockets report.
///
/// ```
/// use zmq::{Context, Dealer, Errno, Router, proxy};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let stop = context.clone();
/// let broker = std::thread::spawn(move || {
///     let frontend = context.socket(Router)?;
///     let backend = context.socket(Dealer)?;
///     frontend.bind("inproc://frontend")?;
///     backend.bind("inproc://backend")?;
///     proxy(&frontend, &backend, None)
/// });
/// stop.shutdown()?;
/// assert_eq!(broker.join().unwrap().unwrap_err().errno(), Errno::ETERM);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_proxy")]
#[doc(alias = "zmq_device")]
#[doc(alias = "ZMQ_QUEUE")]
#[doc(alias = "ZMQ_FORWARDER")]
#[doc(alias = "ZMQ_STREAMER")]
pub fn proxy<'a>(
    frontend: impl Into<SocketRef<'a>>,
    backend: impl Into<SocketRef<'a>>,
    capture: Option<SocketRef<'a>>,
) -> Result<()> {
    const CALL: &str = "zmq_proxy";
    let (frontend, backend) = (frontend.into().core(), backend.into().core());
    let capture = capture.map(|capture| capture.core());
    for socket in [Some(frontend), Some(backend), capture].into_iter().flatten() {
        socket.check_process(CALL)?;
    }
    Err(forward_all(frontend, backend, capture).of(CALL))
}

/// How many messages go one way before the other way has its turn, as in libzmq.
const BURST: usize = 1000;

/// One way through the proxy.
struct Lane<'a> {
    from: &'a Core,
    to: &'a Core,
    /// Whether the lane waits for room rather than for messages.
    full: bool,
}

/// libzmq's own loop, over calls that signals do no harm: there a signal that comes while a part waits for room loses it,
/// and what is left of its message is forwarded as a message of its own.
fn forward_all(frontend: &Core, backend: &Core, capture: Option<&Core>) -> Errno {
    let mut lanes = vec![Lane { from: frontend, to: backend, full: false }];
    if !std::ptr::eq(frontend, backend) {
        lanes.push(Lane { from: backend, to: frontend, full: false });
    }
    loop {
        let mut items: Vec<PollItem<'_>> = lanes.iter().map(Lane::waits_for).collect();
        if let Err(error) = poll(&mut items, None) {
            return error.errno();
        }
        let ready: Vec<bool> = items.iter().map(|item| !item.revents().is_empty()).collect();
        for (lane, _) in lanes.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            if let Err(errno) = lane.forward(capture) {
                return errno;
            }
        }
        // With messages coming in all the time, poll never waits.
        if raw::interrupted() {
            return Errno::EINTR;
        }
    }
}

impl<'a> Lane<'a> {
    fn waits_for(&self) -> PollItem<'a> {
        let (socket, event) = if self.full { (self.to, PollEvents::POLLOUT) } else { (self.from, PollEvents::POLLIN) };
        socket.poll_item(event.raw())
    }

    fn has_room(&self) -> Result<bool, Errno> {
        loop {
            match self.to.raw().get_int(zmq_sys::ZMQ_EVENTS) {
                Err(Errno::EINTR) if !raw::interrupted() => {}
                events => return events.map(|events| PollEvents::from_raw(events).contains(PollEvents::POLLOUT)),
            }
        }
    }

    /// Forwards what is there and finds room.
    fn forward(&mut self, capture: Option<&Core>) -> Result<(), Errno> {
        for _ in 0..BURST {
            self.full = !self.has_room()?;
            if self.full {
                return Ok(());
            }
            let mut part = match self.from.receive(Flags::DONTWAIT) {
                Err(error) if error.errno() == Errno::EAGAIN => return Ok(()),
                part => part.map_err(|error| error.errno())?,
            };
            loop {
                let more = part.more();
                let flags = if more { Flags::SNDMORE } else { Flags::NONE };
                if let Some(capture) = capture {
                    capture.send_message(part.clone(), flags).map_err(|failed| failed.error().errno())?;
                }
                self.to.send_message(part, flags).map_err(|failed| failed.error().errno())?;
                if !more {
                    break;
                }
                part = self.from.receive(Flags::NONE).map_err(|error| error.errno())?;
            }
        }
        Ok(())
    }
}

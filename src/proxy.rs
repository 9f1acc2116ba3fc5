//! Forwarding between two sockets.

use crate::error::{Errno, Result};
use crate::raw;
use crate::socket::SocketRef;

/// Forwards messages between two sockets, whole and both ways, and copies each to `capture` if there is one.
///
/// It returns only to report an error. The frontend is, by convention, the side that clients connect to: ROUTER and
/// DEALER make a queue, XSUB and XPUB a forwarder, PULL and PUSH a streamer. The capture socket is a PUB, DEALER, PUSH
/// or PAIR.
///
/// # Errors
///
/// `ETERM` once the context was shut down, `EINTR` after a caught signal ([`crate::interrupt`]), and what sending and
/// receiving on the sockets report.
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
    let capture = capture.map(|capture| capture.raw());
    loop {
        match raw::proxy(frontend.raw(), backend.raw(), capture) {
            // A signal that nobody asked to be told of; between messages, so nothing is lost by starting again.
            Errno::EINTR if !raw::interrupted() => {}
            errno => return Err(errno.of(CALL)),
        }
    }
}

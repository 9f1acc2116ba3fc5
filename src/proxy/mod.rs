//! Forwarding between two sockets.

mod control;
mod engine;
mod handle;
mod outcome;
mod statistics;

pub use control::proxy_steerable;
pub use handle::ProxyHandle;
pub use outcome::Unforwarded;
pub use statistics::{ProxyStatistics, Traffic};

use crate::error::{Errno, Result, SendError};
use crate::kind::Kind;
use crate::or_none::OrNone;
use crate::socket::{Core, SocketRef};
#[cfg(any(feature = "tokio", feature = "async-io"))]
pub(crate) use engine::{BACKEND, CAPTURE, FRONTEND, send};
use engine::{Engine, Uncontrolled};

/// Forwards messages between two sockets, whole and both ways, and copies each to `capture` if there is one.
///
/// It returns only to report an error. [`ProxyHandle`] is a proxy that can be paused and ended; `zmq_patterns::Proxy` runs one
/// in a thread of its own. The frontend is, by convention, the side that clients connect to: ROUTER and DEALER make a queue,
/// XSUB and XPUB a forwarder, PULL and PUSH a streamer. The capture socket is a PUB, DEALER, PUSH or PAIR.
///
/// No message is lost when the proxy ends: the error has those that it had received and not sent
/// ([`SendError::message`]), with all their parts. The proxy ends if a ROUTER with `ZMQ_ROUTER_MANDATORY` refuses a message,
/// because no peer has its id, or a DGRAM, because it is not an address and a body. That message is among them. A message
/// whose peer is full is tried again.
///
/// If a peer leaves while the parts of its message are sent, the proxy sends the whole message again. A libzmq without the
/// patches may discard the remaining parts instead and return success: the message is then lost with the peer, as messages
/// in transit are. A REQ cannot begin its request again, so the request is lost with the peer. If the context is shut down
/// while the proxy receives the parts of a message, that message is lost with the context.
///
/// An XSUB drops a subscription that is too long for [`Socket::send`](crate::Socket::send), a STREAM a message that is not
/// an id and data. A RADIO drops a message that has no group or is too long for a datagram. The proxy goes on, and the
/// statistics count these messages as received only.
///
/// While the capture socket has no room nothing is forwarded. A ROUTER or XPUB always says that it has room, and drops
/// messages as a capture socket.
///
/// # Errors
///
/// They name the socket that failed: the frontend, the backend or the capture socket; a wait for all of them names none.
/// `ETERM` once the context was shut down, `EINTR` if a signal ended the wait ([`interrupt`](crate::interrupt)), `EINVAL` if
/// the capture socket is one of the two, or of a kind that cannot send at any time, and the errors of sending and receiving
/// on the sockets.
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
/// assert_eq!(broker.join().unwrap().unwrap_err().error().errno(), Errno::ETERM);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_proxy")]
#[doc(alias = "zmq_device")]
#[doc(alias = "ZMQ_QUEUE")]
#[doc(alias = "ZMQ_FORWARDER")]
#[doc(alias = "ZMQ_STREAMER")]
#[doc(alias = "proxy_with_capture")]
pub fn proxy<'a>(
    frontend: impl Into<SocketRef<'a>>,
    backend: impl Into<SocketRef<'a>>,
    capture: impl OrNone<SocketRef<'a>>,
) -> Result<(), SendError<Unforwarded>> {
    const CALL: &str = "zmq_proxy";
    let (frontend, backend) = (frontend.into().core(), backend.into().core());
    let capture = capture.into().map(SocketRef::core);
    check(CALL, frontend, backend, capture, None)?;
    // Only an error ends a proxy without commands.
    Engine::new(frontend, backend, capture).run(CALL, &mut Uncontrolled).map(drop)
}

/// Checks that the sockets can make a proxy: the kind of the capture socket, that they differ, and their process.
pub(crate) fn check(
    call: &'static str,
    frontend: &Core,
    backend: &Core,
    capture: Option<&Core>,
    control: Option<&Core>,
) -> Result<()> {
    let turns_or_receives = |kind| match kind {
        Kind::Sub | Kind::Pull | Kind::Req | Kind::Rep => true,
        #[cfg(feature = "draft")]
        Kind::Dish | Kind::Gather => true,
        _ => false,
    };
    if let Some(kind) = capture.map(Core::kind).filter(|kind| turns_or_receives(*kind)) {
        let why = format_args!("a {kind} as capture socket would hold the proxy up for ever");
        return Err(Errno::EINVAL.with_detail(call, why));
    }
    let others = [capture, control];
    let mut known = vec![frontend, backend];
    for socket in others.into_iter().flatten() {
        if known.iter().any(|known| std::ptr::eq(*known, socket)) {
            return Err(Errno::EINVAL.with_detail(call, "the capture and control sockets are sockets of their own"));
        }
        known.push(socket);
    }
    known.into_iter().try_for_each(|socket| socket.check_process(call))
}

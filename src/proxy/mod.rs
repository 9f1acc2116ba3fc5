//! Forwarding between two sockets.

mod control;
mod engine;
mod handle;
mod statistics;
mod thread;

pub use control::proxy_steerable;
pub use handle::ProxyHandle;
pub use statistics::{ProxyStatistics, SideStatistics, Traffic};
pub use thread::{Proxy, ProxyBuilder};

use crate::error::{Errno, Result};
use crate::kind::Kind;
use crate::socket::{Core, SocketRef};
use engine::{Engine, Uncontrolled};

/// Forwards messages between two sockets, whole and both ways, and copies each to `capture` if there is one.
///
/// It returns only to report an error. [`ProxyHandle`] is a proxy that can be paused and ended, [`Proxy`] one in a thread
/// of its own. The frontend is, by convention, the side that clients connect to: ROUTER and
/// DEALER make a queue, XSUB and XPUB a forwarder, PULL and PUSH a streamer. The capture socket is a PUB, DEALER, PUSH
/// or PAIR.
///
/// Nothing is lost when it ends: what it has taken and not sent goes back to the socket that it came from, and is what the
/// next receive there gets, or the next proxy. So it is with a message that a ROUTER with `ZMQ_ROUTER_MANDATORY` does not
/// take because its peer is unknown; one whose peer is full is tried again. While the capture socket has no room nothing
/// is forwarded; but a ROUTER or XPUB says that it has room whether it has or not, and as a capture socket drops.
///
/// # Errors
///
/// `ETERM` once the context was shut down, `EINTR` after a caught signal (where [`crate::interrupt`] was set up before),
/// `EINVAL` where the capture socket is one of the two, or of a kind that does not send at any time, and what sending and
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
    let capture = capture.map(SocketRef::core);
    check(CALL, frontend, backend, capture, None)?;
    match Engine::new(frontend, backend, capture).run(&mut Uncontrolled) {
        Err(errno) => Err(errno.of(CALL)),
        // Nobody can tell it to end.
        Ok(()) => Ok(()),
    }
}

/// Whether the sockets can serve together.
fn check(
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
        return Err(Errno::EINVAL.because(call, why));
    }
    let others = [capture, control];
    let mut known = vec![frontend, backend];
    for socket in others.into_iter().flatten() {
        if known.iter().any(|known| std::ptr::eq(*known, socket)) {
            return Err(Errno::EINVAL.because(call, "the capture and control sockets are sockets of their own"));
        }
        known.push(socket);
    }
    known.into_iter().try_for_each(|socket| socket.check_process(call))
}

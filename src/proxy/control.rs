//! Commands as text over a socket, as in C.

use super::engine::{Control, Engine, Mode};
use super::outcome::Unforwarded;
use super::statistics::ProxyStatistics;
use crate::error::{Errno, Result, SendError};
use crate::kind::Kind;
use crate::message::Message;
use crate::multipart::Multipart;
use crate::or_none::OrNone;
use crate::poll_events::PollEvents;
use crate::raw::PollItem;
use crate::socket::{Core, SocketRef, Wait, unless_again};

const CALL: &str = "zmq_proxy_steerable";

/// Forwards like [`proxy`](crate::proxy()), and takes commands from a socket, as C's function of this name is documented to.
///
/// The commands are the texts `PAUSE`, `RESUME`, `TERMINATE` and `STATISTICS`. Each is answered with an empty message,
/// `STATISTICS` with eight parts, each a `u64` in the machine's byte order: parts and bytes received and sent by the
/// frontend, then by the backend (`[u64; 8]::from` of a [`ProxyStatistics`]). Any other command changes nothing, and is
/// answered with an empty message too. In libzmq 4.3.5 `PAUSE` and `RESUME` are swapped; here they do what they say.
///
/// The control socket is a REP or a PAIR. With a ROUTER or DEALER, the last part of a message is the command, and those
/// before it go back with the answer; a SUB or PULL gets commands and answers none. An answer that finds no room waits.
/// Further commands wait for it, and the proxy goes on forwarding.
///
/// `TERMINATE` ends the proxy, which returns the messages that it had received and not sent. A Rust program can use
/// [`ProxyHandle`](crate::ProxyHandle), which needs no control socket.
///
/// # Errors
///
/// As [`proxy`](crate::proxy()). `EINVAL` if the control socket is one of the others.
///
/// ```
/// use zmq::{Context, Dealer, Pair, Router, proxy_steerable};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let control = context.socket(Pair)?;
/// control.bind("inproc://control")?;
/// let theirs = context.clone();
/// let broker = std::thread::spawn(move || {
///     let (frontend, backend) = (theirs.socket(Router)?, theirs.socket(Dealer)?);
///     let control = theirs.socket(Pair)?;
///     control.connect("inproc://control")?;
///     proxy_steerable(&frontend, &backend, None, &control)
/// });
/// control.send("STATISTICS")?;
/// assert_eq!(control.recv_multipart()?.len(), 8);
/// control.send("TERMINATE")?;
/// let unforwarded = broker.join().unwrap()?;
/// assert!(unforwarded.is_empty());
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_proxy_steerable")]
pub fn proxy_steerable<'a>(
    frontend: impl Into<SocketRef<'a>>,
    backend: impl Into<SocketRef<'a>>,
    capture: impl OrNone<SocketRef<'a>>,
    control: impl Into<SocketRef<'a>>,
) -> Result<Unforwarded, SendError<Unforwarded>> {
    let (frontend, backend) = (frontend.into().core(), backend.into().core());
    let (capture, control) = (capture.into().map(SocketRef::core), control.into().core());
    super::check(CALL, frontend, backend, capture, Some(control))?;
    let mut control = ControlSocket { socket: control, answer: None };
    Engine::new(frontend, backend, capture).run(CALL, &mut control)
}

struct ControlSocket<'a> {
    socket: &'a Core,
    /// An answer that has found no room yet.
    answer: Option<Multipart>,
}

impl Control for ControlSocket<'_> {
    fn item(&self) -> Option<PollItem<'_>> {
        let event = if self.answer.is_some() { PollEvents::POLLOUT } else { PollEvents::POLLIN };
        Some(self.socket.poll_item(event.into()))
    }

    fn poll_command(&mut self, mode: Mode, statistics: ProxyStatistics) -> Result<Mode, Errno> {
        if let Some(answer) = self.answer.take() {
            self.answer(answer)?;
            return Ok(mode);
        }
        let received = unless_again(self.socket.recv_parts(Wait::No)).map_err(|error| error.errno())?;
        let Some(mut message) = received else { return Ok(mode) };
        let command = message.pop_back().unwrap_or_default();
        let mut mode = mode;
        match &*command {
            b"PAUSE" => mode = Mode::Paused,
            b"RESUME" => mode = Mode::Active,
            b"TERMINATE" => mode = Mode::Terminated,
            _ => {}
        }
        if &*command == b"STATISTICS" {
            message.extend(<[u64; 8]>::from(statistics).map(u64::to_ne_bytes));
        } else {
            message.push_back(Message::new());
        }
        self.answer(message)?;
        Ok(mode)
    }
}

impl ControlSocket<'_> {
    fn answer(&mut self, answer: Multipart) -> Result<(), Errno> {
        if matches!(self.socket.kind(), Kind::Sub | Kind::Pull) {
            return Ok(());
        }
        match self.socket.send_parts(answer, Wait::No) {
            Ok(()) => Ok(()),
            Err(failed) if failed.error().errno() == Errno::EAGAIN => {
                self.answer = Some(failed.into_message());
                Ok(())
            }
            // The peer that asked has gone, or this kind cannot answer.
            Err(failed) => match failed.error().errno() {
                Errno::EHOSTUNREACH | Errno::ENOTSUP | Errno::EFSM => Ok(()),
                errno => Err(errno),
            },
        }
    }
}

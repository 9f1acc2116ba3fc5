//! The third process, which decides between two nodes that do not hear each other.

use std::fmt;
use std::time::{Duration, Instant};

use zmq::{Context, Multipart, Result, Router, Socket};

use super::protocol;
use crate::deadline::later;
use crate::router::try_send;
use crate::run::run_until_end;

/// The state machine of a witness: a lease, which one process has at a time. It has no socket and no clock.
#[derive(Debug, Clone)]
pub struct Lease {
    time: Duration,
    /// The incarnation of the node that has the lease, and until when.
    holder: Option<u64>,
    until: Instant,
    now: Instant,
}

impl Lease {
    /// The lease of a witness that starts now. It is granted for `time`, first after `time`: an earlier process of the witness
    /// may have granted it just before it died.
    pub fn new(now: Instant, time: Duration) -> Lease {
        Lease { time, holder: None, until: later(now, time), now }
    }

    /// The answer to a node's request, which grants the lease or refuses it. `None` if the request is malformed.
    pub fn on_request(&mut self, now: Instant, request: &Multipart) -> Option<Multipart> {
        let mark = protocol::parse_lease_request(request)?;
        self.now = self.now.max(now);
        let is_granted = self.holder == Some(mark.incarnation) || self.now >= self.until;
        if is_granted {
            self.holder = Some(mark.incarnation);
            self.until = later(self.now, self.time);
        }
        Some(protocol::lease_answer(mark, if is_granted { self.time } else { Duration::ZERO }))
    }
}

/// The third process of a pair: it grants a lease to one of the two nodes, so that both are never active at once, even if
/// they do not hear each other and clients reach both. See the [module](super).
///
/// A witness keeps nothing on disk, and serves one pair. A witness that was restarted grants nothing for the time of one
/// lease.
///
/// ```no_run
/// # fn main() -> zmq::Result<()> {
/// let context = zmq::Context::new()?;
/// zmq_patterns::binary_star::Witness::new(&context, "tcp://*:5005").run(|event| println!("{event}"))?;
/// # Ok(())
/// # }
/// ```
pub struct Witness {
    context: Context,
    endpoint: String,
    lease: Duration,
    setup: Vec<Setup>,
    malformed: u64,
}

type Setup = Box<dyn Fn(&Socket<'static, Router>) -> Result<()>>;

/// A report of a [`Witness`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WitnessEvent {
    /// The witness is bound to this endpoint, as libzmq resolved it.
    Bound(String),
    /// A message that is no request of a node was dropped.
    Malformed,
}

impl Witness {
    /// A witness that [`Witness::run`] binds to an endpoint.
    pub fn new(context: &Context, endpoint: impl Into<String>) -> Witness {
        Witness {
            context: context.clone(),
            endpoint: endpoint.into(),
            lease: Duration::from_secs(2),
            setup: Vec::new(),
            malformed: 0,
        }
    }

    /// Sets the time of a lease; 2 seconds by default. It should be the expiry time of the pair: active nodes ask at each
    /// heartbeat, and the other node waits for the lease of a dead one to end. A witness that is restarted with a shorter time
    /// must be down for the longer one first.
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }

    /// Sets options of the socket before it is bound, for example its security.
    pub fn with(mut self, set: impl Fn(&Socket<'static, Router>) -> Result<()> + 'static) -> Self {
        self.setup.push(Box::new(set));
        self
    }

    /// The number of messages that were dropped because they are no request of a node.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Grants leases until a signal is caught or the context is shut down.
    ///
    /// # Errors
    ///
    /// The errors of opening the socket and binding it: `EADDRINUSE`, for example. `EINTR` and `ETERM` end it without an error.
    pub fn run(&mut self, mut on_event: impl FnMut(&WitnessEvent)) -> Result<()> {
        let socket = self.context.owned_socket(Router)?;
        socket.set_linger(Duration::ZERO)?;
        self.setup.iter().try_for_each(|set| set(&socket))?;
        on_event(&WitnessEvent::Bound(socket.bind(&self.endpoint)?));
        let mut lease = Lease::new(Instant::now(), self.lease);
        run_until_end(|| {
            let mut message = socket.recv_multipart()?;
            let address = message.pop_front();
            match (address, lease.on_request(Instant::now(), &message)) {
                (Some(address), Some(mut answer)) => {
                    answer.push_front(address);
                    // An answer to a node that has left is dropped.
                    try_send(&socket, answer).map(drop)
                }
                _ => {
                    self.malformed += 1;
                    on_event(&WitnessEvent::Malformed);
                    Ok(())
                }
            }
        })
    }
}

impl fmt::Display for WitnessEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WitnessEvent::Bound(endpoint) => write!(f, "witness at {endpoint}"),
            WitnessEvent::Malformed => f.write_str("malformed request dropped"),
        }
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Witness");
        debug.field("endpoint", &self.endpoint).field("lease", &self.lease).field("malformed", &self.malformed);
        debug.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::protocol::{Mark, lease_request, parse_lease_answer};
    use super::*;

    #[test]
    fn lease_goes_to_one_process_at_a_time_and_to_none_at_the_start() {
        let second = Duration::from_secs(1);
        let start = Instant::now();
        let mut lease = Lease::new(start, second);
        let mut is_granted = |milliseconds, incarnation| {
            let request = lease_request(Mark { incarnation, number: 0 });
            let answer = lease.on_request(start + Duration::from_millis(milliseconds), &request).unwrap();
            !parse_lease_answer(&answer).unwrap().1.is_zero()
        };
        assert!(!is_granted(999, 1));
        assert!(is_granted(1000, 1));
        assert!(!is_granted(1999, 2));
        assert!(is_granted(1999, 1));
        // The renewal counts, and a clock that goes back does not.
        assert!(!is_granted(2998, 2));
        assert!(is_granted(2999, 2));
        assert!(!is_granted(0, 1));
    }
}

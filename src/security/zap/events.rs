//! What an authenticator reports.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::request::ZapRequest;
use crate::bell::Bell;
use crate::error::{Error, Result};
use crate::lock::lock;
use crate::poll::poll;

/// How many events are kept for whoever reads them: of more, the oldest are lost.
const KEPT: usize = 1000;

/// Something that an [`Authenticator`](super::Authenticator) has seen.
///
/// ```
/// use std::time::Duration;
/// use zmq::security::{AuthEvent, Authenticator, Security};
/// use zmq::{Context, Dealer};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let authenticator = Authenticator::start(&context)?;
/// authenticator.configure("accounts", |policy| policy.allow_user("alice", "open sesame"))?;
/// let server = context.socket(Dealer)?;
/// server.secure(&Security::plain_server().with_domain("accounts"))?;
/// let endpoint = server.bind("tcp://127.0.0.1:*")?;
/// let client = context.socket(Dealer)?;
/// client.secure(&Security::plain_client("alice", "something else"))?;
/// client.connect(&endpoint)?;
///
/// match authenticator.next_event(Duration::from_secs(10))? {
///     Some(AuthEvent::Denied { client, status, .. }) => assert_eq!((client.user.as_str(), status), ("alice", 400)),
///     event => panic!("{event:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthEvent {
    /// A client was let in.
    Allowed {
        /// The client.
        client: ClientInfo,
        /// The user id that its messages have.
        user_id: String,
    },
    /// A client was refused.
    Denied {
        /// The client.
        client: ClientInfo,
        /// 300, 400 or 500.
        status: u16,
        /// Why.
        reason: String,
    },
    /// A callback of the policy panicked, and the client was refused with status 500.
    Panicked {
        /// The client.
        client: ClientInfo,
        /// What the panic said.
        message: String,
    },
    /// Something that is no request came in, and was answered with status 400 where it had an envelope to answer to.
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// A directory of certificates, or a file in it, cannot be read.
    BadCertificate {
        /// Which, and why.
        reason: String,
    },
    /// The authenticator has ended: it was stopped, or its context was shut down, which is an `ETERM`. It is the last event,
    /// and comes each time from then on.
    Ended {
        /// What ended it, if it was not stopped.
        error: Option<Error>,
    },
}

/// Which client an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientInfo {
    /// The domain of the server's socket.
    pub domain: String,
    /// The client's address.
    pub address: String,
    /// `NULL`, `PLAIN`, `CURVE` or `GSSAPI`.
    pub mechanism: &'static str,
    /// Whom it claims to be: user name, key as text, or principal; empty for NULL.
    pub user: String,
}

impl ClientInfo {
    pub(super) fn of(request: &ZapRequest) -> ClientInfo {
        ClientInfo {
            domain: request.domain.clone(),
            address: request.address.clone(),
            mechanism: request.credentials.mechanism(),
            user: request.credentials.user(),
        }
    }
}

/// The events that nobody has read yet.
pub(super) struct Events {
    state: Mutex<State>,
    /// Has a byte to be read as long as there is an event.
    signal: Bell,
}

#[derive(Default)]
struct State {
    queue: VecDeque<AuthEvent>,
    ended: Option<Option<Error>>,
    lost: u64,
}

impl Events {
    pub(super) fn new() -> io::Result<Events> {
        Ok(Events { state: Mutex::default(), signal: Bell::pair()? })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn push(&self, event: AuthEvent) {
        let mut state = self.state();
        if state.queue.len() == KEPT {
            state.queue.pop_front();
            state.lost += 1;
        }
        state.queue.push_back(event);
        if state.queue.len() == 1 {
            self.signal.ring();
        }
    }

    pub(super) fn end(&self, error: Option<Error>) {
        self.state().ended = Some(error);
        self.signal.ring();
    }

    pub(super) fn lost(&self) -> u64 {
        self.state().lost
    }

    fn take(&self) -> Option<AuthEvent> {
        let mut state = self.state();
        let event = state.queue.pop_front();
        if event.is_some() && state.queue.is_empty() && state.ended.is_none() {
            self.signal.hush();
        }
        event.or_else(|| state.ended.clone().map(|error| AuthEvent::Ended { error }))
    }

    pub(super) fn next(&self, timeout: Option<Duration>) -> Result<Option<AuthEvent>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(event) = self.take() {
                return Ok(Some(event));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if poll(&mut [self.signal.item()], left)? == 0 {
                return Ok(None);
            }
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll_events::PollEvents;
    use crate::raw::PollItem;

    fn event(number: usize) -> AuthEvent {
        AuthEvent::Malformed { reason: number.to_string() }
    }

    fn is_raised(events: &Events) -> bool {
        poll(&mut [PollItem::fd(events.fd(), PollEvents::POLLIN)], Duration::ZERO).unwrap() == 1
    }

    #[test]
    fn events_that_nobody_reads_are_lost_and_counted() {
        let events = Events::new().unwrap();
        (0..KEPT + 3).for_each(|number| events.push(event(number)));
        assert_eq!(events.lost(), 3);
        for number in 3..KEPT + 3 {
            assert!(is_raised(&events));
            assert_eq!(events.next(Some(Duration::ZERO)).unwrap(), Some(event(number)));
        }
        assert!(!is_raised(&events));
        assert_eq!(events.next(Some(Duration::from_millis(1))).unwrap(), None);
    }

    #[test]
    fn the_end_comes_last_and_stays() {
        let events = Events::new().unwrap();
        events.push(event(1));
        events.end(None);
        assert_eq!(events.next(None).unwrap(), Some(event(1)));
        for _ in 0..3 {
            assert!(is_raised(&events));
            assert_eq!(events.next(None).unwrap(), Some(AuthEvent::Ended { error: None }));
        }
    }
}

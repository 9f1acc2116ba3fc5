//! The events of an authenticator.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::request::ZapRequest;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::lock::lock;
use crate::poll::poll;
use crate::raw::platform::{AsFd, BorrowedFd, OwnedFd};
use crate::waker::Waker;

/// How many events are kept for the reader. If more come, the oldest are dropped.
const KEPT: usize = 1000;

/// An event of an [`Authenticator`](super::Authenticator).
///
/// ```
/// use std::time::Duration;
/// use zmq::security::{AuthEvent, Authenticator, Security};
/// use zmq::{Context, Dealer};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let authenticator = Authenticator::start(&context)?;
/// authenticator.configure("accounts", |policy| policy.allow_users([("alice", "open sesame")]))?;
/// let server = context.socket(Dealer)?;
/// server.secure(&Security::plain_server().domain("accounts"))?;
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
        /// The reason.
        reason: String,
    },
    /// A callback of the policy panicked, and the client was refused with status 500.
    Panicked {
        /// The client.
        client: ClientInfo,
        /// The text of the panic.
        message: String,
    },
    /// A message was not a ZAP request. It was answered with status 400 if its envelope could be read.
    Malformed {
        /// The fault in it.
        reason: String,
    },
    /// A directory of certificates, or a file in it, cannot be read.
    BadCertificate {
        /// The path and the reason.
        reason: String,
    },
    /// The authenticator has ended: it was stopped, or its context was shut down (`ETERM`). It is the last event, and
    /// every later call returns it again.
    Ended {
        /// The error that ended it, if it was not stopped.
        error: Option<Error>,
    },
}

/// The client that an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientInfo {
    /// The domain of the server's socket.
    pub domain: String,
    /// The client's address.
    pub address: String,
    /// `NULL`, `PLAIN`, `CURVE` or `GSSAPI`.
    pub mechanism: &'static str,
    /// The identity that it claims: user name, key as text, or principal; empty for NULL.
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

/// The queue of the events that are not read yet.
pub(super) struct EventQueue {
    state: Mutex<EventQueueState>,
    /// Readable while the queue has an event, and after the end.
    signal: Waker,
    /// The relay of `signal` that is lent to users.
    lent: OwnedFd,
}

#[derive(Default)]
struct EventQueueState {
    queue: VecDeque<AuthEvent>,
    ended: Option<Option<Error>>,
    lost: u64,
}

impl EventQueue {
    pub(super) fn new() -> io::Result<EventQueue> {
        let signal = Waker::pair()?;
        let lent = signal.relay()?;
        Ok(EventQueue { state: Mutex::default(), signal, lent })
    }

    fn state(&self) -> MutexGuard<'_, EventQueueState> {
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
            self.signal.wake();
        }
    }

    pub(super) fn end(&self, error: Option<Error>) {
        self.state().ended = Some(error);
        self.signal.wake();
    }

    pub(super) fn lost(&self) -> u64 {
        self.state().lost
    }

    fn take(&self) -> Option<AuthEvent> {
        let mut state = self.state();
        let event = state.queue.pop_front();
        if event.is_some() && state.queue.is_empty() && state.ended.is_none() {
            self.signal.reset();
        }
        event.or_else(|| state.ended.clone().map(|error| AuthEvent::Ended { error }))
    }

    pub(super) fn next(&self, timeout: Option<Duration>) -> Result<Option<AuthEvent>> {
        let deadline = Deadline::after(timeout);
        loop {
            if let Some(event) = self.take() {
                return Ok(Some(event));
            }
            if poll(&mut [self.signal.item()], deadline.left())? == 0 {
                return Ok(None);
            }
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.lent.as_fd()
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

    fn is_raised(events: &EventQueue) -> bool {
        poll(&mut [PollItem::fd(events.fd(), PollEvents::POLLIN)], Duration::ZERO).unwrap() == 1
    }

    #[test]
    fn queue_drops_and_counts_the_oldest_events_when_it_is_full() {
        let events = EventQueue::new().unwrap();
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
    fn queue_returns_the_end_last_and_again() {
        let events = EventQueue::new().unwrap();
        events.push(event(1));
        events.end(None);
        assert_eq!(events.next(None).unwrap(), Some(event(1)));
        for _ in 0..3 {
            assert!(is_raised(&events));
            assert_eq!(events.next(None).unwrap(), Some(AuthEvent::Ended { error: None }));
        }
    }
}

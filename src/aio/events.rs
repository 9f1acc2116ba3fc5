//! `AsyncEvents`: the events of a monitor or an authenticator.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::AtomicU32;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::{FusedStream, Stream};

use super::registration::Registration;
use super::runtime::{Runtime, wait_failed};
use crate::error::{Errno, Error, Result};
use crate::monitor::{Event, Monitor, Notice};
use crate::raw::platform::{AsFd, OwnedFd};
use crate::security::{AuthEvent, Authenticator};

const NEW: &str = "AsyncEvents::new";
const NEXT: &str = "next_event";

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::monitor::Monitor {}
    impl Sealed for crate::security::Authenticator {}
}

/// A source of events: a [`Monitor`] or an [`Authenticator`].
pub trait EventSource: sealed::Sealed + Unpin {
    /// Its events.
    type Event: Unpin;

    #[doc(hidden)]
    fn take_event(&self) -> Result<Option<Self::Event>>;

    /// A duplicate of the descriptor that is readable while there are events.
    #[doc(hidden)]
    fn duplicate_fd(&self) -> io::Result<OwnedFd>;

    #[doc(hidden)]
    fn is_end(event: &Self::Event) -> bool;
}

impl EventSource for Monitor {
    type Event = Notice;

    fn take_event(&self) -> Result<Option<Notice>> {
        self.next_event(Duration::ZERO)
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        self.as_fd().try_clone_to_owned()
    }

    fn is_end(event: &Notice) -> bool {
        *event.event() == Event::MonitorStopped
    }
}

impl EventSource for Authenticator {
    type Event = AuthEvent;

    fn take_event(&self) -> Result<Option<AuthEvent>> {
        self.next_event(Duration::ZERO)
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        self.as_fd().try_clone_to_owned()
    }

    fn is_end(event: &AuthEvent) -> bool {
        matches!(event, AuthEvent::Ended { .. })
    }
}

/// The events of a [`Monitor`] or an [`Authenticator`], for tasks.
///
/// As a [`Stream`] it ends before [`Event::MonitorStopped`] and [`AuthEvent::Ended`], and after an error.
pub struct AsyncEvents<S> {
    // The registration is dropped first: a runtime must not watch a closed descriptor.
    registration: Registration,
    source: S,
    runtime: Runtime,
    /// Counts the calls: see [`Runtime::poll_turn`].
    in_a_row: AtomicU32,
    has_ended: bool,
}

impl<S: EventSource> AsyncEvents<S> {
    /// Takes the monitor or authenticator over.
    ///
    /// # Errors
    ///
    /// `ENOTSUP` for [`Runtime::Tokio`] outside of a runtime, `ECANCELED` in one that has ended, `EMFILE` or `ENFILE` if no file
    /// descriptor is left. The monitor or authenticator is dropped, and so ends.
    ///
    /// # Panics
    ///
    /// In a runtime of Tokio whose I/O driver is not enabled.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> zmq::Result<()> {
    /// use zmq::aio::{AsyncEvents, Runtime};
    /// use zmq::monitor::{Event, Events};
    ///
    /// let context = zmq::Context::new()?;
    /// let server = context.socket(zmq::Rep)?;
    /// let mut events = AsyncEvents::new(server.monitor(Events::ALL)?, Runtime::Tokio)?;
    /// server.bind("tcp://127.0.0.1:*")?;
    /// assert!(matches!(events.next_event().await?.event(), Event::Listening { .. }));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    pub fn new(source: S, runtime: Runtime) -> Result<AsyncEvents<S>> {
        let fd = source.duplicate_fd().map_err(|error| Errno::from_io(&error, Errno::EMFILE).for_call(NEW))?;
        let registration = runtime.register(fd, NEW)?;
        Ok(AsyncEvents { registration, source, runtime, in_a_row: AtomicU32::new(0), has_ended: false })
    }

    /// The next event: see [`Monitor::next_event`] and [`Authenticator::next_event`].
    ///
    /// # Cancel safety
    ///
    /// An event is taken when the future is ready. If the future is dropped before, no event is lost. The same holds for the
    /// futures of the [`Stream`].
    ///
    /// # Errors
    ///
    /// Those of these methods, except `EINTR`. `ECANCELED` if the runtime has ended.
    pub async fn next_event(&mut self) -> Result<S::Event> {
        poll_fn(|cx| self.poll_next_event(cx)).await
    }

    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<S::Event>> {
        ready!(self.runtime.poll_turn(&self.in_a_row, cx));
        loop {
            match self.source.take_event() {
                Ok(Some(event)) => return Poll::Ready(Ok(event)),
                Err(error) if error.errno() != Errno::EINTR => return Poll::Ready(Err(error)),
                _ => {}
            }
            ready!(self.registration.poll_readable(cx)).map_err(|error| wait_failed(&error, NEXT))?;
        }
    }

    /// The monitor or authenticator, to count its lost events or to change its policies.
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Gives the monitor or authenticator back.
    pub fn into_inner(self) -> S {
        self.source
    }
}

impl<S: EventSource> Stream for AsyncEvents<S> {
    type Item = Result<S::Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let event = ready!(self.poll_next_event(cx));
        self.has_ended = event.as_ref().map_or(true, S::is_end);
        match event {
            Ok(event) if S::is_end(&event) => Poll::Ready(None),
            event => Poll::Ready(Some(event)),
        }
    }
}

impl<S: EventSource> FusedStream for AsyncEvents<S> {
    fn is_terminated(&self) -> bool {
        self.has_ended
    }
}

impl<S: fmt::Debug> fmt::Debug for AsyncEvents<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncEvents").field("source", &self.source).finish_non_exhaustive()
    }
}

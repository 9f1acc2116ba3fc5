//! `LastValueCache`: a SUB and an XPUB around the machine.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use zmq::{PollEvents, PollItem, Result, SendError, Socket, Sub, XPub, poll};

use super::machine::{CacheAction, CacheMachine};
use super::{Event, Statistics};
use crate::run::run_until_end;

/// The number of updates that are passed on before subscriptions are answered, and of values that are sent before the
/// next updates.
const BATCH: usize = 100;

/// The proxy between publishers and subscribers that keeps the last value of each topic. See the [module](super).
///
/// The first frame of an update is its topic; one or more frames follow. The cache subscribes its SUB to all topics and
/// sets ZMQ_XPUB_VERBOSE on its XPUB. Make the cache first and bind its sockets then, so that it misses no subscription.
///
/// ```
/// use zmq::{Context, Sub, XPub};
/// use zmq_patterns::last_value::LastValueCache;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let publisher = context.owned_socket(XPub)?;
/// let updates = publisher.bind("tcp://127.0.0.1:*")?;
///
/// let mut cache = LastValueCache::new(context.owned_socket(Sub)?, context.owned_socket(XPub)?)?;
/// let endpoint = cache.backend().bind("tcp://127.0.0.1:*")?;
/// cache.frontend().connect(&updates)?;
/// let cache = std::thread::spawn(move || cache.run(|_| {}));
///
/// assert_eq!(publisher.recv_msg()?, b"\x01"); // The cache has subscribed.
/// publisher.send_multipart(["temperature", "21"])?;
///
/// // The subscriber comes after the update.
/// let subscriber = context.socket(Sub)?;
/// subscriber.subscribe("temperature")?;
/// subscriber.connect(&endpoint)?;
/// assert_eq!(subscriber.recv_multipart()?, ["temperature", "21"]);
/// context.shutdown()?;
/// cache.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "lvcache")]
pub struct LastValueCache<'ctx> {
    frontend: Socket<'ctx, Sub>,
    backend: Socket<'ctx, XPub>,
    machine: CacheMachine,
    actions: VecDeque<CacheAction>,
}

impl<'ctx> LastValueCache<'ctx> {
    /// A cache between the publishers of `frontend` and the subscribers of `backend`.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down.
    pub fn new(frontend: Socket<'ctx, Sub>, backend: Socket<'ctx, XPub>) -> Result<LastValueCache<'ctx>> {
        backend.set_xpub_verbose(true)?;
        frontend.subscribe("")?;
        Ok(LastValueCache { frontend, backend, machine: CacheMachine::new(), actions: VecDeque::new() })
    }

    /// Sets how many topics have a value at most; 100,000 by default. If there are more, the topic that was updated least
    /// recently loses its value. With 0 the cache keeps no value: it passes each update on, and reports
    /// [`Event::TooLarge`](super::Event::TooLarge).
    pub fn max_topics(mut self, topics: usize) -> Self {
        self.machine.set_max_topics(topics);
        self
    }

    /// Sets how many bytes the values have at most; 64 MiB by default. Each frame counts 128 bytes besides its content, and
    /// a topic counts twice. If there are more, the topics that were updated least recently lose their values. An update
    /// that alone is larger is passed on and not kept.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.machine.set_max_bytes(bytes);
        self
    }

    /// The socket for publishers.
    pub fn frontend(&self) -> &Socket<'ctx, Sub> {
        &self.frontend
    }

    /// The socket for subscribers. With [`Socket::set_xpub_nodrop`] the cache waits for the slowest subscriber instead of
    /// dropping its messages.
    pub fn backend(&self) -> &Socket<'ctx, XPub> {
        &self.backend
    }

    /// The counters since the cache was made.
    pub fn statistics(&self) -> Statistics {
        self.machine.statistics()
    }

    /// The number of topics that have a value.
    pub fn topics(&self) -> usize {
        self.machine.topics()
    }

    /// The bytes that the values count: see [`LastValueCache::max_bytes`].
    pub fn bytes(&self) -> usize {
        self.machine.bytes()
    }

    /// Serves until the context is shut down or a caught signal ends the wait ([`zmq::interrupt`]). It may be run again.
    ///
    /// # Errors
    ///
    /// Those of [`LastValueCache::run_once`], except `ETERM` and `EINTR`.
    pub fn run(&mut self, mut on_event: impl FnMut(&Event)) -> Result<()> {
        run_until_end(|| self.run_once(None, &mut on_event))
    }

    /// Waits up to `timeout`, or without end if it is `None`. Then passes on some of the updates that have arrived, and
    /// answers some subscriptions.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down, `EINTR` after a caught signal, `ENOTSOCK` in a forked child.
    pub fn run_once(&mut self, timeout: impl Into<Option<Duration>>, mut on_event: impl FnMut(&Event)) -> Result<()> {
        let timeout = if self.machine.is_serving() { Some(Duration::ZERO) } else { timeout.into() };
        let frontend = PollItem::socket(&self.frontend, PollEvents::POLLIN);
        poll(&mut [frontend, PollItem::socket(&self.backend, PollEvents::POLLIN)], timeout)?;

        for _ in 0..BATCH {
            let Some(update) = self.frontend.now().recv_multipart()? else { break };
            self.machine.on_update(update, &mut self.actions);
            self.perform(&mut on_event)?;
        }
        for _ in 0..BATCH {
            if self.machine.is_serving() {
                self.machine.serve(&mut self.actions);
            } else {
                let Some(message) = self.backend.now().recv_multipart()? else { break };
                self.machine.on_subscription(message, &mut self.actions);
            }
            self.perform(&mut on_event)?;
        }
        Ok(())
    }

    fn perform(&mut self, on_event: &mut impl FnMut(&Event)) -> Result<()> {
        while let Some(action) = self.actions.pop_front() {
            match action {
                CacheAction::Publish(message) => {
                    self.backend.send_multipart(message).map_err(|failed: SendError<_>| failed.into_parts().1)?;
                }
                CacheAction::Report(event) => on_event(&event),
            }
        }
        Ok(())
    }
}

impl fmt::Debug for LastValueCache<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("LastValueCache");
        debug.field("topics", &self.topics()).field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}

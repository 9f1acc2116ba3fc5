//! The thread that answers requests.

use std::collections::HashMap;
use std::ffi::c_long;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use super::events::{AuthEvent, ClientInfo, EventQueue};
use super::policy::Policy;
use super::request::{self, Incoming, ZapRequest};
use super::verdict::Verdict;
use super::{ANY_DOMAIN, ENDPOINT};
use crate::context::Context;
use crate::error::{Errno, Error};
use crate::kind::Router;
use crate::lock::lock;
use crate::multipart::Multipart;
use crate::poll_events::PollEvents;
use crate::process::uninterrupted;
use crate::raw::platform::{AsFd, Stream, stream_pair};
use crate::raw::{self, PollItem};
use crate::socket::Socket;
use crate::thread::panic_text;

/// How many milliseconds to wait for requests that are on their way when the authenticator stops.
const STRAGGLER_MS: c_long = 10;
/// How long to answer such requests. A peer that sends requests without end must not delay the stop.
const LAST_ANSWERS_TIMEOUT: Duration = Duration::from_secs(1);

/// The state of a ZAP handler, which its thread and the [`Authenticator`](super::Authenticator) share.
pub(super) struct Handler {
    policies: Mutex<HashMap<String, Arc<Policy>>>,
    /// The thread that is changing a policy.
    changing: Mutex<Option<ThreadId>>,
    changed: Condvar,
    /// Tells the thread to stop: a byte written to the second is read from the first.
    stop: (Stream, Stream),
    pub(super) events: EventQueue,
    pub(super) counts: Counts,
    end: Mutex<ThreadEnd>,
    ended: Condvar,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) allowed: AtomicU64,
    pub(super) denied: AtomicU64,
    pub(super) panicked: AtomicU64,
    pub(super) malformed: AtomicU64,
}

#[derive(Default)]
struct ThreadEnd {
    is_reached: bool,
    /// The thread's handle of the context. The caller that waits for the end drops it: dropping the last handle waits for
    /// lingering messages, and must not do so in the background.
    context: Option<Context>,
}

impl Handler {
    pub(super) fn new() -> io::Result<Handler> {
        let events = EventQueue::new()?;
        Ok(Handler {
            policies: Mutex::default(),
            changing: Mutex::default(),
            changed: Condvar::new(),
            stop: stream_pair()?,
            events,
            counts: Counts::default(),
            end: Mutex::default(),
            ended: Condvar::new(),
        })
    }

    pub(super) fn stop(&self) {
        // It cannot fail: both ends are open, and the buffer has room for the byte.
        let _ = (&self.stop.1).write(&[1]);
    }

    /// Replaces the policy of a domain by a changed copy: no request gets a policy that is half changed, or waits.
    ///
    /// # Errors
    ///
    /// `EDEADLK` if `change` itself calls this function.
    pub(super) fn configure(&self, domain: &str, change: impl FnOnce(&mut Policy)) -> Result<(), Errno> {
        let _guard = self.lock_for_change()?;
        let mut policy = lock(&self.policies).get(domain).map_or_else(Policy::new, |policy| Policy::clone(policy));
        change(&mut policy);
        let old = lock(&self.policies).insert(domain.to_owned(), Arc::new(policy));
        // Dropped without the lock: the callbacks in it may own values whose drop takes long.
        drop(old);
        Ok(())
    }

    /// Waits until no other thread changes a policy.
    fn lock_for_change(&self) -> Result<ChangeGuard<'_>, Errno> {
        let mut changing = lock(&self.changing);
        let this = thread::current().id();
        while let Some(other) = *changing {
            if other == this {
                return Err(Errno::from_raw(libc::EDEADLK));
            }
            changing = self.changed.wait(changing).unwrap_or_else(PoisonError::into_inner);
        }
        *changing = Some(this);
        Ok(ChangeGuard(self))
    }

    pub(super) fn remove(&self, domain: &str) -> Result<bool, Errno> {
        let _guard = self.lock_for_change()?;
        let old = lock(&self.policies).remove(domain);
        Ok(old.is_some())
    }

    fn policy(&self, domain: &str) -> Option<Arc<Policy>> {
        let policies = lock(&self.policies);
        policies.get(domain).or_else(|| policies.get(ANY_DOMAIN)).cloned()
    }

    pub(super) fn has_ended(&self) -> bool {
        lock(&self.end).is_reached
    }

    /// Waits until the thread has dropped its socket, and takes its handle of the context; `None` after `timeout`.
    pub(super) fn wait(&self, timeout: Duration) -> Option<Option<Context>> {
        let end = lock(&self.end);
        let waiting = |end: &mut ThreadEnd| !end.is_reached;
        let (mut end, _) = self.ended.wait_timeout_while(end, timeout, waiting).unwrap_or_else(PoisonError::into_inner);
        end.is_reached.then(|| end.context.take())
    }

    fn decide(&self, request: &ZapRequest) -> Verdict {
        let mut report = |reason| self.events.push(AuthEvent::BadCertificate { reason });
        let Some(policy) = self.policy(&request.domain) else { return Verdict::deny("its domain has no policy") };
        let verdict = policy.decide(request, &mut report).checked();
        // The drop may panic. At the end of the block, that would leak the verdict (rust-lang/rust#47949).
        drop(policy);
        verdict
    }

    /// Decides, and survives a panic of the policy's callbacks.
    fn judge(&self, request: &ZapRequest) -> Verdict {
        let client = ClientInfo::of(request);
        let verdict = catch_unwind(AssertUnwindSafe(|| self.decide(request))).unwrap_or_else(|payload| {
            self.counts.panicked.fetch_add(1, Ordering::Relaxed);
            let message = panic_text(payload);
            self.events.push(AuthEvent::Panicked { client: client.clone(), message });
            Verdict::failed("a callback panicked")
        });
        if verdict.is_allowed() {
            self.counts.allowed.fetch_add(1, Ordering::Relaxed);
            self.events.push(AuthEvent::Allowed { client, user_id: verdict.user_id().to_owned() });
        } else {
            self.counts.denied.fetch_add(1, Ordering::Relaxed);
            let (status, reason) = (verdict.status(), verdict.text().to_owned());
            self.events.push(AuthEvent::Denied { client, status, reason });
        }
        verdict
    }

    /// The reply to a message; `None` if its envelope cannot be read.
    fn answer(&self, message: Multipart) -> Option<Multipart> {
        let Incoming { envelope, request } = request::read(message);
        let verdict = match request {
            Ok(request) => self.judge(&request),
            Err(reason) => {
                self.counts.malformed.fetch_add(1, Ordering::Relaxed);
                self.events.push(AuthEvent::Malformed { reason });
                Verdict::deny("malformed request")
            }
        };
        envelope.map(|envelope| request::reply(envelope, &verdict))
    }
}

/// Held while a policy is changed; its drop lets the next thread in, also after a panic.
struct ChangeGuard<'a>(&'a Handler);

impl Drop for ChangeGuard<'_> {
    fn drop(&mut self) {
        *lock(&self.0.changing) = None;
        self.0.changed.notify_one();
    }
}

/// Answers requests until the handler is stopped, or the context ends.
pub(super) fn run(handler: &Handler, socket: Socket<'static, Router>) {
    let outcome = serve(handler, &socket);
    let mut context = Some(socket.context());
    if outcome.is_ok() {
        answer_the_last(&socket);
    }
    drop(socket);
    let was_stopped = outcome.is_ok();
    handler.events.end(outcome.err());
    let mut end = lock(&handler.end);
    if was_stopped {
        end.context = context.take();
    }
    end.is_reached = true;
    drop(end);
    handler.ended.notify_all();
    // The handle is dropped last: after a shutdown of the context, the thread that shut it down may wait for the drop.
    drop(context);
}

fn serve(handler: &Handler, socket: &Socket<'static, Router>) -> Result<(), Error> {
    loop {
        let mut items =
            [PollItem::socket(socket, PollEvents::POLLIN), PollItem::fd(handler.stop.0.as_fd(), PollEvents::POLLIN)];
        // A caught signal ends the calls of the program's threads, not this one.
        uninterrupted(|| raw::poll(&mut items, -1)).map_err(|errno| errno.for_call("zmq_poll"))?;
        if items[1].raw_revents() != 0 {
            return Ok(());
        }
        if let Some(message) = receive(socket)? {
            reply(socket, handler.answer(message))?;
        }
    }
}

fn receive(socket: &Socket<'static, Router>) -> Result<Option<Multipart>, Error> {
    match socket.now().recv_multipart() {
        Err(error) if error.errno() == Errno::EINTR => Ok(None),
        received => received,
    }
}

/// Sends a reply. It is dropped if the server that asked has gone.
fn reply(socket: &Socket<'static, Router>, reply: Option<Multipart>) -> Result<(), Error> {
    let Some(reply) = reply else { return Ok(()) };
    match socket.now().send_multipart(reply) {
        Err(failed) if failed.error().errno() == Errno::ETERM => Err(failed.into()),
        _ => Ok(()),
    }
}

/// Answers the requests that have come or are on their way with "try again", so that no server waits for an answer that
/// never comes. New requests cannot come after the name is unbound.
fn answer_the_last(socket: &Socket<'static, Router>) {
    if socket.unbind(ENDPOINT).is_err() {
        return;
    }
    // A server that connected before the unbind may still send its request.
    let start = Instant::now();
    while start.elapsed() < LAST_ANSWERS_TIMEOUT
        && let Ok(1..) = uninterrupted(|| raw::poll(&mut [PollItem::socket(socket, PollEvents::POLLIN)], STRAGGLER_MS))
        && let Ok(Some(message)) = receive(socket)
    {
        let envelope = request::read(message).envelope;
        let verdict = Verdict::later("the authenticator has stopped");
        if reply(socket, envelope.map(|envelope| request::reply(envelope, &verdict))).is_err() {
            return;
        }
    }
}

//! The thread that answers.

use std::any::Any;
use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use super::events::{AuthEvent, ClientInfo, Events};
use super::policy::Policy;
use super::request::{self, Received, ZapRequest};
use super::verdict::Verdict;
use super::{ANY_DOMAIN, ENDPOINT};
use crate::context::Context;
use crate::error::{Errno, Error};
use crate::kind::Router;
use crate::lock::lock;
use crate::multipart::Multipart;
use crate::poll_events::PollEvents;
use crate::raw::{self, PollItem};
use crate::socket::Socket;

/// How long to wait for requests that are on their way when the authenticator stops.
const STRAGGLERS: Duration = Duration::from_millis(10);
/// Somebody who asks without end does not keep it from stopping.
const LONGEST_TURN_AWAY: Duration = Duration::from_secs(1);

/// What the thread shares with the authenticator's handle.
pub(super) struct Shared {
    policies: Mutex<HashMap<String, Arc<Policy>>>,
    /// Who is changing a policy.
    changing: Mutex<Option<ThreadId>>,
    changed: Condvar,
    /// Tells the thread to stop: what is written to the second is read from the first.
    stop: (UnixStream, UnixStream),
    pub(super) events: Events,
    pub(super) counts: Counts,
    end: Mutex<End>,
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
struct End {
    is_there: bool,
    /// The thread's handle of the context. Who waits for the end drops it: the last one waits for what lingers, and that
    /// is nothing to be done in the background.
    context: Option<Context>,
}

impl Shared {
    pub(super) fn new() -> io::Result<Shared> {
        let events = Events::new()?;
        Ok(Shared {
            policies: Mutex::default(),
            changing: Mutex::default(),
            changed: Condvar::new(),
            stop: UnixStream::pair()?,
            events,
            counts: Counts::default(),
            end: Mutex::default(),
            ended: Condvar::new(),
        })
    }

    pub(super) fn stop(&self) {
        // There is room for the byte, and an end that reads as long as this is here.
        let _ = (&self.stop.1).write(&[1]);
    }

    /// Changes the policy of a domain as a whole: no request meets half of it, or waits for `change`.
    ///
    /// # Errors
    ///
    /// `EDEADLK` where `change` itself gets here.
    pub(super) fn configure(&self, domain: &str, change: impl FnOnce(&mut Policy)) -> Result<(), Errno> {
        let _turn = self.take_turn()?;
        let mut policy = lock(&self.policies).get(domain).map_or_else(Policy::new, |policy| Policy::clone(policy));
        change(&mut policy);
        let old = lock(&self.policies).insert(domain.to_owned(), Arc::new(policy));
        // What callbacks own is dropped where nobody is held up.
        drop(old);
        Ok(())
    }

    /// Waits until nobody else changes a policy.
    fn take_turn(&self) -> Result<Turn<'_>, Errno> {
        let mut changing = lock(&self.changing);
        let this = thread::current().id();
        while let Some(other) = *changing {
            if other == this {
                return Err(Errno::from_raw(libc::EDEADLK));
            }
            changing = self.changed.wait(changing).unwrap_or_else(PoisonError::into_inner);
        }
        *changing = Some(this);
        Ok(Turn(self))
    }

    pub(super) fn remove(&self, domain: &str) -> Result<bool, Errno> {
        let _turn = self.take_turn()?;
        let old = lock(&self.policies).remove(domain);
        Ok(old.is_some())
    }

    fn policy(&self, domain: &str) -> Option<Arc<Policy>> {
        let policies = lock(&self.policies);
        policies.get(domain).or_else(|| policies.get(ANY_DOMAIN)).cloned()
    }

    pub(super) fn has_ended(&self) -> bool {
        lock(&self.end).is_there
    }

    /// Waits until the thread has let go of everything; `None` where that takes longer.
    pub(super) fn wait(&self, timeout: Duration) -> Option<Option<Context>> {
        let end = lock(&self.end);
        let waiting = |end: &mut End| !end.is_there;
        let (mut end, _) = self.ended.wait_timeout_while(end, timeout, waiting).unwrap_or_else(PoisonError::into_inner);
        end.is_there.then(|| end.context.take())
    }

    fn decide(&self, request: &ZapRequest) -> Verdict {
        let mut report = |reason| self.events.push(AuthEvent::BadCertificate { reason });
        match self.policy(&request.domain) {
            Some(policy) => policy.decide(request, &mut report).checked(),
            None => Verdict::deny("its domain has no policy"),
        }
    }

    /// Decides, whatever the policy's callbacks do.
    fn judge(&self, request: &ZapRequest) -> Verdict {
        let client = ClientInfo::of(request);
        let verdict = catch_unwind(AssertUnwindSafe(|| self.decide(request))).unwrap_or_else(|payload| {
            self.counts.panicked.fetch_add(1, Ordering::Relaxed);
            let message = panic_message(&*payload);
            // Dropping the payload could panic once more.
            std::mem::forget(payload);
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

    /// The reply to a message, if there is one to be given.
    fn answer(&self, message: Multipart) -> Option<Multipart> {
        let Received { envelope, request } = request::read(message);
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

/// Ends when dropped, also by a panic.
struct Turn<'a>(&'a Shared);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *lock(&self.0.changing) = None;
        self.0.changed.notify_one();
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text").to_owned()
}

/// Answers until it is told to stop, or the context ends.
pub(super) fn run(shared: &Shared, socket: Socket<'static, Router>) {
    let outcome = serve(shared, &socket);
    let mut context = Some(socket.context());
    if outcome.is_ok() {
        turn_away(&socket);
    }
    drop(socket);
    let was_stopped = outcome.is_ok();
    shared.events.end(outcome.err());
    let mut end = lock(&shared.end);
    if was_stopped {
        end.context = context.take();
    }
    end.is_there = true;
    drop(end);
    shared.ended.notify_all();
    // Where the context was shut down, whoever did that waits for its last handle, which may be this one.
    drop(context);
}

fn serve(shared: &Shared, socket: &Socket<'static, Router>) -> Result<(), Error> {
    loop {
        let mut items =
            [PollItem::socket(socket, PollEvents::POLLIN), PollItem::fd(shared.stop.0.as_fd(), PollEvents::POLLIN)];
        match raw::poll(&mut items, -1) {
            Ok(_) => {}
            // Ctrl-C ends the calls of the program's own threads: this one goes on.
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno.of("zmq_poll")),
        }
        if items[1].raw_revents() != 0 {
            return Ok(());
        }
        if let Some(message) = receive(socket)? {
            reply(socket, shared.answer(message))?;
        }
    }
}

fn receive(socket: &Socket<'static, Router>) -> Result<Option<Multipart>, Error> {
    match socket.try_recv_multipart() {
        Err(error) if error.errno() == Errno::EINTR => Ok(None),
        received => received,
    }
}

/// A reply to somebody who has gone is dropped.
fn reply(socket: &Socket<'static, Router>, reply: Option<Multipart>) -> Result<(), Error> {
    let Some(reply) = reply else { return Ok(()) };
    match socket.try_send_multipart(reply) {
        Err(failed) if failed.error().errno() == Errno::ETERM => Err(failed.into()),
        _ => Ok(()),
    }
}

/// Nobody is to wait for an answer that does not come any more: who has asked is told to ask again. Nobody new can ask once
/// the name is free.
fn turn_away(socket: &Socket<'static, Router>) {
    if socket.unbind(ENDPOINT).is_err() {
        return;
    }
    // Who found the name before it was free may be about to ask.
    let start = Instant::now();
    while start.elapsed() < LONGEST_TURN_AWAY
        && let Ok(Some(message)) = socket.recv_multipart_timeout(STRAGGLERS)
    {
        let envelope = request::read(message).envelope;
        let verdict = Verdict::later("the authenticator has stopped");
        if reply(socket, envelope.map(|envelope| request::reply(envelope, &verdict))).is_err() {
            return;
        }
    }
}

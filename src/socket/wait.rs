//! Waiting: what blocking calls do beyond libzmq's own.
//!
//! libzmq waits by itself as long as it may wait for ever and no signal is to end it. A time-out, `EINTR` and Ctrl-C are
//! handled here: try without waiting, poll for readiness until an `Instant` deadline, try again.

use std::ffi::{c_int, c_short};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::precheck::LONGEST_PREFIX;
use super::recv::ENDLESS;
use super::{Conflating, Core};
use crate::deadline::{Backoff, Deadline};
use crate::error::Errno;
use crate::kind::Kind;
use crate::poll_events::PollEvents;
use crate::raw::{self, PollItem, RawMessage};
use crate::wake_up::WakeUp;

/// Whether a message is a subscription, or the end of one, whose prefix is longer than libzmq bears.
#[cold]
fn is_too_long(message: &RawMessage) -> bool {
    message.len() > 1 + LONGEST_PREFIX && message.content()[0] <= 1
}

impl Core {
    /// Whether a send without flags is libzmq's business alone.
    #[inline]
    pub(super) fn sends_straight(&self) -> bool {
        self.sends_straight_in.load(Ordering::Relaxed) == raw::process_state()
    }

    /// Whether a receive without flags is libzmq's business alone.
    #[inline]
    pub(super) fn recvs_straight(&self) -> bool {
        self.recvs_straight_in.load(Ordering::Relaxed) == raw::process_state()
    }

    #[inline]
    fn sndtimeo(&self) -> c_int {
        self.sndtimeo.load(Ordering::Relaxed)
    }

    #[inline]
    fn rcvtimeo(&self) -> c_int {
        self.rcvtimeo.load(Ordering::Relaxed)
    }

    /// Sends, waiting as the flags and `ZMQ_SNDTIMEO` say.
    #[inline]
    pub(crate) fn send(&self, message: &mut RawMessage, flags: c_int) -> Result<(), Errno> {
        if self.kind() == Kind::XSub && is_too_long(message) {
            return Err(Errno::EMSGSIZE);
        }
        if self.may_wait_in_c(flags, self.sndtimeo()) {
            match self.raw().send(message, flags) {
                Err(Errno::EINTR) => {}
                Ok(()) => {
                    self.note_part(flags);
                    return Ok(());
                }
                failed => return failed,
            }
        }
        self.send_until(message, flags, deadline(flags, self.sndtimeo()))
    }

    /// Receives, waiting as the flags and `ZMQ_RCVTIMEO` say.
    #[inline]
    pub(crate) fn recv(&self, message: &mut RawMessage, flags: c_int) -> Result<(), Errno> {
        // Of a socket that threads share, another one may take what was put back.
        if self.conflates() || self.kind() == Kind::XPub || self.has_put_back() {
            return self.recv_until(message, deadline(flags, self.rcvtimeo()));
        }
        if self.may_wait_in_c(flags, self.rcvtimeo()) {
            match self.raw().recv(message, flags) {
                Err(Errno::EINTR) => {}
                done => return done,
            }
        }
        self.recv_until(message, deadline(flags, self.rcvtimeo()))
    }

    /// Receives into a buffer, waiting as the flags and `ZMQ_RCVTIMEO` say.
    #[inline]
    pub(super) fn recv_into(&self, buffer: &mut [u8], flags: c_int) -> Result<usize, Errno> {
        let is_plain = self.kind() != Kind::XPub && !self.conflates() && !self.has_put_back() && buffer.len() < ENDLESS;
        if is_plain && self.may_wait_in_c(flags, self.rcvtimeo()) {
            match self.raw().recv_into(buffer, flags) {
                Err(Errno::EINTR) => {}
                done => return done,
            }
        }
        self.recv_into_until(buffer, deadline(flags, self.rcvtimeo()))
    }

    /// Receives into a buffer, waiting until `deadline` at most.
    #[cold]
    pub(super) fn recv_into_until(&self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, Errno> {
        if self.kind() == Kind::XPub || self.has_put_back() || buffer.len() >= ENDLESS {
            let mut message = RawMessage::new();
            self.recv_until(&mut message, deadline)?;
            return Ok(copy(message.content(), buffer));
        }
        self.wait(zmq_sys::ZMQ_POLLIN, deadline, || {
            if let Some(first) = self.take_put_back() {
                return Ok(copy(first.as_ref(), buffer));
            }
            self.unless_torn(|| self.raw().recv_into(buffer, zmq_sys::ZMQ_DONTWAIT))
        })
    }

    /// Sends, waiting until `deadline` at most.
    #[cold]
    pub(super) fn send_until(&self, message: &mut RawMessage, flags: c_int, deadline: Deadline) -> Result<(), Errno> {
        if self.kind() == Kind::XSub && is_too_long(message) {
            return Err(Errno::EMSGSIZE);
        }
        self.wait(zmq_sys::ZMQ_POLLOUT, deadline, || {
            match self.raw().send(message, flags | zmq_sys::ZMQ_DONTWAIT) {
                // Its peer went away in the middle of a message. libzmq, when it may wait, swallows the parts that are
                // left; sent again, they would be a message of their own to another peer.
                Err(Errno::EAGAIN) if self.is_mid_message() && flags & zmq_sys::ZMQ_DONTWAIT == 0 => {
                    *message = RawMessage::new();
                    Ok(())
                }
                done => done,
            }
        })?;
        self.note_part(flags);
        Ok(())
    }

    /// Receives, waiting until `deadline` at most.
    #[cold]
    pub(super) fn recv_until(&self, message: &mut RawMessage, deadline: Deadline) -> Result<(), Errno> {
        self.wait(zmq_sys::ZMQ_POLLIN, deadline, || {
            // Of a socket that threads share, it may come meanwhile.
            if let Some(mut first) = self.take_put_back() {
                std::mem::swap(message, first.raw_mut());
                return Ok(());
            }
            self.unless_torn(|| self.raw().recv(message, zmq_sys::ZMQ_DONTWAIT))?;
            if self.kind() == Kind::XPub {
                message.count_itself();
            }
            Ok(())
        })
    }

    /// Receives a part if libzmq bears it: see [`Conflating`].
    fn unless_torn<R>(&self, receive: impl FnOnce() -> Result<R, Errno>) -> Result<R, Errno> {
        match self.conflating() {
            Conflating::No => receive(),
            Conflating::Torn => Err(Errno::EPROTO),
            Conflating::Yes => {
                let received = receive()?;
                if self.is_half_received() {
                    self.conflating.store(Conflating::Torn as u8, Ordering::Relaxed);
                }
                Ok(received)
            }
        }
    }

    /// Whether libzmq's own waiting serves: it does not wait at all, or for ever and for nothing but the socket.
    #[inline]
    fn may_wait_in_c(&self, flags: c_int, timeout: c_int) -> bool {
        flags & zmq_sys::ZMQ_DONTWAIT != 0 || (timeout < 0 && !raw::catching())
    }

    fn wait<R>(
        &self,
        event: c_int,
        deadline: Deadline,
        mut attempt: impl FnMut() -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let mut misreported = false;
        let mut backoff = Backoff::new();
        loop {
            match attempt() {
                Err(Errno::EAGAIN) => {}
                // A signal that came while there was nothing to wait for: a caught one ends waits only.
                Err(Errno::EINTR) => continue,
                done => return done,
            }
            if deadline.has_passed() {
                return Err(Errno::EAGAIN);
            }
            self.interrupted()?;
            if !misreported {
                // A ROUTER with `ZMQ_ROUTER_MANDATORY` says that it can send as soon as any of its peers has room, an XPUB
                // with `ZMQ_XPUB_NODROP` always.
                misreported = self.wait_ready(self.poll_item(event as c_short), deadline)?;
                continue;
            }
            // From here on it is waited for news of any kind, and tried again after each. What came before is taken in
            // first, or nothing would tell of it.
            self.raw().events()?;
            match attempt() {
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                done => return done,
            }
            match self.raw().notification_fd() {
                Ok(news) => drop(self.wait_ready(PollItem::fd(news, PollEvents::POLLIN), deadline)?),
                Err(_) => {
                    WakeUp::current().pause(deadline.cap(backoff.pause()));
                    backoff = backoff.doubled();
                }
            }
        }
    }

    /// Waits until the item is ready, the time is over or a signal is there; says whether it is ready.
    fn wait_ready(&self, item: PollItem<'_>, deadline: Deadline) -> Result<bool, Errno> {
        let wake_up = WakeUp::current();
        let timeout = deadline.milliseconds();
        let ready = match wake_up.item() {
            Some(wake_up) => raw::poll(&mut [item, wake_up], timeout),
            None => raw::poll(&mut [item], timeout),
        };
        wake_up.reset();
        match ready {
            Ok(ready) => Ok(ready != 0),
            Err(Errno::EINTR) => self.interrupted().map(|()| false),
            Err(errno) => Err(errno),
        }
    }

    /// After `EINTR`: an error if the call is to end, because a caught signal says so.
    #[cold]
    fn interrupted(&self) -> Result<(), Errno> {
        if raw::interrupted() { Err(Errno::EINTR) } else { Ok(()) }
    }
}

/// Copies what there is room for; gives how much there was.
fn copy(content: &[u8], buffer: &mut [u8]) -> usize {
    let copied = content.len().min(buffer.len());
    buffer[..copied].copy_from_slice(&content[..copied]);
    content.len()
}

/// The deadline of a call with these flags and this `ZMQ_SNDTIMEO` or `ZMQ_RCVTIMEO`, in which -1 is never.
fn deadline(flags: c_int, timeout: c_int) -> Deadline {
    if flags & zmq_sys::ZMQ_DONTWAIT != 0 {
        return Deadline::now();
    }
    Deadline::after(u64::try_from(timeout).ok().map(Duration::from_millis))
}

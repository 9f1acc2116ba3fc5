//! `State`: the part of a socket's state that every `send` and `recv` reads, with the condition of the fast path.
//!
//! All fields are atomic, because threads share some kinds of socket. Relaxed loads and stores cost the other kinds
//! nothing.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, Ordering};

use super::Core;
use crate::kind::Kind;
use crate::known::Conflating;

pub(super) struct State {
    /// `ZMQ_RCVTIMEO` and `ZMQ_SNDTIMEO`: asking libzmq on every call would cost more than the call.
    rcvtimeo: AtomicI32,
    sndtimeo: AtomicI32,
    /// Counts the changes of the inputs of the fast path's condition.
    epoch: AtomicU32,
    /// A [`Conflating`].
    conflating: AtomicU8,
    /// Whether the parts sent so far are of a message that is not complete.
    mid_message: AtomicBool,
    /// Whether the rest of a message whose peer has gone is sent to libzmq, which drops it.
    leaves_rest: AtomicBool,
    /// Whether the socket's peers do not speak ZMTP: a STREAM, or a ROUTER with `ZMQ_ROUTER_RAW`.
    is_raw: AtomicBool,
    /// Whether the socket has ever bound an inproc name.
    has_inproc_name: AtomicBool,
    /// Whether the socket has connected over udp, where a message is a datagram.
    #[cfg(feature = "draft")]
    has_datagrams: AtomicBool,
}

impl Default for State {
    fn default() -> State {
        State {
            rcvtimeo: AtomicI32::new(-1),
            sndtimeo: AtomicI32::new(-1),
            epoch: AtomicU32::default(),
            conflating: AtomicU8::new(Conflating::No as u8),
            mid_message: AtomicBool::default(),
            leaves_rest: AtomicBool::default(),
            is_raw: AtomicBool::default(),
            has_inproc_name: AtomicBool::default(),
            #[cfg(feature = "draft")]
            has_datagrams: AtomicBool::default(),
        }
    }
}

impl State {
    #[inline]
    pub(super) fn rcvtimeo(&self) -> c_int {
        self.rcvtimeo.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn sndtimeo(&self) -> c_int {
        self.sndtimeo.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn conflating(&self) -> Conflating {
        match self.conflating.load(Ordering::Relaxed) {
            0 => Conflating::No,
            1 => Conflating::Yes,
            _ => Conflating::Truncated,
        }
    }

    pub(super) fn set_conflating(&self, conflating: Conflating) {
        self.conflating.store(conflating as u8, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_mid_message(&self) -> bool {
        self.mid_message.load(Ordering::Relaxed)
    }

    pub(super) fn set_mid_message(&self, mid_message: bool) {
        self.mid_message.store(mid_message, Ordering::Relaxed);
    }

    pub(super) fn leaves_rest(&self) -> bool {
        self.leaves_rest.load(Ordering::Relaxed)
    }

    pub(super) fn set_leaves_rest(&self) {
        self.leaves_rest.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_raw(&self) -> bool {
        self.is_raw.load(Ordering::Relaxed)
    }

    pub(super) fn set_is_raw(&self, is_raw: bool) {
        self.is_raw.store(is_raw, Ordering::Relaxed);
    }

    pub(super) fn has_inproc_name(&self) -> bool {
        self.has_inproc_name.load(Ordering::Relaxed)
    }

    pub(super) fn set_has_inproc_name(&self) {
        self.has_inproc_name.store(true, Ordering::Relaxed);
    }

    #[cfg(feature = "draft")]
    pub(super) fn has_datagrams(&self) -> bool {
        self.has_datagrams.load(Ordering::Relaxed)
    }

    #[cfg(feature = "draft")]
    pub(super) fn set_has_datagrams(&self) {
        self.has_datagrams.store(true, Ordering::Relaxed);
    }
}

impl Core {
    /// Whether this library checks each message before it is sent.
    fn checks_sent(&self) -> bool {
        #[cfg(feature = "draft")]
        if matches!(self.kind, Kind::Radio | Kind::Dgram) {
            return true;
        }
        matches!(self.kind, Kind::XSub | Kind::Req | Kind::Rep)
            || self.conflates()
            || self.state.is_raw()
            || self.state.is_mid_message()
    }

    /// Whether this library checks each message that was received.
    fn checks_received(&self) -> bool {
        self.kind == Kind::XPub || self.conflates()
    }

    /// Recomputes the condition of the fast path, again if another thread changed an input meanwhile.
    pub(super) fn update_fast_path(&self) {
        let mut epoch = self.state.epoch.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        loop {
            self.store_fast_path(Ordering::SeqCst);
            match self.state.epoch.load(Ordering::SeqCst) {
                now if now == epoch => return,
                now => epoch = now,
            }
        }
    }

    #[inline(never)]
    fn store_fast_path(&self, order: Ordering) {
        // On the fast path, a call without flags is libzmq's call alone.
        let is_fast = |is_checked: bool, timeout: c_int| {
            !is_checked && timeout < 0 && !self.pollers.are_waiting() && !self.must_watch_signals()
        };
        let send = is_fast(self.checks_sent(), self.state.sndtimeo());
        let recv = is_fast(self.checks_received(), self.state.rcvtimeo());
        self.raw.allow_fast(send, recv, order);
    }

    /// Stores the value of an option that sending and receiving depend on.
    pub(crate) fn remember(&self, option: c_int, value: c_int) {
        match option {
            zmq_sys::ZMQ_RCVTIMEO => self.state.rcvtimeo.store(value, Ordering::Relaxed),
            zmq_sys::ZMQ_SNDTIMEO => self.state.sndtimeo.store(value, Ordering::Relaxed),
            // Existing connections still conflate after the option is switched off.
            zmq_sys::ZMQ_CONFLATE if value != 0 && !self.conflates() => self.state.set_conflating(Conflating::Yes),
            _ => {}
        }
        self.update_fast_path();
    }

    /// Stores whether more parts follow the part just sent.
    #[inline]
    pub(super) fn note_part(&self, more: bool) {
        // The kinds that threads share have no messages of several parts.
        if self.state.is_mid_message() != more {
            self.state.set_mid_message(more);
            self.update_fast_path_of_one_thread();
        }
    }

    /// As [`Core::update_fast_path`], for an input that only sockets have that one thread at a time uses.
    pub(super) fn update_fast_path_of_one_thread(&self) {
        self.store_fast_path(Ordering::Relaxed);
    }

    /// Whether the kind discards the rest of a message whose peer has gone, so that no other peer gets a part of it: PUSH
    /// and DEALER, and PAIR with the patch 1013-pair-peer-leaves-in-mid-message.
    pub(super) fn discards_aborted_messages(&self) -> bool {
        matches!(self.kind, Kind::Push | Kind::Dealer) || cfg!(zmq_patches = "all") && self.kind == Kind::Pair
    }

    /// Whether the next part goes to the peer that was chosen for the first part.
    pub(super) fn has_chosen_peer(&self) -> bool {
        self.state.is_mid_message() && (self.kind == Kind::Req || self.discards_aborted_messages())
    }

    #[inline]
    pub(crate) fn conflates(&self) -> bool {
        self.state.conflating() != Conflating::No
    }
}

//! Parts that were received and put back, to be the next that are received: what a proxy took and could not forward.
//!
//! libzmq does not know of them, and who polls has the C handle of a socket alone. So the handles of sockets with such
//! parts, which are few, are kept here.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lock::lock;
use crate::message::Message;
use crate::raw::Handles;

static HANDLES: Handles = Handles::new();

/// Whether any socket has parts that were put back.
#[inline]
pub(crate) fn any_put_back() -> bool {
    !HANDLES.is_empty()
}

/// Whether the socket of this handle has parts that were put back.
pub(crate) fn is_put_back(handle: NonNull<c_void>) -> bool {
    any_put_back() && HANDLES.contains(handle.addr().get())
}

/// The parts of one socket.
#[derive(Default)]
pub(super) struct PutBack {
    parts: Mutex<VecDeque<Message>>,
    /// Whether there are any, for those who do not lock for that.
    any: AtomicBool,
}

impl PutBack {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Relaxed)
    }

    /// Puts a part before all others that are there.
    pub(super) fn put(&self, handle: *mut c_void, part: Message) {
        let mut parts = lock(&self.parts);
        parts.push_front(part);
        self.note(handle, &parts);
    }

    pub(super) fn take(&self, handle: *mut c_void) -> Option<Message> {
        let mut parts = lock(&self.parts);
        let part = parts.pop_front()?;
        self.note(handle, &parts);
        Some(part)
    }

    /// All of them, of a socket that is closed or given up.
    pub(super) fn take_all(&self, handle: *mut c_void) -> VecDeque<Message> {
        let mut parts = lock(&self.parts);
        let all = std::mem::take(&mut *parts);
        if !all.is_empty() {
            self.note(handle, &parts);
        }
        all
    }

    pub(super) fn restore(&self, handle: *mut c_void, all: VecDeque<Message>) {
        if !all.is_empty() {
            let mut parts = lock(&self.parts);
            *parts = all;
            self.note(handle, &parts);
        }
    }

    /// Called under the lock of the parts.
    fn note(&self, handle: *mut c_void, parts: &VecDeque<Message>) {
        if parts.is_empty() {
            HANDLES.remove(handle.addr());
        } else {
            HANDLES.insert(handle.addr());
        }
        self.any.store(!parts.is_empty(), Ordering::Relaxed);
    }
}

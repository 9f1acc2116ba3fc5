//! Parts that were received and put back, to be the next that are received: what a proxy took and could not forward.
//!
//! libzmq does not know of them, and who polls has the C handle of a socket alone. So the handles of sockets with such
//! parts, which are few, are kept here.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::lock::lock;
use crate::message::Message;

static HANDLES: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());
/// How many handles there are.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Whether any socket has parts that were put back.
#[inline]
pub(crate) fn any_put_back() -> bool {
    COUNT.load(Ordering::Relaxed) != 0
}

/// Whether the socket of this handle has parts that were put back.
pub(crate) fn is_put_back(handle: NonNull<c_void>) -> bool {
    any_put_back() && lock(&HANDLES).contains(&handle.addr().get())
}

/// The parts of one socket.
#[derive(Default)]
pub(super) struct PutBack(Mutex<VecDeque<Message>>);

impl PutBack {
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    /// Puts a part before all others that are there.
    pub(super) fn put(&self, handle: *mut c_void, part: Message) {
        let mut parts = lock(&self.0);
        parts.push_front(part);
        note(handle, &parts);
    }

    pub(super) fn take(&self, handle: *mut c_void) -> Option<Message> {
        let mut parts = lock(&self.0);
        let part = parts.pop_front()?;
        note(handle, &parts);
        Some(part)
    }

    /// All of them, of a socket that is closed or given up.
    pub(super) fn take_all(&self, handle: *mut c_void) -> VecDeque<Message> {
        let mut parts = lock(&self.0);
        let all = std::mem::take(&mut *parts);
        if !all.is_empty() {
            note(handle, &parts);
        }
        all
    }

    pub(super) fn restore(&self, handle: *mut c_void, all: VecDeque<Message>) {
        if !all.is_empty() {
            let mut parts = lock(&self.0);
            *parts = all;
            note(handle, &parts);
        }
    }
}

fn note(handle: *mut c_void, parts: &VecDeque<Message>) {
    let mut handles = lock(&HANDLES);
    if parts.is_empty() {
        handles.remove(&handle.addr());
    } else {
        handles.insert(handle.addr());
    }
    COUNT.store(handles.len(), Ordering::Relaxed);
}

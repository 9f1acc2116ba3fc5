//! `zmq_msg_t`: the owner of a message.

use std::alloc::{Layout, handle_alloc_error};
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zmq_sys::zmq_msg_t;

use super::RawSocket;
use super::outcome::check;
use crate::error::Errno;

/// An initialised message, closed when dropped.
///
/// libzmq writes content while it receives it, and once more if a `ws://` client sends it: the client masks it in place.
/// It masks only content that no other message and no owner has (see `keep_unwritten`), after the message has moved into
/// libzmq. So content that Rust code can read is never written.
///
/// Copying a message changes its flags inside libzmq without an atomic step. Code that copies it, or reads those flags
/// through a shared reference, holds `busy`. That makes the type `Sync`.
pub(crate) struct RawMessage {
    msg: UnsafeCell<zmq_msg_t>,
    busy: AtomicBool,
}

// SAFETY: a message belongs to one thread at a time; its content is counted atomically, and what owners of handed-over
// memory are dropped with is `Send` (see from_boxed_owner).
unsafe impl Send for RawMessage {}
// SAFETY: through a shared reference one can read the content, which is never written, and size and type, which only
// exclusive access changes. All code that touches the flags takes `busy` (see FlagsLock).
unsafe impl Sync for RawMessage {}

/// Sole access to the parts of a message that copying it changes.
struct FlagsLock<'a>(&'a AtomicBool);

impl<'a> FlagsLock<'a> {
    fn new(busy: &'a AtomicBool) -> Self {
        while busy.swap(true, Ordering::Acquire) {
            std::hint::spin_loop();
        }
        FlagsLock(busy)
    }
}

impl Drop for FlagsLock<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl RawMessage {
    /// Makes C initialise a message in its final place: moving 64 bytes whose address C has seen is a real copy, and
    /// costs some per cent of a send. `init` fails if no memory is left.
    #[inline(always)]
    fn init_at(
        place: &mut MaybeUninit<RawMessage>,
        init: impl FnOnce(*mut zmq_msg_t) -> c_int,
    ) -> Result<&mut RawMessage, Errno> {
        let message = place.as_mut_ptr();
        // SAFETY: a field of a place that is there, initialised or not.
        let msg = unsafe { &raw mut (*message).msg };
        // SAFETY: as above.
        let busy = unsafe { &raw mut (*message).busy };
        // SAFETY: the place is writable and aligned.
        unsafe { busy.write(AtomicBool::new(false)) };
        check(init(msg.cast()))?;
        // SAFETY: C has initialised the one field, and the lines above the other.
        Ok(unsafe { &mut *message })
    }

    /// An empty message.
    #[inline]
    pub(crate) fn new() -> RawMessage {
        let mut place = MaybeUninit::uninit();
        RawMessage::empty_at(&mut place);
        // SAFETY: initialised just now.
        unsafe { place.assume_init() }
    }

    #[inline(always)]
    fn empty_at(place: &mut MaybeUninit<RawMessage>) -> &mut RawMessage {
        let init = |msg| {
            // SAFETY: the pointer is to 64 writable, aligned bytes.
            unsafe { zmq_sys::zmq_msg_init(msg) };
            // zmq_msg_init cannot fail. The compiler then makes no check.
            0
        };
        let Ok(message) = RawMessage::init_at(place, init) else { no_memory() };
        message
    }

    /// A message received by `fast` ([`RawSocket::recv_unchecked`]), or by `slow` if that fails.
    #[inline(always)]
    pub(crate) fn received<E>(
        fast: Option<&RawSocket>,
        slow: impl FnOnce(&mut RawMessage) -> Result<(), E>,
    ) -> Result<RawMessage, E> {
        let mut place = MaybeUninit::uninit();
        let message = RawMessage::empty_at(&mut place);
        if !fast.is_some_and(|socket| socket.recv_unchecked(message))
            && let Err(error) = slow(message)
        {
            // SAFETY: it is initialised, and not used again.
            unsafe { place.assume_init_drop() };
            return Err(error);
        }
        // SAFETY: initialised above.
        Ok(unsafe { place.assume_init() })
    }

    /// A message with a copy of `content`.
    #[inline(always)]
    pub(crate) fn copy_of(content: &[u8]) -> RawMessage {
        let mut place = MaybeUninit::uninit();
        // SAFETY: the pointer is to 64 writable, aligned bytes.
        let init = |msg| unsafe { zmq_sys::zmq_msg_init_size(msg, content.len()) };
        let Ok(message) = RawMessage::init_at(&mut place, init) else { no_memory() };
        // SAFETY: the message has `content.len()` writable bytes, which no other code knows yet.
        unsafe { ptr::copy_nonoverlapping(content.as_ptr(), message.data_mut(), content.len()) };
        // SAFETY: init_at has initialised it.
        unsafe { place.assume_init() }
    }

    /// A message of `size` bytes that `fill` writes; they are zero before.
    pub(crate) fn filled(size: usize, fill: impl FnOnce(&mut [u8])) -> Result<RawMessage, Errno> {
        let mut place = MaybeUninit::uninit();
        // SAFETY: the pointer is to 64 writable, aligned bytes.
        let init = |msg| unsafe { zmq_sys::zmq_msg_init_size(msg, size) };
        RawMessage::init_at(&mut place, init)?;
        // SAFETY: init_at has initialised it.
        let mut message: RawMessage = unsafe { place.assume_init() };
        let data = message.data_mut();
        // SAFETY: the message has `size` writable bytes.
        unsafe { ptr::write_bytes(data, 0, size) };
        // SAFETY: the bytes are initialised, and unshared: the message is new and borrowed here alone.
        fill(unsafe { slice::from_raw_parts_mut(data, size) });
        Ok(message)
    }

    /// A message that points to `content`, never copied and never freed.
    pub(crate) fn from_static(content: &'static [u8]) -> RawMessage {
        // SAFETY: the content lives for ever and is never written to.
        unsafe { RawMessage::from_parts(content.as_ptr(), content.len(), None, ptr::null_mut()) }
    }

    /// A message that takes over `content`'s memory.
    #[inline]
    pub(crate) fn from_vec(content: Vec<u8>) -> RawMessage {
        let mut content = ManuallyDrop::new(content);
        // The capacity travels as the hint, so that no further allocation is needed to free the memory.
        let capacity = ptr::without_provenance_mut(content.capacity());
        // SAFETY: the memory stays until free_vec, which gets the same pointer and capacity. The message alone has it, so
        // libzmq may write to it. Vec<u8> is Send.
        unsafe { RawMessage::from_parts(content.as_mut_ptr(), content.len(), Some(free_vec), capacity) }
    }

    /// A message that keeps `content` alive and points into it.
    #[inline]
    pub(crate) fn from_arc(content: Arc<[u8]>) -> RawMessage {
        let len = content.len();
        let data = Arc::into_raw(content);
        // SAFETY: the reference that into_raw gave keeps the content alive until free_arc; Arc<[u8]> is Send.
        unsafe { RawMessage::from_parts(data.cast(), len, Some(free_arc), ptr::without_provenance_mut(len)) }
            .keep_unwritten()
    }

    /// A message that keeps `owner` alive and points to what it dereferences to.
    pub(crate) fn from_boxed_owner<T>(owner: Box<T>) -> RawMessage
    where
        T: AsRef<[u8]> + Send + 'static,
    {
        if mem::needs_drop::<T>() {
            super::deferred_drop::start();
        }
        let owner = Box::into_raw(owner);
        // SAFETY: the pointer comes from a live Box, and nothing but as_ref touches it until free_owner.
        let content = unsafe { (*owner).as_ref() };
        let (data, len) = (content.as_ptr(), content.len());
        // SAFETY: the owner does not move and is not touched until free_owner, so its bytes stay; it is Send, so any
        // thread may drop it.
        unsafe { RawMessage::from_parts(data, len, Some(free_owner::<T>), owner.cast()) }.keep_unwritten()
    }

    /// Marks the content as shared with other messages. libzmq never clears the mark, and copies content that has it instead
    /// of masking it in place. A libzmq with the patch 0035-ws-masks-foreign-memory masks no owner's content in place.
    #[inline]
    fn keep_unwritten(self) -> RawMessage {
        if cfg!(not(zmq_patches = "safety")) {
            drop(self.copy());
        }
        self
    }

    /// # Safety
    ///
    /// `data` points to `len` bytes that stay valid and unwritten until libzmq calls `free` with `data` and `hint`, once
    /// and on any thread (never, if there is no `free`). If there is a `free`, libzmq may write the bytes until the caller
    /// calls `keep_unwritten`. The caller must do so if the bytes are shared or read-only.
    #[inline(always)]
    unsafe fn from_parts(data: *const u8, len: usize, free: zmq_sys::zmq_free_fn, hint: *mut c_void) -> RawMessage {
        let mut place = MaybeUninit::uninit();
        let data = data.cast_mut().cast();
        // SAFETY: the pointer is to 64 writable, aligned bytes; `data` comes from a slice and is not null; the rest is
        // the caller's promise.
        let init = |msg| unsafe { zmq_sys::zmq_msg_init_data(msg, data, len, free, hint) };
        if RawMessage::init_at(&mut place, init).is_err() {
            no_memory();
        }
        // SAFETY: init_at has initialised it.
        unsafe { place.assume_init() }
    }

    /// For functions that only read size, type, content or metadata.
    #[inline]
    fn as_ptr(&self) -> *mut zmq_msg_t {
        self.msg.get()
    }

    #[inline]
    pub(crate) fn as_mut_ptr(&mut self) -> *mut zmq_msg_t {
        self.msg.get_mut()
    }

    #[inline]
    fn data_mut(&mut self) -> *mut u8 {
        // SAFETY: the message is initialised (type invariant).
        unsafe { zmq_sys::zmq_msg_data(self.as_mut_ptr()) }.cast()
    }

    #[inline]
    pub(crate) fn content(&self) -> &[u8] {
        let len = self.len();
        if len == 0 {
            return &[];
        }
        // SAFETY: the message is initialised (type invariant); zmq_msg_data only reads the struct.
        let data = unsafe { zmq_sys::zmq_msg_data(self.as_ptr()) };
        // SAFETY: a non-empty message has `len` initialised bytes at `data`. They are unwritten while borrowed: no method
        // writes content after construction, libzmq writes it only after the message has moved into libzmq, and moving or
        // closing the message needs it unborrowed.
        unsafe { slice::from_raw_parts(data.cast(), len) }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: the message is initialised (type invariant).
        unsafe { zmq_sys::zmq_msg_size(self.as_ptr()) }
    }

    #[inline]
    pub(crate) fn more(&self) -> bool {
        let _flags = FlagsLock::new(&self.busy);
        // SAFETY: the message is initialised (type invariant), and no other thread copies it meanwhile.
        unsafe { zmq_sys::zmq_msg_more(self.as_ptr()) != 0 }
    }

    /// An integer property; -1 if it is not there.
    pub(crate) fn get(&self, property: c_int) -> c_int {
        let _flags = FlagsLock::new(&self.busy);
        // SAFETY: as in more.
        unsafe { zmq_sys::zmq_msg_get(self.as_ptr(), property) }
    }

    /// A metadata property. The text belongs to the message.
    pub(crate) fn gets(&self, name: &CStr) -> Option<&CStr> {
        // SAFETY: the message is initialised (type invariant), the name ends with a NUL; metadata is never changed
        // while a message refers to it.
        let value: *const c_char = unsafe { zmq_sys::zmq_msg_gets(self.as_ptr(), name.as_ptr()) };
        // SAFETY: a non-null answer is a C string that lives as long as the message, which `self` borrows.
        (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
    }

    /// A message that shares this one's content (short ones are copied).
    pub(crate) fn copy(&self) -> RawMessage {
        let mut copy = RawMessage::new();
        let _flags = FlagsLock::new(&self.busy);
        // SAFETY: both messages are initialised; what zmq_msg_copy changes in its source is guarded by the lock. It
        // only fails on a message that is not initialised.
        unsafe { zmq_sys::zmq_msg_copy(copy.as_mut_ptr(), self.as_ptr()) };
        drop(_flags);
        copy
    }

    /// Corrects the reference count of a message that an XPUB received: libzmq makes it with the flags of the message that
    /// came in, of which one says that the content is shared, and counts no reference. The next copy would be freed while
    /// it is in use.
    pub(crate) fn fix_refcount(&mut self) {
        if self.get(zmq_sys::ZMQ_SHARED) == 1 {
            // Counts one reference, which from now on is this message's own.
            mem::forget(self.copy());
        }
    }

    /// Forgets a message that libzmq has just taken: its struct is an empty message, which needs no close.
    #[inline]
    pub(crate) fn forget_sent(self) {
        mem::forget(self);
    }
}

#[cfg(feature = "draft")]
impl RawMessage {
    pub(crate) fn routing_id(&self) -> u32 {
        // SAFETY: the message is initialised (type invariant); the routing id is changed by exclusive access alone.
        unsafe { zmq_sys::zmq_msg_routing_id(self.as_ptr()) }
    }

    pub(crate) fn set_routing_id(&mut self, id: u32) -> Result<(), Errno> {
        // SAFETY: the message is initialised (type invariant).
        check(unsafe { zmq_sys::zmq_msg_set_routing_id(self.as_mut_ptr(), id) }).map(drop)
    }

    pub(crate) fn group(&self) -> &CStr {
        // SAFETY: the message is initialised (type invariant).
        let group = unsafe { zmq_sys::zmq_msg_group(self.as_ptr()) };
        // SAFETY: libzmq answers a C string inside the message, empty if no group is set.
        unsafe { CStr::from_ptr(group) }
    }

    /// The caller makes sure that the message has no group yet: libzmq corrupts its memory when a second one is set.
    pub(crate) fn set_group(&mut self, group: &CStr) -> Result<(), Errno> {
        debug_assert!(self.group().is_empty());
        // SAFETY: the message is initialised (type invariant), the text ends with a NUL.
        check(unsafe { zmq_sys::zmq_msg_set_group(self.as_mut_ptr(), group.as_ptr()) }).map(drop)
    }
}

impl Drop for RawMessage {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the message is initialised (type invariant) and not used again.
        unsafe { zmq_sys::zmq_msg_close(self.as_mut_ptr()) };
    }
}

/// Ends the program for lack of memory, as Rust's own allocations do, and every one of libzmq's but a message's.
#[cold]
fn no_memory() -> ! {
    handle_alloc_error(Layout::new::<RawMessage>())
}

unsafe extern "C" fn free_vec(data: *mut c_void, hint: *mut c_void) {
    // SAFETY: libzmq gives back what from_vec handed over: a Vec's pointer and, as the hint, its capacity.
    drop(unsafe { Vec::<u8>::from_raw_parts(data.cast(), 0, hint.addr()) });
}

unsafe extern "C" fn free_arc(data: *mut c_void, hint: *mut c_void) {
    let content = ptr::slice_from_raw_parts(data.cast::<u8>(), hint.addr());
    // SAFETY: libzmq gives back what from_arc handed over: the pointer of Arc::into_raw and, as the hint, its length.
    drop(unsafe { Arc::from_raw(content) });
}

unsafe extern "C" fn free_owner<T: Send + 'static>(_data: *mut c_void, hint: *mut c_void) {
    // SAFETY: the hint is the pointer of Box::into_raw that from_boxed_owner handed over.
    let owner = unsafe { Box::from_raw(hint.cast::<T>()) };
    if mem::needs_drop::<T>() {
        super::deferred_drop::drop_elsewhere(owner);
    }
}

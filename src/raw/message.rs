//! `zmq_msg_t`: the owner of a message.

use std::alloc::{Layout, handle_alloc_error};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::ptr;
use std::slice;
use std::sync::Arc;

use zmq_sys::zmq_msg_t;

#[cfg(feature = "draft")]
use super::outcome::check;
use super::outcome::{last_errno, succeeded};
use crate::error::Errno;

use shared::{Msg, Notes};

/// An initialised message, closed when dropped.
///
/// libzmq writes content while it receives it, and once more if a `ws://` client sends it: the client masks it in place.
/// It masks only content that no other message and no owner has (see `keep_unwritten`), after the message has moved into
/// libzmq. So libzmq never writes content that Rust code can read. Rust code writes it by `make_mut`, which needs an
/// exclusive reference to the message, and copies the content first unless this message alone has it (`owns_content`).
///
/// It is `Send`: libzmq counts content atomically, and the owners that a message can have are `Send`.
pub(crate) struct RawMessage(Msg);

/// A value that a message keeps alive and points into.
pub(crate) trait Owner: AsRef<[u8]> + Send + 'static {
    /// Takes the owner back from libzmq, in the middle of a call or on an I/O thread. Must not panic.
    fn released(self: Box<Self>);
}

/// The part of a message that a shared reference can reach.
mod shared {
    use std::cell::UnsafeCell;
    use std::mem::MaybeUninit;
    use std::sync::atomic::{AtomicBool, Ordering};

    use zmq_sys::zmq_msg_t;

    use super::RawMessage;

    /// A `zmq_msg_t`. Through a shared reference, one can read the content, its size and the notes, and lock it for other
    /// calls.
    pub(super) struct Msg {
        msg: UnsafeCell<zmq_msg_t>,
        busy: AtomicBool,
        pub(super) notes: Notes,
    }

    /// Facts about a message that libzmq does not report. A message loses its notes if libzmq receives into it, or if C code
    /// may change it.
    #[derive(Clone, Copy)]
    pub(super) struct Notes(u8);

    impl Notes {
        pub(super) const NONE: Notes = Notes(0);
        /// The content belongs to this message alone, unless `ZMQ_SHARED` is set.
        pub(super) const OWN: Notes = Notes(1);
        /// More parts follow the message that this one is a copy of.
        pub(super) const MORE: Notes = Notes(2);

        pub(super) fn contains(self, other: Notes) -> bool {
            self.0 & other.0 == other.0
        }

        pub(super) fn insert(&mut self, other: Notes) {
            self.0 |= other.0;
        }

        pub(super) fn remove(&mut self, other: Notes) {
            self.0 &= !other.0;
        }
    }

    // SAFETY: `data`, `size` and `notes` read fields that only an exclusive reference changes. Copying a message changes its
    // flags without an atomic step: a thread that copies it, or reads those flags, needs the lock.
    unsafe impl Sync for Msg {}

    impl Msg {
        /// Not yet initialised: the caller initialises it or forgets it.
        #[inline(always)]
        pub(super) fn uninit(notes: Notes) -> Msg {
            Msg { msg: UnsafeCell::new(zmq_msg_t::uninit()), busy: AtomicBool::new(false), notes }
        }

        /// As `uninit`, in the place where the message must stay: a returned value would be moved there.
        #[inline(always)]
        pub(super) fn uninit_in(place: &mut MaybeUninit<RawMessage>, notes: Notes) -> &mut RawMessage {
            let message = place.as_mut_ptr();
            // SAFETY: a field of a place that may be written.
            let busy = unsafe { &raw mut (*message).0.busy };
            // SAFETY: as above.
            unsafe { busy.write(AtomicBool::new(false)) };
            // SAFETY: as above.
            let its_notes = unsafe { &raw mut (*message).0.notes };
            // SAFETY: as above.
            unsafe { its_notes.write(notes) };
            // SAFETY: the third field may be uninitialised.
            unsafe { &mut *message }
        }

        #[inline(always)]
        pub(super) fn get_mut(&mut self) -> *mut zmq_msg_t {
            self.msg.get_mut()
        }

        /// The address of the content, and any address if the content is empty.
        #[inline]
        pub(super) fn data(&self) -> *const u8 {
            // SAFETY: the message is initialised (invariant of RawMessage); the call only reads it.
            unsafe { zmq_sys::zmq_msg_data(self.msg.get()) }.cast()
        }

        #[inline]
        pub(super) fn size(&self) -> usize {
            // SAFETY: as in data.
            unsafe { zmq_sys::zmq_msg_size(self.msg.get()) }
        }

        /// Waits until no other thread has the lock.
        pub(super) fn lock(&self) -> Locked<'_> {
            while self.busy.swap(true, Ordering::Acquire) {
                std::hint::spin_loop();
            }
            Locked(self)
        }
    }

    /// A message that no other thread copies meanwhile.
    pub(super) struct Locked<'a>(&'a Msg);

    impl Locked<'_> {
        pub(super) fn as_ptr(&self) -> *mut zmq_msg_t {
            self.0.msg.get()
        }
    }

    impl Drop for Locked<'_> {
        fn drop(&mut self) {
            self.0.busy.store(false, Ordering::Release);
        }
    }
}

/// An empty message that has no notes, to receive into.
pub(crate) struct Fresh<'a>(pub(super) &'a mut RawMessage);

impl Fresh<'_> {
    /// The message itself, for a call that is not on the fast path.
    pub(crate) fn message(&mut self) -> &mut RawMessage {
        self.0
    }
}

// The constructors fill the message that they return, and call no function that returns one. C has got the address of the
// message, so moving the 64 bytes would be a real copy, which costs some per cent of a send. A message that is not initialised
// yet is in a `ManuallyDrop` or a place, so that it is not closed.
impl RawMessage {
    /// An empty message.
    #[inline(always)]
    pub(crate) fn new() -> RawMessage {
        let mut place = MaybeUninit::uninit();
        RawMessage::init_in(&mut place);
        // SAFETY: initialised above.
        unsafe { place.assume_init() }
    }

    /// Makes this an empty message. If it is initialised already, its content is leaked.
    #[inline(always)]
    fn init(&mut self) {
        // SAFETY: the pointer is to 64 writable, aligned bytes. The call cannot fail.
        unsafe { zmq_sys::zmq_msg_init(self.as_mut_ptr()) };
    }

    /// Makes an empty message in its place, which is not initialised.
    #[inline(always)]
    pub(super) fn init_in(place: &mut MaybeUninit<RawMessage>) -> Fresh<'_> {
        let message = Msg::uninit_in(place, Notes::NONE);
        message.init();
        Fresh(message)
    }

    /// A message that `receive` receives.
    #[inline(always)]
    pub(crate) fn received<E>(receive: impl FnOnce(Fresh<'_>) -> Result<(), E>) -> Result<RawMessage, E> {
        let mut place = MaybeUninit::uninit();
        if let Err(error) = receive(RawMessage::init_in(&mut place)) {
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
        let message = Msg::uninit_in(&mut place, Notes::OWN);
        // SAFETY: the pointer is to 64 writable, aligned bytes.
        if !succeeded(unsafe { zmq_sys::zmq_msg_init_size(message.as_mut_ptr(), content.len()) }) {
            no_memory();
        }
        // SAFETY: the message has `content.len()` writable bytes, which no other code knows yet.
        unsafe { ptr::copy_nonoverlapping(content.as_ptr(), message.data_mut(), content.len()) };
        // SAFETY: initialised above.
        unsafe { place.assume_init() }
    }

    /// A message that points to `content`, never copied and never freed.
    pub(crate) fn from_static(content: &'static [u8]) -> RawMessage {
        // SAFETY: the content lives for ever. Without a free function libzmq takes it for constant, and never writes it.
        unsafe { RawMessage::from_parts(content.as_ptr(), content.len(), None, ptr::null_mut()) }
    }

    /// A message that takes over `content`'s memory.
    #[inline(always)]
    pub(crate) fn from_vec(content: Vec<u8>) -> RawMessage {
        let mut content = ManuallyDrop::new(content);
        // The hint is the capacity, so that no further allocation is needed to free the memory.
        let capacity = ptr::without_provenance_mut(content.capacity());
        // SAFETY: the memory stays until free_vec, which gets the same pointer and capacity. The message alone has it, so
        // libzmq may write to it, and the notes are right. Vec<u8> is Send.
        unsafe {
            RawMessage::from_parts_with(Notes::OWN, content.as_mut_ptr(), content.len(), Some(free_vec), capacity)
        }
    }

    /// A message that keeps `content` alive and points into it.
    #[inline(always)]
    pub(crate) fn from_arc(content: Arc<[u8]>) -> RawMessage {
        let len = content.len();
        let data = Arc::into_raw(content);
        // SAFETY: the reference that into_raw gave keeps the content alive until free_arc; Arc<[u8]> is Send.
        unsafe { RawMessage::from_parts(data.cast(), len, Some(free_arc), ptr::without_provenance_mut(len)) }
            .keep_unwritten()
    }

    /// A message that keeps `owner` alive and points to its bytes.
    pub(crate) fn from_owner<T: Owner>(owner: Box<T>) -> RawMessage {
        let owner = Box::into_raw(owner);
        // SAFETY: the pointer comes from a live Box, and nothing else has it: as_ref alone touches the owner until free_owner.
        let content = unsafe { (*owner).as_ref() };
        let (data, len) = (content.as_ptr(), content.len());
        // SAFETY: the owner does not move and is not touched until free_owner, so its bytes stay; it is Send, so any
        // thread may drop it.
        unsafe { RawMessage::from_parts(data, len, Some(free_owner::<T>), owner.cast()) }.keep_unwritten()
    }

    /// Marks the content as shared with other messages. libzmq never clears the mark, and copies content that has it instead
    /// of masking it in place. A libzmq with the patch 0035-ws-masks-foreign-memory masks no owner's content in place.
    #[inline(always)]
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
        // SAFETY: the caller's promise. Without notes, nothing is assumed about the content.
        unsafe { RawMessage::from_parts_with(Notes::NONE, data, len, free, hint) }
    }

    /// # Safety
    ///
    /// As `from_parts`; the notes must be right.
    #[inline(always)]
    unsafe fn from_parts_with(
        notes: Notes,
        data: *const u8,
        len: usize,
        free: zmq_sys::zmq_free_fn,
        hint: *mut c_void,
    ) -> RawMessage {
        let mut place = MaybeUninit::uninit();
        let message = Msg::uninit_in(&mut place, notes);
        let data = data.cast_mut().cast();
        // SAFETY: the pointer is to 64 writable, aligned bytes; `data` comes from a slice and is not null; the rest is
        // the caller's promise.
        if !succeeded(unsafe { zmq_sys::zmq_msg_init_data(message.as_mut_ptr(), data, len, free, hint) }) {
            no_memory();
        }
        // SAFETY: initialised above.
        unsafe { place.assume_init() }
    }

    /// The C structure, for calls that put no content into it.
    #[inline(always)]
    pub(super) fn as_mut_ptr(&mut self) -> *mut zmq_msg_t {
        self.0.get_mut()
    }

    /// The C structure, for code that may put any content into it.
    pub(crate) fn as_raw(&mut self) -> *mut zmq_msg_t {
        self.forget_notes();
        self.as_mut_ptr()
    }

    /// Forgets the notes on the content, which is about to change.
    #[inline(always)]
    pub(super) fn forget_notes(&mut self) {
        self.0.notes = Notes::NONE;
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
        // SAFETY: a non-empty message has `len` initialised bytes at `data`. They are unwritten while borrowed: after
        // construction only `make_mut` writes content, and needs the message unborrowed. libzmq writes it only after the message
        // has moved into libzmq, and moving or closing the message needs it unborrowed.
        unsafe { slice::from_raw_parts(self.0.data(), len) }
    }

    /// The content, to be written. It is copied first, unless this message alone has it; a copy has no metadata.
    pub(crate) fn make_mut(&mut self) -> &mut [u8] {
        let len = self.len();
        if len == 0 {
            return &mut [];
        }
        if !self.owns_content() {
            let mut copy = RawMessage::copy_of(self.content());
            if self.is_followed() {
                copy.0.notes.insert(Notes::MORE);
            }
            #[cfg(feature = "draft")]
            copy.copy_address(self);
            *self = copy;
        }
        // SAFETY: a non-empty message has `len` initialised bytes at `data`. Nothing else reads or writes them as long as this
        // message, which alone has them, is borrowed.
        unsafe { slice::from_raw_parts_mut(self.data_mut(), len) }
    }

    /// Whether this message alone has its content, and the content may be written. libzmq does not tell whether an owner has
    /// the content, so content counts as an owner's unless one of these is known:
    ///
    /// - It is inside the message.
    /// - This library made it for this message alone (the notes), and the message was not copied: libzmq sets `ZMQ_SHARED` for
    ///   both messages when it copies one, and for constant content.
    /// - It came over a connection, and the message was not copied: `ZMQ_SRCFD` is in the metadata, which libzmq gives to the
    ///   messages that it decodes, and drops when it sends them. It allocates their contents: each for one message, or as
    ///   disjoint parts of a buffer that it does not read or write after the decoding.
    fn owns_content(&self) -> bool {
        let start = ptr::from_ref(&self.0).addr();
        if (start..start + size_of::<Msg>()).contains(&self.0.data().addr()) {
            return true;
        }
        self.get(zmq_sys::ZMQ_SHARED) == 0 && (self.0.notes.contains(Notes::OWN) || self.get(zmq_sys::ZMQ_SRCFD) >= 0)
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.size()
    }

    /// Whether more parts follow the message, which was received and not changed since.
    #[inline]
    pub(crate) fn more(&self) -> bool {
        self.get(zmq_sys::ZMQ_MORE) == 1
    }

    /// Passes a copy, which shares this message's content (short ones are copied), to `send`. If that returns true, the copy is
    /// empty now. If not, `errno` stays as it is.
    #[inline(always)]
    pub(crate) fn send_copy(&mut self, send: impl FnOnce(&mut RawMessage) -> bool) -> bool {
        let mut place = MaybeUninit::uninit();
        let copy = Msg::uninit_in(&mut place, Notes::NONE);
        if self.is_plain() {
            // SAFETY: both pointers are to 64 aligned bytes, those of two messages. The bytes of a plain message are a message.
            unsafe { ptr::copy_nonoverlapping(self.as_mut_ptr(), copy.as_mut_ptr(), 1) };
        } else {
            copy.init();
            // SAFETY: both messages are initialised. The call writes the flags of its source, which no other thread has, and
            // only fails on a message that is not initialised.
            unsafe { zmq_sys::zmq_msg_copy(copy.as_mut_ptr(), self.as_mut_ptr()) };
        }
        let sent = send(copy);
        if !sent {
            // SAFETY: it is initialised, and not used again.
            unsafe { place.assume_init_drop() };
        }
        sent
    }

    /// Forgets that more parts followed the message that this one is a copy of. A send has failed, and has cleared the MORE
    /// flag of libzmq's message.
    pub(crate) fn forget_followed(&mut self) {
        self.0.notes.remove(Notes::MORE);
    }

    /// Whether more parts follow the message, or the message that it is a copy of.
    pub(crate) fn is_followed(&self) -> bool {
        self.more() || self.0.notes.contains(Notes::MORE)
    }

    /// An integer property; -1 if it is not there.
    pub(crate) fn get(&self, property: c_int) -> c_int {
        let locked = self.0.lock();
        // SAFETY: the message is initialised (type invariant), and no other thread copies it meanwhile (`Locked`).
        unsafe { zmq_sys::zmq_msg_get(locked.as_ptr(), property) }
    }

    /// A metadata property. The text belongs to the message.
    pub(crate) fn gets(&self, name: &CStr) -> Option<&CStr> {
        // SAFETY: the message is initialised (type invariant) and locked; the name ends with a NUL.
        let value: *const c_char = unsafe { zmq_sys::zmq_msg_gets(self.0.lock().as_ptr(), name.as_ptr()) };
        // SAFETY: a non-null answer is a C string of the message's metadata. libzmq changes no metadata that a message
        // refers to, and the message refers to it until an exclusive reference changes or closes it.
        (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
    }

    /// A message that shares this one's content (short ones are copied).
    pub(crate) fn copy(&self) -> RawMessage {
        let mut copy = RawMessage::new();
        let locked = self.0.lock();
        // SAFETY: both messages are initialised. The call writes the flags of its source, which is locked, and only fails on
        // a message that is not initialised.
        unsafe { zmq_sys::zmq_msg_copy(copy.as_mut_ptr(), locked.as_ptr()) };
        drop(locked);
        if self.0.notes.contains(Notes::MORE) {
            copy.0.notes.insert(Notes::MORE);
        }
        copy
    }

    /// Corrects the reference count of a message that an XPUB received. libzmq makes the message with the flags of the
    /// incoming one, including the flag that the content is shared, and counts no reference. The content of the next copy
    /// would be freed while it is in use.
    pub(crate) fn fix_refcount(&mut self) {
        if self.get(zmq_sys::ZMQ_SHARED) == 1 {
            // Counts one reference, which is this message's own from now on.
            mem::forget(self.copy());
        }
    }
}

/// A new message whose content is written from its start to its end.
///
/// Its content is uninitialised at first, and nothing reads it before `finish`.
pub(crate) struct MessageWriter {
    message: RawMessage,
    written: usize,
}

impl MessageWriter {
    pub(crate) fn new(size: usize) -> Result<MessageWriter, Errno> {
        let mut message = ManuallyDrop::new(RawMessage(Msg::uninit(Notes::OWN)));
        // SAFETY: the pointer is to 64 writable, aligned bytes.
        if !succeeded(unsafe { zmq_sys::zmq_msg_init_size(message.as_mut_ptr(), size) }) {
            return Err(last_errno());
        }
        Ok(MessageWriter { message: ManuallyDrop::into_inner(message), written: 0 })
    }

    /// The message. Bytes that were not written are zero.
    pub(crate) fn finish(self) -> RawMessage {
        let MessageWriter { mut message, written } = self;
        let rest = message.len() - written;
        let end = message.data_mut().wrapping_add(written);
        // SAFETY: `rest` bytes follow those that were written, and no other code knows them.
        unsafe { ptr::write_bytes(end, 0, rest) };
        message
    }
}

impl io::Write for MessageWriter {
    /// Writes nothing if the message is full.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.message.len() - self.written);
        let end = self.message.data_mut().wrapping_add(self.written);
        // SAFETY: at least `count` bytes follow those that were written, and no reference to them exists.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), end, count) };
        self.written += count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "draft")]
impl RawMessage {
    /// Copies the routing id and the group of a message.
    fn copy_address(&mut self, from: &RawMessage) {
        // Both calls take every value that a message can have, except the id 0, which a new message has.
        let _ = self.set_routing_id(from.routing_id());
        let _ = self.set_group(from.group());
    }

    pub(crate) fn routing_id(&self) -> u32 {
        // SAFETY: the message is initialised (type invariant) and locked.
        unsafe { zmq_sys::zmq_msg_routing_id(self.0.lock().as_ptr()) }
    }

    pub(crate) fn set_routing_id(&mut self, id: u32) -> Result<(), Errno> {
        // SAFETY: the message is initialised (type invariant).
        check(unsafe { zmq_sys::zmq_msg_set_routing_id(self.as_mut_ptr(), id) }).map(drop)
    }

    pub(crate) fn group(&self) -> &CStr {
        // SAFETY: the message is initialised (type invariant) and locked.
        let group = unsafe { zmq_sys::zmq_msg_group(self.0.lock().as_ptr()) };
        // SAFETY: the answer is a C string, empty if no group is set. It is inside the message, or in memory that the message
        // keeps, until an exclusive reference changes or closes the message.
        unsafe { CStr::from_ptr(group) }
    }

    /// # Errors
    ///
    /// `EINVAL` if the message has a group already: libzmq would corrupt its memory.
    pub(crate) fn set_group(&mut self, group: &CStr) -> Result<(), Errno> {
        if !self.group().is_empty() {
            return Err(Errno::EINVAL);
        }
        // SAFETY: the message is initialised (type invariant) and has no group; the text ends with a NUL.
        check(unsafe { zmq_sys::zmq_msg_set_group(self.as_mut_ptr(), group.as_ptr()) }).map(drop)
    }
}

impl Drop for RawMessage {
    #[inline]
    fn drop(&mut self) {
        if !self.is_plain() {
            // SAFETY: the message is initialised (type invariant) and not used again.
            unsafe { zmq_sys::zmq_msg_close(self.as_mut_ptr()) };
        }
    }
}

/// Ends the program for lack of memory, as Rust's allocations do, and all allocations of libzmq except those of messages.
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

unsafe extern "C" fn free_owner<T: Owner>(_data: *mut c_void, hint: *mut c_void) {
    // SAFETY: the hint is the pointer of Box::into_raw that from_owner handed over.
    unsafe { Box::from_raw(hint.cast::<T>()) }.released();
}

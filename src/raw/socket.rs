//! `zmq_socket`'s handle and the functions that take it.

use std::ffi::{CStr, c_int, c_void};
use std::mem;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::time::Duration;

use super::RawMessage;
use super::outcome::{check, len};
use super::process::Process;
use crate::error::Errno;
use crate::poll_events::PollEvents;

/// A socket handle with one owner, closed when dropped: open, or null once closed or given up (libzmq answers ENOTSOCK
/// to null).
///
/// In a process that inherited it through `fork` libzmq gets to see null too, and nothing closes it: there its calls
/// could wait for ever, pretend to send, or bring the parent down.
///
/// It is `Send` and not `Sync`: libzmq's ordinary sockets take one thread at a time and a full memory barrier on every
/// hand-over, which is what moving a value between threads in safe Rust gives.
#[derive(Debug)]
pub(crate) struct RawSocket {
    handle: *mut c_void,
    process: Process,
}

// SAFETY: a libzmq socket may be used from any thread as long as only one uses it at a time; the type is not Sync and
// has one owner.
unsafe impl Send for RawSocket {}

impl RawSocket {
    /// # Safety
    ///
    /// `handle` must be an open socket. No other code may use or close it from now on.
    pub(crate) unsafe fn from_handle(handle: NonNull<c_void>) -> RawSocket {
        RawSocket { handle: handle.as_ptr(), process: Process::current() }
    }

    /// Gives the handle up without closing it.
    pub(crate) fn give_up(&mut self) -> Option<NonNull<c_void>> {
        NonNull::new(mem::replace(&mut self.handle, ptr::null_mut()))
    }

    /// Moves the handle to another owner.
    pub(crate) fn take(&mut self) -> RawSocket {
        RawSocket { handle: mem::replace(&mut self.handle, ptr::null_mut()), process: self.process }
    }

    /// Closes the socket, which never waits.
    pub(crate) fn close(&mut self) {
        let inherited = self.is_inherited();
        if let Some(handle) = self.give_up().filter(|_| !inherited) {
            // SAFETY: the handle was open and this its one owner. The call only fails on what is no socket.
            unsafe { zmq_sys::zmq_close(handle.as_ptr()) };
        }
    }

    /// The process that opened the socket.
    pub(crate) fn process(&self) -> Process {
        self.process
    }

    /// Whether this process got the socket through `fork`.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        !self.process.is_current()
    }

    /// The handle, inherited or not, and the process that opened it.
    pub(crate) fn origin(&self) -> (*mut c_void, Process) {
        (self.handle, self.process)
    }

    /// The handle for libzmq's calls. Null in a forked child.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut c_void {
        if self.is_inherited() { ptr::null_mut() } else { self.handle }
    }

    pub(crate) fn bind(&self, endpoint: &CStr) -> Result<(), Errno> {
        // SAFETY: the handle is open or null (type invariant) and the text ends with a NUL.
        check(unsafe { zmq_sys::zmq_bind(self.as_ptr(), endpoint.as_ptr()) }).map(drop)
    }

    pub(crate) fn connect(&self, endpoint: &CStr) -> Result<(), Errno> {
        // SAFETY: as in bind.
        check(unsafe { zmq_sys::zmq_connect(self.as_ptr(), endpoint.as_ptr()) }).map(drop)
    }

    pub(crate) fn unbind(&self, endpoint: &CStr) -> Result<(), Errno> {
        // SAFETY: as in bind.
        check(unsafe { zmq_sys::zmq_unbind(self.as_ptr(), endpoint.as_ptr()) }).map(drop)
    }

    pub(crate) fn disconnect(&self, endpoint: &CStr) -> Result<(), Errno> {
        // SAFETY: as in bind.
        check(unsafe { zmq_sys::zmq_disconnect(self.as_ptr(), endpoint.as_ptr()) }).map(drop)
    }

    /// Sends `message`, which is empty afterwards if that succeeded. If it failed its content is unchanged, but it may
    /// have lost its metadata, and the flag that more parts follow it.
    #[inline]
    pub(crate) fn send(&self, message: &mut RawMessage, flags: c_int) -> Result<(), Errno> {
        // SAFETY: the handle is open or null and the message initialised (type invariants).
        check(unsafe { zmq_sys::zmq_msg_send(message.as_mut_ptr(), self.as_ptr(), flags) }).map(drop)
    }

    /// Sends a copy of `content`, and says whether that succeeded. The four `unchecked` methods are for sockets that this
    /// process has opened, as the caller has checked with [`super::process_state`]; they give no reason of a failure.
    #[inline(always)]
    pub(crate) fn send_bytes_unchecked(&self, content: &[u8]) -> bool {
        debug_assert!(!self.is_inherited());
        // SAFETY: the handle is open or null (type invariant); libzmq reads `content.len()` bytes.
        unsafe { zmq_sys::zmq_send(self.handle, content.as_ptr().cast(), content.len(), 0) != -1 }
    }

    /// As [`RawSocket::send`].
    #[inline(always)]
    pub(crate) fn send_unchecked(&self, message: &mut RawMessage) -> bool {
        debug_assert!(!self.is_inherited());
        // SAFETY: the handle is open or null and the message initialised (type invariants).
        unsafe { zmq_sys::zmq_msg_send(message.as_mut_ptr(), self.handle, 0) != -1 }
    }

    /// As [`RawSocket::recv`].
    #[inline(always)]
    pub(crate) fn recv_unchecked(&self, message: &mut RawMessage) -> bool {
        debug_assert!(!self.is_inherited());
        // SAFETY: as in send_unchecked.
        unsafe { zmq_sys::zmq_msg_recv(message.as_mut_ptr(), self.handle, 0) != -1 }
    }

    /// As [`RawSocket::recv_into`].
    #[inline(always)]
    pub(crate) fn recv_into_unchecked(&self, buffer: &mut [u8]) -> Option<usize> {
        debug_assert!(!self.is_inherited());
        // SAFETY: the handle is open or null; libzmq writes at most `buffer.len()` bytes to the buffer.
        let rc = unsafe { zmq_sys::zmq_recv(self.handle, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        (rc != -1).then_some(rc as usize)
    }

    /// Receives into `message`, whose old content is gone even if that fails.
    #[inline]
    pub(crate) fn recv(&self, message: &mut RawMessage, flags: c_int) -> Result<(), Errno> {
        // SAFETY: as in send.
        check(unsafe { zmq_sys::zmq_msg_recv(message.as_mut_ptr(), self.as_ptr(), flags) }).map(drop)
    }

    /// Receives into `buffer` and gives the size of the whole message, which may be more than the buffer took.
    #[inline]
    pub(crate) fn recv_into(&self, buffer: &mut [u8], flags: c_int) -> Result<usize, Errno> {
        // SAFETY: the handle is open or null; libzmq writes at most `buffer.len()` bytes to the buffer.
        let rc = unsafe { zmq_sys::zmq_recv(self.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len(), flags) };
        len(rc)
    }

    /// Sets an option to the given bytes; `None` passes a null pointer and length 0, which clears some options.
    pub(crate) fn set_option(&self, option: c_int, value: Option<&[u8]>) -> Result<(), Errno> {
        let (data, len) = value.map_or((ptr::null(), 0), |value| (value.as_ptr(), value.len()));
        // SAFETY: the handle is open or null; pointer and length are those of one slice, or null and 0. Options whose code in
        // libzmq reads more than the length says, or a null pointer, are never given less: the option table's codecs
        // pass exactly the C type's size.
        check(unsafe { zmq_sys::zmq_setsockopt(self.as_ptr(), option, data.cast(), len) }).map(drop)
    }

    /// Reads an option into `buffer` and gives the length that libzmq reports.
    pub(crate) fn get_option(&self, option: c_int, buffer: &mut [u8]) -> Result<usize, Errno> {
        let mut len = buffer.len();
        // SAFETY: the handle is open or null; libzmq writes at most `len` bytes, the slice's length.
        let rc = unsafe { zmq_sys::zmq_getsockopt(self.as_ptr(), option, buffer.as_mut_ptr().cast(), &raw mut len) };
        check(rc).map(|_| len)
    }
}

impl RawSocket {
    /// Reads an option that is an int in C.
    pub(crate) fn get_int(&self, option: c_int) -> Result<c_int, Errno> {
        let mut value = [0; size_of::<c_int>()];
        self.get_option(option, &mut value)?;
        Ok(c_int::from_ne_bytes(value))
    }

    /// `ZMQ_EVENTS`: what the socket is ready for. libzmq processes the socket's commands first; if a signal interrupts
    /// that, it is asked again.
    pub(crate) fn events(&self) -> Result<PollEvents, Errno> {
        loop {
            match self.get_int(zmq_sys::ZMQ_EVENTS) {
                Err(Errno::EINTR) => {}
                events => return events.map(PollEvents::from_raw),
            }
        }
    }

    /// `ZMQ_LINGER`: how long unsent messages are kept; `None` is for ever.
    pub(crate) fn linger(&self) -> Result<Option<Duration>, Errno> {
        let milliseconds = self.get_int(zmq_sys::ZMQ_LINGER)?;
        Ok(u64::try_from(milliseconds).ok().map(Duration::from_millis))
    }

    /// The descriptor that signals events; it is open as long as the socket is.
    pub(crate) fn notification_fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        let fd = self.get_int(zmq_sys::ZMQ_FD)?;
        // SAFETY: libzmq keeps it open until the socket is closed, which the borrow of `self` prevents.
        Ok(unsafe { BorrowedFd::borrow_raw(fd) })
    }

    /// Sets an option that is an int in C.
    pub(crate) fn set_int(&self, option: c_int, value: c_int) -> Result<(), Errno> {
        self.set_option(option, Some(&value.to_ne_bytes()))
    }
}

impl Drop for RawSocket {
    fn drop(&mut self) {
        self.close();
    }
}

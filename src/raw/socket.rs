//! The functions that take a socket.

use std::ffi::{CStr, c_int};
use std::ptr;
use std::time::Duration;

use super::handle::{self, FastCalls, OpLock, RawSocket};
#[cfg(feature = "draft")]
use super::outcome::id;
use super::outcome::{check, last_errno, len, succeeded};
use super::{Fresh, RawMessage};
use crate::error::Errno;
use crate::poll_events::PollEvents;
use crate::process::uninterrupted;
use crate::raw::platform::{BorrowedFd, NO_FD, RawFd};

/// An option's value for C. libzmq reads some numbers in place, so they have the alignment of their type.
pub(crate) enum RawValue<'a> {
    Int(c_int),
    /// A `uint64_t` or an `int64_t`.
    Wide(u64),
    Bytes(&'a [u8]),
    /// A null pointer and length 0, which clears some options.
    Null,
}

/// The place for an option's value from C.
enum OptionPlace<'a> {
    Int(&'a mut c_int),
    Wide(&'a mut u64),
    Fd(&'a mut RawFd),
    Bytes(&'a mut [u8]),
}

impl RawSocket {
    pub(crate) fn unbind(&self, endpoint: &CStr) -> Result<(), Errno> {
        check(self.call(handle::UNBIND).with(endpoint)).map(drop)
    }

    pub(crate) fn disconnect(&self, endpoint: &CStr) -> Result<(), Errno> {
        check(self.call(handle::DISCONNECT).with(endpoint)).map(drop)
    }

    /// Sends `message`, which is empty afterwards if that succeeded. If it failed its content is unchanged, but it may
    /// have lost its metadata, and the flag that more parts follow it.
    #[inline]
    pub(crate) fn send(&self, message: &mut RawMessage, flags: c_int) -> Result<(), Errno> {
        check(self.call(handle::MSG_SEND).with(message, flags)).map(drop)
    }

    /// Receives into `message`, whose old content is gone even if that fails.
    #[inline]
    pub(crate) fn recv(&self, message: &mut RawMessage, flags: c_int) -> Result<(), Errno> {
        message.forget_notes();
        check(self.call(handle::MSG_RECV).with(message, flags)).map(drop)
    }

    /// The error of a call by [`FastCalls`] that has just failed on this thread.
    #[allow(clippy::unused_self, reason = "it is the error of a call on this socket")]
    pub(crate) fn errno(&self) -> Errno {
        last_errno()
    }

    /// Receives into `buffer` and returns the size of the whole message, which may be larger than the buffer.
    #[inline]
    pub(crate) fn recv_into(&self, buffer: &mut [u8], flags: c_int) -> Result<usize, Errno> {
        len(self.call(handle::RECV).with(buffer, flags))
    }

    pub(crate) fn set_option(&self, option: c_int, value: &RawValue<'_>) -> Result<(), Errno> {
        let (data, len) = match value {
            RawValue::Int(number) => (ptr::from_ref(number).cast(), size_of_val(number)),
            RawValue::Wide(number) => (ptr::from_ref(number).cast(), size_of_val(number)),
            RawValue::Bytes(bytes) => (bytes.as_ptr().cast(), bytes.len()),
            RawValue::Null => (ptr::null(), 0),
        };
        // libzmq reads an int for this option, whatever the length says.
        #[cfg(feature = "draft")]
        if option == zmq_sys::ZMQ_XSUB_VERBOSE_UNSUBSCRIBE && !matches!(value, RawValue::Int(_)) {
            return Err(Errno::EINVAL);
        }
        let set = self.call(handle::SET);
        // SAFETY: the handle is open or null; pointer and length are those of one value, or null and 0. For all options except
        // the one above, libzmq compares the length with that of the option's C type before it reads, and reads no null
        // pointer. It reads numbers in place: these are aligned. tests/options_limits.rs tries every option of the tables at
        // the limits of its C type.
        check(unsafe { (set.function)(set.handle, option, data, len) }).map(drop)
    }

    /// Reads an option into `place` and gives the length that libzmq reports.
    fn get(&self, option: c_int, place: OptionPlace<'_>) -> Result<usize, Errno> {
        let (data, mut len) = match place {
            OptionPlace::Int(number) => (ptr::from_mut(number).cast(), size_of::<c_int>()),
            OptionPlace::Wide(number) => (ptr::from_mut(number).cast(), size_of::<u64>()),
            OptionPlace::Fd(fd) => (ptr::from_mut(fd).cast(), size_of::<RawFd>()),
            OptionPlace::Bytes(bytes) => (bytes.as_mut_ptr().cast(), bytes.len()),
        };
        let get = self.call(handle::GET);
        // SAFETY: the handle is open or null; libzmq writes at most `len` bytes, the size of the place, and writes some
        // numbers in place: these are aligned. All bytes are a value of the place's type.
        check(unsafe { (get.function)(get.handle, option, data, &raw mut len) }).map(|_| len)
    }

    /// Reads an option into `buffer` and gives the length that libzmq reports.
    pub(crate) fn get_option(&self, option: c_int, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.get(option, OptionPlace::Bytes(buffer))
    }

    /// Reads an option that is an int in C.
    pub(crate) fn get_int(&self, option: c_int) -> Result<c_int, Errno> {
        let mut value = 0;
        self.get(option, OptionPlace::Int(&mut value)).map(|_| value)
    }

    /// Reads an option that is a `uint64_t` or an `int64_t` in C.
    pub(crate) fn get_wide(&self, option: c_int) -> Result<u64, Errno> {
        let mut value = 0;
        self.get(option, OptionPlace::Wide(&mut value)).map(|_| value)
    }

    /// Sets an option that is an int in C.
    pub(crate) fn set_int(&self, option: c_int, value: c_int) -> Result<(), Errno> {
        self.set_option(option, &RawValue::Int(value))
    }

    /// `ZMQ_EVENTS`: the events that the socket is ready for. libzmq processes the socket's commands first, which a signal can
    /// interrupt.
    pub(crate) fn events(&self) -> Result<PollEvents, Errno> {
        uninterrupted(|| self.get_int(zmq_sys::ZMQ_EVENTS)).map(PollEvents::from_int)
    }

    /// `ZMQ_LINGER`: the time for which unsent messages are kept. `None` has no end.
    pub(crate) fn linger(&self) -> Result<Option<Duration>, Errno> {
        let milliseconds = self.get_int(zmq_sys::ZMQ_LINGER)?;
        Ok(u64::try_from(milliseconds).ok().map(Duration::from_millis))
    }

    /// The descriptor that signals events; it is open as long as the socket is.
    pub(crate) fn notification_fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        let mut fd = NO_FD;
        self.get(zmq_sys::ZMQ_FD, OptionPlace::Fd(&mut fd))?;
        // SAFETY: libzmq keeps it open until the socket is closed, which the borrow of `self` prevents.
        Ok(unsafe { BorrowedFd::borrow_raw(fd) })
    }
}

impl FastCalls<'_> {
    /// Sends a copy of `content`. False if that failed: [`RawSocket::errno`] has the error.
    #[inline(always)]
    pub(crate) fn send_bytes(self, content: &[u8], flags: c_int) -> bool {
        succeeded(self.call(handle::SEND).with(content, flags))
    }

    /// As [`RawSocket::send`]. False if that failed.
    #[inline(always)]
    pub(crate) fn send(self, message: &mut RawMessage, flags: c_int) -> bool {
        succeeded(self.call(handle::MSG_SEND).with(message, flags))
    }

    /// Sends a copy of `content`, without a wait.
    #[inline(always)]
    pub(crate) fn send_bytes_now(self, content: &[u8]) -> Result<(), Errno> {
        check(self.call(handle::SEND).with(content, zmq_sys::ZMQ_DONTWAIT)).map(drop)
    }

    /// As [`RawSocket::send`], without a wait.
    #[inline(always)]
    pub(crate) fn send_now(self, message: &mut RawMessage) -> Result<(), Errno> {
        check(self.call(handle::MSG_SEND).with(message, zmq_sys::ZMQ_DONTWAIT)).map(drop)
    }

    /// As [`RawSocket::recv`], without a wait.
    #[inline(always)]
    pub(crate) fn recv_now(self, message: &mut Fresh<'_>) -> Result<(), Errno> {
        check(self.call(handle::MSG_RECV).with(message.0, zmq_sys::ZMQ_DONTWAIT)).map(drop)
    }

    /// As [`RawSocket::recv`].
    #[inline(always)]
    pub(crate) fn recv(self, message: &mut Fresh<'_>) -> bool {
        succeeded(self.call(handle::MSG_RECV).with(message.0, 0))
    }

    /// As [`RawSocket::recv_into`].
    #[inline(always)]
    pub(crate) fn recv_into(self, buffer: &mut [u8]) -> Option<usize> {
        let rc = self.call(handle::RECV).with(buffer, 0);
        succeeded(rc).then_some(rc as usize)
    }
}

impl OpLock<'_> {
    pub(crate) fn bind(&self, endpoint: &CStr) -> Result<(), Errno> {
        check(self.socket.call(handle::BIND).with(endpoint)).map(drop)
    }

    pub(crate) fn connect(&self, endpoint: &CStr) -> Result<(), Errno> {
        check(self.socket.call(handle::CONNECT).with(endpoint)).map(drop)
    }

    /// Connects, and gives the routing id of the new peer.
    #[cfg(feature = "draft")]
    pub(crate) fn connect_peer(&self, endpoint: &CStr) -> Result<u32, Errno> {
        id(self.socket.call(handle::CONNECT_PEER).with(endpoint))
    }
}

#[cfg(feature = "draft")]
impl RawSocket {
    pub(crate) fn join(&self, group: &CStr) -> Result<(), Errno> {
        check(self.call(handle::JOIN).with(group)).map(drop)
    }

    pub(crate) fn leave(&self, group: &CStr) -> Result<(), Errno> {
        check(self.call(handle::LEAVE).with(group)).map(drop)
    }

    /// The poll events that the peer of a routing id is ready for.
    ///
    /// # Errors
    ///
    /// `ENOTSUP` for a socket of a thread-safe kind.
    pub(crate) fn peer_state(&self, id: &[u8]) -> Result<c_int, Errno> {
        let handle = self.used_by_one_thread()?;
        // SAFETY: the handle is open or null, and no other thread uses the socket (checked above). The pointer and the length
        // are those of one slice.
        check(unsafe { zmq_sys::zmq_socket_get_peer_state(handle, id.as_ptr().cast(), id.len()) })
    }

    /// Asks for an event about each pipe; [`Errno::EAGAIN`] if the socket has none.
    ///
    /// # Errors
    ///
    /// `ENOTSUP` for a socket of a thread-safe kind.
    #[cfg(zmq_patches = "safety")]
    pub(crate) fn pipes_stats(&self) -> Result<(), Errno> {
        let handle = self.used_by_one_thread()?;
        // SAFETY: the handle is open or null, and no other thread uses the socket (checked above). A pipe whose other end may
        // be freed is not asked (patch 0022-commands-to-freed-pipe).
        check(unsafe { zmq_sys::zmq_socket_monitor_pipes_stats(handle) }).map(drop)
    }
}

impl Drop for RawSocket {
    fn drop(&mut self) {
        self.close();
    }
}

//! The functions that only sockets of the draft kinds have.

use std::ffi::{CStr, c_int};

use super::RawSocket;
use super::outcome::{check, id};
use crate::error::Errno;

impl RawSocket {
    pub(crate) fn join(&self, group: &CStr) -> Result<(), Errno> {
        // SAFETY: the handle is open or null (type invariant) and the text ends with a NUL.
        check(unsafe { zmq_sys::zmq_join(self.as_ptr(), group.as_ptr()) }).map(drop)
    }

    pub(crate) fn leave(&self, group: &CStr) -> Result<(), Errno> {
        // SAFETY: as in join.
        check(unsafe { zmq_sys::zmq_leave(self.as_ptr(), group.as_ptr()) }).map(drop)
    }

    /// Connects, and gives the routing id of the new peer.
    pub(crate) fn connect_peer(&self, endpoint: &CStr) -> Result<u32, Errno> {
        // SAFETY: as in join.
        id(unsafe { zmq_sys::zmq_connect_peer(self.as_ptr(), endpoint.as_ptr()) })
    }

    /// Which poll events the peer of that routing id is ready for.
    pub(crate) fn peer_state(&self, id: &[u8]) -> Result<c_int, Errno> {
        // SAFETY: the handle is open or null (type invariant); the pointer and the length are those of one slice.
        check(unsafe { zmq_sys::zmq_socket_get_peer_state(self.as_ptr(), id.as_ptr().cast(), id.len()) })
    }
}

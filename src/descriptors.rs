//! A check, before a call of libzmq, that the process can open the file descriptors that the call needs.

use crate::error::Errno;
use crate::raw::platform::probe_descriptors;

/// Checks that this process can open `count` file descriptors.
///
/// # Errors
///
/// `EMFILE` if `RLIMIT_NOFILE` forbids it, `ENFILE` if the system has no more.
pub(crate) fn check_spare(count: usize) -> Result<(), Errno> {
    match probe_descriptors(count).map_err(|error| Errno::from_io(&error, Errno::EMFILE)) {
        Err(errno @ (Errno::EMFILE | Errno::ENFILE)) => Err(errno),
        _ => Ok(()),
    }
}

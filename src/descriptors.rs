//! A check, before a call of libzmq, that the process can open the file descriptors that the call needs.

use std::io;
use std::os::unix::net::UnixDatagram;

use crate::error::Errno;

/// Checks that this process can open `count` file descriptors.
///
/// # Errors
///
/// `EMFILE` if `RLIMIT_NOFILE` forbids it, `ENFILE` if the system has no more.
pub(crate) fn check_spare(count: usize) -> Result<(), Errno> {
    let opened: io::Result<Vec<UnixDatagram>> = (0..count).map(|_| UnixDatagram::unbound()).collect();
    match opened {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
            Err(Errno::from_io(&error, Errno::EMFILE))
        }
        // Another error, such as that of a sandbox without these sockets, does not concern libzmq's descriptors.
        _ => Ok(()),
    }
}

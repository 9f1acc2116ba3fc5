//! Error numbers. libzmq's are those of the C library; the system and std have other numbers for the same errors.

use std::ffi::{CStr, c_int};
use std::fmt;
use std::io;

/// The numbers of the C library, with those that the system has for the same errors. The first of a number is Winsock's, if it
/// has one.
const NUMBERS: &[(c_int, &[i32])] = &[
    (libc::EINTR, &[10004]),
    (libc::EBADF, &[10009, 6]),
    (libc::EACCES, &[10013, 5, 32]),
    (libc::EFAULT, &[10014]),
    (libc::EINVAL, &[10022, 87]),
    (libc::EMFILE, &[10024, 4]),
    (libc::EAGAIN, &[10035]),
    (libc::EINPROGRESS, &[10036, 10037]),
    (libc::ENOTSOCK, &[10038]),
    (libc::EMSGSIZE, &[10040]),
    (libc::EPROTONOSUPPORT, &[10043]),
    (libc::ENOTSUP, &[10045, 50]),
    (libc::EAFNOSUPPORT, &[10047]),
    (libc::EADDRINUSE, &[10048]),
    (libc::EADDRNOTAVAIL, &[10049]),
    (libc::ENETDOWN, &[10050]),
    (libc::ENETUNREACH, &[10051]),
    (libc::ENETRESET, &[10052]),
    (libc::ECONNABORTED, &[10053]),
    (libc::ECONNRESET, &[10054]),
    (libc::ENOBUFS, &[10055]),
    (libc::ENOTCONN, &[10057]),
    (libc::ETIMEDOUT, &[10060]),
    (libc::ECONNREFUSED, &[10061]),
    (libc::ENAMETOOLONG, &[10063, 206]),
    (libc::EHOSTUNREACH, &[10065]),
    (libc::ENOENT, &[2, 3, 123]),
    (libc::ENOMEM, &[8, 14]),
    (libc::EEXIST, &[80, 183]),
    (libc::EPIPE, &[109, 232]),
    (libc::ENOSPC, &[112]),
    (libc::ENOTDIR, &[267]),
];

/// An error number of the C library, in an [`io::Error`].
#[derive(Debug)]
struct Numbered(c_int);

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&errno_text(self.0))
    }
}

impl std::error::Error for Numbered {}

/// The error number of an [`io::Error`] of the system, or of [`io_error`].
pub(crate) fn errno_of(error: &io::Error) -> Option<c_int> {
    if let Some(Numbered(errno)) = error.get_ref().and_then(|error| error.downcast_ref()) {
        return Some(*errno);
    }
    let number = error.raw_os_error()?;
    NUMBERS.iter().find(|(_, numbers)| numbers.contains(&number)).map(|(errno, _)| *errno)
}

/// The [`io::Error`] of an error number.
pub(crate) fn io_error(errno: c_int) -> io::Error {
    let kind = match errno {
        libc::EPERM => io::ErrorKind::PermissionDenied,
        _ => systems(errno).map_or(io::ErrorKind::Other, |number| io::Error::from_raw_os_error(number).kind()),
    };
    io::Error::new(kind, Numbered(errno))
}

/// The system's number for the same error.
fn systems(errno: c_int) -> Option<i32> {
    NUMBERS.iter().find(|(own, _)| *own == errno).map(|(_, numbers)| numbers[0])
}

/// The text of an error number: that of `zmq_strerror`, or the system's if the C library has none.
pub(crate) fn errno_text(errno: c_int) -> String {
    // SAFETY: no preconditions.
    let text = unsafe { zmq_sys::zmq_strerror(errno) };
    // SAFETY: a text that ends with NUL. It is constant, or in a buffer of the calling thread, as the C library of Windows has
    // it.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    match systems(errno) {
        Some(number) if text.starts_with("Unknown error") => {
            let mut text = io::Error::from_raw_os_error(number).to_string();
            text.truncate(text.rfind(" (os error ").unwrap_or(text.len()));
            text
        }
        _ => text.into_owned(),
    }
}

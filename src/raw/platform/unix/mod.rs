//! Unix.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod other;
mod poller;
mod signals;

#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as system;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use other as system;

pub(crate) use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
pub(crate) use std::os::unix::net::UnixStream as Stream;

pub(crate) use poller::{Interest, PRIORITY, SystemPoller, Token};
pub(crate) use signals::{FAULTS, catch_signal, on_fork, replace_fd};
pub(crate) use system::{RELAY_CALL, is_listener, probe_affinity, relay_fd};

use std::ffi::{CString, c_int, c_short, c_uint};
use std::fs::{Metadata, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The number of no descriptor.
pub(crate) const NO_FD: RawFd = -1;

/// Has a type lend a descriptor, as `AsFd` does.
macro_rules! lends_fd {
    ($(#[$doc:meta])* $type:ty, $of:expr) => {
        $(#[$doc])*
        impl std::os::fd::AsFd for $type {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                let of: fn(&$type) -> std::os::fd::BorrowedFd<'_> = $of;
                of(self)
            }
        }
    };
}
pub(crate) use lends_fd;

/// Two connected streams.
pub(crate) fn stream_pair() -> io::Result<(Stream, Stream)> {
    Stream::pair()
}

/// The error number of an [`io::Error`] of the system, or of [`io_error`].
pub(crate) fn errno_of(error: &io::Error) -> Option<c_int> {
    error.raw_os_error()
}

/// The [`io::Error`] of an error number.
pub(crate) fn io_error(errno: c_int) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

/// The text of an error number. `strerror`, which libzmq calls, has a buffer that threads may share, so this function asks
/// std, which calls `strerror_r`.
pub(crate) fn errno_text(errno: c_int) -> String {
    let mut text = io::Error::from_raw_os_error(errno).to_string();
    text.truncate(text.rfind(" (os error ").unwrap_or(text.len()));
    text
}

/// Reads the return code of a function that returns an error number, or 0.
fn posix(rc: c_int) -> io::Result<()> {
    if rc == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(rc)) }
}

/// Gives the calling thread the scheduling that libzmq gives its own threads under these context options; -1 is unset.
///
/// libzmq aborts if the system refuses, so this is tried before, in a thread that ends afterwards.
pub(crate) fn probe_scheduling(policy: c_int, priority: c_int) -> io::Result<()> {
    let mut current = 0;
    // SAFETY: numbers, which may be zero.
    let mut param: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: no preconditions.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: the calling thread's own handle, and two pointers that may be written.
    posix(unsafe { libc::pthread_getschedparam(thread, &raw mut current, &raw mut param) })?;
    let policy = if policy == -1 { current } else { policy };
    let real_time = policy == libc::SCHED_FIFO || policy == libc::SCHED_RR;
    if !real_time {
        param.sched_priority = 0;
    } else if priority != -1 {
        param.sched_priority = priority;
    }
    // SAFETY: the calling thread's own handle, and a pointer to a whole value. The system checks the numbers.
    posix(unsafe { libc::pthread_setschedparam(thread, policy, &raw const param) })?;
    if !real_time && priority > 0 { system::probe_nice() } else { Ok(()) }
}

/// `RLIMIT_NOFILE`: how many files this process may have open.
pub(crate) fn most_files() -> u64 {
    let mut files = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a pointer that may be written. If the call fails, the limit stays zero.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files) };
    files.rlim_cur as _
}

/// Checks that this process can open `count` descriptors. Another error than `EMFILE` and `ENFILE`, such as that of a sandbox
/// without these sockets, does not concern libzmq's descriptors.
pub(crate) fn probe_descriptors(count: usize) -> io::Result<()> {
    (0..count).map(|_| UnixDatagram::unbound()).collect::<io::Result<Vec<_>>>().map(drop)
}

/// Whether `zmq_poll` can wait for these events of a descriptor.
#[inline]
pub(crate) fn can_poll(_events: c_short) -> bool {
    true
}

/// Lets a socket that tries an address bind beside others that do not listen, as libzmq's listeners do.
pub(crate) fn share_address(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// The local date and time: year, month, day, hour, minute, second.
pub(crate) fn local_time() -> [i32; 6] {
    // The seconds are a time_t, a name that libc deprecates on musl.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as _);
    let mut local = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: a pointer to a whole value, and one that may be written.
    unsafe { libc::localtime_r(&raw const now, local.as_mut_ptr()) };
    // SAFETY: numbers and a pointer, which may be zero. If the call fails, they stay zero.
    let local = unsafe { local.assume_init() };
    [local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec]
}

/// The number of the network interface that a scope of an IPv6 address names, by its name or its number.
///
/// # Errors
///
/// `ENODEV` or `ENXIO` if no interface has the name or number; `EMFILE` or `ENFILE` if no descriptor is left for the query.
pub(crate) fn interface_number(scope: &str) -> io::Result<u32> {
    let missing = || io::Error::from_raw_os_error(libc::ENODEV);
    if let Ok(number) = scope.parse::<c_uint>() {
        let mut name = [0; libc::IF_NAMESIZE];
        // SAFETY: the buffer has IF_NAMESIZE bytes.
        let found = unsafe { libc::if_indextoname(number, name.as_mut_ptr()) };
        return if found.is_null() { Err(io::Error::last_os_error()) } else { Ok(number) };
    }
    let name = CString::new(scope).map_err(|_| missing())?;
    // SAFETY: the text ends with a NUL.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        number => Ok(number),
    }
}

/// The greatest length of an `ipc://` path in bytes: `sun_path` holds it and a NUL.
pub(crate) const LONGEST_IPC_PATH: usize =
    size_of::<libc::sockaddr_un>() - std::mem::offset_of!(libc::sockaddr_un, sun_path) - 1;

/// Whether a file is the socket of an ipc listener.
pub(crate) fn is_socket_file(file: &Metadata) -> bool {
    file.file_type().is_socket()
}

/// Options to read a file without waiting: opening a pipe would wait for a writer.
pub(crate) fn read_at_once() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    options
}

/// Options to write a new file with these permissions.
pub(crate) fn create_with_mode(mode: u32) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    options
}

/// The attributes of a file that show a change.
#[derive(Clone, PartialEq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The time of the last change, since 1970.
    pub(crate) fn last_change(&self) -> Duration {
        let (seconds, nanoseconds) = self.modified.max(self.changed);
        Duration::new(seconds.max(0) as u64, nanoseconds.clamp(0, 999_999_999) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_has_a_name_and_a_number() {
        let lo = ["lo", "lo0"].into_iter().find_map(|name| interface_number(name).ok()).unwrap();
        assert_eq!(interface_number(&lo.to_string()).unwrap(), lo);
        for scope in ["nope", "", "4000000000", "a-name-that-is-too-long-for-an-interface"] {
            let error = interface_number(scope).unwrap_err();
            assert!(matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)), "{scope:?}: {error}");
        }
    }
}

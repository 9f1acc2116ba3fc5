//! Windows. A descriptor is a socket handle, and std's traits for it are `AsSocket` and its kin.

mod console;
mod errors;
mod poller;

pub(crate) use std::net::TcpStream as Stream;
pub(crate) use std::os::windows::io::{BorrowedSocket as BorrowedFd, OwnedSocket as OwnedFd, RawSocket as RawFd};

pub(crate) use console::{FAULTS, catch_signal};
pub(crate) use errors::{errno_of, errno_text, io_error};
pub(crate) use poller::{Interest, PRIORITY, SystemPoller, Token};

use std::ffi::{CString, c_int, c_short};
use std::fs::{Metadata, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, TcpListener};
use std::os::windows::fs::MetadataExt;
use std::os::windows::io::{AsRawSocket, AsSocket, IntoRawSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use windows_sys::Win32::NetworkManagement::IpHelper;

/// The number of no descriptor: `INVALID_SOCKET`.
pub(crate) const NO_FD: RawFd = RawFd::MAX;

/// `AsSocket` by the name of Unix.
pub(crate) trait AsFd {
    fn as_fd(&self) -> BorrowedFd<'_>;
}

impl<T: AsSocket> AsFd for T {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.as_socket()
    }
}

/// `AsRawSocket` by the name of Unix.
pub(crate) trait AsRawFd {
    fn as_raw_fd(&self) -> RawFd;
}

impl<T: AsRawSocket> AsRawFd for T {
    fn as_raw_fd(&self) -> RawFd {
        self.as_raw_socket()
    }
}

/// `IntoRawSocket` by the name of Unix.
pub(crate) trait IntoRawFd {
    fn into_raw_fd(self) -> RawFd;
}

impl<T: IntoRawSocket> IntoRawFd for T {
    fn into_raw_fd(self) -> RawFd {
        self.into_raw_socket()
    }
}

/// Has a type lend a descriptor, as `AsSocket` does.
macro_rules! lends_fd {
    ($(#[$doc:meta])* $type:ty, $of:expr) => {
        $(#[$doc])*
        impl std::os::windows::io::AsSocket for $type {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                let of: fn(&$type) -> std::os::windows::io::BorrowedSocket<'_> = $of;
                of(self)
            }
        }
    };
}
pub(crate) use lends_fd;

/// Two connected streams, over the loopback interface.
pub(crate) fn stream_pair() -> io::Result<(Stream, Stream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = Stream::connect(listener.local_addr()?)?;
    let own = near.local_addr()?;
    loop {
        // Another program may have connected first.
        let (far, peer) = listener.accept()?;
        if peer == own {
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            return Ok((near, far));
        }
    }
}

/// The system call by which [`relay_fd`] makes a descriptor.
pub(crate) const RELAY_CALL: &str = "WSADuplicateSocketW";

/// A copy of `fd`: no descriptor of Windows watches others.
pub(crate) fn relay_fd(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    fd.try_clone_to_owned()
}

/// Windows has no `fork`.
///
/// # Safety
///
/// None.
pub(crate) unsafe fn on_fork(_child: extern "C" fn()) -> io::Result<()> {
    Ok(())
}

/// Only a forked child replaces descriptors.
///
/// # Safety
///
/// None.
pub(crate) unsafe fn replace_fd(_old: BorrowedFd<'_>, _new: BorrowedFd<'_>) {}

/// libzmq sets no scheduling here.
pub(crate) fn probe_scheduling(_policy: c_int, _priority: c_int) -> io::Result<()> {
    Ok(())
}

/// libzmq sets no affinity here, so any set will do.
pub(crate) fn probe_affinity(_cpus: &[usize]) -> io::Result<()> {
    Ok(())
}

/// Windows has no limit like `RLIMIT_NOFILE` for sockets.
pub(crate) fn most_files() -> u64 {
    u64::MAX
}

/// Windows has no limit like `RLIMIT_NOFILE` for sockets.
pub(crate) fn probe_descriptors(_count: usize) -> io::Result<()> {
    Ok(())
}

/// Whether `zmq_poll` can wait for these events of a descriptor: `WSAPoll` fails for `POLLPRI`, and libzmq aborts then.
#[inline]
pub(crate) fn can_poll(events: c_short) -> bool {
    c_int::from(events) & zmq_sys::ZMQ_POLLPRI == 0
}

/// Lets a socket that tries an address bind beside others that do not listen. Windows lets no two sockets bind to an address,
/// except with `SO_REUSEADDR`, which would bind beside a listener.
pub(crate) fn share_address(_socket: &socket2::Socket) -> io::Result<()> {
    Ok(())
}

/// The local date and time: year, month, day, hour, minute, second.
pub(crate) fn local_time() -> [i32; 6] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as libc::time_t);
    let mut local = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: a pointer that may be written, and one to a whole value.
    unsafe { libc::localtime_s(local.as_mut_ptr(), &raw const now) };
    // SAFETY: numbers, which may be zero. If the call fails, they are numbers too.
    let local = unsafe { local.assume_init() };
    [local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec]
}

/// The number of the network interface that a scope of an IPv6 address names, by its name or its number.
///
/// # Errors
///
/// `ENODEV` if no interface has the name or number.
pub(crate) fn interface_number(scope: &str) -> io::Result<u32> {
    let missing = || io_error(libc::ENODEV);
    if let Ok(number) = scope.parse::<u32>() {
        // IF_NAMESIZE, which is NDIS_IF_MAX_STRING_SIZE, and a NUL.
        let mut name = [0; 257];
        // SAFETY: the buffer has more than IF_NAMESIZE bytes.
        let found = unsafe { IpHelper::if_indextoname(number, name.as_mut_ptr()) };
        return if found.is_null() { Err(missing()) } else { Ok(number) };
    }
    let name = CString::new(scope).map_err(|_| missing())?;
    // SAFETY: the text ends with a NUL.
    match unsafe { IpHelper::if_nametoindex(name.as_ptr().cast()) } {
        0 => Err(missing()),
        number => Ok(number),
    }
}

/// The greatest length of an `ipc://` path in bytes: `sun_path` has 108 and holds a NUL.
pub(crate) const LONGEST_IPC_PATH: usize = 107;

/// Whether a file is the socket of an ipc listener, which is a reparse point.
pub(crate) fn is_socket_file(file: &Metadata) -> bool {
    const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x400;
    file.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0
}

/// Options to read a file without waiting.
pub(crate) fn read_at_once() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

/// Options to write a new file. Windows has no such permissions: the file has those that its directory hands on.
pub(crate) fn create_with_mode(_mode: u32) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    options
}

/// The attributes of a file that show a change.
#[derive(Clone, PartialEq)]
pub(crate) struct Stamp {
    created: u64,
    written: u64,
    size: u64,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Stamp {
        Stamp { created: metadata.creation_time(), written: metadata.last_write_time(), size: metadata.file_size() }
    }

    /// The time of the last change, since 1970. Windows counts in 100 ns since 1601.
    pub(crate) fn last_change(&self) -> Duration {
        const UNTIL_1970: u64 = 11_644_473_600;
        const IN_A_SECOND: u64 = 10_000_000;
        let last = self.created.max(self.written);
        let seconds = (last / IN_A_SECOND).saturating_sub(UNTIL_1970);
        Duration::new(seconds, (last % IN_A_SECOND * 100) as u32)
    }
}

//! `Errno`: the error numbers.

use std::borrow::Cow;
use std::fmt;
use std::io;

use super::Error;
use crate::raw::platform;

/// An error number as libzmq reports it: the system's `errno` values and libzmq's own four.
///
/// The set is open: a number without a name here is kept. [`Error`], [`SendError`](crate::SendError) and
/// [`RecvStringError`](crate::RecvStringError) can be compared with it. Its text is that of `zmq_strerror`, with its name.
///
/// ```
/// use zmq::Errno;
///
/// # fn main() -> zmq::Result<()> {
/// assert_eq!(Errno::EAGAIN.name(), Some("EAGAIN"));
/// assert_eq!(Errno::from_raw(987_654).name(), None);
/// assert_eq!(Errno::from_raw(987_654).raw(), 987_654);
///
/// # let context = zmq::Context::new()?;
/// let error = context.socket(zmq::Rep)?.bind("tcp://127.0.0.1:70000").unwrap_err();
/// assert!(error == Errno::EINVAL);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_errno")]
#[doc(alias = "ZMQ_HAUSNUMERO")]
#[doc(alias = "EAGAIN")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(i32);

macro_rules! errnos {
    ($($(#[doc = $doc:literal])* $name:ident = $value:expr;)*) => {
        impl Errno {
            $($(#[doc = $doc])* pub const $name: Errno = Errno($value as i32);)*

            /// The number's C name, if it is one that libzmq documents.
            ///
            /// ```
            /// assert_eq!(zmq::Errno::EFSM.name(), Some("EFSM"));
            /// assert_eq!(zmq::Errno::from_raw(99_999).name(), None);
            /// ```
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Errno::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }

        /// The numbers under the names that they have in rust-zmq: `error == Error::EAGAIN`.
        impl Error {
            $(#[doc(hidden)] pub const $name: Errno = Errno::$name;)*
        }
    };
}

errnos! {
    /// The call would have to wait and must not, or its time-out has passed.
    EAGAIN = libc::EAGAIN;
    /// A signal arrived.
    EINTR = libc::EINTR;
    /// An argument is out of its range, or makes no sense here.
    EINVAL = libc::EINVAL;
    /// A handle or address is not valid.
    EFAULT = libc::EFAULT;
    /// No memory.
    ENOMEM = libc::ENOMEM;
    /// Too many open files or sockets: the process's limit, or the context's `ZMQ_MAX_SOCKETS`.
    EMFILE = libc::EMFILE;
    /// Too many open files in the system.
    ENFILE = libc::ENFILE;
    /// No such network interface.
    ENODEV = libc::ENODEV;
    /// No such endpoint, file or directory.
    ENOENT = libc::ENOENT;
    /// The name is too long.
    ENAMETOOLONG = libc::ENAMETOOLONG;
    /// A bad file descriptor.
    EBADF = libc::EBADF;
    /// A protocol error.
    EPROTO = libc::EPROTO;
    /// Permission denied.
    EACCES = libc::EACCES;
    /// The operation is not permitted.
    EPERM = libc::EPERM;
    /// The peer is gone.
    EPIPE = libc::EPIPE;
    /// The socket kind, or this build of libzmq, does not have this operation.
    ENOTSUP = libc::ENOTSUP;
    /// Unknown transport, or one that this libzmq was built without.
    EPROTONOSUPPORT = libc::EPROTONOSUPPORT;
    /// No buffer space.
    ENOBUFS = libc::ENOBUFS;
    /// The network is down.
    ENETDOWN = libc::ENETDOWN;
    /// The address is in use.
    EADDRINUSE = libc::EADDRINUSE;
    /// The address is not one of this machine's.
    EADDRNOTAVAIL = libc::EADDRNOTAVAIL;
    /// The connection was refused.
    ECONNREFUSED = libc::ECONNREFUSED;
    /// The operation goes on in the background.
    EINPROGRESS = libc::EINPROGRESS;
    /// The operation was cancelled.
    ECANCELED = libc::ECANCELED;
    /// Not a socket.
    ENOTSOCK = libc::ENOTSOCK;
    /// The message is too large.
    EMSGSIZE = libc::EMSGSIZE;
    /// The address family is not supported.
    EAFNOSUPPORT = libc::EAFNOSUPPORT;
    /// The network cannot be reached.
    ENETUNREACH = libc::ENETUNREACH;
    /// The connection was aborted.
    ECONNABORTED = libc::ECONNABORTED;
    /// The connection was reset.
    ECONNRESET = libc::ECONNRESET;
    /// Not connected.
    ENOTCONN = libc::ENOTCONN;
    /// The connection timed out.
    ETIMEDOUT = libc::ETIMEDOUT;
    /// No such peer (ROUTER with `ZMQ_ROUTER_MANDATORY`, STREAM).
    EHOSTUNREACH = libc::EHOSTUNREACH;
    /// The network reset the connection.
    ENETRESET = libc::ENETRESET;
    /// Not possible in the socket's present state, such as two sends in a row on a REQ.
    EFSM = zmq_sys::EFSM;
    /// The transport and the socket kind do not fit each other.
    ENOCOMPATPROTO = zmq_sys::ENOCOMPATPROTO;
    /// The context was shut down.
    ETERM = zmq_sys::ETERM;
    /// No I/O thread is there to do the work.
    EMTHREAD = zmq_sys::EMTHREAD;
}

impl Errno {
    /// The error of this number.
    ///
    /// ```
    /// assert_eq!(zmq::Errno::from_raw(zmq::Errno::ETERM.raw()), zmq::Errno::ETERM);
    /// ```
    pub const fn from_raw(number: i32) -> Errno {
        Errno(number)
    }

    /// The number.
    ///
    /// ```
    /// assert_eq!(zmq::Errno::EAGAIN.raw(), libc::EAGAIN);
    /// ```
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The error number of an [`io::Error`], or `otherwise` if it has none. Errors of system calls have one.
    pub(crate) fn from_io(error: &io::Error, otherwise: Errno) -> Errno {
        platform::errno_of(error).map_or(otherwise, Errno)
    }

    /// The text that `zmq_strerror` has for the number. libzmq has texts for its own four errors.
    pub(crate) fn text(self) -> Cow<'static, str> {
        match self {
            Errno::EFSM => "Operation cannot be accomplished in current state".into(),
            Errno::ENOCOMPATPROTO => "The protocol is not compatible with the socket type".into(),
            Errno::ETERM => "Context was terminated".into(),
            Errno::EMTHREAD => "No thread available".into(),
            Errno(number) => platform::errno_text(number).into(),
        }
    }

    /// The error of `call` in a forked child, for a `what` that the parent made.
    pub(crate) fn inherited(self, call: &'static str, what: &str) -> Error {
        self.with_detail(call, format_args!("the {what} belongs to the process that this one was forked from"))
    }

    /// The error of `call`, without a detail.
    pub(crate) fn for_call(self, call: &'static str) -> Error {
        Error { errno: self, call, detail: None }
    }

    /// The error of `call`, with a detail.
    pub(crate) fn with_detail(self, call: &'static str, detail: impl fmt::Display) -> Error {
        Error::new(self, call, detail)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name}"),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())?;
        match self.name() {
            Some(name) => write!(f, " ({name})"),
            None => write!(f, " (errno {})", self.0),
        }
    }
}

impl std::error::Error for Errno {}

impl From<Errno> for io::ErrorKind {
    fn from(errno: Errno) -> io::ErrorKind {
        match errno {
            Errno::EFSM | Errno::ENOCOMPATPROTO => io::ErrorKind::InvalidInput,
            Errno::ETERM => io::ErrorKind::BrokenPipe,
            Errno::EMTHREAD => io::ErrorKind::Other,
            Errno(number) => platform::io_error(number).kind(),
        }
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> io::Error {
        match errno {
            Errno::EFSM | Errno::ENOCOMPATPROTO | Errno::ETERM | Errno::EMTHREAD => io::Error::new(errno.into(), errno),
            Errno(number) => platform::io_error(number),
        }
    }
}

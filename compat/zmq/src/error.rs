//! `Error`: a number out of a closed list.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use safe::Errno;
use zmq_sys::errno;

pub type Result<T> = std::result::Result<T, Error>;

macro_rules! errors {
    ($($name:ident)*; $($other:ident = $same:ident)*) => {
        #[derive(Clone, Copy, Eq, PartialEq)]
        pub enum Error {
            $($name,)*
        }

        impl Error {
            pub fn to_raw(self) -> i32 {
                match self {
                    $(Error::$name => errno::$name,)*
                }
            }

            /// # Panics
            ///
            /// If the list does not have the number.
            pub fn from_raw(raw: i32) -> Error {
                match raw {
                    $(errno::$name => Error::$name,)*
                    $(errno::$other => Error::$same,)*
                    raw => panic!("unknown error [{raw}]: {}", safe::strerror(Errno::from_raw(raw))),
                }
            }
        }
    };
}

errors! {
    EACCES EADDRINUSE EAGAIN EBUSY ECONNREFUSED EFAULT EINTR EHOSTUNREACH EINPROGRESS EINVAL EMFILE EMSGSIZE
    ENAMETOOLONG ENODEV ENOENT ENOMEM ENOTCONN ENOTSOCK EPROTO EPROTONOSUPPORT ENOTSUP ENOBUFS ENETDOWN EADDRNOTAVAIL
    EFSM ENOCOMPATPROTO ETERM EMTHREAD;

    ENOTSUP_ALT = ENOTSUP
    EPROTONOSUPPORT_ALT = EPROTONOSUPPORT
    ENOBUFS_ALT = ENOBUFS
    ENETDOWN_ALT = ENETDOWN
    EADDRINUSE_ALT = EADDRINUSE
    EADDRNOTAVAIL_ALT = EADDRNOTAVAIL
    ECONNREFUSED_ALT = ECONNREFUSED
    EINPROGRESS_ALT = EINPROGRESS
    ENOTSOCK_ALT = ENOTSOCK
    EMSGSIZE_ALT = EMSGSIZE
}

impl Error {
    /// libzmq's text for the number.
    pub fn message(self) -> &'static str {
        // The text is made once for each number, and never freed.
        static TEXTS: Mutex<BTreeMap<i32, &'static str>> = Mutex::new(BTreeMap::new());
        let raw = self.to_raw();
        let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
        texts.entry(raw).or_insert_with(|| safe::strerror(Errno::from_raw(raw)).leak())
    }
}

impl std::error::Error for Error {
    fn description(&self) -> &str {
        self.message()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        use io::ErrorKind;

        let kind = match error {
            Error::ENOENT => ErrorKind::NotFound,
            Error::EACCES => ErrorKind::PermissionDenied,
            Error::ECONNREFUSED => ErrorKind::ConnectionRefused,
            Error::ENOTCONN => ErrorKind::NotConnected,
            Error::EADDRINUSE => ErrorKind::AddrInUse,
            Error::EADDRNOTAVAIL => ErrorKind::AddrNotAvailable,
            Error::EAGAIN => ErrorKind::WouldBlock,
            Error::EINVAL => ErrorKind::InvalidInput,
            Error::EINTR => ErrorKind::Interrupted,
            _ => ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

impl From<Errno> for Error {
    #[cold]
    fn from(errno: Errno) -> Error {
        match errno {
            // The list does not have these.
            Errno::ENFILE => Error::EMFILE,
            Errno::EPERM => Error::EACCES,
            errno => Error::from_raw(errno.raw()),
        }
    }
}

impl From<safe::Error> for Error {
    fn from(error: safe::Error) -> Error {
        error.errno().into()
    }
}

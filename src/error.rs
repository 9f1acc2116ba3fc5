//! Errors: their numbers, and the types that calls return.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::string::FromUtf8Error;

/// The result of most calls of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error number as libzmq reports it: the system's `errno` values and libzmq's own four.
///
/// The set is open: a number without a name here is kept. [`Error`], [`SendError`] and [`RecvStringError`] can be compared
/// with it. Its text is that of `zmq_strerror`, with its name.
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
        error.raw_os_error().map_or(otherwise, Errno)
    }

    /// The text that `zmq_strerror` has for the number. libzmq has texts for its own four errors. For the others it calls
    /// `strerror`, whose buffer threads may share, so this function asks std, which calls `strerror_r`.
    pub(crate) fn text(self) -> Cow<'static, str> {
        match self {
            Errno::EFSM => "Operation cannot be accomplished in current state".into(),
            Errno::ENOCOMPATPROTO => "The protocol is not compatible with the socket type".into(),
            Errno::ETERM => "Context was terminated".into(),
            Errno::EMTHREAD => "No thread available".into(),
            Errno(number) => {
                let mut text = io::Error::from_raw_os_error(number).to_string();
                text.truncate(text.rfind(" (os error ").unwrap_or(text.len()));
                text.into()
            }
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
            Errno(number) => io::Error::from_raw_os_error(number).kind(),
        }
    }
}

/// A call that failed, with the reason, and the endpoint or value.
///
/// The text names the C function or option and the endpoint or value it was given. `{:?}` gives the same text, so a program
/// prints it if its `main` returns the error; `{:#?}` gives the fields.
///
/// ```
/// # fn main() -> zmq::Result<()> {
/// let context = zmq::Context::new()?;
/// let socket = context.socket(zmq::Rep)?;
/// let error = socket.bind("tcp://127.0.0.1:70000").unwrap_err();
/// assert_eq!(error.errno(), zmq::Errno::EINVAL);
/// assert_eq!(error.call(), "zmq_bind");
/// assert!(error.to_string().contains("tcp://127.0.0.1:70000"));
/// assert_eq!(format!("{error:?}"), error.to_string());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {errno}{}", Detail(.detail))]
pub struct Error {
    errno: Errno,
    call: &'static str,
    detail: Option<Box<str>>,
}

struct Detail<'a>(&'a Option<Box<str>>);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl Error {
    /// An error of a library on top of this one: the reason, the call that failed, and a detail. An empty detail is none.
    ///
    /// ```
    /// use zmq::{Errno, Error};
    ///
    /// let error = Error::new(Errno::ECANCELED, "zmq_msg_send", "the worker has ended");
    /// assert!(error == Errno::ECANCELED);
    /// assert_eq!(error.detail(), Some("the worker has ended"));
    /// ```
    pub fn new(errno: Errno, call: &'static str, detail: impl fmt::Display) -> Error {
        let detail = detail.to_string();
        Error { errno, call, detail: (!detail.is_empty()).then(|| detail.into_boxed_str()) }
    }

    /// This error as that of another call.
    pub(crate) fn for_call(self, call: &'static str) -> Error {
        Error { call, ..self }
    }

    /// The reason as a number.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let error = context.socket(zmq::Rep)?.bind("tcp://127.0.0.1:70000").unwrap_err();
    /// assert_eq!(error.errno(), zmq::Errno::EINVAL);
    /// # Ok(())
    /// # }
    /// ```
    pub fn errno(&self) -> Errno {
        self.errno
    }

    /// The C function or option that failed, such as `zmq_bind` or `ZMQ_LINGER`.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let error = context.socket(zmq::Rep)?.bind("tcp://127.0.0.1:70000").unwrap_err();
    /// assert_eq!(error.call(), "zmq_bind");
    /// # Ok(())
    /// # }
    /// ```
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The subject of the call: the endpoint, the option's value, the exceeded limit.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let error = context.socket(zmq::Rep)?.bind("tcp://127.0.0.1:70000").unwrap_err();
    /// assert!(error.detail().is_some_and(|detail| detail.contains("70000")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

/// The error's text; `{:#?}` gives the fields.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        let Error { errno, call, detail } = self;
        f.debug_struct("Error").field("errno", errno).field("call", call).field("detail", detail).finish()
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::new(error.errno.into(), error)
    }
}

/// The error of a conversion that cannot fail.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Error {
        match never {}
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> io::Error {
        match errno {
            Errno::EFSM | Errno::ENOCOMPATPROTO | Errno::ETERM | Errno::EMTHREAD => io::Error::new(errno.into(), errno),
            Errno(number) => io::Error::from_raw_os_error(number),
        }
    }
}

/// A routing id in an error's text, cut to 32 bytes.
pub(crate) struct LongId<'a>(pub(crate) &'a [u8]);

impl fmt::Display for LongId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 32;
        let head = &self.0[..self.0.len().min(SHOWN)];
        write!(f, "\"{}\"", head.escape_ascii())?;
        if head.len() < self.0.len() { write!(f, "... ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

/// A send that failed, and the message that was not sent.
///
/// `?` turns it into an [`Error`], which drops the message; [`SendError::into_message`] keeps it. Its content is unchanged.
/// The properties of the connection that it was received from ([`Message::gets`](crate::Message::gets)) may be gone.
///
/// ```
/// use zmq::{Context, Errno, Req};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let client = context.socket(Req)?;
/// client.connect("inproc://nobody-yet")?;
/// client.send("first")?;
/// let failed = client.send("second").unwrap_err();
/// assert_eq!(failed.errno(), Errno::EFSM);
/// assert_eq!(failed.into_message().as_str(), Some("second"));
/// # Ok(())
/// # }
/// ```
#[derive(thiserror::Error)]
#[error("{error}")]
pub struct SendError<M = crate::Message> {
    message: M,
    error: Error,
}

impl<M> SendError<M> {
    /// An error of a library on top of this one, which gives the message back.
    ///
    /// ```
    /// use zmq::{Errno, Error, SendError};
    ///
    /// let error = Error::new(Errno::ECANCELED, "zmq_msg_send", "the worker has ended");
    /// assert_eq!(SendError::new("job", error).into_message(), "job");
    /// ```
    pub fn new(message: M, error: Error) -> Self {
        SendError { message, error }
    }

    /// The reason as a number.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let failed = context.socket(zmq::Rep)?.send("no request came").unwrap_err();
    /// assert_eq!(failed.errno(), zmq::Errno::EFSM);
    /// # Ok(())
    /// # }
    /// ```
    pub fn errno(&self) -> Errno {
        self.error.errno
    }

    /// The reason as an [`Error`].
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let failed = context.socket(zmq::Rep)?.send("no request came").unwrap_err();
    /// assert_eq!(failed.error().call(), "zmq_msg_send");
    /// # Ok(())
    /// # }
    /// ```
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The message that was not sent.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let failed = context.socket(zmq::Rep)?.send("no request came").unwrap_err();
    /// assert_eq!(failed.message().as_str(), Some("no request came"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn message(&self) -> &M {
        &self.message
    }

    /// Returns the message that was not sent.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let failed = context.socket(zmq::Rep)?.send("no request came").unwrap_err();
    /// assert_eq!(failed.into_message().as_str(), Some("no request came"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_message(self) -> M {
        self.message
    }

    /// The message and the reason.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let failed = context.socket(zmq::Rep)?.send("no request came").unwrap_err();
    /// let (message, error) = failed.into_parts();
    /// assert_eq!((message.len(), error.errno()), (15, zmq::Errno::EFSM));
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_parts(self) -> (M, Error) {
        (self.message, self.error)
    }
}

/// The error's text, and the message; `{:#?}` gives the fields.
impl<M: fmt::Debug> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SendError { message, error } = self;
        if f.alternate() {
            return f.debug_struct("SendError").field("message", message).field("error", error).finish();
        }
        write!(f, "{error}; not sent: {message:?}")
    }
}

impl<M> From<SendError<M>> for Error {
    fn from(failed: SendError<M>) -> Error {
        failed.error
    }
}

impl<M> From<SendError<M>> for io::Error {
    fn from(failed: SendError<M>) -> io::Error {
        failed.error.into()
    }
}

/// The error of receiving a string: the receive failed, or the message is not UTF-8, and the error has its bytes.
///
/// `?` turns it into an [`Error`] too.
///
/// ```
/// use zmq::{Context, Errno, Pair, RecvStringError};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let context = Context::new()?;
/// let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
/// left.bind("inproc://pair")?;
/// right.connect("inproc://pair")?;
/// left.send([0xff, 0xfe])?;
/// let failed = right.recv_string().unwrap_err();
/// assert_eq!(failed.errno(), Errno::EINVAL);
/// let RecvStringError::NotUtf8(error) = failed else { panic!("{failed}") };
/// assert_eq!(error.into_bytes(), [0xff, 0xfe]);
/// # Ok(())
/// # }
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RecvStringError {
    /// Nothing was received.
    #[error(transparent)]
    Recv(#[from] Error),
    /// The message was received and is not UTF-8; [`FromUtf8Error::into_bytes`] gives its content.
    #[error("zmq_msg_recv: the message is not UTF-8: {0}")]
    NotUtf8(#[source] FromUtf8Error),
}

impl RecvStringError {
    /// The reason as a number: `EINVAL` if the message is not UTF-8.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let failed = context.socket(zmq::Req)?.recv_string().unwrap_err();
    /// assert_eq!(failed.errno(), zmq::Errno::EFSM);
    /// # Ok(())
    /// # }
    /// ```
    pub fn errno(&self) -> Errno {
        match self {
            RecvStringError::Recv(error) => error.errno,
            RecvStringError::NotUtf8(_) => Errno::EINVAL,
        }
    }
}

/// The error's text; `{:#?}` gives the fields.
impl fmt::Debug for RecvStringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        match self {
            RecvStringError::Recv(error) => f.debug_tuple("Recv").field(error).finish(),
            RecvStringError::NotUtf8(error) => f.debug_tuple("NotUtf8").field(error).finish(),
        }
    }
}

impl From<RecvStringError> for Error {
    fn from(failed: RecvStringError) -> Error {
        match failed {
            RecvStringError::Recv(error) => error,
            RecvStringError::NotUtf8(error) => {
                Errno::EINVAL.with_detail("zmq_msg_recv", format_args!("not UTF-8: {error}"))
            }
        }
    }
}

impl From<RecvStringError> for io::Error {
    fn from(failed: RecvStringError) -> io::Error {
        match failed {
            RecvStringError::Recv(error) => error.into(),
            RecvStringError::NotUtf8(error) => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}

/// An error equals an [`Errno`] if its own number is the same.
macro_rules! compares_with_errno {
    ($($error:ty $(, $parameter:ident)?;)*) => {$(
        impl$(<$parameter>)? PartialEq<Errno> for $error {
            fn eq(&self, errno: &Errno) -> bool {
                self.errno() == *errno
            }
        }

        impl$(<$parameter>)? PartialEq<$error> for Errno {
            fn eq(&self, error: &$error) -> bool {
                *self == error.errno()
            }
        }
    )*};
}

compares_with_errno! {
    Error;
    SendError<M>, M;
    RecvStringError;
}

//! `Error`, `SendError` and `RecvStringError`, the errors of calls.

mod errno;

pub use errno::Errno;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::string::FromUtf8Error;

/// The result of most calls of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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

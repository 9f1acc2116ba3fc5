//! Calls that wait for a given time, or not at all.

use std::fmt;
use std::time::Duration;

use zmq::{CanRecv, CanSend, Errno, Kind, Multipart, Result, SendError, SocketType, TrySend};

use super::SharedSocket;
use crate::deadline::Deadline;

/// One call on a [`SharedSocket`], which waits for a given time at most: made by [`SharedSocket::now`] and
/// [`SharedSocket::within`].
///
/// Each method does the same as the method of [`SharedSocket`] with its name. The time begins when the method is called,
/// after its arguments are made. If the time has passed, a receive gives `None` and a send gives its message back
/// ([`TrySend`]): `EAGAIN` is no error here.
///
/// ```
/// # use std::time::Duration;
/// # use zmq::{Context, Push, TrySend};
/// # use zmq_patterns::SharedSocket;
/// # fn main() -> zmq::Result<()> {
/// # let context = Context::new()?;
/// let lonely = SharedSocket::new(context.owned_socket(Push)?)?;
/// match lonely.within(Duration::from_millis(10)).send_multipart(["key", "value"])? {
///     TrySend::Sent => unreachable!("a PUSH without peers has no room"),
///     TrySend::WouldBlock(message) => assert_eq!(message, ["key", "value"]),
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing until it sends or receives"]
pub struct SharedWithin<'s, T = Kind> {
    shared: &'s SharedSocket<T>,
    /// `None` waits for ever.
    timeout: Option<Duration>,
}

/// # How long a call waits
impl<T: SocketType> SharedSocket<T> {
    /// `shared.now().recv_multipart()` does not wait. It gives `None` also while another handle waits for a message, whose turn
    /// comes first; a send gives its message back also while another handle waits for room.
    ///
    /// ```
    /// # use zmq::{Context, Pull};
    /// # use zmq_patterns::SharedSocket;
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let shared = SharedSocket::new(context.owned_socket(Pull)?)?;
    /// assert!(shared.now().recv_multipart()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_DONTWAIT")]
    pub fn now(&self) -> SharedWithin<'_, T> {
        self.within(Duration::ZERO)
    }

    /// `shared.within(timeout).recv_multipart()` waits for `timeout` at most. `None` waits for ever, a zero [`Duration`] not at
    /// all. The time begins when the second method is called, after its arguments are made.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zmq::{Context, Pull};
    /// # use zmq_patterns::SharedSocket;
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let shared = SharedSocket::new(context.owned_socket(Pull)?)?;
    /// assert!(shared.within(Duration::from_millis(10)).recv_multipart()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn within(&self, timeout: impl Into<Option<Duration>>) -> SharedWithin<'_, T> {
        SharedWithin { shared: self, timeout: timeout.into() }
    }
}

impl<T: SocketType> SharedWithin<'_, T> {
    /// The deadline of the call, whose time begins now; `None` if the call must not wait.
    fn deadline(&self) -> Option<Deadline> {
        (self.timeout != Some(Duration::ZERO)).then(|| Deadline::after(self.timeout))
    }

    /// Sends a message: see [`SharedSocket::send_multipart`].
    ///
    /// # Errors
    ///
    /// The errors of [`SharedSocket::send_multipart`].
    #[doc(alias = "zmq_send")]
    #[doc(alias = "zmq_msg_send")]
    pub fn send_multipart(self, message: impl Into<Multipart>) -> Result<TrySend<Multipart>, SendError<Multipart>>
    where
        T: CanSend,
    {
        let message = message.into();
        match self.shared.send_until(message, self.deadline()) {
            Ok(()) => Ok(TrySend::Sent),
            Err(failed) if failed.errno() == Errno::EAGAIN => Ok(TrySend::WouldBlock(failed.into_message())),
            Err(failed) => Err(failed),
        }
    }

    /// Receives a message: see [`SharedSocket::recv_multipart`].
    ///
    /// # Errors
    ///
    /// The errors of [`SharedSocket::recv_multipart`].
    #[doc(alias = "zmq_recv")]
    #[doc(alias = "zmq_msg_recv")]
    pub fn recv_multipart(self) -> Result<Option<Multipart>>
    where
        T: CanRecv,
    {
        match self.shared.recv_until(self.deadline()) {
            Err(error) if error.errno() == Errno::EAGAIN => Ok(None),
            received => received.map(Some),
        }
    }
}

impl<T> fmt::Debug for SharedWithin<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedWithin").field("shared", self.shared).field("timeout", &self.timeout).finish()
    }
}

//! Sending.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use super::readiness::Direction;
use super::shared::Access;
use super::{AsyncSender, AsyncSocket};
use crate::error::{Errno, SendError};
use crate::kind::{CanMultipart, CanSend, SocketType};
use crate::message::{IntoMessage, Message};
use crate::multipart::{IntoMultipart, Multipart};
use crate::raw::{ByType, by_type};
use crate::socket::Wait;

const CALL: &str = "zmq_msg_send";

/// Sends bytes or a message without a move: moving a message costs some per cent of sending it. False if [`poll_send`] must send
/// the message.
#[inline]
fn poll_send_unmoved<T: SocketType>(
    access: &mut impl Access<T>,
    cx: &mut Context<'_>,
    message: &mut impl IntoMessage,
) -> Poll<bool> {
    if matches!(by_type(message), ByType::Other) {
        return Poll::Ready(false);
    }
    let mut is_sent = false;
    let polled = access.poll(Direction::Send, CALL, cx, |socket| {
        let sent = socket.core().send_now(message);
        is_sent = sent.is_ok();
        sent != Err(Errno::EAGAIN)
    });
    polled.map(|ended| ended.is_ok() && is_sent)
}

/// Sends the message in `unsent`, and leaves it there until that is done.
fn poll_send<T: SocketType>(
    access: &mut impl Access<T>,
    cx: &mut Context<'_>,
    unsent: &mut Option<Message>,
) -> Poll<Result<(), SendError>> {
    let Some(message) = unsent else { return Poll::Ready(Ok(())) };
    let mut sent = Ok(());
    let polled = ready!(access.poll(Direction::Send, CALL, cx, |socket| {
        sent = socket.core().send_in_place(message, false, Wait::No);
        !sent.as_ref().is_err_and(|error| error.errno() == Errno::EAGAIN)
    }));
    let sent = polled.and(sent);
    let message = unsent.take().unwrap_or_default();
    Poll::Ready(sent.map_err(|error| SendError::new(message, error)))
}

fn poll_send_multipart<T: SocketType>(
    access: &mut impl Access<T>,
    cx: &mut Context<'_>,
    unsent: &mut Option<Multipart>,
) -> Poll<Result<(), SendError<Multipart>>> {
    if unsent.is_none() {
        return Poll::Ready(Ok(()));
    }
    let mut sent = Ok(());
    let polled = ready!(access.poll(Direction::Send, CALL, cx, |socket| {
        let Some(parts) = unsent.take() else { return true };
        match socket.core().send_parts(parts, Wait::No) {
            Err(error) if error.errno() == Errno::EAGAIN => {
                *unsent = Some(error.into_message());
                false
            }
            done => {
                sent = done;
                true
            }
        }
    }));
    Poll::Ready(match polled {
        Ok(()) => sent,
        Err(error) => Err(SendError::new(unsent.take().unwrap_or_default(), error)),
    })
}

macro_rules! sending {
    ($name:ident) => {
        /// # Sending
        impl<T: SocketType> $name<T> {
            /// Sends a message of one part: see [`Socket::send`](crate::Socket::send). It waits while libzmq has no room for the
            /// message.
            ///
            /// # Cancel safety
            ///
            /// If the future is dropped before it is ready, the message is not sent, and is dropped with it.
            /// [`poll_send`](Self::poll_send) leaves an unsent message with the caller.
            ///
            /// # Errors
            ///
            /// Those of [`Socket::send`](crate::Socket::send), except `EAGAIN` and `EINTR`: `ZMQ_SNDTIMEO` has no effect, and
            /// signals do not end the wait. `ECANCELED` if the runtime has ended; `EMFILE` or `ENFILE` if the peer of a ROUTER,
            /// XPUB, STREAM, SERVER or PEER is full, and no file descriptor is left for the wait. The message comes back.
            ///
            /// ```
            /// # #[cfg(feature = "tokio")]
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> zmq::Result<()> {
            /// use zmq::aio::{AsyncSocket, Runtime};
            ///
            /// let context = zmq::Context::new()?;
            /// let (push, pull) = (context.owned_socket(zmq::Push)?, context.socket(zmq::Pull)?);
            /// push.connect(&pull.bind("tcp://127.0.0.1:*")?)?;
            #[doc = concat!("let mut push = ", sending!(@make $name), ";")]
            /// push.send("job").await?;
            /// assert_eq!(pull.recv_msg()?, "job");
            /// # Ok(())
            /// # }
            /// # #[cfg(not(feature = "tokio"))]
            /// # fn main() {}
            /// ```
            pub async fn send(&mut self, mut message: impl IntoMessage) -> Result<(), SendError>
            where
                T: CanSend,
            {
                if poll_fn(|cx| poll_send_unmoved(&mut self.shared, cx, &mut message)).await {
                    // A message is empty now and needs no `zmq_msg_close`; bytes need nothing.
                    std::mem::forget(message);
                    return Ok(());
                }
                let mut unsent = Some(message.into());
                poll_fn(|cx| self.poll_send(cx, &mut unsent)).await
            }

            /// Sends a multipart message as a whole: see [`Socket::send_multipart`](crate::Socket::send_multipart).
            ///
            /// # Cancel safety
            ///
            /// As [`send`](Self::send): if the future is dropped before it is ready, no part is sent.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send), and those of [`Socket::send_multipart`](crate::Socket::send_multipart).
            ///
            /// ```
            /// # #[cfg(feature = "tokio")]
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// use zmq::aio::{AsyncSocket, Runtime};
            ///
            /// let context = zmq::Context::new()?;
            /// let (push, pull) = (context.owned_socket(zmq::Push)?, context.socket(zmq::Pull)?);
            /// push.connect(&pull.bind("tcp://127.0.0.1:*")?)?;
            #[doc = concat!("let mut push = ", sending!(@make $name), ";")]
            /// push.send_multipart(["job", "7"]).await?;
            /// assert_eq!(pull.recv_multipart()?, ["job", "7"]);
            /// # Ok(())
            /// # }
            /// # #[cfg(not(feature = "tokio"))]
            /// # fn main() {}
            /// ```
            pub async fn send_multipart(&mut self, parts: impl IntoMultipart) -> Result<(), SendError<Multipart>>
            where
                T: CanSend + CanMultipart,
            {
                let mut unsent = Some(parts.into());
                poll_fn(|cx| self.poll_send_multipart(cx, &mut unsent)).await
            }

            /// [`send`](Self::send) for futures that are written by hand. It takes the message from `unsent` when it is sent,
            /// or when it comes back in the error. Ready at once if there is none.
            ///
            /// ```
            /// # #[cfg(feature = "tokio")]
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> zmq::Result<()> {
            /// use std::future::poll_fn;
            /// use std::time::Duration;
            /// use tokio::time::timeout;
            /// use zmq::aio::{AsyncSocket, Runtime};
            ///
            /// let context = zmq::Context::new()?;
            /// let push = context.owned_socket(zmq::Push)?;
            #[doc = concat!("let mut push = ", sending!(@make $name), ";")]
            /// let mut unsent = Some("nobody is there".into());
            /// let send = poll_fn(|cx| push.poll_send(cx, &mut unsent));
            /// assert!(timeout(Duration::from_millis(10), send).await.is_err());
            /// assert_eq!(unsent, Some("nobody is there".into()));
            /// # Ok(())
            /// # }
            /// # #[cfg(not(feature = "tokio"))]
            /// # fn main() {}
            /// ```
            pub fn poll_send(
                &mut self,
                cx: &mut Context<'_>,
                unsent: &mut Option<Message>,
            ) -> Poll<Result<(), SendError>>
            where
                T: CanSend,
            {
                poll_send(&mut self.shared, cx, unsent)
            }

            /// [`send_multipart`](Self::send_multipart) for futures that are written by hand: see
            /// [`poll_send`](Self::poll_send).
            pub fn poll_send_multipart(
                &mut self,
                cx: &mut Context<'_>,
                unsent: &mut Option<Multipart>,
            ) -> Poll<Result<(), SendError<Multipart>>>
            where
                T: CanSend + CanMultipart,
            {
                poll_send_multipart(&mut self.shared, cx, unsent)
            }
        }
    };
    (@make AsyncSocket) => {
        "AsyncSocket::new(push, Runtime::Tokio)?"
    };
    (@make AsyncSender) => {
        "AsyncSocket::new(push, Runtime::Tokio)?.split().0"
    };
}

sending!(AsyncSocket);
sending!(AsyncSender);

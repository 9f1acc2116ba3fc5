//! Sending.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::readiness::Direction;
use super::shared::Shared;
use super::{AsyncSender, AsyncSocket};
use crate::error::{Errno, SendError};
use crate::kind::{CanMultipart, CanSend, SocketType};
use crate::message::{IntoMessage, Message};
use crate::multipart::{IntoMultipart, Multipart};
use crate::socket::{Socket, Wait};

const CALL: &str = "zmq_msg_send";

impl<T: SocketType> Shared<T> {
    /// Sends the message in `unsent`, and leaves it there until that is done.
    fn poll_send_by<M: Default>(
        &self,
        cx: &mut Context<'_>,
        unsent: &mut Option<M>,
        send: impl Fn(&Socket<'static, T>, M) -> Result<(), SendError<M>>,
    ) -> Poll<Result<(), SendError<M>>> {
        let sent = self.poll(Direction::Send, CALL, cx, |socket| {
            let Some(message) = unsent.take() else { return Some(Ok(())) };
            match send(socket, message) {
                Err(error) if error.errno() == Errno::EAGAIN => {
                    *unsent = Some(error.into_message());
                    None
                }
                sent => Some(sent),
            }
        });
        sent.map(|sent| sent.unwrap_or_else(|error| Err(SendError::new(unsent.take().unwrap_or_default(), error))))
    }

    pub(super) fn poll_send(&self, cx: &mut Context<'_>, unsent: &mut Option<Message>) -> Poll<Result<(), SendError>> {
        self.poll_send_by(cx, unsent, |socket, message| socket.core().send_message(message, false, Wait::No))
    }

    pub(super) fn poll_send_multipart(
        &self,
        cx: &mut Context<'_>,
        unsent: &mut Option<Multipart>,
    ) -> Poll<Result<(), SendError<Multipart>>> {
        self.poll_send_by(cx, unsent, |socket, parts| socket.core().send_parts(parts, Wait::No))
    }
}

macro_rules! sending {
    ($name:ident) => {
        /// # Sending
        impl<T: SocketType> $name<T> {
            /// Sends a message of one part: see [`Socket::send`]. It waits while libzmq has no room for the message.
            ///
            /// # Cancel safety
            ///
            /// If the future is dropped before it is ready, the message is not sent, and is dropped with it.
            /// [`poll_send`](Self::poll_send) leaves an unsent message with the caller.
            ///
            /// # Errors
            ///
            /// Those of [`Socket::send`], except `EAGAIN` and `EINTR`: `ZMQ_SNDTIMEO` has no effect, and signals do not end the
            /// wait. `ECANCELED` if the runtime has ended; `EMFILE` or `ENFILE` if the peer of a ROUTER, XPUB, STREAM, SERVER
            /// or PEER is full, and no file descriptor is left for the wait. The message comes back.
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
            pub async fn send(&mut self, message: impl IntoMessage) -> Result<(), SendError>
            where
                T: CanSend,
            {
                let mut unsent = Some(message.into());
                poll_fn(|cx| self.poll_send(cx, &mut unsent)).await
            }

            /// Sends a multipart message as a whole: see [`Socket::send_multipart`].
            ///
            /// # Cancel safety
            ///
            /// As [`send`](Self::send): if the future is dropped before it is ready, no part is sent.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send), and those of [`Socket::send_multipart`].
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
                self.shared.poll_send(cx, unsent)
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
                self.shared.poll_send_multipart(cx, unsent)
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

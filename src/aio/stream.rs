//! `AsyncStream` and `AsyncSink`: receiving and sending by the traits of the futures crates.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

use super::{AsyncReceiver, AsyncSender};
use crate::error::{Errno, Error, SendError};
use crate::kind::{CanMultipart, CanRecv, CanSend, SocketType};
use crate::message::Message;
use crate::multipart::Multipart;

const CALL: &str = "zmq_msg_send";

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::message::Message {}
    impl Sealed for crate::multipart::Multipart {}
}

/// The type of the messages of a stream or a sink on a socket of kind `T`: [`Message`] for messages of one part, or [`Multipart`] if the
/// kind has messages of several parts.
pub trait WholeMessage<T: SocketType>: sealed::Sealed + Sized + Unpin {
    #[doc(hidden)]
    fn poll_recv(from: &mut AsyncReceiver<T>, cx: &mut Context<'_>) -> Poll<Result<Self, Error>>
    where
        T: CanRecv;

    #[doc(hidden)]
    fn poll_send(
        to: &mut AsyncSender<T>,
        cx: &mut Context<'_>,
        unsent: &mut Option<Self>,
    ) -> Poll<Result<(), SendError<Self>>>
    where
        T: CanSend;
}

impl<T: SocketType> WholeMessage<T> for Message {
    fn poll_recv(from: &mut AsyncReceiver<T>, cx: &mut Context<'_>) -> Poll<Result<Self, Error>>
    where
        T: CanRecv,
    {
        from.poll_recv_msg(cx)
    }

    fn poll_send(
        to: &mut AsyncSender<T>,
        cx: &mut Context<'_>,
        unsent: &mut Option<Self>,
    ) -> Poll<Result<(), SendError<Self>>>
    where
        T: CanSend,
    {
        to.poll_send(cx, unsent)
    }
}

impl<T: CanMultipart> WholeMessage<T> for Multipart {
    fn poll_recv(from: &mut AsyncReceiver<T>, cx: &mut Context<'_>) -> Poll<Result<Self, Error>>
    where
        T: CanRecv,
    {
        from.poll_recv_multipart(cx)
    }

    fn poll_send(
        to: &mut AsyncSender<T>,
        cx: &mut Context<'_>,
        unsent: &mut Option<Self>,
    ) -> Poll<Result<(), SendError<Self>>>
    where
        T: CanSend,
    {
        to.poll_send_multipart(cx, unsent)
    }
}

/// The messages that a half receives, as a [`Stream`]: made by [`AsyncReceiver::into_stream`].
///
/// It ends after the context was shut down. Any other error is an item. The stream goes on after it, unless the error lasts:
/// `ECANCELED` after the end of the runtime, `ENOTSOCK` in a forked child, `EPROTO` of a socket that conflates.
///
/// # Cancel safety
///
/// The future of a call such as `StreamExt::next` takes a message from libzmq when it is ready. If it is dropped before, no
/// message is lost.
pub struct AsyncStream<T: SocketType, M> {
    receiver: AsyncReceiver<T>,
    has_ended: bool,
    messages: PhantomData<fn() -> M>,
}

/// # As a stream
impl<T: SocketType> AsyncReceiver<T> {
    /// The messages as a [`Stream`].
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> zmq::Result<()> {
    /// use futures::StreamExt;
    /// use zmq::Multipart;
    /// use zmq::aio::{AsyncSocket, Runtime};
    ///
    /// let context = zmq::Context::new()?;
    /// let (push, pull) = (context.socket(zmq::Push)?, context.owned_socket(zmq::Pull)?);
    /// push.connect(&pull.bind("tcp://127.0.0.1:*")?)?;
    /// let mut jobs = AsyncSocket::new(pull, Runtime::Tokio)?.split().1.into_stream::<Multipart>();
    /// push.send_multipart(["job", "7"])?;
    /// assert_eq!(jobs.next().await.unwrap()?, ["job", "7"]);
    /// context.shutdown();
    /// assert!(jobs.next().await.is_none());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    pub fn into_stream<M: WholeMessage<T>>(self) -> AsyncStream<T, M>
    where
        T: CanRecv,
    {
        AsyncStream { receiver: self, has_ended: false, messages: PhantomData }
    }
}

impl<T: SocketType, M> AsyncStream<T, M> {
    /// The half that receives.
    pub fn into_receiver(self) -> AsyncReceiver<T> {
        self.receiver
    }
}

impl<T: CanRecv, M: WholeMessage<T>> Stream for AsyncStream<T, M> {
    type Item = Result<M, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let received = ready!(M::poll_recv(&mut self.receiver, cx));
        if received.as_ref().is_err_and(|error| error.errno() == Errno::ETERM) {
            self.has_ended = true;
            return Poll::Ready(None);
        }
        let lasts = |error: &Error| matches!(error.errno(), Errno::ECANCELED | Errno::ENOTSOCK | Errno::EPROTO);
        self.has_ended = received.as_ref().is_err_and(lasts);
        Poll::Ready(Some(received))
    }
}

impl<T: CanRecv, M: WholeMessage<T>> FusedStream for AsyncStream<T, M> {
    fn is_terminated(&self) -> bool {
        self.has_ended
    }
}

impl<T: SocketType, M> fmt::Debug for AsyncStream<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncStream").field("receiver", &self.receiver).field("has_ended", &self.has_ended).finish()
    }
}

/// A half that sends, as a [`Sink`]: made by [`AsyncSender::into_sink`].
///
/// `start_send` stores one message, and `poll_ready` and `poll_flush` hand it to libzmq, waiting for room. A flushed message is
/// in libzmq's queue, as after [`AsyncSender::send`]. `poll_close` flushes too, and the sink takes no message afterwards; the
/// socket closes when its halves are dropped.
///
/// # Cancel safety
///
/// The future of a call such as `SinkExt::send` waits twice: until the sink has no earlier message, and until libzmq has room.
///
/// - If it is dropped in the first wait, its message is dropped with it.
/// - If it is dropped in the second wait, its message stays in the sink. The next send or flush sends it whole, and
///   [`AsyncSink::into_sender`] gives it back.
///
/// A future of [`AsyncSender::send`] that is dropped sends nothing.
pub struct AsyncSink<T: SocketType, M> {
    sender: AsyncSender<T>,
    unsent: Option<M>,
    is_closed: bool,
}

/// # As a sink
impl<T: SocketType> AsyncSender<T> {
    /// The half as a [`Sink`] of messages.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> zmq::Result<()> {
    /// use futures::SinkExt;
    /// use zmq::Message;
    /// use zmq::aio::{AsyncSocket, Runtime};
    ///
    /// let context = zmq::Context::new()?;
    /// let (push, pull) = (context.owned_socket(zmq::Push)?, context.socket(zmq::Pull)?);
    /// push.connect(&pull.bind("tcp://127.0.0.1:*")?)?;
    /// let mut jobs = AsyncSocket::new(push, Runtime::Tokio)?.split().0.into_sink::<Message>();
    /// jobs.feed("one".into()).await?;
    /// jobs.send("two".into()).await?;
    /// assert_eq!(pull.recv_msg()?, "one");
    /// assert_eq!(pull.recv_msg()?, "two");
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    pub fn into_sink<M: WholeMessage<T>>(self) -> AsyncSink<T, M>
    where
        T: CanSend,
    {
        AsyncSink { sender: self, unsent: None, is_closed: false }
    }
}

impl<T: SocketType, M> AsyncSink<T, M> {
    /// The half that sends, and the message that was not flushed.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> zmq::Result<()> {
    /// use futures::{FutureExt, SinkExt};
    /// use zmq::Message;
    /// use zmq::aio::{AsyncSocket, Runtime};
    ///
    /// let context = zmq::Context::new()?;
    /// let (push, _) = AsyncSocket::new(context.owned_socket(zmq::Push)?, Runtime::Tokio)?.split();
    /// let mut jobs = push.into_sink::<Message>();
    /// assert!(jobs.send("nobody is there".into()).now_or_never().is_none());
    /// assert_eq!(jobs.into_sender().1, Some("nobody is there".into()));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    pub fn into_sender(self) -> (AsyncSender<T>, Option<M>) {
        (self.sender, self.unsent)
    }
}

impl<T: CanSend, M: WholeMessage<T>> Sink<M> for AsyncSink<T, M> {
    type Error = SendError<M>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<M>>> {
        self.poll_flush(cx)
    }

    /// # Errors
    ///
    /// `ECANCELED` after the sink was closed, `EAGAIN` if it is not ready. The message comes back.
    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), SendError<M>> {
        if self.is_closed {
            return Err(SendError::new(message, Errno::ECANCELED.with_detail(CALL, "the sink was closed")));
        }
        if self.unsent.is_some() {
            return Err(SendError::new(message, Errno::EAGAIN.with_detail(CALL, "the sink is not ready")));
        }
        self.unsent = Some(message);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<M>>> {
        let AsyncSink { sender, unsent, .. } = &mut *self;
        if unsent.is_none() {
            return Poll::Ready(Ok(()));
        }
        M::poll_send(sender, cx, unsent)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<M>>> {
        self.is_closed = true;
        self.poll_flush(cx)
    }
}

impl<T: SocketType, M> fmt::Debug for AsyncSink<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AsyncSink { sender, unsent, is_closed } = self;
        f.debug_struct("AsyncSink")
            .field("sender", sender)
            .field("has_unsent", &unsent.is_some())
            .field("is_closed", is_closed)
            .finish()
    }
}

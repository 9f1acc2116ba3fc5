//! Receiving.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::readiness::Direction;
use super::shared::Shared;
use super::{AsyncReceiver, AsyncSocket};
use crate::error::Result;
use crate::kind::{CanMultipart, CanRecv, SocketType};
use crate::message::Message;
use crate::multipart::Multipart;
use crate::socket::{Socket, Wait, unless_again};

const CALL: &str = "zmq_msg_recv";

impl<T: SocketType> Shared<T> {
    fn poll_recv<M>(&self, cx: &mut Context<'_>, recv: impl Fn(&Socket<'static, T>) -> Result<M>) -> Poll<Result<M>> {
        self.poll(Direction::Recv, CALL, cx, |socket| unless_again(recv(socket)).transpose()).map(|received| received?)
    }

    pub(super) fn poll_recv_msg(&self, cx: &mut Context<'_>) -> Poll<Result<Message>> {
        self.poll_recv(cx, |socket| socket.core().recv_message(Wait::No))
    }

    pub(super) fn poll_recv_multipart(&self, cx: &mut Context<'_>) -> Poll<Result<Multipart>> {
        self.poll_recv(cx, |socket| socket.core().recv_parts(Wait::No))
    }
}

macro_rules! receiving {
    ($name:ident) => {
        /// # Receiving
        impl<T: SocketType> $name<T> {
            /// Receives a message, or one part of a multipart message: see [`Socket::recv_msg`].
            ///
            /// libzmq delivers messages whole: if a part has others behind it ([`Message::more`]), these are there, and are
            /// received without a wait.
            ///
            /// # Cancel safety
            ///
            /// A message is taken from libzmq when the future is ready. If the future is dropped before, no message is lost.
            ///
            /// # Errors
            ///
            /// Those of [`Socket::recv_msg`], except `EAGAIN` and `EINTR`: `ZMQ_RCVTIMEO` has no effect, and signals do not end
            /// the wait. `ECANCELED` if the runtime has ended.
            ///
            /// ```
            /// # #[cfg(feature = "tokio")]
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> zmq::Result<()> {
            /// use zmq::aio::{AsyncSocket, Runtime};
            ///
            /// let context = zmq::Context::new()?;
            /// let (push, pull) = (context.socket(zmq::Push)?, context.owned_socket(zmq::Pull)?);
            /// push.connect(&pull.bind("tcp://127.0.0.1:*")?)?;
            #[doc = concat!("let mut pull = ", receiving!(@make $name), ";")]
            /// push.send("job")?;
            /// assert_eq!(pull.recv_msg().await?, "job");
            /// # Ok(())
            /// # }
            /// # #[cfg(not(feature = "tokio"))]
            /// # fn main() {}
            /// ```
            pub async fn recv_msg(&mut self) -> Result<Message>
            where
                T: CanRecv,
            {
                poll_fn(|cx| self.poll_recv_msg(cx)).await
            }

            /// Receives a whole multipart message: see [`Socket::recv_multipart`].
            ///
            /// # Cancel safety
            ///
            /// As [`recv_msg`](Self::recv_msg): no message and no part is lost if the future is dropped.
            ///
            /// # Errors
            ///
            /// As [`recv_msg`](Self::recv_msg).
            ///
            /// ```
            /// # #[cfg(feature = "tokio")]
            /// # #[tokio::main(flavor = "current_thread")]
            /// # async fn main() -> zmq::Result<()> {
            /// use std::time::Duration;
            /// use tokio::time::timeout;
            /// use zmq::aio::{AsyncSocket, Runtime};
            ///
            /// let context = zmq::Context::new()?;
            /// let (push, pull) = (context.socket(zmq::Push)?, context.owned_socket(zmq::Pull)?);
            /// push.connect(&pull.bind("tcp://127.0.0.1:*")?)?;
            #[doc = concat!("let mut pull = ", receiving!(@make $name), ";")]
            /// assert!(timeout(Duration::from_millis(10), pull.recv_multipart()).await.is_err());
            /// push.send_multipart(["job", "7"])?;
            /// assert_eq!(pull.recv_multipart().await?, ["job", "7"]);
            /// # Ok(())
            /// # }
            /// # #[cfg(not(feature = "tokio"))]
            /// # fn main() {}
            /// ```
            pub async fn recv_multipart(&mut self) -> Result<Multipart>
            where
                T: CanRecv + CanMultipart,
            {
                poll_fn(|cx| self.poll_recv_multipart(cx)).await
            }

            /// [`recv_msg`](Self::recv_msg) for futures that are written by hand.
            pub fn poll_recv_msg(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message>>
            where
                T: CanRecv,
            {
                self.shared.poll_recv_msg(cx)
            }

            /// [`recv_multipart`](Self::recv_multipart) for futures that are written by hand.
            pub fn poll_recv_multipart(&mut self, cx: &mut Context<'_>) -> Poll<Result<Multipart>>
            where
                T: CanRecv + CanMultipart,
            {
                self.shared.poll_recv_multipart(cx)
            }
        }
    };
    (@make AsyncSocket) => {
        "AsyncSocket::new(pull, Runtime::Tokio)?"
    };
    (@make AsyncReceiver) => {
        "AsyncSocket::new(pull, Runtime::Tokio)?.split().1"
    };
}

receiving!(AsyncSocket);
receiving!(AsyncReceiver);

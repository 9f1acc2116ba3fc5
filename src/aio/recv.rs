//! Receiving.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::readiness::Direction;
use super::shared::Access;
use super::{AsyncReceiver, AsyncSocket};
use crate::error::{Errno, Result};
use crate::kind::{CanMultipart, CanRecv, SocketType};
use crate::message::Message;
use crate::multipart::Multipart;
use crate::raw::{Fresh, RawMessage};
use crate::socket::Wait;

const CALL: &str = "zmq_msg_recv";

#[inline]
fn poll_recv_msg<T: SocketType>(access: &mut impl Access<T>, cx: &mut Context<'_>) -> Poll<Result<Message>> {
    let mut polled = Poll::Pending;
    let mut failed = None;
    let receive = |mut message: Fresh<'_>| {
        polled = access.poll(Direction::Recv, CALL, cx, |socket| match socket.core().recv_now(&mut message) {
            Ok(()) => true,
            Err(Errno::EAGAIN) => false,
            Err(errno) => {
                failed = Some(socket.core().failed(CALL, errno));
                true
            }
        });
        if matches!(polled, Poll::Ready(Ok(()))) && failed.is_none() { Ok(()) } else { Err(()) }
    };
    // The message is not moved until it is received: a move costs some per cent of receiving it.
    match RawMessage::received(receive) {
        Ok(message) => Poll::Ready(Ok(Message::from_raw(message))),
        Err(()) => polled.map(|ended| Err(ended.map_or_else(|error| error, |()| failed.expect("it has failed")))),
    }
}

fn poll_recv_multipart<T: SocketType>(access: &mut impl Access<T>, cx: &mut Context<'_>) -> Poll<Result<Multipart>> {
    let mut received = Ok(Multipart::new());
    let polled = access.poll(Direction::Recv, CALL, cx, |socket| {
        received = socket.core().recv_parts(Wait::No);
        !received.as_ref().is_err_and(|error| error.errno() == Errno::EAGAIN)
    });
    polled.map(|done| done.and(received))
}

macro_rules! receiving {
    ($name:ident) => {
        /// # Receiving
        impl<T: SocketType> $name<T> {
            /// Receives a message, or one part of a multipart message: see [`Socket::recv_msg`](crate::Socket::recv_msg).
            ///
            /// libzmq delivers messages whole: if a part has others behind it ([`Message::more`]), these are there. The task may
            /// give way between two parts, so [`recv_multipart`](Self::recv_multipart) is the call for messages of several.
            ///
            /// # Cancel safety
            ///
            /// A message is taken from libzmq when the future is ready. If the future is dropped before, no message is lost.
            ///
            /// # Errors
            ///
            /// Those of [`Socket::recv_msg`](crate::Socket::recv_msg), except `EAGAIN` and `EINTR`: `ZMQ_RCVTIMEO` has no effect,
            /// and signals do not end the wait. `ECANCELED` if the runtime has ended.
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
            pub fn recv_msg(&mut self) -> impl Future<Output = Result<Message>>
            where
                T: CanRecv,
            {
                poll_fn(|cx| self.poll_recv_msg(cx))
            }

            /// Receives a whole multipart message: see [`Socket::recv_multipart`](crate::Socket::recv_multipart).
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
                poll_recv_msg(&mut self.shared, cx)
            }

            /// [`recv_multipart`](Self::recv_multipart) for futures that are written by hand.
            pub fn poll_recv_multipart(&mut self, cx: &mut Context<'_>) -> Poll<Result<Multipart>>
            where
                T: CanRecv + CanMultipart,
            {
                poll_recv_multipart(&mut self.shared, cx)
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

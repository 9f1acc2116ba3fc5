//! `AsyncProxy`: forwarding between two sockets.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use super::AsyncSocket;
use super::readiness::Direction;
use super::shared::{Access, Shared};
use crate::error::{Errno, Error, Result};
use crate::kind::{Kind, SocketType};
use crate::multipart::Multipart;
use crate::proxy::{self, BACKEND, CAPTURE, FRONTEND, Unforwarded};
use crate::socket::Wait;

const CALL: &str = "zmq_proxy";

/// The number of steps after which a proxy gives way to other tasks. A step forwards a message each way at most.
const STEPS_IN_A_ROW: usize = 128;

/// A proxy for tasks: it forwards messages between two sockets, both ways, as [`proxy()`](crate::proxy()) does, and sends a copy of
/// each to a third socket if it has one.
///
/// It owns the sockets, and the messages that it has received and not sent yet. So [`run`](AsyncProxy::run) may be dropped at
/// any time: the next one goes on, and [`into_parts`](AsyncProxy::into_parts) gives everything back.
///
/// ```
/// # #[cfg(feature = "tokio")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> zmq::Result<()> {
/// use tokio_util::sync::CancellationToken;
/// use zmq::aio::{AsyncProxy, AsyncSocket, Runtime};
/// use zmq::{Context, Dealer, Rep, Req, Router};
///
/// let context = Context::new()?;
/// let (frontend, backend) = (context.owned_socket(Router)?, context.owned_socket(Dealer)?);
/// let (client, server) = (context.owned_socket(Req)?, context.owned_socket(Rep)?);
/// client.connect(&frontend.bind("tcp://127.0.0.1:*")?)?;
/// server.connect(&backend.bind("tcp://127.0.0.1:*")?)?;
/// let (frontend, backend) = (AsyncSocket::new(frontend, Runtime::Tokio)?, AsyncSocket::new(backend, Runtime::Tokio)?);
/// let mut proxy = AsyncProxy::new(frontend, backend)?;
///
/// let shutdown = CancellationToken::new();
/// let until = shutdown.clone();
/// let forwarding = tokio::spawn(async move {
///     tokio::select! {
///         ended = proxy.run() => println!("{ended:?}"),
///         () = until.cancelled() => {}
///     }
///     proxy.into_parts().3
/// });
///
/// let mut client = AsyncSocket::new(client, Runtime::Tokio)?;
/// let mut server = AsyncSocket::new(server, Runtime::Tokio)?;
/// client.send("Hello").await?;
/// let request = server.recv_msg().await?;
/// server.send(request).await?;
/// assert_eq!(client.recv_msg().await?, "Hello");
/// shutdown.cancel();
/// assert!(forwarding.await.unwrap().is_empty());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "tokio"))]
/// # fn main() {}
/// ```
pub struct AsyncProxy<F: SocketType, B: SocketType, C: SocketType = Kind> {
    frontend: AsyncSocket<F>,
    backend: AsyncSocket<B>,
    capture: Option<AsyncSocket<C>>,
    /// From the frontend to the backend, and back. `None` if the kinds of the sockets have no messages that way.
    lanes: [Option<Lane>; 2],
}

/// The message of one direction that was received last.
#[derive(Default)]
struct Lane {
    unsent: Option<Multipart>,
    /// A copy of `unsent`, until it is captured.
    uncaptured: Option<Multipart>,
}

impl<F: SocketType, B: SocketType> AsyncProxy<F, B> {
    /// A proxy between two sockets.
    ///
    /// # Errors
    ///
    /// Those of [`proxy()`](crate::proxy()) about the kinds of the sockets.
    pub fn new(frontend: AsyncSocket<F>, backend: AsyncSocket<B>) -> Result<AsyncProxy<F, B>> {
        AsyncProxy::make(frontend, backend, None)
    }
}

impl<F: SocketType, B: SocketType, C: SocketType> AsyncProxy<F, B, C> {
    /// A proxy that also sends a copy of each message to `capture`.
    ///
    /// # Errors
    ///
    /// Those of [`proxy()`](crate::proxy()) about the kinds of the sockets.
    pub fn with_capture(
        frontend: AsyncSocket<F>,
        backend: AsyncSocket<B>,
        capture: AsyncSocket<C>,
    ) -> Result<AsyncProxy<F, B, C>> {
        AsyncProxy::make(frontend, backend, Some(capture))
    }

    fn make(
        mut frontend: AsyncSocket<F>,
        mut backend: AsyncSocket<B>,
        mut capture: Option<AsyncSocket<C>>,
    ) -> Result<AsyncProxy<F, B, C>> {
        frontend.with(|frontend| {
            backend.with(|backend| {
                let (frontend, backend) = (frontend.core(), backend.core());
                match &mut capture {
                    Some(capture) => {
                        capture.with(|capture| proxy::check(CALL, frontend, backend, Some(capture.core()), None))
                    }
                    None => proxy::check(CALL, frontend, backend, None, None),
                }
            })
        })?;
        let (front, back) = (frontend.shared.kind(), backend.shared.kind());
        let lane =
            |from: Kind, to: Kind| (from.has_ability("CanRecv") && to.has_ability("CanSend")).then(Lane::default);
        let lanes = [lane(front, back), lane(back, front)];
        if lanes.iter().all(Option::is_none) {
            return Err(Errno::EINVAL.with_detail(CALL, format_args!("no messages go between a {front} and a {back}")));
        }
        Ok(AsyncProxy { frontend, backend, capture, lanes })
    }

    /// Forwards messages until it fails.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again: a message that was received and not sent stays in the proxy, and no message is lost.
    ///
    /// # Errors
    ///
    /// They name the socket that failed: the frontend, the backend or the capture socket. `ETERM` after the context was shut
    /// down, and the other errors of [`proxy()`](crate::proxy()). `ECANCELED` if the runtime has ended. The messages that were
    /// not forwarded are in [`into_parts`](AsyncProxy::into_parts).
    pub async fn run(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll_run(cx)).await
    }

    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let AsyncProxy { frontend, backend, capture, lanes: [up, down] } = self;
        let (frontend, backend) = ((&frontend.shared, FRONTEND), (&backend.shared, BACKEND));
        let capture = capture.as_ref().map(|capture| &capture.shared);
        // The turns of the sockets end at different steps: in a flood one lane may always go on.
        for _ in 0..STEPS_IN_A_ROW {
            let mut waits = true;
            if let Some(lane) = up {
                waits &= lane.poll_step(frontend, backend, capture, cx)?.is_pending();
            }
            if let Some(lane) = down {
                waits &= lane.poll_step(backend, frontend, capture, cx)?.is_pending();
            }
            // A REQ or REP can receive once it has sent, so both lanes try again after each step.
            if waits {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The frontend, the backend, the capture socket if there is one, and the messages that were received and not sent.
    pub fn into_parts(self) -> (AsyncSocket<F>, AsyncSocket<B>, Option<AsyncSocket<C>>, Unforwarded) {
        let [to_backend, to_frontend] = self.lanes.map(|lane| lane.and_then(|lane| lane.unsent));
        let unforwarded = Unforwarded { to_backend, to_frontend };
        (self.frontend, self.backend, self.capture, unforwarded)
    }
}

impl Lane {
    /// Ready if the lane has received or sent a message.
    fn poll_step<F: SocketType, T: SocketType, C: SocketType>(
        &mut self,
        (from, from_side): (&Shared<F>, &str),
        (to, to_side): (&Shared<T>, &str),
        capture: Option<&Shared<C>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        if self.unsent.is_none() {
            let message = ready!(poll_take(from, cx)).map_err(|error| at(from_side, &error))?;
            self.uncaptured = capture.map(|_| message.clone());
            self.unsent = Some(message);
        }
        if let Some(capture) = capture {
            ready!(poll_put(capture, &mut self.uncaptured, cx)).map_err(|error| at(CAPTURE, &error))?;
        }
        poll_put(to, &mut self.unsent, cx).map_err(|error| at(to_side, &error))
    }
}

/// The error of a call on this socket.
fn at(side: &str, error: &Error) -> Error {
    match error.detail() {
        Some(detail) => error.errno().with_detail(CALL, format_args!("{side}: {detail}")),
        None => error.errno().with_detail(CALL, side),
    }
}

/// Receives a message.
fn poll_take<F: SocketType>(mut from: &Shared<F>, cx: &mut Context<'_>) -> Poll<Result<Multipart>> {
    let mut taken = Ok(Multipart::new());
    let polled = from.poll(Direction::Recv, CALL, cx, |socket| {
        taken = socket.core().recv_parts(Wait::No);
        !taken.as_ref().is_err_and(|error| must_wait(error.errno()))
    });
    polled.map(|ended| ended.and(taken))
}

/// Sends the message, if there is one, and leaves it in place until it is sent.
fn poll_put<T: SocketType>(
    mut to: &Shared<T>,
    unsent: &mut Option<Multipart>,
    cx: &mut Context<'_>,
) -> Poll<Result<()>> {
    let Some(message) = unsent else { return Poll::Ready(Ok(())) };
    let mut put = Ok(true);
    let polled = to.poll(Direction::Send, CALL, cx, |socket| {
        put = proxy::send(socket.core(), message, false);
        !put.is_err_and(must_wait)
    });
    ready!(polled)?;
    put.map_err(|errno| errno.for_call(CALL))?;
    *unsent = None;
    Poll::Ready(Ok(()))
}

/// A REQ or REP whose turn it is not waits, as other sockets do without a message or room.
fn must_wait(errno: Errno) -> bool {
    matches!(errno, Errno::EAGAIN | Errno::EFSM)
}

impl<F: SocketType, B: SocketType, C: SocketType> fmt::Debug for AsyncProxy<F, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AsyncProxy { frontend, backend, capture, .. } = self;
        f.debug_struct("AsyncProxy")
            .field("frontend", frontend)
            .field("backend", backend)
            .field("capture", capture)
            .finish_non_exhaustive()
    }
}

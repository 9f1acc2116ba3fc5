//! `serve` and `AsyncAuthenticator`: ROUTERs that answer requests by futures, several at once.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::{AsyncSocket, Runtime};
use crate::context;
use crate::error::{Errno, Result};
use crate::kind::Router;
use crate::multipart::{IntoMultipart, Multipart};
use crate::security::zap::{self, request as zap_request};
use crate::security::{Verdict, ZapRequest};
use crate::thread::panic_text;

/// Answers the requests of a ROUTER, up to `at_once` at the same time, until the future `until` is ready. Then it takes no more
/// requests, answers those that it has taken, and returns.
///
/// `handler` gets a request without its envelope: REQ clients and DEALER clients are both served. A reply goes to the client that
/// asked, when it is ready. The ROUTER drops the reply to a client that has left. With `ZMQ_ROUTER_MANDATORY`, a client that does
/// not read holds up the replies of all.
///
/// # Cancel safety
///
/// A request is taken from libzmq whole or not at all. If the future is dropped, the requests that it has taken are not answered:
/// end it by `until`.
///
/// # Errors
///
/// `EINVAL` if `at_once` is 0, `ETERM` after the context was shut down, and the other errors of receiving. `ECANCELED` if the
/// runtime has ended.
///
/// ```
/// # #[cfg(feature = "tokio")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> zmq::Result<()> {
/// use std::time::Duration;
/// use tokio_util::sync::CancellationToken;
/// use zmq::aio::{AsyncSocket, Runtime, serve};
/// use zmq::{Context, Multipart, Req, Router};
///
/// async fn answer(request: Multipart) -> Multipart {
///     tokio::time::sleep(Duration::from_millis(10)).await;
///     request
/// }
///
/// let context = Context::new()?;
/// let server = context.owned_socket(Router)?;
/// let client = context.owned_socket(Req)?;
/// client.connect(&server.bind("tcp://127.0.0.1:*")?)?;
/// let mut server = AsyncSocket::new(server, Runtime::Tokio)?;
/// let mut client = AsyncSocket::new(client, Runtime::Tokio)?;
///
/// let shutdown = CancellationToken::new();
/// let until = shutdown.clone();
/// let serving = tokio::spawn(async move { serve(&mut server, 100, answer, until.cancelled()).await });
/// client.send("Hello").await?;
/// assert_eq!(client.recv_msg().await?, "Hello");
/// shutdown.cancel();
/// serving.await.unwrap()
/// # }
/// # #[cfg(not(feature = "tokio"))]
/// # fn main() {}
/// ```
pub async fn serve<F, R>(
    socket: &mut AsyncSocket<Router>,
    at_once: usize,
    mut handler: impl FnMut(Multipart) -> F,
    until: impl Future<Output = ()>,
) -> Result<()>
where
    F: Future<Output = R>,
    R: IntoMultipart,
{
    let answer = |mut request: Multipart| {
        let client = request.pop_front();
        let delimiter = if request.first().is_some_and(|part| part.is_empty()) { request.pop_front() } else { None };
        let reply = handler(request);
        async move {
            let mut reply: Multipart = reply.await.into();
            for part in [delimiter, client].into_iter().flatten() {
                reply.push_front(part);
            }
            Some(reply)
        }
    };
    answer_requests("serve", socket, at_once, answer, until).await
}

/// The ZAP handler of a context as a task, for decisions that wait: for a database, or for another service.
/// [`Authenticator`](crate::security::Authenticator) has a thread of its own, and decides by policies and closures.
pub struct AsyncAuthenticator {
    socket: AsyncSocket<Router>,
}

impl AsyncAuthenticator {
    /// Starts to collect the requests of the context's servers. Clients wait for the decision of [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// `EADDRINUSE` if the context has a ZAP handler already, and the errors of [`AsyncSocket::new`].
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> zmq::Result<()> {
    /// use zmq::aio::{AsyncAuthenticator, AsyncSocket, Runtime};
    /// use zmq::security::{Credentials, Verdict, ZapRequest};
    /// use zmq::{Context, Pull, Push};
    ///
    /// async fn decide(request: ZapRequest) -> Verdict {
    ///     tokio::task::yield_now().await; // looks the user up
    ///     match request.credentials {
    ///         Credentials::Plain { username, .. } if username == "anna" => Verdict::allow(username),
    ///         _ => Verdict::deny("unknown"),
    ///     }
    /// }
    ///
    /// let context = Context::new()?;
    /// let mut authenticator = AsyncAuthenticator::start(&context, Runtime::Tokio)?;
    /// tokio::spawn(async move { authenticator.run(10, decide, std::future::pending()).await });
    ///
    /// let (server, client) = (context.owned_socket(Pull)?, context.socket(Push)?);
    /// server.set_plain_server(true)?;
    /// client.set_plain_username("anna")?;
    /// client.set_plain_password("secret")?;
    /// client.connect(&server.bind("tcp://127.0.0.1:*")?)?;
    /// client.send("from anna")?;
    /// let message = AsyncSocket::new(server, Runtime::Tokio)?.recv_msg().await?;
    /// assert_eq!(message.gets("User-Id"), Some("anna".into()));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    #[track_caller]
    pub fn start(context: &context::Context, runtime: Runtime) -> Result<AsyncAuthenticator> {
        let socket = context.owned_socket(Router)?;
        socket.bind(zap::ENDPOINT)?;
        Ok(AsyncAuthenticator { socket: AsyncSocket::new(socket, runtime)? })
    }

    /// Decides about clients, up to `at_once` at the same time, until the future `until` is ready.
    ///
    /// A malformed request is denied. If the closure or its future panics, the verdict is [`Verdict::failed`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the requests that it has taken are not decided: the handshakes of their clients end by
    /// `ZMQ_HANDSHAKE_IVL`, and the clients connect again. End it by `until`. Requests that were not taken wait for the next call.
    ///
    /// # Errors
    ///
    /// Those of [`serve`].
    pub async fn run<F: Future<Output = Verdict>>(
        &mut self,
        at_once: usize,
        mut decide: impl FnMut(ZapRequest) -> F,
        until: impl Future<Output = ()>,
    ) -> Result<()> {
        let answer = |message: Multipart| {
            let zap_request::Incoming { envelope, request } = zap_request::read(message);
            let verdict = request.map(|request| catch_unwind(AssertUnwindSafe(|| decide(request))));
            async move {
                let verdict = match verdict {
                    Ok(Ok(verdict)) => match AssertUnwindSafe(verdict).catch_unwind().await {
                        Ok(verdict) => verdict.checked(),
                        Err(payload) => Verdict::failed(panic_text(payload)),
                    },
                    Ok(Err(payload)) => Verdict::failed(panic_text(payload)),
                    Err(_) => Verdict::deny("malformed request"),
                };
                envelope.map(|envelope| zap_request::reply(envelope, &verdict))
            }
        };
        answer_requests("AsyncAuthenticator::run", &mut self.socket, at_once, answer, until).await
    }
}

impl fmt::Debug for AsyncAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncAuthenticator").finish_non_exhaustive()
    }
}

/// Answers requests by futures that return the reply with its envelope, or nothing.
async fn answer_requests<F: Future<Output = Option<Multipart>>>(
    call: &'static str,
    socket: &mut AsyncSocket<Router>,
    at_once: usize,
    answer: impl FnMut(Multipart) -> F,
    until: impl Future<Output = ()>,
) -> Result<()> {
    if at_once == 0 {
        return Err(Errno::EINVAL.with_detail(call, "at_once is 0: no request would be taken"));
    }
    let mut server = Server { socket, answer, at_once, running: FuturesUnordered::new(), reply: None };
    let mut until = pin!(until);
    let mut has_ended = false;
    poll_fn(|cx| {
        has_ended = has_ended || until.as_mut().poll(cx).is_ready();
        server.poll(has_ended, cx)
    })
    .await
}

struct Server<'a, A, F> {
    socket: &'a mut AsyncSocket<Router>,
    answer: A,
    at_once: usize,
    running: FuturesUnordered<F>,
    /// A reply that is ready.
    reply: Option<Multipart>,
}

impl<F: Future<Output = Option<Multipart>>, A: FnMut(Multipart) -> F> Server<'_, A, F> {
    /// Ready after an error, or when no request is left and it `has_ended`.
    fn poll(&mut self, has_ended: bool, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            let may_reply = self.reply.is_none() || self.poll_reply(cx)?.is_ready();
            if may_reply && let Poll::Ready(Some(reply)) = self.running.poll_next_unpin(cx) {
                self.reply = reply;
                continue;
            }
            if !has_ended
                && self.running.len() < self.at_once
                && let Poll::Ready(request) = self.socket.poll_recv_multipart(cx)
            {
                self.running.push((self.answer)(request?));
                continue;
            }
            let is_idle = self.running.is_empty() && self.reply.is_none();
            return if has_ended && is_idle { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.socket.poll_send_multipart(cx, &mut self.reply).map(|sent| match sent {
            Err(failed) if failed.errno() != Errno::EHOSTUNREACH => Err(failed.into()),
            // EHOSTUNREACH: the client has left.
            _ => Ok(()),
        })
    }
}

//! HTTP gateway in Tokio: each POST becomes a request to a ZeroMQ server, and its reply becomes the response.
//!
//! Chapter: none, HTTP in front of ZeroMQ
//! Original: none
//! Teaches: many requests under way over one DEALER, whose envelopes say which reply is for which; bodies that are not copied
//! Arguments: --http 127.0.0.1:8080, --endpoint tcp://localhost:5555, --timeout 2500
//! Other files: common/mod.rs
//! Features: tokio, bytes
//! Ends: on Ctrl-C
//! Test partners: hwserver --delay 5
//! Test run: --http 127.0.0.1:0
//! Test prints: in order
//! - `POST to http://127.0.0.1:<n>/`

mod common;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Parser;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use zmq::aio::{AsyncReceiver, AsyncSender, AsyncSocket, Runtime};
use zmq::{Context, Dealer, Message, Multipart};

/// The size of the largest body that is taken.
const LARGEST_BODY: usize = 1 << 20;

/// HTTP gateway in Tokio: each POST becomes a request to a ZeroMQ server, and its reply becomes the response.
#[derive(Parser)]
struct Args {
    /// The address at which to listen for HTTP
    #[arg(long, default_value = "127.0.0.1:8080")]
    http: String,

    /// The endpoint of the server, such as hwserver
    #[arg(long, default_value = "tcp://localhost:5555")]
    endpoint: String,

    /// How long a request may wait for its reply, in milliseconds
    #[arg(long, default_value_t = 2500)]
    timeout: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    let server = context.owned_socket(Dealer)?;
    // At the end no HTTP client waits for a reply any more.
    server.set_linger(Duration::ZERO)?;
    server.connect(&args.endpoint)?;
    let (sender, receiver) = AsyncSocket::new(server, Runtime::Tokio)?.split();

    let (requests, queue) = mpsc::channel(100);
    let limit = Duration::from_millis(args.timeout);
    let gateway = Arc::new(Gateway { waiting: Mutex::default(), numbers: AtomicU64::new(0), requests, limit });
    let mut halves = JoinSet::new();
    halves.spawn(send_requests(gateway.clone(), sender, queue));
    halves.spawn(receive_replies(gateway.clone(), receiver));

    let listener = TcpListener::bind(&args.http).await?;
    println!("POST to http://{}/", listener.local_addr()?);
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((connection, _)) => drop(tokio::spawn(serve(gateway.clone(), connection))),
                // For example, HTTP clients have taken all descriptors of the process.
                Err(error) => {
                    eprintln!("{error}");
                    sleep(Duration::from_millis(100)).await;
                }
            },
            _ = ctrl_c.recv() => return Ok(()),
            // A half of the socket ends only if it fails.
            Some(ended) = halves.join_next() => return ended?,
        }
    }
}

/// The requests that have come by HTTP.
struct Gateway {
    /// The requests that wait for a reply, by their numbers.
    waiting: Mutex<HashMap<u64, oneshot::Sender<Message>>>,
    numbers: AtomicU64,
    requests: Sender<(u64, Bytes)>,
    limit: Duration,
}

impl Gateway {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Message>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the reply to a request; `None` at the end of the gateway.
    async fn ask(&self, body: Bytes) -> Option<Message> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (sender, reply) = oneshot::channel();
        self.waiting().insert(number, sender);
        let _waiting = Waiting { gateway: self, number };
        self.requests.send((number, body)).await.ok()?;
        reply.await.ok()
    }
}

/// Forgets a request when its future is dropped: it was answered, its time is over, or its HTTP client has left.
struct Waiting<'a> {
    gateway: &'a Gateway,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.gateway.waiting().remove(&self.number);
    }
}

/// Sends the requests. If the socket has no room for them, they wait here, and their HTTP clients get 504.
async fn send_requests(
    gateway: Arc<Gateway>,
    mut sender: AsyncSender<Dealer>,
    mut queue: Receiver<(u64, Bytes)>,
) -> common::Result {
    while let Some((number, body)) = queue.recv().await {
        if gateway.waiting().contains_key(&number) {
            // A REP returns the envelope, which is all frames up to the empty one, with its reply.
            let mut request = Multipart::from(Message::from(body));
            request.push_envelope(number.to_be_bytes());
            sender.send_multipart(request).await?;
        }
    }
    Ok(())
}

/// Hands each reply to the request whose number is its envelope, and drops replies that are too late.
async fn receive_replies(gateway: Arc<Gateway>, mut receiver: AsyncReceiver<Dealer>) -> common::Result {
    loop {
        let mut reply = receiver.recv_multipart().await?;
        let number = reply.pop_envelope().and_then(|envelope| envelope[..].try_into().ok()).map(u64::from_be_bytes);
        if let (Some(number), Some(body)) = (number, reply.pop_front())
            && let Some(waiting) = gateway.waiting().remove(&number)
        {
            // An HTTP client that has left does not take it.
            let _ = waiting.send(body);
        }
    }
}

/// Serves the requests of one HTTP connection.
async fn serve(gateway: Arc<Gateway>, connection: TcpStream) {
    let service = service_fn(async |request| Ok::<_, Infallible>(respond(&gateway, request).await));
    let served = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(connection), service);
    if let Err(error) = served.await {
        eprintln!("{error}");
    }
}

async fn respond(gateway: &Gateway, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, body) = if request.method() != Method::POST {
        (StatusCode::METHOD_NOT_ALLOWED, Bytes::from("POST a request\n"))
    } else {
        match Limited::new(request.into_body(), LARGEST_BODY).collect().await {
            Err(error) => (StatusCode::BAD_REQUEST, Bytes::from(format!("{error}\n"))),
            // The time-out drops the future, which forgets the request.
            Ok(body) => match timeout(gateway.limit, gateway.ask(body.to_bytes())).await {
                Ok(Some(reply)) => (StatusCode::OK, Bytes::from(reply)),
                Ok(None) => (StatusCode::SERVICE_UNAVAILABLE, Bytes::from("the gateway has ended\n")),
                Err(_) => (StatusCode::GATEWAY_TIMEOUT, Bytes::from("the server has not replied in time\n")),
            },
        }
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}

//! Tasks of Tokio that are cancelled at random.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Dealer, Router};

use crate::common::TRANSPORTS;
use crate::common::rng::Rng;
use crate::flow::{Count, numbered};
use crate::run::{LONGEST_WAIT, endure, many_or_few};

const TEST: &str = "tasks::tasks_cancelled_at_random_lose_nothing";

/// The numbers of messages that a task has sent and received.
#[derive(Default)]
struct Done {
    sent: AtomicU64,
    received: AtomicU64,
}

/// A message arrives if its send was ready before its future or its task was dropped, and no other one does. A task that
/// goes on receives every reply. A reply to a task that was cancelled is dropped: a ROUTER drops messages to peers that have
/// left.
#[deadline::test]
fn tasks_cancelled_at_random_lose_nothing() {
    endure(TEST, round);
}

/// Sends some messages and receives their replies. A timer drops the futures in between.
async fn client(mut socket: AsyncSocket<Dealer>, id: u64, messages: u64, mut rng: Rng, done: Arc<Done>) {
    let mut replies = Count::default();
    for number in 0..messages {
        let len = rng.below(200);
        while timeout(Duration::from_micros(rng.below(300) as u64), async {
            socket.send_multipart([id.to_be_bytes().to_vec(), numbered(number, len)]).await.unwrap();
            done.sent.fetch_add(1, Ordering::SeqCst);
        })
        .await
        .is_err()
        {}
        loop {
            let receive = async {
                replies.take(&socket.recv_msg().await.unwrap());
                done.received.fetch_add(1, Ordering::SeqCst);
            };
            if timeout(Duration::from_micros(rng.below(3000) as u64), receive).await.is_ok() {
                break;
            }
        }
    }
}

/// The messages of each client that the server has received.
type Counts = Arc<Mutex<BTreeMap<u64, Count>>>;

/// Sends messages back.
async fn serve(mut socket: AsyncSocket<Router>, counts: Counts) {
    loop {
        let message = socket.recv_multipart().await.unwrap();
        let [client, id, number] = &message[..] else { panic!("three parts") };
        counts.lock().unwrap().entry(u64::from_be_bytes(id[..].try_into().unwrap())).or_default().take(number);
        socket.send_multipart([client.clone(), number.clone()]).await.unwrap();
    }
}

fn round(rng: &mut Rng) {
    let count = many_or_few(500, 100) as u64;
    let threads = 1 + rng.below(3);
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let tokio = builder.worker_threads(threads).enable_all().build().unwrap();
    let context = Context::new().unwrap();
    context.set_max_sockets(2 * count as u32).unwrap();
    tokio.block_on(async {
        let server = context.owned_socket(Router).unwrap();
        server.set_backlog(count as u32).unwrap();
        let endpoint = server.bind(rng.pick::<&str>(&TRANSPORTS)).unwrap();
        let connect = || {
            let socket = context.owned_socket(Dealer).unwrap();
            socket.connect(&endpoint).unwrap();
            AsyncSocket::new(socket, Runtime::Tokio).unwrap()
        };
        let counts = Counts::default();
        let serving = tokio::spawn(serve(AsyncSocket::new(server, Runtime::Tokio).unwrap(), counts.clone()));
        let mut tasks = JoinSet::new();
        let mut all = Vec::new();
        for id in 0..count {
            let (messages, done) = (1 + rng.below(10) as u64, Arc::new(Done::default()));
            let handle = tasks.spawn(client(connect(), id, messages, rng.fork(), done.clone()));
            all.push((handle, messages, done));
        }
        for (handle, _, _) in &all {
            if rng.one_in(3) {
                sleep(Duration::from_micros(rng.below(500) as u64)).await;
                handle.abort();
            }
        }
        let ends = async { while tasks.join_next().await.is_some() {} };
        timeout(LONGEST_WAIT, ends).await.expect("a task waits for ever");
        let mut expected = BTreeMap::new();
        for ((handle, messages, done), id) in all.iter().zip(0..) {
            let (sent, received) = (done.sent.load(Ordering::SeqCst), done.received.load(Ordering::SeqCst));
            assert!(handle.is_finished() && received <= sent && sent <= *messages);
            if sent > 0 {
                expected.insert(id, sent);
            }
        }
        // The messages of a socket that was dropped are still on their way.
        let arrived =
            || counts.lock().unwrap().iter().map(|(id, count)| (*id, count.get())).collect::<BTreeMap<_, _>>();
        let arrive = async {
            while arrived() != expected {
                sleep(Duration::from_millis(1)).await;
            }
        };
        if timeout(LONGEST_WAIT, arrive).await.is_err() {
            assert_eq!(arrived(), expected, "the messages of each client that arrived, and that were accepted");
        }
        serving.abort();
    });
    // The server's task ends.
    drop(tokio);
    context.terminate(LONGEST_WAIT).unwrap();
}

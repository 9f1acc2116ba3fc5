//! Messages allocate nothing in a task, also if it waits. libzmq's own allocations are not counted. The reactor of async-io
//! allocates at each wake-up, so these are tasks of Tokio, and their runtime has one thread.
#![cfg(feature = "tokio")]

mod common;

use std::hint::black_box;

use common::counting::{Counting, of_thread};
use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Dealer, Message, Socket};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The allocations of 1000 runs, after 1000 that may allocate. Tokio allocates when a task first gives way.
async fn allocations(mut work: impl AsyncFnMut()) -> usize {
    tokio::task::yield_now().await;
    for _ in 0..1000 {
        work().await;
    }
    let before = of_thread();
    for _ in 0..1000 {
        work().await;
    }
    of_thread() - before
}

fn pair(context: &Context, transport: &str) -> (Socket<'static, Dealer>, Socket<'static, Dealer>) {
    let (left, right) = (context.owned_socket(Dealer).unwrap(), context.owned_socket(Dealer).unwrap());
    for socket in [&left, &right] {
        socket.set_sndhwm(5).unwrap();
        socket.set_rcvhwm(5).unwrap();
    }
    left.connect(&right.bind(transport).unwrap()).unwrap();
    (left, right)
}

#[deadline::test]
fn messages_in_tasks_allocate_nothing() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        let boxes = allocations(async || drop(black_box(Box::new(1)))).await;
        assert!(boxes >= 1000, "the counter counts");
    });
    for transport in ["inproc://pair", "tcp://127.0.0.1:*"] {
        let context = Context::new().unwrap();
        let (left, right) = pair(&context, transport);
        tokio.block_on(async {
            let mut left = AsyncSocket::new(left, Runtime::Tokio).unwrap();
            let mut right = AsyncSocket::new(right, Runtime::Tokio).unwrap();
            let content = [b'x'; 1024];
            let mut message = Message::from(content.to_vec());

            let round_trips = allocations(async || {
                left.send(&content[..]).await.unwrap();
                let received = right.recv_msg().await.unwrap();
                right.send(received).await.unwrap();
                assert_eq!(left.recv_msg().await.unwrap().len(), 1024);
                left.send(std::mem::take(&mut message)).await.unwrap();
                message = right.recv_msg().await.unwrap();
            });
            assert_eq!(round_trips.await, 0, "round trips over {transport}");

            // The receiver waits for the first message, and the sender for room for the last ones.
            let (mut sender, _left) = left.split();
            let (_right, mut receiver) = right.split();
            let floods = allocations(async || {
                let recv = async {
                    for _ in 0..30 {
                        assert_eq!(receiver.recv_msg().await.unwrap().len(), 1024);
                    }
                };
                let send = async {
                    for _ in 0..30 {
                        sender.send(&content[..]).await.unwrap();
                    }
                };
                futures::join!(recv, send);
            });
            assert_eq!(floods.await, 0, "floods over {transport}");
        });
    }
}

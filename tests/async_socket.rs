//! `AsyncSocket` in Tokio and in async-io: sends and receives, cancellation, halves, and the end.
#![cfg(all(feature = "tokio", feature = "async-io"))]

mod common;

use std::future::Future;

use common::DEADLINE;
use futures::FutureExt;
use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Dealer, Router, Socket, SocketType};

/// Runs `body` in a runtime of Tokio with one thread, or in async-io.
fn block_on<R>(runtime: Runtime, body: impl Future<Output = R>) -> R {
    match runtime {
        Runtime::Tokio => {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio.block_on(async { tokio::time::timeout(DEADLINE, body).await.expect("a task waits for ever") })
        }
        Runtime::AsyncIo => async_io::block_on(async {
            futures::select_biased! {
                done = body.fuse() => done,
                _ = FutureExt::fuse(async_io::Timer::after(DEADLINE)) => panic!("a task waits for ever"),
            }
        }),
        _ => unreachable!(),
    }
}

const RUNTIMES: [Runtime; 2] = [Runtime::Tokio, Runtime::AsyncIo];

fn open<T: SocketType>(context: &Context, kind: T) -> Socket<'static, T> {
    context.owned_socket(kind).unwrap()
}

#[deadline::test]
fn echoes_at_small_marks_over_split_halves_arrive() {
    for runtime in RUNTIMES {
        for transport in ["tcp://127.0.0.1:*", "ipc://*", "inproc://async", "ws://127.0.0.1:*"] {
            let context = Context::new().unwrap();
            let (router, dealer) = (open(&context, Router), open(&context, Dealer));
            router.set_sndhwm(5).unwrap();
            router.set_rcvhwm(5).unwrap();
            dealer.set_sndhwm(5).unwrap();
            dealer.set_rcvhwm(5).unwrap();
            router.set_router_mandatory(true).unwrap();
            dealer.connect(&router.bind(transport).unwrap()).unwrap();
            block_on(runtime, async {
                let mut router = AsyncSocket::new(router, runtime).unwrap();
                let (mut sender, mut receiver) = AsyncSocket::new(dealer, runtime).unwrap().split();
                let echo = async {
                    for _ in 0..5000 {
                        let message = router.recv_multipart().await.unwrap();
                        router.send_multipart(message).await.unwrap();
                    }
                };
                let send = async {
                    for number in 0..5000 {
                        sender.send(number.to_string()).await.unwrap();
                    }
                };
                let recv = async {
                    for number in 0..5000 {
                        assert_eq!(receiver.recv_msg().await.unwrap(), number.to_string().as_str(), "{transport}");
                    }
                };
                futures::join!(echo, send, recv);
            });
        }
    }
}

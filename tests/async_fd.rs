//! `Socket::fd` in Tokio, by the adapter of the cookbook: one task sends and another receives on the same socket.

#[path = "../src/cookbook/async_socket.rs"]
mod async_socket;
mod common;

use std::future::Future;
use std::io;

use async_socket::AsyncSocket;
use common::DEADLINE;
use zmq::{Context, Dealer, Multipart, Router};

/// Runs `body` in a runtime of one thread.
fn block_on<R>(body: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(body)
}

#[deadline::test]
fn tasks_that_send_and_receive_on_one_socket_lose_no_wake_up() {
    let echoes = std::env::var("ASYNC_ECHOES").map_or(2000, |echoes| echoes.parse().unwrap());
    let context = Context::new().unwrap();
    for transport in ["tcp://127.0.0.1:*", "ipc://*", "inproc://async", "ws://127.0.0.1:*"] {
        let (router, dealer) = (context.owned_socket(Router).unwrap(), context.owned_socket(Dealer).unwrap());
        router.set_sndhwm(5).unwrap();
        router.set_rcvhwm(5).unwrap();
        dealer.set_sndhwm(5).unwrap();
        dealer.set_rcvhwm(5).unwrap();
        router.set_router_mandatory(true).unwrap();
        dealer.connect(&router.bind(transport).unwrap()).unwrap();
        let all = async {
            let (router, dealer) = (AsyncSocket::new(router)?, AsyncSocket::new(dealer)?);
            let echo = async {
                for _ in 0..echoes {
                    router.send(router.recv().await?).await?;
                }
                io::Result::Ok(())
            };
            let sender = async {
                for number in 0..echoes {
                    dealer.send(Multipart::from([number.to_string()])).await?;
                }
                Ok(())
            };
            let receiver = async {
                for number in 0..echoes {
                    assert_eq!(dealer.recv().await?[0], number.to_string().as_str());
                }
                Ok(())
            };
            tokio::try_join!(echo, sender, receiver)
        };
        let ended = block_on(async { tokio::time::timeout(DEADLINE, all).await });
        ended.unwrap_or_else(|_| panic!("{transport}: a task waits for ever")).unwrap();
    }
}

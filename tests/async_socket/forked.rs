//! Forked children: calls fail at once, and drops do not disturb the parent, which has the same system's poller.

use std::sync::mpsc::channel;
use std::thread;

use futures::FutureExt;
use zmq::aio::AsyncSocket;
use zmq::{Context, Dealer, Errno, Router};

use crate::common::forked::fork_and_wait;
use crate::common::in_own_process;
use crate::executors::{Executor, linked, open};

/// The error of a future that is ready at once.
fn errno<R>(outcome: Option<Result<R, impl Into<zmq::Error>>>) -> Errno {
    outcome.expect("no wait").err().expect("an error").into().errno()
}

#[test]
fn parent_receives_after_a_child_has_dropped_its_sockets() {
    in_own_process("forked::parent_receives_after_a_child_has_dropped_its_sockets", || {
        for executor in [Executor::TokioOneThread, Executor::AsyncIo] {
            let context = Context::new().unwrap();
            let (router, dealer) = (open(&context, Router), open(&context, Dealer));
            executor.block_on(async {
                let (mut router, mut dealer) = linked(router, dealer, "tcp://127.0.0.1:*", executor.runtime());
                // Both are registered with the runtime.
                for socket in [router.recv_msg().now_or_never(), dealer.recv_msg().now_or_never()] {
                    assert!(socket.is_none());
                }
                for number in 0..3 {
                    // The child's copies of the sockets are dropped there.
                    let (mut router_here, mut dealer_here) = (Some(router), Some(dealer));
                    fork_and_wait(|| {
                        let mut router = router_here.take().unwrap();
                        assert_eq!(errno(router.recv_msg().now_or_never()), Errno::ENOTSOCK);
                        assert_eq!(errno(router.send_multipart(["a", "b"]).now_or_never()), Errno::ENOTSOCK);
                        assert_eq!(router.with(|router| router.linger()).unwrap_err().errno(), Errno::ENOTSOCK);
                        drop(router);
                        let dealer = dealer_here.take().unwrap().into_socket();
                        let refused = AsyncSocket::try_new(dealer, executor.runtime()).unwrap_err();
                        assert_eq!(refused.1.errno(), Errno::ENOTSOCK);
                    });
                    (router, dealer) = (router_here.unwrap(), dealer_here.unwrap());
                    for _ in 0..20 {
                        dealer.send(number.to_string()).await.unwrap();
                        let message = router.recv_multipart().await.unwrap();
                        router.send_multipart(message).await.unwrap();
                        assert_eq!(dealer.recv_msg().await.unwrap(), number.to_string().as_str());
                    }
                }
            });
        }
    });
}

/// A thread of the parent may use the socket in the moment of the fork. The child does not have that thread.
#[test]
fn calls_in_a_child_do_not_wait_for_a_thread_of_the_parent() {
    in_own_process("forked::calls_in_a_child_do_not_wait_for_a_thread_of_the_parent", || {
        for executor in [Executor::TokioOneThread, Executor::AsyncIo] {
            let context = Context::new().unwrap();
            let dealer = open(&context, Dealer);
            executor.block_on(async {
                let (mut sender, mut receiver) = AsyncSocket::new(dealer, executor.runtime()).unwrap().split();
                let ((begins, begun), (ends, end)) = (channel(), channel());
                let thread = thread::spawn(move || {
                    receiver.with(|_| {
                        begins.send(()).unwrap();
                        end.recv().unwrap();
                    });
                });
                begun.recv().unwrap();
                fork_and_wait(|| {
                    assert_eq!(errno(sender.send("job").now_or_never()), Errno::ENOTSOCK);
                });
                ends.send(()).unwrap();
                thread.join().unwrap();
            });
        }
    });
}

//! Two tasks that wait for one socket by `Socket::fd`, as its documentation says, without `AsyncSocket`.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use zmq::aio::Runtime;
use zmq::{
    CanMultipart, CanRecv, CanSend, Context, Dealer, HasFd, Multipart, PollEvents, PollItem, Router, Socket, TrySend,
    poll,
};

use crate::common::{DEADLINE, rounds};
use crate::executors::{Executor, open_small};
use crate::runtimes::within_deadline;

const TRANSPORTS: [&str; 4] = ["tcp://127.0.0.1:*", "ipc://*", "inproc://async", "ws://127.0.0.1:*"];

struct Shared<T: HasFd> {
    // Dropped first: the runtime forgets the descriptor before the socket closes.
    fd: AsyncFd<OwnedFd>,
    socket: Socket<'static, T>,
    readable: Notify,
    writable: Notify,
}

impl<T: HasFd + CanMultipart + CanSend + CanRecv> Shared<T> {
    fn new(socket: Socket<'static, T>) -> Rc<Shared<T>> {
        let fd = socket.fd().unwrap().try_clone_to_owned().unwrap();
        // SAFETY: `AsyncFd` owns the descriptor, so it stays open and the same until it is deregistered.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.unwrap();
        Rc::new(Shared { fd, socket, readable: Notify::new(), writable: Notify::new() })
    }

    /// Reads the events, and wakes the tasks that wait for them.
    fn look(&self) {
        let events = self.socket.events().unwrap();
        if events.contains(PollEvents::POLLIN) {
            self.readable.notify_one();
        }
        if events.contains(PollEvents::POLLOUT) {
            self.writable.notify_one();
        }
    }

    /// Repeats `attempt` until it succeeds. `event` says that it may.
    async fn call<R>(&self, event: &Notify, mut attempt: impl FnMut() -> Option<R>) -> R {
        loop {
            let done = attempt();
            self.look();
            if let Some(done) = done {
                return done;
            }
            tokio::select! {
                () = event.notified() => {}
                ready = self.fd.readable() => {
                    ready.unwrap().clear_ready();
                    self.look();
                }
            }
        }
    }

    async fn recv(&self) -> Multipart {
        self.call(&self.readable, || self.socket.now().recv_multipart().unwrap()).await
    }

    async fn send(&self, message: Multipart) {
        let mut unsent = message;
        let attempt = || match self.socket.now().send_multipart(std::mem::take(&mut unsent)).unwrap() {
            TrySend::Sent => Some(()),
            TrySend::WouldBlock(message) => {
                unsent = message;
                None
            }
        };
        self.call(&self.writable, attempt).await;
    }
}

/// Runs `body` in a runtime of one thread.
fn run(body: impl Future<Output = ()>) {
    LocalSet::new().block_on(&Executor::TokioOneThread.tokio(), within_deadline(Runtime::Tokio, body));
}

#[deadline::test]
fn two_tasks_wait_for_one_descriptor_over_each_transport() {
    let count = 50 * rounds();
    for endpoint in TRANSPORTS {
        let context = Context::new().unwrap();
        let (router, dealer) = (open_small(&context, Router, 5), open_small(&context, Dealer, 5));
        router.set_router_mandatory(true).unwrap();
        dealer.connect(&router.bind(endpoint).unwrap()).unwrap();
        run(async {
            let (router, dealer) = (Shared::new(router), Shared::new(dealer));
            let (echo, sender, receiver) = (router.clone(), dealer.clone(), dealer.clone());
            let echo = spawn_local(async move {
                for _ in 0..count {
                    let message = echo.recv().await;
                    echo.send(message).await;
                }
            });
            let sender = spawn_local(async move {
                for number in 0..count {
                    sender.send([number.to_string()].into()).await;
                }
            });
            let receiver = spawn_local(async move {
                for number in 0..count {
                    assert_eq!(receiver.recv().await, [number.to_string()], "{endpoint}");
                }
            });
            for task in [echo, sender, receiver] {
                task.await.unwrap();
            }
        });
    }
}

/// The receiver takes the signal that there is room, before the runtime sees it. Without the wakes in `look` the sender waits
/// for ever.
#[deadline::test]
fn receiver_wakes_the_sender_whose_signal_it_has_taken() {
    for endpoint in TRANSPORTS {
        let context = Context::new().unwrap();
        let (router, dealer) = (open_small(&context, Router, 5), open_small(&context, Dealer, 5));
        dealer.connect(&router.bind(endpoint).unwrap()).unwrap();
        let mut sent = 0;
        let large = || Multipart::from([vec![0; 100_000]]);
        while dealer.within(Duration::from_millis(200)).send_multipart(large()).unwrap().is_sent() {
            sent += 1;
        }
        run(async {
            let dealer = Shared::new(dealer);
            let waiting = dealer.clone();
            let sender = spawn_local(async move { waiting.send(large()).await });
            // The sender waits, and no signal is left.
            tokio::time::sleep(Duration::from_millis(50)).await;

            // The runtime sees nothing of what follows until the receive.
            let mut id = Vec::new();
            for _ in 0..sent {
                id = router.within(DEADLINE).recv_multipart().unwrap().expect("a message")[0].to_vec();
            }
            router.send_multipart([id, b"reply".to_vec()]).unwrap();
            let both = PollEvents::POLLIN | PollEvents::POLLOUT;
            while !dealer.socket.events().unwrap().contains(both) {
                poll(&mut [PollItem::fd(dealer.socket.fd().unwrap(), PollEvents::POLLIN)], DEADLINE).unwrap();
            }
            assert_eq!(dealer.recv().await, ["reply"], "{endpoint}");
            sender.await.unwrap();
        });
    }
}

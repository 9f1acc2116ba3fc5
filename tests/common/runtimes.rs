//! The async runtimes of the tests.

use std::future::Future;
use std::time::Duration;

use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Socket, SocketType};

use crate::common::DEADLINE;

pub const RUNTIMES: [Runtime; 2] = [Runtime::Tokio, Runtime::AsyncIo];

/// Runs `body` in a runtime of one thread, within the deadline of tests.
pub fn block_on<R>(runtime: Runtime, body: impl Future<Output = R>) -> R {
    match runtime {
        Runtime::Tokio => {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio.block_on(within_deadline(runtime, body))
        }
        _ => async_io::block_on(within_deadline(runtime, body)),
    }
}

/// The outcome of `body`, which must not wait for ever.
pub async fn within_deadline<R>(runtime: Runtime, body: impl Future<Output = R>) -> R {
    within(runtime, DEADLINE, body).await.expect("a task waits for ever")
}

/// The outcome of `body`, or `None` if it takes longer.
pub async fn within<R>(runtime: Runtime, time: Duration, body: impl Future<Output = R>) -> Option<R> {
    let (body, timeout) = (std::pin::pin!(body), std::pin::pin!(sleep(runtime, time)));
    match futures::future::select(body, timeout).await {
        futures::future::Either::Left((done, _)) => Some(done),
        futures::future::Either::Right(_) => None,
    }
}

pub async fn sleep(runtime: Runtime, time: Duration) {
    match runtime {
        Runtime::Tokio => tokio::time::sleep(time).await,
        _ => drop(async_io::Timer::after(time).await),
    }
}

pub fn into_async<T: SocketType>(socket: Socket<'static, T>, runtime: Runtime) -> AsyncSocket<T> {
    AsyncSocket::new(socket, runtime).unwrap()
}

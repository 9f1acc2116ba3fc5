//! Futures that are polled a few times, and dropped.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Gives way to other tasks once.
pub async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Drops a future that is still pending after that many polls, which is `None`.
pub async fn polled<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut done = 0;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            done += 1;
            if done < polls { Poll::Pending } else { Poll::Ready(None) }
        }
    })
    .await
}

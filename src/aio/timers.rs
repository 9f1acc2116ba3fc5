//! Waiting for libzmq's timers.

use std::future::pending;

use super::Runtime;
use crate::error::Result;
use crate::timers::Timers;

/// Waits until a timer expires, by the runtime's own timers, and executes the timers that have expired: see
/// [`Timers::execute`]. Returns their number. Without timers it never ends.
///
/// # Cancel safety
///
/// Timers are executed when the future is ready. If the future is dropped before, no timer is lost.
///
/// # Errors
///
/// Those of [`Timers::execute`].
///
/// # Panics
///
/// In a runtime of Tokio whose timers are not enabled, and outside of a runtime with [`Runtime::Tokio`].
///
/// ```
/// # #[cfg(feature = "tokio")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> zmq::Result<()> {
/// use std::time::Duration;
/// use zmq::aio::{Runtime, execute_timers};
///
/// let mut timers = zmq::Timers::new()?;
/// timers.add(Duration::from_millis(10), |_, _| println!("ten milliseconds"))?;
/// assert_eq!(execute_timers(&mut timers, Runtime::Tokio).await?, 1);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "tokio"))]
/// # fn main() {}
/// ```
pub async fn execute_timers(timers: &mut Timers<'_>, runtime: Runtime) -> Result<usize> {
    loop {
        match timers.timeout() {
            Some(timeout) => runtime.sleep(timeout).await,
            None => pending().await,
        }
        // The runtime's clock may be a little ahead of libzmq's.
        match timers.execute()? {
            0 => {}
            executed => return Ok(executed),
        }
    }
}

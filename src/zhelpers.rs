//! The helpers of the guide's `zhelpers.h`, under their C names.
//!
//! The guide's programs use them. The artefacts of C are gone: [`s_recv`] does not cut at 255 bytes or at a NUL, and
//! returns an error instead of `NULL`.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Result, SendError};
use crate::interrupt;
use crate::kind::{CanMultipart, CanRecv, CanSend, SocketType};
use crate::lock::lock;
pub use crate::multipart::format_frame;
use crate::socket::Socket;

/// Receives one frame as a text, waiting for it. Bytes that are not UTF-8 become the replacement character: to receive
/// routing ids, use [`Socket::recv_msg`].
///
/// # Errors
///
/// As [`Socket::recv_msg`]. C's `s_recv` returns `NULL` then.
///
/// ```
/// use zmq::zhelpers::{s_recv, s_send};
/// # use zmq::{Context, Pair};
/// # fn main() -> zmq::Result<()> {
/// # let context = Context::new()?;
/// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
/// # left.bind("inproc://pair")?;
/// # right.connect("inproc://pair")?;
/// s_send(&left, "Hello")?;
/// assert_eq!(s_recv(&right)?, "Hello");
/// # Ok(())
/// # }
/// ```
pub fn s_recv<T: CanRecv>(socket: &Socket<'_, T>) -> Result<String> {
    Ok(String::from_utf8_lossy(&socket.recv_msg()?).into_owned())
}

/// Sends a text as one frame, without a NUL, and returns its length in bytes.
///
/// # Errors
///
/// As [`Socket::send`].
///
/// ```
/// use zmq::zhelpers::s_send;
/// # use zmq::{Context, Pair};
/// # fn main() -> zmq::Result<()> {
/// # let context = Context::new()?;
/// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
/// # left.bind("inproc://pair")?;
/// # right.connect("inproc://pair")?;
/// assert_eq!(s_send(&left, "Hello")?, 5);
/// assert_eq!(right.recv_msg()?, "Hello");
/// # Ok(())
/// # }
/// ```
pub fn s_send<T: CanSend>(socket: &Socket<'_, T>, text: &str) -> Result<usize, SendError> {
    socket.send(text).map(|()| text.len())
}

/// Sends a text as a frame that other frames of the message follow, and returns its length in bytes.
///
/// # Errors
///
/// As [`Socket::send`].
///
/// ```
/// use zmq::zhelpers::{s_send, s_sendmore};
/// # use zmq::{Context, Pair};
/// # fn main() -> zmq::Result<()> {
/// # let context = Context::new()?;
/// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
/// # left.bind("inproc://pair")?;
/// # right.connect("inproc://pair")?;
/// s_sendmore(&left, "key")?;
/// s_send(&left, "value")?;
/// assert_eq!(right.recv_multipart()?, ["key", "value"]);
/// # Ok(())
/// # }
/// ```
pub fn s_sendmore<T: CanSend + CanMultipart>(socket: &Socket<'_, T>, text: &str) -> Result<usize, SendError> {
    socket.send_more(text).map(|()| text.len())
}

/// Receives a whole multipart message and prints it: a line of 40 dashes, then one line for each frame, as [`format_frame`]
/// makes it.
///
/// # Errors
///
/// As [`Socket::recv_msg`].
///
/// ```
/// # use zmq::{Context, Pair};
/// # fn main() -> zmq::Result<()> {
/// # let context = Context::new()?;
/// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
/// # left.bind("inproc://pair")?;
/// # right.connect("inproc://pair")?;
/// left.send_multipart(["", "Hello"])?;
/// // Prints a line of dashes, then "[000] " and "[005] Hello".
/// zmq::zhelpers::s_dump(&right)?;
/// # Ok(())
/// # }
/// ```
pub fn s_dump<T: CanRecv + CanMultipart>(socket: &Socket<'_, T>) -> Result<()> {
    let message = socket.recv_multipart()?;
    // A closed standard output has no reader for the error either.
    let _ = writeln!(io::stdout(), "{}\n{}", "-".repeat(40), message.to_string().trim_end_matches('\n'));
    Ok(())
}

/// Sets a random printable routing id of the form `0A1B-2C3D`, and returns it. It takes effect at the next
/// [`Socket::connect`] or [`Socket::bind`].
///
/// # Errors
///
/// As [`Socket::set_routing_id`].
///
/// ```
/// # fn main() -> zmq::Result<()> {
/// # let context = zmq::Context::new()?;
/// let worker = context.socket(zmq::Req)?;
/// let id = zmq::zhelpers::s_set_id(&worker)?;
/// assert_eq!(id.len(), 9);
/// assert_eq!(worker.routing_id()?, id.as_bytes());
/// # Ok(())
/// # }
/// ```
pub fn s_set_id<T: SocketType>(socket: &Socket<'_, T>) -> Result<String> {
    let id = format!("{:04X}-{:04X}", randof(0x10000), randof(0x10000));
    socket.set_routing_id(&id)?;
    Ok(id)
}

/// Sleeps for that many milliseconds, also if signals arrive meanwhile.
///
/// ```
/// let start = zmq::zhelpers::s_clock();
/// zmq::zhelpers::s_sleep(20);
/// assert!(zmq::zhelpers::s_clock() > start);
/// ```
pub fn s_sleep(milliseconds: u64) {
    // A condition variable waits until an instant. `thread::sleep` begins again after a signal, with the rest rounded up.
    let (nothing, never) = (Mutex::new(()), Condvar::new());
    drop(never.wait_timeout_while(lock(&nothing), Duration::from_millis(milliseconds), |_| true));
}

/// The wall clock in milliseconds since 1970. To measure how long something takes, use [`std::time::Instant`].
///
/// ```
/// let in_2020 = 1_577_836_800_000;
/// assert!(zmq::zhelpers::s_clock() > in_2020);
/// ```
pub fn s_clock() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

/// Prints a line with the local date and time before it: `26-11-21 10:12:05 text`. Takes what `format!` takes.
///
/// ```
/// zmq::s_console!("{} workers ready", 3);
/// ```
#[macro_export]
macro_rules! s_console {
    ($($arg:tt)*) => {
        $crate::zhelpers::console(&::std::format!($($arg)*))
    };
}

/// The function behind [`s_console!`](crate::s_console).
#[doc(hidden)]
pub fn console(text: &str) {
    let [year, month, day, hour, minute, second] = crate::raw::platform::local_time();
    let _ = writeln!(
        io::stdout(),
        "{:02}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} {text}",
        year.rem_euclid(100)
    );
}

/// A random number from 0 to `limit` - 1, for simulations; not for secrets.
///
/// # Panics
///
/// If `limit` is 0.
///
/// ```
/// assert!(zmq::zhelpers::randof(6) < 6);
/// ```
#[doc(alias = "within")]
pub fn randof(limit: u32) -> u32 {
    static STATE: AtomicU64 = AtomicU64::new(0);
    assert!(limit != 0, "randof: there is no number below 0");
    if STATE.load(Ordering::Relaxed) == 0 {
        let seed = s_clock().unsigned_abs().rotate_left(32) ^ u64::from(std::process::id()) | 1;
        // If two threads set the seed at once, the second uses the seed of the first.
        let _ = STATE.compare_exchange(0, seed, Ordering::Relaxed, Ordering::Relaxed);
    }
    // SplitMix64: every step of the state gives another number, so threads need no lock.
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut z = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    ((u128::from(z) * u128::from(limit)) >> 64) as u32
}

/// Prints the version of the linked libzmq, as the guide's early editions do.
///
/// ```
/// // Prints "Current 0MQ version is 4.3.5".
/// zmq::zhelpers::s_version();
/// ```
pub fn s_version() {
    let (major, minor, patch) = crate::version();
    let _ = writeln!(io::stdout(), "Current 0MQ version is {major}.{minor}.{patch}");
}

/// Ends the program with status 1, and prints the reason, if the linked libzmq is older than this version.
///
/// ```
/// zmq::zhelpers::s_version_assert(4, 3);
/// ```
pub fn s_version_assert(want_major: u32, want_minor: u32) {
    let (major, minor, patch) = crate::version();
    if (major, minor) < (want_major, want_minor) {
        let _ = writeln!(
            io::stdout(),
            "Current 0MQ version is {major}.{minor}.{patch}\nApplication needs at least {want_major}.{want_minor} - cannot continue"
        );
        std::process::exit(1);
    }
}

/// Catches SIGINT and SIGTERM, so that a call that waits ends with `EINTR`: see [`interrupt`].
///
/// # Errors
///
/// As [`interrupt::catch_signals`].
///
/// ```no_run
/// use zmq::zhelpers::{s_catch_signals, s_interrupted};
///
/// # fn main() -> zmq::Result<()> {
/// s_catch_signals()?;
/// while !s_interrupted() {
///     println!("working");
/// }
/// # Ok(())
/// # }
/// ```
pub fn s_catch_signals() -> Result<()> {
    interrupt::catch_signals(interrupt::TERMINATION)
}

/// Whether a signal was caught.
///
/// ```
/// if zmq::zhelpers::s_interrupted() {
///     println!("cleaning up");
/// }
/// ```
pub fn s_interrupted() -> bool {
    interrupt::interrupted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn randof_returns_every_number_below_its_limit() {
        let mut seen = [false; 6];
        for _ in 0..10_000 {
            seen[randof(6) as usize] = true;
        }
        assert_eq!(seen, [true; 6]);
        assert_eq!(randof(1), 0);
    }

    #[test]
    fn s_clock_counts_milliseconds() {
        let before = s_clock();
        s_sleep(20);
        assert!(s_clock() - before >= 19);
    }
}

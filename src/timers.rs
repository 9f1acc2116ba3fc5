//! libzmq's own timers.

use std::collections::{HashMap, VecDeque};
use std::ffi::c_int;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use crate::error::{Errno, Error, Result};
use crate::raw::RawTimers;

/// The longest interval in milliseconds. It fits into a C long on every system.
const LONGEST: u128 = i32::MAX as u128;

/// The id of a timer in a [`Timers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerId(c_int);

type Handler<'a> = Box<dyn FnMut(&mut Timers<'a>, TimerId) + 'a>;

/// Repeating timers of libzmq, for the completeness of `zmq.h`: a loop waits for [`Timers::timeout`] at most, and then calls
/// [`Timers::execute`]. `zmq_patterns::Reactor` is a loop that has timers.
///
/// A handler gets the [`Timers`] and may add, cancel and reset timers, its own too. In C it must not, because libzmq
/// calls it while it iterates over its list. This library calls the handlers afterwards.
///
/// ```
/// use std::cell::Cell;
/// use std::time::Duration;
/// use zmq::{PollEvents, PollItem, Timers, poll};
///
/// # fn main() -> zmq::Result<()> {
/// # let context = zmq::Context::new()?;
/// let socket = context.socket(zmq::Pull)?;
/// let beats = Cell::new(0);
/// let mut timers = Timers::new()?;
/// timers.add(Duration::from_millis(10), |timers, timer| {
///     beats.set(beats.get() + 1);
///     if beats.get() == 3 {
///         timers.cancel(timer).expect("a timer that runs is there");
///     }
/// })?;
/// while let Some(timeout) = timers.timeout() {
///     poll(&mut [PollItem::socket(&socket, PollEvents::POLLIN)], timeout)?;
///     timers.execute()?;
/// }
/// assert_eq!(beats.get(), 3);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "zmq_timers_new")]
#[doc(alias = "zmq_timers_destroy")]
pub struct Timers<'a> {
    raw: RawTimers,
    /// The timers that were due and whose handlers have not run.
    due: VecDeque<c_int>,
    /// The handlers of the timers that are not cancelled, without the handler that runs now.
    handlers: HashMap<c_int, Option<Handler<'a>>>,
}

impl<'a> Timers<'a> {
    /// An empty set of timers.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if no memory is left.
    pub fn new() -> Result<Timers<'a>> {
        let raw = RawTimers::new().map_err(|errno| errno.for_call("zmq_timers_new"))?;
        Ok(Timers { raw, due: VecDeque::new(), handlers: HashMap::new() })
    }

    /// Runs `handler` every `interval`, rounded up to whole milliseconds. The first run is after one interval.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an interval of 0, with which libzmq would run the handler for ever, or of more than 24 days
    /// (2,147,483,647 milliseconds); `ENOMEM` after 2,147,483,647 timers.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let mut timers = zmq::Timers::new()?;
    /// timers.add(Duration::from_secs(1), |_, _| println!("tick"))?;
    /// assert!(timers.timeout() <= Some(Duration::from_secs(1)));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_timers_add")]
    #[doc(alias = "zmq_timer_fn")]
    pub fn add(&mut self, interval: Duration, handler: impl FnMut(&mut Timers<'a>, TimerId) + 'a) -> Result<TimerId> {
        const CALL: &str = "zmq_timers_add";
        let interval = milliseconds(interval, CALL)?;
        let timer = self.raw.add(interval).map_err(|errno| errno.for_call(CALL))?;
        self.handlers.insert(timer, Some(Box::new(handler)));
        Ok(TimerId(timer))
    }

    /// Ends a timer.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the timer was cancelled already.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let mut timers = zmq::Timers::new()?;
    /// let timer = timers.add(Duration::from_secs(1), |_, _| println!("tick"))?;
    /// timers.cancel(timer)?;
    /// assert_eq!(timers.timeout(), None);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_timers_cancel")]
    pub fn cancel(&mut self, timer: TimerId) -> Result<()> {
        const CALL: &str = "zmq_timers_cancel";
        self.check(timer, CALL)?;
        self.raw.cancel(timer.0).map_err(|errno| errno.for_call(CALL))?;
        self.handlers.remove(&timer.0);
        Ok(())
    }

    /// Gives a timer another interval, which begins now.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the timer was cancelled, and as [`Timers::add`] for the interval.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let mut timers = zmq::Timers::new()?;
    /// let timer = timers.add(Duration::from_secs(1), |_, _| println!("tick"))?;
    /// timers.set_interval(timer, Duration::from_secs(60))?;
    /// assert!(timers.timeout() > Some(Duration::from_secs(1)));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_timers_set_interval")]
    pub fn set_interval(&mut self, timer: TimerId, interval: Duration) -> Result<()> {
        const CALL: &str = "zmq_timers_set_interval";
        self.check(timer, CALL)?;
        let interval = milliseconds(interval, CALL)?;
        self.raw.set_interval(timer.0, interval).map_err(|errno| errno.for_call(CALL))
    }

    /// Begins a timer's interval again.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the timer was cancelled.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let mut timers = zmq::Timers::new()?;
    /// let silence = timers.add(Duration::from_secs(5), |_, _| println!("the peer is silent"))?;
    /// // It has said something.
    /// timers.reset(silence)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_timers_reset")]
    pub fn reset(&mut self, timer: TimerId) -> Result<()> {
        const CALL: &str = "zmq_timers_reset";
        self.check(timer, CALL)?;
        self.raw.reset(timer.0).map_err(|errno| errno.for_call(CALL))
    }

    /// The time until the next timer is due, as the time-out for the loop's wait. `None` without timers.
    #[doc(alias = "zmq_timers_timeout")]
    pub fn timeout(&mut self) -> Option<Duration> {
        if self.due.iter().any(|timer| self.handlers.contains_key(timer)) {
            return Some(Duration::ZERO);
        }
        u64::try_from(self.raw.timeout()).ok().map(Duration::from_millis)
    }

    /// Runs the handlers of the timers that are due, and returns their number. The next interval of each begins at this
    /// call.
    ///
    /// A handler that panics ends the call with its panic. The next call runs the other handlers that were due.
    ///
    /// # Errors
    ///
    /// None that is known.
    #[doc(alias = "zmq_timers_execute")]
    pub fn execute(&mut self) -> Result<usize> {
        self.raw.execute(&mut self.due).map_err(|errno| errno.for_call("zmq_timers_execute"))?;
        let mut executed = 0;
        // A handler may call this function too.
        while let Some(timer) = self.due.pop_front() {
            let Some(mut handler) = self.handlers.get_mut(&timer).and_then(Option::take) else { continue };
            let outcome = catch_unwind(AssertUnwindSafe(|| handler(self, TimerId(timer))));
            if let Some(place) = self.handlers.get_mut(&timer) {
                *place = Some(handler);
            }
            if let Err(panic) = outcome {
                resume_unwind(panic);
            }
            executed += 1;
        }
        Ok(executed)
    }

    fn check(&self, timer: TimerId, call: &'static str) -> Result<()> {
        if self.handlers.contains_key(&timer.0) { Ok(()) } else { Err(gone(call)) }
    }
}

#[cold]
fn gone(call: &'static str) -> Error {
    Errno::EINVAL.with_detail(call, "the timer was cancelled")
}

fn milliseconds(interval: Duration, call: &'static str) -> Result<usize> {
    let milliseconds = interval.as_nanos().div_ceil(1_000_000);
    match usize::try_from(milliseconds) {
        Ok(milliseconds @ 1..) if (milliseconds as u128) <= LONGEST => Ok(milliseconds),
        Ok(0) => Err(Errno::EINVAL.with_detail(call, "an interval of 0")),
        _ => Err(Errno::EINVAL.with_detail(call, format_args!("{interval:?} is longer than 2147483647 ms"))),
    }
}

impl fmt::Debug for Timers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("timers", &self.handlers.len()).finish()
    }
}

//! `Deadline`, the end of a wait, and `Backoff`, the pauses between tries.

use std::ffi::c_long;
use std::time::{Duration, Instant};

/// The end of a wait: an instant, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Deadline = Deadline(None);

    /// The deadline of a call that must not wait.
    pub(crate) fn now() -> Deadline {
        Deadline(Some(Instant::now()))
    }

    /// The deadline `timeout` from now. It is never if `timeout` is `None`, or longer than an `Instant` can express.
    pub(crate) fn after(timeout: impl Into<Option<Duration>>) -> Deadline {
        Deadline(timeout.into().and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    /// The time that is left: zero once the deadline has passed, `None` if it is never.
    pub(crate) fn left(self) -> Option<Duration> {
        self.0.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn has_passed(self) -> bool {
        self.0.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// The time that is left as `zmq_poll` takes it: -1 is for ever.
    pub(crate) fn milliseconds(self) -> c_long {
        self.left().map_or(-1, milliseconds)
    }

    /// `pause`, or the time that is left if that is shorter.
    pub(crate) fn cap(self, pause: Duration) -> Duration {
        self.left().map_or(pause, |left| left.min(pause))
    }
}

/// A duration as `zmq_poll` takes it: rounded up to milliseconds, and a day at most, because waits are repeated until their
/// deadline.
pub(crate) fn milliseconds(duration: Duration) -> c_long {
    const DAY: u128 = 24 * 60 * 60 * 1000;
    duration.as_nanos().div_ceil(1_000_000).min(DAY) as c_long
}

/// The pauses between tries if no descriptor signals when to try again: 1 ms, and twice as long each time, up to 16 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    const SHORTEST: Duration = Duration::from_millis(1);
    const LONGEST: Duration = Duration::from_millis(16);

    pub(crate) fn new() -> Backoff {
        Backoff(Backoff::SHORTEST)
    }

    /// The pause to make now.
    pub(crate) fn pause(self) -> Duration {
        self.0
    }

    /// The next pause is twice as long.
    #[must_use]
    pub(crate) fn doubled(self) -> Backoff {
        Backoff((self.0 * 2).min(Backoff::LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadline_is_never_if_the_timeout_is_none_or_too_long() {
        assert_eq!(Deadline::after(None), Deadline::NEVER);
        assert_eq!(Deadline::after(Duration::MAX), Deadline::NEVER);
        assert_eq!(Deadline::NEVER.milliseconds(), -1);
        assert!(!Deadline::NEVER.has_passed());
        assert!(Deadline::now().has_passed());
        assert_eq!(Deadline::now().left(), Some(Duration::ZERO));
    }

    #[test]
    fn milliseconds_are_rounded_up_and_end_at_a_day() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_millis(2)), 2);
        assert_eq!(milliseconds(Duration::MAX), 86_400_000);
    }

    #[test]
    fn backoff_doubles_up_to_its_longest_pause() {
        let mut backoff = Backoff::new();
        let pauses: Vec<_> = std::iter::repeat_with(|| {
            let pause = backoff.pause().as_millis();
            backoff = backoff.doubled();
            pause
        })
        .take(6)
        .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 16]);
    }
}

//! `Deadline`: the end of a wait. `later`: the time of a machine's next step. `SHORTEST_INTERVAL`: the shortest time between two
//! heartbeats.

use std::time::{Duration, Instant};

/// The end of a wait: an instant, or never.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Deadline = Deadline(None);

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
}

/// The shortest interval of heartbeats and pings. Without a pause between them they would use a processor up.
pub(crate) const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// `time` after `now`. A time that no `Instant` can express is as good as a century.
pub(crate) fn later(now: Instant, time: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now + time.min(CENTURY)
}

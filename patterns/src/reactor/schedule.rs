//! The order in which a reactor's timers are due.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::HandlerId;

/// The timers in the order in which they are due. Timers of removed handlers are skipped, and deleted when they are many,
/// so that the memory of a program that adds and removes time-outs does not grow.
#[derive(Default)]
pub(super) struct Schedule {
    timers: BinaryHeap<Timer>,
    next_number: u64,
    removed: usize,
}

struct Timer {
    at: Instant,
    /// Counts the timers: of two that are due at once the older one comes first.
    number: u64,
    id: HandlerId,
}

/// This many removed timers may stay in a list of any length.
const FEW_REMOVED: usize = 32;

impl Schedule {
    /// Adds a timer. `None` is a time that an `Instant` cannot express: the timer is never due.
    pub(super) fn push(&mut self, at: Option<Instant>, id: HandlerId) {
        if let Some(at) = at {
            self.timers.push(Timer { at, number: self.next_number, id });
            self.next_number += 1;
        }
    }

    /// The `end` with which [`Schedule::pop_due`] returns only timers that exist now.
    pub(super) fn end(&self) -> u64 {
        self.next_number
    }

    /// Takes the next timer that is due and was added before `end`.
    pub(super) fn pop_due(&mut self, now: Instant, end: u64) -> Option<(HandlerId, Instant)> {
        let first = self.timers.peek()?;
        if first.at > now || first.number >= end {
            return None;
        }
        self.timers.pop().map(|timer| (timer.id, timer.at))
    }

    /// The time until the next timer is due.
    pub(super) fn timeout(&mut self, is_there: impl Fn(HandlerId) -> bool) -> Option<Duration> {
        while let Some(first) = self.timers.peek() {
            if is_there(first.id) {
                return Some(first.at.saturating_duration_since(Instant::now()));
            }
            self.timers.pop();
        }
        None
    }

    /// Notes that the handler of a timer was removed.
    pub(super) fn removed(&mut self, is_there: impl Fn(HandlerId) -> bool) {
        self.removed += 1;
        if self.removed > FEW_REMOVED + self.timers.len() / 2 {
            self.timers.retain(|timer| is_there(timer.id));
            self.removed = 0;
        }
    }
}

impl Ord for Timer {
    /// The earliest is the greatest, which a heap gives first.
    fn cmp(&self, other: &Timer) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Timer) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Timer) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Timer {}

/// The next time of a timer that was due at `at`: a multiple of `every` later, the first that is not past.
pub(super) fn next(at: Instant, every: Duration, now: Instant) -> Option<Instant> {
    let late = now.saturating_duration_since(at);
    let beats = (late.as_nanos() / every.as_nanos()).min(u128::from(u32::MAX) - 1) as u32;
    let next = every.checked_mul(beats + 1).and_then(|passed| at.checked_add(passed));
    // The number of beats may exceed a u32. Then the rhythm begins anew.
    if next.is_some_and(|next| next <= now) { now.checked_add(every) } else { next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_keeps_the_rhythm_and_skips_missed_times() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let every = Duration::from_millis(10);
        assert_eq!(next(start, every, start), Some(after(10)));
        assert_eq!(next(start, every, after(3)), Some(after(10)));
        assert_eq!(next(start, every, after(10)), Some(after(20)));
        assert_eq!(next(start, every, after(57)), Some(after(60)));
        let now = start + Duration::from_secs(3600);
        let soon = next(start, Duration::from_nanos(1), now).unwrap();
        assert!(soon > now && soon <= now + Duration::from_nanos(1));
        assert_eq!(next(start, Duration::MAX, start), None);
    }

    #[test]
    fn schedule_deletes_removed_timers_when_they_are_many() {
        let mut schedule = Schedule::default();
        for place in 0..10_000 {
            schedule.push(Instant::now().checked_add(Duration::from_secs(3600)), HandlerId { place, generation: 0 });
            schedule.removed(|id| id.place == 0);
        }
        assert!(schedule.timers.len() <= 4 * FEW_REMOVED, "{}", schedule.timers.len());
        assert!(schedule.timeout(|id| id.place == 0).is_some());
        assert_eq!(schedule.timeout(|_| false), None);
    }
}

//! When which timer of a reactor is due.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::HandlerId;

/// The timers in the order in which they are due. Those of removed handlers are passed over, and swept out when they are
/// many, so that a program which sets and removes one time-out after the other does not grow.
#[derive(Default)]
pub(super) struct Schedule {
    entries: BinaryHeap<Entry>,
    next_number: u64,
    removed: usize,
}

struct Entry {
    at: Instant,
    /// Counts the entries: of two that are due at once the older one comes first.
    number: u64,
    id: HandlerId,
}

/// As many removed entries may stay whatever the number of the others is.
const FEW: usize = 32;

impl Schedule {
    /// Has a timer due at a time; `None` is beyond what the clock counts, and never comes.
    pub(super) fn push(&mut self, at: Option<Instant>, id: HandlerId) {
        if let Some(at) = at {
            self.entries.push(Entry { at, number: self.next_number, id });
            self.next_number += 1;
        }
    }

    /// What [`Schedule::pop_due`] takes for the end of the timers that are there now.
    pub(super) fn end(&self) -> u64 {
        self.next_number
    }

    /// The next timer that is due and was set before `end`.
    pub(super) fn pop_due(&mut self, now: Instant, end: u64) -> Option<(HandlerId, Instant)> {
        let first = self.entries.peek()?;
        if first.at > now || first.number >= end {
            return None;
        }
        self.entries.pop().map(|entry| (entry.id, entry.at))
    }

    /// How long it is until the next timer is due.
    pub(super) fn timeout(&mut self, is_there: impl Fn(HandlerId) -> bool) -> Option<Duration> {
        while let Some(first) = self.entries.peek() {
            if is_there(first.id) {
                return Some(first.at.saturating_duration_since(Instant::now()));
            }
            self.entries.pop();
        }
        None
    }

    /// Says that the handler of an entry may be gone.
    pub(super) fn removed(&mut self, is_there: impl Fn(HandlerId) -> bool) {
        self.removed += 1;
        if self.removed > FEW + self.entries.len() / 2 {
            self.entries.retain(|entry| is_there(entry.id));
            self.removed = 0;
        }
    }
}

impl Ord for Entry {
    /// The earliest is the greatest, which a heap gives first.
    fn cmp(&self, other: &Entry) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

/// The next time of a timer that was due at `at`: it keeps its beat, and leaves out the times that are past already.
pub(super) fn next(at: Instant, every: Duration, now: Instant) -> Option<Instant> {
    let late = now.saturating_duration_since(at);
    let beats = (late.as_nanos() / every.as_nanos()).min(u128::from(u32::MAX) - 1) as u32;
    let next = every.checked_mul(beats + 1).and_then(|passed| at.checked_add(passed));
    // After an outage of thousands of millions of beats, any will do.
    if next.is_some_and(|next| next <= now) { now.checked_add(every) } else { next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_kept_and_not_made_up_for() {
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
    fn removed_timers_are_swept_out() {
        let mut schedule = Schedule::default();
        for place in 0..10_000 {
            schedule.push(Instant::now().checked_add(Duration::from_secs(3600)), HandlerId { place, generation: 0 });
            schedule.removed(|id| id.place == 0);
        }
        assert!(schedule.entries.len() <= 4 * FEW, "{}", schedule.entries.len());
        assert!(schedule.timeout(|id| id.place == 0).is_some());
        assert_eq!(schedule.timeout(|_| false), None);
    }
}

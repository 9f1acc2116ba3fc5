//! The votes and the lease of a node that has a witness.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::event::Reason;
use super::protocol::{Mark, Marked, Vote};

/// The number of own messages whose time is kept. An answer to an older message is worth nothing.
const DATED: usize = 64;

/// The votes of a node, of its peer and of the witness. A node may be active while it has not given its own vote away,
/// and has the vote of the peer or of the witness. So of two nodes one at most may be active: each needs two votes of three,
/// and no voter gives two votes at once.
///
/// A vote is for a time. The voter counts it from when it gave the vote. The node that got it counts it from when it asked,
/// which was earlier, and takes off a sixteenth. So a vote ends for the node before it ends for the voter, however late the
/// messages are, if neither clock runs more than 3 % too fast or too slow.
#[derive(Debug, Clone)]
pub(super) struct Ballot {
    incarnation: u64,
    next_number: u64,
    /// The latest own messages, by number, and when each was made.
    sent: VecDeque<(u64, Instant)>,
    /// The node has promised not to become active before.
    pub promised_until: Instant,
    /// The promise that goes out with the next state message.
    pub vote: Option<Vote>,
    /// The end of the lease.
    lease_until: Option<Instant>,
    /// The reason for which the node wants to become active, and the end of its attempt.
    pub claim: Option<(Reason, Instant)>,
    /// The time of the last request to the witness.
    pub asked: Option<Instant>,
}

impl Ballot {
    /// The ballot of a process that starts. An earlier process of this node may have made a promise just before it died,
    /// so this one begins as if it had made it.
    pub fn new(now: Instant, incarnation: u64, promise: Duration) -> Ballot {
        Ballot {
            incarnation,
            next_number: 0,
            sent: VecDeque::with_capacity(DATED),
            promised_until: now + promise,
            vote: None,
            lease_until: None,
            claim: None,
            asked: None,
        }
    }

    /// The mark of a message that is made now.
    pub fn mark(&mut self, now: Instant) -> Mark {
        let number = self.next_number;
        self.next_number += 1;
        if self.sent.len() == DATED {
            self.sent.pop_front();
        }
        self.sent.push_back((number, now));
        Mark { incarnation: self.incarnation, number }
    }

    /// The mark and the promise of a state message.
    pub fn marked(&mut self, now: Instant) -> Marked {
        Marked { mark: self.mark(now), vote: self.vote }
    }

    /// Promises the peer not to become active for `time`.
    pub fn promise(&mut self, now: Instant, mark: Mark, time: Duration) {
        self.promised_until = self.promised_until.max(now + time);
        self.vote = Some(Vote { mark, time });
    }

    /// Counts a vote, of the peer or of the witness, from when the message that it answers was made.
    pub fn count(&mut self, Vote { mark, time }: Vote) {
        let oldest = self.sent.front().map_or(0, |(number, _)| *number);
        let dated = mark.number.checked_sub(oldest).and_then(|index| self.sent.get(usize::try_from(index).ok()?));
        if let Some((_, at)) = dated.filter(|_| mark.incarnation == self.incarnation) {
            let until = at.checked_add(time - time / 16);
            self.lease_until = self.lease_until.max(until);
        }
    }

    /// Whether the node has a vote besides its own.
    pub fn is_leased(&self, now: Instant) -> bool {
        self.lease_until.is_some_and(|until| now < until)
    }

    /// The end of the lease.
    pub fn lease_until(&self) -> Option<Instant> {
        self.lease_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn lease_counts_from_the_request() {
        let start = Instant::now();
        let mut ballot = Ballot::new(start, 1, SECOND);
        let mark = ballot.mark(start);
        ballot.count(Vote { mark, time: 16 * SECOND });
        assert!(ballot.is_leased(start + 15 * SECOND - SECOND / 1000));
        assert!(!ballot.is_leased(start + 15 * SECOND));
        // An older vote does not shorten it.
        ballot.count(Vote { mark, time: SECOND });
        assert_eq!(ballot.lease_until(), Some(start + 15 * SECOND));
    }

    /// An earlier process of the node may have made a promise just before it died.
    #[test]
    fn ballot_of_a_new_process_begins_with_a_promise() {
        let start = Instant::now();
        let mut ballot = Ballot::new(start, 1, SECOND);
        assert_eq!(ballot.promised_until, start + SECOND);
        let mark = ballot.mark(start);
        ballot.promise(start, mark, SECOND / 2);
        assert_eq!(ballot.promised_until, start + SECOND);
        ballot.promise(start + SECOND, mark, SECOND);
        assert_eq!(ballot.promised_until, start + 2 * SECOND);
    }

    #[test]
    fn votes_for_messages_of_other_processes_and_unknown_ones_do_not_count() {
        let start = Instant::now();
        let mut ballot = Ballot::new(start, 1, SECOND);
        let first = ballot.mark(start);
        for mark in [Mark { incarnation: 2, ..first }, Mark { number: 1, ..first }, Mark { number: u64::MAX, ..first }]
        {
            ballot.count(Vote { mark, time: SECOND });
            assert!(!ballot.is_leased(start));
        }
        for _ in 0..DATED {
            ballot.mark(start);
        }
        ballot.count(Vote { mark: first, time: SECOND });
        assert!(!ballot.is_leased(start));
        assert_eq!(ballot.sent.len(), DATED);
    }
}

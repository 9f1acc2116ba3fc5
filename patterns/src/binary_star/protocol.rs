//! The frames between the two nodes, and between a node and the witness.

use std::time::Duration;

use zmq::{Message, Multipart};

use super::{Role, State};

/// The first frame of every message to and from a witness.
pub(super) const WITNESS_HEADER: &[u8] = b"BSW01";

/// The name of a message that a node sent: the number that the node was started with, and a number that counts its messages.
/// No other message has the same mark, so an answer that repeats it can be dated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub incarnation: u64,
    pub number: u64,
}

impl Mark {
    fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.incarnation) << 64 | u128::from(self.number)).to_be_bytes()
    }

    fn parse(bytes: &[u8]) -> Option<Mark> {
        let both = u128::from_be_bytes(bytes.try_into().ok()?);
        Some(Mark { incarnation: (both >> 64) as u64, number: both as u64 })
    }
}

/// The promise of a node that is not active: it will not become active for `time` from when it received the message `mark`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vote {
    pub mark: Mark,
    pub time: Duration,
}

/// A state message that has marks, which nodes with a witness exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marked {
    pub mark: Mark,
    pub vote: Option<Vote>,
}

/// `[digit]`, the guide's state message. With a witness: `[digit][mark][vote]`, and the vote is empty if there is none.
pub(super) fn state_message(state: State, marked: Option<Marked>) -> Multipart {
    let digit = Message::from_static(match state {
        State::Primary => b"1",
        State::Backup => b"2",
        State::Active => b"3",
        State::Passive => b"4",
    });
    match marked {
        None => digit.into(),
        Some(Marked { mark, vote }) => {
            let vote = vote.map_or(Message::new(), |vote| timed(vote.mark, vote.time));
            Multipart::from([digit, Message::from(&mark.to_bytes()[..]), vote])
        }
    }
}

/// Parses a state message, of one frame or of three. `None` if it is malformed.
pub(super) fn parse_state(message: &Multipart) -> Option<(State, Option<Marked>)> {
    let state = match &message.first()?[..] {
        b"1" => State::Primary,
        b"2" => State::Backup,
        b"3" => State::Active,
        b"4" => State::Passive,
        _ => return None,
    };
    match &message[..] {
        [_] => Some((state, None)),
        [_, mark, vote] => {
            let vote = if vote.is_empty() {
                None
            } else {
                let (mark, time) = parse_timed(vote)?;
                Some(Vote { mark, time })
            };
            Some((state, Some(Marked { mark: Mark::parse(mark)?, vote })))
        }
        _ => None,
    }
}

/// `[BSW01][mark]`: asks the witness for the lease, or for more time.
pub(super) fn lease_request(mark: Mark) -> Multipart {
    Multipart::from([Message::from_static(WITNESS_HEADER), Message::from(&mark.to_bytes()[..])])
}

/// Parses a node's request. `None` if it is malformed.
pub(super) fn parse_lease_request(message: &Multipart) -> Option<Mark> {
    match &message[..] {
        [header, mark] if &header[..] == WITNESS_HEADER => Mark::parse(mark),
        _ => None,
    }
}

/// `[BSW01][mark, milliseconds]`: the witness's answer. A lease of 0 milliseconds is a refusal.
pub(super) fn lease_answer(mark: Mark, lease: Duration) -> Multipart {
    Multipart::from([Message::from_static(WITNESS_HEADER), timed(mark, lease)])
}

/// Parses the witness's answer. `None` if it is malformed.
pub(super) fn parse_lease_answer(message: &Multipart) -> Option<(Mark, Duration)> {
    match &message[..] {
        [header, answer] if &header[..] == WITNESS_HEADER => parse_timed(answer),
        _ => None,
    }
}

/// A mark, and a time in milliseconds as 4 bytes, most significant first.
fn timed(mark: Mark, time: Duration) -> Message {
    let mut bytes = [0; 20];
    bytes[..16].copy_from_slice(&mark.to_bytes());
    let milliseconds = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
    bytes[16..].copy_from_slice(&milliseconds.to_be_bytes());
    Message::from(&bytes[..])
}

fn parse_timed(frame: &[u8]) -> Option<(Mark, Duration)> {
    let (mark, time) = frame.split_at_checked(16)?;
    let milliseconds = u32::from_be_bytes(time.try_into().ok()?);
    Some((Mark::parse(mark)?, Duration::from_millis(milliseconds.into())))
}

impl Role {
    /// The state in which a node of this role waits for its peer.
    pub(super) fn waiting(self) -> State {
        match self {
            Role::Primary => State::Primary,
            Role::Backup => State::Backup,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { incarnation: 7, number: u64::MAX };

    #[test]
    fn state_messages_are_the_guides_digits() {
        for (state, digit) in [(State::Primary, "1"), (State::Backup, "2"), (State::Active, "3"), (State::Passive, "4")]
        {
            assert_eq!(state_message(state, None), [digit]);
            assert_eq!(parse_state(&Multipart::from([digit])), Some((state, None)));
            for vote in [None, Some(Vote { mark: MARK, time: Duration::from_secs(2) })] {
                let marked = Some(Marked { mark: MARK, vote });
                assert_eq!(parse_state(&state_message(state, marked)), Some((state, marked)));
            }
        }
    }

    #[test]
    fn malformed_messages_are_none() {
        for frames in [vec![""], vec!["0"], vec!["5"], vec!["33"], vec!["3\0"], vec!["3", ""], vec!["3", "", ""]] {
            assert_eq!(parse_state(&Multipart::from(frames)), None);
        }
        assert_eq!(parse_state(&Multipart::new()), None);
        let mut long = state_message(State::Active, Some(Marked { mark: MARK, vote: None }));
        long.push_back("x");
        assert_eq!(parse_state(&long), None);
        long.pop_back();
        long[2] = Message::from("a vote of another size");
        assert_eq!(parse_state(&long), None);
        for frames in [vec!["BSW01"], vec!["BSW01", ""], vec!["BSW02", "0123456789abcdef"], vec![""]] {
            assert_eq!(parse_lease_request(&Multipart::from(frames.clone())), None);
            assert_eq!(parse_lease_answer(&Multipart::from(frames)), None);
        }
    }

    #[test]
    fn leases_come_back_as_they_were_granted() {
        assert_eq!(parse_lease_request(&lease_request(MARK)), Some(MARK));
        for lease in [Duration::ZERO, Duration::from_millis(1500)] {
            assert_eq!(parse_lease_answer(&lease_answer(MARK, lease)), Some((MARK, lease)));
        }
        let longest = Duration::from_millis(u32::MAX.into());
        assert_eq!(parse_lease_answer(&lease_answer(MARK, Duration::MAX)), Some((MARK, longest)));
    }
}

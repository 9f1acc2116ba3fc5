//! The words of the protocol, and the keys that no value may have.

use std::str;

use zmq::{Message, Multipart};

use super::message::{Format, KvMsg, Uuid};
use crate::frame::owned;

/// The first frame of a request for a snapshot. The second, which may be missing, is the subtree.
pub const REQUEST: &str = "ICANHAZ?";

/// The key of the message behind the last value of a snapshot. Its sequence number is that of the snapshot.
pub const END: &str = "KTHXBAI";

/// The key of a server's heartbeat. Its sequence number is that of the last update.
pub const HEARTBEAT: &str = "HUGZ";

/// The first bytes of the key of a count: the number of updates of a subtree. The subtree is the rest of the key. Clients
/// in C do not subscribe to it; a client of the whole map ignores it, since its sequence number is not a new one.
pub(super) const COUNT: &str = "COUNT:";

/// The property of a count, and of the end of a snapshot of a subtree that is counted.
const COUNT_PROPERTY: &str = "count";

/// Whether a key means something else to the protocol.
pub fn is_reserved(key: &[u8]) -> bool {
    key == END.as_bytes() || key == HEARTBEAT.as_bytes() || key.starts_with(COUNT.as_bytes())
}

/// A request for a snapshot of a subtree.
pub(super) fn request(subtree: Option<&Message>) -> Multipart {
    let mut request = Multipart::from(REQUEST);
    request.extend(subtree);
    request
}

/// The subtree of a request without the client's address. A request without a subtree asks for all keys.
pub(super) fn parse_request(request: &[Message]) -> Option<Message> {
    match request {
        [word] if *word == REQUEST => Some(Message::new()),
        [word, subtree] if *word == REQUEST && subtree.len() <= super::LONGEST_KEY => Some(owned(subtree)),
        _ => None,
    }
}

/// A message of the server about itself: the end of a snapshot, a heartbeat, or a count.
pub(super) fn notice(key: impl Into<Message>, sequence: u64, server: Uuid, count: Option<u64>) -> KvMsg {
    let mut message = KvMsg::new(key, "");
    message.set_sequence(sequence);
    message.set_uuid(server);
    if let Some(count) = count {
        let set = message.set_property(COUNT_PROPERTY, &count.to_string());
        debug_assert_eq!(set, Ok(()));
    }
    message
}

/// The number of updates in a notice.
pub(super) fn count_of(notice: &KvMsg) -> Option<u64> {
    notice.property(COUNT_PROPERTY)?.parse().ok()
}

/// A message that a publisher received: the beginning and the end of the first and the last subscription to a count.
pub(super) fn parse_subscription(message: &[Message]) -> Option<(bool, &[u8])> {
    let [frame] = message else { return None };
    let (is_new, subtree) = match frame.split_first()? {
        (1, topic) => (true, topic),
        (0, topic) => (false, topic),
        _ => return None,
    };
    Some((is_new, subtree))
}

/// The channel between the two servers of a pair. The passive one sends `[FOLLOW][attempt]` and `[ACK][attempt][sequence]`. The
/// active one sends `[attempt][kind][left]` and a message of five frames, or `[attempt][kind]` and the ids of updates in one
/// frame. `left` is the milliseconds that a value has to live, or empty. The numbers have 8 bytes. The end of a snapshot comes
/// twice: as `ENTRY`, and as `UPDATE` when all updates behind it wait for the passive server before they are published.
///
/// A server that is to become active with an incomplete map sends `[RECOVER][attempt][sequence]`. The other one answers as an
/// active one, or, if it has no newer map, by `[NOTHING][attempt]`.
pub(super) mod pair {
    use super::*;

    const FOLLOW: &str = "FOLLOW";
    const ACK: &str = "ACK";
    const RECOVER: &str = "RECOVER";
    const NOTHING: &str = "NOTHING";
    const ENTRY: &str = "ENTRY";
    const UPDATE: &str = "UPDATE";
    const IDS: &str = "IDS";

    /// A message of a passive server, or of one that has not got the map yet.
    #[derive(Debug, PartialEq, Eq)]
    pub enum FromFollower {
        Follow {
            attempt: u64,
        },
        Ack {
            attempt: u64,
            sequence: u64,
        },
        /// It is to become active, and has the updates up to `sequence`.
        Recover {
            attempt: u64,
            sequence: u64,
        },
        /// The sender has no newer map than the server that asked it by this attempt.
        Nothing {
            attempt: u64,
        },
    }

    /// A message of an active server.
    #[derive(Debug, PartialEq, Eq)]
    pub enum FromLeader {
        /// The ids of updates that it has got.
        Ids(Vec<Uuid>),
        /// A value, or a notice, and the milliseconds that the value has to live.
        Value {
            /// Whether it is a part of the snapshot, and not of the updates.
            is_entry: bool,
            message: KvMsg,
            left: Option<u64>,
        },
    }

    fn number(frame: &[u8]) -> Option<u64> {
        frame.try_into().ok().map(u64::from_be_bytes)
    }

    pub fn follow(attempt: u64) -> Multipart {
        [Message::from(FOLLOW), Message::from(attempt.to_be_bytes())].into()
    }

    pub fn ack(attempt: u64, sequence: u64) -> Multipart {
        [Message::from(ACK), Message::from(attempt.to_be_bytes()), Message::from(sequence.to_be_bytes())].into()
    }

    pub fn recover(attempt: u64, sequence: u64) -> Multipart {
        [Message::from(RECOVER), Message::from(attempt.to_be_bytes()), Message::from(sequence.to_be_bytes())].into()
    }

    pub fn nothing(attempt: u64) -> Multipart {
        [Message::from(NOTHING), Message::from(attempt.to_be_bytes())].into()
    }

    pub fn parse_follower(message: &[Message]) -> Option<FromFollower> {
        let (word, attempt, rest) = match message {
            [word, attempt, rest @ ..] => (word, number(attempt)?, rest),
            _ => return None,
        };
        match rest {
            [] if *word == FOLLOW => Some(FromFollower::Follow { attempt }),
            [] if *word == NOTHING => Some(FromFollower::Nothing { attempt }),
            [sequence] if *word == ACK => Some(FromFollower::Ack { attempt, sequence: number(sequence)? }),
            [sequence] if *word == RECOVER => Some(FromFollower::Recover { attempt, sequence: number(sequence)? }),
            _ => None,
        }
    }

    pub fn to_follower(attempt: u64, from: FromLeader) -> Multipart {
        let (kind, mut frames) = match from {
            FromLeader::Ids(ids) => (IDS, ids.concat().into()),
            FromLeader::Value { is_entry, message, left } => {
                let mut frames = message.into_multipart(Format::Full);
                frames.push_front(left.map_or_else(Message::new, |left| left.to_be_bytes().into()));
                (if is_entry { ENTRY } else { UPDATE }, frames)
            }
        };
        frames.push_front(kind);
        frames.push_front(Message::from(attempt.to_be_bytes()));
        frames
    }

    /// Reads a message of an active server, and the number of the attempt that it answers.
    pub fn parse_leader(frames: &[Message]) -> Option<(u64, FromLeader)> {
        let [attempt, kind, rest @ ..] = frames else { return None };
        let attempt = number(attempt)?;
        if *kind == IDS {
            let [ids] = rest else { return None };
            let (ids, others) = ids.as_chunks();
            return others.is_empty().then(|| (attempt, FromLeader::Ids(ids.to_vec())));
        }
        let is_entry = *kind == ENTRY;
        if !is_entry && *kind != UPDATE {
            return None;
        }
        let [left, rest @ ..] = rest else { return None };
        let left = if left.is_empty() { None } else { Some(number(left)?) };
        let message = KvMsg::from_multipart(Format::Full, rest.into()).ok()?;
        Some((attempt, FromLeader::Value { is_entry, message, left }))
    }
}

#[cfg(test)]
mod tests {
    use super::pair::*;
    use super::*;

    #[test]
    fn requests_have_a_word_and_a_subtree() {
        assert_eq!(request(Some(&"/a/".into())), ["ICANHAZ?", "/a/"]);
        assert_eq!(parse_request(&request(Some(&"/a/".into()))), Some("/a/".into()));
        assert_eq!(parse_request(&request(None)), Some(Message::new()));
        for wrong in [Multipart::new(), "ICANHAZ".into(), ["ICANHAZ?", "", ""].into()] {
            assert_eq!(parse_request(&wrong), None);
        }
    }

    #[test]
    fn messages_of_a_pair_are_read_as_they_were_sent() {
        assert_eq!(parse_follower(&follow(3)), Some(FromFollower::Follow { attempt: 3 }));
        assert_eq!(parse_follower(&ack(3, 9)), Some(FromFollower::Ack { attempt: 3, sequence: 9 }));
        assert_eq!(parse_follower(&recover(3, 9)), Some(FromFollower::Recover { attempt: 3, sequence: 9 }));
        assert_eq!(parse_follower(&nothing(3)), Some(FromFollower::Nothing { attempt: 3 }));
        for wrong in [&follow(3)[..1], &recover(3, 9)[..2], &ack(3, 9)[..2], &["FOLLOW".into(), "3".into()]] {
            assert_eq!(parse_follower(wrong), None);
        }
        let mut message = KvMsg::new("key", "body");
        message.set_property("ttl", "5").unwrap();
        for is_entry in [true, false] {
            let sent = || FromLeader::Value { is_entry, message: message.clone(), left: Some(1500) };
            assert_eq!(parse_leader(&to_follower(3, sent())), Some((3, sent())));
            assert_eq!(parse_leader(&to_follower(3, sent())[1..]), None);
        }
        let ids = || FromLeader::Ids(vec![[1; 16], [2; 16]]);
        assert_eq!(parse_leader(&to_follower(3, ids())), Some((3, ids())));
        let mut torn = to_follower(3, ids());
        torn[2] = vec![0; 17].into();
        assert_eq!(parse_leader(&torn), None);
    }
}

//! The format and the index, over all cuts and changed bits.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use zmq::{Message, Multipart};

use super::format::{self, Batch, Fault, HEADER, Kind, Salt};
use super::id::RequestId;
use super::index::Index;

const SALT: Salt = *b"\x8F\x01salt\xFF\x02";

/// The content of a file: the request, and the reply, of each id.
type Content = BTreeMap<RequestId, (Option<Multipart>, Option<Multipart>)>;

/// A file of batches, where each of them ends, and what was stored then.
struct Written {
    file: Vec<u8>,
    ends: Vec<usize>,
    contents: Vec<Content>,
}

type Step = (u8, u8, Vec<Vec<u8>>);

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let frames = vec(vec(any::<u8>(), 0..40), 0..4);
    vec(vec((0..6u8, 0..8u8, frames), 1..5), 0..8)
}

fn write(batches: &[Vec<Step>]) -> Written {
    let mut written = Written { file: format::header(SALT), ends: Vec::new(), contents: Vec::new() };
    let mut content = Content::new();
    written.ends.push(written.file.len());
    written.contents.push(content.clone());
    for steps in batches {
        let mut batch = Batch::default();
        for (kind, id, frames) in steps {
            let (id, frames) = (RequestId([*id; 16]), Multipart::from(frames));
            let kind = match kind {
                0..3 => Kind::Request,
                3..5 => Kind::Reply,
                _ => Kind::Close,
            };
            batch.push(kind, id, &frames.iter().collect::<Vec<&Message>>()).unwrap();
            match kind {
                Kind::Request => drop(content.entry(id).or_insert((Some(frames), None))),
                Kind::Reply => {
                    if let Some(entry) = content.get_mut(&id).filter(|(_, reply)| reply.is_none()) {
                        *entry = (None, Some(frames));
                    }
                }
                Kind::Close => drop(content.remove(&id)),
            }
        }
        let (bytes, _) = batch.complete(SALT, written.file.len() as u64);
        written.file.extend(bytes);
        written.ends.push(written.file.len());
        written.contents.push(content.clone());
    }
    written
}

/// Reads a file. Returns its content, and the end of its last good batch.
fn read(file: &[u8]) -> Result<(Content, usize), Fault> {
    let salt = format::read_header(file, file.len() as u64).unwrap()?;
    let mut index = Index::default();
    let end = format::scan(file, file.len() as u64, salt, |kind, id, span| {
        index.apply(kind, id, span);
    });
    let end = end.unwrap()?;
    let content = index.in_order().map(|(id, entry)| {
        let record = &file[entry.span.at as usize..][..entry.span.length as usize];
        assert!(entry.span.is_of(record));
        let frames = format::frames(record).unwrap();
        (id, if entry.is_answered { (None, Some(frames)) } else { (Some(frames), None) })
    });
    Ok((content.collect(), end as usize))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// A file that ends anywhere has all batches that are whole, and its last good batch is where it can go on.
    #[test]
    fn file_cut_anywhere_has_what_was_written_before(steps in steps(), cut in any::<prop::sample::Index>()) {
        let written = write(&steps);
        let cut = cut.index(written.file.len() + 1);
        let read = read(&written.file[..cut]);
        if cut < HEADER as usize {
            prop_assert_eq!(read, Err(Fault::NoStore));
        } else {
            let whole = written.ends.iter().rposition(|end| *end <= cut).unwrap();
            prop_assert_eq!(read, Ok((written.contents[whole].clone(), written.ends[whole])));
        }
    }

    /// A write that has not ended may leave anything behind the last batch.
    #[test]
    fn anything_behind_the_last_batch_is_cut_off(steps in steps(), rest in vec(any::<u8>(), 0..200)) {
        let mut written = write(&steps);
        let (end, content) = (written.file.len(), written.contents.last().unwrap().clone());
        written.file.extend(rest);
        prop_assert_eq!(read(&written.file), Ok((content, end)));
    }

    /// A changed bit is noticed. If it is not in the last batch, nothing is read.
    #[test]
    fn changed_bit_is_noticed(steps in steps(), place in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut written = write(&steps);
        let place = place.index(written.file.len());
        written.file[place] ^= 1 << bit;
        match (read(&written.file), written.ends.iter().rposition(|end| *end <= place)) {
            (Err(Fault::NoStore | Fault::Newer(_)), None) => {}
            (Ok(read), Some(before)) => {
                prop_assert_eq!(before + 2, written.ends.len());
                prop_assert_eq!(read, (written.contents[before].clone(), written.ends[before]));
            }
            (Err(Fault::Corrupt(at)), Some(before)) => {
                prop_assert!(before + 2 < written.ends.len());
                prop_assert_eq!(at as usize, written.ends[before]);
            }
            (read, before) => prop_assert!(false, "{read:?} for a change behind batch {before:?}"),
        }
    }

    /// No bytes make the reader fail otherwise.
    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in vec(any::<u8>(), 0..300), has_header in any::<bool>()) {
        if has_header {
            bytes.splice(0..0, format::header(SALT));
        }
        prop_assert_eq!(read(&bytes).is_ok(), has_header);
        let _ = format::frames(&bytes);
    }
}

#[test]
fn newer_version_is_told() {
    let mut file = format::header(SALT);
    file[8] = 2;
    assert_eq!(read(&file), Err(Fault::Newer(2)));
    file[8] = 0;
    assert_eq!(read(&file), Err(Fault::NoStore));
}

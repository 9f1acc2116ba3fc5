//! The format of a store's file, without the file.
//!
//! ```text
//! header   "TITANIC\n"  version u32  salt [8]  checksum u64 of the bytes before it
//! batch    salt [8]  length u64  checksum u64 of place, length and records  records
//! record   kind u8  id [16]  number of frames u32  (size u32  bytes) per frame
//! ```
//!
//! Numbers are little-endian. One batch is written and synchronized at a time: a batch that is followed by another one has
//! reached the disk. The salt is random. No client knows it, so no content of a message looks like the beginning of a batch.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use zmq::{Message, Multipart};

use super::id::RequestId;

/// The version that this program writes.
pub(super) const VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"TITANIC\n";
pub(super) const HEADER: u64 = 28;
const BATCH: usize = 24;
const RECORD: usize = 21;

/// The number of bytes that a search reads at once.
const WINDOW: usize = 64 * 1024;

pub(super) type Salt = [u8; 8];

/// Something to read from at any place.
pub(super) trait ReadAt {
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, at)
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let found = self.get(at as usize..).and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// CRC-64/XZ: it finds every change of one bit, and of up to 64 bits that are together.
struct Checksum(u64);

const TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut value, mut bit) = (byte as u64, 0);
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0xC96C_5795_D787_0F42 } else { value >> 1 };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

impl Checksum {
    fn new() -> Checksum {
        Checksum(!0)
    }

    fn add(mut self, bytes: &[u8]) -> Checksum {
        for byte in bytes {
            self.0 = TABLE[usize::from(self.0 as u8 ^ byte)] ^ self.0 >> 8;
        }
        self
    }

    fn end(self) -> [u8; 8] {
        (!self.0).to_le_bytes()
    }
}

/// The first bytes of a file.
pub(super) fn header(salt: Salt) -> Vec<u8> {
    let mut header = [&MAGIC[..], &VERSION.to_le_bytes(), &salt].concat();
    header.extend(Checksum::new().add(&header).end());
    header
}

/// The fault of a file that is no store, or one that has lost what was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does not begin as a store does.
    NoStore,
    /// A newer program has written it.
    Newer(u32),
    /// The batch at this place is wrong, and another one comes after it.
    Corrupt(u64),
}

/// Reads the header. The version comes first: a newer one may have another header.
pub(super) fn read_header(source: &(impl ReadAt + ?Sized), length: u64) -> io::Result<Result<Salt, Fault>> {
    let mut bytes = [0; HEADER as usize];
    if length < HEADER {
        return Ok(Err(Fault::NoStore));
    }
    source.read_exact_at(&mut bytes, 0)?;
    let version = u32::from_le_bytes(array(&bytes[8..12]));
    Ok(if bytes[..8] != MAGIC[..] {
        Err(Fault::NoStore)
    } else if version > VERSION {
        Err(Fault::Newer(version))
    } else if version != VERSION || Checksum::new().add(&bytes[..20]).end() != bytes[20..] {
        Err(Fault::NoStore)
    } else {
        Ok(array(&bytes[12..20]))
    })
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The request is stored. The frames are its service, and its body. A request that is answered needs no body.
    Request = 1,
    /// The request is answered. The frames are the body of the reply.
    Reply = 2,
    /// The request is closed. The record has no frames.
    Close = 3,
}

/// The place of a record, in the records of a batch or in the file, and the checksum of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) at: u64,
    pub(super) length: u64,
    checksum: [u8; 8],
}

impl Span {
    fn new(at: u64, bytes: &[u8]) -> Span {
        Span { at, length: bytes.len() as u64, checksum: Checksum::new().add(bytes).end() }
    }

    /// Whether these bytes are those that were written, or that the store read when it was opened.
    pub(super) fn is_of(&self, bytes: &[u8]) -> bool {
        *self == Span::new(self.at, bytes)
    }
}

/// Records that are written and synchronized at once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Each record, and where it begins.
    records: Vec<(Kind, RequestId, usize)>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a record, and returns its number in the batch. `None` if its frames are too many or too large for the format, which
    /// has 32 bits for each number.
    pub(super) fn push(&mut self, kind: Kind, id: RequestId, frames: &[&Message]) -> Option<usize> {
        let number = u32::try_from(frames.len()).ok()?;
        if frames.iter().any(|frame| u32::try_from(frame.len()).is_err()) {
            return None;
        }
        let at = self.start();
        self.bytes.push(kind as u8);
        self.bytes.extend(id.0);
        self.bytes.extend(number.to_le_bytes());
        for frame in frames {
            self.bytes.extend((frame.len() as u32).to_le_bytes());
            self.bytes.extend_from_slice(frame);
        }
        self.records.push((kind, id, at));
        Some(self.records.len() - 1)
    }

    /// Adds a record as it is in another file.
    pub(super) fn push_bytes(&mut self, kind: Kind, id: RequestId, bytes: &[u8]) {
        let at = self.start();
        self.bytes.extend_from_slice(bytes);
        self.records.push((kind, id, at));
    }

    /// The beginning of the next record. The batch's own header is written when the batch is complete.
    fn start(&mut self) -> usize {
        if self.bytes.is_empty() {
            self.bytes.resize(BATCH, 0);
        }
        self.bytes.len()
    }

    /// The bytes of the batch for this place of a file, and its records there.
    pub(super) fn complete(mut self, salt: Salt, place: u64) -> (Vec<u8>, Vec<(Kind, RequestId, Span)>) {
        let length = ((self.bytes.len() - BATCH) as u64).to_le_bytes();
        let checksum = checksum(place, length, &self.bytes[BATCH..]);
        self.bytes[..8].copy_from_slice(&salt);
        self.bytes[8..16].copy_from_slice(&length);
        self.bytes[16..BATCH].copy_from_slice(&checksum);
        let ends = self.records.iter().skip(1).map(|(_, _, at)| *at).chain([self.bytes.len()]);
        let spans = self.records.iter().zip(ends);
        let records = spans
            .map(|((kind, id, at), end)| (*kind, *id, Span::new(place + *at as u64, &self.bytes[*at..end])))
            .collect();
        (self.bytes, records)
    }
}

fn checksum(place: u64, length: [u8; 8], records: &[u8]) -> [u8; 8] {
    Checksum::new().add(&place.to_le_bytes()).add(&length).add(records).end()
}

/// Reads the batches behind the header, and calls `on_record` with each record. Returns the end of the last good batch. The
/// bytes behind it are a batch whose write did not end, and which was not acknowledged.
pub(super) fn scan(
    source: &(impl ReadAt + ?Sized),
    length: u64,
    salt: Salt,
    mut on_record: impl FnMut(Kind, RequestId, Span),
) -> io::Result<Result<u64, Fault>> {
    let mut place = HEADER;
    let mut bytes = Vec::new();
    while place < length {
        let Some(size) = read_batch(source, length, salt, place, &mut bytes)? else {
            return Ok(if has_batch(source, length, salt, place + 1)? {
                Err(Fault::Corrupt(place))
            } else {
                Ok(place)
            });
        };
        let records = place + BATCH as u64;
        // The checksum is right, so another program has written bytes that are no record.
        if !each_record(&bytes, |kind, id, span| on_record(kind, id, Span { at: span.at + records, ..span })) {
            return Ok(Err(Fault::Corrupt(place)));
        }
        place += size;
    }
    Ok(Ok(place))
}

/// Reads the records of the batch at this place, and returns the size of the batch. `None` if it is not whole.
fn read_batch(
    source: &(impl ReadAt + ?Sized),
    length: u64,
    salt: Salt,
    place: u64,
    records: &mut Vec<u8>,
) -> io::Result<Option<u64>> {
    let Some(room) = (length - place).checked_sub(BATCH as u64) else { return Ok(None) };
    let mut head = [0; BATCH];
    source.read_exact_at(&mut head, place)?;
    let size = u64::from_le_bytes(array(&head[8..16]));
    if head[..8] != salt || size > room {
        return Ok(None);
    }
    records.resize(size as usize, 0);
    source.read_exact_at(records, place + BATCH as u64)?;
    let is_whole = checksum(place, array(&head[8..16]), records) == head[16..];
    Ok(is_whole.then_some(BATCH as u64 + size))
}

/// Whether a batch begins at this place or later.
fn has_batch(source: &(impl ReadAt + ?Sized), length: u64, salt: Salt, mut place: u64) -> io::Result<bool> {
    let mut window = vec![0; WINDOW];
    while length.saturating_sub(place) >= salt.len() as u64 {
        let size = (length - place).min(WINDOW as u64);
        let bytes = &mut window[..size as usize];
        source.read_exact_at(bytes, place)?;
        if bytes.windows(salt.len()).any(|at| at == salt) {
            return Ok(true);
        }
        // The salt may begin in this window and end in the next one.
        place += size - (salt.len() as u64 - 1);
    }
    Ok(false)
}

/// Calls `on_record` with each record of a batch. `false` if there is anything else.
fn each_record(bytes: &[u8], mut on_record: impl FnMut(Kind, RequestId, Span)) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        let Some((kind, id, length)) = parse(&bytes[at..], |_| ()) else { return false };
        on_record(kind, id, Span::new(at as u64, &bytes[at..at + length]));
        at += length;
    }
    true
}

/// Parses a record, and calls `on_frame` with each frame. Returns the record's length.
fn parse(bytes: &[u8], mut on_frame: impl FnMut(&[u8])) -> Option<(Kind, RequestId, usize)> {
    let (head, mut rest) = bytes.split_at_checked(RECORD)?;
    let kind = match head[0] {
        1 => Kind::Request,
        2 => Kind::Reply,
        3 => Kind::Close,
        _ => return None,
    };
    for _ in 0..u32::from_le_bytes(array(&head[17..])) {
        let (size, after) = rest.split_at_checked(4)?;
        let (frame, after) = after.split_at_checked(u32::from_le_bytes(array(size)) as usize)?;
        on_frame(frame);
        rest = after;
    }
    Some((kind, RequestId(array(&head[1..17])), bytes.len() - rest.len()))
}

/// The frames of a record.
pub(super) fn frames(record: &[u8]) -> Option<Multipart> {
    let mut frames = Multipart::new();
    parse(record, |frame| frames.push_back(frame))?;
    Some(frames)
}

//! The content of messages, by which a receiver sees whether they are whole, and the owners of content, which must be
//! dropped exactly once and never written.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use zmq::{Message, Multipart};

use crate::common::rng::Rng;
use crate::world::fault;

/// The place of a part: its sender, the number of its message, and its own number in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub sender: u32,
    pub number: u32,
    pub part: u8,
    pub parts: u8,
}

const MAGIC: [u8; 4] = [0xf5, b'm', b'i', b'x'];

/// The bytes that a part has at least.
pub const HEADER: usize = 18;

/// The sizes of parts: of libzmq's inline messages, around its batches of 8192 bytes, and beyond them.
pub const SIZES: [usize; 12] = [HEADER, 19, 31, 32, 33, 34, 64, 256, 1000, 8150, 8193, 70_000];

/// The content of a part of `len` bytes.
pub fn content(stamp: Stamp, len: usize) -> Vec<u8> {
    let len = len.max(HEADER);
    let mut bytes = Vec::with_capacity(len);
    bytes.extend(MAGIC);
    bytes.extend(stamp.sender.to_be_bytes());
    bytes.extend(stamp.number.to_be_bytes());
    bytes.extend([stamp.part, stamp.parts]);
    bytes.extend((len as u32).to_be_bytes());
    let start = (stamp.sender ^ stamp.number.rotate_left(8) ^ u32::from(stamp.part)) as u8;
    bytes.extend((0..(len - HEADER) as u32).map(|place| (place as u8) ^ start));
    bytes
}

/// The stamp of a received part. `None` if the part has no stamp.
///
/// # Errors
///
/// The difference between the content and its stamp.
pub fn stamp(bytes: &[u8]) -> Result<Option<Stamp>, String> {
    if bytes.len() < HEADER || bytes[..4] != MAGIC {
        return Ok(None);
    }
    let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let stamp = Stamp { sender: number(4), number: number(8), part: bytes[12], parts: bytes[13] };
    if number(14) as usize != bytes.len() {
        return Err(format!("{stamp:?}: {} bytes of {}", bytes.len(), number(14)));
    }
    match content(stamp, bytes.len()).iter().zip(bytes).position(|(right, wrong)| right != wrong) {
        Some(place) => Err(format!("{stamp:?}: byte {place} of {} is changed", bytes.len())),
        None => Ok(Some(stamp)),
    }
}

static MADE: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// An owner of content that must not be written.
pub struct Owner {
    bytes: Vec<u8>,
    sum: u64,
    dropped: AtomicBool,
}

impl Owner {
    pub fn new(bytes: Vec<u8>) -> Owner {
        MADE.fetch_add(1, Ordering::SeqCst);
        Owner { sum: sum(&bytes), bytes, dropped: AtomicBool::new(false) }
    }
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::SeqCst);
        if self.dropped.swap(true, Ordering::SeqCst) {
            fault("an owner was dropped twice");
        }
        if sum(&self.bytes) != self.sum {
            fault("the content of an owner was written");
        }
    }
}

/// FNV-1a.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
}

/// Waits until all owners are dropped.
pub fn check_owners(within: Duration) {
    let end = Instant::now() + within;
    while DROPPED.load(Ordering::SeqCst) != MADE.load(Ordering::SeqCst) {
        if Instant::now() > end {
            let (made, dropped) = (MADE.load(Ordering::SeqCst), DROPPED.load(Ordering::SeqCst));
            fault(&format!("of {made} owners {dropped} were dropped, {within:?} after the context's end"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Handles to content that was handed over to messages, with the sums of the content.
static SHARED: Mutex<Vec<(Handle, u64)>> = Mutex::new(Vec::new());

enum Handle {
    Arc(Arc<[u8]>),
    #[cfg(feature = "bytes")]
    Bytes(bytes::Bytes),
}

impl Handle {
    fn bytes(&self) -> &[u8] {
        match self {
            Handle::Arc(bytes) => bytes,
            #[cfg(feature = "bytes")]
            Handle::Bytes(bytes) => bytes,
        }
    }
}

fn keep(handle: Handle) {
    let mut shared = SHARED.lock().unwrap();
    if shared.len() >= 64 {
        check(&shared);
        shared.clear();
    }
    let sum = sum(handle.bytes());
    shared.push((handle, sum));
}

/// Checks that content that was handed over by Arc or Bytes was not written.
pub fn check_shared() {
    check(&SHARED.lock().unwrap());
}

fn check(shared: &[(Handle, u64)]) {
    if shared.iter().any(|(handle, before)| sum(handle.bytes()) != *before) {
        fault("content that was handed over by Arc or Bytes was written");
    }
}

/// A message of that content, made in a random way.
pub fn message(rng: &mut Rng, bytes: Vec<u8>) -> Message {
    match rng.below(10) {
        0 => Message::from(bytes),
        1 => Message::from(&bytes[..]),
        2 => {
            let shared: Arc<[u8]> = bytes.into();
            keep(Handle::Arc(shared.clone()));
            Message::from(shared)
        }
        3 => Message::from(bytes.into_boxed_slice()),
        4 => Message::fill(bytes.len(), |room| room.copy_from_slice(&bytes)).expect("memory"),
        5 => Message::from(&Message::from(bytes)),
        #[cfg(feature = "bytes")]
        6 | 7 => {
            let shared = bytes::Bytes::from(bytes);
            keep(Handle::Bytes(shared.clone()));
            Message::from(shared)
        }
        _ => Message::from_owner(Owner::new(bytes)),
    }
}

/// The parts of one message.
pub fn parts(rng: &mut Rng, sender: u32, number: u32, parts: u8) -> Multipart {
    let part = |part| {
        // Large parts are rare, so that programs are fast.
        let len = if rng.one_in(6) { *rng.pick(&SIZES) } else { *rng.pick(&SIZES[..8]) };
        let bytes = content(Stamp { sender, number, part, parts }, len);
        message(rng, bytes)
    };
    (0..parts).map(part).collect()
}

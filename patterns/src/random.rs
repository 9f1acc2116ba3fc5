//! `Random`: random bytes of the system. `random_number`: numbers that no other process has.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::platform::RandomSource;

/// Random bytes of the system.
#[derive(Debug)]
pub(crate) struct Random(RandomSource);

impl Random {
    pub(crate) fn open() -> io::Result<Random> {
        RandomSource::open().map(Random)
    }

    pub(crate) fn bytes<const N: usize>(&self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(&self) -> io::Result<[u8; 16]> {
        let mut id = self.bytes::<16>()?;
        id[6] = id[6] & 0x0F | 0x40;
        id[8] = id[8] & 0x3F | 0x80;
        Ok(id)
    }
}

/// A number that no other process has, and that no other call returns.
pub(crate) fn random_number() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    // The keys of a forked child are those of its parent.
    hasher.write_u32(process::id());
    hasher.write_u128(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos()));
    hasher.finish()
}

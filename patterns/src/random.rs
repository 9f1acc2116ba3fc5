//! `Random`: random bytes of the system.

use std::fs::File;
use std::io::{self, Read};

/// Random bytes of the system.
#[derive(Debug)]
pub(crate) struct Random(File);

impl Random {
    pub(crate) fn open() -> io::Result<Random> {
        File::open("/dev/urandom").map(Random)
    }

    pub(crate) fn bytes<const N: usize>(&self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        (&self.0).read_exact(&mut bytes)?;
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

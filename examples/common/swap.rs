//! A swap: messages that wait in a file until there is room for them in memory.

use std::fs::{File, OpenOptions, remove_file};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A queue in a file, of bounded size: first in, first out. The file is there only while something is in it; a program
/// that is killed leaves it behind.
pub struct Swap {
    path: PathBuf,
    capacity: u64,
    file: Option<File>,
    /// How many bytes were ever put in and taken out. The file is used round and round: what comes behind its end is
    /// written at its beginning, where messages have gone out already.
    written: u64,
    read: u64,
}

/// What precedes each message: its length.
const HEADER: u64 = 4;

impl Swap {
    /// A swap of so many bytes, in a file that is made when it is needed. No file of that name may exist then.
    pub fn new(path: impl Into<PathBuf>, capacity: u64) -> Swap {
        Swap { path: path.into(), capacity, file: None, written: 0, read: 0 }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.read == self.written
    }

    /// Puts a message behind the others; says whether there was room for it.
    pub fn push(&mut self, message: &[u8]) -> io::Result<bool> {
        let (Ok(length), used) = (u32::try_from(message.len()), self.written - self.read) else {
            return Ok(false);
        };
        if used + HEADER + u64::from(length) > self.capacity {
            return Ok(false);
        }
        if self.file.is_none() {
            // Never somebody else's file, nor where a link of this name leads to.
            self.file = Some(OpenOptions::new().read(true).write(true).create_new(true).open(&self.path)?);
        }
        self.write(self.written, &length.to_be_bytes())?;
        self.write(self.written + HEADER, message)?;
        // It counts from here on: what failed half-way is written over by the next message.
        self.written += HEADER + u64::from(length);
        Ok(true)
    }

    /// Takes the first message out. With the last one goes the file.
    pub fn pop(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.is_empty() {
            return Ok(None);
        }
        let mut length = [0; HEADER as usize];
        self.fetch(self.read, &mut length)?;
        let length = u32::from_be_bytes(length);
        let mut message = vec![0; length as usize];
        self.fetch(self.read + HEADER, &mut message)?;
        self.read += HEADER + u64::from(length);
        if self.is_empty() {
            self.remove()?;
        }
        Ok(Some(message))
    }

    /// Where a position is in the file, and how many of `length` bytes find room up to its end.
    fn place(&self, position: u64, length: usize) -> (u64, usize) {
        let place = position % self.capacity;
        let room = usize::try_from(self.capacity - place).unwrap_or(usize::MAX);
        (place, length.min(room))
    }

    fn write(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        let (place, room) = self.place(position, bytes.len());
        let file = self.file()?;
        file.write_all_at(&bytes[..room], place)?;
        file.write_all_at(&bytes[room..], 0)
    }

    fn fetch(&self, position: u64, bytes: &mut [u8]) -> io::Result<()> {
        let (place, room) = self.place(position, bytes.len());
        let file = self.file()?;
        file.read_exact_at(&mut bytes[..room], place)?;
        file.read_exact_at(&mut bytes[room..], 0)
    }

    fn file(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove(&mut self) -> io::Result<()> {
        match self.file.take() {
            Some(_) => remove_file(&self.path),
            None => Ok(()),
        }
    }

    /// Where the file is while something is in it.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        // Nobody can be told here that the file stays.
        let _ = self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A swap of a test's own, in the directory for temporary files.
    fn swap(name: &str, capacity: u64) -> Swap {
        let name = format!("safe-zmq-{name}-{}.swap", std::process::id());
        Swap::new(std::env::temp_dir().join(name), capacity)
    }

    #[test]
    fn what_goes_in_comes_out_in_order_and_the_file_goes_with_the_last() {
        let mut swap = swap("order", 1000);
        assert!(!swap.path().exists());
        for number in 0..20 {
            assert!(swap.push(format!("message {number}").as_bytes()).unwrap());
        }
        assert!(swap.path().metadata().unwrap().len() >= 20 * 9);
        for number in 0..20 {
            assert!(swap.path().exists());
            assert_eq!(swap.pop().unwrap().unwrap(), format!("message {number}").as_bytes());
        }
        assert_eq!(swap.pop().unwrap(), None);
        assert!(!swap.path().exists());
    }

    #[test]
    fn it_is_bounded_and_used_round_and_round() {
        let mut swap = swap("round", 50);
        let mut numbers = 0_u64..;
        let mut expected = 0_u64..;
        let mut is_full = false;
        for _ in 0..100 {
            let number = numbers.next().unwrap();
            // Three or four messages of 12 bytes fit: most wrap around at some time.
            while !swap.push(&number.to_be_bytes()).unwrap() {
                is_full = true;
                assert_eq!(swap.pop().unwrap().unwrap(), expected.next().unwrap().to_be_bytes());
            }
            assert!(swap.path().metadata().unwrap().len() <= 50);
        }
        assert!(is_full);
        while let Some(message) = swap.pop().unwrap() {
            assert_eq!(message, expected.next().unwrap().to_be_bytes());
        }
        assert_eq!(expected.next(), Some(100));
    }

    #[test]
    fn a_message_that_never_fits_is_refused() {
        let mut swap = swap("large", 10);
        assert!(!swap.push(&[0; 7]).unwrap());
        assert!(!swap.path().exists());
        assert!(swap.push(&[7; 6]).unwrap());
        assert!(!swap.push(b"").unwrap());
        assert_eq!(swap.pop().unwrap().unwrap(), [7; 6]);
        assert!(swap.push(b"").unwrap());
        assert_eq!(swap.pop().unwrap().unwrap(), b"");
    }

    #[test]
    fn its_file_goes_with_it() {
        let mut swap = swap("drop", 100);
        assert!(swap.push(b"left behind").unwrap());
        let path = swap.path().to_owned();
        assert!(path.exists());
        drop(swap);
        assert!(!path.exists());
    }

    #[test]
    fn it_takes_no_file_that_is_there() {
        let mut swap = swap("taken", 100);
        std::fs::write(swap.path(), "precious").unwrap();
        assert_eq!(swap.push(b"mine").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let path = swap.path().to_owned();
        drop(swap);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        remove_file(path).unwrap();
    }
}

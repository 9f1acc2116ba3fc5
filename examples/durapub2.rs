//! Publisher for durable subscribers that keeps little in memory and the rest on disk.
//! The original set ZMQ_HWM to 1 and ZMQ_SWAP to 25 MB, so that libzmq 2 kept one update for an absent subscriber in
//! memory and those behind it in a file. Both options are gone, as are durable sockets: here the program does it, with
//! the same numbers. The file is there only while it is needed.
//!
//! Chapter: 2, (Semi-)Durable Subscribers and High-Water Marks (older editions)
//! Original: durapub2.c
//! Replaces it: no, libzmq has no durable sockets any more, so it speaks with our durasub alone
//! Teaches: a bounded queue: so much in memory, so much on disk, and the rest is dropped
//! Arguments: --publisher tcp://*:5565, --sync tcp://*:5564, --subscribers 1, --updates 10, --delay 1000,
//!     --hwm 1, --swap 25000000, --directory .
//! Other files: common/mod.rs, common/durable.rs
//! Ends: by itself
//! Test partners: durasub
//! Test run: --delay 20
//! Test prints: nothing

mod common;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, remove_file};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use common::durable::{Backlog, DurablePublisher};
use zmq::{Context, interrupt};

/// Publisher for durable subscribers that keeps little in memory and the rest on disk.
#[derive(Parser)]
struct Args {
    /// The endpoint of the updates
    #[arg(long, default_value = "tcp://*:5565")]
    publisher: String,

    /// The endpoint for acknowledgements
    #[arg(long, default_value = "tcp://*:5564")]
    sync: String,

    /// How many subscribers to wait for
    #[arg(long, default_value_t = 1)]
    subscribers: usize,

    /// How many updates to publish
    #[arg(long, default_value_t = 10)]
    updates: u64,

    /// How long to wait after each update, in milliseconds
    #[arg(long, default_value_t = 1000)]
    delay: u64,

    /// How many updates to keep in memory for each subscriber
    #[arg(long, default_value_t = 1)]
    hwm: usize,

    /// How many bytes to keep on disk for each subscriber
    #[arg(long, default_value_t = 25_000_000)]
    swap: u64,

    /// The directory for the files
    #[arg(long, default_value = ".")]
    directory: PathBuf,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| publish(Args::parse()))
}

fn publish(args: Args) -> common::Result {
    let context = Context::new()?;
    let (hwm, swap, directory) = (args.hwm.max(1), args.swap, args.directory);
    let mut publisher = DurablePublisher::new(&context, &args.publisher, &args.sync, move |number| Bounded {
        memory: VecDeque::new(),
        hwm,
        // The name of the file does not depend on the subscriber's name.
        swap: Swap::new(directory.join(format!("durable-{}-{number}.swap", std::process::id())), swap),
    })?;

    // The rest is as in durapub.
    publisher.wait_for_subscribers(args.subscribers)?;
    for update in 0..args.updates {
        if interrupt::interrupted() {
            break;
        }
        publisher.publish(&format!("Update {update}"))?;
        publisher.serve_for(Duration::from_millis(args.delay))?;
    }
    publisher.publish("END")?;
    publisher.finish()
}

/// A backlog of up to `hwm` updates in memory. Further updates wait in a swap.
struct Bounded {
    memory: VecDeque<Vec<u8>>,
    hwm: usize,
    swap: Swap,
}

impl Backlog for Bounded {
    /// While updates are in the swap, the next one goes there too, to keep the order.
    fn push(&mut self, update: &[u8]) -> common::Result<bool> {
        if self.memory.len() >= self.hwm || !self.swap.is_empty() {
            return Ok(self.swap.push(update)?);
        }
        self.memory.push_back(update.to_vec());
        Ok(true)
    }

    fn front(&self) -> Option<&[u8]> {
        self.memory.front().map(Vec::as_slice)
    }

    fn pop(&mut self) -> common::Result<bool> {
        if self.memory.pop_front().is_none() {
            return Ok(false);
        }
        if let Some(update) = self.swap.pop()? {
            self.memory.push_back(update);
        }
        Ok(true)
    }
}

/// A queue in a file, of bounded size: first in, first out. The file exists only while the queue is not empty. A
/// program that is killed leaves it behind.
pub struct Swap {
    path: PathBuf,
    capacity: u64,
    file: Option<File>,
    /// The numbers of bytes that were ever written and read. The file is a ring: bytes that do not fit before its end
    /// go to its beginning, whose messages were read already.
    written: u64,
    read: u64,
}

/// The size of the length that precedes each message.
const HEADER: u64 = 4;

impl Swap {
    /// A swap of `capacity` bytes, in a file that is created when it is needed. No file of that name may exist then.
    pub fn new(path: impl Into<PathBuf>, capacity: u64) -> Swap {
        Swap { path: path.into(), capacity, file: None, written: 0, read: 0 }
    }

    /// Whether it has no messages.
    pub fn is_empty(&self) -> bool {
        self.read == self.written
    }

    /// Adds a message. Gives whether there was room for it.
    pub fn push(&mut self, message: &[u8]) -> io::Result<bool> {
        let (Ok(length), used) = (u32::try_from(message.len()), self.written - self.read) else {
            return Ok(false);
        };
        if used + HEADER + u64::from(length) > self.capacity {
            return Ok(false);
        }
        if self.file.is_none() {
            // `create_new` opens no existing file, and follows no link.
            self.file = Some(OpenOptions::new().read(true).write(true).create_new(true).open(&self.path)?);
        }
        self.write(self.written, &length.to_be_bytes())?;
        self.write(self.written + HEADER, message)?;
        // The message counts from here on. After an error half-way, the next message overwrites it.
        self.written += HEADER + u64::from(length);
        Ok(true)
    }

    /// Removes the first message. With the last one, also removes the file.
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

    /// The place of a position in the file, and how many of `length` bytes fit before its end.
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
}

impl Drop for Swap {
    fn drop(&mut self) {
        // `drop` cannot report that the file stays.
        let _ = self.remove();
    }
}

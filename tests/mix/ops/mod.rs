//! THE TABLE: the operations that programs are made of. An operation is one row.
//!
//! A row's function makes its choices with the [`Rng`] that it is given. It does nothing if the socket or value that it chose
//! does not exist. Every error of the library is allowed. The function checks the facts that must hold after a call, and ends
//! the process by [`crate::world::fault`] if one does not.

mod endpoints;
pub mod hostile;
mod messages;
mod options;
mod process;
mod waiting;
mod working;

use zmq::{Kind, Monitor, Socket};
use zmq_patterns::SharedSocket;

use crate::common::rng::Rng;
use crate::flows;
use crate::world::World;

pub use options::names as option_names;
pub use process::under_signals;

/// One operation.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    /// The share of the row in programs is its weight over the sum of all weights. A row of weight 0 is for the tests of this
    /// tester.
    pub weight: u32,
    pub run: fn(&mut Thread<'_>, &mut Rng),
}

const fn row(name: &'static str, weight: u32, run: fn(&mut Thread<'_>, &mut Rng)) -> Row {
    Row { name, weight, run }
}

static TABLE: &[&[Row]] = &[
    endpoints::ROWS,
    messages::ROWS,
    options::ROWS,
    waiting::ROWS,
    working::ROWS,
    process::ROWS,
    hostile::ROWS,
    flows::ROWS,
];

pub fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().copied().flatten()
}

pub fn find(name: &str) -> Option<&'static Row> {
    rows().find(|row| row.name == name)
}

/// The number of sockets that a thread has at once.
const SOCKETS: usize = 5;

/// The state of one thread of a program. At the end its sockets are dropped first, then its monitors and shared sockets.
pub struct Thread<'w> {
    pub world: &'w World,
    sockets: [Option<Socket<'static>>; SOCKETS],
    monitors: Vec<Monitor>,
    shared: Vec<SharedSocket>,
}

impl<'w> Thread<'w> {
    pub fn new(world: &'w World) -> Thread<'w> {
        Thread { world, sockets: Default::default(), monitors: Vec::new(), shared: Vec::new() }
    }

    /// The socket of a random place, if the place is taken.
    fn socket(&self, rng: &mut Rng) -> Option<&Socket<'static>> {
        self.sockets[rng.below(SOCKETS)].as_ref()
    }

    /// The open sockets.
    fn all(&self) -> impl Iterator<Item = &Socket<'static>> {
        self.sockets.iter().flatten()
    }
}

/// Whether libzmq locks the sockets of this kind.
pub fn is_thread_safe(kind: Kind) -> bool {
    const FIRST_DRAFT: i32 = 12;
    const DGRAM: i32 = 18;
    kind.raw() >= FIRST_DRAFT && kind.raw() != DGRAM
}

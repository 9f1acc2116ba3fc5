//! A program: the calls of each thread. It is made from a seed, and written as text that can be edited and run again.
//!
//! ```text
//! context 5f3a9c10
//! thread
//! bind 91b2c3d4
//! send 00000007
//! thread
//! push-pull 0000abcd
//! ```
//!
//! An operation is a name of the table in `ops/mod.rs` and a number. The number is the seed of all choices that the
//! operation makes, so an operation does the same in every place of a program.

use crate::common::rng::Rng;
use crate::ops::{self, Row};

#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// The seed of the context's options.
    pub context: u32,
    pub threads: Vec<Vec<Op>>,
}

#[derive(Clone, Copy, Debug)]
pub struct Op {
    pub row: &'static Row,
    pub draw: u32,
}

impl PartialEq for Op {
    fn eq(&self, other: &Op) -> bool {
        self.row.name == other.row.name && self.draw == other.draw
    }
}

impl Program {
    pub fn generate(seed: u64) -> Program {
        let mut rng = Rng::new(seed);
        let rows: Vec<&'static Row> = ops::rows().collect();
        let all: u32 = rows.iter().map(|row| row.weight).sum();
        let threads = (0..1 + rng.below(3)).map(|_| {
            let len = 10 + rng.below(120);
            let ops = (0..len).map(|_| {
                let mut place = rng.below(all as usize) as u32;
                let row = rows.iter().find(|row| {
                    let found = place < row.weight;
                    place = place.saturating_sub(row.weight);
                    found
                });
                Op { row: row.expect("the weights add up"), draw: rng.next() as u32 }
            });
            ops.collect()
        });
        let threads = threads.collect();
        Program { context: rng.next() as u32, threads }
    }

    pub fn parse(text: &str) -> Result<Program, String> {
        let mut program = Program { context: 0, threads: Vec::new() };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, draw) = line.split_once(' ').unwrap_or((line, "0"));
            let draw = u32::from_str_radix(draw.trim(), 16).map_err(|error| format!("{line}: {error}"))?;
            match name {
                "context" => program.context = draw,
                "thread" => program.threads.push(Vec::new()),
                name => {
                    let row = ops::find(name).ok_or_else(|| format!("{line}: no such operation"))?;
                    program.threads.last_mut().ok_or("an operation before the first thread")?.push(Op { row, draw });
                }
            }
        }
        Ok(program)
    }

    pub fn text(&self) -> String {
        let mut text = format!("context {:08x}\n", self.context);
        for ops in &self.threads {
            text.push_str("thread\n");
            for op in ops {
                text.push_str(&format!("{} {:08x}\n", op.row.name, op.draw));
            }
        }
        text
    }

    /// The number of operations.
    pub fn len(&self) -> usize {
        self.threads.iter().map(Vec::len).sum()
    }

    /// The program without the operations from `start` to `end`, counted through all threads. A thread that becomes empty
    /// is left out too.
    pub fn without(&self, start: usize, end: usize) -> Program {
        let mut place = 0;
        let threads = self.threads.iter().map(|ops| {
            let kept = ops.iter().filter(|_| {
                place += 1;
                !(start..end).contains(&(place - 1))
            });
            kept.copied().collect::<Vec<_>>()
        });
        let threads = threads.filter(|ops| !ops.is_empty()).collect();
        Program { context: self.context, threads }
    }

    /// A program of one operation, for each operation that `choose` accepts.
    pub fn alone(&self, choose: impl Fn(&Op) -> bool) -> Vec<Program> {
        let chosen = self.threads.iter().flatten().filter(|op| choose(op));
        chosen.map(|op| Program { context: self.context, threads: vec![vec![*op]] }).collect()
    }

    /// The program without one thread.
    pub fn without_thread(&self, thread: usize) -> Program {
        let mut program = self.clone();
        program.threads.remove(thread);
        program
    }
}

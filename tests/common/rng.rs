//! Random choices that a seed repeats.

use std::time::UNIX_EPOCH;

use super::variable;

/// The seed in an environment variable. Without the variable, another seed each second.
pub fn seed(name: &str) -> u64 {
    variable(name).unwrap_or_else(|| UNIX_EPOCH.elapsed().unwrap().as_secs())
}

/// SplitMix64: equal seeds give equal choices, and any number is a good seed.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// True once in `count` calls on average.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn coin(&mut self) -> bool {
        self.one_in(2)
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A source of choices for code that runs at the same time as its caller.
    pub fn fork(&mut self) -> Rng {
        Rng(self.next())
    }
}

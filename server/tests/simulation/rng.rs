//! Chance from a seed, so that a run depends on nothing else.

use botellier_server::replication::log::memory;

pub struct Rng(memory::Rng);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(memory::Rng::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x9e37_79b9_7f4a_7c15))
    }

    pub fn next(&mut self) -> u64 {
        self.0.word()
    }

    /// In `0..n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0.below(n)
    }

    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

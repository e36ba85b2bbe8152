//! Chance: what commands that choose at random throw. What they chose is in their effects, so that every node has it.

use std::collections::HashSet;
use std::hash::Hash;

use super::errors;
use crate::resp::Failure;
use crate::value::{chance, number};

/// A generator of numbers (splitmix64), seeded anew for each command.
pub(super) struct Dice(u64);

impl Dice {
    pub fn new() -> Self {
        Self(chance::number())
    }

    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.throw() % count as u64) as usize
    }

    /// `count` different ones of `len`, which are more: by looking at `all`, or, if these are too many, by throwing
    /// for `one` again and again.
    pub fn distinct<T: Copy + Eq + Hash>(
        &mut self,
        count: usize,
        len: usize,
        all: impl Iterator<Item = T>,
        one: impl Fn(&mut Self) -> Option<T>,
    ) -> Vec<T> {
        const FEW: usize = 1024;
        if len <= FEW || count > len / 3 {
            return self.reservoir(count, all);
        }
        let (mut chosen, mut seen) = (Vec::with_capacity(count), HashSet::with_capacity(count));
        while chosen.len() < count {
            let Some(next) = one(self) else { break };
            if seen.insert(next) {
                chosen.push(next);
            }
        }
        chosen
    }

    /// Each one takes the place of one of those chosen so far with the chance that it must have.
    fn reservoir<T>(&mut self, count: usize, all: impl Iterator<Item = T>) -> Vec<T> {
        let mut chosen = Vec::with_capacity(count);
        for (index, next) in all.enumerate() {
            if chosen.len() < count {
                chosen.push(next);
            } else if let Some(place) = chosen.get_mut(self.below(index + 1)) {
                *place = next;
            }
        }
        chosen
    }
}

/// How many to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// So many different ones, as far as there are.
    Distinct(usize),
    /// So many, some of them perhaps several times.
    Repeated(usize),
}

/// More answers than that to one request would exhaust the memory of any machine.
const ANSWERS_MAX: u64 = 1 << 28;

impl Count {
    /// Whether twice the number would be out of range.
    pub fn is_beyond_pairs(self) -> bool {
        matches!(self, Count::Distinct(count) if count > i64::MAX as usize / 2)
    }

    /// A negative number allows repetitions.
    pub fn parse(word: &[u8]) -> Result<Self, Failure> {
        let number = number::integer(word).ok_or(errors::NOT_INTEGER)?;
        match number {
            i64::MIN => Err(errors::SIGNED_RANGE),
            0.. => Ok(Count::Distinct(usize::try_from(number).unwrap_or(usize::MAX))),
            _ if number.unsigned_abs() > ANSWERS_MAX => Err(errors::RANGE),
            _ => Ok(Count::Repeated(number.unsigned_abs() as usize)),
        }
    }
}

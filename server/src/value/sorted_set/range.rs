//! Ranges of scores and of members, and the ranks that they cover.

use std::ops::Range;

use super::SortedSet;

/// Scores between two, each part of it or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreRange {
    pub min: f64,
    pub min_excluded: bool,
    pub max: f64,
    pub max_excluded: bool,
}

impl ScoreRange {
    pub fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let start = set.partition(|_, score| score < self.min || (self.min_excluded && score == self.min));
        let end = set.partition(|_, score| score < self.max || (!self.max_excluded && score == self.max));
        start..end.max(start)
    }
}

/// An end of a range of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound<'a> {
    /// Before every member (`-`).
    First,
    /// After every member (`+`).
    Last,
    Included(&'a [u8]),
    Excluded(&'a [u8]),
}

/// Members between two, in the order of their bytes: for sets whose scores all are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LexRange<'a> {
    pub min: Bound<'a>,
    pub max: Bound<'a>,
}

impl LexRange<'_> {
    pub fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let start = set.partition(|member, _| match self.min {
            Bound::First => false,
            Bound::Last => true,
            Bound::Included(bound) => member < bound,
            Bound::Excluded(bound) => member <= bound,
        });
        let end = set.partition(|member, _| match self.max {
            Bound::First => false,
            Bound::Last => true,
            Bound::Included(bound) => member <= bound,
            Bound::Excluded(bound) => member < bound,
        });
        start..end.max(start)
    }
}

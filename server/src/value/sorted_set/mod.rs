//! A sorted set: members, each with a score, in the order of their scores and then of their bytes.
//!
//! Contract: a small one is a run of bytes (`listpack`), a large one (`skiplist`, as Redis calls its own) keeps each
//! member once and finds it by its bytes in constant time, by rank, score or order in logarithmic time. Every range
//! is one of ranks: [`SortedSet::partition`] turns bounds into ranks.
//!
//! Deliberately absent: what members and scores may be written as, and scores that are not numbers.

mod members;
mod order;
mod packed;
mod range;

use members::Members;
use order::Order;
use packed::Packed;
pub use range::{Bound, LexRange, ScoreRange};

use super::Forms;

#[derive(Debug, Clone)]
pub struct SortedSet(Form);

#[derive(Debug, Clone)]
enum Form {
    Packed(Packed),
    Tree(Box<Tree>),
}

#[derive(Debug, Clone)]
struct Tree {
    members: Members,
    order: Order,
}

/// Whether one member stands before another.
fn precedes(member: &[u8], score: f64, other: &[u8], other_score: f64) -> bool {
    score < other_score || (score == other_score && member < other)
}

impl Default for SortedSet {
    fn default() -> Self {
        Self(Form::Packed(Packed::default()))
    }
}

impl SortedSet {
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Packed(packed) => packed.len(),
            Form::Tree(tree) => tree.order.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Packed(_) => "listpack",
            Form::Tree(_) => "skiplist",
        }
    }

    /// Bytes that it takes beyond those of the structure itself.
    pub fn allocated(&self) -> usize {
        match &self.0 {
            Form::Packed(packed) => packed.allocated(),
            Form::Tree(tree) => size_of::<Tree>() + tree.members.allocated() + tree.order.allocated(),
        }
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Form::Packed(packed) => packed.score(member),
            Form::Tree(tree) => tree.members.find(member).map(|slot| tree.members.score(slot)),
        }
    }

    /// The rank and score of a member.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.0 {
            Form::Packed(packed) => {
                let mut all = packed.iter().enumerate();
                all.find(|(_, (other, _))| *other == member).map(|(rank, (_, score))| (rank, score))
            }
            Form::Tree(tree) => {
                let score = tree.members.score(tree.members.find(member)?);
                Some((tree.rank(member, score), score))
            }
        }
    }

    /// How many members there are before the first for which `holds` does not hold; it must hold for all before it.
    pub fn partition(&self, mut holds: impl FnMut(&[u8], f64) -> bool) -> usize {
        match &self.0 {
            Form::Packed(packed) => packed.iter().take_while(|(member, score)| holds(member, *score)).count(),
            Form::Tree(tree) => {
                let members = &tree.members;
                tree.order.partition(|slot| holds(members.bytes(slot), members.score(slot)))
            }
        }
    }

    /// The members of the ranks from `start` up to `end`, which is left out, in order or in the opposite one.
    pub fn range(&self, start: usize, end: usize, reverse: bool) -> Items<'_> {
        let end = end.min(self.len());
        let start = start.min(end);
        Items(match &self.0 {
            Form::Packed(packed) => {
                let mut items: Vec<_> = packed.iter().skip(start).take(end - start).collect();
                if !reverse {
                    items.reverse();
                }
                Rest::Packed(items)
            }
            Form::Tree(tree) => Rest::Tree { tree, start, end, leaf: &[], reverse },
        })
    }

    #[allow(clippy::iter_without_into_iter)] // it is walked by name only
    pub fn iter(&self) -> Items<'_> {
        self.range(0, self.len(), false)
    }

    /// Give a member a score; the score that it had.
    pub fn set(&mut self, member: &[u8], score: f64, forms: &Forms) -> Option<f64> {
        match &mut self.0 {
            Form::Packed(packed) => {
                let old = packed.score(member);
                match old {
                    Some(old) if old == score => {}
                    Some(_) => {
                        packed.remove(member);
                        packed.add(member, score);
                    }
                    None if packed.len() < forms.zset_listpack_entries
                        && member.len() <= forms.zset_listpack_value =>
                    {
                        packed.add(member, score);
                    }
                    None => {
                        let mut tree = Tree::of(packed, forms);
                        tree.set(member, score);
                        self.0 = Form::Tree(Box::new(tree));
                    }
                }
                old
            }
            Form::Tree(tree) => tree.set(member, score),
        }
    }

    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Form::Packed(packed) => packed.remove(member),
            Form::Tree(tree) => {
                let slot = tree.members.find(member)?;
                let score = tree.members.score(slot);
                let rank = tree.rank(member, score);
                tree.remove(rank);
                Some(score)
            }
        }
    }

    /// Let `count` members from a rank on go, as far as there are.
    pub fn remove_range(&mut self, start: usize, count: usize) {
        let count = count.min(self.len().saturating_sub(start));
        match &mut self.0 {
            Form::Packed(packed) => packed.remove_range(start, count),
            Form::Tree(tree) => (0..count).for_each(|_| tree.remove(start)),
        }
    }

    /// Meet about `count` members from a cursor on; the next cursor, or `None` after the last. A member that is there
    /// all the time is met once, whatever else changes.
    pub fn scan(&self, cursor: u64, count: usize, mut meet: impl FnMut(&[u8], f64)) -> Option<u64> {
        match &self.0 {
            Form::Packed(packed) => {
                packed.iter().for_each(|(member, score)| meet(member, score));
                None
            }
            Form::Tree(tree) => {
                let members = &tree.members;
                let (mut slot, mut left) = (cursor, count);
                while slot < members.slots() as u64 && left > 0 {
                    if !members.is_free(slot as u32) {
                        meet(members.bytes(slot as u32), members.score(slot as u32));
                    }
                    (slot, left) = (slot + 1, left - 1);
                }
                (slot < members.slots() as u64).then_some(slot)
            }
        }
    }

    /// Take the large form.
    pub fn loosen(&mut self, forms: &Forms) {
        if let Form::Packed(packed) = &self.0 {
            self.0 = Form::Tree(Box::new(Tree::of(packed, forms)));
        }
    }

    /// Take the form that a new one with these members has.
    pub fn fit(&mut self, forms: &Forms) {
        let fits = self.len() <= forms.zset_listpack_entries
            && self.iter().all(|(member, _)| member.len() <= forms.zset_listpack_value);
        match &self.0 {
            Form::Packed(packed) if !fits => self.0 = Form::Tree(Box::new(Tree::of(packed, forms))),
            Form::Tree(_) if fits => {
                let mut packed = Packed::default();
                self.iter().for_each(|(member, score)| packed.add(member, score));
                self.0 = Form::Packed(packed);
            }
            _ => {}
        }
    }
}

impl Tree {
    fn of(packed: &Packed, forms: &Forms) -> Self {
        let mut tree = Self { members: Members::new(forms.seed), order: Order::default() };
        for (rank, (member, score)) in packed.iter().enumerate() {
            let slot = tree.members.add(member, score);
            tree.order.insert(rank, slot);
        }
        tree
    }

    fn rank(&self, member: &[u8], score: f64) -> usize {
        let members = &self.members;
        self.order.partition(|slot| {
            let other = members.score(slot);
            other < score || (other == score && members.bytes(slot) < member)
        })
    }

    fn set(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let Some(slot) = self.members.find(member) else {
            let rank = self.rank(member, score);
            let slot = self.members.add(member, score);
            self.order.insert(rank, slot);
            return None;
        };
        let old = self.members.score(slot);
        if old != score {
            self.order.remove(self.rank(member, old));
            let rank = self.rank(member, score);
            self.members.set_score(slot, score);
            self.order.insert(rank, slot);
        }
        Some(old)
    }

    fn remove(&mut self, rank: usize) {
        let slot = self.order.remove(rank);
        self.members.remove(slot);
    }
}

/// Members with their scores.
pub struct Items<'s>(Rest<'s>);

enum Rest<'s> {
    /// The next one is the last.
    Packed(Vec<(&'s [u8], f64)>),
    Tree {
        tree: &'s Tree,
        start: usize,
        end: usize,
        /// What comes next of the leaf that was looked up last.
        leaf: &'s [u32],
        reverse: bool,
    },
}

impl<'s> Iterator for Items<'s> {
    type Item = (&'s [u8], f64);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Rest::Packed(items) => items.pop(),
            Rest::Tree { tree, start, end, leaf, reverse } => {
                if start >= end {
                    return None;
                }
                if leaf.is_empty() {
                    let (slots, place) = tree.order.leaf(if *reverse { *end - 1 } else { *start });
                    *leaf = if *reverse { &slots[..=place] } else { &slots[place..] };
                }
                let (slot, rest) = if *reverse { leaf.split_last()? } else { leaf.split_first()? };
                *leaf = rest;
                if *reverse {
                    *end -= 1;
                } else {
                    *start += 1;
                }
                Some((tree.members.bytes(*slot), tree.members.score(*slot)))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.0 {
            Rest::Packed(items) => items.len(),
            Rest::Tree { start, end, .. } => end - start,
        };
        (left, Some(left))
    }
}

impl ExactSizeIterator for Items<'_> {}

impl PartialEq for SortedSet {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests;

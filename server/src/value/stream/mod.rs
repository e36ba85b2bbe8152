//! A stream: entries of fields and values, in the order of their identities, and groups of those who read them.
//!
//! Contract: entries are packed into blocks, which stand in an ordered map by the identity of their first entry. A
//! deleted entry is marked in its block, and a block goes with its last entry; so a block never changes its place, and
//! what a follower or a copy holds has the same blocks. No block is without an entry.

mod block;
mod group;
mod id;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use block::{Block, Entry};
pub use group::{Consumer, Group, Pending};
pub use id::{Id, number};

/// Bytes of a block, whatever the settings say.
pub const BLOCK_BYTES_MAX: u64 = 1 << 30;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stream {
    blocks: BTreeMap<Id, Block>,
    length: u64,
    /// The identity that was given last, and of the first entry that is there; of none it is the least one.
    pub last_id: Id,
    pub first_id: Id,
    /// The highest identity of an entry that was deleted (not trimmed).
    pub max_deleted_id: Id,
    /// How many entries were ever added.
    pub entries_added: u64,
    groups: BTreeMap<Arc<[u8]>, Group>,
}

/// Which entries are trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// All but the newest so many.
    Length(u64),
    /// Those before this one.
    Before(Id),
}

impl Stream {
    /// Of parts that were read elsewhere; `None` if they contradict each other.
    pub fn of_blocks(blocks: BTreeMap<Id, Block>, length: u64) -> Option<Self> {
        let count: u64 = blocks.values().map(Block::count).sum();
        let stream = Self { blocks, length, ..Self::default() };
        (count == length && stream.in_order()).then_some(stream)
    }

    fn in_order(&self) -> bool {
        let mut last = None;
        self.blocks.iter().all(|(master, block)| {
            let before = last;
            last = block.entries_back(*master).next().map(|entry| entry.id);
            before.is_none_or(|before| before < *master)
        })
    }

    pub fn len(&self) -> u64 {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn blocks(&self) -> &BTreeMap<Id, Block> {
        &self.blocks
    }

    pub fn groups(&self) -> &BTreeMap<Arc<[u8]>, Group> {
        &self.groups
    }

    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.groups.get_mut(name)
    }

    pub fn put_group(&mut self, name: &[u8], group: Group) {
        self.groups.insert(name.into(), group);
    }

    pub fn remove_group(&mut self, name: &[u8]) {
        self.groups.remove(name);
    }

    /// Bytes that it takes, about.
    pub fn allocated(&self) -> usize {
        let blocks = self.blocks.len() * (size_of::<Id>() + size_of::<Block>());
        let bytes: usize = self.blocks.values().map(Block::allocated).sum();
        let groups: usize = self.groups.iter().map(|(name, group)| name.len() + group.allocated()).sum();
        size_of::<Self>() + blocks + bytes + groups + self.groups.len() * size_of::<Group>()
    }

    /// Whether an entry of so many bytes begins a block.
    pub fn begins_block(&self, bytes: u64, entries_max: u64, bytes_max: u64) -> bool {
        let Some((_, block)) = self.blocks.last_key_value() else { return true };
        let bytes_max = if bytes_max == 0 { BLOCK_BYTES_MAX } else { bytes_max.min(BLOCK_BYTES_MAX) };
        block.as_bytes().len() as u64 + bytes >= bytes_max
            || (entries_max > 0 && block.total() >= entries_max)
    }

    /// Add an entry, in a block of its own if that is asked for; an identity that is not higher than the last changes
    /// nothing.
    pub fn add(&mut self, id: Id, fields: &[&[u8]], begin: bool) {
        if id <= self.last_id {
            return;
        }
        if begin || self.blocks.is_empty() {
            if let Some(mut last) = self.blocks.last_entry() {
                last.get_mut().close();
            }
            self.blocks.insert(id, Block::new(fields));
        }
        let Some((master, block)) = self.blocks.iter_mut().next_back() else { return };
        block.push(*master, id, fields);
        self.length += 1;
        self.entries_added += 1;
        self.last_id = id;
        if self.length == 1 {
            self.first_id = id;
        }
    }

    /// The entries from `start` to `end`, both among them.
    pub fn range(&self, start: Id, end: Id) -> impl Iterator<Item = Entry<'_>> {
        let from = self.blocks.range(..=start).next_back().map_or(start, |(master, _)| *master);
        // An empty range must not be asked of the map.
        let blocks = (from <= end).then(|| self.blocks.range(from..=end)).into_iter().flatten();
        let entries = blocks.flat_map(|(master, block)| block.entries(*master));
        let entries = entries.skip_while(move |entry| entry.id < start);
        entries.take_while(move |entry| entry.id <= end).filter(|entry| !entry.deleted)
    }

    /// The same, the last one first.
    pub fn range_back(&self, start: Id, end: Id) -> impl Iterator<Item = Entry<'_>> {
        let blocks = self.blocks.range(..=end).rev();
        let entries = blocks.flat_map(|(master, block)| block.entries_back(*master));
        let entries = entries.skip_while(move |entry| entry.id > end);
        entries.take_while(move |entry| entry.id >= start).filter(|entry| !entry.deleted)
    }

    pub fn get(&self, id: Id) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The identity of the first and of the last entry that is there.
    pub fn first(&self) -> Option<Id> {
        self.range(Id::MIN, Id::MAX).next().map(|entry| entry.id)
    }

    pub fn last(&self) -> Option<Id> {
        self.range_back(Id::MIN, Id::MAX).next().map(|entry| entry.id)
    }

    /// Delete an entry.
    pub fn delete(&mut self, id: Id) {
        let Some((master, place)) = self.get(id).map(|entry| entry.place()).and_then(|place| {
            let (master, _) = self.blocks.range(..=id).next_back()?;
            Some((*master, place))
        }) else {
            return;
        };
        self.delete_from(master, &[place]);
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id || self.length == 0 {
            self.first_id = self.first().unwrap_or(Id::MIN);
        }
    }

    fn delete_from(&mut self, master: Id, places: &[block::Place]) {
        let Some(block) = self.blocks.get_mut(&master) else { return };
        if block.count() == places.len() as u64 {
            self.blocks.remove(&master);
        } else {
            block.delete(places);
        }
        self.length -= places.len() as u64;
    }

    /// How many of the oldest entries a trim takes: whole blocks only if it need not be exact, and about `limit` at most
    /// if that is not 0.
    pub fn would_trim(&self, trim: Trim, exact: bool, limit: u64) -> u64 {
        let mut gone = 0;
        for (master, block) in &self.blocks {
            let count = block.count();
            let left = self.length - gone;
            if matches!(trim, Trim::Length(most) if left <= most) || (limit > 0 && gone + count > limit) {
                break;
            }
            let whole = match trim {
                Trim::Length(most) => left - count >= most,
                Trim::Before(id) => block.entries_back(*master).next().is_some_and(|last| last.id < id),
            };
            if whole {
                gone += count;
                continue;
            }
            if exact {
                gone += match trim {
                    Trim::Length(most) => left - most,
                    Trim::Before(id) => {
                        let before = block.entries(*master).take_while(|entry| entry.id < id);
                        before.filter(|entry| !entry.deleted).count() as u64
                    }
                };
            }
            break;
        }
        gone
    }

    /// Let the oldest entries go.
    pub fn trim(&mut self, count: u64) {
        let mut left = count.min(self.length);
        while left > 0 {
            let Some((master, block)) = self.blocks.first_key_value() else { break };
            let (master, here) = (*master, block.count());
            if here <= left {
                self.blocks.remove(&master);
                self.length -= here;
                left -= here;
                continue;
            }
            let live = block.entries(master).filter(|entry| !entry.deleted);
            let places: Vec<_> = live.take(left as usize).map(|entry| entry.place()).collect();
            self.delete_from(master, &places);
            left = 0;
        }
        if count > 0 {
            self.first_id = self.first().unwrap_or(Id::MIN);
        }
    }

    /// Whether an entry after `id` may have been deleted.
    pub fn has_gap_after(&self, id: Id) -> bool {
        self.length > 0 && self.max_deleted_id != Id::MIN && id <= self.max_deleted_id
    }

    /// How many entries were added up to `id`, if that can be told.
    pub fn count_up_to(&self, id: Id) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.length == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if id != Id::MIN && id < self.max_deleted_id {
            return None;
        }
        if id == self.last_id {
            return Some(self.entries_added);
        }
        let whole = self.max_deleted_id == Id::MIN || self.max_deleted_id < self.first_id;
        if id > self.last_id || !whole || id > self.first_id {
            return None;
        }
        let before = self.entries_added.wrapping_sub(self.length);
        Some(if id == self.first_id { before.wrapping_add(1) } else { before })
    }

    /// How many entries a group has not read yet, if that can be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        if self.entries_added == 0 || self.length == 0 {
            return Some(0);
        }
        if group.last_id < self.first_id && self.max_deleted_id < self.first_id {
            return Some(self.length as i64);
        }
        let known = group.read.filter(|_| !self.has_gap_after(group.last_id));
        let read = known.or_else(|| self.count_up_to(group.last_id))?;
        Some(self.entries_added.wrapping_sub(read) as i64)
    }

    /// How many nodes Redis' radix tree of these blocks has: `XINFO STREAM` tells it.
    pub fn tree_nodes(&self) -> usize {
        let keys: Vec<[u8; 16]> = self.blocks.keys().map(|id| id.to_bytes()).collect();
        if keys.is_empty() { 1 } else { tree_nodes(&keys, 0) }
    }
}

/// The nodes of a radix tree below `depth` bytes that all keys have in common.
fn tree_nodes(keys: &[[u8; 16]], depth: usize) -> usize {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return 0 };
    if keys.len() == 1 {
        return if depth == first.len() { 1 } else { 2 };
    }
    let common = first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count();
    let branch = depth + common;
    let children = keys.chunk_by(|a, b| a[branch] == b[branch]);
    usize::from(common > 0) + 1 + children.map(|keys| tree_nodes(keys, branch + 1)).sum::<usize>()
}

#[cfg(test)]
mod tests;

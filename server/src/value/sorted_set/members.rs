//! The members of a large sorted set, each kept once: a slot with its score, and its bytes in a page.
//!
//! Contract: a member keeps its slot as long as it is there; finding one by its bytes takes constant time. Growing
//! never rehashes everything at once: the index splits one segment after the other (linear hashing), and a page of
//! which half is gone moves what is left.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use hashbrown::HashTable;

/// Bytes of a page, unless one member alone is larger.
const PAGE_MAX: usize = 16 * 1024;
/// Members of a segment of the index on average, before the next one splits.
const SEGMENT: usize = 208;
/// The page of a slot that is free, and the end of the list of those.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Slot {
    score: f64,
    page: u32,
    /// Where its record begins; of a free slot the next free one.
    offset: u32,
}

/// Records one after the other: the slot, the member's length, the member.
#[derive(Debug, Clone, Default)]
struct Page {
    bytes: Vec<u8>,
    /// Bytes of members that are there.
    live: usize,
}

#[derive(Debug, Clone)]
pub struct Members {
    slots: Vec<Slot>,
    /// The first free slot.
    free: u32,
    pages: Vec<Page>,
    /// Pages that are empty.
    spare: Vec<u32>,
    /// The page that new members go to.
    open: u32,
    index: Vec<HashTable<u32>>,
    len: usize,
    hasher: FixedState,
}

impl Members {
    /// Nothing yet; `seed` keys the hashes.
    pub fn new(seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            pages: Vec::new(),
            spare: Vec::new(),
            open: NONE,
            index: vec![HashTable::new()],
            len: 0,
            hasher: FixedState::with_seed(seed),
        }
    }

    pub fn score(&self, slot: u32) -> f64 {
        self.slots[slot as usize].score
    }

    pub fn set_score(&mut self, slot: u32, score: f64) {
        self.slots[slot as usize].score = score;
    }

    pub fn bytes(&self, slot: u32) -> &[u8] {
        let Slot { page, offset, .. } = self.slots[slot as usize];
        member(&self.pages[page as usize].bytes[offset as usize..]).0
    }

    /// The slots that there may be; those that are free have no member.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    pub fn is_free(&self, slot: u32) -> bool {
        self.slots[slot as usize].page == NONE
    }

    pub fn find(&self, bytes: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(bytes);
        let segment = &self.index[place(hash, self.index.len())];
        segment.find(hash, |slot| self.bytes(*slot) == bytes).copied()
    }

    /// Add a member that is not there yet.
    pub fn add(&mut self, bytes: &[u8], score: f64) -> u32 {
        let slot = self.slot(score);
        self.write(slot, bytes);
        let hash = self.hasher.hash_one(bytes);
        self.len += 1;
        if self.len > self.index.len() * SEGMENT {
            self.split();
        }
        let at = place(hash, self.index.len());
        let Self { index, slots, pages, hasher, .. } = self;
        index[at].insert_unique(hash, slot, |slot| hasher.hash_one(bytes_of(slots, pages, *slot)));
        slot
    }

    pub fn remove(&mut self, slot: u32) {
        let hash = self.hasher.hash_one(self.bytes(slot));
        let at = place(hash, self.index.len());
        if let Ok(found) = self.index[at].find_entry(hash, |other| *other == slot) {
            found.remove();
            self.len -= 1;
        }
        let Slot { page, offset, .. } = self.slots[slot as usize];
        self.slots[slot as usize] = Slot { score: 0.0, page: NONE, offset: self.free };
        self.free = slot;
        let number = page;
        let page = &mut self.pages[number as usize];
        page.live -= member(&page.bytes[offset as usize..]).1;
        if page.live == 0 {
            *page = Page::default();
            self.spare.push(number);
            if self.open == number {
                self.open = NONE;
            }
        } else if number != self.open && page.live * 2 < page.bytes.len() {
            self.evacuate(number);
        }
    }

    fn slot(&mut self, score: f64) -> u32 {
        let new = Slot { score, page: NONE, offset: 0 };
        if self.free == NONE {
            self.slots.push(new);
            return (self.slots.len() - 1) as u32;
        }
        let slot = self.free;
        self.free = self.slots[slot as usize].offset;
        self.slots[slot as usize] = new;
        slot
    }

    /// Write a record for a slot, to the open page if it has room.
    fn write(&mut self, slot: u32, bytes: &[u8]) {
        let size = bytes.len() + 9;
        let fits = |page: &Page| page.bytes.len() + size <= PAGE_MAX;
        let open = self.pages.get(self.open as usize);
        let number = if open.is_some_and(fits) {
            self.open
        } else {
            let number = self.spare.pop().unwrap_or_else(|| {
                self.pages.push(Page::default());
                (self.pages.len() - 1) as u32
            });
            if size > PAGE_MAX / 4 {
                // A page of its own.
                self.pages[number as usize].bytes.reserve_exact(size);
            } else {
                self.open = number;
            }
            number
        };
        let page = &mut self.pages[number as usize];
        let offset = page.bytes.len();
        page.bytes.extend_from_slice(&slot.to_le_bytes());
        let mut length = bytes.len();
        while length >= 0x80 {
            page.bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        page.bytes.push(length as u8);
        page.bytes.extend_from_slice(bytes);
        page.live += page.bytes.len() - offset;
        let slot = &mut self.slots[slot as usize];
        (slot.page, slot.offset) = (number, offset as u32);
    }

    /// Move what is left of a page elsewhere.
    fn evacuate(&mut self, number: u32) {
        let bytes = std::mem::take(&mut self.pages[number as usize]).bytes;
        let mut offset = 0;
        while let Some(slot) = bytes[offset..].first_chunk::<4>().map(|slot| u32::from_le_bytes(*slot)) {
            let (member, size) = member(&bytes[offset..]);
            let Slot { page, offset: at, .. } = self.slots[slot as usize];
            if (page, at as usize) == (number, offset) {
                self.write(slot, member);
            }
            offset += size;
        }
        self.spare.push(number);
    }

    /// One segment of the index becomes two.
    fn split(&mut self) {
        let count = self.index.len() + 1;
        let parent = place_of_parent(count - 1);
        let Self { index, slots, pages, hasher, .. } = self;
        let hash = |slot: &u32| hasher.hash_one(bytes_of(slots, pages, *slot));
        let mut child = HashTable::with_capacity(index[parent].len() / 2);
        for slot in index[parent].extract_if(|slot| place(hash(slot), count) != parent) {
            child.insert_unique(hash(&slot), slot, hash);
        }
        index[parent].shrink_to_fit(hash);
        index.push(child);
    }

    /// Bytes that are allocated.
    pub fn allocated(&self) -> usize {
        let pages: usize = self.pages.iter().map(|page| size_of::<Page>() + page.bytes.capacity()).sum();
        let index: usize =
            self.index.iter().map(|part| size_of::<HashTable<u32>>() + part.allocation_size()).sum();
        self.slots.capacity() * size_of::<Slot>() + pages + index
    }
}

fn bytes_of<'p>(slots: &[Slot], pages: &'p [Page], slot: u32) -> &'p [u8] {
    let Slot { page, offset, .. } = slots[slot as usize];
    member(&pages[page as usize].bytes[offset as usize..]).0
}

/// The member of the record at the front, and the bytes of the whole record.
fn member(record: &[u8]) -> (&[u8], usize) {
    let (mut length, mut at) = (0usize, 4);
    loop {
        let byte = record[at];
        length |= usize::from(byte & 0x7f) << (7 * (at - 4));
        at += 1;
        if byte < 0x80 {
            return (&record[at..at + length], at + length);
        }
    }
}

/// The segment of a hash among so many. The bits are others than those that the segment itself goes by.
fn place(hash: u64, count: usize) -> usize {
    let level = count.next_power_of_two();
    let place = (hash >> 20) as usize & (level - 1);
    if place < count { place } else { place & (level / 2 - 1) }
}

/// The segment that a new one is split off.
fn place_of_parent(new: usize) -> usize {
    new & ((new + 1).next_power_of_two() / 2 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_a_place_and_gets_it_from_its_parent() {
        for count in 2..300 {
            for hash in 0..2_000u64 {
                let (before, after) = (place(hash << 20, count - 1), place(hash << 20, count));
                assert!(before == after || (after == count - 1 && before == place_of_parent(after)));
            }
        }
    }
}

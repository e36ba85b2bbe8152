//! The hash table of a database and of large sets and hashes: it grows and shrinks without a pause and can be walked by
//! a cursor that needs no state.
//!
//! Extendible hashing: a directory indexed by the top bits of a key's hash points at segments of at most
//! [`SEGMENT_MAX`] entries, each a small open-addressing table. A full segment splits in two by its next hash bit,
//! so an insertion moves a few hundred entries at most, never the whole table. Two halves of a split that are nearly
//! empty become one again.
//!
//! A cursor is a hash: segments are walked in hash order, and within a segment entries are taken in hash order,
//! so an entry that is there from the beginning of a scan to its end is met exactly once, whatever splits
//! meanwhile. (Redis' cursor may meet it twice.)

use std::hash::BuildHasher;
use std::ops::ControlFlow;

use hashbrown::HashTable;

/// Entries of a segment before it splits. Small enough that a split takes microseconds.
const SEGMENT_MAX: usize = 448;

/// The share of a segment's entries in a table that is made for a number of them.
const EXPECTED_MAX: usize = SEGMENT_MAX / 8 * 6;

/// Directory bits: 2^32 segments. Beyond that, segments grow instead.
const DEPTH_MAX: u32 = 32;

/// Entries of two segments that become one: far fewer than those of one that splits, so that a table that stands on the
/// edge does not go back and forth.
const MERGED_MAX: usize = SEGMENT_MAX / 4;

/// An entry names its own key.
pub trait Keyed {
    fn key(&self) -> &[u8];
}

/// What a segment is searched by. All its entries share the top bits of their hashes, and the table of a segment tells
/// entries apart by those that it takes for the top ones: it is given the lowest there, which the directory never uses.
const fn within(hash: u64) -> u64 {
    hash.rotate_right(8)
}

#[derive(Debug, Clone)]
struct Segment<T> {
    /// How many of the top hash bits all entries here share.
    depth: u32,
    entries: HashTable<T>,
}

#[derive(Debug, Clone)]
pub struct Table<T> {
    hasher: foldhash::quality::FixedState,
    /// The directory has `1 << depth` places.
    depth: u32,
    directory: Vec<u32>,
    segments: Vec<Segment<T>>,
    /// Segments that no place of the directory points at.
    free: Vec<u32>,
    len: usize,
}

impl<T: Keyed> Table<T> {
    /// An empty table whose hash is keyed by `seed`, so that nobody can choose keys that collide.
    pub fn new(seed: u64) -> Self {
        Self {
            hasher: foldhash::quality::FixedState::with_seed(seed),
            depth: 0,
            directory: vec![0],
            segments: vec![Segment { depth: 0, entries: HashTable::new() }],
            free: Vec::new(),
            len: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    fn place(&self, hash: u64) -> usize {
        self.directory[self.index(hash)] as usize
    }

    /// The place in the directory of a hash.
    fn index(&self, hash: u64) -> usize {
        // A shift by 64 is none in Rust: the directory of depth 0 has one place.
        hash.checked_shr(64 - self.depth).unwrap_or(0) as usize
    }

    /// Make an empty table for so many entries: none of its segments will have to split or grow while they come.
    pub fn expect(&mut self, entries: usize) {
        if !self.is_empty() || entries <= SEGMENT_MAX {
            return;
        }
        // Segments get a little more or less than their share: as much less than fits that none becomes full.
        let depth = entries.div_ceil(EXPECTED_MAX).next_power_of_two().ilog2().min(DEPTH_MAX);
        let share = entries >> depth;
        let segment = || Segment { depth, entries: HashTable::with_capacity(share + share / 8) };
        self.depth = depth;
        self.directory = (0..1 << depth).collect();
        self.segments = self.directory.iter().map(|_| segment()).collect();
        self.free.clear();
    }

    /// Bytes that are allocated for entries, without what they point at.
    pub fn allocated(&self) -> usize {
        let segments: usize = self.segments.iter().map(|segment| segment.entries.allocation_size()).sum();
        segments + self.segments.capacity() * size_of::<Segment<T>>() + self.directory.capacity() * 4
    }

    pub fn get(&self, key: &[u8]) -> Option<&T> {
        let hash = self.hash(key);
        self.segments[self.place(hash)].entries.find(within(hash), |entry| entry.key() == key)
    }

    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut T> {
        self.get_mut_hashed(self.hash(key), key)
    }

    /// The same, for a key whose hash is known.
    pub fn get_mut_hashed(&mut self, hash: u64, key: &[u8]) -> Option<&mut T> {
        let place = self.place(hash);
        self.segments[place].entries.find_mut(within(hash), |entry| entry.key() == key)
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// Put `entry` in; the one that had its key comes out.
    pub fn insert(&mut self, entry: T) -> Option<T> {
        let hash = self.hash(entry.key());
        if let Some(old) = self.get_mut_hashed(hash, entry.key()) {
            return Some(std::mem::replace(old, entry));
        }
        self.insert_new(hash, entry);
        None
    }

    /// Put `entry` in, whose key has this hash; nothing has its key.
    pub fn insert_new(&mut self, hash: u64, entry: T) {
        let mut place = self.place(hash);
        while self.segments[place].entries.len() >= SEGMENT_MAX && self.segments[place].depth < DEPTH_MAX {
            self.split(place, hash);
            place = self.place(hash);
        }
        let hasher = &self.hasher;
        self.segments[place]
            .entries
            .insert_unique(within(hash), entry, |entry| within(hasher.hash_one(entry.key())));
        self.len += 1;
    }

    pub fn remove(&mut self, key: &[u8]) -> Option<T> {
        let hash = self.hash(key);
        let place = self.place(hash);
        let found = self.segments[place].entries.find_entry(within(hash), |entry| entry.key() == key).ok()?;
        self.len -= 1;
        let gone = found.remove().0;
        if self.segments[place].entries.len() <= MERGED_MAX {
            self.merge(hash);
        }
        Some(gone)
    }

    /// Make the segment of `hash` and the one that it was split from one again, as often as both are nearly empty.
    fn merge(&mut self, hash: u64) {
        loop {
            let kept = self.place(hash);
            let depth = self.segments[kept].depth;
            if depth == 0 {
                return;
            }
            let other = self.place(hash ^ 1 << (64 - depth));
            let entries = self.segments[kept].entries.len() + self.segments[other].entries.len();
            if self.segments[other].depth != depth || entries > MERGED_MAX {
                return;
            }
            let hasher = &self.hasher;
            for entry in std::mem::take(&mut self.segments[other].entries) {
                let hash = hasher.hash_one(entry.key());
                let entries = &mut self.segments[kept].entries;
                entries.insert_unique(within(hash), entry, |entry| within(hasher.hash_one(entry.key())));
            }
            self.segments[kept].depth = depth - 1;
            self.free.push(other as u32);
            let run = 1usize << (self.depth + 1 - depth);
            let start = self.index(hash) & !(run - 1);
            self.directory[start..start + run].fill(kept as u32);
        }
    }

    /// Split the segment at `place`, which holds `hash`, by its next bit.
    fn split(&mut self, place: usize, hash: u64) {
        let depth = self.segments[place].depth;
        if depth == self.depth {
            self.directory = self.directory.iter().flat_map(|&segment| [segment, segment]).collect();
            self.depth += 1;
        }
        let bit = 1u64 << (63 - depth);
        let hasher = &self.hasher;
        let old = std::mem::take(&mut self.segments[place].entries);
        let (mut low, mut high) = (HashTable::with_capacity(SEGMENT_MAX), HashTable::new());
        for entry in old {
            let hash = hasher.hash_one(entry.key());
            let half = if hash & bit == 0 { &mut low } else { &mut high };
            half.insert_unique(within(hash), entry, |entry| within(hasher.hash_one(entry.key())));
        }
        self.segments[place] = Segment { depth: depth + 1, entries: low };
        let new = self.free.pop().unwrap_or(self.segments.len() as u32);
        let high = Segment { depth: depth + 1, entries: high };
        match self.segments.get_mut(new as usize) {
            Some(free) => *free = high,
            None => self.segments.push(high),
        }
        // The directory places of the old segment whose next bit is one: the upper half of its run.
        let run = 1usize << (self.depth - depth);
        let start = self.index(hash) & !(run - 1);
        self.directory[start + run / 2..start + run].fill(new);
    }

    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.segments.iter().flat_map(|segment| segment.entries.iter())
    }

    /// Visit at least `count` entries (unless the end comes first) from `cursor` on, in hash order. Returns the
    /// next cursor, or `None` at the end. A cursor starts at 0.
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(u64, &'a T)) -> Option<u64> {
        let mut seen = 0;
        self.walk(cursor, |hash, entry| {
            visit(hash, entry);
            seen += 1;
            if seen >= count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }

    /// The same, until `visit` has enough. Each call looks at the whole segment that it begins in: few calls are better
    /// than many.
    pub fn walk<'a>(
        &'a self,
        cursor: u64,
        mut visit: impl FnMut(u64, &'a T) -> ControlFlow<()>,
    ) -> Option<u64> {
        let (mut next, mut enough) = (cursor, None);
        let mut entries: Vec<(u64, &T)> = Vec::new();
        loop {
            let segment = &self.segments[self.place(next)];
            let hashed = segment.entries.iter().map(|entry| (self.hasher.hash_one(entry.key()), entry));
            entries.clear();
            entries.extend(hashed.filter(|(hash, _)| *hash >= next));
            entries.sort_unstable_by_key(|(hash, _)| *hash);
            for (hash, entry) in &entries {
                // Entries of one hash go together: a cursor can't tell them apart.
                if enough.is_some_and(|last| last != *hash) {
                    return Some(*hash);
                }
                if visit(*hash, entry).is_break() {
                    enough = Some(*hash);
                }
            }
            next = Self::after(next, segment.depth)?;
            if enough.is_some() {
                return Some(next);
            }
        }
    }

    /// The first hash beyond the segment of `depth` bits that holds `hash`.
    fn after(hash: u64, depth: u32) -> Option<u64> {
        let width = 1u64.checked_shl(64 - depth)?;
        (hash & !(width - 1)).checked_add(width)
    }

    /// A random entry: `random` gives numbers; every entry has about the same chance.
    pub fn sample(&self, mut random: impl FnMut() -> u64) -> Option<&T> {
        if self.is_empty() {
            return None;
        }
        loop {
            // A segment is chosen by its share of the hash space, an entry by its place among the most possible:
            // a miss is thrown again, so that full segments are not preferred to others.
            let segment = &self.segments[self.place(random())];
            let chosen = (random() % SEGMENT_MAX as u64) as usize;
            if segment.entries.is_empty() {
                continue;
            }
            let chosen = if segment.depth == 0 { chosen % segment.entries.len() } else { chosen };
            if let Some(entry) = segment.entries.iter().nth(chosen) {
                return Some(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    impl Keyed for (Vec<u8>, u32) {
        fn key(&self) -> &[u8] {
            &self.0
        }
    }

    fn entry(number: u32) -> (Vec<u8>, u32) {
        (format!("key:{number}").into_bytes(), number)
    }

    /// A small deterministic generator (splitmix64).
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    #[test]
    fn it_behaves_as_a_map() {
        let (mut table, mut model, mut state) = (Table::new(7), HashMap::new(), 1);
        for step in 0..200_000u32 {
            let number = (random(&mut state) % 30_000) as u32;
            let key = entry(number).0;
            if random(&mut state).is_multiple_of(3) {
                assert_eq!(table.remove(&key).map(|(_, v)| v), model.remove(&key));
            } else {
                let old = table.insert((key.clone(), step)).map(|(_, v)| v);
                assert_eq!(old, model.insert(key.clone(), step));
            }
            assert_eq!(table.get(&key).map(|(_, v)| v), model.get(&key));
        }
        assert_eq!(table.len(), model.len());
        assert_eq!(table.iter().count(), model.len());
    }

    #[test]
    fn what_was_made_for_a_number_of_entries_takes_them_without_a_split() {
        for entries in [0, 448, 449, 1_000, 100_000, 123_456] {
            let mut table = Table::new(7);
            table.expect(entries as usize);
            let segments = table.segments.len();
            (0..entries).for_each(|number| assert_eq!(table.insert(entry(number)), None));
            assert!(segments == table.segments.len(), "{entries}: {segments} {}", table.segments.len());
            assert!(
                (0..entries).all(|number| table.get(&entry(number).0).is_some_and(|found| found.1 == number))
            );
            let mut hashes = Vec::new();
            table.scan(0, usize::MAX, |hash, _| hashes.push(hash));
            assert!(hashes.len() == entries as usize && hashes.is_sorted());
            // It may be wrong about the number.
            (entries..entries + 5_000).for_each(|number| assert_eq!(table.insert(entry(number)), None));
            (0..entries + 5_000).for_each(|number| assert!(table.remove(&entry(number).0).is_some()));
            assert!(table.is_empty());
        }
    }

    #[test]
    fn a_scan_meets_every_lasting_entry_once_while_the_table_grows() {
        let mut table = Table::new(3);
        (0..5_000).for_each(|number| drop(table.insert(entry(number))));
        let (mut cursor, mut seen, mut added) = (Some(0), Vec::new(), 5_000);
        while let Some(at) = cursor {
            cursor = table.scan(at, 10, |_, (_, number)| seen.push(*number));
            for _ in 0..50 {
                table.insert(entry(added));
                added += 1;
            }
            assert!(added < 10_000_000, "the scan ends");
        }
        let distinct: HashSet<_> = seen.iter().copied().collect();
        assert_eq!(distinct.len(), seen.len(), "nothing twice");
        assert!((0..5_000).all(|number| distinct.contains(&number)));
    }

    #[test]
    fn a_table_that_empties_gives_its_segments_back() {
        let mut table = Table::new(3);
        for round in 0..3 {
            (0..50_000).for_each(|number| drop(table.insert(entry(number))));
            assert!(table.segments.len() - table.free.len() > 100);
            let (mut cursor, mut seen, mut gone) = (Some(0), HashSet::new(), 10);
            while let Some(at) = cursor {
                cursor = table.scan(at, 10, |_, (_, number)| assert!(seen.insert(*number), "twice"));
                (gone..50_000.min(gone + 200)).for_each(|number| drop(table.remove(&entry(number).0)));
                gone += 200;
            }
            (gone..50_000).for_each(|number| drop(table.remove(&entry(number).0)));
            assert!((0..10).all(|number| seen.contains(&number)), "round {round}");
            assert_eq!(table.len(), 10);
            assert_eq!(table.segments.len() - table.free.len(), 1);
            assert!((0..10).all(|number| table.contains(&entry(number).0)));
        }
    }

    #[test]
    fn samples_reach_every_entry() {
        let (mut table, mut state) = (Table::new(3), 5);
        assert_eq!(table.sample(|| 0), None);
        (0..2_000).for_each(|number| drop(table.insert(entry(number))));
        let mut seen = HashSet::new();
        for _ in 0..60_000 {
            seen.insert(table.sample(|| random(&mut state)).unwrap().1);
        }
        assert_eq!(seen.len(), 2_000);
    }
}

//! A list: a deque of byte strings, packed into chunks.
//!
//! Contract: pushing and popping at both ends takes constant time, and finding an index time in the number of
//! chunks; what changes the middle rebuilds a chunk of at most some kilobytes. No chunk is empty.

mod chunk;

use std::collections::VecDeque;

use bytes::Bytes;

use super::rdb::listpack::Listpack;
pub use chunk::keep_alone;
use chunk::{BYTES_MAX, Chunk};

/// One end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Left,
    Right,
}

#[derive(Debug, Clone, Default)]
pub struct List {
    chunks: VecDeque<Chunk>,
    len: usize,
}

impl List {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What `OBJECT ENCODING` answers: while Redis would keep a list that came to hold these items in one listpack, its
    /// name. `most` is the limit as `list-max-listpack-size` has it: items, or -1 to -5 for 4 to 64 KiB.
    pub fn encoding(&self, most: i64) -> &'static str {
        const SIZES: [usize; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];
        let fits = if let Ok(items) = usize::try_from(most) {
            self.len <= items.max(1)
        } else {
            let bytes = SIZES[most.unsigned_abs().min(5) as usize - 1];
            let mut packed = Listpack::default();
            self.iter().all(|item| {
                let room = packed.as_bytes().len() + item.len() <= bytes;
                if room {
                    packed.push(item);
                }
                room
            })
        };
        if fits { "listpack" } else { "quicklist" }
    }

    /// Bytes that it takes beyond those of the structure itself.
    pub fn allocated(&self) -> usize {
        let chunks = self.chunks.capacity() * size_of::<Chunk>();
        chunks + self.chunks.iter().map(Chunk::allocated).sum::<usize>()
    }

    /// The chunk that holds an index, and the place in it; an index that is too large has none.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        if index < self.len / 2 {
            let mut left = index;
            for (number, chunk) in self.chunks.iter().enumerate() {
                if left < chunk.len() {
                    return Some((number, left));
                }
                left -= chunk.len();
            }
        } else {
            let mut right = self.len - index;
            for (number, chunk) in self.chunks.iter().enumerate().rev() {
                if right <= chunk.len() {
                    return Some((number, chunk.len() - right));
                }
                right -= chunk.len();
            }
        }
        None
    }

    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let (number, place) = self.locate(index)?;
        Some(self.chunks[number].get(place))
    }

    /// All items, from left to right.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.chunks.iter().flat_map(Chunk::iter)
    }

    /// All items, from one end to the other.
    pub fn iter_from(&self, end: End) -> impl Iterator<Item = &[u8]> {
        let (right, left) = match end {
            End::Left => (Some(self.iter()), None),
            End::Right => (None, Some(self.iter().rev())),
        };
        right.into_iter().flatten().chain(left.into_iter().flatten())
    }

    /// `count` items from `start` on, as far as there are.
    pub fn range(&self, start: usize, count: usize) -> impl Iterator<Item = Bytes> {
        let mut left = count.min(self.len.saturating_sub(start));
        let (first, mut place) = self.locate(start).unwrap_or((0, 0));
        self.chunks
            .iter()
            .skip(first)
            .map_while(move |chunk| {
                let here = left.min(chunk.len() - place);
                let items = (here > 0).then(|| chunk.share(place, here));
                left -= here;
                place = 0;
                items
            })
            .flatten()
    }

    pub fn push(&mut self, end: End, item: &[u8]) {
        self.len += 1;
        let chunk = match end {
            End::Left => self.chunks.front_mut(),
            End::Right => self.chunks.back_mut(),
        };
        if let Some(chunk) = chunk.filter(|chunk| chunk.takes(end, item.len())) {
            chunk.push(end, item);
            return;
        }
        if self.chunks.is_empty() {
            // Most lists are short: room for one chunk, not for four.
            self.chunks.reserve_exact(1);
        }
        match end {
            End::Left => self.chunks.push_front(Chunk::new(end, item)),
            End::Right => self.chunks.push_back(Chunk::new(end, item)),
        }
    }

    /// Let `count` items go from an end, as far as there are.
    pub fn discard(&mut self, end: End, count: usize) {
        let mut left = count.min(self.len);
        self.len -= left;
        while left > 0 {
            let chunk = match end {
                End::Left => self.chunks.front_mut(),
                End::Right => self.chunks.back_mut(),
            };
            let Some(chunk) = chunk else { return };
            if left < chunk.len() {
                chunk.discard(end, left);
                return;
            }
            left -= chunk.len();
            match end {
                End::Left => self.chunks.pop_front(),
                End::Right => self.chunks.pop_back(),
            };
        }
    }

    /// Put chunks of other items in the place of one.
    fn replace(&mut self, number: usize, chunks: Vec<Chunk>) {
        if let [chunk] = &chunks[..] {
            self.chunks[number] = chunk.clone();
            return;
        }
        let mut after = self.chunks.split_off(number);
        after.pop_front();
        self.chunks.extend(chunks);
        self.chunks.append(&mut after);
    }

    /// Put another item in the place of one.
    pub fn set(&mut self, index: usize, item: &[u8]) {
        let Some((number, place)) = self.locate(index) else { return };
        let chunk = &mut self.chunks[number];
        if !chunk.overwrite(place, item) {
            let items = chunk.iter().enumerate().map(|(other, old)| if other == place { item } else { old });
            let packed = Chunk::pack(items);
            self.replace(number, packed);
        }
    }

    /// Put an item before the one at an index, or at the end.
    pub fn insert(&mut self, index: usize, item: &[u8]) {
        if index == 0 {
            return self.push(End::Left, item);
        }
        let Some((number, place)) = self.locate(index) else { return self.push(End::Right, item) };
        let chunk = &self.chunks[number];
        let (before, after) = (chunk.iter().take(place), chunk.iter().skip(place));
        let packed = if chunk.size() + item.len() <= BYTES_MAX {
            Chunk::pack(before.chain([item]).chain(after))
        } else {
            // In halves, so that the next insertion here finds room.
            let mut packed = Chunk::pack(before.chain([item]));
            packed.extend(Chunk::pack(after));
            packed
        };
        self.len += 1;
        self.replace(number, packed);
    }

    /// Let occurrences of an item go: the first `count` from an end, or all if that is 0.
    pub fn remove(&mut self, end: End, count: usize, item: &[u8]) {
        let mut left = if count == 0 { usize::MAX } else { count };
        let mut kept: VecDeque<Chunk> = VecDeque::with_capacity(self.chunks.len());
        while let Some(chunk) =
            if end == End::Left { self.chunks.pop_front() } else { self.chunks.pop_back() }
        {
            let found = if left == 0 { 0 } else { chunk.iter().filter(|other| *other == item).count() };
            let gone = found.min(left);
            left -= gone;
            self.len -= gone;
            // From the right the first ones to stay are the leftmost.
            let spare = if end == End::Right { found - gone } else { 0 };
            let chunks = if gone == 0 { vec![chunk] } else { without(&chunk, item, spare, gone) };
            for chunk in in_order(chunks, end) {
                join(&mut kept, end, chunk);
            }
        }
        self.chunks = kept;
    }

    /// Let only `length` items from `start` on stay.
    pub fn trim(&mut self, start: usize, length: usize) {
        self.discard(End::Left, start);
        self.discard(End::Right, self.len.saturating_sub(length));
    }
}

/// A chunk without some occurrences of an item: `spare` of them stay, the next `gone` go.
fn without(chunk: &Chunk, item: &[u8], spare: usize, gone: usize) -> Vec<Chunk> {
    let mut seen = 0;
    let stays = |other: &&[u8]| {
        if *other != item {
            return true;
        }
        seen += 1;
        seen <= spare || seen > spare + gone
    };
    Chunk::pack(chunk.iter().filter(stays))
}

/// Chunks in the order in which a walk from an end meets them.
fn in_order(mut chunks: Vec<Chunk>, end: End) -> Vec<Chunk> {
    if end == End::Right {
        chunks.reverse();
    }
    chunks
}

/// Put a chunk behind those that a walk from an end has met, as one with the last of them if both are small.
fn join(met: &mut VecDeque<Chunk>, end: End, chunk: Chunk) {
    let last = if end == End::Left { met.back() } else { met.front() };
    let small = last.filter(|last| last.size() + chunk.size() <= BYTES_MAX / 2);
    let packed = small.map(|last| {
        let (left, right) = if end == End::Left { (last, &chunk) } else { (&chunk, last) };
        Chunk::pack(left.iter().chain(right.iter()))
    });
    // Too many tiny items may need two chunks after all.
    let joined = packed.filter(|packed| packed.len() == 1).and_then(|mut packed| packed.pop());
    let place = if end == End::Left { met.back_mut() } else { met.front_mut() };
    match (joined, place) {
        (Some(joined), Some(place)) => *place = joined,
        _ if end == End::Left => met.push_back(chunk),
        _ => met.push_front(chunk),
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small deterministic generator (splitmix64).
    fn random(state: &mut u64) -> usize {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as usize
    }

    fn remove(model: &mut VecDeque<Vec<u8>>, end: End, count: usize, item: &[u8]) {
        let left = if count == 0 { usize::MAX } else { count };
        let mut places: Vec<usize> = (0..model.len()).filter(|index| model[*index] == item).collect();
        if end == End::Right {
            places.reverse();
        }
        places.truncate(left);
        places.sort_unstable();
        places.into_iter().rev().for_each(|index| drop(model.remove(index)));
    }

    /// One random change, to a list and to a plain deque.
    fn change(list: &mut List, model: &mut VecDeque<Vec<u8>>, state: &mut u64, sizes: &[usize]) {
        let size = sizes[random(state) % sizes.len()];
        let item = vec![b'a' + (random(state) % 4) as u8; size];
        let end = if random(state).is_multiple_of(2) { End::Left } else { End::Right };
        let index = random(state) % (model.len() + 1);
        match random(state) % 100 {
            0..50 => {
                list.push(end, &item);
                if end == End::Left { model.push_front(item) } else { model.push_back(item) }
            }
            50..70 => {
                let count = random(state) % 4;
                list.discard(end, count);
                for _ in 0..count {
                    let _ = if end == End::Left { model.pop_front() } else { model.pop_back() };
                }
            }
            70..80 => {
                list.set(index, &item);
                if let Some(old) = model.get_mut(index) {
                    *old = item;
                }
            }
            80..95 => {
                list.insert(index, &item);
                model.insert(index, item);
            }
            95..97 => {
                let count = random(state) % 5;
                list.remove(end, count, &item);
                remove(model, end, count, &item);
            }
            97 => {
                let length = model.len() * 3 / 4;
                list.trim(index, length);
                model.drain(..index);
                model.truncate(length);
            }
            _ => {
                let count = random(state) % (model.len() + 1);
                let range: Vec<Vec<u8>> = list.range(index, count).map(Into::into).collect();
                assert!(range.iter().eq(model.iter().skip(index).take(count)));
            }
        }
    }

    #[test]
    fn it_behaves_as_a_deque() {
        for (seed, sizes) in [(1, &[0, 1, 5][..]), (2, &[3, 100, 3_000]), (3, &[1, 9_000, 20_000])] {
            let (mut list, mut model, mut state) = (List::default(), VecDeque::new(), seed);
            for step in 0..6_000 {
                change(&mut list, &mut model, &mut state, sizes);
                assert_eq!(list.len(), model.len());
                assert!(list.chunks.iter().all(|chunk| chunk.len() > 0), "no chunk is empty");
                let index = random(&mut state) % (model.len() + 1);
                assert_eq!(list.get(index), model.get(index).map(Vec::as_slice));
                if step % 50 == 0 {
                    assert!(list.iter().eq(model.iter().map(Vec::as_slice)), "step {step}");
                    assert!(list.iter_from(End::Right).eq(model.iter().rev().map(Vec::as_slice)));
                }
            }
        }
    }

    #[test]
    fn many_small_items_take_little_room() {
        let mut list = List::default();
        (0..100_000u32).for_each(|number| list.push(End::Right, &number.to_be_bytes()));
        let each = list.allocated() / list.len();
        assert!(each < 16, "{each} bytes for an item of 4");
    }

    #[test]
    fn a_queue_gives_back_what_it_took() {
        let mut list = List::default();
        for _ in 0..200_000 {
            list.push(End::Left, b"some task");
            if list.len() > 100 {
                list.discard(End::Right, 1);
            }
        }
        assert!(list.chunks.len() <= 3, "{} chunks for 100 items", list.chunks.len());
    }
}

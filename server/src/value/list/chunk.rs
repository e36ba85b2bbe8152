//! A run of items, packed into one buffer.
//!
//! Bytes are only ever added and cut off at the end of the buffer: a chunk that grows to the left keeps its items in
//! reverse. So a push costs a copy of its item, at either end of a list, and a pop costs nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::End;

/// Bytes of items in a chunk, unless one item alone is larger: as with Redis' `list-max-listpack-size -2`.
pub const BYTES_MAX: usize = 8 * 1024;

/// Items in a chunk, so that many tiny ones stay quick to rebuild.
const ITEMS_MAX: usize = 1024;

/// Bytes from which an item has a chunk of its own, although there were room for it in another.
static ALONE_MIN: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Items of so many bytes that are added from now on have a chunk of their own. It is for all lists: suites that test
/// what becomes of large items make small ones large by it.
pub fn keep_alone(bytes: usize) {
    ALONE_MIN.store(bytes, Ordering::Relaxed);
}

#[derive(Debug, Clone, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    /// Where each item ends in `bytes`.
    ends: Vec<u32>,
    /// So many items at the start of the buffer are gone.
    gone: u32,
    /// The last item of the buffer is the first one.
    reversed: bool,
}

impl Chunk {
    /// A chunk of one item that is to grow towards an end.
    pub fn new(end: End, item: &[u8]) -> Self {
        let mut chunk = Self { reversed: end == End::Left, ..Self::default() };
        chunk.add(item);
        chunk
    }

    pub fn len(&self) -> usize {
        self.ends.len() - self.gone as usize
    }

    /// Bytes of the items that are there.
    pub fn size(&self) -> usize {
        self.bytes.len() - self.start(self.gone as usize)
    }

    /// Bytes that are allocated.
    pub fn allocated(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()
    }

    /// Whether an item of so many bytes has room at an end.
    pub fn takes(&self, end: End, size: usize) -> bool {
        self.reversed == (end == End::Left)
            && self.bytes.len() + size <= BYTES_MAX
            && self.ends.len() < ITEMS_MAX
            && self.bytes.len().max(size) < ALONE_MIN.load(Ordering::Relaxed)
    }

    fn add(&mut self, item: &[u8]) {
        self.bytes.extend_from_slice(item);
        self.ends.push(self.bytes.len() as u32);
    }

    /// Put an item at an end that takes it.
    pub fn push(&mut self, end: End, item: &[u8]) {
        debug_assert_eq!(self.reversed, end == End::Left, "it grows to the other side");
        self.add(item);
    }

    /// Let `count` items go from an end; there must be more than that.
    pub fn discard(&mut self, end: End, count: usize) {
        debug_assert!(count < self.len(), "an empty chunk is none");
        if self.reversed == (end == End::Left) {
            self.ends.truncate(self.ends.len() - count);
            self.bytes.truncate(self.ends.last().map_or(0, |end| *end as usize));
        } else {
            self.gone += count as u32;
        }
    }

    /// Where an item begins in the buffer.
    fn start(&self, slot: usize) -> usize {
        slot.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }

    /// The place of an item in the buffer.
    fn slot(&self, index: usize) -> usize {
        if self.reversed { self.ends.len() - 1 - index } else { self.gone as usize + index }
    }

    pub fn get(&self, index: usize) -> &[u8] {
        let slot = self.slot(index);
        &self.bytes[self.start(slot)..self.ends[slot] as usize]
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        (0..self.len()).map(|index| self.get(index))
    }

    /// `count` items from `start` on, copied into one buffer that they share.
    pub fn share(&self, start: usize, count: usize) -> impl Iterator<Item = Bytes> + use<> {
        let mut places = Vec::with_capacity(count);
        let slots = [start, start + count - 1].map(|index| self.slot(index));
        let (low, high) = (slots[0].min(slots[1]), slots[0].max(slots[1]));
        let from = self.start(low);
        let shared = Bytes::copy_from_slice(&self.bytes[from..self.ends[high] as usize]);
        for index in start..start + count {
            let slot = self.slot(index);
            places.push((self.start(slot) - from, self.ends[slot] as usize - from));
        }
        places.into_iter().map(move |(start, end)| shared.slice(start..end))
    }

    /// Put another item in the place of one, if both have the same length.
    pub fn overwrite(&mut self, index: usize, item: &[u8]) -> bool {
        let slot = self.slot(index);
        let place = self.start(slot)..self.ends[slot] as usize;
        let fits = place.len() == item.len();
        if fits {
            self.bytes[place].copy_from_slice(item);
        }
        fits
    }

    /// Chunks of these items, as few as they fit in.
    pub fn pack<'i>(items: impl Iterator<Item = &'i [u8]>) -> Vec<Self> {
        let mut chunks: Vec<Self> = Vec::new();
        for item in items {
            match chunks.last_mut().filter(|chunk| chunk.takes(End::Right, item.len())) {
                Some(chunk) => chunk.add(item),
                None => chunks.push(Self::new(End::Right, item)),
            }
        }
        chunks
    }
}

//! A run of short byte strings in one buffer: the small form of sets and hashes, as Redis' listpack.
//!
//! Contract: items keep their order. Looking for one reads the buffer from the start, so it is for a few hundred items
//! at most; who holds it sees to that.

use std::ops::Range;

/// Each item is its length (7 bits a byte, the lowest first), then its bytes.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    bytes: Vec<u8>,
    len: u32,
}

impl Packed {
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Bytes that are allocated.
    pub fn allocated(&self) -> usize {
        self.bytes.capacity()
    }

    pub fn iter(&self) -> Items<'_> {
        Items { bytes: &self.bytes, at: 0 }
    }

    /// The place of an item: the first of every `stride` is compared, and its index counted.
    pub fn find(&self, wanted: &[u8], stride: usize) -> Option<(usize, Range<usize>)> {
        let mut items = self.iter();
        for index in 0.. {
            let start = items.at;
            if items.next()? == wanted {
                return Some((index, start..items.at));
            }
            items.by_ref().take(stride - 1).for_each(drop);
        }
        None
    }

    /// The items from a place in the buffer on.
    pub fn at(&self, at: usize) -> Items<'_> {
        Items { bytes: &self.bytes, at }
    }

    pub fn push(&mut self, item: &[u8]) {
        put(item, &mut self.bytes);
        self.len += 1;
    }

    /// Put items before the one at a place.
    pub fn insert(&mut self, at: usize, items: &[&[u8]]) {
        let mut bytes = Vec::new();
        items.iter().for_each(|item| put(item, &mut bytes));
        self.bytes.splice(at..at, bytes);
        self.len += items.len() as u32;
    }

    /// Let `count` items go, which are all that stands at `place`.
    pub fn remove(&mut self, place: Range<usize>, count: usize) {
        self.bytes.drain(place);
        self.len -= count as u32;
    }

    /// Put another item in the place of one.
    pub fn replace(&mut self, place: Range<usize>, item: &[u8]) {
        let mut bytes = Vec::with_capacity(item.len() + 2);
        put(item, &mut bytes);
        if bytes.len() == place.len() {
            self.bytes[place].copy_from_slice(&bytes);
        } else {
            self.bytes.splice(place, bytes);
        }
    }
}

fn put(item: &[u8], out: &mut Vec<u8>) {
    let mut length = item.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(item);
}

/// The items of a run, in order.
#[derive(Debug, Clone)]
pub struct Items<'p> {
    bytes: &'p [u8],
    at: usize,
}

impl Items<'_> {
    /// Where the next item begins.
    pub fn at(&self) -> usize {
        self.at
    }
}

impl<'p> Iterator for Items<'p> {
    type Item = &'p [u8];

    fn next(&mut self) -> Option<&'p [u8]> {
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        let start = self.at;
        self.at += length;
        self.bytes.get(start..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_order_whatever_changes() {
        let mut packed = Packed::default();
        let long = vec![7; 300];
        for item in [b"a".as_slice(), b"", &long, b"d"] {
            packed.push(item);
        }
        assert!(packed.iter().eq([b"a".as_slice(), b"", &long, b"d"]));
        let (index, place) = packed.find(&long, 1).unwrap();
        assert_eq!((index, packed.at(place.start).next()), (2, Some(&*long)));
        packed.replace(place.clone(), b"c");
        assert!(packed.iter().eq([b"a".as_slice(), b"", b"c", b"d"]));
        packed.insert(place.start, &[b"x", &long]);
        assert!(packed.iter().eq([b"a".as_slice(), b"", b"x", &long, b"c", b"d"]));
        assert_eq!(packed.find(b"x", 2).map(|found| found.0), Some(1));
        assert_eq!(packed.find(&long, 2), None, "it is no first one");
        packed.remove(0..1 + 1 + 1, 2);
        assert!(packed.iter().eq([b"x".as_slice(), &long, b"c", b"d"]));
        assert_eq!(packed.len(), 4);
    }
}

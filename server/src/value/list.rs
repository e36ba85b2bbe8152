//! A list: a deque of byte strings.

use std::collections::VecDeque;

use bytes::Bytes;

/// One end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Left,
    Right,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct List {
    pub items: VecDeque<Bytes>,
}

impl List {
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.items.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.items.get(index).map(AsRef::as_ref)
    }

    /// All items, from one end to the other.
    pub fn iter_from(&self, end: End) -> impl Iterator<Item = &[u8]> {
        let length = self.items.len();
        (0..length).map(move |step| &*self.items[if end == End::Left { step } else { length - 1 - step }])
    }

    /// `count` items from `start` on, as far as there are.
    pub fn range(&self, start: usize, count: usize) -> impl Iterator<Item = Bytes> {
        self.items.iter().skip(start).take(count).cloned()
    }

    pub fn push(&mut self, end: End, item: &[u8]) {
        let item = Bytes::copy_from_slice(item);
        match end {
            End::Left => self.items.push_front(item),
            End::Right => self.items.push_back(item),
        }
    }

    pub fn pop(&mut self, end: End) -> Option<Bytes> {
        match end {
            End::Left => self.items.pop_front(),
            End::Right => self.items.pop_back(),
        }
    }

    pub fn set(&mut self, index: usize, item: &[u8]) {
        if let Some(old) = self.items.get_mut(index) {
            *old = Bytes::copy_from_slice(item);
        }
    }

    pub fn insert(&mut self, index: usize, item: &[u8]) {
        self.items.insert(index.min(self.items.len()), Bytes::copy_from_slice(item));
    }

    pub fn remove(&mut self, end: End, count: usize, item: &[u8]) {
        let matching = self.items.iter().filter(|other| **other == item).count();
        let count = if count == 0 { matching } else { count.min(matching) };
        // From the right the first ones to stay are the leftmost matches.
        let (mut skip, mut left) = if end == End::Right { (matching - count, count) } else { (0, count) };
        self.items.retain(|other| {
            if *other != item || left == 0 {
                return true;
            }
            if skip > 0 {
                skip -= 1;
                return true;
            }
            left -= 1;
            false
        });
    }

    pub fn trim(&mut self, start: usize, length: usize) {
        self.items.drain(..start.min(self.items.len()));
        self.items.truncate(length);
    }
}

//! A small hash: fields and values in one run of bytes, with deadlines behind them once one of them has any.

use super::super::packed::{Items, Packed};
use super::Pair;

/// Without deadlines, in the order in which fields came. With them, fields are sorted by their deadlines, those without
/// one at the end.
#[derive(Debug, Clone, Default)]
pub struct Small {
    packed: Packed,
    pub timed: bool,
}

/// A deadline as an item: nothing if there is none.
fn item(deadline: Option<u64>) -> ([u8; 8], usize) {
    (deadline.unwrap_or(0).to_le_bytes(), if deadline.is_some() { 8 } else { 0 })
}

/// The pairs of a small hash.
pub struct Pairs<'s> {
    items: Items<'s>,
    timed: bool,
}

impl<'s> Iterator for Pairs<'s> {
    type Item = Pair<'s>;

    fn next(&mut self) -> Option<Pair<'s>> {
        let (field, value) = (self.items.next()?, self.items.next()?);
        let deadline =
            if self.timed { self.items.next()?.try_into().ok().map(u64::from_le_bytes) } else { None };
        Some(Pair { field, value, deadline })
    }
}

impl Small {
    const fn stride(&self) -> usize {
        if self.timed { 3 } else { 2 }
    }

    pub fn len(&self) -> usize {
        self.packed.len() / self.stride()
    }

    pub fn allocated(&self) -> usize {
        self.packed.allocated()
    }

    pub fn iter(&self) -> Pairs<'_> {
        Pairs { items: self.packed.iter(), timed: self.timed }
    }

    pub fn get(&self, field: &[u8]) -> Option<Pair<'_>> {
        let (_, place) = self.packed.find(field, self.stride())?;
        Pairs { items: self.packed.at(place.start), timed: self.timed }.next()
    }

    /// The field is there from now on, with this value and deadline.
    pub fn put(&mut self, pair: Pair<'_>) {
        if pair.deadline.is_some() && !self.timed {
            let pairs = std::mem::replace(self, Self { packed: Packed::default(), timed: true });
            pairs.iter().for_each(|pair| self.insert(pair));
        }
        if let Some((_, place)) = self.packed.find(pair.field, self.stride()) {
            let mut items = self.packed.at(place.start);
            items.next();
            let start = items.at();
            items.next();
            let value = start..items.at();
            let (deadline, length) = item(pair.deadline);
            if !self.timed || items.next() == Some(&deadline[..length]) {
                self.packed.replace(value, pair.value);
                return;
            }
            let end = items.at();
            self.packed.remove(place.start..end, 3);
        }
        self.insert(pair);
    }

    /// Put in a field that is not there.
    fn insert(&mut self, pair: Pair<'_>) {
        let (deadline, length) = item(pair.deadline);
        let items = [pair.field, pair.value, &deadline[..length]];
        if pair.deadline.is_some() {
            let mut at = self.packed.iter();
            loop {
                let start = at.at();
                let next = Pairs { items: at.clone(), timed: true }.next();
                let later = next.is_none_or(|next| next.deadline.is_none() || next.deadline > pair.deadline);
                if later {
                    self.packed.insert(start, &items);
                    return;
                }
                at.by_ref().take(3).for_each(drop);
            }
        }
        items[..self.stride()].iter().for_each(|item| self.packed.push(item));
    }

    /// True if it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let Some((_, place)) = self.packed.find(field, self.stride()) else { return false };
        let mut items = self.packed.at(place.start);
        items.by_ref().take(self.stride()).for_each(drop);
        let end = items.at();
        self.packed.remove(place.start..end, self.stride());
        true
    }
}

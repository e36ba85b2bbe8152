//! Some entries that follow each other, packed into one listpack, as Redis packs them.
//!
//! It begins with how many entries are there and how many were deleted, the fields of the first entry, and a zero; each
//! entry follows as its flags, how far its identity is from the first one's, its fields with their values (the values
//! alone if the fields are the first one's), and how many items that was.

use super::Id;
use crate::value::rdb::listpack::{Item, Listpack};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

#[derive(Debug, Clone, PartialEq)]
pub struct Block(Listpack);

/// What a block begins with.
#[derive(Debug, Clone, Copy)]
struct Head {
    count: u64,
    deleted: u64,
    fields: usize,
    /// Where the first field stands, or the zero if there is none.
    fields_at: usize,
    /// Where the first entry stands.
    first: Option<usize>,
}

/// An entry where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'b> {
    pub id: Id,
    pub deleted: bool,
    pack: &'b Listpack,
    at: usize,
    /// How many fields it has, where they or the values begin, and where the shared fields stand if they are shared.
    count: usize,
    fields_at: usize,
    shared_at: Option<usize>,
}

impl<'b> Entry<'b> {
    /// Fields and values in turn.
    pub fn items(&self) -> impl Iterator<Item = Item<'b>> + use<'b> {
        let (pack, mut at, mut shared) = (self.pack, Some(self.fields_at), self.shared_at);
        let separate = shared.is_none();
        (0..self.count * 2).filter_map(move |index| {
            let place = if index % 2 == 0 && !separate { &mut shared } else { &mut at };
            let here = (*place)?;
            *place = pack.next(here);
            Some(pack.get(here))
        })
    }

    /// Where its count of items stands.
    fn end(&self) -> Option<usize> {
        let items = if self.shared_at.is_some() { self.count } else { self.count * 2 };
        let mut at = self.fields_at;
        for _ in 0..items {
            at = self.pack.next(at)?;
        }
        Some(at)
    }
}

impl Block {
    /// A block whose first entry will have these fields (with values in between).
    pub fn new(fields: &[&[u8]]) -> Self {
        let mut pack = Listpack::default();
        pack.push_integer(0);
        pack.push_integer(0);
        pack.push_integer(fields.len() as i64 / 2);
        fields.iter().step_by(2).for_each(|field| pack.push(field));
        pack.push_integer(0);
        Self(pack)
    }

    /// A listpack from elsewhere, if it is a block with entries in order.
    pub fn read(pack: Listpack, master: Id) -> Option<Self> {
        let block = Self(pack);
        let head = block.head()?;
        let (mut live, mut deleted, mut at, mut last) = (0, 0, head.first, None);
        while let Some(here) = at {
            let entry = block.entry(master, &head, here)?;
            let end = entry.end()?;
            let items = i64::try_from(entry.count).ok()?;
            let items = if entry.shared_at.is_some() { items + 3 } else { items * 2 + 4 };
            let ordered = last.is_none_or(|last| entry.id > last);
            if !ordered || block.integer(end) != Some(items) {
                return None;
            }
            *if entry.deleted { &mut deleted } else { &mut live } += 1;
            (last, at) = (Some(entry.id), block.0.next(end));
        }
        (live == head.count && deleted == head.deleted && live > 0).then_some(block)
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub fn allocated(&self) -> usize {
        self.0.allocated()
    }

    /// No entry will come any more.
    pub fn close(&mut self) {
        self.0.shrink();
    }

    fn integer(&self, at: usize) -> Option<i64> {
        match self.0.get(at) {
            Item::Integer(number) => Some(number),
            Item::Bytes(_) => None,
        }
    }

    fn head(&self) -> Option<Head> {
        let pack = &self.0;
        let count_at = pack.first()?;
        let deleted_at = pack.next(count_at)?;
        let number_at = pack.next(deleted_at)?;
        let fields = usize::try_from(self.integer(number_at)?).ok()?;
        let fields_at = pack.next(number_at)?;
        let mut at = fields_at;
        for _ in 0..fields {
            at = pack.next(at)?;
        }
        let count = u64::try_from(self.integer(count_at)?).ok()?;
        let deleted = u64::try_from(self.integer(deleted_at)?).ok()?;
        Some(Head { count, deleted, fields, fields_at, first: pack.next(at) })
    }

    fn entry(&self, master: Id, head: &Head, at: usize) -> Option<Entry<'_>> {
        let pack = &self.0;
        let flags = self.integer(at)?;
        let ms_at = pack.next(at)?;
        let seq_at = pack.next(ms_at)?;
        let ms = master.ms.wrapping_add(self.integer(ms_at)? as u64);
        let seq = master.seq.wrapping_add(self.integer(seq_at)? as u64);
        let mut fields_at = pack.next(seq_at)?;
        let same = flags & SAME_FIELDS != 0;
        let mut count = head.fields;
        if !same {
            count = usize::try_from(self.integer(fields_at)?).ok()?;
            fields_at = pack.next(fields_at)?;
        }
        if count > self.as_bytes().len() {
            return None;
        }
        let shared_at = same.then_some(head.fields_at);
        let deleted = flags & DELETED != 0;
        Some(Entry { id: Id { ms, seq }, deleted, pack, at, count, fields_at, shared_at })
    }

    /// How many entries are there.
    pub fn count(&self) -> u64 {
        self.head().map_or(0, |head| head.count)
    }

    /// How many entries there are, deleted ones too.
    pub fn total(&self) -> u64 {
        self.head().map_or(0, |head| head.count + head.deleted)
    }

    /// All entries, deleted ones too.
    pub fn entries(&self, master: Id) -> impl Iterator<Item = Entry<'_>> {
        let head = self.head();
        let mut at = head.and_then(|head| head.first);
        std::iter::from_fn(move || {
            let entry = self.entry(master, head.as_ref()?, at?)?;
            at = entry.end().and_then(|end| self.0.next(end));
            Some(entry)
        })
    }

    /// The same, from the last one on.
    pub fn entries_back(&self, master: Id) -> impl Iterator<Item = Entry<'_>> {
        let head = self.head();
        let mut end = self.0.last();
        std::iter::from_fn(move || {
            // The zero before the first entry is the count of no items.
            let count = self.integer(end?).filter(|count| *count > 0)?;
            let mut at = end?;
            for _ in 0..count {
                at = self.0.before(at)?;
            }
            end = self.0.before(at);
            self.entry(master, head.as_ref()?, at)
        })
    }

    /// Add an entry, later than all others.
    pub fn push(&mut self, master: Id, id: Id, fields: &[&[u8]]) {
        let Some(head) = self.head() else { return };
        let count = fields.len() / 2;
        let names = fields.iter().step_by(2);
        let mut shared = std::iter::successors(Some(head.fields_at), |at| self.0.next(*at));
        let same = count == head.fields && names.zip(&mut shared).all(|(name, at)| self.0.get(at).is(name));
        self.note(head.count + 1, head.deleted);
        let pack = &mut self.0;
        pack.push_integer(if same { SAME_FIELDS } else { 0 });
        pack.push_integer(id.ms.wrapping_sub(master.ms) as i64);
        pack.push_integer(id.seq.wrapping_sub(master.seq) as i64);
        if same {
            fields.iter().skip(1).step_by(2).for_each(|value| pack.push(value));
            pack.push_integer(count as i64 + 3);
        } else {
            pack.push_integer(count as i64);
            fields.iter().for_each(|word| pack.push(word));
            pack.push_integer(count as i64 * 2 + 4);
        }
    }

    fn note(&mut self, count: u64, deleted: u64) {
        for (index, number) in [count, deleted].into_iter().enumerate() {
            let mut at = self.0.first();
            for _ in 0..index {
                at = at.and_then(|at| self.0.next(at));
            }
            if let Some(at) = at {
                self.0.replace(at, number as i64);
            }
        }
    }

    /// Mark entries as deleted; they stand as they did before any of them is marked.
    pub fn delete(&mut self, places: &[Place]) {
        let Some(head) = self.head() else { return };
        for place in places {
            // The flags keep their size.
            let flags = self.integer(place.0).unwrap_or(0);
            self.0.replace(place.0, flags | DELETED);
        }
        let gone = places.len() as u64;
        self.note(head.count.saturating_sub(gone), head.deleted + gone);
    }
}

/// Where an entry stands in its block.
#[derive(Debug, Clone, Copy)]
pub struct Place(usize);

impl Entry<'_> {
    pub fn place(&self) -> Place {
        Place(self.at)
    }
}

//! A hash: fields with values, some of which may have a deadline.
//!
//! Contract: a small one is one run of bytes, a large one is a hash table with one allocation for each field; looking for a
//! field of a large hash is one probe, and its cursors stay good while it grows and shrinks. A deadline hides nothing
//! here: who asks says what time it is ([`Pair::alive`]), and removes what is due.

mod cell;
mod small;

use std::collections::BTreeSet;

use super::forms::Forms;
use super::table::Table;
use cell::Cell;
use small::Small;

#[derive(Debug, Clone)]
pub enum Hash {
    /// `listpack`, or `listpackex` once a field has a deadline
    Small(Small),
    /// `hashtable`
    Large(Box<Large>),
}

/// A hash in a hash table.
#[derive(Debug, Clone)]
pub struct Large {
    table: Table<Cell>,
    /// Bytes of all cells.
    bytes: usize,
    /// Fields by deadline.
    deadlines: BTreeSet<(u64, Box<[u8]>)>,
}

/// A field with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair<'h> {
    pub field: &'h [u8],
    pub value: &'h [u8],
    /// Milliseconds since 1970 at which it expires.
    pub deadline: Option<u64>,
}

impl Pair<'_> {
    pub fn alive(&self, now: u64) -> bool {
        self.deadline.is_none_or(|deadline| deadline > now)
    }
}

impl Large {
    fn put(&mut self, pair: Pair<'_>) {
        let hash = self.table.hash(pair.field);
        if let Some(cell) = self.table.get_mut_hashed(hash, pair.field) {
            let before = cell.pair().deadline;
            if before == pair.deadline && cell.overwrite(pair.value) {
                return;
            }
            self.bytes -= cell.len();
            *cell = Cell::new(pair);
            self.bytes += cell.len();
            if before != pair.deadline {
                self.forget(before, pair.field);
                self.remember(pair);
            }
            return;
        }
        let cell = Cell::new(pair);
        self.bytes += cell.len();
        self.table.insert_new(hash, cell);
        self.remember(pair);
    }

    fn remember(&mut self, pair: Pair<'_>) {
        if let Some(deadline) = pair.deadline {
            self.deadlines.insert((deadline, pair.field.into()));
        }
    }

    fn forget(&mut self, deadline: Option<u64>, field: &[u8]) {
        if let Some(deadline) = deadline {
            self.deadlines.remove(&(deadline, field.into()));
        }
    }

    fn remove(&mut self, field: &[u8]) -> bool {
        let Some(cell) = self.table.remove(field) else { return false };
        self.bytes -= cell.len();
        self.forget(cell.pair().deadline, field);
        true
    }
}

impl Default for Hash {
    fn default() -> Self {
        Hash::Small(Small::default())
    }
}

impl Hash {
    /// The field with its value, even if its time has come.
    pub fn get(&self, field: &[u8]) -> Option<Pair<'_>> {
        match self {
            Hash::Small(small) => small.get(field),
            Hash::Large(large) => large.table.get(field).map(Cell::pair),
        }
    }

    /// The field with its value, unless its time has come.
    pub fn alive(&self, field: &[u8], now: u64) -> Option<Pair<'_>> {
        self.get(field).filter(|pair| pair.alive(now))
    }

    /// So many fields are to come: too many at once make a small hash a large one first.
    pub fn expect(&mut self, count: usize, forms: &Forms) {
        if count > forms.hash_listpack_entries {
            self.enlarge(forms);
        }
    }

    /// The field is there from now on, with this value and deadline.
    pub fn put(&mut self, pair: Pair<'_>, forms: &Forms) {
        if pair.field.len().max(pair.value.len()) > forms.hash_listpack_value {
            self.enlarge(forms);
        }
        match self {
            Hash::Small(small) => {
                small.put(pair);
                if small.len() > forms.hash_listpack_entries {
                    self.enlarge(forms);
                }
            }
            Hash::Large(large) => large.put(pair),
        }
    }

    /// Become a hash table.
    fn enlarge(&mut self, forms: &Forms) {
        if let Hash::Small(small) = self {
            let mut large = Large { table: Table::new(forms.seed), bytes: 0, deadlines: BTreeSet::new() };
            small.iter().for_each(|pair| large.put(pair));
            *self = Hash::Large(Box::new(large));
        }
    }

    /// True if it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self {
            Hash::Small(small) => small.remove(field),
            Hash::Large(large) => large.remove(field),
        }
    }

    /// All fields, even those whose time has come.
    pub fn len(&self) -> usize {
        match self {
            Hash::Small(small) => small.len(),
            Hash::Large(large) => large.table.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many fields' time has not come.
    pub fn alive_len(&self, now: u64) -> usize {
        if self.next_deadline().is_none_or(|next| next > now) {
            return self.len();
        }
        match self {
            Hash::Small(small) => small.iter().filter(|pair| pair.alive(now)).count(),
            Hash::Large(large) => {
                let due = large.deadlines.iter().take_while(|(deadline, _)| *deadline <= now);
                large.table.len() - due.count()
            }
        }
    }

    /// Whether the time of every field has come.
    pub fn expired(&self, now: u64) -> bool {
        self.next_deadline().is_some_and(|next| next <= now)
            && match self {
                Hash::Small(small) => small.iter().all(|pair| !pair.alive(now)),
                Hash::Large(large) => {
                    large.deadlines.len() == large.table.len()
                        && large.deadlines.last().is_some_and(|(deadline, _)| *deadline <= now)
                }
            }
    }

    /// When the first field expires.
    pub fn next_deadline(&self) -> Option<u64> {
        match self {
            Hash::Small(small) if small.timed => small.iter().next()?.deadline,
            Hash::Small(_) => None,
            Hash::Large(large) => large.deadlines.first().map(|(deadline, _)| *deadline),
        }
    }

    /// At most `most` fields whose time has come, the first ones first.
    pub fn due(&self, now: u64, most: usize) -> Vec<Vec<u8>> {
        match self {
            Hash::Small(small) => {
                let due = small.iter().filter(|pair| !pair.alive(now));
                due.take(most).map(|pair| pair.field.to_vec()).collect()
            }
            Hash::Large(large) => {
                let due = large.deadlines.iter().take_while(|(deadline, _)| *deadline <= now);
                due.take(most).map(|(_, field)| field.to_vec()).collect()
            }
        }
    }

    /// All fields, even those whose time has come: a small hash in its order, a large one in none.
    pub fn iter(&self) -> impl Iterator<Item = Pair<'_>> {
        let (small, large) = match self {
            Hash::Small(small) => (Some(small.iter()), None),
            Hash::Large(large) => (None, Some(large.table.iter().map(Cell::pair))),
        };
        small.into_iter().flatten().chain(large.into_iter().flatten())
    }

    /// Visit about `count` fields from a cursor on; the next cursor, or `None` at the end. A small hash is visited as a
    /// whole, whatever the cursor is.
    pub fn scan<'h>(&'h self, cursor: u64, count: usize, mut visit: impl FnMut(Pair<'h>)) -> Option<u64> {
        if let Hash::Large(large) = self {
            return large.table.scan(cursor, count, |_, cell| visit(cell.pair()));
        }
        self.iter().for_each(visit);
        None
    }

    /// A field at random, even if its time has come.
    pub fn sample(&self, mut random: impl FnMut() -> u64) -> Option<Pair<'_>> {
        match self {
            Hash::Small(small) if small.len() > 0 => {
                let index = random() % small.len() as u64;
                small.iter().nth(index as usize)
            }
            Hash::Small(_) => None,
            Hash::Large(large) => large.table.sample(random).map(Cell::pair),
        }
    }

    /// What `OBJECT ENCODING` answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Hash::Small(small) if small.timed => "listpackex",
            Hash::Small(_) => "listpack",
            Hash::Large(_) => "hashtable",
        }
    }

    /// Bytes that are allocated, about.
    pub fn allocated(&self) -> usize {
        match self {
            Hash::Small(small) => small.allocated(),
            Hash::Large(large) => large.table.allocated() + large.bytes + size_of::<Large>(),
        }
    }
}

impl PartialEq for Hash {
    /// The same fields with the same values and deadlines, in whatever form.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|pair| other.get(pair.field) == Some(pair))
    }
}

#[cfg(test)]
mod tests;

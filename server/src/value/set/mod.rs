//! A set of byte strings.
//!
//! Contract: a small one is packed (integers in order, or members in the order in which they came), a large one is a hash
//! table with one allocation for each member. Looking for a member of a large set is one probe; its cursors stay good
//! while it grows and shrinks.

mod ints;

use super::forms::Forms;
use super::number;
use super::packed::Packed;
use super::table::{Keyed, Table};
use ints::Ints;

#[derive(Debug, Clone)]
pub enum Set {
    /// `intset`
    Ints(Ints),
    /// `listpack`
    Packed(Packed),
    /// `hashtable`
    Large(Box<Large>),
}

/// A set in a hash table.
#[derive(Debug, Clone)]
pub struct Large {
    table: Table<Box<[u8]>>,
    /// Bytes of all members.
    bytes: usize,
}

impl Keyed for Box<[u8]> {
    fn key(&self) -> &[u8] {
        self
    }
}

/// A member as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Member<'s> {
    Int(i64),
    Bytes(&'s [u8]),
}

impl Member<'_> {
    /// The bytes; an integer is printed into `scratch`.
    pub fn bytes<'a>(&'a self, scratch: &'a mut itoa::Buffer) -> &'a [u8] {
        match self {
            Member::Int(number) => scratch.format(*number).as_bytes(),
            Member::Bytes(bytes) => bytes,
        }
    }

    pub fn to_vec(self) -> Vec<u8> {
        self.bytes(&mut itoa::Buffer::new()).to_vec()
    }
}

impl Large {
    fn new(seed: u64) -> Self {
        Self { table: Table::new(seed), bytes: 0 }
    }

    fn add(&mut self, member: &[u8]) -> bool {
        let hash = self.table.hash(member);
        let new = self.table.get_mut_hashed(hash, member).is_none();
        if new {
            self.bytes += member.len();
            self.table.insert_new(hash, member.into());
        }
        new
    }
}

impl Set {
    /// An empty set that is to take some members, of which this is the first.
    pub fn for_members(first: &[u8], count: usize, forms: &Forms) -> Self {
        if count <= forms.set_intset_entries && number::integer(first).is_some() {
            Set::Ints(Ints::default())
        } else if count <= forms.set_listpack_entries {
            Set::Packed(Packed::default())
        } else {
            Set::Large(Box::new(Large::new(forms.seed)))
        }
    }

    /// A set of these members, in the form that it takes if they come one by one.
    pub fn of<'m>(members: impl IntoIterator<Item = &'m [u8]>, forms: &Forms) -> Self {
        let mut set = Set::Ints(Ints::default());
        for member in members {
            set.add(member, forms);
        }
        set
    }

    /// Some members are to come: so many at once that a packed set would not take them make it a large one first.
    pub fn expect(&mut self, count: usize, forms: &Forms) {
        let too_many = match self {
            Set::Ints(_) => count > forms.set_intset_entries,
            Set::Packed(_) => count > forms.set_listpack_entries,
            Set::Large(_) => false,
        };
        if too_many {
            self.enlarge(forms);
        }
    }

    /// Become a hash table.
    fn enlarge(&mut self, forms: &Forms) {
        let mut large = Large::new(forms.seed);
        for member in self.iter() {
            large.add(member.bytes(&mut itoa::Buffer::new()));
        }
        *self = Set::Large(Box::new(large));
    }

    /// True if it was not there yet.
    pub fn add(&mut self, member: &[u8], forms: &Forms) -> bool {
        if let Set::Ints(ints) = self {
            if let Some(number) = number::integer(member) {
                let new = ints.add(number);
                if new && ints.len() > forms.set_intset_entries {
                    self.enlarge(forms);
                }
                return new;
            }
            let longest = ints.iter().map(|number| itoa::Buffer::new().format(number).len()).max();
            if longest.unwrap_or(0) > forms.set_listpack_value {
                self.enlarge(forms);
            } else {
                let mut packed = Packed::default();
                ints.iter().for_each(|number| packed.push(itoa::Buffer::new().format(number).as_bytes()));
                *self = Set::Packed(packed);
            }
        }
        if let Set::Packed(packed) = self {
            if packed.find(member, 1).is_some() {
                return false;
            }
            if packed.len() < forms.set_listpack_entries && member.len() <= forms.set_listpack_value {
                packed.push(member);
                return true;
            }
            self.enlarge(forms);
        }
        match self {
            Set::Large(large) => large.add(member),
            Set::Ints(_) | Set::Packed(_) => unreachable!("it was made large"),
        }
    }

    /// True if it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Ints(ints) => number::integer(member).is_some_and(|number| ints.remove(number)),
            Set::Packed(packed) => {
                let found = packed.find(member, 1);
                let there = found.is_some();
                if let Some((_, place)) = found {
                    packed.remove(place, 1);
                }
                there
            }
            Set::Large(large) => {
                let there = large.table.remove(member).is_some();
                if there {
                    large.bytes -= member.len();
                }
                there
            }
        }
    }

    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Set::Ints(ints) => number::integer(member).is_some_and(|number| ints.contains(number)),
            Set::Packed(packed) => packed.find(member, 1).is_some(),
            Set::Large(large) => large.table.contains(member),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.len(),
            Set::Packed(packed) => packed.len(),
            Set::Large(large) => large.table.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All members: a packed set in its order, a large one in none.
    pub fn iter(&self) -> impl Iterator<Item = Member<'_>> {
        let (ints, packed, large) = match self {
            Set::Ints(ints) => (Some(ints), None, None),
            Set::Packed(packed) => (None, Some(packed), None),
            Set::Large(large) => (None, None, Some(large)),
        };
        let ints = ints.into_iter().flat_map(Ints::iter).map(Member::Int);
        let packed = packed.into_iter().flat_map(Packed::iter).map(Member::Bytes);
        let large = large.into_iter().flat_map(|large| large.table.iter());
        ints.chain(packed).chain(large.map(|member| Member::Bytes(member)))
    }

    /// Visit about `count` members from a cursor on; the next cursor, or `None` at the end. A packed set is visited as a
    /// whole, whatever the cursor is.
    pub fn scan<'s>(&'s self, cursor: u64, count: usize, mut visit: impl FnMut(Member<'s>)) -> Option<u64> {
        if let Set::Large(large) = self {
            return large.table.scan(cursor, count, |_, member| visit(Member::Bytes(member)));
        }
        self.iter().for_each(visit);
        None
    }

    /// A member at random, unless there is none.
    pub fn sample(&self, mut random: impl FnMut() -> u64) -> Option<Member<'_>> {
        if self.is_empty() {
            return None;
        }
        let mut index = |len: usize| (random() % len as u64) as usize;
        match self {
            Set::Ints(ints) => Some(Member::Int(ints.get(index(ints.len())))),
            Set::Packed(packed) => packed.iter().nth(index(packed.len())).map(Member::Bytes),
            Set::Large(large) => large.table.sample(random).map(|member| Member::Bytes(member)),
        }
    }

    /// What `OBJECT ENCODING` answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Set::Ints(_) => "intset",
            Set::Packed(_) => "listpack",
            Set::Large(_) => "hashtable",
        }
    }

    /// Bytes that are allocated, about.
    pub fn allocated(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.allocated(),
            Set::Packed(packed) => packed.allocated(),
            Set::Large(large) => large.table.allocated() + large.bytes + size_of::<Large>(),
        }
    }
}

impl PartialEq for Set {
    /// The same members, in whatever form.
    fn eq(&self, other: &Self) -> bool {
        let there = |member: Member<'_>| other.contains(member.bytes(&mut itoa::Buffer::new()));
        self.len() == other.len() && self.iter().all(there)
    }
}

#[cfg(test)]
mod tests;

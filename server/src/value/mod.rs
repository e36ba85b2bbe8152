//! The data types: what they are, not how they are spoken to.
//!
//! Deliberately absent: keys, expiry, replies, options of commands.

pub mod chance;
mod digest;
mod extended;
pub mod float;
mod forms;
pub mod geo;
mod hash;
pub mod hyperloglog;
mod list;
mod natural;
pub mod number;
mod packed;
pub mod rdb;
pub mod stream;
mod set;
mod sorted_set;
mod string;
pub mod table;

pub use digest::Digest;
pub use extended::Extended;
pub use forms::Forms;
pub use hash::{Hash, Pair};
pub use list::{End, List, keep_alone};
pub use set::{Member, Set};
pub use sorted_set::{Bound, LexRange, ScoreRange, SortedSet};
pub use stream::{Group, Id, Stream};
pub use string::Str;

/// A value of the key space.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    String(Str),
    List(List),
    Set(Set),
    SortedSet(SortedSet),
    Hash(Hash),
    Stream(Box<Stream>),
}

impl Value {
    /// What `OBJECT ENCODING` answers.
    pub fn encoding(&self, forms: &Forms) -> &'static str {
        match self {
            Value::String(string) => string.encoding(),
            Value::List(list) => list.encoding(forms.list_listpack_size),
            Value::Set(set) => set.encoding(),
            Value::SortedSet(set) => set.encoding(),
            Value::Hash(hash) => hash.encoding(),
            Value::Stream(_) => "stream",
        }
    }

    /// What `TYPE` answers.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Set(_) => "set",
            Value::SortedSet(_) => "zset",
            Value::Hash(_) => "hash",
            Value::Stream(_) => "stream",
        }
    }

    /// When the first part of it expires: a field of a hash.
    pub fn next_deadline(&self) -> Option<u64> {
        if let Value::Hash(hash) = self { hash.next_deadline() } else { None }
    }

    /// Whether the time of all its parts has come, so that nothing is left.
    pub fn expired(&self, now: u64) -> bool {
        matches!(self, Value::Hash(hash) if hash.expired(now))
    }
}

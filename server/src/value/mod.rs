//! The data types: what they are, not how they are spoken to.
//!
//! Deliberately absent: keys, expiry, replies, options of commands.

mod extended;
pub mod float;
mod forms;
pub mod geo;
mod list;
mod natural;
pub mod number;
mod packed;
pub mod rdb;
mod set;
mod sorted_set;
mod string;
pub mod table;

pub use extended::Extended;
pub use forms::Forms;
pub use list::{End, List};
pub use set::{Member, Set};
pub use sorted_set::{Bound, LexRange, ScoreRange, SortedSet};
pub use string::Str;

/// A value of the key space.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    String(Str),
    List(List),
    Set(Set),
    SortedSet(SortedSet),
}

impl Value {
    /// What `OBJECT ENCODING` answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Value::String(string) => string.encoding(),
            Value::List(_) => "quicklist",
            Value::Set(set) => set.encoding(),
            Value::SortedSet(set) => set.encoding(),
        }
    }

    /// What `TYPE` answers.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Set(_) => "set",
            Value::SortedSet(_) => "zset",
        }
    }
}

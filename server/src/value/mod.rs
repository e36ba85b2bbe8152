//! The data types: what they are, not how they are spoken to.
//!
//! Deliberately absent: keys, expiry, replies, options of commands.

mod extended;
mod list;
mod natural;
pub mod number;
pub mod rdb;
mod string;

pub use extended::Extended;
pub use list::{End, List};
pub use string::Str;

/// A value of the key space.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    String(Str),
    List(List),
}

impl Value {
    /// What `OBJECT ENCODING` answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Value::String(string) => string.encoding(),
            Value::List(_) => "quicklist",
        }
    }

    /// What `TYPE` answers.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
        }
    }
}

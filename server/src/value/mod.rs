//! The data types: what they are, not how they are spoken to.
//!
//! Deliberately absent: keys, expiry, replies, options of commands.

mod list;
pub mod number;
pub mod rdb;
mod string;

pub use list::{End, List};
pub use string::Str;

/// A value of the key space.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    String(Str),
    List(List),
}

impl Value {
    /// What `TYPE` answers.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
        }
    }
}

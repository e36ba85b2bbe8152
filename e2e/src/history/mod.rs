//! What a writer was told, and whether the store kept its word.
//!
//! Each client writes in order, one command at a time, to keys that only it writes. An operation is *acknowledged*
//! (its reply came), *refused* (an error that promises that nothing happened) or *ambiguous* (no reply came, or an
//! error that promises nothing): an ambiguous one may have happened, once, at any later time.

mod check;
pub mod export;
mod gaps;
pub mod linear;
mod stalls;

pub use check::{Found, Verdict, check};
pub use gaps::{Gaps, gaps};
pub use stalls::{longest_stall, percentile, stall};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SET of a key that is written once.
    Set,
    /// SET of the client's one register, to the operation's number.
    Register,
    /// INCR of the client's counter.
    Increment,
    /// RPUSH of the operation's number to the client's list.
    Push,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With the integer of the reply: the counter's value, or the list's length (0 for SET).
    Acknowledged(i64),
    Refused,
    Ambiguous,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    pub client: usize,
    /// Counts the client's operations; no two have the same.
    pub number: u64,
    pub kind: Kind,
    pub outcome: Outcome,
    /// When the outcome was known, in milliseconds since the writer began.
    pub at_ms: u64,
}

impl Kind {
    /// Half of the operations are keys of their own; the rest takes turns.
    pub fn of(number: u64) -> Self {
        match number % 6 {
            0 => Self::Increment,
            2 => Self::Push,
            4 => Self::Register,
            _ => Self::Set,
        }
    }

    pub fn key(self, run: &str, client: usize, number: u64) -> String {
        match self {
            Self::Set => format!("e2e:{run}:{client}:{number}"),
            Self::Register => format!("e2e:{run}:{client}:register"),
            Self::Increment => format!("e2e:{run}:{client}:counter"),
            Self::Push => format!("e2e:{run}:{client}:list"),
        }
    }
}

/// The value that `SET` gives a key of its own: a value of another operation is never mistaken for it.
pub fn value(client: usize, number: u64) -> String {
    format!("{client}/{number}/{:016x}", (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ client as u64)
}

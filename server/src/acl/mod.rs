//! Users: who they are, how they prove it, and what they may do.
//!
//! Contract: rules and matching are pure, and Redis' in every detail: the rules of a user have one text
//! ([`User::describe`]) from which the same user comes back, which is what the log, snapshots, files and `ACL LIST`
//! hold. Commands are known here by their numbers only, from a [`Catalog`] that the room of commands fills.
//! Deliberately absent: connections, files, and when a check is made.

mod catalog;
mod log;
mod selector;
#[cfg(test)]
mod tests;
mod user;
mod users;

pub use catalog::Catalog;
pub use log::{Denial, Entry, Log};
pub use selector::{KeyUse, Question, RuleError, Selector};
pub use user::{User, split_rules};
pub use users::{Users, has_blanks};

/// Why a user may not run a command; positions are those of words of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    Command,
    Key(usize),
    Channel(usize),
}

impl Denied {
    /// The furthest that any of several selectors came is what is told.
    fn rank(self) -> (u8, usize) {
        match self {
            Denied::Command => (0, 0),
            Denied::Key(at) => (1, at),
            Denied::Channel(at) => (2, at),
        }
    }
}

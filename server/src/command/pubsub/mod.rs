//! The pubsub commands: a file for each, or for a few that are one thing.

use super::Spec;

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[];

//! The admin commands: a file for each, or for a few that are one thing.

mod command;

use super::Spec;

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[&command::COMMAND];

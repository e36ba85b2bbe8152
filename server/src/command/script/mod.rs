//! The commands of scripts and functions.

mod eval;
mod function;
#[allow(clippy::module_inception)] // named for its command, as the others are
mod script;

use super::Spec;

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &eval::EVAL,
    &eval::EVALSHA,
    &eval::EVALSHA_RO,
    &eval::EVAL_RO,
    &eval::FCALL,
    &eval::FCALL_RO,
    &function::FUNCTION,
    &script::SCRIPT,
];

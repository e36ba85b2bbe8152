//! The admin commands: a file for each, or for a few that are one thing.

mod command;
mod commandlog;
mod config;
mod debug;
mod debug_samples;
mod failover;
mod footprint;
mod getlog;
mod info;
mod latency;
mod lolwut;
mod memory;
mod monitor;
mod role;
mod save;
mod shutdown;
mod slowlog;
mod time;

use super::Spec;

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &save::BGREWRITEAOF,
    &save::BGSAVE,
    &command::COMMAND,
    &commandlog::COMMANDLOG,
    &config::CONFIG,
    &debug::DEBUG,
    &failover::FAILOVER,
    &getlog::GETLOG,
    &info::INFO,
    &save::LASTSAVE,
    &latency::LATENCY,
    &lolwut::LOLWUT,
    &memory::MEMORY,
    &monitor::MONITOR,
    &role::ROLE,
    &save::SAVE,
    &shutdown::SHUTDOWN,
    &slowlog::SLOWLOG,
    &time::TIME,
];

//! The generic commands: a file for each, or for a few that are one thing.

mod copy;
mod databases;
mod delete;
mod dump;
mod expire;
mod keys;
mod migrate;
mod object;
mod rename;
mod scan;
mod sort;
mod ttl;

pub use migrate::{Item, Migration, UNREACHABLE};

use super::Spec;

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &copy::COPY,
    &databases::DBSIZE,
    &delete::DEL,
    &dump::DUMP,
    &delete::EXISTS,
    &expire::EXPIRE,
    &expire::EXPIREAT,
    &ttl::EXPIRETIME,
    &databases::FLUSHALL,
    &databases::FLUSHDB,
    &keys::KEYS,
    &migrate::MIGRATE,
    &copy::MOVE,
    &object::OBJECT,
    &ttl::PERSIST,
    &expire::PEXPIRE,
    &expire::PEXPIREAT,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &keys::RANDOMKEY,
    &rename::RENAME,
    &rename::RENAMENX,
    &scan::SCAN,
    &dump::RESTORE,
    &dump::RESTORE_ASKING,
    &sort::SORT,
    &sort::SORT_RO,
    &databases::SWAPDB,
    &delete::TOUCH,
    &ttl::TTL,
    &keys::TYPE,
    &delete::UNLINK,
];

//! The string commands: a file for each, or for a few that are one thing.

mod change;
mod expiration;
mod get;
mod increment;
mod lcs;
mod set;

use super::{Context, Spec, errors};
use crate::resp::{Failure, Reply};
use crate::value::{Str, Value};

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &change::APPEND,
    &increment::DECR,
    &increment::DECRBY,
    &get::GET,
    &get::GETDEL,
    &get::GETEX,
    &get::GETRANGE,
    &get::GETSET,
    &increment::INCR,
    &increment::INCRBY,
    &increment::INCRBYFLOAT,
    &lcs::LCS,
    &get::MGET,
    &set::MSET,
    &set::MSETNX,
    &set::PSETEX,
    &set::SET,
    &set::SETEX,
    &set::SETNX,
    &change::SETRANGE,
    &get::STRLEN,
    &get::SUBSTR,
];

impl Context<'_> {
    /// The string at `key`, for a command that reads it.
    pub(super) fn read_string(&mut self, key: &[u8]) -> Result<Option<&Str>, Failure> {
        string(self.keyspace.read(self.client.db, key))
    }

    /// The string at `key`, for a command that changes it.
    pub(super) fn find_string(&mut self, key: &[u8]) -> Result<Option<&Str>, Failure> {
        string(self.keyspace.find(self.client.db, key).map(|entry| &entry.value))
    }

    /// No string may grow beyond what a client could send.
    fn check_length(&self, length: u64) -> Result<(), Failure> {
        if length > self.server.config.proto_max_bulk_len {
            return Err(Failure::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)"));
        }
        Ok(())
    }
}

fn string(value: Option<&Value>) -> Result<Option<&Str>, Failure> {
    match value {
        None => Ok(None),
        Some(Value::String(string)) => Ok(Some(string)),
        Some(_) => Err(errors::WRONG_TYPE),
    }
}

/// A string as a reply.
fn bulk(string: &Str) -> Reply {
    match string {
        Str::Int(number) => Reply::BulkInt(*number),
        Str::Shared(bytes) => Reply::Bulk(bytes.clone()),
        Str::Grown(bytes) => Reply::bulk(bytes),
    }
}

/// A string as a reply, or null.
fn bulk_or_null(string: Option<&Str>) -> Reply {
    string.map_or(Reply::Null, bulk)
}

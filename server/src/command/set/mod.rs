//! The set commands: a file for each, or for a few that are one thing.

mod algebra;
mod ask;
mod change;
mod random;

use super::{Context, Spec, errors};
use crate::resp::{Failure, Reply};
use crate::value::{Member, Set, Value};

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &change::SADD,
    &ask::SCARD,
    &algebra::SDIFF,
    &algebra::SDIFFSTORE,
    &algebra::SINTER,
    &algebra::SINTERCARD,
    &algebra::SINTERSTORE,
    &ask::SISMEMBER,
    &ask::SMEMBERS,
    &ask::SMISMEMBER,
    &change::SMOVE,
    &random::SPOP,
    &random::SRANDMEMBER,
    &change::SREM,
    &ask::SSCAN,
    &algebra::SUNION,
    &algebra::SUNIONSTORE,
];

fn as_set(value: Option<&Value>) -> Result<Option<&Set>, Failure> {
    match value {
        None => Ok(None),
        Some(Value::Set(set)) => Ok(Some(set)),
        Some(_) => Err(errors::WRONG_TYPE),
    }
}

/// The set at `key`, to be told about: the look counts as an access.
fn read<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<Option<&'c Set>, Failure> {
    as_set(context.keyspace.read(context.client.db, key))
}

/// The set at `key`, to be changed.
fn find<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<Option<&'c Set>, Failure> {
    as_set(context.keyspace.find(context.client.db, key).map(|entry| &entry.value))
}

/// How many members the set at `key` has, which is one or missing.
fn len(context: &Context<'_>, key: &[u8]) -> usize {
    match context.keyspace.peek(context.client.db, key).map(|entry| &entry.value) {
        Some(Value::Set(set)) => set.len(),
        _ => 0,
    }
}

impl From<Member<'_>> for Reply {
    fn from(member: Member<'_>) -> Self {
        match member {
            Member::Int(number) => Reply::BulkInt(number),
            Member::Bytes(bytes) => Reply::bulk(bytes),
        }
    }
}

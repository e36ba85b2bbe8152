//! The hash commands: a file for each, or for a few that are one thing.

mod ask;
mod change;
mod deadline;
mod increment;
mod once;
mod random;
mod ttl;

use super::spec::{Arg, Kind};
use super::{Args, Context, Spec, errors};
use crate::config::Class;
use crate::keyspace::{Effect, HashChange};
use crate::resp::{Failure, Reply};
use crate::value::{Hash, Pair, Value, number};

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &change::HDEL,
    &ask::HEXISTS,
    &deadline::HEXPIRE,
    &deadline::HEXPIREAT,
    &ttl::HEXPIRETIME,
    &ask::HGET,
    &ask::HGETALL,
    &once::HGETDEL,
    &once::HGETEX,
    &increment::HINCRBY,
    &increment::HINCRBYFLOAT,
    &ask::HKEYS,
    &ask::HLEN,
    &ask::HMGET,
    &change::HMSET,
    &ttl::HPERSIST,
    &deadline::HPEXPIRE,
    &deadline::HPEXPIREAT,
    &ttl::HPEXPIRETIME,
    &ttl::HPTTL,
    &random::HRANDFIELD,
    &random::HSCAN,
    &change::HSET,
    &once::HSETEX,
    &change::HSETNX,
    &ask::HSTRLEN,
    &ttl::HTTL,
    &ask::HVALS,
];

fn as_hash(value: Option<&Value>) -> Result<Option<&Hash>, Failure> {
    match value {
        None => Ok(None),
        Some(Value::Hash(hash)) => Ok(Some(hash)),
        Some(_) => Err(errors::WRONG_TYPE),
    }
}

/// The hash at `key`, to be told about: the look counts as an access.
fn read<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<Option<&'c Hash>, Failure> {
    as_hash(context.keyspace.read(context.client.db, key))
}

/// The hash at `key`, to be changed.
fn find<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<Option<&'c Hash>, Failure> {
    as_hash(context.keyspace.find(context.client.db, key).map(|entry| &entry.value))
}

/// A field of the hash at `key`, which is one or missing, unless its time has come.
fn peek<'c>(context: &'c Context<'_>, key: &[u8], field: &[u8]) -> Option<Pair<'c>> {
    match context.keyspace.peek(context.client.db, key).map(|entry| &entry.value) {
        Some(Value::Hash(hash)) => hash.alive(field, context.keyspace.now),
        _ => None,
    }
}

/// How many fields the hash at `key` has, which is one or missing.
fn len(context: &Context<'_>, key: &[u8]) -> usize {
    match context.keyspace.peek(context.client.db, key).map(|entry| &entry.value) {
        Some(Value::Hash(hash)) => hash.alive_len(context.keyspace.now),
        _ => 0,
    }
}

/// Change a hash, and say so.
fn change<'a>(context: &mut Context<'_>, key: &'a [u8], change: HashChange<'a>) {
    let event = match change {
        HashChange::Set { .. } | HashChange::Replace { .. } => "hset",
        HashChange::Remove { .. } => "hdel",
        HashChange::Expire { deadline: Some(_), .. } => "hexpire",
        HashChange::Expire { deadline: None, .. } => "hpersist",
    };
    change_as(context, key, change, event);
}

/// Change a hash and say so by another name than that of the change.
fn change_as<'a>(context: &mut Context<'_>, key: &'a [u8], change: HashChange<'a>, event: &'static str) {
    context.keyspace.change(&Effect::Hash { db: context.client.db, key, change });
    context.notify(Class::Hash, event, key);
}

/// The value of a field, or null.
fn value(pair: Option<Pair<'_>>) -> Reply {
    pair.map_or(Reply::Null, |pair| Reply::bulk(pair.value))
}

/// `FIELDS numfields field ...` as it is declared.
const FIELDS: Arg = Arg::new(
    "fields",
    Kind::Block(&[Arg::new("numfields", Kind::Integer), Arg::new("field", Kind::String).multiple()]),
)
.token("FIELDS");

/// The fields of a command that ends with `FIELDS numfields field ...`, which begins at `at`.
fn fields<'a>(args: &Args<'a>, at: usize, not_positive: Failure) -> Result<Vec<&'a [u8]>, Failure> {
    const MISSING: Failure =
        Failure::new("ERR Mandatory argument FIELDS is missing or not at the right position");
    const MISMATCH: Failure =
        Failure::new("ERR The `numfields` parameter must match the number of arguments");
    args.request().get(at).filter(|word| word.eq_ignore_ascii_case(b"FIELDS")).ok_or(MISSING)?;
    let count = args.request().get(at + 1).and_then(number::integer).filter(|count| *count > 0);
    let count = count.ok_or(not_positive)?;
    let fields = args.request().rest(at + 2);
    if count != fields.len() as i64 {
        return Err(MISMATCH);
    }
    Ok(fields.collect())
}

/// What most commands answer to a number of fields that is none.
const NOT_POSITIVE: Failure = Failure::new("ERR Number of fields must be a positive integer");

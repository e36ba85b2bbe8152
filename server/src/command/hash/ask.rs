//! `HGET`, `HMGET`, `HGETALL`, `HKEYS`, `HVALS`, `HLEN`, `HSTRLEN` and `HEXISTS`: questions that change nothing.

use super::super::spec::{Acl, Arg, Flags, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context};
use super::{read, value};
use crate::resp::{Failure, Reply};
use crate::value::Pair;

fn hget(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let now = context.keyspace.now;
    let hash = read(context, args.word(1))?;
    Ok(value(hash.and_then(|hash| hash.alive(args.word(2), now))))
}

fn hmget(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let now = context.keyspace.now;
    let hash = read(context, args.word(1))?;
    let values = args.request().rest(2).map(|field| value(hash.and_then(|hash| hash.alive(field, now))));
    Ok(Reply::Array(values.collect()))
}

/// Something of each field.
fn all<R>(
    context: &mut Context<'_>,
    args: &Args<'_>,
    tell: impl Fn(Pair<'_>) -> R,
) -> Result<Vec<R>, Failure> {
    let now = context.keyspace.now;
    let Some(hash) = read(context, args.word(1))? else { return Ok(Vec::new()) };
    Ok(hash.iter().filter(|pair| pair.alive(now)).map(tell).collect())
}

fn hgetall(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    all(context, args, |pair| (Reply::bulk(pair.field), Reply::bulk(pair.value))).map(Reply::Map)
}

fn hkeys(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    all(context, args, |pair| Reply::bulk(pair.field)).map(Reply::Array)
}

fn hvals(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    all(context, args, |pair| Reply::bulk(pair.value)).map(Reply::Array)
}

fn hlen(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let now = context.keyspace.now;
    Ok(read(context, args.word(1))?.map_or(0, |hash| hash.alive_len(now)).into())
}

fn hstrlen(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let now = context.keyspace.now;
    let pair = read(context, args.word(1))?.and_then(|hash| hash.alive(args.word(2), now));
    Ok(pair.map_or(0, |pair| pair.value.len()).into())
}

fn hexists(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let now = context.keyspace.now;
    let pair = read(context, args.word(1))?.and_then(|hash| hash.alive(args.word(2), now));
    Ok(Reply::Int(i64::from(pair.is_some())))
}

pub static HGET: Spec = Spec {
    name: "hget",
    full_name: "HGET",
    summary: "Get the value of a hash field",
    since: "2.0.0",
    group: "hash",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("field", Kind::String)],
    handler: Handler::Run(hget),
    ..Spec::BASE
};

pub static HMGET: Spec = Spec {
    name: "hmget",
    full_name: "HMGET",
    summary: "Get the values of all the given hash fields",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) where N is the number of fields being requested.",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("field", Kind::String).multiple()],
    handler: Handler::Run(hmget),
    ..Spec::BASE
};

pub static HGETALL: Spec = Spec {
    name: "hgetall",
    full_name: "HGETALL",
    summary: "Get all the fields and values in a hash",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) where N is the size of the hash.",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0))],
    hints: &["nondeterministic_output_order"],
    handler: Handler::Run(hgetall),
    ..Spec::BASE
};

pub static HKEYS: Spec = Spec {
    name: "hkeys",
    full_name: "HKEYS",
    summary: "Get all the fields in a hash",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) where N is the size of the hash.",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0))],
    hints: &["nondeterministic_output_order"],
    handler: Handler::Run(hkeys),
    ..Spec::BASE
};

pub static HVALS: Spec = Spec {
    name: "hvals",
    full_name: "HVALS",
    summary: "Get all the values in a hash",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) where N is the size of the hash.",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0))],
    hints: &["nondeterministic_output_order"],
    handler: Handler::Run(hvals),
    ..Spec::BASE
};

pub static HLEN: Spec = Spec {
    name: "hlen",
    full_name: "HLEN",
    summary: "Get the number of fields in a hash",
    since: "2.0.0",
    group: "hash",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(hlen),
    ..Spec::BASE
};

pub static HSTRLEN: Spec = Spec {
    name: "hstrlen",
    full_name: "HSTRLEN",
    summary: "Get the length of the value of a hash field",
    since: "3.2.0",
    group: "hash",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("field", Kind::String)],
    handler: Handler::Run(hstrlen),
    ..Spec::BASE
};

pub static HEXISTS: Spec = Spec {
    name: "hexists",
    full_name: "HEXISTS",
    summary: "Determine if a hash field exists",
    since: "2.0.0",
    group: "hash",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("field", Kind::String)],
    handler: Handler::Run(hexists),
    ..Spec::BASE
};

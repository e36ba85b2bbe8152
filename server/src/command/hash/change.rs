//! `HSET`, `HMSET`, `HSETNX` and `HDEL`: fields come and go.

use smallvec::smallvec;

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{change, find, len};
use crate::keyspace::{HashChange, Items};
use crate::resp::{Failure, Reply};

fn hset(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    set(context, args, &HSET).map(Reply::from)
}

fn hmset(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    set(context, args, &HMSET).map(|_| Reply::OK)
}

/// How many fields are new.
fn set(context: &mut Context<'_>, args: &Args<'_>, spec: &Spec) -> Result<usize, Failure> {
    let key = args.word(1);
    if !args.len().is_multiple_of(2) {
        return Err(errors::arity(spec));
    }
    let now = context.keyspace.now;
    let before = find(context, key)?.map_or(0, |hash| hash.alive_len(now));
    change(context, key, HashChange::Set { pairs: args.request().rest(2).collect() });
    Ok(len(context, key) - before)
}

fn hsetnx(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, field, now) = (args.word(1), args.word(2), context.keyspace.now);
    if find(context, key)?.is_some_and(|hash| hash.alive(field, now).is_some()) {
        return Ok(Reply::Int(0));
    }
    change(context, key, HashChange::Set { pairs: smallvec![field, args.word(3)] });
    Ok(Reply::Int(1))
}

fn hdel(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, now) = (args.word(1), context.keyspace.now);
    let Some(hash) = find(context, key)? else { return Ok(Reply::Int(0)) };
    let before = hash.alive_len(now);
    let fields: Items<'_> = args.request().rest(2).filter(|field| hash.alive(field, now).is_some()).collect();
    if fields.is_empty() {
        return Ok(Reply::Int(0));
    }
    change(context, key, HashChange::Remove { fields });
    Ok((before - len(context, key)).into())
}

pub static HSET: Spec = Spec {
    name: "hset",
    full_name: "HSET",
    summary: "Set the string value of a hash field",
    since: "2.0.0",
    group: "hash",
    complexity: "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is \
         called with multiple field/value pairs.",
    arity: -4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new(
            "field_value",
            Kind::Block(&[Arg::new("field", Kind::String), Arg::new("value", Kind::String)]),
        )
        .multiple(),
    ],
    history: &[("4.0.0", "Accepts multiple `field` and `value` arguments.")],
    grammar: Grammar::Own,
    handler: Handler::Run(hset),
    ..Spec::BASE
};

pub static HMSET: Spec = Spec {
    name: "hmset",
    full_name: "HMSET",
    summary: "Set multiple hash fields to multiple values",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) where N is the number of fields being set.",
    arity: -4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new(
            "field_value",
            Kind::Block(&[Arg::new("field", Kind::String), Arg::new("value", Kind::String)]),
        )
        .multiple(),
    ],
    deprecated: Some(("4.0.0", "`HSET` with multiple field-value pairs")),
    grammar: Grammar::Own,
    handler: Handler::Run(hmset),
    ..Spec::BASE
};

pub static HSETNX: Spec = Spec {
    name: "hsetnx",
    full_name: "HSETNX",
    summary: "Set the value of a hash field, only if the field does not exist",
    since: "2.0.0",
    group: "hash",
    complexity: "O(1)",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("field", Kind::String), Arg::new("value", Kind::String)],
    handler: Handler::Run(hsetnx),
    ..Spec::BASE
};

pub static HDEL: Spec = Spec {
    name: "hdel",
    full_name: "HDEL",
    summary: "Delete one or more hash fields",
    since: "2.0.0",
    group: "hash",
    complexity: "O(N) where N is the number of fields to be removed.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("field", Kind::String).multiple()],
    history: &[("2.4.0", "Accepts multiple `field` arguments.")],
    handler: Handler::Run(hdel),
    ..Spec::BASE
};

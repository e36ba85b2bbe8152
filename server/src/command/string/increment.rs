//! `INCR` and its variants.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Handler, Spec, errors};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::Extended;
use crate::value::number;

const OVERFLOW: Failure = Failure::new("ERR increment or decrement would overflow");

pub static INCR: Spec = Spec {
    name: "incr",
    full_name: "INCR",
    summary: "Increment the integer value of a key by one",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(incr),
    ..Spec::BASE
};

fn incr(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    add(context, args.word(1), 1)
}

pub static DECR: Spec = Spec {
    name: "decr",
    full_name: "DECR",
    summary: "Decrement the integer value of a key by one",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(decr),
    ..Spec::BASE
};

fn decr(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    add(context, args.word(1), -1)
}

pub static INCRBY: Spec = Spec {
    name: "incrby",
    full_name: "INCRBY",
    summary: "Increment the integer value of a key by the given amount",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("increment", Kind::Integer)],
    handler: Handler::Run(incrby),
    ..Spec::BASE
};

fn incrby(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    add(context, args.word(1), number::integer(args.word(2)).ok_or(errors::NOT_INTEGER)?)
}

pub static DECRBY: Spec = Spec {
    name: "decrby",
    full_name: "DECRBY",
    summary: "Decrement the integer value of a key by the given number",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("decrement", Kind::Integer)],
    handler: Handler::Run(decrby),
    ..Spec::BASE
};

fn decrby(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let number = number::integer(args.word(2)).ok_or(errors::NOT_INTEGER)?;
    let number = number.checked_neg().ok_or(Failure::new("ERR decrement would overflow"))?;
    add(context, args.word(1), number)
}

fn add(context: &mut Context<'_>, key: &[u8], increment: i64) -> Result<Reply, Failure> {
    let number = match context.find_string(key)? {
        Some(string) => string.integer().ok_or(errors::NOT_INTEGER)?,
        None => 0,
    };
    let number = number.checked_add(increment).ok_or(OVERFLOW)?;
    context.keyspace.change(&Effect::Integer { db: context.client.db, key, number });
    context.notify(Class::String, "incrby", key);
    Ok(Reply::Int(number))
}

pub static INCRBYFLOAT: Spec = Spec {
    name: "incrbyfloat",
    full_name: "INCRBYFLOAT",
    summary: "Increment the float value of a key by the given amount",
    since: "2.6.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("increment", Kind::Double)],
    handler: Handler::Run(incrbyfloat),
    ..Spec::BASE
};

fn incrbyfloat(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let key = args.word(1);
    let number = match context.find_string(key)? {
        Some(string) => Extended::parse(string.bytes(&mut itoa::Buffer::new())).ok_or(errors::NOT_FLOAT)?,
        None => Extended::ZERO,
    };
    let increment = Extended::parse(args.word(2)).ok_or(errors::NOT_FLOAT)?;
    let sum = number.plus(increment).filter(|sum| !sum.is_infinite());
    let sum = sum.ok_or(Failure::new("ERR increment would produce NaN or Infinity"))?.to_string();
    context.keyspace.change(&Effect::Replace { db: context.client.db, key, value: sum.as_bytes() });
    context.keyspace.spell_out(context.client.db, key);
    context.notify(Class::String, "incrbyfloat", key);
    Ok(Reply::text(sum))
}

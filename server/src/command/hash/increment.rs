//! `HINCRBY` and `HINCRBYFLOAT`. A field keeps the deadline that it has.

use smallvec::smallvec;

use super::super::spec::{Acl, Arg, Flags, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{change_as, find, peek};
use crate::keyspace::HashChange;
use crate::resp::{Failure, Reply};
use crate::value::{Extended, number};

fn hincrby(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    const NOT_INTEGER: Failure = Failure::new("ERR hash value is not an integer");
    const OVERFLOW: Failure = Failure::new("ERR increment or decrement would overflow");
    let (key, field) = (args.word(1), args.word(2));
    let increment = number::integer(args.word(3)).ok_or(errors::NOT_INTEGER)?;
    find(context, key)?;
    let number = match peek(context, key, field) {
        Some(pair) => number::integer(pair.value).ok_or(NOT_INTEGER)?,
        None => 0,
    };
    let number = number.checked_add(increment).ok_or(OVERFLOW)?;
    write(context, key, field, itoa::Buffer::new().format(number).as_bytes(), "hincrby");
    Ok(Reply::Int(number))
}

fn hincrbyfloat(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    const NOT_FLOAT: Failure = Failure::new("ERR hash value is not a float");
    const INFINITE: Failure = Failure::new("ERR value is NaN or Infinity");
    let (key, field) = (args.word(1), args.word(2));
    let increment = Extended::parse(args.word(3)).ok_or(errors::NOT_FLOAT)?;
    if increment.is_infinite() {
        return Err(INFINITE);
    }
    find(context, key)?;
    let number = match peek(context, key, field) {
        Some(pair) => Extended::parse(pair.value).ok_or(NOT_FLOAT)?,
        None => Extended::ZERO,
    };
    let sum = number.plus(increment).filter(|sum| !sum.is_infinite());
    let sum = sum.ok_or(Failure::new("ERR increment would produce NaN or Infinity"))?.to_string();
    write(context, key, field, sum.as_bytes(), "hincrbyfloat");
    Ok(Reply::text(sum))
}

fn write<'a>(
    context: &mut Context<'_>,
    key: &'a [u8],
    field: &'a [u8],
    value: &'a [u8],
    event: &'static str,
) {
    let (there, pairs) = (peek(context, key, field).is_some(), smallvec![field, value]);
    // One whose time has come but that is not removed yet begins anew.
    let change = if there { HashChange::Replace { pairs } } else { HashChange::Set { pairs } };
    change_as(context, key, change, event);
}

pub static HINCRBY: Spec = Spec {
    name: "hincrby",
    full_name: "HINCRBY",
    summary: "Increment the integer value of a hash field by the given number",
    since: "2.0.0",
    group: "hash",
    complexity: "O(1)",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("field", Kind::String),
        Arg::new("increment", Kind::Integer),
    ],
    handler: Handler::Run(hincrby),
    ..Spec::BASE
};

pub static HINCRBYFLOAT: Spec = Spec {
    name: "hincrbyfloat",
    full_name: "HINCRBYFLOAT",
    summary: "Increment the float value of a hash field by the given amount",
    since: "2.6.0",
    group: "hash",
    complexity: "O(1)",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("field", Kind::String),
        Arg::new("increment", Kind::Double),
    ],
    handler: Handler::Run(hincrbyfloat),
    ..Spec::BASE
};

//! `APPEND` and `SETRANGE`: strings that change in place.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Handler, Spec, errors};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::{Str, number};

pub static APPEND: Spec = Spec {
    name: "append",
    full_name: "APPEND",
    summary: "Append a value to a key",
    since: "2.0.0",
    group: "string",
    complexity: "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already \
         present value is of any size, since the dynamic string library used by Redis will double the free \
         space available on every reallocation.",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("value", Kind::String)],
    handler: Handler::Run(append),
    ..Spec::BASE
};

fn append(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, value) = (args.word(1), args.word(2));
    let length = context.find_string(key)?.map_or(0, Str::len) + value.len();
    context.check_length(length as u64)?;
    context.keyspace.change(&Effect::Append { db: context.client.db, key, value });
    context.notify(Class::String, "append", key);
    Ok(length.into())
}

pub static SETRANGE: Spec = Spec {
    name: "setrange",
    full_name: "SETRANGE",
    summary: "Overwrite part of a string at key starting at the specified offset",
    since: "2.2.0",
    group: "string",
    complexity: "O(1), not counting the time taken to copy the new string in place. Usually, this string is very \
         small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length \
         of the value argument.",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("offset", Kind::Integer),
        Arg::new("value", Kind::String),
    ],
    handler: Handler::Run(setrange),
    ..Spec::BASE
};

fn setrange(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, value) = (args.word(1), args.word(3));
    let offset = number::integer(args.word(2)).ok_or(errors::NOT_INTEGER)?;
    let offset = u64::try_from(offset).map_err(|_| Failure::new("ERR offset is out of range"))?;
    let length = context.find_string(key)?.map_or(0, Str::len);
    if value.is_empty() {
        return Ok(length.into());
    }
    // The offset is below 2^63 and the value's length is that of bytes in memory.
    let end = offset + value.len() as u64;
    context.check_length(end)?;
    context.keyspace.change(&Effect::SetRange { db: context.client.db, key, offset, value });
    context.notify(Class::String, "setrange", key);
    Ok(Reply::Int((length as u64).max(end) as i64))
}

//! `SETBIT` and `GETBIT`.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Handler, Spec};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::{Str, number};

use super::offset;

/// The byte of a string that holds a bit, if the string is that long, and the bit's place in it.
fn look(string: Option<&Str>, offset: u64) -> (Option<u8>, u8) {
    let byte =
        string.and_then(|string| string.bytes(&mut itoa::Buffer::new()).get((offset / 8) as usize).copied());
    (byte, 0x80 >> (offset % 8))
}

fn setbit(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    const BIT: Failure = Failure::new("ERR bit is not an integer or out of range");
    let key = args.word(1);
    let offset = offset(context, args.word(2), None)?;
    let on = match number::integer(args.word(3)) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(BIT),
    };
    let (byte, bit) = look(context.find_string(key)?, offset);
    let before = byte.unwrap_or(0);
    let after = if on { before | bit } else { before & !bit };
    if byte == Some(after) {
        // Nothing is written, but the string is one of bytes from now on.
        context.keyspace.loosen(context.client.db, key);
    } else {
        let change = Effect::SetRange { db: context.client.db, key, offset: offset / 8, value: &[after] };
        context.keyspace.change(&change);
        context.notify(Class::String, "setbit", key);
    }
    Ok(Reply::Int(i64::from(before & bit != 0)))
}

fn getbit(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let offset = offset(context, args.word(2), None)?;
    let (byte, bit) = look(context.read_string(args.word(1))?, offset);
    Ok(Reply::Int(i64::from(byte.unwrap_or(0) & bit != 0)))
}

pub static SETBIT: Spec = Spec {
    name: "setbit",
    full_name: "SETBIT",
    summary: "Sets or clears the bit at offset in the string value stored at key",
    since: "2.2.0",
    group: "bitmap",
    complexity: "O(1)",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::BITMAP, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("offset", Kind::Integer),
        Arg::new("value", Kind::Integer),
    ],
    handler: Handler::Run(setbit),
    ..Spec::BASE
};

pub static GETBIT: Spec = Spec {
    name: "getbit",
    full_name: "GETBIT",
    summary: "Returns the bit value at offset in the string value stored at key",
    since: "2.2.0",
    group: "bitmap",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::BITMAP, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("offset", Kind::Integer)],
    handler: Handler::Run(getbit),
    ..Spec::BASE
};

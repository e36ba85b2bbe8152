//! `GET` and its variants.

use super::expiration;
use super::{bulk, bulk_or_null};
use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Handler, Spec, errors};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::{Str, Value, number};

pub static GET: Spec = Spec {
    name: "get",
    full_name: "GET",
    summary: "Get the value of a key",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(get),
    ..Spec::BASE
};

fn get(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    context.read_string(args.word(1)).map(bulk_or_null)
}

pub static GETDEL: Spec = Spec {
    name: "getdel",
    full_name: "GETDEL",
    summary: "Get the value of a key and delete the key",
    since: "6.2.0",
    group: "string",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(getdel),
    ..Spec::BASE
};

fn getdel(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let key = args.word(1);
    let reply = context.read_string(key).map(bulk_or_null)?;
    if reply != Reply::Null {
        context.keyspace.change(&Effect::Delete { db: context.client.db, key });
        context.notify(Class::Generic, "del", key);
    }
    Ok(reply)
}

pub static GETSET: Spec = Spec {
    name: "getset",
    full_name: "GETSET",
    summary: "Set the string value of a key and return its old value",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("value", Kind::String)],
    deprecated: Some(("6.2.0", "`SET` with the `!GET` argument")),
    handler: Handler::Run(getset),
    ..Spec::BASE
};

fn getset(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, value) = (args.word(1), args.word(2));
    let reply = context.read_string(key).map(bulk_or_null)?;
    context.keyspace.change(&Effect::Set { db: context.client.db, key, value, deadline: None });
    context.notify(Class::String, "set", key);
    Ok(reply)
}

pub static GETEX: Spec = Spec {
    name: "getex",
    full_name: "GETEX",
    summary: "Get the value of a key and optionally set its expiration",
    since: "6.2.0",
    group: "string",
    complexity: "O(1)",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))
        .notes("RW and UPDATE because it changes the TTL")],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new(
            "expiration",
            Kind::OneOf(&[
                Arg::new("seconds", Kind::Integer).token("EX"),
                Arg::new("milliseconds", Kind::Integer).token("PX"),
                Arg::new("unix-time-seconds", Kind::UnixTime).token("EXAT"),
                Arg::new("unix-time-milliseconds", Kind::UnixTime).token("PXAT"),
                Arg::flag("persist", "PERSIST"),
            ]),
        )
        .optional(),
    ],
    handler: Handler::Run(getex),
    ..Spec::BASE
};

fn getex(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (db, key) = (context.client.db, args.word(1));
    let reply = context.read_string(key).map(bulk_or_null)?;
    if reply == Reply::Null {
        return Ok(reply);
    }
    let now = context.keyspace.now;
    if let Some(deadline) = expiration::deadline(args, now, "getex")? {
        if deadline <= now {
            context.keyspace.change(&Effect::Delete { db, key });
            context.notify(Class::Generic, "del", key);
        } else {
            context.keyspace.change(&Effect::Expire { db, key, deadline: Some(deadline) });
            context.notify(Class::Generic, "expire", key);
        }
    } else if args.has("persist") && context.keyspace.find(db, key).is_some_and(|e| e.deadline().is_some()) {
        context.keyspace.change(&Effect::Expire { db, key, deadline: None });
        context.notify(Class::Generic, "persist", key);
    }
    Ok(reply)
}

pub static MGET: Spec = Spec {
    name: "mget",
    full_name: "MGET",
    summary: "Get the values of all the given keys",
    since: "1.0.0",
    group: "string",
    complexity: "O(N) where N is the number of keys to retrieve.",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple()],
    hints: &["request_policy:multi_shard"],
    handler: Handler::Run(mget),
    ..Spec::BASE
};

fn mget(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let db = context.client.db;
    let replies = args.request().rest(1).map(|key| match context.keyspace.read(db, key) {
        Some(Value::String(string)) => bulk(string),
        _ => Reply::Null,
    });
    Ok(Reply::Array(replies.collect()))
}

pub static STRLEN: Spec = Spec {
    name: "strlen",
    full_name: "STRLEN",
    summary: "Get the length of the value stored in a key",
    since: "2.2.0",
    group: "string",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(strlen),
    ..Spec::BASE
};

fn strlen(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(context.read_string(args.word(1))?.map_or(0, Str::len).into())
}

pub static GETRANGE: Spec = Spec {
    name: "getrange",
    full_name: "GETRANGE",
    summary: "Get a substring of the string stored at a key",
    since: "2.4.0",
    group: "string",
    complexity: "O(N) where N is the length of the returned string. The complexity is ultimately determined by the \
         returned length, but because creating a substring from an existing string is very cheap, it can \
         be considered O(1) for small strings.",
    arity: 4,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::STRING, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("start", Kind::Integer), Arg::new("end", Kind::Integer)],
    handler: Handler::Run(getrange),
    ..Spec::BASE
};

pub static SUBSTR: Spec = Spec {
    name: "substr",
    full_name: "SUBSTR",
    summary: "Get a substring of the string stored at a key",
    since: "1.0.0",
    group: "string",
    complexity: "O(N) where N is the length of the returned string. The complexity is ultimately determined by the \
         returned length, but because creating a substring from an existing string is very cheap, it can \
         be considered O(1) for small strings.",
    arity: 4,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::STRING, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("start", Kind::Integer), Arg::new("end", Kind::Integer)],
    deprecated: Some(("2.0.0", "`GETRANGE`")),
    handler: Handler::Run(getrange),
    ..Spec::BASE
};

fn getrange(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let integer = |index| number::integer(args.word(index)).ok_or(errors::NOT_INTEGER);
    let (start, end) = (integer(2)?, integer(3)?);
    let Some(string) = context.read_string(args.word(1))? else { return Ok(Reply::bulk("")) };
    let Some((start, end)) = range(start, end, string.len()) else { return Ok(Reply::bulk("")) };
    Ok(match string {
        Str::Shared(bytes) => Reply::Bulk(bytes.slice(start..end)),
        other => Reply::bulk(&other.bytes(&mut itoa::Buffer::new())[start..end]),
    })
}

/// The bytes from `start` up to and with `end`, negative ones counted from the end; `None` if there are none.
fn range(start: i64, end: i64, length: usize) -> Option<(usize, usize)> {
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let length = length as i64;
    let absolute = |index: i64| if index < 0 { index.saturating_add(length).max(0) } else { index };
    let (start, end) = (absolute(start), absolute(end).min(length - 1));
    (start <= end).then(|| (start as usize, end as usize + 1))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_end_with_the_string() {
        assert_eq!(range(0, -1, 5), Some((0, 5)));
        assert_eq!(range(-3, -2, 5), Some((2, 4)));
        assert_eq!(range(-100, -100, 5), Some((0, 1)), "as in Redis: both fall on the first byte");
        assert_eq!(range(3, 100, 5), Some((3, 5)));
        assert_eq!(range(-1, -3, 5), None);
        assert_eq!(range(5, 6, 5), None);
        assert_eq!(range(0, -1, 0), None);
        assert_eq!(range(i64::MIN, i64::MAX, 5), Some((0, 5)));
    }
}

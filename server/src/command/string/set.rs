//! `SET` and its variants.

use super::bulk_or_null;
use super::expiration::{self, Unit};
use crate::command::keys::Keys;
use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Grammar, Handler, Spec, errors};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply, Request};
use crate::value::Value;

pub static SET: Spec = Spec {
    name: "set",
    full_name: "SET",
    summary: "Set the string value of a key",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::SLOW]),
    keys: &[KeySpec::range(
        1,
        0,
        1,
        KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE, KeyFlags::VARIABLE]),
    )
    .notes("RW and ACCESS due to the optional `GET` argument")],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("value", Kind::String),
        Arg::new(
            "condition",
            Kind::OneOf(&[
                Arg::flag("nx", "NX"),
                Arg::flag("xx", "XX"),
                Arg::new("comparison-value", Kind::String).token("IFEQ").since("8.1.0"),
            ]),
        )
        .optional()
        .since("2.6.12"),
        Arg::flag("get", "GET").optional().since("6.2.0"),
        Arg::new(
            "expiration",
            Kind::OneOf(&[
                Arg::new("seconds", Kind::Integer).token("EX").since("2.6.12"),
                Arg::new("milliseconds", Kind::Integer).token("PX").since("2.6.12"),
                Arg::new("unix-time-seconds", Kind::UnixTime).token("EXAT").since("6.2.0"),
                Arg::new("unix-time-milliseconds", Kind::UnixTime).token("PXAT").since("6.2.0"),
                Arg::flag("keepttl", "KEEPTTL").since("6.0.0"),
            ]),
        )
        .optional(),
    ],
    history: &[
        ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
        ("6.0.0", "Added the `KEEPTTL` option."),
        ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
        ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
        ("8.1.0", "Added the `IFEQ` option."),
    ],
    own_keys: Some(set_keys),
    handler: Handler::Run(set),
    ..Spec::BASE
};

fn set(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    if args.len() > 3 {
        return set_with_options(context, args);
    }
    let (db, key, value) = (context.client.db, args.word(1), args.word(2));
    context.keyspace.change(&Effect::Set { db, key, value, deadline: None });
    context.notify(Class::String, "set", key);
    Ok(Reply::OK)
}

/// Without `GET` or `IFEQ` the old value is not looked at.
fn set_keys(request: Request<'_>) -> Option<Keys> {
    let looks = |word: &[u8]| word.eq_ignore_ascii_case(b"get") || word.eq_ignore_ascii_case(b"ifeq");
    let get = request.rest(3).any(looks);
    let flags = if get { KeyFlags::RW.or(KeyFlags::ACCESS) } else { KeyFlags::OW };
    Some(Keys::from_iter([(1, flags.or(KeyFlags::UPDATE))]))
}

fn set_with_options(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (db, key, value) = (context.client.db, args.word(1), args.word(2));
    let deadline = expiration::deadline(args, context.keyspace.now, "set")?;
    let old = if args.has("get") { Some(context.read_string(key).map(bulk_or_null)?) } else { None };
    let (only_new, only_old) = (args.has("nx"), args.has("xx"));
    if (only_new || only_old) && context.keyspace.exists(db, key) == only_new {
        return Ok(old.unwrap_or(Reply::Null));
    }
    if let Some(expected) = args.value("comparison-value") {
        let equal = match context.keyspace.find(db, key).map(|entry| &entry.value) {
            None => false,
            Some(Value::String(string)) => string.bytes(&mut itoa::Buffer::new()) == expected,
            Some(_) => return Err(errors::WRONG_TYPE),
        };
        if !equal {
            return Ok(old.unwrap_or(Reply::Null));
        }
    }
    if args.has("keepttl") {
        // A key that has expired has no deadline to keep: it goes first.
        context.keyspace.exists(db, key);
    }
    context.keyspace.change(&if args.has("keepttl") {
        Effect::Replace { db, key, value }
    } else {
        Effect::Set { db, key, value, deadline }
    });
    context.notify(Class::String, "set", key);
    if deadline.is_some() {
        context.notify(Class::Generic, "expire", key);
    }
    Ok(old.unwrap_or(Reply::OK))
}

pub static SETEX: Spec = Spec {
    name: "setex",
    full_name: "SETEX",
    summary: "Set the value and expiration of a key",
    since: "2.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("seconds", Kind::Integer),
        Arg::new("value", Kind::String),
    ],
    handler: Handler::Run(setex),
    ..Spec::BASE
};

fn setex(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    set_expiring(context, args, true, "setex")
}

pub static PSETEX: Spec = Spec {
    name: "psetex",
    full_name: "PSETEX",
    summary: "Set the value and expiration in milliseconds of a key",
    since: "2.6.0",
    group: "string",
    complexity: "O(1)",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("milliseconds", Kind::Integer),
        Arg::new("value", Kind::String),
    ],
    handler: Handler::Run(psetex),
    ..Spec::BASE
};

fn psetex(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    set_expiring(context, args, false, "psetex")
}

fn set_expiring(
    context: &mut Context<'_>,
    args: &Args<'_>,
    seconds: bool,
    command: &str,
) -> Result<Reply, Failure> {
    let (db, key, value) = (context.client.db, args.word(1), args.word(3));
    let unit = Unit { seconds, absolute: false };
    let deadline = expiration::parse(args.word(2), unit, context.keyspace.now, command)?;
    context.keyspace.change(&Effect::Set { db, key, value, deadline: Some(deadline) });
    context.notify(Class::String, "set", key);
    context.notify(Class::Generic, "expire", key);
    Ok(Reply::OK)
}

pub static SETNX: Spec = Spec {
    name: "setnx",
    full_name: "SETNX",
    summary: "Set the value of a key, only if the key does not exist",
    since: "1.0.0",
    group: "string",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::INSERT]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("value", Kind::String)],
    handler: Handler::Run(setnx),
    ..Spec::BASE
};

fn setnx(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (db, key, value) = (context.client.db, args.word(1), args.word(2));
    if context.keyspace.exists(db, key) {
        return Ok(Reply::Int(0));
    }
    context.keyspace.change(&Effect::Set { db, key, value, deadline: None });
    context.notify(Class::String, "set", key);
    Ok(Reply::Int(1))
}

pub static MSET: Spec = Spec {
    name: "mset",
    full_name: "MSET",
    summary: "Set multiple keys to multiple values",
    since: "1.0.1",
    group: "string",
    complexity: "O(N) where N is the number of keys to set.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::SLOW]),
    keys: &[KeySpec::range(1, -1, 2, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE]))],
    args: &[Arg::new(
        "key_value",
        Kind::Block(&[Arg::new("key", Kind::Key(0)), Arg::new("value", Kind::String)]),
    )
    .multiple()],
    hints: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    grammar: Grammar::Own,
    handler: Handler::Run(mset),
    ..Spec::BASE
};

fn mset(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    check_pairs(args, &MSET)?;
    set_all(context, args.request());
    Ok(Reply::OK)
}

pub static MSETNX: Spec = Spec {
    name: "msetnx",
    full_name: "MSETNX",
    summary: "Set multiple keys to multiple values, only if none of the keys exist",
    since: "1.0.1",
    group: "string",
    complexity: "O(N) where N is the number of keys to set.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::STRING, Acl::SLOW]),
    keys: &[KeySpec::range(1, -1, 2, KeyFlags::of(&[KeyFlags::OW, KeyFlags::INSERT]))],
    args: &[Arg::new(
        "key_value",
        Kind::Block(&[Arg::new("key", Kind::Key(0)), Arg::new("value", Kind::String)]),
    )
    .multiple()],
    grammar: Grammar::Own,
    handler: Handler::Run(msetnx),
    ..Spec::BASE
};

fn msetnx(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    check_pairs(args, &MSETNX)?;
    let db = context.client.db;
    if args.request().rest(1).step_by(2).any(|key| context.keyspace.exists(db, key)) {
        return Ok(Reply::Int(0));
    }
    set_all(context, args.request());
    Ok(Reply::Int(1))
}

/// A key without a value is answered as a wrong number of arguments.
fn check_pairs(args: &Args<'_>, spec: &Spec) -> Result<(), Failure> {
    if args.len() % 2 == 1 { Ok(()) } else { Err(errors::arity(spec)) }
}

fn set_all(context: &mut Context<'_>, request: Request<'_>) {
    let db = context.client.db;
    for index in (1..request.len()).step_by(2) {
        let (key, value) = (request.arg(index), request.arg(index + 1));
        context.keyspace.change(&Effect::Set { db, key, value, deadline: None });
        context.notify(Class::String, "set", key);
    }
}

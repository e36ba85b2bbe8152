//! `OBJECT`: how a value is kept.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec};
use crate::keyspace::Entry;
use crate::resp::{Failure, Reply};
use crate::value::{Str, Value};

pub static OBJECT_ENCODING: Spec = Spec {
    name: "encoding",
    full_name: "OBJECT|ENCODING",
    summary: "Inspect the internal encoding of a Redis object",
    since: "2.2.3",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0))],
    hints: &["nondeterministic_output"],
    handler: Handler::Run(encoding),
    ..Spec::BASE
};

pub static OBJECT_FREQ: Spec = Spec {
    name: "freq",
    full_name: "OBJECT|FREQ",
    summary: "Get the logarithmic access frequency counter of a Redis object",
    since: "4.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0))],
    hints: &["nondeterministic_output"],
    handler: Handler::Run(freq),
    ..Spec::BASE
};

pub static OBJECT_HELP: Spec = Spec {
    name: "help",
    full_name: "OBJECT|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "6.2.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::SLOW]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static OBJECT_IDLETIME: Spec = Spec {
    name: "idletime",
    full_name: "OBJECT|IDLETIME",
    summary: "Get the time since a Redis object was last accessed",
    since: "2.2.3",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0))],
    hints: &["nondeterministic_output"],
    handler: Handler::Run(idletime),
    ..Spec::BASE
};

pub static OBJECT_REFCOUNT: Spec = Spec {
    name: "refcount",
    full_name: "OBJECT|REFCOUNT",
    summary: "Get the number of references to the value of the key",
    since: "2.2.3",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0))],
    hints: &["nondeterministic_output"],
    handler: Handler::Run(refcount),
    ..Spec::BASE
};

pub static OBJECT: Spec = Spec {
    name: "object",
    full_name: "OBJECT",
    summary: "A container for object introspection commands",
    since: "2.2.3",
    group: "generic",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[&OBJECT_ENCODING, &OBJECT_FREQ, &OBJECT_HELP, &OBJECT_IDLETIME, &OBJECT_REFCOUNT],
    handler: Handler::Container,
    ..Spec::BASE
};

/// What Redis says of the small numbers that all share one object; others are referred to once.
const SHARED_REFERENCES: i64 = i32::MAX as i64;
const SHARED_NUMBERS: std::ops::Range<i64> = 0..10_000;

const NOT_FREQUENCY: Failure = Failure::new(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
     between policies at runtime LRU and LFU data will take some time to adjust.",
);

const NOT_IDLENESS: Failure = Failure::new(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies \
     at runtime LRU and LFU data will take some time to adjust.",
);

fn find<'a>(context: &'a mut Context<'_>, args: &Args<'_>) -> Option<&'a Entry> {
    context.keyspace.find(context.client.db, args.word(2))
}

fn encoding(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let forms = context.keyspace.forms;
    Ok(find(context, args).map_or(Reply::Null, |entry| Reply::bulk(entry.value.encoding(&forms))))
}

fn freq(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let Some(entry) = find(context, args) else { return Ok(Reply::Null) };
    let accessed = entry.accessed;
    let frequency = context.keyspace.frequency(accessed).ok_or(NOT_FREQUENCY)?;
    Ok(Reply::Int(i64::from(frequency)))
}

fn idletime(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    if context.server.config.maxmemory_policy.by_frequency() && find(context, args).is_some() {
        return Err(NOT_IDLENESS);
    }
    let now = (context.keyspace.now / 1000) as u32;
    Ok(find(context, args)
        .map_or(Reply::Null, |entry| Reply::Int(i64::from(now.wrapping_sub(entry.accessed)))))
}

fn refcount(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(match find(context, args).map(|entry| &entry.value) {
        Some(Value::String(Str::Int(number))) if SHARED_NUMBERS.contains(number) => {
            Reply::Int(SHARED_REFERENCES)
        }
        Some(_) => Reply::Int(1),
        None => Reply::Null,
    })
}

fn help(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(crate::command::help("OBJECT", HELP))
}

const HELP: &[&str] = &[
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
];

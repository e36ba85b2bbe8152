//! `MEMORY`: what a key costs. Estimates from what is kept, not from what the allocator rounds it up to.

use super::footprint;
use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Context, Flags, Handler, Order, Spec, Verdict, errors};
use crate::resp::{Failure, Reply};
use crate::value::{Str, Value};

pub static MEMORY_HELP: Spec = Spec {
    name: "help",
    full_name: "MEMORY|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "4.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static MEMORY_USAGE: Spec = Spec {
    name: "usage",
    full_name: "MEMORY|USAGE",
    summary: "Estimate the memory usage of a key",
    since: "4.0.0",
    group: "server",
    complexity: "O(N) where N is the number of samples.",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("count", Kind::Integer).token("SAMPLES").optional()],
    handler: Handler::Run(usage),
    ..Spec::BASE
};

pub static MEMORY_PURGE: Spec = Spec {
    name: "purge",
    full_name: "MEMORY|PURGE",
    summary: "Ask the allocator to release memory",
    since: "4.0.0",
    group: "server",
    complexity: "Depends on how much memory is allocated, could be slow",
    arity: 2,
    acl: Acl::of(&[Acl::SLOW]),
    hints: &["request_policy:all_shards", "response_policy:all_succeeded"],
    handler: Handler::Try(purge),
    ..Spec::BASE
};

pub static MEMORY: Spec = Spec {
    name: "memory",
    full_name: "MEMORY",
    summary: "A container for memory diagnostics commands",
    since: "4.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[
        &footprint::MEMORY_DOCTOR,
        &MEMORY_HELP,
        &footprint::MEMORY_MALLOC_STATS,
        &MEMORY_PURGE,
        &footprint::MEMORY_STATS,
        &MEMORY_USAGE,
    ],
    handler: Handler::Container,
    ..Spec::BASE
};

fn purge(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Verdict, Failure> {
    Ok(Verdict::Order(Order::Purge))
}

/// Per key: its entry in the table, and the header of the shared key.
const ENTRY_BYTES: usize = size_of::<crate::keyspace::Entry>() + 16;

/// Per shared string: its header.
const SHARED_BYTES: usize = 32;

fn usage(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    // Nothing is sampled: values know what they take.
    if args.integer("count")?.is_some_and(|count| count < 0) {
        return Err(errors::SYNTAX);
    }
    let key = args.word(2);
    let Some(entry) = context.keyspace.find(context.client.db, key) else { return Ok(Reply::Null) };
    Ok((ENTRY_BYTES + key.len() + of_value(&entry.value)).into())
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::String(Str::Int(_)) => 0,
        Value::String(string) => SHARED_BYTES + string.len(),
        Value::List(list) => list.allocated(),
        Value::Set(set) => set.allocated(),
        Value::SortedSet(set) => set.allocated(),
        Value::Hash(hash) => hash.allocated(),
        Value::Stream(stream) => stream.allocated(),
    }
}

fn help(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(crate::command::help("MEMORY", HELP))
}

const HELP: &[&str] = &[
    "DOCTOR",
    "    Return memory problems reports.",
    "MALLOC-STATS",
    "    Return internal statistics report from the memory allocator.",
    "PURGE",
    "    Attempt to purge dirty pages for reclamation by the allocator.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
];

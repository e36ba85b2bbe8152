//! `XINFO`: what is known of a stream, its groups and their consumers.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{entries_reply, entry_reply, id_reply, integer, no_group, read, text};
use crate::resp::{Failure, Reply};
use crate::value::stream::Consumer;
use crate::value::{Group, Id, Stream};

fn map<const N: usize>(pairs: [(&'static str, Reply); N]) -> Reply {
    Reply::Map(pairs.into_iter().map(|(name, reply)| (Reply::bulk(name), reply)).collect())
}

fn or_null(number: Option<i64>) -> Reply {
    number.map_or(Reply::Null, Reply::Int)
}

fn stream_info(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let words = args.len();
    // A missing key is told of first.
    let stream = read(context, args.word(2))?.ok_or(errors::NO_SUCH_KEY)?;
    if words == 3 {
        return Ok(brief(stream));
    }
    let is = |index: usize, word: &[u8]| args.word(index).eq_ignore_ascii_case(word);
    if !matches!(words, 4 | 6) || !is(3, b"FULL") || (words == 6 && !is(4, b"COUNT")) {
        return Err(errors::subcommand("XINFO", args.word(1)));
    }
    let count = if words == 6 { usize::try_from(integer(args.word(5))?).unwrap_or(10) } else { 10 };
    Ok(full(stream, count))
}

/// What both forms begin with.
fn common(stream: &Stream) -> Vec<(Reply, Reply)> {
    let pairs = [
        ("length", Reply::Int(stream.len() as i64)),
        ("radix-tree-keys", stream.blocks().len().into()),
        ("radix-tree-nodes", stream.tree_nodes().into()),
        ("last-generated-id", id_reply(stream.last_id)),
        ("max-deleted-entry-id", id_reply(stream.max_deleted_id)),
        ("entries-added", Reply::Int(stream.entries_added as i64)),
        ("recorded-first-entry-id", id_reply(stream.first_id)),
    ];
    pairs.into_iter().map(|(name, reply)| (Reply::bulk(name), reply)).collect()
}

fn brief(stream: &Stream) -> Reply {
    let first = stream.range(Id::MIN, Id::MAX).next();
    let last = stream.range_back(Id::MIN, Id::MAX).next();
    let mut pairs = common(stream);
    pairs.push((Reply::bulk("groups"), stream.groups().len().into()));
    pairs.push((Reply::bulk("first-entry"), first.map_or(Reply::Null, |entry| entry_reply(&entry))));
    pairs.push((Reply::bulk("last-entry"), last.map_or(Reply::Null, |entry| entry_reply(&entry))));
    Reply::Map(pairs)
}

/// `count`: of how many entries and pending ones to tell, 0 is all.
fn full(stream: &Stream, count: usize) -> Reply {
    let groups = stream.groups().iter().map(|(name, group)| full_group(stream, name, group, count));
    let mut pairs = common(stream);
    pairs.push((Reply::bulk("entries"), entries_reply(stream.range(Id::MIN, Id::MAX), count)));
    pairs.push((Reply::bulk("groups"), Reply::Array(groups.collect())));
    Reply::Map(pairs)
}

fn full_group(stream: &Stream, name: &[u8], group: &Group, count: usize) -> Reply {
    let most = if count == 0 { usize::MAX } else { count };
    let pending = group.pending().iter().take(most).map(|(id, pending)| {
        let (time, count) = (Reply::Int(pending.time as i64), Reply::Int(pending.count as i64));
        Reply::Array(vec![id_reply(*id), Reply::bulk(&pending.consumer), time, count])
    });
    let consumers =
        group.consumers().iter().map(|(name, consumer)| full_consumer(group, name, consumer, most));
    map([
        ("name", Reply::bulk(name)),
        ("last-delivered-id", id_reply(group.last_id)),
        ("entries-read", or_null(group.read.map(|read| read as i64))),
        ("lag", or_null(stream.lag(group))),
        ("pel-count", group.pending().len().into()),
        ("pending", Reply::Array(pending.collect())),
        ("consumers", Reply::Array(consumers.collect())),
    ])
}

fn full_consumer(group: &Group, name: &[u8], consumer: &Consumer, most: usize) -> Reply {
    let pending = consumer.pending().iter().take(most).filter_map(|id| {
        let pending = group.pending().get(id)?;
        let (time, count) = (Reply::Int(pending.time as i64), Reply::Int(pending.count as i64));
        Some(Reply::Array(vec![id_reply(*id), time, count]))
    });
    map([
        ("name", Reply::bulk(name)),
        ("seen-time", Reply::Int(consumer.seen as i64)),
        ("active-time", Reply::Int(consumer.active.map_or(-1, |active| active as i64))),
        ("pel-count", consumer.pending().len().into()),
        ("pending", Reply::Array(pending.collect())),
    ])
}

fn groups(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let stream = read(context, args.word(2))?.ok_or(errors::NO_SUCH_KEY)?;
    let groups = stream.groups().iter().map(|(name, group)| {
        map([
            ("name", Reply::bulk(name)),
            ("consumers", group.consumers().len().into()),
            ("pending", group.pending().len().into()),
            ("last-delivered-id", id_reply(group.last_id)),
            ("entries-read", or_null(group.read.map(|read| read as i64))),
            ("lag", or_null(stream.lag(group))),
        ])
    });
    Ok(Reply::Array(groups.collect()))
}

fn consumers(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, name, now) = (args.word(2), args.word(3), context.keyspace.now);
    let stream = read(context, key)?.ok_or(errors::NO_SUCH_KEY)?;
    let group = stream.group(name).ok_or_else(|| {
        no_group(&format!("No such consumer group '{}' for key name '{}'", text(name), text(key)))
    })?;
    let consumers = group.consumers().iter().map(|(name, consumer)| {
        let inactive = consumer.active.map_or(-1, |active| now.saturating_sub(active) as i64);
        map([
            ("name", Reply::bulk(name)),
            ("pending", consumer.pending().len().into()),
            ("idle", Reply::Int(now.saturating_sub(consumer.seen) as i64)),
            ("inactive", Reply::Int(inactive)),
        ])
    });
    Ok(Reply::Array(consumers.collect()))
}

fn help(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(super::super::help("XINFO", HELP))
}

const HELP: &[&str] = &[
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
];

pub static XINFO_CONSUMERS: Spec = Spec {
    name: "consumers",
    full_name: "XINFO|CONSUMERS",
    summary: "List the consumers in a consumer group",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    arity: 4,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::STREAM, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("groupname", Kind::String)],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(consumers),
    ..Spec::BASE
};

pub static XINFO_GROUPS: Spec = Spec {
    name: "groups",
    full_name: "XINFO|GROUPS",
    summary: "List the consumer groups of a stream",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::STREAM, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0))],
    history: &[("7.0.0", "Added the `entries-read` and `lag` fields")],
    grammar: Grammar::Own,
    handler: Handler::Run(groups),
    ..Spec::BASE
};

pub static XINFO_HELP: Spec = Spec {
    name: "help",
    full_name: "XINFO|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::STREAM, Acl::SLOW]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static XINFO_STREAM: Spec = Spec {
    name: "stream",
    full_name: "XINFO|STREAM",
    summary: "Get information about a stream",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::STREAM, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("full", Kind::Block(&[Arg::new("count", Kind::Integer).token("COUNT").optional()]))
            .token("FULL")
            .optional(),
    ],
    history: &[
        ("6.0.0", "Added the `FULL` modifier."),
        (
            "7.0.0",
            "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and \
         `lag` fields",
        ),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(stream_info),
    ..Spec::BASE
};

pub static XINFO: Spec = Spec {
    name: "xinfo",
    full_name: "XINFO",
    summary: "A container for stream introspection commands",
    since: "5.0.0",
    group: "stream",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[&XINFO_CONSUMERS, &XINFO_GROUPS, &XINFO_HELP, &XINFO_STREAM],
    handler: Handler::Container,
    ..Spec::BASE
};

//! `XGROUP`: consumer groups and their consumers.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Class, Context, errors};
use super::{any_id, change, find, integer, known, no_group, see, strict_id, text};
use crate::keyspace::StreamChange;
use crate::resp::{Failure, Reply};
use crate::value::{Group, Id, Stream};

/// The options after the identity.
struct Options {
    make: bool,
    read: Option<u64>,
}

impl Options {
    fn parse(args: &Args<'_>, creates: bool) -> Result<Self, Failure> {
        const READ: Failure = Failure::new("ERR value for ENTRIESREAD must be positive or -1");
        let mut options = Self { make: false, read: None };
        let mut words = args.request().rest(5);
        while let Some(word) = words.next() {
            if creates && word.eq_ignore_ascii_case(b"MKSTREAM") {
                options.make = true;
            } else if word.eq_ignore_ascii_case(b"ENTRIESREAD")
                && let Some(number) = words.next()
            {
                options.read = match integer(number)? {
                    -1 => None,
                    number => Some(u64::try_from(number).map_err(|_| READ)?),
                };
            } else {
                return Err(errors::subcommand("XGROUP", args.word(1)));
            }
        }
        Ok(options)
    }
}

/// The stream at a key, which must be there.
fn stream<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<&'c Stream, Failure> {
    const MISSING: Failure = Failure::new(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM \
         option to create an empty stream automatically.",
    );
    find(context, key)?.ok_or(MISSING)
}

/// A group of the stream at a key; both must be there.
fn group<'c>(context: &'c mut Context<'_>, key: &[u8], name: &[u8]) -> Result<&'c Group, Failure> {
    stream(context, key)?.group(name).ok_or_else(|| {
        no_group(&format!("No such consumer group '{}' for key name '{}'", text(name), text(key)))
    })
}

fn create(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, group, word) = (args.word(2), args.word(3), args.word(4));
    let options = Options::parse(args, true)?;
    let found = if options.make { find(context, key)? } else { Some(stream(context, key)?) };
    let (there, last) = (found.is_some(), found.map_or(Id::MIN, |stream| stream.last_id));
    let taken = found.is_some_and(|stream| stream.group(group).is_some());
    let last = if word == b"$" { last } else { strict_id(word, 0)? };
    if taken {
        return Err(Failure::new("BUSYGROUP Consumer Group name already exists"));
    }
    if !there {
        change(context, key, StreamChange::Create);
    }
    change(context, key, StreamChange::CreateGroup { group, last, read: options.read });
    Ok(Reply::OK)
}

fn set_id(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, name, word) = (args.word(2), args.word(3), args.word(4));
    let options = Options::parse(args, false)?;
    group(context, key, name)?;
    let last = if word == b"$" { known(context, key)?.last_id } else { any_id(word, 0)? };
    change(context, key, StreamChange::SetGroup { group: name, last, read: options.read });
    context.notify(Class::Stream, "xgroup-setid", key);
    Ok(Reply::OK)
}

fn destroy(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, group) = (args.word(2), args.word(3));
    let there = stream(context, key)?.group(group).is_some();
    if there {
        change(context, key, StreamChange::DestroyGroup { group });
    }
    Ok(Reply::Int(i64::from(there)))
}

fn create_consumer(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, name, consumer) = (args.word(2), args.word(3), args.word(4));
    if group(context, key, name)?.consumer(consumer).is_some() {
        return Ok(Reply::Int(0));
    }
    Ok(Reply::Int(i64::from(see(context, key, name, consumer)?)))
}

fn delete_consumer(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, name, consumer) = (args.word(2), args.word(3), args.word(4));
    let Some(pending) = group(context, key, name)?.consumer(consumer).map(|known| known.pending().len())
    else {
        return Ok(Reply::Int(0));
    };
    change(context, key, StreamChange::DeleteConsumer { group: name, consumer });
    Ok(pending.into())
}

fn help(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(super::super::help("XGROUP", HELP))
}

const HELP: &[&str] = &[
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
];

pub static XGROUP_CREATE: Spec = Spec {
    name: "create",
    full_name: "XGROUP|CREATE",
    summary: "Create a consumer group.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    arity: -5,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("groupname", Kind::String),
        Arg::new(
            "id",
            Kind::OneOf(&[Arg::new("id", Kind::String), Arg::new("new_id", Kind::Flag).token("$")]),
        ),
        Arg::flag("mkstream", "MKSTREAM").optional(),
        Arg::new("entries_read", Kind::Integer).token("ENTRIESREAD").optional(),
    ],
    history: &[("7.0.0", "Added the `entries_read` named argument.")],
    grammar: Grammar::Own,
    handler: Handler::Run(create),
    ..Spec::BASE
};

pub static XGROUP_CREATECONSUMER: Spec = Spec {
    name: "createconsumer",
    full_name: "XGROUP|CREATECONSUMER",
    summary: "Create a consumer in a consumer group.",
    since: "6.2.0",
    group: "stream",
    complexity: "O(1)",
    arity: 5,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("groupname", Kind::String),
        Arg::new("consumername", Kind::String),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(create_consumer),
    ..Spec::BASE
};

pub static XGROUP_DELCONSUMER: Spec = Spec {
    name: "delconsumer",
    full_name: "XGROUP|DELCONSUMER",
    summary: "Delete a consumer from a consumer group.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    arity: 5,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("groupname", Kind::String),
        Arg::new("consumername", Kind::String),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(delete_consumer),
    ..Spec::BASE
};

pub static XGROUP_DESTROY: Spec = Spec {
    name: "destroy",
    full_name: "XGROUP|DESTROY",
    summary: "Destroy a consumer group.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("groupname", Kind::String)],
    grammar: Grammar::Own,
    handler: Handler::Run(destroy),
    ..Spec::BASE
};

pub static XGROUP_HELP: Spec = Spec {
    name: "help",
    full_name: "XGROUP|HELP",
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

pub static XGROUP_SETID: Spec = Spec {
    name: "setid",
    full_name: "XGROUP|SETID",
    summary: "Set a consumer group to an arbitrary last delivered ID value.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    arity: -5,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::SLOW]),
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("groupname", Kind::String),
        Arg::new(
            "id",
            Kind::OneOf(&[Arg::new("id", Kind::String), Arg::new("new_id", Kind::Flag).token("$")]),
        ),
        Arg::new("entries_read", Kind::Integer).token("ENTRIESREAD").optional(),
    ],
    history: &[("7.0.0", "Added the optional `entries_read` argument.")],
    grammar: Grammar::Own,
    handler: Handler::Run(set_id),
    ..Spec::BASE
};

pub static XGROUP: Spec = Spec {
    name: "xgroup",
    full_name: "XGROUP",
    summary: "A container for consumer groups commands",
    since: "5.0.0",
    group: "stream",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[
        &XGROUP_CREATE,
        &XGROUP_CREATECONSUMER,
        &XGROUP_DELCONSUMER,
        &XGROUP_DESTROY,
        &XGROUP_HELP,
        &XGROUP_SETID,
    ],
    handler: Handler::Container,
    ..Spec::BASE
};

//! `SCARD`, `SISMEMBER`, `SMISMEMBER`, `SMEMBERS` and `SSCAN`: questions that change nothing.

use super::super::cursor::{self, cursor};
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context};
use super::read;
use crate::resp::{Failure, Reply};
use crate::value::Set;

fn scard(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(read(context, args.word(1))?.map_or(0, Set::len).into())
}

fn sismember(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let there = read(context, args.word(1))?.is_some_and(|set| set.contains(args.word(2)));
    Ok(Reply::Int(i64::from(there)))
}

fn smismember(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let set = read(context, args.word(1))?;
    let there = |member| Reply::Int(i64::from(set.is_some_and(|set| set.contains(member))));
    Ok(Reply::Array(args.request().rest(2).map(there).collect()))
}

fn smembers(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let set = read(context, args.word(1))?;
    Ok(Reply::Set(set.map(|set| set.iter().map(Reply::from).collect()).unwrap_or_default()))
}

fn sscan(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let cursor = cursor(args.word(2))?;
    let Some(set) = read(context, args.word(1))? else { return Ok(cursor::reply(None, Vec::new())) };
    let options = cursor::Options::parse(args, false)?;
    let mut found = Vec::new();
    let next = set.scan(cursor, options.count, |member| {
        if options.matches(member.bytes(&mut itoa::Buffer::new())) {
            found.push(member.into());
        }
    });
    Ok(cursor::reply(next, found))
}

pub static SCARD: Spec = Spec {
    name: "scard",
    full_name: "SCARD",
    summary: "Get the number of members in a set",
    since: "1.0.0",
    group: "set",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::SET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(scard),
    ..Spec::BASE
};

pub static SISMEMBER: Spec = Spec {
    name: "sismember",
    full_name: "SISMEMBER",
    summary: "Determine if a given value is a member of a set",
    since: "1.0.0",
    group: "set",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::SET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("member", Kind::String)],
    handler: Handler::Run(sismember),
    ..Spec::BASE
};

pub static SMISMEMBER: Spec = Spec {
    name: "smismember",
    full_name: "SMISMEMBER",
    summary: "Returns the membership associated with the given elements for a set",
    since: "6.2.0",
    group: "set",
    complexity: "O(N) where N is the number of elements being checked for membership",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::SET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("member", Kind::String).multiple()],
    handler: Handler::Run(smismember),
    ..Spec::BASE
};

pub static SMEMBERS: Spec = Spec {
    name: "smembers",
    full_name: "SMEMBERS",
    summary: "Get all the members in a set",
    since: "1.0.0",
    group: "set",
    complexity: "O(N) where N is the set cardinality.",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0))],
    hints: &["nondeterministic_output_order"],
    handler: Handler::Run(smembers),
    ..Spec::BASE
};

pub static SSCAN: Spec = Spec {
    name: "sscan",
    full_name: "SSCAN",
    summary: "Incrementally iterate Set elements",
    since: "2.8.0",
    group: "set",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
         to return back to 0. N is the number of elements inside the collection..",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("cursor", Kind::Integer),
        Arg::new("pattern", Kind::Pattern).token("MATCH").optional(),
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
    ],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(sscan),
    ..Spec::BASE
};

//! `HTTL`, `HPTTL`, `HEXPIRETIME`, `HPEXPIRETIME` and `HPERSIST`: the deadlines of fields.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context};
use super::{FIELDS, NOT_POSITIVE, change, fields, find, peek, read};
use crate::keyspace::{HashChange, Items};
use crate::resp::{Failure, Reply};

/// What stands for a field that is missing, and for one that never expires.
const NO_FIELD: i64 = -2;
const NO_DEADLINE: i64 = -1;

/// `tell` makes the answer of a deadline and the time.
fn ask(context: &mut Context<'_>, args: &Args<'_>, tell: impl Fn(u64, u64) -> u64) -> Result<Reply, Failure> {
    let now = context.keyspace.now;
    let hash = read(context, args.word(1))?;
    let fields = fields(args, 2, NOT_POSITIVE)?.into_iter();
    let replies = fields.map(|field| match hash.and_then(|hash| hash.alive(field, now)) {
        None => Reply::Int(NO_FIELD),
        Some(pair) => Reply::Int(pair.deadline.map_or(NO_DEADLINE, |deadline| tell(deadline, now) as i64)),
    });
    Ok(Reply::Array(replies.collect()))
}

fn httl(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    ask(context, args, |deadline, now| (deadline - now).div_ceil(1000))
}

fn hpttl(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    ask(context, args, |deadline, now| deadline - now)
}

fn hexpiretime(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    ask(context, args, |deadline, _| deadline.div_ceil(1000))
}

fn hpexpiretime(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    ask(context, args, |deadline, _| deadline)
}

fn hpersist(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let key = args.word(1);
    find(context, key)?;
    let fields = fields(args, 2, NOT_POSITIVE)?;
    let (mut replies, mut changed) = (Vec::with_capacity(fields.len()), Items::new());
    for field in fields {
        replies.push(Reply::Int(match peek(context, key, field) {
            None => NO_FIELD,
            Some(pair) if pair.deadline.is_none() || changed.contains(&field) => NO_DEADLINE,
            Some(_) => {
                changed.push(field);
                1
            }
        }));
    }
    if !changed.is_empty() {
        change(context, key, HashChange::Expire { fields: changed, deadline: None });
    }
    Ok(Reply::Array(replies))
}

pub static HTTL: Spec = Spec {
    name: "httl",
    full_name: "HTTL",
    summary: "Returns the TTL in seconds of a hash field.",
    since: "7.4.0",
    group: "hash",
    complexity: "O(N) where N is the number of specified fields",
    arity: -5,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), FIELDS],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(httl),
    ..Spec::BASE
};

pub static HPTTL: Spec = Spec {
    name: "hpttl",
    full_name: "HPTTL",
    summary: "Returns the TTL in milliseconds of a hash field.",
    since: "7.4.0",
    group: "hash",
    complexity: "O(N) where N is the number of specified fields",
    arity: -5,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), FIELDS],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(hpttl),
    ..Spec::BASE
};

pub static HEXPIRETIME: Spec = Spec {
    name: "hexpiretime",
    full_name: "HEXPIRETIME",
    summary: "Returns the expiration time of a hash field as a Unix timestamp, in seconds.",
    since: "7.4.0",
    group: "hash",
    complexity: "O(N) where N is the number of specified fields",
    arity: -5,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), FIELDS],
    grammar: Grammar::Own,
    handler: Handler::Run(hexpiretime),
    ..Spec::BASE
};

pub static HPEXPIRETIME: Spec = Spec {
    name: "hpexpiretime",
    full_name: "HPEXPIRETIME",
    summary: "Returns the expiration time of a hash field as a Unix timestamp, in msec.",
    since: "7.4.0",
    group: "hash",
    complexity: "O(N) where N is the number of specified fields",
    arity: -5,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), FIELDS],
    grammar: Grammar::Own,
    handler: Handler::Run(hpexpiretime),
    ..Spec::BASE
};

pub static HPERSIST: Spec = Spec {
    name: "hpersist",
    full_name: "HPERSIST",
    summary: "Removes the expiration time for each specified field",
    since: "7.4.0",
    group: "hash",
    complexity: "O(N) where N is the number of specified fields",
    arity: -5,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[Arg::new("key", Kind::Key(0)), FIELDS],
    grammar: Grammar::Own,
    handler: Handler::Run(hpersist),
    ..Spec::BASE
};

//! `TTL` and its variants, and `PERSIST`.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Handler, Spec};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};

pub static TTL: Spec = Spec {
    name: "ttl",
    full_name: "TTL",
    summary: "Get the time to live for a key in seconds",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0))],
    history: &[("2.8.0", "Added the -2 reply.")],
    hints: &["nondeterministic_output"],
    handler: Handler::Run(ttl),
    ..Spec::BASE
};

fn ttl(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let now = context.keyspace.now;
    Ok(time(context, args, |deadline| to_seconds(deadline.saturating_sub(now))))
}

pub static PTTL: Spec = Spec {
    name: "pttl",
    full_name: "PTTL",
    summary: "Get the time to live for a key in milliseconds",
    since: "2.6.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0))],
    history: &[("2.8.0", "Added the -2 reply.")],
    hints: &["nondeterministic_output"],
    handler: Handler::Run(pttl),
    ..Spec::BASE
};

fn pttl(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let now = context.keyspace.now;
    Ok(time(context, args, |deadline| deadline.saturating_sub(now)))
}

pub static EXPIRETIME: Spec = Spec {
    name: "expiretime",
    full_name: "EXPIRETIME",
    summary: "Get the expiration Unix timestamp for a key",
    since: "7.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(expiretime),
    ..Spec::BASE
};

fn expiretime(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(time(context, args, to_seconds))
}

pub static PEXPIRETIME: Spec = Spec {
    name: "pexpiretime",
    full_name: "PEXPIRETIME",
    summary: "Get the expiration Unix timestamp for a key in milliseconds",
    since: "7.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(pexpiretime),
    ..Spec::BASE
};

fn pexpiretime(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(time(context, args, |deadline| deadline))
}

/// To the nearest second, as Redis rounds.
fn to_seconds(milliseconds: u64) -> u64 {
    (milliseconds + 500) / 1000
}

/// What is to be said of the key's deadline; -1 if it has none, -2 if there is no key.
fn time(context: &mut Context<'_>, args: &Args<'_>, say: impl Fn(u64) -> u64) -> Reply {
    let entry = context.keyspace.look(context.client.db, args.word(1));
    Reply::Int(entry.map_or(-2, |entry| entry.deadline().map_or(-1, |deadline| say(deadline) as i64)))
}

pub static PERSIST: Spec = Spec {
    name: "persist",
    full_name: "PERSIST",
    summary: "Remove the expiration from a key",
    since: "2.2.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(persist),
    ..Spec::BASE
};

fn persist(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (db, key) = (context.client.db, args.word(1));
    if context.keyspace.find(db, key).and_then(crate::keyspace::Entry::deadline).is_none() {
        return Ok(Reply::Int(0));
    }
    context.keyspace.change(&Effect::Expire { db, key, deadline: None });
    context.notify(Class::Generic, "persist", key);
    Ok(Reply::Int(1))
}

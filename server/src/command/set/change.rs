//! `SADD`, `SREM` and `SMOVE`: members come and go.

use smallvec::smallvec;

use super::super::spec::{Acl, Arg, Flags, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context};
use super::{find, len};
use crate::config::Class;
use crate::keyspace::{Effect, SetChange};
use crate::resp::{Failure, Reply};

fn sadd(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (db, key) = (context.client.db, args.word(1));
    let mut members = args.request().rest(2);
    let before = match find(context, key)? {
        None => 0,
        Some(set) if members.clone().any(|member| !set.contains(member)) => set.len(),
        Some(_) => return Ok(Reply::Int(0)),
    };
    let change = SetChange::Add { members: members.by_ref().collect() };
    context.keyspace.change(&Effect::Members { db, key, change });
    context.notify(Class::Set, "sadd", key);
    Ok((len(context, key) - before).into())
}

fn srem(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (db, key) = (context.client.db, args.word(1));
    let Some(set) = find(context, key)? else { return Ok(Reply::Int(0)) };
    let before = set.len();
    let members: crate::keyspace::Items<'_> =
        args.request().rest(2).filter(|member| set.contains(member)).collect();
    if members.is_empty() {
        return Ok(Reply::Int(0));
    }
    context.keyspace.change(&Effect::Members { db, key, change: SetChange::Remove { members } });
    context.notify(Class::Set, "srem", key);
    Ok((before - len(context, key)).into())
}

fn smove(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (db, from, to, member) = (context.client.db, args.word(1), args.word(2), args.word(3));
    // Both are looked for first, so that either goes if its time has come.
    context.keyspace.exists(db, from);
    context.keyspace.exists(db, to);
    let Some(source) = find(context, from)? else { return Ok(Reply::Int(0)) };
    let there = source.contains(member);
    let target = find(context, to)?.is_some_and(|target| target.contains(member));
    if there && from != to {
        let change = SetChange::Remove { members: smallvec![member] };
        context.keyspace.change(&Effect::Members { db, key: from, change });
        context.notify(Class::Set, "srem", from);
        if !target {
            let change = SetChange::Add { members: smallvec![member] };
            context.keyspace.change(&Effect::Members { db, key: to, change });
            context.notify(Class::Set, "sadd", to);
        }
    }
    Ok(Reply::Int(i64::from(there)))
}

pub static SADD: Spec = Spec {
    name: "sadd",
    full_name: "SADD",
    summary: "Add one or more members to a set",
    since: "1.0.0",
    group: "set",
    complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
         arguments.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::SET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("member", Kind::String).multiple()],
    history: &[("2.4.0", "Accepts multiple `member` arguments.")],
    handler: Handler::Run(sadd),
    ..Spec::BASE
};

pub static SREM: Spec = Spec {
    name: "srem",
    full_name: "SREM",
    summary: "Remove one or more members from a set",
    since: "1.0.0",
    group: "set",
    complexity: "O(N) where N is the number of members to be removed.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::SET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("member", Kind::String).multiple()],
    history: &[("2.4.0", "Accepts multiple `member` arguments.")],
    handler: Handler::Run(srem),
    ..Spec::BASE
};

pub static SMOVE: Spec = Spec {
    name: "smove",
    full_name: "SMOVE",
    summary: "Move a member from one set to another",
    since: "1.0.0",
    group: "set",
    complexity: "O(1)",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::SET, Acl::FAST]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE])),
        KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT])),
    ],
    args: &[
        Arg::new("source", Kind::Key(0)),
        Arg::new("destination", Kind::Key(1)),
        Arg::new("member", Kind::String),
    ],
    handler: Handler::Run(smove),
    ..Spec::BASE
};

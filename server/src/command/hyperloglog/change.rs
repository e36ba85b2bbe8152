//! `PFADD` and `PFMERGE`.

use std::collections::BTreeMap;

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Grammar, Handler, Spec};
use crate::resp::{Failure, Reply};
use crate::value::hyperloglog;

use super::{find, note, raise, read};

fn pfadd(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let key = args.word(1);
    let before = find(context, key)?;
    let created = before.is_none();
    let (mut raised, mut noted) = (Vec::new(), BTreeMap::new());
    for element in args.request().rest(2) {
        let (index, value) = hyperloglog::place(element);
        let now = match (noted.get(&index), before) {
            (Some(noted), _) => *noted,
            (None, Some(before)) => hyperloglog::get(before, index)?,
            (None, None) => 0,
        };
        if value > now {
            noted.insert(index, value);
            // One by one, in their order: the bytes of a sparse one depend on it.
            note(&mut raised, index, value);
        }
    }
    if raised.is_empty() && !created {
        return Ok(Reply::Int(0));
    }
    raise(context, key, false, false, &raised);
    context.notify(Class::String, "pfadd", key);
    Ok(Reply::Int(1))
}

fn pfmerge(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let target = args.word(1);
    let (mut all, mut dense) = (hyperloglog::registers(), false);
    for key in args.request().rest(1) {
        if let Some(bytes) = read(context, key)? {
            dense |= hyperloglog::is_dense(bytes);
            hyperloglog::merge(bytes, &mut all)?;
        }
    }
    let mut before = hyperloglog::registers();
    if let Some(bytes) = find(context, target)? {
        hyperloglog::merge(bytes, &mut before)?;
    }
    let mut raised = Vec::new();
    for (index, (value, before)) in all.iter().zip(before.iter()).enumerate() {
        if value > before {
            note(&mut raised, index, *value);
        }
    }
    raise(context, target, dense, false, &raised);
    // In Redis' words, too.
    context.notify(Class::String, "pfadd", target);
    Ok(Reply::OK)
}

pub static PFADD: Spec = Spec {
    name: "pfadd",
    full_name: "PFADD",
    summary: "Adds the specified elements to the specified HyperLogLog.",
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "O(1) to add every element.",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HYPERLOGLOG, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("element", Kind::String).optional().multiple()],
    handler: Handler::Run(pfadd),
    ..Spec::BASE
};

pub static PFMERGE: Spec = Spec {
    name: "pfmerge",
    full_name: "PFMERGE",
    summary: "Merge N different HyperLogLogs into a single one.",
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::HYPERLOGLOG, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::INSERT])),
        KeySpec::range(2, -1, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS])),
    ],
    args: &[Arg::new("destkey", Kind::Key(0)), Arg::new("sourcekey", Kind::Key(1)).multiple()],
    grammar: Grammar::Own,
    handler: Handler::Run(pfmerge),
    ..Spec::BASE
};

//! `LPUSH`, `RPUSH`, `LPUSHX`, `RPUSHX` and `LINSERT`: items come.

use super::super::spec::{Acl, Arg, Flags, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Class, Context, errors};
use super::find;
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::End;

fn lpush(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    push(context, args, End::Left, true)
}

fn rpush(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    push(context, args, End::Right, true)
}

fn lpushx(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    push(context, args, End::Left, false)
}

fn rpushx(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    push(context, args, End::Right, false)
}

/// `create`: whether a missing list is made.
fn push(context: &mut Context<'_>, args: &Args<'_>, end: End, create: bool) -> Result<Reply, Failure> {
    let key = args.word(1);
    let before = match find(context, key)? {
        Some(list) => list.len(),
        None if create => 0,
        None => return Ok(Reply::Int(0)),
    };
    let items = args.request().rest(2);
    let length = before + items.len();
    context.keyspace.change(&Effect::ListPush { db: context.client.db, key, end, items: items.collect() });
    context.notify(Class::List, if end == End::Left { "lpush" } else { "rpush" }, key);
    Ok(length.into())
}

fn linsert(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, side, pivot, item) = (args.word(1), args.word(2), args.word(3), args.word(4));
    let after = match side {
        side if side.eq_ignore_ascii_case(b"AFTER") => 1,
        side if side.eq_ignore_ascii_case(b"BEFORE") => 0,
        _ => return Err(errors::SYNTAX),
    };
    let Some(list) = find(context, key)? else { return Ok(Reply::Int(0)) };
    let before = list.len();
    let place = list.iter_from(End::Left).position(|other| other == pivot);
    let Some(place) = place else { return Ok(Reply::Int(-1)) };
    let index = (place + after) as u64;
    context.keyspace.change(&Effect::ListInsert { db: context.client.db, key, index, item });
    context.notify(Class::List, "linsert", key);
    Ok((before + 1).into())
}

pub static LPUSH: Spec = Spec {
    name: "lpush",
    full_name: "LPUSH",
    summary: "Prepend one or multiple elements to a list",
    since: "1.0.0",
    group: "list",
    complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
         arguments.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("element", Kind::String).multiple()],
    history: &[("2.4.0", "Accepts multiple `element` arguments.")],
    handler: Handler::Run(lpush),
    ..Spec::BASE
};

pub static RPUSH: Spec = Spec {
    name: "rpush",
    full_name: "RPUSH",
    summary: "Append one or multiple elements to a list",
    since: "1.0.0",
    group: "list",
    complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
         arguments.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("element", Kind::String).multiple()],
    history: &[("2.4.0", "Accepts multiple `element` arguments.")],
    handler: Handler::Run(rpush),
    ..Spec::BASE
};

pub static LPUSHX: Spec = Spec {
    name: "lpushx",
    full_name: "LPUSHX",
    summary: "Prepend an element to a list, only if the list exists",
    since: "2.2.0",
    group: "list",
    complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
         arguments.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("element", Kind::String).multiple()],
    history: &[("4.0.0", "Accepts multiple `element` arguments.")],
    handler: Handler::Run(lpushx),
    ..Spec::BASE
};

pub static RPUSHX: Spec = Spec {
    name: "rpushx",
    full_name: "RPUSHX",
    summary: "Append an element to a list, only if the list exists",
    since: "2.2.0",
    group: "list",
    complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
         arguments.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("element", Kind::String).multiple()],
    history: &[("4.0.0", "Accepts multiple `element` arguments.")],
    handler: Handler::Run(rpushx),
    ..Spec::BASE
};

pub static LINSERT: Spec = Spec {
    name: "linsert",
    full_name: "LINSERT",
    summary: "Insert an element before or after another element in a list",
    since: "2.2.0",
    group: "list",
    complexity: "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that \
         inserting somewhere on the left end on the list (head) can be considered O(1) and inserting \
         somewhere on the right end (tail) is O(N).",
    arity: 5,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("where", Kind::OneOf(&[Arg::flag("before", "BEFORE"), Arg::flag("after", "AFTER")])),
        Arg::new("pivot", Kind::String),
        Arg::new("element", Kind::String),
    ],
    handler: Handler::Run(linsert),
    ..Spec::BASE
};

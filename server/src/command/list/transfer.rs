//! `LMOVE`, `RPOPLPUSH`, `BLMOVE` and `BRPOPLPUSH`: an item goes from one list to another.

use smallvec::smallvec;

use super::super::spec::{Acl, Arg, Flags, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Class, Context, Verdict};
use super::{deadline, end, find, pop};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::End;

fn lmove(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (from, to) = (end(args.word(3))?, end(args.word(4))?);
    Ok(transfer(context, args, from, to)?.unwrap_or(Reply::Null))
}

fn rpoplpush(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(transfer(context, args, End::Right, End::Left)?.unwrap_or(Reply::Null))
}

fn blmove(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    let (from, to) = (end(args.word(3))?, end(args.word(4))?);
    wait(context, args, from, to, 5)
}

fn brpoplpush(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    wait(context, args, End::Right, End::Left, 3)
}

fn wait(
    context: &mut Context<'_>,
    args: &Args<'_>,
    from: End,
    to: End,
    timeout: usize,
) -> Result<Verdict, Failure> {
    let deadline = deadline(args.word(timeout), context.keyspace.now)?;
    if let Some(reply) = transfer(context, args, from, to)? {
        return Ok(Verdict::Reply(reply));
    }
    if !context.may_block {
        return Ok(Verdict::Reply(Reply::Null));
    }
    Ok(Verdict::Block { keys: vec![args.word(1).to_vec()], deadline, timeout: Reply::NullArray })
}

/// The item that was moved, unless the source is missing.
fn transfer(
    context: &mut Context<'_>,
    args: &Args<'_>,
    from: End,
    to: End,
) -> Result<Option<Reply>, Failure> {
    let (source, target, db) = (args.word(1), args.word(2), context.client.db);
    let Some(list) = find(context, source)? else { return Ok(None) };
    let Some(item) = pop::first(list, from).map(bytes::Bytes::copy_from_slice) else { return Ok(None) };
    find(context, target)?;
    // In this order a list of one item that is rotated is never empty, so it keeps its deadline.
    let items = smallvec![&*item];
    context.keyspace.change(&Effect::ListPush { db, key: target, end: to, items });
    context.keyspace.change(&Effect::ListPop { db, key: source, end: from, count: 1 });
    context.notify(Class::List, if to == End::Left { "lpush" } else { "rpush" }, target);
    context.notify(Class::List, if from == End::Left { "lpop" } else { "rpop" }, source);
    Ok(Some(Reply::Bulk(item)))
}

pub static LMOVE: Spec = Spec {
    name: "lmove",
    full_name: "LMOVE",
    summary: "Pop an element from a list, push it to another list and return it",
    since: "6.2.0",
    group: "list",
    complexity: "O(1)",
    arity: 5,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE])),
        KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT])),
    ],
    args: &[
        Arg::new("source", Kind::Key(0)),
        Arg::new("destination", Kind::Key(1)),
        Arg::new("wherefrom", Kind::OneOf(&[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")])),
        Arg::new("whereto", Kind::OneOf(&[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")])),
    ],
    handler: Handler::Run(lmove),
    ..Spec::BASE
};

pub static RPOPLPUSH: Spec = Spec {
    name: "rpoplpush",
    full_name: "RPOPLPUSH",
    summary: "Remove the last element in a list, prepend it to another list and return it",
    since: "1.2.0",
    group: "list",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE])),
        KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT])),
    ],
    args: &[Arg::new("source", Kind::Key(0)), Arg::new("destination", Kind::Key(1))],
    deprecated: Some(("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")),
    handler: Handler::Run(rpoplpush),
    ..Spec::BASE
};

pub static BLMOVE: Spec = Spec {
    name: "blmove",
    full_name: "BLMOVE",
    summary: "Pop an element from a list, push it to another list and return it; or block until one is \
         available",
    since: "6.2.0",
    group: "list",
    complexity: "O(1)",
    arity: 6,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::BLOCKING]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::SLOW, Acl::BLOCKING]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE])),
        KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT])),
    ],
    args: &[
        Arg::new("source", Kind::Key(0)),
        Arg::new("destination", Kind::Key(1)),
        Arg::new("wherefrom", Kind::OneOf(&[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")])),
        Arg::new("whereto", Kind::OneOf(&[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")])),
        Arg::new("timeout", Kind::Double),
    ],
    handler: Handler::Try(blmove),
    ..Spec::BASE
};

pub static BRPOPLPUSH: Spec = Spec {
    name: "brpoplpush",
    full_name: "BRPOPLPUSH",
    summary: "Pop an element from a list, push it to another list and return it; or block until one is \
         available",
    since: "2.2.0",
    group: "list",
    complexity: "O(1)",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::BLOCKING]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::SLOW, Acl::BLOCKING]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE])),
        KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::INSERT])),
    ],
    args: &[
        Arg::new("source", Kind::Key(0)),
        Arg::new("destination", Kind::Key(1)),
        Arg::new("timeout", Kind::Double),
    ],
    history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
    deprecated: Some(("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")),
    handler: Handler::Try(brpoplpush),
    ..Spec::BASE
};

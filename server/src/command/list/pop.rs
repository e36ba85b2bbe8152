//! `LPOP` and `RPOP`, and what every command that pops has in common.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Class, Context, errors};
use super::{at_least, find};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::{End, List};

fn lpop(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    pop(context, args, End::Left, "lpop")
}

fn rpop(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    pop(context, args, End::Right, "rpop")
}

fn pop(context: &mut Context<'_>, args: &Args<'_>, end: End, name: &str) -> Result<Reply, Failure> {
    let key = args.word(1);
    let count = match args.len() {
        2 => None,
        3 => Some(at_least(args.word(2), 0, errors::OUT_OF_RANGE)?),
        _ => {
            return Err(Failure::text(format!("ERR wrong number of arguments for '{name}' command")));
        }
    };
    let Some(list) = find(context, key)? else {
        return Ok(if count.is_some() { Reply::NullArray } else { Reply::Null });
    };
    match count {
        None => {
            let item = first(list, end).map_or(Reply::Null, Reply::bulk);
            remove(context, key, end, 1);
            Ok(item)
        }
        Some(count) => {
            let items = up_to(list, end, count);
            remove(context, key, end, items.len());
            Ok(Reply::Array(items))
        }
    }
}

/// The item at an end.
pub(super) fn first(list: &List, end: End) -> Option<&[u8]> {
    list.get(if end == End::Left { 0 } else { list.len().checked_sub(1)? })
}

/// At most `count` items from an end, in the order in which they would be popped.
pub(super) fn up_to(list: &List, end: End, count: u64) -> Vec<Reply> {
    let count = list.len().min(usize::try_from(count).unwrap_or(usize::MAX));
    let start = if end == End::Left { 0 } else { list.len() - count };
    let mut items: Vec<Reply> = list.range(start, count).map(Reply::Bulk).collect();
    if end == End::Right {
        items.reverse();
    }
    items
}

/// Let `count` items go from an end.
pub(super) fn remove(context: &mut Context<'_>, key: &[u8], end: End, count: usize) {
    if count > 0 {
        let count = count as u64;
        context.keyspace.change(&Effect::ListPop { db: context.client.db, key, end, count });
        context.notify(Class::List, if end == End::Left { "lpop" } else { "rpop" }, key);
    }
}

pub static LPOP: Spec = Spec {
    name: "lpop",
    full_name: "LPOP",
    summary: "Remove and get the first elements in a list",
    since: "1.0.0",
    group: "list",
    complexity: "O(N) where N is the number of elements returned",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("count", Kind::Integer).optional().since("6.2.0")],
    history: &[("6.2.0", "Added the `count` argument.")],
    grammar: Grammar::Own,
    handler: Handler::Run(lpop),
    ..Spec::BASE
};

pub static RPOP: Spec = Spec {
    name: "rpop",
    full_name: "RPOP",
    summary: "Remove and get the last elements in a list",
    since: "1.0.0",
    group: "list",
    complexity: "O(N) where N is the number of elements returned",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::LIST, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("count", Kind::Integer).optional().since("6.2.0")],
    history: &[("6.2.0", "Added the `count` argument.")],
    grammar: Grammar::Own,
    handler: Handler::Run(rpop),
    ..Spec::BASE
};

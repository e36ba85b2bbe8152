//! `ZREM` and its likes for ranges.

use std::collections::HashSet;
use std::ops::Range;

use super::super::list::span;
use super::super::spec::{Acl, Arg, Flags, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{cut, find, members, scores};
use crate::config::Class;
use crate::keyspace::{Effect, Items, SortedSetChange};
use crate::resp::{Failure, Reply};
use crate::value::{SortedSet, number};

fn zrem(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let key = args.word(1);
    let Some(set) = find(context, key)? else { return Ok(Reply::Int(0)) };
    let mut seen = HashSet::new();
    let mut members = Items::new();
    for member in args.request().rest(2) {
        if set.score(member).is_some() && (args.len() == 3 || seen.insert(member)) {
            members.push(member);
        }
    }
    let count = members.len();
    if count > 0 {
        let change = SortedSetChange::Remove { members };
        context.keyspace.change(&Effect::SortedSet { db: context.client.db, key, change });
        context.notify(Class::SortedSet, "zrem", key);
    }
    Ok(count.into())
}

fn zremrangebyrank(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (start, stop) = (number::integer(args.word(2)), number::integer(args.word(3)));
    let (start, stop) = (start.ok_or(errors::NOT_INTEGER)?, stop.ok_or(errors::NOT_INTEGER)?);
    remove(context, args.word(1), "zremrangebyrank", |set| {
        let (start, count) = span(start, stop, set.len());
        start..start + count
    })
}

fn zremrangebyscore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let range = scores(args.word(2), args.word(3))?;
    remove(context, args.word(1), "zremrangebyscore", |set| range.ranks(set))
}

fn zremrangebylex(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let range = members(args.word(2), args.word(3))?;
    remove(context, args.word(1), "zremrangebylex", |set| range.ranks(set))
}

fn remove(
    context: &mut Context<'_>,
    key: &[u8],
    event: &'static str,
    ranks: impl FnOnce(&SortedSet) -> Range<usize>,
) -> Result<Reply, Failure> {
    let ranks = find(context, key)?.map_or(0..0, ranks);
    cut(context, key, ranks.start, ranks.len(), event);
    Ok(ranks.len().into())
}

pub static ZREM: Spec = Spec {
    name: "zrem",
    full_name: "ZREM",
    summary: "Remove one or more members from a sorted set",
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to \
         be removed.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("member", Kind::String).multiple()],
    history: &[("2.4.0", "Accepts multiple elements.")],
    handler: Handler::Run(zrem),
    ..Spec::BASE
};

pub static ZREMRANGEBYRANK: Spec = Spec {
    name: "zremrangebyrank",
    full_name: "ZREMRANGEBYRANK",
    summary: "Remove all members in a sorted set within the given indexes",
    since: "2.0.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
         removed by the operation.",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("start", Kind::Integer), Arg::new("stop", Kind::Integer)],
    handler: Handler::Run(zremrangebyrank),
    ..Spec::BASE
};

pub static ZREMRANGEBYSCORE: Spec = Spec {
    name: "zremrangebyscore",
    full_name: "ZREMRANGEBYSCORE",
    summary: "Remove all members in a sorted set within the given scores",
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
         removed by the operation.",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("min", Kind::Double), Arg::new("max", Kind::Double)],
    handler: Handler::Run(zremrangebyscore),
    ..Spec::BASE
};

pub static ZREMRANGEBYLEX: Spec = Spec {
    name: "zremrangebylex",
    full_name: "ZREMRANGEBYLEX",
    summary: "Remove all members in a sorted set between the given lexicographical range",
    since: "2.8.9",
    group: "sorted-set",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
         removed by the operation.",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("min", Kind::String), Arg::new("max", Kind::String)],
    handler: Handler::Run(zremrangebylex),
    ..Spec::BASE
};

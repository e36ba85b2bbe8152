//! `ZPOPMIN` and `ZPOPMAX`, and `BZPOPMIN` and `BZPOPMAX`, which wait.

use super::super::list::{at_least, deadline, wait};
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, Verdict, errors};
use super::{cut, find, item, items};
use crate::resp::{Failure, Reply};
use crate::value::SortedSet;

fn zpopmin(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    pop(context, args, false)
}

fn zpopmax(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    pop(context, args, true)
}

fn pop(context: &mut Context<'_>, args: &Args<'_>, highest: bool) -> Result<Reply, Failure> {
    let count = match args.len() {
        2 => None,
        3 => Some(at_least(args.word(2), 0, errors::OUT_OF_RANGE)?),
        _ => return Err(errors::SYNTAX),
    };
    let (key, protocol) = (args.word(1), context.client.protocol);
    let Some(set) = find(context, key)? else { return Ok(Reply::Array(Vec::new())) };
    let ranks = ends(set, highest, count.unwrap_or(1));
    let popped = set.range(ranks.start, ranks.end, highest);
    let reply = match count {
        None => Reply::Array(popped.flat_map(|(member, score)| item(member, Some(score))).collect()),
        Some(_) => items(protocol, popped, true),
    };
    cut(context, key, ranks.start, ranks.len(), event(highest));
    Ok(reply)
}

/// What is told of a pop.
pub(super) fn event(highest: bool) -> &'static str {
    if highest { "zpopmax" } else { "zpopmin" }
}

/// The ranks of at most `count` members with the lowest or highest scores.
pub(super) fn ends(set: &SortedSet, highest: bool, count: u64) -> std::ops::Range<usize> {
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(set.len());
    if highest { set.len() - count..set.len() } else { 0..count }
}

fn bzpopmin(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    pop_or_wait(context, args, false)
}

fn bzpopmax(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    pop_or_wait(context, args, true)
}

fn pop_or_wait(context: &mut Context<'_>, args: &Args<'_>, highest: bool) -> Result<Verdict, Failure> {
    let timeout = args.len() - 1;
    let deadline = deadline(args.word(timeout), context.keyspace.now)?;
    let keys = args.request().rest(1).take(timeout - 1);
    let ready = context.ready;
    for key in keys.clone().filter(|key| ready.is_none_or(|ready| ready == *key)) {
        let Some(set) = find(context, key)? else { continue };
        let ranks = ends(set, highest, 1);
        let popped = set.range(ranks.start, ranks.end, highest);
        let mut reply = vec![Reply::bulk(key)];
        reply.extend(popped.flat_map(|(member, score)| item(member, Some(score))));
        cut(context, key, ranks.start, ranks.len(), event(highest));
        return Ok(Verdict::Reply(Reply::Array(reply)));
    }
    Ok(wait(context, keys, deadline))
}

pub static ZPOPMIN: Spec = Spec {
    name: "zpopmin",
    full_name: "ZPOPMIN",
    summary: "Remove and return members with the lowest scores in a sorted set",
    since: "5.0.0",
    group: "sorted-set",
    complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of \
         elements popped.",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("count", Kind::Integer).optional()],
    grammar: Grammar::Own,
    handler: Handler::Run(zpopmin),
    ..Spec::BASE
};

pub static ZPOPMAX: Spec = Spec {
    name: "zpopmax",
    full_name: "ZPOPMAX",
    summary: "Remove and return members with the highest scores in a sorted set",
    since: "5.0.0",
    group: "sorted-set",
    complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of \
         elements popped.",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("count", Kind::Integer).optional()],
    grammar: Grammar::Own,
    handler: Handler::Run(zpopmax),
    ..Spec::BASE
};

pub static BZPOPMIN: Spec = Spec {
    name: "bzpopmin",
    full_name: "BZPOPMIN",
    summary: "Remove and return the member with the lowest score from one or more sorted sets, or block until \
         one is available",
    since: "5.0.0",
    group: "sorted-set",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::BLOCKING, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::FAST, Acl::BLOCKING]),
    keys: &[KeySpec::range(1, -2, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple(), Arg::new("timeout", Kind::Double)],
    history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
    grammar: Grammar::Own,
    handler: Handler::Try(bzpopmin),
    ..Spec::BASE
};

pub static BZPOPMAX: Spec = Spec {
    name: "bzpopmax",
    full_name: "BZPOPMAX",
    summary: "Remove and return the member with the highest score from one or more sorted sets, or block until \
         one is available",
    since: "5.0.0",
    group: "sorted-set",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::BLOCKING, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::FAST, Acl::BLOCKING]),
    keys: &[KeySpec::range(1, -2, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple(), Arg::new("timeout", Kind::Double)],
    history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
    grammar: Grammar::Own,
    handler: Handler::Try(bzpopmax),
    ..Spec::BASE
};

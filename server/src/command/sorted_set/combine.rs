//! `ZUNION`, `ZINTER`, `ZDIFF` and `ZINTERCARD`.

use super::super::spec::{Acl, Arg, Begin, Find, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context};
use super::items;
use super::sources::{Combination, Operation, Purpose};
use crate::resp::{Failure, Reply};

fn zunion(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    answer(context, args, Operation::Union)
}

fn zinter(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    answer(context, args, Operation::Inter)
}

fn zdiff(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    answer(context, args, Operation::Diff)
}

fn answer(context: &mut Context<'_>, args: &Args<'_>, operation: Operation) -> Result<Reply, Failure> {
    let combination = Combination::parse(context, args, 1, operation, Purpose::Answer)?;
    let result = combination.result(context);
    Ok(items(context.client.protocol, result.iter(), combination.scores))
}

fn zintercard(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let combination = Combination::parse(context, args, 1, Operation::Inter, Purpose::Count)?;
    Ok(combination.count(context).into())
}

pub static ZUNION: Spec = Spec {
    name: "zunion",
    full_name: "ZUNION",
    summary: "Add multiple sorted sets",
    since: "6.2.0",
    group: "sorted-set",
    complexity: "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the \
         number of elements in the resulting sorted set.",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
        begin: Begin::Index(1),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: None,
    }],
    args: &[
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).multiple(),
        Arg::new("weight", Kind::Integer).token("WEIGHTS").optional().multiple(),
        Arg::new(
            "aggregate",
            Kind::OneOf(&[Arg::flag("sum", "SUM"), Arg::flag("min", "MIN"), Arg::flag("max", "MAX")]),
        )
        .token("AGGREGATE")
        .optional(),
        Arg::flag("withscores", "WITHSCORES").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(zunion),
    ..Spec::BASE
};

pub static ZINTER: Spec = Spec {
    name: "zinter",
    full_name: "ZINTER",
    summary: "Intersect multiple sorted sets",
    since: "6.2.0",
    group: "sorted-set",
    complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of \
         input sorted sets and M being the number of elements in the resulting sorted set.",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
        begin: Begin::Index(1),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: None,
    }],
    args: &[
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).multiple(),
        Arg::new("weight", Kind::Integer).token("WEIGHTS").optional().multiple(),
        Arg::new(
            "aggregate",
            Kind::OneOf(&[Arg::flag("sum", "SUM"), Arg::flag("min", "MIN"), Arg::flag("max", "MAX")]),
        )
        .token("AGGREGATE")
        .optional(),
        Arg::flag("withscores", "WITHSCORES").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(zinter),
    ..Spec::BASE
};

pub static ZDIFF: Spec = Spec {
    name: "zdiff",
    full_name: "ZDIFF",
    summary: "Subtract multiple sorted sets",
    since: "6.2.0",
    group: "sorted-set",
    complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the \
         size of the first set, and K is the size of the result set.",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
        begin: Begin::Index(1),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: None,
    }],
    args: &[
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).multiple(),
        Arg::flag("withscores", "WITHSCORES").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(zdiff),
    ..Spec::BASE
};

pub static ZINTERCARD: Spec = Spec {
    name: "zintercard",
    full_name: "ZINTERCARD",
    summary: "Intersect multiple sorted sets and return the cardinality of the result",
    since: "7.0.0",
    group: "sorted-set",
    complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted \
         sets.",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
        begin: Begin::Index(1),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: None,
    }],
    args: &[
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).multiple(),
        Arg::new("limit", Kind::Integer).token("LIMIT").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(zintercard),
    ..Spec::BASE
};

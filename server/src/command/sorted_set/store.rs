//! `ZUNIONSTORE`, `ZINTERSTORE` and `ZDIFFSTORE`.

use super::super::spec::{Acl, Arg, Begin, Find, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context};
use super::put;
use super::sources::{Combination, Operation, Purpose};
use crate::resp::{Failure, Reply};

fn zunionstore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    store(context, args, Operation::Union)
}

fn zinterstore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    store(context, args, Operation::Inter)
}

fn zdiffstore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    store(context, args, Operation::Diff)
}

fn store(context: &mut Context<'_>, args: &Args<'_>, operation: Operation) -> Result<Reply, Failure> {
    let combination = Combination::parse(context, args, 2, operation, Purpose::Store)?;
    let result = combination.result(context);
    let event = match operation {
        Operation::Union => "zunionstore",
        Operation::Inter => "zinterstore",
        Operation::Diff => "zdiffstore",
    };
    Ok(put(context, args.word(1), result, event))
}

pub static ZUNIONSTORE: Spec = Spec {
    name: "zunionstore",
    full_name: "ZUNIONSTORE",
    summary: "Add multiple sorted sets and store the resulting sorted set in a new key",
    since: "2.0.0",
    group: "sorted-set",
    complexity: "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the \
         number of elements in the resulting sorted set.",
    arity: -4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE])),
        KeySpec {
            flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
            begin: Begin::Index(2),
            find: Find::Count { index: 0, first: 1, step: 1 },
            notes: None,
        },
    ],
    args: &[
        Arg::new("destination", Kind::Key(0)),
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(1)).multiple(),
        Arg::new("weight", Kind::Integer).token("WEIGHTS").optional().multiple(),
        Arg::new(
            "aggregate",
            Kind::OneOf(&[Arg::flag("sum", "SUM"), Arg::flag("min", "MIN"), Arg::flag("max", "MAX")]),
        )
        .token("AGGREGATE")
        .optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(zunionstore),
    ..Spec::BASE
};

pub static ZINTERSTORE: Spec = Spec {
    name: "zinterstore",
    full_name: "ZINTERSTORE",
    summary: "Intersect multiple sorted sets and store the resulting sorted set in a new key",
    since: "2.0.0",
    group: "sorted-set",
    complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of \
         input sorted sets and M being the number of elements in the resulting sorted set.",
    arity: -4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE])),
        KeySpec {
            flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
            begin: Begin::Index(2),
            find: Find::Count { index: 0, first: 1, step: 1 },
            notes: None,
        },
    ],
    args: &[
        Arg::new("destination", Kind::Key(0)),
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(1)).multiple(),
        Arg::new("weight", Kind::Integer).token("WEIGHTS").optional().multiple(),
        Arg::new(
            "aggregate",
            Kind::OneOf(&[Arg::flag("sum", "SUM"), Arg::flag("min", "MIN"), Arg::flag("max", "MAX")]),
        )
        .token("AGGREGATE")
        .optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(zinterstore),
    ..Spec::BASE
};

pub static ZDIFFSTORE: Spec = Spec {
    name: "zdiffstore",
    full_name: "ZDIFFSTORE",
    summary: "Subtract multiple sorted sets and store the resulting sorted set in a new key",
    since: "6.2.0",
    group: "sorted-set",
    complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the \
         size of the first set, and K is the size of the result set.",
    arity: -4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE])),
        KeySpec {
            flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
            begin: Begin::Index(2),
            find: Find::Count { index: 0, first: 1, step: 1 },
            notes: None,
        },
    ],
    args: &[
        Arg::new("destination", Kind::Key(0)),
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(1)).multiple(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(zdiffstore),
    ..Spec::BASE
};

//! The older commands for ranges: what `ZRANGE` does with its options, each by a name of its own.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context};
use super::range::{By, Query};
use crate::resp::{Failure, Reply};

fn range(context: &mut Context<'_>, args: &Args<'_>, by: By, reverse: bool) -> Result<Reply, Failure> {
    Query::parse(args, 2, Some(by), Some(reverse), false)?.answer(context, args.word(1))
}

fn zrevrange(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    range(context, args, By::Rank, true)
}

fn zrangebyscore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    range(context, args, By::Score, false)
}

fn zrevrangebyscore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    range(context, args, By::Score, true)
}

fn zrangebylex(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    range(context, args, By::Lex, false)
}

fn zrevrangebylex(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    range(context, args, By::Lex, true)
}

pub static ZREVRANGE: Spec = Spec {
    name: "zrevrange",
    full_name: "ZREVRANGE",
    summary: "Return a range of members in a sorted set, by index, with scores ordered from high to low",
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
         returned.",
    arity: -4,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("start", Kind::Integer),
        Arg::new("stop", Kind::Integer),
        Arg::flag("withscores", "WITHSCORES").optional(),
    ],
    deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` argument")),
    grammar: Grammar::Own,
    handler: Handler::Run(zrevrange),
    ..Spec::BASE
};

pub static ZRANGEBYSCORE: Spec = Spec {
    name: "zrangebyscore",
    full_name: "ZRANGEBYSCORE",
    summary: "Return a range of members in a sorted set, by score",
    since: "1.0.5",
    group: "sorted-set",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
         being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you \
         can consider it O(log(N)).",
    arity: -4,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("min", Kind::Double),
        Arg::new("max", Kind::Double),
        Arg::flag("withscores", "WITHSCORES").optional().since("2.0.0"),
        Arg::new(
            "offset_count",
            Kind::Block(&[Arg::new("offset", Kind::Integer), Arg::new("count", Kind::Integer)]),
        )
        .token("LIMIT")
        .optional(),
    ],
    history: &[("2.0.0", "Added the `WITHSCORES` modifier.")],
    deprecated: Some(("6.2.0", "`ZRANGE` with the `BYSCORE` argument")),
    grammar: Grammar::Own,
    handler: Handler::Run(zrangebyscore),
    ..Spec::BASE
};

pub static ZREVRANGEBYSCORE: Spec = Spec {
    name: "zrevrangebyscore",
    full_name: "ZREVRANGEBYSCORE",
    summary: "Return a range of members in a sorted set, by score, with scores ordered from high to low",
    since: "2.2.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
         being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you \
         can consider it O(log(N)).",
    arity: -4,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("max", Kind::Double),
        Arg::new("min", Kind::Double),
        Arg::flag("withscores", "WITHSCORES").optional(),
        Arg::new(
            "offset_count",
            Kind::Block(&[Arg::new("offset", Kind::Integer), Arg::new("count", Kind::Integer)]),
        )
        .token("LIMIT")
        .optional(),
    ],
    history: &[("2.1.6", "`min` and `max` can be exclusive.")],
    deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")),
    grammar: Grammar::Own,
    handler: Handler::Run(zrevrangebyscore),
    ..Spec::BASE
};

pub static ZRANGEBYLEX: Spec = Spec {
    name: "zrangebylex",
    full_name: "ZRANGEBYLEX",
    summary: "Return a range of members in a sorted set, by lexicographical range",
    since: "2.8.9",
    group: "sorted-set",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
         being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you \
         can consider it O(log(N)).",
    arity: -4,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("min", Kind::String),
        Arg::new("max", Kind::String),
        Arg::new(
            "offset_count",
            Kind::Block(&[Arg::new("offset", Kind::Integer), Arg::new("count", Kind::Integer)]),
        )
        .token("LIMIT")
        .optional(),
    ],
    deprecated: Some(("6.2.0", "`ZRANGE` with the `BYLEX` argument")),
    grammar: Grammar::Own,
    handler: Handler::Run(zrangebylex),
    ..Spec::BASE
};

pub static ZREVRANGEBYLEX: Spec = Spec {
    name: "zrevrangebylex",
    full_name: "ZREVRANGEBYLEX",
    summary: "Return a range of members in a sorted set, by lexicographical range, ordered from higher to lower \
         strings.",
    since: "2.8.9",
    group: "sorted-set",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
         being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you \
         can consider it O(log(N)).",
    arity: -4,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("max", Kind::String),
        Arg::new("min", Kind::String),
        Arg::new(
            "offset_count",
            Kind::Block(&[Arg::new("offset", Kind::Integer), Arg::new("count", Kind::Integer)]),
        )
        .token("LIMIT")
        .optional(),
    ],
    deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")),
    grammar: Grammar::Own,
    handler: Handler::Run(zrevrangebylex),
    ..Spec::BASE
};

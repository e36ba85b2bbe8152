//! `ZCOUNT` and `ZLEXCOUNT`.

use super::super::spec::{Acl, Arg, Flags, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context};
use super::{members, read, scores};
use crate::resp::{Failure, Reply};

fn zcount(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let range = scores(args.word(2), args.word(3))?;
    Ok(read(context, args.word(1))?.map_or(0, |set| range.ranks(set).len()).into())
}

fn zlexcount(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let range = members(args.word(2), args.word(3))?;
    Ok(read(context, args.word(1))?.map_or(0, |set| range.ranks(set).len()).into())
}

pub static ZCOUNT: Spec = Spec {
    name: "zcount",
    full_name: "ZCOUNT",
    summary: "Count the members in a sorted set with scores within the given values",
    since: "2.0.0",
    group: "sorted-set",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    arity: 4,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("min", Kind::Double), Arg::new("max", Kind::Double)],
    handler: Handler::Run(zcount),
    ..Spec::BASE
};

pub static ZLEXCOUNT: Spec = Spec {
    name: "zlexcount",
    full_name: "ZLEXCOUNT",
    summary: "Count the number of members in a sorted set between a given lexicographical range",
    since: "2.8.9",
    group: "sorted-set",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    arity: 4,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("min", Kind::String), Arg::new("max", Kind::String)],
    handler: Handler::Run(zlexcount),
    ..Spec::BASE
};

//! `ZRANDMEMBER` and `ZSCAN`.

use super::super::cursor::{self, cursor};
use super::super::dice::{Count, Dice};
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{items, read};
use crate::resp::{Failure, Reply};
use crate::value::{SortedSet, number};

fn zrandmember(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    const RANGE: Failure = Failure::new("ERR value is out of range");
    let key = args.word(1);
    if args.len() == 2 {
        let Some(set) = read(context, key)? else { return Ok(Reply::Null) };
        let chosen = rank(&mut Dice::new(), set).and_then(|rank| at(set, rank));
        return Ok(chosen.map_or(Reply::Null, |(member, _)| Reply::bulk(member)));
    }
    let count = Count::parse(args.word(2))?;
    let scores = match args.len() {
        3 => false,
        4 if args.word(3).eq_ignore_ascii_case(b"WITHSCORES") => true,
        _ => return Err(errors::SYNTAX),
    };
    // Twice as many words must be countable too.
    if scores && number::integer(args.word(2)).is_some_and(|count| count.unsigned_abs() > i64::MAX as u64 / 2)
    {
        return Err(RANGE);
    }
    let protocol = context.client.protocol;
    let Some(set) = read(context, key)? else { return Ok(Reply::Array(Vec::new())) };
    let mut dice = Dice::new();
    let ranks: Vec<usize> = match count {
        Count::Distinct(count) if count >= set.len() => (0..set.len()).rev().collect(),
        Count::Distinct(count) => dice.distinct(count, set.len(), 0..set.len(), |dice| rank(dice, set)),
        Count::Repeated(count) => (0..count).filter_map(|_| rank(&mut dice, set)).collect(),
    };
    Ok(items(protocol, ranks.into_iter().filter_map(|rank| at(set, rank)), scores))
}

/// Any rank.
fn rank(dice: &mut Dice, set: &SortedSet) -> Option<usize> {
    dice.throw().checked_rem(set.len() as u64).map(|rank| rank as usize)
}

fn at(set: &SortedSet, rank: usize) -> Option<(&[u8], f64)> {
    set.range(rank, rank + 1, false).next()
}

fn zscan(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let from = cursor(args.word(2))?;
    let Some(set) = read(context, args.word(1))? else { return Ok(cursor::reply(None, Vec::new())) };
    let options = cursor::Options::parse(args, false)?;
    let mut found = Vec::new();
    let next = set.scan(from, options.count, |member, score| {
        if options.matches(member) {
            found.push(Reply::bulk(member));
            found.push(Reply::text(crate::resp::double(score)));
        }
    });
    Ok(cursor::reply(next, found))
}

pub static ZRANDMEMBER: Spec = Spec {
    name: "zrandmember",
    full_name: "ZRANDMEMBER",
    summary: "Get one or multiple random elements from a sorted set",
    since: "6.2.0",
    group: "sorted-set",
    complexity: "O(N) where N is the number of elements returned",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new(
            "options",
            Kind::Block(&[
                Arg::new("count", Kind::Integer),
                Arg::flag("withscores", "WITHSCORES").optional(),
            ]),
        )
        .optional(),
    ],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(zrandmember),
    ..Spec::BASE
};

pub static ZSCAN: Spec = Spec {
    name: "zscan",
    full_name: "ZSCAN",
    summary: "Incrementally iterate sorted sets elements and associated scores",
    since: "2.8.0",
    group: "sorted-set",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
         to return back to 0. N is the number of elements inside the collection..",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("cursor", Kind::Integer),
        Arg::new("pattern", Kind::Pattern).token("MATCH").optional(),
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
    ],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(zscan),
    ..Spec::BASE
};

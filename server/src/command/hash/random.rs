//! `HRANDFIELD` and `HSCAN`.

use super::super::cursor::{self, cursor};
use super::super::dice::{Count, Dice};
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::read;
use crate::resp::{Failure, Protocol, Reply};
use crate::value::{Hash, Pair};

fn hrandfield(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (now, nested) = (context.keyspace.now, context.client.protocol == Protocol::Resp3);
    let count = args.request().get(2).map(Count::parse).transpose()?;
    let values = match args.len() {
        2 | 3 => false,
        4 if args.word(3).eq_ignore_ascii_case(b"WITHVALUES") => true,
        _ => return Err(errors::SYNTAX),
    };
    if values && count.is_some_and(Count::is_beyond_pairs) {
        return Err(errors::RANGE);
    }
    let hash = read(context, args.word(1))?;
    let Some(count) = count else {
        let chosen = hash.and_then(|hash| choose(hash, Count::Repeated(1), now).first().copied());
        return Ok(chosen.map_or(Reply::Null, |pair| Reply::bulk(pair.field)));
    };
    let chosen = hash.map(|hash| choose(hash, count, now)).unwrap_or_default();
    let mut replies = Vec::with_capacity(chosen.len() * (1 + usize::from(values)));
    for pair in chosen {
        match (values, nested) {
            (false, _) => replies.push(Reply::bulk(pair.field)),
            (true, false) => replies.extend([Reply::bulk(pair.field), Reply::bulk(pair.value)]),
            (true, true) => {
                replies.push(Reply::Array(vec![Reply::bulk(pair.field), Reply::bulk(pair.value)]));
            }
        }
    }
    Ok(Reply::Array(replies))
}

fn choose(hash: &Hash, count: Count, now: u64) -> Vec<Pair<'_>> {
    let mut dice = Dice::new();
    let len = hash.alive_len(now);
    let alive = || hash.iter().filter(|pair| pair.alive(now));
    if len == 0 {
        return Vec::new();
    }
    match count {
        Count::Distinct(count) if count >= len => alive().collect(),
        // Fields whose time has come may be many: no throwing until one is met that is alive.
        _ if len < hash.len() => {
            let alive: Vec<Pair<'_>> = alive().collect();
            match count {
                Count::Distinct(count) => dice.distinct(count, len, alive.into_iter(), |_| None),
                Count::Repeated(count) => (0..count).map(|_| alive[dice.below(len)]).collect(),
            }
        }
        Count::Distinct(count) => dice.distinct(count, len, alive(), |dice| hash.sample(|| dice.throw())),
        Count::Repeated(count) => (0..count).filter_map(|_| hash.sample(|| dice.throw())).collect(),
    }
}

fn hscan(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (cursor, now) = (cursor(args.word(2))?, context.keyspace.now);
    let Some(hash) = read(context, args.word(1))? else { return Ok(cursor::reply(None, Vec::new())) };
    let options = cursor::Options::parse(args, true)?;
    let mut found = Vec::new();
    let next = hash.scan(cursor, options.count, |pair| {
        if pair.alive(now) && options.matches(pair.field) {
            found.push(Reply::bulk(pair.field));
            if !options.no_values {
                found.push(Reply::bulk(pair.value));
            }
        }
    });
    Ok(cursor::reply(next, found))
}

pub static HRANDFIELD: Spec = Spec {
    name: "hrandfield",
    full_name: "HRANDFIELD",
    summary: "Get one or multiple random fields from a hash",
    since: "6.2.0",
    group: "hash",
    complexity: "O(N) where N is the number of fields returned",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new(
            "options",
            Kind::Block(&[
                Arg::new("count", Kind::Integer),
                Arg::flag("withvalues", "WITHVALUES").optional(),
            ]),
        )
        .optional(),
    ],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(hrandfield),
    ..Spec::BASE
};

pub static HSCAN: Spec = Spec {
    name: "hscan",
    full_name: "HSCAN",
    summary: "Incrementally iterate hash fields and associated values",
    since: "2.8.0",
    group: "hash",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
         to return back to 0. N is the number of elements inside the collection..",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::HASH, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("cursor", Kind::Integer),
        Arg::new("pattern", Kind::Pattern).token("MATCH").optional(),
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
        Arg::flag("novalues", "NOVALUES").optional(),
    ],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(hscan),
    ..Spec::BASE
};

//! `ZCARD`, `ZSCORE`, `ZMSCORE`, `ZRANK` and `ZREVRANK`.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::read;
use crate::resp::{Failure, Reply};
use crate::value::SortedSet;

fn zcard(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(read(context, args.word(1))?.map_or(0, SortedSet::len).into())
}

fn zscore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let score = read(context, args.word(1))?.and_then(|set| set.score(args.word(2)));
    Ok(score.map_or(Reply::Null, Reply::Double))
}

fn zmscore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let set = read(context, args.word(1))?;
    let score = |member| set.and_then(|set| set.score(member)).map_or(Reply::Null, Reply::Double);
    Ok(Reply::Array(args.request().rest(2).map(score).collect()))
}

fn zrank(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    rank(context, args, false, &ZRANK)
}

fn zrevrank(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    rank(context, args, true, &ZREVRANK)
}

fn rank(context: &mut Context<'_>, args: &Args<'_>, reverse: bool, spec: &Spec) -> Result<Reply, Failure> {
    let with_score = match args.len() {
        3 => false,
        4 if args.word(3).eq_ignore_ascii_case(b"WITHSCORE") => true,
        4 => return Err(errors::SYNTAX),
        _ => return Err(errors::arity(spec)),
    };
    let set = read(context, args.word(1))?;
    let found = set.and_then(|set| set.rank(args.word(2)).map(|(rank, score)| (set.len(), rank, score)));
    Ok(match found {
        None if with_score => Reply::NullArray,
        None => Reply::Null,
        Some((length, rank, score)) => {
            let rank = Reply::from(if reverse { length - 1 - rank } else { rank });
            if with_score { Reply::Array(vec![rank, Reply::Double(score)]) } else { rank }
        }
    })
}

pub static ZCARD: Spec = Spec {
    name: "zcard",
    full_name: "ZCARD",
    summary: "Get the number of members in a sorted set",
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(zcard),
    ..Spec::BASE
};

pub static ZSCORE: Spec = Spec {
    name: "zscore",
    full_name: "ZSCORE",
    summary: "Get the score associated with the given member in a sorted set",
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("member", Kind::String)],
    handler: Handler::Run(zscore),
    ..Spec::BASE
};

pub static ZMSCORE: Spec = Spec {
    name: "zmscore",
    full_name: "ZMSCORE",
    summary: "Get the score associated with the given members in a sorted set",
    since: "6.2.0",
    group: "sorted-set",
    complexity: "O(N) where N is the number of members being requested.",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("member", Kind::String).multiple()],
    handler: Handler::Run(zmscore),
    ..Spec::BASE
};

pub static ZRANK: Spec = Spec {
    name: "zrank",
    full_name: "ZRANK",
    summary: "Determine the index of a member in a sorted set",
    since: "2.0.0",
    group: "sorted-set",
    complexity: "O(log(N))",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("member", Kind::String),
        Arg::flag("withscore", "WITHSCORE").optional().since("7.2.0"),
    ],
    history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
    grammar: Grammar::Own,
    handler: Handler::Run(zrank),
    ..Spec::BASE
};

pub static ZREVRANK: Spec = Spec {
    name: "zrevrank",
    full_name: "ZREVRANK",
    summary: "Determine the index of a member in a sorted set, with scores ordered from high to low",
    since: "2.0.0",
    group: "sorted-set",
    complexity: "O(log(N))",
    arity: -3,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::SORTEDSET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("member", Kind::String),
        Arg::flag("withscore", "WITHSCORE").optional().since("7.2.0"),
    ],
    history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
    grammar: Grammar::Own,
    handler: Handler::Run(zrevrank),
    ..Spec::BASE
};

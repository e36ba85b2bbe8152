//! `ZRANGE` and `ZRANGESTORE`, and what every command that answers with a range has in common.

use std::ops::Range;

use super::super::list::span;
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{items, members, put, read, scores};
use crate::resp::{Failure, Reply};
use crate::value::{LexRange, ScoreRange, SortedSet, number};

/// What the two ends of a range are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Lex,
}

/// A range as a request describes it.
pub(super) struct Query<'a> {
    ends: Ends<'a>,
    reverse: bool,
    scores: bool,
    offset: i64,
    limit: i64,
}

enum Ends<'a> {
    Ranks(i64, i64),
    Scores(ScoreRange),
    Members(LexRange<'a>),
}

impl<'a> Query<'a> {
    /// What stands from the two ends on, which are at `at`. `by` and `reverse` are given by the command or, if not,
    /// by options; `store`: nothing is answered, so no scores are.
    pub fn parse(
        args: &Args<'a>,
        at: usize,
        mut by: Option<By>,
        mut reverse: Option<bool>,
        store: bool,
    ) -> Result<Self, Failure> {
        const LIMIT: Failure = Failure::new(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        );
        const WITHSCORES: Failure =
            Failure::new("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        let (auto_by, auto_reverse) = (by.is_none(), reverse.is_none());
        let (mut scores_too, mut offset, mut limit) = (false, 0, -1);
        let mut words = args.request().rest(at + 2);
        while let Some(word) = words.next() {
            match word.to_ascii_lowercase().as_slice() {
                b"withscores" if !store => scores_too = true,
                b"limit" if words.len() >= 2 => {
                    offset = integer(words.next().unwrap_or_default())?;
                    limit = integer(words.next().unwrap_or_default())?;
                }
                b"rev" if auto_reverse && reverse.is_none() => reverse = Some(true),
                b"bylex" if auto_by && by.is_none() => by = Some(By::Lex),
                b"byscore" if auto_by && by.is_none() => by = Some(By::Score),
                _ => return Err(errors::SYNTAX),
            }
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            return Err(LIMIT);
        }
        if scores_too && by == By::Lex {
            return Err(WITHSCORES);
        }
        let (mut min, mut max) = (args.word(at), args.word(at + 1));
        if reverse && by != By::Rank {
            (min, max) = (max, min);
        }
        let ends = match by {
            By::Rank => Ends::Ranks(integer(min)?, integer(max)?),
            By::Score => Ends::Scores(scores(min, max)?),
            By::Lex => Ends::Members(members(min, max)?),
        };
        Ok(Self { ends, reverse, scores: scores_too, offset, limit })
    }

    /// The ranks of the range, counted from the first member.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let range = match &self.ends {
            Ends::Ranks(start, stop) => {
                let (start, count) = span(*start, *stop, set.len());
                return if self.reverse {
                    let end = set.len() - start;
                    end - count..end
                } else {
                    start..start + count
                };
            }
            Ends::Scores(range) => range.ranks(set),
            Ends::Members(range) => range.ranks(set),
        };
        // A negative offset skips all there is.
        let skip = usize::try_from(self.offset).unwrap_or(usize::MAX).min(range.len());
        let count = usize::try_from(self.limit).unwrap_or(usize::MAX).min(range.len() - skip);
        if self.reverse {
            let end = range.end - skip;
            end - count..end
        } else {
            let start = range.start + skip;
            start..start + count
        }
    }

    pub fn answer(&self, context: &mut Context<'_>, key: &[u8]) -> Result<Reply, Failure> {
        let protocol = context.client.protocol;
        let Some(set) = read(context, key)? else { return Ok(Reply::Array(Vec::new())) };
        let ranks = self.ranks(set);
        Ok(items(protocol, set.range(ranks.start, ranks.end, self.reverse), self.scores))
    }
}

fn integer(word: &[u8]) -> Result<i64, Failure> {
    number::integer(word).ok_or(errors::NOT_INTEGER)
}

fn zrange(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Query::parse(args, 2, None, None, false)?.answer(context, args.word(1))
}

fn zrangestore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let query = Query::parse(args, 3, None, None, true)?;
    let (forms, mut result) = (context.keyspace.forms, SortedSet::default());
    if let Some(set) = read(context, args.word(2))? {
        let ranks = query.ranks(set);
        for (member, score) in set.range(ranks.start, ranks.end, false) {
            result.set(member, score, &forms);
        }
    }
    Ok(put(context, args.word(1), result, "zrangestore"))
}

pub static ZRANGE: Spec = Spec {
    name: "zrange",
    full_name: "ZRANGE",
    summary: "Return a range of members in a sorted set",
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
        Arg::new("start", Kind::String),
        Arg::new("stop", Kind::String),
        Arg::new("sortby", Kind::OneOf(&[Arg::flag("byscore", "BYSCORE"), Arg::flag("bylex", "BYLEX")]))
            .optional()
            .since("6.2.0"),
        Arg::flag("rev", "REV").optional().since("6.2.0"),
        Arg::new(
            "offset_count",
            Kind::Block(&[Arg::new("offset", Kind::Integer), Arg::new("count", Kind::Integer)]),
        )
        .token("LIMIT")
        .optional()
        .since("6.2.0"),
        Arg::flag("withscores", "WITHSCORES").optional(),
    ],
    history: &[("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.")],
    grammar: Grammar::Own,
    handler: Handler::Run(zrange),
    ..Spec::BASE
};

pub static ZRANGESTORE: Spec = Spec {
    name: "zrangestore",
    full_name: "ZRANGESTORE",
    summary: "Store a range of members from sorted set into another key",
    since: "6.2.0",
    group: "sorted-set",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
         stored into the destination key.",
    arity: -5,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::SLOW]),
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE])),
        KeySpec::range(2, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS])),
    ],
    args: &[
        Arg::new("dst", Kind::Key(0)),
        Arg::new("src", Kind::Key(1)),
        Arg::new("min", Kind::String),
        Arg::new("max", Kind::String),
        Arg::new("sortby", Kind::OneOf(&[Arg::flag("byscore", "BYSCORE"), Arg::flag("bylex", "BYLEX")]))
            .optional(),
        Arg::flag("rev", "REV").optional(),
        Arg::new(
            "offset_count",
            Kind::Block(&[Arg::new("offset", Kind::Integer), Arg::new("count", Kind::Integer)]),
        )
        .token("LIMIT")
        .optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(zrangestore),
    ..Spec::BASE
};

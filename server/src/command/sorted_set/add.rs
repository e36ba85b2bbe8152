//! `ZADD` and `ZINCRBY`.

use smallvec::{SmallVec, smallvec};

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{find, score};
use crate::config::Class;
use crate::keyspace::{Effect, SortedSetChange};
use crate::resp::{Failure, Reply};
use crate::value::SortedSet;

/// What `ZADD` may and shall do.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // the options of the command
pub struct Options {
    pub only_new: bool,
    pub only_old: bool,
    greater: bool,
    less: bool,
    pub changed: bool,
    increment: bool,
}

impl Options {
    /// The options from the second word on, and where they end.
    fn parse(args: &Args<'_>, increment: bool) -> Result<(Self, usize), Failure> {
        const NX_XX: Failure = Failure::new("ERR XX and NX options at the same time are not compatible");
        const GT_LT_NX: Failure =
            Failure::new("ERR GT, LT, and/or NX options at the same time are not compatible");
        const ONE: Failure = Failure::new("ERR INCR option supports a single increment-element pair");
        let (mut options, mut at) = (Self { increment, ..Self::default() }, 2);
        while at < args.len() {
            match args.word(at).to_ascii_lowercase().as_slice() {
                b"nx" => options.only_new = true,
                b"xx" => options.only_old = true,
                b"ch" => options.changed = true,
                b"incr" => options.increment = true,
                b"gt" => options.greater = true,
                b"lt" => options.less = true,
                _ => break,
            }
            at += 1;
        }
        let words = args.len() - at;
        let Self { only_new, only_old, greater, less, .. } = options;
        if words == 0 || !words.is_multiple_of(2) {
            return Err(errors::SYNTAX);
        }
        if only_new && only_old {
            return Err(NX_XX);
        }
        if (only_new && (greater || less)) || (greater && less) {
            return Err(GT_LT_NX);
        }
        if options.increment && words > 2 {
            return Err(ONE);
        }
        Ok((options, at))
    }

    /// The score that a member gets, which has `old` until now; `None` if it stays as it is.
    fn result(&self, old: Option<f64>, score: f64) -> Result<Option<f64>, Failure> {
        const NAN: Failure = Failure::new("ERR resulting score is not a number (NaN)");
        let Some(old) = old else { return Ok((!self.only_old).then_some(score)) };
        if self.only_new {
            return Ok(None);
        }
        let score = if self.increment { old + score } else { score };
        if score.is_nan() {
            return Err(NAN);
        }
        let refused = (self.less && score >= old) || (self.greater && score <= old);
        Ok((!refused).then_some(score))
    }
}

fn zadd(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    add(context, args, false)
}

fn zincrby(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    add(context, args, true)
}

fn add(context: &mut Context<'_>, args: &Args<'_>, increment: bool) -> Result<Reply, Failure> {
    let (options, at) = Options::parse(args, increment)?;
    let key = args.word(1);
    let mut words = args.request().rest(at);
    let mut pairs = SmallVec::<[(&[u8], f64); 2]>::new();
    while let (Some(number), Some(member)) = (words.next(), words.next()) {
        pairs.push((member, score(number)?));
    }
    if options.increment {
        return one(context, key, &options, pairs[0]);
    }
    add_scores(context, key, &options, pairs)
}

/// Add members with their scores.
pub fn add_scores(
    context: &mut Context<'_>,
    key: &[u8],
    options: &Options,
    pairs: SmallVec<[(&[u8], f64); 2]>,
) -> Result<Reply, Failure> {
    // A member that comes twice meets what the first one made of it: one by one then.
    let (mut added, mut changed) = (0, 0);
    let mut members = SmallVec::<[(&[u8], f64); 2]>::new();
    let set = find(context, key)?;
    for (member, score) in pairs {
        let again = members.iter().rev().find(|(other, _)| *other == member).map(|(_, score)| *score);
        let old = again.or_else(|| set.and_then(|set| set.score(member)));
        let Some(score) = options.result(old, score)? else { continue };
        match old {
            None => added += 1,
            Some(old) if old == score => continue,
            Some(_) => changed += 1,
        }
        members.push((member, score));
    }
    if !members.is_empty() {
        let change = SortedSetChange::Score { members };
        context.keyspace.change(&Effect::SortedSet { db: context.client.db, key, change });
        context.notify(Class::SortedSet, "zadd", key);
    }
    Ok(Reply::Int(if options.changed { added + changed } else { added }))
}

/// Add to one score; the answer is what comes of it.
fn one(
    context: &mut Context<'_>,
    key: &[u8],
    options: &Options,
    (member, score): (&[u8], f64),
) -> Result<Reply, Failure> {
    let old = find(context, key)?.and_then(|set: &SortedSet| set.score(member));
    let Some(score) = options.result(old, score)? else { return Ok(Reply::Null) };
    if old != Some(score) {
        let change = SortedSetChange::Score { members: smallvec![(member, score)] };
        context.keyspace.change(&Effect::SortedSet { db: context.client.db, key, change });
        context.notify(Class::SortedSet, "zincr", key);
    }
    Ok(Reply::Double(score))
}

pub static ZADD: Spec = Spec {
    name: "zadd",
    full_name: "ZADD",
    summary: "Add one or more members to a sorted set, or update its score if it already exists",
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    arity: -4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("condition", Kind::OneOf(&[Arg::flag("nx", "NX"), Arg::flag("xx", "XX")]))
            .optional()
            .since("3.0.2"),
        Arg::new("comparison", Kind::OneOf(&[Arg::flag("gt", "GT"), Arg::flag("lt", "LT")]))
            .optional()
            .since("6.2.0"),
        Arg::new("change", Kind::Flag).token("CH").optional().since("3.0.2"),
        Arg::new("increment", Kind::Flag).token("INCR").optional().since("3.0.2"),
        Arg::new(
            "score_member",
            Kind::Block(&[Arg::new("score", Kind::Double), Arg::new("member", Kind::String)]),
        )
        .multiple(),
    ],
    history: &[
        ("2.4.0", "Accepts multiple elements."),
        ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
        ("6.2.0", "Added the `GT` and `LT` options."),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(zadd),
    ..Spec::BASE
};

pub static ZINCRBY: Spec = Spec {
    name: "zincrby",
    full_name: "ZINCRBY",
    summary: "Increment the score of a member in a sorted set",
    since: "1.2.0",
    group: "sorted-set",
    complexity: "O(log(N)) where N is the number of elements in the sorted set.",
    arity: 4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::SORTEDSET, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("increment", Kind::Integer),
        Arg::new("member", Kind::String),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(zincrby),
    ..Spec::BASE
};

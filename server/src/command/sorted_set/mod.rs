//! The sorted set commands: a file for each, or for a few that are one thing.

mod add;
mod ask;
mod combine;
mod count;
mod pop;
mod random;
mod range;
mod remove;
mod several;
mod sources;
mod spans;
mod store;

pub(super) use add::{Options as AddOptions, add_scores};

use super::{Context, Spec, errors};
use crate::config::Class;
use crate::keyspace::{Effect, SortedSetChange};
use crate::resp::{Failure, Protocol, Reply};
use crate::value::{Bound, LexRange, ScoreRange, SortedSet, Value, float, rdb};

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &several::BZMPOP,
    &pop::BZPOPMAX,
    &pop::BZPOPMIN,
    &add::ZADD,
    &ask::ZCARD,
    &count::ZCOUNT,
    &combine::ZDIFF,
    &store::ZDIFFSTORE,
    &add::ZINCRBY,
    &combine::ZINTER,
    &combine::ZINTERCARD,
    &store::ZINTERSTORE,
    &count::ZLEXCOUNT,
    &several::ZMPOP,
    &ask::ZMSCORE,
    &pop::ZPOPMAX,
    &pop::ZPOPMIN,
    &random::ZRANDMEMBER,
    &range::ZRANGE,
    &spans::ZRANGEBYLEX,
    &spans::ZRANGEBYSCORE,
    &range::ZRANGESTORE,
    &ask::ZRANK,
    &remove::ZREM,
    &remove::ZREMRANGEBYLEX,
    &remove::ZREMRANGEBYRANK,
    &remove::ZREMRANGEBYSCORE,
    &spans::ZREVRANGE,
    &spans::ZREVRANGEBYLEX,
    &spans::ZREVRANGEBYSCORE,
    &ask::ZREVRANK,
    &random::ZSCAN,
    &ask::ZSCORE,
    &combine::ZUNION,
    &store::ZUNIONSTORE,
];

fn as_sorted_set(value: Option<&Value>) -> Result<Option<&SortedSet>, Failure> {
    match value {
        None => Ok(None),
        Some(Value::SortedSet(set)) => Ok(Some(set)),
        Some(_) => Err(errors::WRONG_TYPE),
    }
}

/// The sorted set at `key`, to be told about: the look counts as an access.
pub(super) fn read<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<Option<&'c SortedSet>, Failure> {
    as_sorted_set(context.keyspace.read(context.client.db, key))
}

/// The sorted set at `key`, to be changed.
pub(super) fn find<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<Option<&'c SortedSet>, Failure> {
    as_sorted_set(context.keyspace.find(context.client.db, key).map(|entry| &entry.value))
}

/// A member with its score, or alone.
fn item(member: &[u8], score: Option<f64>) -> Vec<Reply> {
    std::iter::once(Reply::bulk(member)).chain(score.map(Reply::Double)).collect()
}

/// Members as an answer: scores stand behind them, or in RESP3 with them in an array of two.
fn items<'s>(protocol: Protocol, found: impl Iterator<Item = (&'s [u8], f64)>, scores: bool) -> Reply {
    let nested = scores && protocol == Protocol::Resp3;
    Reply::Array(if nested {
        found.map(|(member, score)| Reply::Array(item(member, Some(score)))).collect()
    } else {
        found.flat_map(|(member, score)| item(member, scores.then_some(score))).collect()
    })
}

/// Let the members of so many ranks go.
fn cut(context: &mut Context<'_>, key: &[u8], start: usize, count: usize, event: &'static str) {
    if count > 0 {
        let change = SortedSetChange::Cut { start: start as u64, count: count as u64 };
        context.keyspace.change(&Effect::SortedSet { db: context.client.db, key, change });
        context.notify(Class::SortedSet, event, key);
    }
}

/// Put a sorted set in the place of whatever is at `key`; an empty one is none. The answer is its length.
pub(super) fn put(context: &mut Context<'_>, key: &[u8], mut set: SortedSet, event: &'static str) -> Reply {
    let (db, length) = (context.client.db, set.len());
    if set.is_empty() {
        if context.keyspace.delete(db, key) {
            context.notify(Class::Generic, "del", key);
        }
    } else {
        set.fit(&context.keyspace.forms);
        let value = Value::SortedSet(set);
        let (kind, mut bytes) = (rdb::type_byte(&value), Vec::new());
        rdb::encode(&value, &mut bytes);
        context.keyspace.change(&Effect::Put { db, key, kind, value: &bytes, deadline: None });
        context.notify(Class::SortedSet, event, key);
    }
    length.into()
}

/// A score.
fn score(word: &[u8]) -> Result<f64, Failure> {
    float::number(word).ok_or(errors::NOT_FLOAT)
}

/// The two ends of a range of scores.
fn scores(min: &[u8], max: &[u8]) -> Result<ScoreRange, Failure> {
    const NOT_FLOAT: Failure = Failure::new("ERR min or max is not a float");
    let end = |word: &[u8]| {
        let (excluded, number) = word.strip_prefix(b"(").map_or((false, word), |rest| (true, rest));
        float::bound(number).map(|number| (number, excluded)).ok_or(NOT_FLOAT)
    };
    let ((min, min_excluded), (max, max_excluded)) = (end(min)?, end(max)?);
    Ok(ScoreRange { min, min_excluded, max, max_excluded })
}

/// The two ends of a range of members.
fn members<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, Failure> {
    const INVALID: Failure = Failure::new("ERR min or max not valid string range item");
    let end = |word: &'a [u8]| match word {
        b"-" => Ok(Bound::First),
        b"+" => Ok(Bound::Last),
        [b'[', rest @ ..] => Ok(Bound::Included(rest)),
        [b'(', rest @ ..] => Ok(Bound::Excluded(rest)),
        _ => Err(INVALID),
    };
    Ok(LexRange { min: end(min)?, max: end(max)? })
}

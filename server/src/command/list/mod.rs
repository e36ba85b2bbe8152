//! The list commands: a file for each, or for a few that are one thing.

mod ask;
mod edit;
mod insert;
mod pop;
mod several;
mod transfer;

pub(super) use several::wait;

use super::{Context, Spec, errors};
use crate::resp::Failure;
use crate::value::{End, List, Value, number};

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &transfer::BLMOVE,
    &several::BLMPOP,
    &several::BLPOP,
    &several::BRPOP,
    &transfer::BRPOPLPUSH,
    &ask::LINDEX,
    &insert::LINSERT,
    &ask::LLEN,
    &transfer::LMOVE,
    &several::LMPOP,
    &pop::LPOP,
    &ask::LPOS,
    &insert::LPUSH,
    &insert::LPUSHX,
    &ask::LRANGE,
    &edit::LREM,
    &edit::LSET,
    &edit::LTRIM,
    &pop::RPOP,
    &transfer::RPOPLPUSH,
    &insert::RPUSH,
    &insert::RPUSHX,
];

fn as_list(value: Option<&Value>) -> Result<Option<&List>, Failure> {
    match value {
        None => Ok(None),
        Some(Value::List(list)) => Ok(Some(list)),
        #[allow(unreachable_patterns)] // other types
        Some(_) => Err(errors::WRONG_TYPE),
    }
}

/// The list at `key`, to be told about: the look counts as an access.
fn read<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<Option<&'c List>, Failure> {
    as_list(context.keyspace.read(context.client.db, key))
}

/// The list at `key`, to be changed.
fn find<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<Option<&'c List>, Failure> {
    as_list(context.keyspace.find(context.client.db, key).map(|entry| &entry.value))
}

fn integer(word: &[u8]) -> Result<i64, Failure> {
    number::integer(word).ok_or(errors::NOT_INTEGER)
}

/// A number that must be at least `least`; whatever is wrong with it, the error is `failure`.
pub(super) fn at_least(word: &[u8], least: i64, failure: Failure) -> Result<u64, Failure> {
    number::integer(word).filter(|number| *number >= least).map(|number| number as u64).ok_or(failure)
}

/// A number whose opposite is one too.
fn signed(word: &[u8]) -> Result<i64, Failure> {
    let number = integer(word)?;
    if number == i64::MIN {
        return Err(errors::SIGNED_RANGE);
    }
    Ok(number)
}

/// `LEFT` or `RIGHT`.
fn end(word: &[u8]) -> Result<End, Failure> {
    if word.eq_ignore_ascii_case(b"LEFT") {
        Ok(End::Left)
    } else if word.eq_ignore_ascii_case(b"RIGHT") {
        Ok(End::Right)
    } else {
        Err(errors::SYNTAX)
    }
}

/// The place of an index that counts from the end if it is negative.
fn place(index: i64, length: usize) -> Option<usize> {
    let length = length as i64;
    let index = if index < 0 { length.checked_add(index)? } else { index };
    (0..length).contains(&index).then_some(index as usize)
}

/// The first place and the number of items of a range whose ends are both part of it.
pub(super) fn span(start: i64, stop: i64, length: usize) -> (usize, usize) {
    let length = length as i64;
    let absolute = |index: i64| if index < 0 { length.saturating_add(index) } else { index };
    let (start, stop) = (absolute(start).max(0), absolute(stop).min(length - 1));
    if start > stop || start >= length { (0, 0) } else { (start as usize, (stop - start + 1) as usize) }
}

/// When a command that may wait gives up, in milliseconds since 1970; `None` is never.
pub(super) fn deadline(word: &[u8], now: u64) -> Result<Option<u64>, Failure> {
    const RANGE: Failure = Failure::new("ERR timeout is out of range");
    let seconds = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
    let seconds = seconds.filter(|seconds| !seconds.is_nan()).ok_or(errors::TIMEOUT_NOT_FLOAT)?;
    let milliseconds = (seconds * 1000.0).ceil();
    // What has no room in 64 bits wraps round in Redis.
    if milliseconds < 0.0 || milliseconds >= i64::MAX as f64 {
        return Err(errors::TIMEOUT_NEGATIVE);
    }
    if milliseconds == 0.0 {
        return Ok(None);
    }
    let at = now as i64;
    at.checked_add(milliseconds as i64).map(|at| Some(at as u64)).ok_or(RANGE)
}

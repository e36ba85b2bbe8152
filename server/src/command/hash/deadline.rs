//! `HEXPIRE`, `HPEXPIRE`, `HEXPIREAT` and `HPEXPIREAT`: fields get a deadline.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{FIELDS, change, fields, find, peek};
use crate::keyspace::{HashChange, Items};
use crate::resp::{Failure, Reply};
use crate::value::number;

/// What a time is counted in, and from when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    pub seconds: bool,
    pub absolute: bool,
}

/// The latest deadline of a field, in milliseconds since 1970, as Redis has it.
const LATEST: i64 = ((1 << 48) - 2) >> 2;

/// The deadline in milliseconds since 1970 that `word` means. `command` is named in the error.
pub(super) fn parse(word: &[u8], unit: Unit, now: u64, command: &str) -> Result<u64, Failure> {
    let invalid = || Failure::text(format!("ERR invalid expire time in '{command}' command"));
    let time = number::integer(word).ok_or(errors::NOT_INTEGER)?;
    if time < 0 {
        return Err(Failure::new("ERR invalid expire time, must be >= 0"));
    }
    let scale = if unit.seconds { 1000 } else { 1 };
    let base = if unit.absolute { 0 } else { now as i64 };
    let deadline = time.checked_mul(scale).and_then(|time| time.checked_add(base));
    deadline.filter(|deadline| *deadline <= LATEST).map(|deadline| deadline as u64).ok_or_else(invalid)
}

#[derive(Debug, Clone, Copy)]
enum Condition {
    Nx,
    Xx,
    Gt,
    Lt,
}

impl Condition {
    fn named(word: &[u8]) -> Option<Self> {
        [("NX", Self::Nx), ("XX", Self::Xx), ("GT", Self::Gt), ("LT", Self::Lt)]
            .into_iter()
            .find_map(|(name, condition)| word.eq_ignore_ascii_case(name.as_bytes()).then_some(condition))
    }

    /// No deadline is later than any.
    fn allows(self, before: Option<u64>, after: u64) -> bool {
        match self {
            Self::Nx => before.is_none(),
            Self::Xx => before.is_some(),
            Self::Gt => before.is_some_and(|before| before < after),
            Self::Lt => before.is_none_or(|before| before > after),
        }
    }
}

fn expire(context: &mut Context<'_>, args: &Args<'_>, unit: Unit, command: &str) -> Result<Reply, Failure> {
    const NOT_POSITIVE: Failure = Failure::new("ERR Parameter `numFields` should be greater than 0");
    let (key, now) = (args.word(1), context.keyspace.now);
    find(context, key)?;
    let deadline = parse(args.word(2), unit, now, command)?;
    let condition = Condition::named(args.word(3));
    let fields = fields(args, 3 + usize::from(condition.is_some()), NOT_POSITIVE)?;
    let past = deadline <= now;
    let (mut replies, mut changed) = (Vec::with_capacity(fields.len()), Items::new());
    for field in fields {
        let named_before = changed.contains(&field);
        replies.push(Reply::Int(match peek(context, key, field) {
            None => -2,
            // It is gone already.
            Some(_) if past && named_before => -2,
            Some(pair) => {
                let before = if named_before { Some(deadline) } else { pair.deadline };
                let allowed = condition.is_none_or(|condition| condition.allows(before, deadline));
                if allowed && !named_before {
                    changed.push(field);
                }
                if !allowed {
                    0
                } else if past {
                    2
                } else {
                    1
                }
            }
        }));
    }
    if past && !changed.is_empty() {
        change(context, key, HashChange::Remove { fields: changed });
    } else if !changed.is_empty() {
        change(context, key, HashChange::Expire { fields: changed, deadline: Some(deadline) });
    }
    Ok(Reply::Array(replies))
}

fn hexpire(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    expire(context, args, Unit { seconds: true, absolute: false }, "hexpire")
}

fn hpexpire(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    expire(context, args, Unit { seconds: false, absolute: false }, "hpexpire")
}

fn hexpireat(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    expire(context, args, Unit { seconds: true, absolute: true }, "hexpireat")
}

fn hpexpireat(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    expire(context, args, Unit { seconds: false, absolute: true }, "hpexpireat")
}

/// The condition as it is declared.
const CONDITION: Arg = Arg::new(
    "condition",
    Kind::OneOf(&[
        Arg::flag("nx", "NX"),
        Arg::flag("xx", "XX"),
        Arg::flag("gt", "GT"),
        Arg::flag("lt", "LT"),
    ]),
)
.optional();

pub static HEXPIRE: Spec = Spec {
    name: "hexpire",
    full_name: "HEXPIRE",
    summary: "Set expiry for hash field using relative time to expire (seconds)",
    since: "7.4.0",
    group: "hash",
    complexity: "O(N) where N is the number of specified fields",
    arity: -6,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("seconds", Kind::Integer), CONDITION, FIELDS],
    grammar: Grammar::Own,
    handler: Handler::Run(hexpire),
    ..Spec::BASE
};

pub static HPEXPIRE: Spec = Spec {
    name: "hpexpire",
    full_name: "HPEXPIRE",
    summary: "Set expiry for hash field using relative time to expire (milliseconds)",
    since: "7.4.0",
    group: "hash",
    complexity: "O(N) where N is the number of specified fields",
    arity: -6,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("milliseconds", Kind::Integer), CONDITION, FIELDS],
    grammar: Grammar::Own,
    handler: Handler::Run(hpexpire),
    ..Spec::BASE
};

pub static HEXPIREAT: Spec = Spec {
    name: "hexpireat",
    full_name: "HEXPIREAT",
    summary: "Set expiry for hash field using an absolute Unix timestamp (seconds)",
    since: "7.4.0",
    group: "hash",
    complexity: "O(N) where N is the number of specified fields",
    arity: -6,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("unix-time-seconds", Kind::UnixTime), CONDITION, FIELDS],
    grammar: Grammar::Own,
    handler: Handler::Run(hexpireat),
    ..Spec::BASE
};

pub static HPEXPIREAT: Spec = Spec {
    name: "hpexpireat",
    full_name: "HPEXPIREAT",
    summary: "Set expiry for hash field using an absolute Unix timestamp (milliseconds)",
    since: "7.4.0",
    group: "hash",
    complexity: "O(N) where N is the number of specified fields",
    arity: -6,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("unix-time-milliseconds", Kind::UnixTime),
        CONDITION,
        FIELDS,
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(hpexpireat),
    ..Spec::BASE
};

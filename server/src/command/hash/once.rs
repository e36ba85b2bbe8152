//! `HGETEX`, `HSETEX` and `HGETDEL`: values and deadlines in one.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::deadline::{Unit, parse};
use super::{FIELDS, NOT_POSITIVE, change, fields, find, peek, value};
use crate::keyspace::{HashChange, Items};
use crate::resp::{Failure, Reply};
use crate::value::number;

/// The options that say when fields expire.
fn unit(word: &[u8]) -> Option<Unit> {
    let units: [(&[u8], Unit); 4] = [
        (b"EX", Unit { seconds: true, absolute: false }),
        (b"PX", Unit { seconds: false, absolute: false }),
        (b"EXAT", Unit { seconds: true, absolute: true }),
        (b"PXAT", Unit { seconds: false, absolute: true }),
    ];
    units.into_iter().find_map(|(name, unit)| word.eq_ignore_ascii_case(name).then_some(unit))
}

/// Fields expire at the deadline; one that has passed removes them at once.
fn expire<'a>(context: &mut Context<'_>, key: &'a [u8], fields: Items<'a>, deadline: Option<u64>) {
    if fields.is_empty() {
        return;
    }
    let past = deadline.is_some_and(|deadline| deadline <= context.keyspace.now);
    let what = if past { HashChange::Remove { fields } } else { HashChange::Expire { fields, deadline } };
    change(context, key, what);
}

fn hgetex(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, now) = (args.word(1), context.keyspace.now);
    find(context, key)?;
    let (deadline, at) = match args.word(2) {
        word if word.eq_ignore_ascii_case(b"PERSIST") => (Some(None), 3),
        word => match unit(word) {
            Some(unit) => (Some(Some(parse(args.word(3), unit, now, "hgetex")?)), 4),
            None => (None, 2),
        },
    };
    let fields = fields(args, at, NOT_POSITIVE)?;
    let past = deadline.flatten().is_some_and(|deadline| deadline <= now);
    let (mut replies, mut changed) = (Vec::with_capacity(fields.len()), Items::new());
    for field in fields {
        // Named before with a time that has passed, it is gone already.
        let pair = peek(context, key, field).filter(|_| !past || !changed.contains(&field));
        replies.push(value(pair));
        if pair.is_some_and(|pair| deadline.is_some_and(|deadline| pair.deadline != deadline)) {
            changed.push(field);
        }
    }
    if let Some(deadline) = deadline {
        expire(context, key, changed, deadline);
    }
    Ok(Reply::Array(replies))
}

/// What `HSETEX` was asked for.
struct Set<'a> {
    /// Only if all fields are there, or only if none is.
    condition: Option<bool>,
    deadline: Option<u64>,
    keep: bool,
    pairs: Vec<&'a [u8]>,
}

impl<'a> Set<'a> {
    fn parse(args: &Args<'a>, now: u64) -> Result<Self, Failure> {
        const CONDITIONS: Failure = Failure::new("ERR Only one of FXX or FNX arguments can be specified");
        const TIMES: Failure =
            Failure::new("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
        let mut set = Self { condition: None, deadline: None, keep: false, pairs: Vec::new() };
        let mut words = args.request().rest(2);
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case(b"FIELDS") {
                return set.take(&words.collect::<Vec<_>>());
            }
            let (keep, unit) = (word.eq_ignore_ascii_case(b"KEEPTTL"), unit(word));
            if (keep || unit.is_some()) && (set.keep || set.deadline.is_some()) {
                return Err(TIMES);
            }
            let condition = match word.to_ascii_uppercase().as_slice() {
                b"FXX" => Some(true),
                b"FNX" => Some(false),
                _ => None,
            };
            if let Some(unit) = unit {
                let time = words.next().ok_or(Failure::new("ERR missing expire time"))?;
                set.deadline = Some(parse(time, unit, now, "hsetex")?);
            } else if keep {
                set.keep = true;
            } else if condition.is_some() && set.condition.is_some() {
                return Err(CONDITIONS);
            } else if condition.is_some() {
                set.condition = condition;
            } else {
                let word = String::from_utf8_lossy(word);
                return Err(Failure::text(format!("ERR unknown argument: {word}")));
            }
        }
        Err(errors::arity(&HSETEX))
    }

    /// The number of fields, and the fields with their values.
    fn take(self, words: &[&'a [u8]]) -> Result<Self, Failure> {
        if words.len() < 3 {
            return Err(errors::arity(&HSETEX));
        }
        let count = number::integer(words[0]).filter(|count| (1..=i64::from(i32::MAX)).contains(count));
        let count = count.ok_or(Failure::new("ERR invalid number of fields"))? as usize;
        if words.len() - 1 != count * 2 {
            return Err(errors::arity(&HSETEX));
        }
        Ok(Self { pairs: words[1..].to_vec(), ..self })
    }
}

fn hsetex(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (key, now) = (args.word(1), context.keyspace.now);
    let set = Set::parse(args, now)?;
    find(context, key)?;
    let (pairs, _) = set.pairs.as_chunks::<2>();
    let there = |field: &[u8]| peek(context, key, field).is_some();
    if set.condition.is_some_and(|wanted| pairs.iter().any(|[field, _]| there(field) != wanted)) {
        return Ok(Reply::Int(0));
    }
    let (mut kept, mut fresh) = (Items::new(), Items::new());
    for pair in pairs {
        if set.keep && there(pair[0]) { &mut kept } else { &mut fresh }.extend_from_slice(pair);
    }
    if !fresh.is_empty() {
        change(context, key, HashChange::Set { pairs: fresh });
    }
    if !kept.is_empty() {
        change(context, key, HashChange::Replace { pairs: kept });
    }
    if set.deadline.is_some() {
        expire(context, key, pairs.iter().map(|[field, _]| *field).collect(), set.deadline);
    }
    Ok(Reply::Int(1))
}

fn hgetdel(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let key = args.word(1);
    find(context, key)?;
    let fields = fields(args, 2, NOT_POSITIVE)?;
    let (mut replies, mut gone) = (Vec::with_capacity(fields.len()), Items::new());
    for field in fields {
        let pair = peek(context, key, field).filter(|_| !gone.contains(&field));
        replies.push(value(pair));
        if pair.is_some() {
            gone.push(field);
        }
    }
    if !gone.is_empty() {
        change(context, key, HashChange::Remove { fields: gone });
    }
    Ok(Reply::Array(replies))
}

pub static HGETEX: Spec = Spec {
    name: "hgetex",
    full_name: "HGETEX",
    summary: "Get the value of one or more fields of a given hash key, and optionally set their expiration.",
    since: "8.0.0",
    group: "hash",
    complexity: "O(N) where N is the number of specified fields",
    arity: -5,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]))
        .notes("RW and UPDATE because it changes the TTL")],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new(
            "expiration",
            Kind::OneOf(&[
                Arg::new("seconds", Kind::Integer).token("EX"),
                Arg::new("milliseconds", Kind::Integer).token("PX"),
                Arg::new("unix-time-seconds", Kind::UnixTime).token("EXAT"),
                Arg::new("unix-time-milliseconds", Kind::UnixTime).token("PXAT"),
                Arg::flag("persist", "PERSIST"),
            ]),
        )
        .optional(),
        FIELDS,
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(hgetex),
    ..Spec::BASE
};

pub static HSETEX: Spec = Spec {
    name: "hsetex",
    full_name: "HSETEX",
    summary: "Set the value of one or more fields of a given hash key, and optionally set their expiration.",
    since: "8.0.0",
    group: "hash",
    complexity: "O(N) where N is the number of fields being set.",
    arity: -6,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("condition", Kind::OneOf(&[Arg::flag("fnx", "FNX"), Arg::flag("fxx", "FXX")])).optional(),
        Arg::new(
            "expiration",
            Kind::OneOf(&[
                Arg::new("seconds", Kind::Integer).token("EX"),
                Arg::new("milliseconds", Kind::Integer).token("PX"),
                Arg::new("unix-time-seconds", Kind::UnixTime).token("EXAT"),
                Arg::new("unix-time-milliseconds", Kind::UnixTime).token("PXAT"),
                Arg::flag("keepttl", "KEEPTTL"),
            ]),
        )
        .optional(),
        Arg::new(
            "fields",
            Kind::Block(&[
                Arg::new("numfields", Kind::Integer),
                Arg::new(
                    "data",
                    Kind::Block(&[Arg::new("field", Kind::String), Arg::new("value", Kind::String)]),
                )
                .multiple(),
            ]),
        )
        .token("FIELDS"),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(hsetex),
    ..Spec::BASE
};

pub static HGETDEL: Spec = Spec {
    name: "hgetdel",
    full_name: "HGETDEL",
    summary: "Returns the value of a field and deletes it from the hash.",
    since: "8.0.0",
    group: "hash",
    complexity: "O(N) where N is the number of specified fields",
    arity: -5,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::HASH, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), FIELDS],
    grammar: Grammar::Own,
    handler: Handler::Run(hgetdel),
    ..Spec::BASE
};

//! `EXPIRE` and its variants.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Grammar, Handler, Spec, errors};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::number;

pub static EXPIRE: Spec = Spec {
    name: "expire",
    full_name: "EXPIRE",
    summary: "Set a key's time to live in seconds",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("seconds", Kind::Integer),
        Arg::new(
            "condition",
            Kind::OneOf(&[
                Arg::flag("nx", "NX"),
                Arg::flag("xx", "XX"),
                Arg::flag("gt", "GT"),
                Arg::flag("lt", "LT"),
            ]),
        )
        .optional()
        .since("7.0.0"),
    ],
    history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")],
    grammar: Grammar::Own,
    handler: Handler::Run(expire),
    ..Spec::BASE
};

fn expire(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let now = context.keyspace.now;
    change_deadline(context, args, true, now, "expire")
}

pub static EXPIREAT: Spec = Spec {
    name: "expireat",
    full_name: "EXPIREAT",
    summary: "Set the expiration for a key as a UNIX timestamp",
    since: "1.2.0",
    group: "generic",
    complexity: "O(1)",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("unix-time-seconds", Kind::UnixTime),
        Arg::new(
            "condition",
            Kind::OneOf(&[
                Arg::flag("nx", "NX"),
                Arg::flag("xx", "XX"),
                Arg::flag("gt", "GT"),
                Arg::flag("lt", "LT"),
            ]),
        )
        .optional()
        .since("7.0.0"),
    ],
    history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")],
    grammar: Grammar::Own,
    handler: Handler::Run(expireat),
    ..Spec::BASE
};

fn expireat(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    change_deadline(context, args, true, 0, "expireat")
}

pub static PEXPIRE: Spec = Spec {
    name: "pexpire",
    full_name: "PEXPIRE",
    summary: "Set a key's time to live in milliseconds",
    since: "2.6.0",
    group: "generic",
    complexity: "O(1)",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("milliseconds", Kind::Integer),
        Arg::new(
            "condition",
            Kind::OneOf(&[
                Arg::flag("nx", "NX"),
                Arg::flag("xx", "XX"),
                Arg::flag("gt", "GT"),
                Arg::flag("lt", "LT"),
            ]),
        )
        .optional()
        .since("7.0.0"),
    ],
    history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")],
    grammar: Grammar::Own,
    handler: Handler::Run(pexpire),
    ..Spec::BASE
};

fn pexpire(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let now = context.keyspace.now;
    change_deadline(context, args, false, now, "pexpire")
}

pub static PEXPIREAT: Spec = Spec {
    name: "pexpireat",
    full_name: "PEXPIREAT",
    summary: "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
    since: "2.6.0",
    group: "generic",
    complexity: "O(1)",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("unix-time-milliseconds", Kind::UnixTime),
        Arg::new(
            "condition",
            Kind::OneOf(&[
                Arg::flag("nx", "NX"),
                Arg::flag("xx", "XX"),
                Arg::flag("gt", "GT"),
                Arg::flag("lt", "LT"),
            ]),
        )
        .optional()
        .since("7.0.0"),
    ],
    history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")],
    grammar: Grammar::Own,
    handler: Handler::Run(pexpireat),
    ..Spec::BASE
};

fn pexpireat(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    change_deadline(context, args, false, 0, "pexpireat")
}

/// The time that `args` give, counted from `base`, becomes the key's deadline; if it has passed, the key goes.
fn change_deadline(
    context: &mut Context<'_>,
    args: &Args<'_>,
    seconds: bool,
    base: u64,
    command: &str,
) -> Result<Reply, Failure> {
    let (db, key) = (context.client.db, args.word(1));
    let conditions = Conditions::read(args)?;
    let time = number::integer(args.word(2)).ok_or(errors::NOT_INTEGER)?;
    let time = if seconds { time.checked_mul(1000) } else { Some(time) };
    let deadline = time
        .and_then(|time| time.checked_add_unsigned(base))
        .ok_or_else(|| Failure::text(format!("ERR invalid expire time in '{command}' command")))?;
    let Some(entry) = context.keyspace.find(db, key) else { return Ok(Reply::Int(0)) };
    if !conditions.hold(entry.deadline(), deadline) {
        return Ok(Reply::Int(0));
    }
    let future = u64::try_from(deadline).ok().filter(|deadline| *deadline > context.keyspace.now);
    context.keyspace.change(&match future {
        Some(_) => Effect::Expire { db, key, deadline: future },
        None => Effect::Delete { db, key },
    });
    context.notify(Class::Generic, if future.is_some() { "expire" } else { "del" }, key);
    Ok(Reply::Int(1))
}

/// When the deadline is changed at all.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // four options of the command
struct Conditions {
    none_before: bool,
    one_before: bool,
    later: bool,
    earlier: bool,
}

impl Conditions {
    fn read(args: &Args<'_>) -> Result<Self, Failure> {
        let mut given = Self::default();
        for word in args.request().rest(3) {
            match word.to_ascii_uppercase().as_slice() {
                b"NX" => given.none_before = true,
                b"XX" => given.one_before = true,
                b"GT" => given.later = true,
                b"LT" => given.earlier = true,
                _ => {
                    let word = String::from_utf8_lossy(word);
                    return Err(Failure::text(format!("ERR Unsupported option {word}")));
                }
            }
        }
        if given.none_before && (given.one_before || given.later || given.earlier) {
            let text = "ERR NX and XX, GT or LT options at the same time are not compatible";
            return Err(Failure::new(text));
        }
        if given.later && given.earlier {
            return Err(Failure::new("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(given)
    }

    /// A key without a deadline counts as one that expires last of all.
    fn hold(&self, old: Option<u64>, new: i64) -> bool {
        let new_to_old = old.map(|old| i128::from(new) - i128::from(old));
        !(self.none_before && old.is_some()
            || self.one_before && old.is_none()
            || self.later && new_to_old.is_none_or(|difference| difference <= 0)
            || self.earlier && new_to_old.is_some_and(|difference| difference >= 0))
    }
}

#[cfg(test)]
mod tests {
    use super::Conditions;

    #[test]
    fn a_key_that_never_expires_expires_last() {
        let later = Conditions { later: true, ..Conditions::default() };
        let earlier = Conditions { earlier: true, ..Conditions::default() };
        assert!(!later.hold(None, i64::MAX) && earlier.hold(None, i64::MAX));
        assert!(later.hold(Some(5), 6) && !later.hold(Some(5), 5) && !later.hold(Some(5), 4));
        assert!(!earlier.hold(Some(5), 6) && !earlier.hold(Some(5), 5) && earlier.hold(Some(5), -4));
    }
}

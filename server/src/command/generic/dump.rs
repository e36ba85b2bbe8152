//! `DUMP` and `RESTORE`: values that travel to other servers and back.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Context, Flags, Grammar, Handler, Spec, errors};
use crate::config::Class;
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::number;
use crate::value::rdb::{self, DumpError};

fn dump(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let dumped = context.keyspace.dump(context.client.db, args.word(1));
    Ok(dumped.map_or(Reply::Null, |bytes| Reply::Bulk(bytes.into())))
}

#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(args: &Args<'_>) -> Result<Self, Failure> {
        const IDLE: Failure = Failure::new("ERR Invalid IDLETIME value, must be >= 0");
        const FREQUENCY: Failure = Failure::new("ERR Invalid FREQ value, must be >= 0 and <= 255");
        let mut options = Self::default();
        let mut words = args.request().rest(4);
        while let Some(word) = words.next() {
            match word.to_ascii_lowercase().as_slice() {
                b"replace" => options.replace = true,
                b"absttl" => options.absolute = true,
                b"idletime" if words.len() > 0 && options.frequency.is_none() => {
                    let idle = integer(words.next().unwrap_or_default())?;
                    options.idle_seconds = Some(u64::try_from(idle).map_err(|_| IDLE)?);
                }
                b"freq" if words.len() > 0 && options.idle_seconds.is_none() => {
                    let frequency = integer(words.next().unwrap_or_default())?;
                    options.frequency = Some(u8::try_from(frequency).map_err(|_| FREQUENCY)?);
                }
                _ => return Err(errors::SYNTAX),
            }
        }
        Ok(options)
    }
}

fn integer(word: &[u8]) -> Result<i64, Failure> {
    number::integer(word).ok_or(errors::NOT_INTEGER)
}

fn restore(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    const BUSY: Failure = Failure::new("BUSYKEY Target key name already exists.");
    const TTL: Failure = Failure::new("ERR Invalid TTL value, must be >= 0");
    const FOOTER: Failure = Failure::new("ERR DUMP payload version or checksum are wrong");
    const FORMAT: Failure = Failure::new("ERR Bad data format");
    let options = Options::parse(args)?;
    let (db, key, now) = (context.client.db, args.word(1), context.keyspace.now);
    if !options.replace && context.keyspace.exists(db, key) {
        return Err(BUSY);
    }
    let ttl = u64::try_from(integer(args.word(2))?).map_err(|_| TTL)?;
    let (kind, value) = rdb::restore(args.word(3), &context.keyspace.forms).map_err(|error| match error {
        DumpError::Footer => FOOTER,
        DumpError::Value(_) => FORMAT,
    })?;
    let there = options.replace && context.keyspace.exists(db, key);
    let deadline = match ttl {
        0 => None,
        ttl if options.absolute => Some(ttl),
        ttl => Some(now.saturating_add(ttl)),
    };
    if deadline.is_some_and(|deadline| deadline <= now) {
        if there {
            context.keyspace.change(&Effect::Delete { db, key });
            context.notify(Class::Generic, "del", key);
        }
        return Ok(Reply::OK);
    }
    if there {
        // What was there goes first, so that the key is a new one.
        context.keyspace.change(&Effect::Delete { db, key });
    }
    context.keyspace.change(&Effect::Put { db, key, kind, value: &value, deadline });
    context.keyspace.set_usage(db, key, options.idle_seconds, options.frequency);
    context.notify(Class::Generic, "restore", key);
    Ok(Reply::OK)
}

pub static DUMP: Spec = Spec {
    name: "dump",
    full_name: "DUMP",
    summary: "Return a serialized version of the value stored at the specified key.",
    since: "2.6.0",
    group: "generic",
    complexity: "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis \
         objects composing the value and M their average size. For small string values the time complexity \
         is thus O(1)+O(1*M) where M is small, so simply O(1).",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[Arg::new("key", Kind::Key(0))],
    hints: &["nondeterministic_output"],
    handler: Handler::Run(dump),
    ..Spec::BASE
};

/// As `RESTORE`: a slot never moves here, so that a client is never on its way between two places.
pub static RESTORE_ASKING: Spec = Spec {
    name: "restore-asking",
    full_name: "RESTORE-ASKING",
    summary: "An internal command for migrating keys in a cluster",
    since: "3.0.0",
    group: "server",
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::ASKING]),
    system: true,
    ..RESTORE_FORM
};

pub static RESTORE: Spec = RESTORE_FORM;

#[allow(clippy::declare_interior_mutable_const)] // each declaration has a number of its own
const RESTORE_FORM: Spec = Spec {
    name: "restore",
    full_name: "RESTORE",
    summary: "Create a key using the provided serialized value, previously obtained using DUMP.",
    since: "2.6.0",
    group: "generic",
    complexity: "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is \
         the number of Redis objects composing the value and M their average size. For small string values \
         the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set \
         values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
    arity: -4,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::SLOW, Acl::DANGEROUS]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::OW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("ttl", Kind::Integer),
        Arg::new("serialized-value", Kind::String),
        Arg::flag("replace", "REPLACE").optional().since("3.0.0"),
        Arg::flag("absttl", "ABSTTL").optional().since("5.0.0"),
        Arg::new("seconds", Kind::Integer).token("IDLETIME").optional().since("5.0.0"),
        Arg::new("frequency", Kind::Integer).token("FREQ").optional().since("5.0.0"),
    ],
    history: &[
        ("3.0.0", "Added the `REPLACE` modifier."),
        ("5.0.0", "Added the `ABSTTL` modifier."),
        ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(restore),
    ..Spec::BASE
};

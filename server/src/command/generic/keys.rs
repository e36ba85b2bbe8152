//! `KEYS`, `RANDOMKEY` and `TYPE`.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec};
use crate::config::glob;
use crate::resp::{Failure, Reply};
use crate::value::{Value, chance};

pub static KEYS: Spec = Spec {
    name: "keys",
    full_name: "KEYS",
    summary: "Find all keys matching the given pattern",
    since: "1.0.0",
    group: "generic",
    complexity: "O(N) with N being the number of keys in the database, under the assumption that the key names in \
         the database and the given pattern have limited length.",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("pattern", Kind::Pattern)],
    hints: &["request_policy:all_shards", "nondeterministic_output_order"],
    handler: Handler::Run(keys),
    ..Spec::BASE
};

fn keys(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (now, pattern) = (context.keyspace.now, args.word(1));
    let all = pattern == b"*";
    let entries = context.keyspace.database(context.client.db).table().iter();
    let found =
        entries.filter(|entry| !entry.expired(now) && (all || glob::matches(pattern, entry.key(), false)));
    Ok(Reply::Array(found.map(|entry| Reply::bulk(entry.key())).collect()))
}

pub static RANDOMKEY: Spec = Spec {
    name: "randomkey",
    full_name: "RANDOMKEY",
    summary: "Return a random key from the keyspace",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 1,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::SLOW]),
    hints: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
    handler: Handler::Run(randomkey),
    ..Spec::BASE
};

fn randomkey(context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    // A database of expired keys that a replica must not delete gives up one of them in the end, as in Redis.
    const TRIES: usize = 100;
    let db = context.client.db;
    let mut reply = Reply::Null;
    for _ in 0..TRIES {
        let Some(entry) = context.keyspace.database(db).table().sample(chance::number) else {
            return Ok(Reply::Null);
        };
        let key = entry.key().to_vec();
        let alive = context.keyspace.exists(db, &key);
        reply = Reply::Bulk(key.into());
        if alive {
            break;
        }
    }
    Ok(reply)
}

pub static TYPE: Spec = Spec {
    name: "type",
    full_name: "TYPE",
    summary: "Determine the type stored at key",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0))],
    handler: Handler::Run(type_name),
    ..Spec::BASE
};

fn type_name(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let entry = context.keyspace.look(context.client.db, args.word(1));
    Ok(Reply::Simple(entry.map_or("none", |entry| Value::type_name(&entry.value))))
}

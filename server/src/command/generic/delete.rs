//! `DEL`, `UNLINK`, `EXISTS` and `TOUCH`: keys gone, there, or used.

use crate::command::spec::{Acl, Arg, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Class, Context, Flags, Handler, Spec};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};

pub static DEL: Spec = Spec {
    name: "del",
    full_name: "DEL",
    summary: "Delete a key",
    since: "1.0.0",
    group: "generic",
    complexity: "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other \
         than a string, the individual complexity for this key is O(M) where M is the number of elements \
         in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::SLOW]),
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::of(&[KeyFlags::RM, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple()],
    hints: &["request_policy:multi_shard", "response_policy:agg_sum"],
    handler: Handler::Run(del),
    ..Spec::BASE
};

pub static UNLINK: Spec = Spec {
    name: "unlink",
    full_name: "UNLINK",
    summary: "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.",
    since: "4.0.0",
    group: "generic",
    complexity: "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different \
         thread in order to reclaim memory, where N is the number of allocations the deleted objects where \
         composed of.",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::FAST]),
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::of(&[KeyFlags::RM, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple()],
    hints: &["request_policy:multi_shard", "response_policy:agg_sum"],
    handler: Handler::Run(unlink),
    ..Spec::BASE
};

fn del(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let lazy = context.server.config.lazyfree_lazy_user_del;
    Ok(delete(context, args, lazy))
}

fn unlink(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(delete(context, args, true))
}

fn delete(context: &mut Context<'_>, args: &Args<'_>, lazy: bool) -> Reply {
    let db = context.client.db;
    let mut count = 0;
    for key in args.request().rest(1) {
        if context.keyspace.exists(db, key) {
            context.keyspace.change_lazily(&Effect::Delete { db, key }, lazy);
            context.notify(Class::Generic, "del", key);
            count += 1;
        }
    }
    Reply::Int(count)
}

pub static EXISTS: Spec = Spec {
    name: "exists",
    full_name: "EXISTS",
    summary: "Determine if a key exists",
    since: "1.0.0",
    group: "generic",
    complexity: "O(N) where N is the number of keys to check.",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::FAST]),
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple()],
    history: &[("3.0.3", "Accepts multiple `key` arguments.")],
    hints: &["request_policy:multi_shard", "response_policy:agg_sum"],
    handler: Handler::Run(exists),
    ..Spec::BASE
};

fn exists(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let db = context.client.db;
    Ok(args.request().rest(1).filter(|key| context.keyspace.look(db, key).is_some()).count().into())
}

pub static TOUCH: Spec = Spec {
    name: "touch",
    full_name: "TOUCH",
    summary: "Alters the last access time of a key(s). Returns the number of existing keys specified.",
    since: "3.2.1",
    group: "generic",
    complexity: "O(N) where N is the number of keys that will be touched.",
    arity: -2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::FAST]),
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple()],
    hints: &["request_policy:multi_shard", "response_policy:agg_sum"],
    handler: Handler::Run(touch),
    ..Spec::BASE
};

fn touch(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let db = context.client.db;
    Ok(args.request().rest(1).filter(|key| context.keyspace.read(db, key).is_some()).count().into())
}

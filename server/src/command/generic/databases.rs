//! `DBSIZE`, `FLUSHDB`, `FLUSHALL` and `SWAPDB`: whole databases.

use crate::command::spec::{Acl, Arg, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec, errors};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};
use crate::value::number;

pub static DBSIZE: Spec = Spec {
    name: "dbsize",
    full_name: "DBSIZE",
    summary: "Return the number of keys in the selected database",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 1,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::READ, Acl::FAST]),
    hints: &["request_policy:all_shards", "response_policy:agg_sum"],
    handler: Handler::Run(dbsize),
    ..Spec::BASE
};

fn dbsize(context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(context.keyspace.database(context.client.db).len().into())
}

pub static FLUSHDB: Spec = Spec {
    name: "flushdb",
    full_name: "FLUSHDB",
    summary: "Remove all keys from the current database",
    since: "1.0.0",
    group: "server",
    complexity: "O(N) where N is the number of keys in the selected database",
    arity: -1,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new(
        "async",
        Kind::OneOf(&[Arg::flag("async", "ASYNC").since("4.0.0"), Arg::flag("sync", "SYNC").since("6.2.0")]),
    )
    .optional()],
    history: &[
        ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
        ("6.2.0", "Added the `SYNC` flushing mode modifier."),
    ],
    hints: &["request_policy:all_shards", "response_policy:all_succeeded"],
    handler: Handler::Run(flushdb),
    ..Spec::BASE
};

/// Whether what goes is freed in the background.
fn lazily(context: &Context<'_>, args: &Args<'_>) -> bool {
    !args.has("sync") && (args.has("async") || context.server.config.lazyfree_lazy_user_flush)
}

fn flushdb(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let db = context.client.db;
    if context.keyspace.database(db).is_empty() {
        context.keyspace.flushed_nothing(db);
    } else {
        let lazy = lazily(context, args);
        context.keyspace.change_lazily(&Effect::FlushDb { db }, lazy);
    }
    Ok(Reply::OK)
}

pub static FLUSHALL: Spec = Spec {
    name: "flushall",
    full_name: "FLUSHALL",
    summary: "Remove all keys from all databases",
    since: "1.0.0",
    group: "server",
    complexity: "O(N) where N is the total number of keys in all databases",
    arity: -1,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new(
        "async",
        Kind::OneOf(&[Arg::flag("async", "ASYNC").since("4.0.0"), Arg::flag("sync", "SYNC").since("6.2.0")]),
    )
    .optional()],
    history: &[
        ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
        ("6.2.0", "Added the `SYNC` flushing mode modifier."),
    ],
    hints: &["request_policy:all_shards", "response_policy:all_succeeded"],
    handler: Handler::Run(flushall),
    ..Spec::BASE
};

fn flushall(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    if context.keyspace.databases().iter().any(|database| !database.is_empty()) {
        let lazy = lazily(context, args);
        context.keyspace.change_lazily(&Effect::FlushAll, lazy);
    } else {
        context.keyspace.flushed_nothing(0);
    }
    Ok(Reply::OK)
}

pub static SWAPDB: Spec = Spec {
    name: "swapdb",
    full_name: "SWAPDB",
    summary: "Swaps two Redis databases",
    since: "4.0.0",
    group: "server",
    complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::FAST, Acl::DANGEROUS]),
    args: &[Arg::new("index1", Kind::Integer), Arg::new("index2", Kind::Integer)],
    handler: Handler::Run(swapdb),
    ..Spec::BASE
};

fn swapdb(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let int = |index, text| {
        let number = number::integer(args.word(index)).and_then(|number| i32::try_from(number).ok());
        number.ok_or(Failure::new(text))
    };
    let (a, b) = (int(1, "ERR invalid first DB index")?, int(2, "ERR invalid second DB index")?);
    let (Some(a), Some(b)) = (context.database(a), context.database(b)) else {
        return Err(errors::DB_INDEX);
    };
    if a != b {
        context.keyspace.change(&Effect::SwapDb { a, b });
    }
    Ok(Reply::OK)
}

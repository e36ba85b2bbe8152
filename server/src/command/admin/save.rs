//! `SAVE`, `BGSAVE`, `BGREWRITEAOF`, `LASTSAVE`: snapshots. The node takes them; here only the words are read.

use crate::command::spec::{Acl, Arg};
use crate::command::{Args, Context, Flags, Handler, Order, Spec, Verdict};
use crate::resp::{Failure, Reply};

pub static BGREWRITEAOF: Spec = Spec {
    name: "bgrewriteaof",
    full_name: "BGREWRITEAOF",
    summary: "Asynchronously rewrite the append-only file",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 1,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::NO_ASYNC_LOADING]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    handler: Handler::Try(bgrewriteaof),
    ..Spec::BASE
};

pub static BGSAVE: Spec = Spec {
    name: "bgsave",
    full_name: "BGSAVE",
    summary: "Asynchronously save the dataset to disk",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    arity: -1,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::NO_ASYNC_LOADING]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::flag("schedule", "SCHEDULE").optional().since("3.2.2")],
    history: &[("3.2.2", "Added the `SCHEDULE` option.")],
    handler: Handler::Try(bgsave),
    ..Spec::BASE
};

pub static LASTSAVE: Spec = Spec {
    name: "lastsave",
    full_name: "LASTSAVE",
    summary: "Get the UNIX time stamp of the last successful save to disk",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 1,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE, Flags::FAST]),
    acl: Acl::of(&[Acl::ADMIN, Acl::FAST, Acl::DANGEROUS]),
    hints: &["nondeterministic_output"],
    handler: Handler::Run(lastsave),
    ..Spec::BASE
};

pub static SAVE: Spec = Spec {
    name: "save",
    full_name: "SAVE",
    summary: "Synchronously save the dataset to disk",
    since: "1.0.0",
    group: "server",
    complexity: "O(N) where N is the total number of keys in all databases",
    arity: 1,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::NO_ASYNC_LOADING, Flags::NO_MULTI]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    handler: Handler::Try(save),
    ..Spec::BASE
};

fn save(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Verdict, Failure> {
    Ok(Verdict::Order(Order::Save { background: false }))
}

/// `SCHEDULE` asks to wait for a running save of the log, of which there is none here: it means the same as without.
fn bgsave(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Verdict, Failure> {
    Ok(Verdict::Order(Order::Save { background: true }))
}

/// The log is never rewritten: a snapshot lets go of the part that it covers.
fn bgrewriteaof(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Verdict, Failure> {
    Ok(Verdict::Order(Order::RewriteLog))
}

fn lastsave(context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(Reply::Int(context.server.persistence.last_save_s as i64))
}

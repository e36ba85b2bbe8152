//! `PING`, `ECHO`, `SELECT`; and the declarations of `QUIT` and `RESET`, which the engine runs.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, Kind, Own, Spec};
use super::super::{Args, Context, errors, int};
use crate::resp::{Failure, Protocol, Reply};

fn ping(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let message = args.request().get(1);
    if context.client.subscriptions() > 0 && context.client.protocol == Protocol::Resp2 {
        // A client that listens takes arrays only.
        return Ok(Reply::Array(vec![Reply::bulk("pong"), Reply::bulk(message.unwrap_or_default())]));
    }
    Ok(message.map_or(Reply::Simple("PONG"), Reply::bulk))
}

fn echo(_: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(Reply::bulk(args.word(1)))
}

fn select(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let db = int(args.word(1))?;
    if db != 0 && context.server.config.cluster_enabled {
        return Err(Failure::new("ERR SELECT is not allowed in cluster mode"));
    }
    context.client.db = context.database(db).ok_or(errors::DB_INDEX)?;
    Ok(Reply::OK)
}

pub static PING: Spec = Spec {
    name: "ping",
    full_name: "PING",
    summary: "Ping the server",
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: -1,
    flags: Flags::of(&[Flags::FAST]),
    acl: Acl::of(&[Acl::FAST, Acl::CONNECTION]),
    args: &[Arg::new("message", Kind::String).optional()],
    hints: &["request_policy:all_shards", "response_policy:all_succeeded"],
    grammar: Grammar::Bounded,
    handler: Handler::Run(ping),
    ..Spec::BASE
};

pub static ECHO: Spec = Spec {
    name: "echo",
    full_name: "ECHO",
    summary: "Echo the given string",
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE, Flags::FAST]),
    acl: Acl::of(&[Acl::FAST, Acl::CONNECTION]),
    args: &[Arg::new("message", Kind::String)],
    handler: Handler::Run(echo),
    ..Spec::BASE
};

pub static SELECT: Spec = Spec {
    name: "select",
    full_name: "SELECT",
    summary: "Change the selected database for the current connection",
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE, Flags::FAST]),
    acl: Acl::of(&[Acl::FAST, Acl::CONNECTION]),
    args: &[Arg::new("index", Kind::Integer)],
    handler: Handler::Run(select),
    ..Spec::BASE
};

pub static QUIT: Spec = Spec {
    name: "quit",
    full_name: "QUIT",
    summary: "Close the connection",
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: -1,
    flags: Flags::of(&[
        Flags::NOSCRIPT,
        Flags::LOADING,
        Flags::STALE,
        Flags::FAST,
        Flags::NO_AUTH,
        Flags::ALLOW_BUSY,
    ]),
    acl: Acl::of(&[Acl::FAST, Acl::CONNECTION]),
    handler: Handler::Engine(Own::Quit),
    ..Spec::BASE
};

pub static RESET: Spec = Spec {
    name: "reset",
    full_name: "RESET",
    summary: "Reset the connection",
    since: "6.2.0",
    group: "connection",
    complexity: "O(1)",
    arity: 1,
    flags: Flags::of(&[
        Flags::NOSCRIPT,
        Flags::LOADING,
        Flags::STALE,
        Flags::FAST,
        Flags::NO_AUTH,
        Flags::ALLOW_BUSY,
    ]),
    acl: Acl::of(&[Acl::FAST, Acl::CONNECTION]),
    handler: Handler::Engine(Own::Reset),
    ..Spec::BASE
};

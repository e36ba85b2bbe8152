//! `CONFIG`: the settings of the running server.

use crate::command::spec::{Acl, Arg, Kind};
use crate::command::{Args, Context, Flags, Handler, Order, Spec, Verdict};
use crate::resp::{Failure, Reply};

pub static CONFIG_GET: Spec = Spec {
    name: "get",
    full_name: "CONFIG|GET",
    summary: "Get the values of configuration parameters",
    since: "2.0.0",
    group: "server",
    complexity: "O(N) when N is the number of configuration parameters provided",
    arity: -3,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("parameter", Kind::Block(&[Arg::new("parameter", Kind::String)])).multiple()],
    history: &[("7.0.0", "Added the ability to pass multiple pattern parameters in one call")],
    handler: Handler::Run(get),
    ..Spec::BASE
};

pub static CONFIG_HELP: Spec = Spec {
    name: "help",
    full_name: "CONFIG|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "5.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static CONFIG_RESETSTAT: Spec = Spec {
    name: "resetstat",
    full_name: "CONFIG|RESETSTAT",
    summary: "Reset the stats returned by INFO",
    since: "2.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    hints: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    handler: Handler::Run(resetstat),
    ..Spec::BASE
};

pub static CONFIG_REWRITE: Spec = Spec {
    name: "rewrite",
    full_name: "CONFIG|REWRITE",
    summary: "Rewrite the configuration file with the in memory configuration",
    since: "2.8.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    hints: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    handler: Handler::Try(rewrite),
    ..Spec::BASE
};

pub static CONFIG_SET: Spec = Spec {
    name: "set",
    full_name: "CONFIG|SET",
    summary: "Set configuration parameters to the given values",
    since: "2.0.0",
    group: "server",
    complexity: "O(N) when N is the number of configuration parameters provided",
    arity: -4,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new(
        "parameter_value",
        Kind::Block(&[Arg::new("parameter", Kind::String), Arg::new("value", Kind::String)]),
    )
    .multiple()],
    history: &[("7.0.0", "Added the ability to set multiple parameters in one call.")],
    hints: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    handler: Handler::Run(set),
    ..Spec::BASE
};

pub static CONFIG: Spec = Spec {
    name: "config",
    full_name: "CONFIG",
    summary: "A container for server configuration commands",
    since: "2.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[&CONFIG_GET, &CONFIG_HELP, &CONFIG_RESETSTAT, &CONFIG_REWRITE, &CONFIG_SET],
    handler: Handler::Container,
    ..Spec::BASE
};

fn get(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let patterns: Vec<&[u8]> = args.request().rest(2).collect();
    let found = context.server.config.get(&patterns);
    Ok(Reply::Map(found.into_iter().map(|(name, value)| (Reply::text(name), Reply::text(value))).collect()))
}

fn set(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let words: Vec<&[u8]> = args.request().rest(2).collect();
    let (pairs, []) = words.as_chunks::<2>() else { return Err(crate::command::errors::SYNTAX) };
    let changes: Vec<(&[u8], &[u8])> = pairs.iter().map(|[name, value]| (*name, *value)).collect();
    let next = context.server.config.set(&changes);
    let next = next.map_err(|error| Failure::text(format!("ERR {error}")))?;
    context.keyspace.follow(&next);
    let password_changed = next.requirepass != context.server.config.requirepass;
    context.server.configure(next.into());
    if password_changed {
        crate::command::acl::follow_requirepass(context.keyspace, context.server);
    }
    Ok(Reply::OK)
}

fn resetstat(context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    context.server.observed.reset();
    context.keyspace.stats = crate::keyspace::Stats::default();
    context.clients.accepted = 0;
    context.clients.refused = 0;
    context.clients.evicted = 0;
    Ok(Reply::OK)
}

/// It waits for the disk, so the node does it.
fn rewrite(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Verdict, Failure> {
    Ok(Verdict::Order(Order::Rewrite))
}

fn help(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(crate::command::help("CONFIG", HELP))
}

const HELP: &[&str] = &[
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Rewrite the configuration file.",
];

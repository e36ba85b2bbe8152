//! `SLOWLOG`: the commands that took long.

use crate::command::observe::SlowEntry;
use crate::command::spec::{Acl, Arg, Grammar, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec};
use crate::resp::{Failure, Reply};
use crate::value::number;

pub static SLOWLOG_GET: Spec = Spec {
    name: "get",
    full_name: "SLOWLOG|GET",
    summary: "Get the slow log's entries",
    since: "2.2.12",
    group: "server",
    complexity: "O(N) where N is the number of entries returned",
    arity: -2,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("count", Kind::Integer).optional()],
    history: &[("4.0.0", "Added client IP address, port and name to the reply.")],
    hints: &["request_policy:all_nodes", "nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(get),
    ..Spec::BASE
};

pub static SLOWLOG_HELP: Spec = Spec {
    name: "help",
    full_name: "SLOWLOG|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "6.2.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static SLOWLOG_LEN: Spec = Spec {
    name: "len",
    full_name: "SLOWLOG|LEN",
    summary: "Get the slow log's length",
    since: "2.2.12",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    hints: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
    handler: Handler::Run(len),
    ..Spec::BASE
};

pub static SLOWLOG_RESET: Spec = Spec {
    name: "reset",
    full_name: "SLOWLOG|RESET",
    summary: "Clear all entries from the slow log",
    since: "2.2.12",
    group: "server",
    complexity: "O(N) where N is the number of entries in the slowlog",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    hints: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    handler: Handler::Run(reset),
    ..Spec::BASE
};

pub static SLOWLOG: Spec = Spec {
    name: "slowlog",
    full_name: "SLOWLOG",
    summary: "A container for slow log commands",
    since: "2.2.12",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[&SLOWLOG_GET, &SLOWLOG_HELP, &SLOWLOG_LEN, &SLOWLOG_RESET],
    handler: Handler::Container,
    ..Spec::BASE
};

fn get(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    if args.len() > 3 {
        let given = String::from_utf8_lossy(args.word(1));
        return Err(Failure::text(format!(
            "ERR unknown subcommand or wrong number of arguments for '{given}'. Try SLOWLOG HELP."
        )));
    }
    let count = match args.request().get(2).map(number::integer) {
        None => 10,
        Some(Some(-1)) => usize::MAX,
        Some(Some(count)) if count >= 0 => count as usize,
        Some(_) => return Err(Failure::new("ERR count should be greater than or equal to -1")),
    };
    Ok(Reply::Array(context.server.observed.slow.newest().take(count).map(shown).collect()))
}

pub(super) fn shown(entry: &SlowEntry) -> Reply {
    Reply::Array(vec![
        Reply::Int(entry.id),
        Reply::Int(entry.time_s as i64),
        Reply::Int(entry.amount as i64),
        Reply::Array(entry.words.iter().map(Reply::bulk).collect()),
        Reply::bulk(&entry.address),
        Reply::Bulk(entry.name.clone()),
    ])
}

fn len(context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(context.server.observed.slow.newest().len().into())
}

fn reset(context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    context.server.observed.slow.clear();
    Ok(Reply::OK)
}

fn help(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(crate::command::help("SLOWLOG", HELP))
}

const HELP: &[&str] = &[
    "GET [<count>]",
    "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
    "    Entries are made of:",
    "    id, timestamp, time in microseconds, arguments array, client IP and port,",
    "    client name",
    "LEN",
    "    Return the length of the slowlog.",
    "RESET",
    "    Reset the slowlog.",
];

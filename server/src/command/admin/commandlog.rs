//! `COMMANDLOG` of Valkey: the commands that took long, were sent in many bytes, or answered in many.

use super::slowlog::shown;
use crate::command::observe::SlowLog;
use crate::command::spec::{Acl, Arg, Grammar, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec};
use crate::resp::{Failure, Reply};
use crate::value::number;

fn log<'c>(context: &'c mut Context<'_>, kind: &[u8]) -> Result<&'c mut SlowLog, Failure> {
    let observed = &mut context.server.observed;
    match kind.to_ascii_lowercase().as_slice() {
        b"slow" => Ok(&mut observed.slow),
        b"large-request" => Ok(&mut observed.large_requests),
        b"large-reply" => Ok(&mut observed.large_replies),
        _ => Err(Failure::new("ERR type should be one of the following: slow, large-request, large-reply")),
    }
}

fn get(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    const COUNT: Failure = Failure::new("ERR count should be greater than or equal to -1");
    let count = match number::integer(args.word(2)).ok_or(COUNT)? {
        -1 => usize::MAX,
        count => usize::try_from(count).map_err(|_| COUNT)?,
    };
    let log = log(context, args.word(3))?;
    Ok(Reply::Array(log.newest().take(count).map(shown).collect()))
}

fn len(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(log(context, args.word(2))?.newest().len().into())
}

fn reset(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    log(context, args.word(2))?.clear();
    Ok(Reply::OK)
}

fn help(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(crate::command::help("COMMANDLOG", HELP))
}

const HELP: &[&str] = &[
    "GET <count> <type>",
    "    Return top <count> entries of the specified <type> from the commandlog (-1 mean all).",
    "    Entries are made of:",
    "    id, timestamp,",
    "        time in microseconds for type of slow,",
    "        or size in bytes for type of large-request,",
    "        or size in bytes for type of large-reply",
    "    arguments array, client IP and port,",
    "    client name",
    "LEN <type>",
    "    Return the length of the specified type of commandlog.",
    "RESET <type>",
    "    Reset the specified type of commandlog.",
];

const TYPE: Arg = Arg::new(
    "type",
    Kind::OneOf(&[
        Arg::new("slow", Kind::String),
        Arg::new("large-request", Kind::String),
        Arg::new("large-reply", Kind::String),
    ]),
);

pub static COMMANDLOG_GET: Spec = Spec {
    name: "get",
    full_name: "COMMANDLOG|GET",
    summary: "Returns the specified command log's entries.",
    since: "8.1.0",
    group: "server",
    complexity: "O(N) where N is the number of entries returned",
    arity: 4,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("count", Kind::Integer), TYPE],
    hints: &["request_policy:all_nodes", "nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(get),
    ..Spec::BASE
};

pub static COMMANDLOG_HELP: Spec = Spec {
    name: "help",
    full_name: "COMMANDLOG|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "8.1.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static COMMANDLOG_LEN: Spec = Spec {
    name: "len",
    full_name: "COMMANDLOG|LEN",
    summary: "Returns the number of entries in the specified type of command log.",
    since: "8.1.0",
    group: "server",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[TYPE],
    hints: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(len),
    ..Spec::BASE
};

pub static COMMANDLOG_RESET: Spec = Spec {
    name: "reset",
    full_name: "COMMANDLOG|RESET",
    summary: "Clears all entries from the specified type of command log.",
    since: "8.1.0",
    group: "server",
    complexity: "O(N) where N is the number of entries in the commandlog",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[TYPE],
    hints: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    grammar: Grammar::Own,
    handler: Handler::Run(reset),
    ..Spec::BASE
};

pub static COMMANDLOG: Spec = Spec {
    name: "commandlog",
    full_name: "COMMANDLOG",
    summary: "A container for command log commands.",
    since: "8.1.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[&COMMANDLOG_GET, &COMMANDLOG_HELP, &COMMANDLOG_LEN, &COMMANDLOG_RESET],
    handler: Handler::Container,
    ..Spec::BASE
};

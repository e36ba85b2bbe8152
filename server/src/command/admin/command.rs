//! `COMMAND`: the declarations, told to clients.

use crate::command::describe::{self, docs as documentation, info as entry};
use crate::command::spec::{Acl, Arg, KeyFlags, Kind};
use crate::command::{self, Args, Context, Flags, Grammar, Handler, Spec, keys};
use crate::config::glob;
use crate::resp::{Batch, Failure, Reply};

pub static COMMAND_COUNT: Spec = Spec {
    name: "count",
    full_name: "COMMAND|COUNT",
    summary: "Get total number of Redis commands",
    since: "2.8.13",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    handler: Handler::Run(count),
    ..Spec::BASE
};

pub static COMMAND_DOCS: Spec = Spec {
    name: "docs",
    full_name: "COMMAND|DOCS",
    summary: "Get array of specific Redis command documentation",
    since: "7.0.0",
    group: "server",
    complexity: "O(N) where N is the number of commands to look up",
    arity: -2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    args: &[Arg::new("command-name", Kind::String).optional().multiple()],
    hints: &["nondeterministic_output_order"],
    handler: Handler::Run(docs),
    ..Spec::BASE
};

pub static COMMAND_GETKEYS: Spec = Spec {
    name: "getkeys",
    full_name: "COMMAND|GETKEYS",
    summary: "Extract keys given a full Redis command",
    since: "2.8.13",
    group: "server",
    complexity: "O(N) where N is the number of arguments to the command",
    arity: -3,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    grammar: Grammar::Own,
    handler: Handler::Run(getkeys),
    ..Spec::BASE
};

pub static COMMAND_GETKEYSANDFLAGS: Spec = Spec {
    name: "getkeysandflags",
    full_name: "COMMAND|GETKEYSANDFLAGS",
    summary: "Extract keys and access flags given a full Redis command",
    since: "7.0.0",
    group: "server",
    complexity: "O(N) where N is the number of arguments to the command",
    arity: -3,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    grammar: Grammar::Own,
    handler: Handler::Run(getkeysandflags),
    ..Spec::BASE
};

pub static COMMAND_HELP: Spec = Spec {
    name: "help",
    full_name: "COMMAND|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "5.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static COMMAND_INFO: Spec = Spec {
    name: "info",
    full_name: "COMMAND|INFO",
    summary: "Get array of specific Redis command details, or all when no argument is given.",
    since: "2.8.13",
    group: "server",
    complexity: "O(N) where N is the number of commands to look up",
    arity: -2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    args: &[Arg::new("command-name", Kind::String).optional().multiple()],
    history: &[("7.0.0", "Allowed to be called with no argument to get info on all commands.")],
    hints: &["nondeterministic_output_order"],
    handler: Handler::Run(info),
    ..Spec::BASE
};

pub static COMMAND_LIST: Spec = Spec {
    name: "list",
    full_name: "COMMAND|LIST",
    summary: "Get an array of Redis command names",
    since: "7.0.0",
    group: "server",
    complexity: "O(N) where N is the total number of Redis commands",
    arity: -2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    args: &[Arg::new(
        "filterby",
        Kind::OneOf(&[
            Arg::new("module-name", Kind::String).token("MODULE"),
            Arg::new("category", Kind::String).token("ACLCAT"),
            Arg::new("pattern", Kind::Pattern).token("PATTERN"),
        ]),
    )
    .token("FILTERBY")
    .optional()],
    hints: &["nondeterministic_output_order"],
    handler: Handler::Run(list),
    ..Spec::BASE
};

pub static COMMAND: Spec = Spec {
    name: "command",
    full_name: "COMMAND",
    summary: "Get array of Redis command details",
    since: "2.8.13",
    group: "server",
    complexity: "O(N) where N is the total number of Redis commands",
    arity: -1,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    subcommands: &[
        &COMMAND_COUNT,
        &COMMAND_DOCS,
        &COMMAND_GETKEYS,
        &COMMAND_GETKEYSANDFLAGS,
        &COMMAND_HELP,
        &COMMAND_INFO,
        &COMMAND_LIST,
    ],
    hints: &["nondeterministic_output_order"],
    handler: Handler::Run(all_entries),
    ..Spec::BASE
};

fn all_entries(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(Reply::Array(command::all().map(entry).collect()))
}

fn count(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(command::all().count().into())
}

fn info(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    if args.len() == 2 {
        return all_entries(context, args);
    }
    let entries = args.request().rest(2).map(|name| find(name).map_or(Reply::Null, entry));
    Ok(Reply::Array(entries.collect()))
}

fn docs(_context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let pair = |spec: &Spec| (describe::name(spec), documentation(spec));
    Ok(Reply::Map(if args.len() == 2 {
        command::all().map(pair).collect()
    } else {
        args.request().rest(2).filter_map(find).map(pair).collect()
    }))
}

/// The command of that name, or the subcommand as in `client|list`.
fn find(name: &[u8]) -> Option<&'static Spec> {
    let mut parts = name.splitn(2, |byte| *byte == b'|');
    let spec = command::find(parts.next()?)?;
    match parts.next() {
        None => Some(spec),
        Some(sub) => subcommand(spec, sub),
    }
}

fn subcommand(spec: &'static Spec, name: &[u8]) -> Option<&'static Spec> {
    spec.subcommands.iter().find(|sub| name.eq_ignore_ascii_case(sub.name.as_bytes())).copied()
}

fn list(_context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let all = command::all().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands.iter().copied()));
    let names = |wanted: &dyn Fn(&Spec) -> bool| {
        Reply::Array(all.filter(|spec| wanted(spec)).map(describe::name).collect())
    };
    Ok(if args.has("module-name") {
        names(&|_| false)
    } else if let Some(category) = args.value("category") {
        let category = Acl::named(category);
        names(&|spec| category.is_some_and(|category| spec.acl.has(category)))
    } else if let Some(pattern) = args.value("pattern") {
        names(&|spec| glob::matches(pattern, spec.full_name.as_bytes(), true))
    } else {
        names(&|_| true)
    })
}

fn getkeys(_context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    keys_of(args, |key, _| Reply::bulk(key))
}

fn getkeysandflags(_context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    keys_of(args, |key, flags| {
        let flags = Reply::Set(flags.names().map(Reply::Simple).collect());
        Reply::Array(vec![Reply::bulk(key), flags])
    })
}

fn keys_of(args: &Args<'_>, say: impl Fn(&[u8], KeyFlags) -> Reply) -> Result<Reply, Failure> {
    let words: Vec<&[u8]> = args.request().rest(2).collect();
    let batch = Batch::of(&words);
    let request = batch.get(0);
    let mut spec = command::find(request.arg(0)).ok_or(INVALID_COMMAND)?;
    if let Some(word) = request.get(1).filter(|_| !spec.subcommands.is_empty()) {
        spec = subcommand(spec, word).ok_or(INVALID_COMMAND)?;
    }
    if !describe::has_keys(spec) {
        return Err(Failure::new("ERR The command has no key arguments"));
    }
    if !spec.takes(request.len()) {
        return Err(Failure::new("ERR Invalid number of arguments specified for command"));
    }
    let found = keys::with_flags(spec, request).filter(|found| !found.is_empty());
    match found {
        Some(found) => {
            Ok(Reply::Array(found.into_iter().map(|(index, flags)| say(request.arg(index), flags)).collect()))
        }
        None if describe::may_lack_keys(spec) => Ok(Reply::Array(Vec::new())),
        None => Err(Failure::new("ERR Invalid arguments specified for command")),
    }
}

const INVALID_COMMAND: Failure = Failure::new("ERR Invalid command specified");

fn help(_context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(command::help("COMMAND", HELP))
}

const HELP: &[&str] = &[
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
];

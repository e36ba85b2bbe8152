//! `SCRIPT`: the scripts that are kept, and the one that runs.

use crate::command::spec::{Acl, Arg, Kind, Scripting};
use crate::command::{self, Args, Context, Flags, Grammar, Handler, Spec};
use crate::resp::{Failure, Reply};

/// There is no debugger: only that it is off can be asked for.
fn debug(_: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let mode = args.word(2);
    if mode.eq_ignore_ascii_case(b"no") {
        Ok(Reply::OK)
    } else if mode.eq_ignore_ascii_case(b"yes") || mode.eq_ignore_ascii_case(b"sync") {
        Err(Failure::new("ERR the script debugger is not supported"))
    } else {
        Err(Failure::new("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
    }
}

fn help(_: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    Ok(command::help(
        "SCRIPT",
        &[
            "DEBUG (YES|SYNC|NO)",
            "    Set the debug mode for subsequent scripts executed.",
            "EXISTS <sha1> [<sha1> ...]",
            "    Return information about the existence of the scripts in the script cache.",
            "FLUSH [ASYNC|SYNC]",
            "    Flush the Lua scripts cache. Very dangerous on replicas.",
            "    When called without the optional mode argument, the behavior is determined by the",
            "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the scripts cache.",
            "    * SYNC: Synchronously flush the scripts cache.",
            "KILL",
            "    Kill the currently executing Lua script.",
            "LOAD <script>",
            "    Load a script into the scripts cache without executing it.",
            "SHOW <sha1>",
            "    Show a script from the scripts cache.",
        ],
    ))
}

pub static SCRIPT_DEBUG: Spec = Spec {
    name: "debug",
    full_name: "SCRIPT|DEBUG",
    summary: "Set the debug mode for executed scripts.",
    since: "3.2.0",
    group: "scripting",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::NOSCRIPT]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    args: &[Arg::new(
        "mode",
        Kind::OneOf(&[Arg::flag("yes", "YES"), Arg::flag("sync", "SYNC"), Arg::flag("no", "NO")]),
    )],
    grammar: Grammar::Own,
    handler: Handler::Run(debug),
    ..Spec::BASE
};

pub static SCRIPT_EXISTS: Spec = Spec {
    name: "exists",
    full_name: "SCRIPT|EXISTS",
    summary: "Check existence of scripts in the script cache.",
    since: "2.6.0",
    group: "scripting",
    complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) \
         operation).",
    arity: -3,
    flags: Flags::of(&[Flags::NOSCRIPT]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    args: &[Arg::new("sha1", Kind::String).multiple()],
    hints: &["request_policy:all_shards", "response_policy:agg_logical_and"],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::Exists),
    ..Spec::BASE
};

pub static SCRIPT_FLUSH: Spec = Spec {
    name: "flush",
    full_name: "SCRIPT|FLUSH",
    summary: "Remove all the scripts from the script cache.",
    since: "2.6.0",
    group: "scripting",
    complexity: "O(N) with N being the number of scripts in cache",
    arity: -2,
    flags: Flags::of(&[Flags::NOSCRIPT]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    args: &[Arg::new("async", Kind::OneOf(&[Arg::flag("async", "ASYNC"), Arg::flag("sync", "SYNC")]))
        .optional()
        .since("6.2.0")],
    history: &[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")],
    hints: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::Flush),
    ..Spec::BASE
};

pub static SCRIPT_HELP: Spec = Spec {
    name: "help",
    full_name: "SCRIPT|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "5.0.0",
    group: "scripting",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static SCRIPT_KILL: Spec = Spec {
    name: "kill",
    full_name: "SCRIPT|KILL",
    summary: "Kill the script currently in execution.",
    since: "2.6.0",
    group: "scripting",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::ALLOW_BUSY]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    hints: &["request_policy:all_shards", "response_policy:one_succeeded"],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::Kill),
    ..Spec::BASE
};

pub static SCRIPT_LOAD: Spec = Spec {
    name: "load",
    full_name: "SCRIPT|LOAD",
    summary: "Load the specified Lua script into the script cache.",
    since: "2.6.0",
    group: "scripting",
    complexity: "O(N) with N being the length in bytes of the script body.",
    arity: 3,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    args: &[Arg::new("script", Kind::String)],
    hints: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::Load),
    ..Spec::BASE
};

pub static SCRIPT_SHOW: Spec = Spec {
    name: "show",
    full_name: "SCRIPT|SHOW",
    summary: "Show server-side Lua script in the script cache.",
    since: "8.0.0",
    group: "scripting",
    complexity: "O(1).",
    arity: 3,
    flags: Flags::of(&[Flags::NOSCRIPT]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    args: &[Arg::new("sha1", Kind::String)],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::Show),
    ..Spec::BASE
};

pub static SCRIPT: Spec = Spec {
    name: "script",
    full_name: "SCRIPT",
    summary: "A container for Lua scripts management commands",
    since: "2.6.0",
    group: "scripting",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[
        &SCRIPT_DEBUG,
        &SCRIPT_EXISTS,
        &SCRIPT_FLUSH,
        &SCRIPT_HELP,
        &SCRIPT_KILL,
        &SCRIPT_LOAD,
        &SCRIPT_SHOW,
    ],
    handler: Handler::Container,
    ..Spec::BASE
};

//! `FUNCTION`: libraries of functions, kept with the data.

use crate::command::spec::{Acl, Arg, Kind, Scripting};
use crate::command::{self, Args, Context, Flags, Grammar, Handler, Spec};
use crate::resp::{Failure, Reply};

fn help(_: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    Ok(command::help(
        "FUNCTION",
        &[
            "LOAD [REPLACE] <FUNCTION CODE>",
            "    Create a new library with the given library name and code.",
            "DELETE <LIBRARY NAME>",
            "    Delete the given library.",
            "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
            "    Return general information on all the libraries:",
            "    * Library name",
            "    * The engine used to run the Library",
            "    * Functions list",
            "    * Library code (if WITHCODE is given)",
            "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
            "STATS",
            "    Return information about the current function running:",
            "    * Function name",
            "    * Command used to run the function",
            "    * Duration in MS that the function is running",
            "    If no function is running, return nil",
            "    In addition, returns a list of available engines.",
            "KILL",
            "    Kill the current running function.",
            "FLUSH [ASYNC|SYNC]",
            "    Delete all the libraries.",
            "    When called without the optional mode argument, the behavior is determined by the",
            "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the libraries.",
            "    * SYNC: Synchronously flush the libraries.",
            "DUMP",
            "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
            "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
            "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
            "    control how to handle existing libraries (default APPEND):",
            "    * FLUSH: delete all existing libraries.",
            "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
            "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
            "      libraries with the new libraries (notice that even on this option there is a chance of failure",
            "      in case of functions name collision with another library).",
        ],
    ))
}

pub static FUNCTION_DELETE: Spec = Spec {
    name: "delete",
    full_name: "FUNCTION|DELETE",
    summary: "Delete a function by name",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::WRITE, Flags::NOSCRIPT]),
    acl: Acl::of(&[Acl::WRITE, Acl::SLOW, Acl::SCRIPTING]),
    args: &[Arg::new("library-name", Kind::String)],
    hints: &["request_policy:all_shards", "response_policy:all_succeeded"],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::FunctionDelete),
    ..Spec::BASE
};

pub static FUNCTION_DUMP: Spec = Spec {
    name: "dump",
    full_name: "FUNCTION|DUMP",
    summary: "Dump all functions into a serialized binary payload",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(N) where N is the number of functions",
    arity: 2,
    flags: Flags::of(&[Flags::NOSCRIPT]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::FunctionDump),
    ..Spec::BASE
};

pub static FUNCTION_FLUSH: Spec = Spec {
    name: "flush",
    full_name: "FUNCTION|FLUSH",
    summary: "Deleting all functions",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(N) where N is the number of functions deleted",
    arity: -2,
    flags: Flags::of(&[Flags::WRITE, Flags::NOSCRIPT]),
    acl: Acl::of(&[Acl::WRITE, Acl::SLOW, Acl::SCRIPTING]),
    args: &[
        Arg::new("async", Kind::OneOf(&[Arg::flag("async", "ASYNC"), Arg::flag("sync", "SYNC")])).optional()
    ],
    hints: &["request_policy:all_shards", "response_policy:all_succeeded"],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::FunctionFlush),
    ..Spec::BASE
};

pub static FUNCTION_HELP: Spec = Spec {
    name: "help",
    full_name: "FUNCTION|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static FUNCTION_KILL: Spec = Spec {
    name: "kill",
    full_name: "FUNCTION|KILL",
    summary: "Kill the function currently in execution.",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::ALLOW_BUSY]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    hints: &["request_policy:all_shards", "response_policy:one_succeeded"],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::FunctionKill),
    ..Spec::BASE
};

pub static FUNCTION_LIST: Spec = Spec {
    name: "list",
    full_name: "FUNCTION|LIST",
    summary: "List information about all the functions",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(N) where N is the number of functions",
    arity: -2,
    flags: Flags::of(&[Flags::NOSCRIPT]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    args: &[
        Arg::new("library-name-pattern", Kind::String).token("LIBRARYNAME").optional(),
        Arg::flag("withcode", "WITHCODE").optional(),
    ],
    hints: &["nondeterministic_output_order"],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::FunctionList),
    ..Spec::BASE
};

pub static FUNCTION_LOAD: Spec = Spec {
    name: "load",
    full_name: "FUNCTION|LOAD",
    summary: "Create a function with the given arguments (name, code, description)",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(1) (considering compilation time is redundant)",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::NOSCRIPT]),
    acl: Acl::of(&[Acl::WRITE, Acl::SLOW, Acl::SCRIPTING]),
    args: &[Arg::flag("replace", "REPLACE").optional(), Arg::new("function-code", Kind::String)],
    hints: &["request_policy:all_shards", "response_policy:all_succeeded"],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::FunctionLoad),
    ..Spec::BASE
};

pub static FUNCTION_RESTORE: Spec = Spec {
    name: "restore",
    full_name: "FUNCTION|RESTORE",
    summary: "Restore all the functions on the given payload",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(N) where N is the number of functions on the payload",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::NOSCRIPT]),
    acl: Acl::of(&[Acl::WRITE, Acl::SLOW, Acl::SCRIPTING]),
    args: &[
        Arg::new("serialized-value", Kind::String),
        Arg::new(
            "policy",
            Kind::OneOf(&[
                Arg::flag("flush", "FLUSH"),
                Arg::flag("append", "APPEND"),
                Arg::flag("replace", "REPLACE"),
            ]),
        )
        .optional(),
    ],
    hints: &["request_policy:all_shards", "response_policy:all_succeeded"],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::FunctionRestore),
    ..Spec::BASE
};

pub static FUNCTION_STATS: Spec = Spec {
    name: "stats",
    full_name: "FUNCTION|STATS",
    summary: "Return information about the function currently running (name, description, duration)",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::ALLOW_BUSY]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    hints: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::FunctionStats),
    ..Spec::BASE
};

pub static FUNCTION: Spec = Spec {
    name: "function",
    full_name: "FUNCTION",
    summary: "A container for function commands",
    since: "7.0.0",
    group: "scripting",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[
        &FUNCTION_DELETE,
        &FUNCTION_DUMP,
        &FUNCTION_FLUSH,
        &FUNCTION_HELP,
        &FUNCTION_KILL,
        &FUNCTION_LIST,
        &FUNCTION_LOAD,
        &FUNCTION_RESTORE,
        &FUNCTION_STATS,
    ],
    handler: Handler::Container,
    ..Spec::BASE
};

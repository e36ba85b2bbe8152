//! `ACL`: users and their rights.
//!
//! The room `acl` has the rules; here they meet commands ([`permit`]), the log ([`change`]), the configuration
//! ([`start`]) and clients. Files are read and written by the node.

mod ask;
mod change;
mod permit;
mod start;

use std::sync::LazyLock;

pub use change::{follow_requirepass, replace};
pub use permit::{permitted, reads_every_key, reason, refuse, refuse_login};
pub use start::{configured, lines, logged};

use super::spec::{Acl, Arg, Kind};
use super::{Args, Context, Flags, Grammar, Handler, Order, Spec, Verdict};
use crate::acl::Catalog;
use crate::resp::Failure;

use ask::{cat, dryrun, genpass, getuser, help, list, log, users, whoami};
use change::{deluser, setuser};

/// The commands, as rules name them.
pub fn catalog() -> &'static Catalog {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
        let commands = super::with_subcommands();
        let commands = commands.map(|spec| (spec.full_name.to_ascii_lowercase(), spec.acl.0));
        Catalog::new(
            commands,
            Acl(u32::MAX).names().filter_map(|name| Some((name, Acl::named(name.as_bytes())?.0))),
        )
    });
    &CATALOG
}

/// Both need a file to be named.
fn file(context: &Context<'_>) -> Result<(), Failure> {
    const NONE: Failure = Failure::new(
        "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER \
         command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store \
         users in the Redis configuration.",
    );
    if context.server.config.aclfile.is_none() { Err(NONE) } else { Ok(()) }
}

fn load(context: &mut Context<'_>, _: &Args<'_>) -> Result<Verdict, Failure> {
    file(context)?;
    Ok(Verdict::Order(Order::LoadUsers))
}

fn save(context: &mut Context<'_>, _: &Args<'_>) -> Result<Verdict, Failure> {
    file(context)?;
    Ok(Verdict::Order(Order::SaveUsers))
}

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[&ACL];

pub static ACL_CAT: Spec = Spec {
    name: "cat",
    full_name: "ACL|CAT",
    summary: "List the ACL categories or the commands inside a category",
    since: "6.0.0",
    group: "server",
    complexity: "O(1) since the categories and commands are a fixed set.",
    arity: -2,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    args: &[Arg::new("categoryname", Kind::String).optional()],
    grammar: Grammar::Own,
    handler: Handler::Run(cat),
    ..Spec::BASE
};

pub static ACL_DELUSER: Spec = Spec {
    name: "deluser",
    full_name: "ACL|DELUSER",
    summary: "Remove the specified ACL users and the associated rules",
    since: "6.0.0",
    group: "server",
    complexity: "O(1) amortized time considering the typical user.",
    arity: -3,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("username", Kind::String).multiple()],
    hints: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    handler: Handler::Run(deluser),
    ..Spec::BASE
};

pub static ACL_DRYRUN: Spec = Spec {
    name: "dryrun",
    full_name: "ACL|DRYRUN",
    summary: "Returns whether the user can execute the given command without executing the command.",
    since: "7.0.0",
    group: "server",
    complexity: "O(1).",
    arity: -4,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[
        Arg::new("username", Kind::String),
        Arg::new("command", Kind::String),
        Arg::new("arg", Kind::String).optional().multiple(),
    ],
    handler: Handler::Run(dryrun),
    ..Spec::BASE
};

pub static ACL_GENPASS: Spec = Spec {
    name: "genpass",
    full_name: "ACL|GENPASS",
    summary: "Generate a pseudorandom secure password to use for ACL users",
    since: "6.0.0",
    group: "server",
    complexity: "O(1)",
    arity: -2,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    args: &[Arg::new("bits", Kind::Integer).optional()],
    grammar: Grammar::Own,
    handler: Handler::Run(genpass),
    ..Spec::BASE
};

pub static ACL_GETUSER: Spec = Spec {
    name: "getuser",
    full_name: "ACL|GETUSER",
    summary: "Get the rules for a specific ACL user",
    since: "6.0.0",
    group: "server",
    complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("username", Kind::String)],
    history: &[
        ("6.2.0", "Added Pub/Sub channel patterns."),
        (
            "7.0.0",
            "Added selectors and changed the format of key and channel patterns from a list to their rule \
         representation.",
        ),
    ],
    handler: Handler::Run(getuser),
    ..Spec::BASE
};

pub static ACL_HELP: Spec = Spec {
    name: "help",
    full_name: "ACL|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "6.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static ACL_LIST: Spec = Spec {
    name: "list",
    full_name: "ACL|LIST",
    summary: "List the current ACL rules in ACL config file format",
    since: "6.0.0",
    group: "server",
    complexity: "O(N). Where N is the number of configured users.",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    handler: Handler::Run(list),
    ..Spec::BASE
};

pub static ACL_LOAD: Spec = Spec {
    name: "load",
    full_name: "ACL|LOAD",
    summary: "Reload the ACLs from the configured ACL file",
    since: "6.0.0",
    group: "server",
    complexity: "O(N). Where N is the number of configured users.",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    handler: Handler::Try(load),
    ..Spec::BASE
};

pub static ACL_LOG: Spec = Spec {
    name: "log",
    full_name: "ACL|LOG",
    summary: "List latest events denied because of ACLs in place",
    since: "6.0.0",
    group: "server",
    complexity: "O(N) with N being the number of entries shown.",
    arity: -2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new(
        "operation",
        Kind::OneOf(&[Arg::new("count", Kind::Integer), Arg::flag("reset", "RESET")]),
    )
    .optional()],
    grammar: Grammar::Own,
    handler: Handler::Run(log),
    ..Spec::BASE
};

pub static ACL_SAVE: Spec = Spec {
    name: "save",
    full_name: "ACL|SAVE",
    summary: "Save the current ACL rules in the configured ACL file",
    since: "6.0.0",
    group: "server",
    complexity: "O(N). Where N is the number of configured users.",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    hints: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    handler: Handler::Try(save),
    ..Spec::BASE
};

pub static ACL_SETUSER: Spec = Spec {
    name: "setuser",
    full_name: "ACL|SETUSER",
    summary: "Modify or create the rules for a specific ACL user",
    since: "6.0.0",
    group: "server",
    complexity: "O(N). Where N is the number of rules provided.",
    arity: -3,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("username", Kind::String), Arg::new("rule", Kind::String).optional().multiple()],
    history: &[
        ("6.2.0", "Added Pub/Sub channel patterns."),
        ("7.0.0", "Added selectors and key based permissions."),
    ],
    hints: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    handler: Handler::Run(setuser),
    ..Spec::BASE
};

pub static ACL_USERS: Spec = Spec {
    name: "users",
    full_name: "ACL|USERS",
    summary: "List the username of all the configured ACL rules",
    since: "6.0.0",
    group: "server",
    complexity: "O(N). Where N is the number of configured users.",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    handler: Handler::Run(users),
    ..Spec::BASE
};

pub static ACL_WHOAMI: Spec = Spec {
    name: "whoami",
    full_name: "ACL|WHOAMI",
    summary: "Return the name of the user associated to the current connection",
    since: "6.0.0",
    group: "server",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    handler: Handler::Run(whoami),
    ..Spec::BASE
};

pub static ACL: Spec = Spec {
    name: "acl",
    full_name: "ACL",
    summary: "A container for Access List Control commands ",
    since: "6.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[
        &ACL_CAT,
        &ACL_DELUSER,
        &ACL_DRYRUN,
        &ACL_GENPASS,
        &ACL_GETUSER,
        &ACL_HELP,
        &ACL_LIST,
        &ACL_LOAD,
        &ACL_LOG,
        &ACL_SAVE,
        &ACL_SETUSER,
        &ACL_USERS,
        &ACL_WHOAMI,
    ],
    handler: Handler::Container,
    ..Spec::BASE
};

//! The declarations of the transaction commands; the engine runs them.

use super::Spec;
use super::spec::{Acl, Arg, Flags, Handler, KeyFlags, KeySpec, Kind, Own};

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[&DISCARD, &EXEC, &MULTI, &UNWATCH, &WATCH];

pub static DISCARD: Spec = Spec {
    name: "discard",
    full_name: "DISCARD",
    summary: "Discard all commands issued after MULTI",
    since: "2.0.0",
    group: "transactions",
    complexity: "O(N), when N is the number of queued commands",
    arity: 1,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE, Flags::FAST, Flags::ALLOW_BUSY]),
    acl: Acl::of(&[Acl::FAST, Acl::TRANSACTION]),
    handler: Handler::Engine(Own::Discard),
    ..Spec::BASE
};

pub static EXEC: Spec = Spec {
    name: "exec",
    full_name: "EXEC",
    summary: "Execute all commands issued after MULTI",
    since: "1.2.0",
    group: "transactions",
    complexity: "Depends on commands in the transaction",
    arity: 1,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE, Flags::SKIP_SLOWLOG]),
    acl: Acl::of(&[Acl::SLOW, Acl::TRANSACTION]),
    handler: Handler::Engine(Own::Exec),
    ..Spec::BASE
};

pub static MULTI: Spec = Spec {
    name: "multi",
    full_name: "MULTI",
    summary: "Mark the start of a transaction block",
    since: "1.2.0",
    group: "transactions",
    complexity: "O(1)",
    arity: 1,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE, Flags::FAST, Flags::ALLOW_BUSY]),
    acl: Acl::of(&[Acl::FAST, Acl::TRANSACTION]),
    handler: Handler::Engine(Own::Multi),
    ..Spec::BASE
};

pub static UNWATCH: Spec = Spec {
    name: "unwatch",
    full_name: "UNWATCH",
    summary: "Forget about all watched keys",
    since: "2.2.0",
    group: "transactions",
    complexity: "O(1)",
    arity: 1,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE, Flags::FAST, Flags::ALLOW_BUSY]),
    acl: Acl::of(&[Acl::FAST, Acl::TRANSACTION]),
    handler: Handler::Engine(Own::Unwatch),
    ..Spec::BASE
};

pub static WATCH: Spec = Spec {
    name: "watch",
    full_name: "WATCH",
    summary: "Watch the given keys to determine execution of the MULTI/EXEC block",
    since: "2.2.0",
    group: "transactions",
    complexity: "O(1) for every key.",
    arity: -2,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE, Flags::FAST, Flags::ALLOW_BUSY]),
    acl: Acl::of(&[Acl::FAST, Acl::TRANSACTION]),
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0)).multiple()],
    handler: Handler::Engine(Own::Watch),
    ..Spec::BASE
};

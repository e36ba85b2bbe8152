//! `EVAL`, `EVALSHA`, `FCALL` and their read-only forms: the engine runs them, as they run commands themselves.

use crate::command::spec::{Acl, Arg, Begin, Find, KeyFlags, KeySpec, Kind, Scripting};
use crate::command::{Flags, Grammar, Handler, Spec};

pub static EVAL: Spec = Spec {
    name: "eval",
    full_name: "EVAL",
    summary: "Execute a Lua script server side",
    since: "2.6.0",
    group: "scripting",
    complexity: "Depends on the script that is executed.",
    arity: -3,
    flags: Flags::of(&[
        Flags::NOSCRIPT,
        Flags::STALE,
        Flags::SKIP_MONITOR,
        Flags::NO_MANDATORY_KEYS,
        Flags::MOVABLE_KEYS,
    ]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]),
        begin: Begin::Index(2),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: Some("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE"),
    }],
    args: &[
        Arg::new("script", Kind::String),
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).optional().multiple(),
        Arg::new("arg", Kind::String).optional().multiple(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::Eval),
    ..Spec::BASE
};

pub static EVALSHA: Spec = Spec {
    name: "evalsha",
    full_name: "EVALSHA",
    summary: "Execute a Lua script server side",
    since: "2.6.0",
    group: "scripting",
    complexity: "Depends on the script that is executed.",
    arity: -3,
    flags: Flags::of(&[
        Flags::NOSCRIPT,
        Flags::STALE,
        Flags::SKIP_MONITOR,
        Flags::NO_MANDATORY_KEYS,
        Flags::MOVABLE_KEYS,
    ]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]),
        begin: Begin::Index(2),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: None,
    }],
    args: &[
        Arg::new("sha1", Kind::String),
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).optional().multiple(),
        Arg::new("arg", Kind::String).optional().multiple(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::EvalSha),
    ..Spec::BASE
};

pub static EVAL_RO: Spec = Spec {
    name: "eval_ro",
    full_name: "EVAL_RO",
    summary: "Execute a read-only Lua script server side",
    since: "7.0.0",
    group: "scripting",
    complexity: "Depends on the script that is executed.",
    arity: -3,
    flags: Flags::of(&[
        Flags::READONLY,
        Flags::NOSCRIPT,
        Flags::STALE,
        Flags::SKIP_MONITOR,
        Flags::NO_MANDATORY_KEYS,
        Flags::MOVABLE_KEYS,
    ]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
        begin: Begin::Index(2),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: Some("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS"),
    }],
    args: &[
        Arg::new("script", Kind::String),
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).optional().multiple(),
        Arg::new("arg", Kind::String).optional().multiple(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::EvalRo),
    ..Spec::BASE
};

pub static EVALSHA_RO: Spec = Spec {
    name: "evalsha_ro",
    full_name: "EVALSHA_RO",
    summary: "Execute a read-only Lua script server side",
    since: "7.0.0",
    group: "scripting",
    complexity: "Depends on the script that is executed.",
    arity: -3,
    flags: Flags::of(&[
        Flags::READONLY,
        Flags::NOSCRIPT,
        Flags::STALE,
        Flags::SKIP_MONITOR,
        Flags::NO_MANDATORY_KEYS,
        Flags::MOVABLE_KEYS,
    ]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
        begin: Begin::Index(2),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: None,
    }],
    args: &[
        Arg::new("sha1", Kind::String),
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).optional().multiple(),
        Arg::new("arg", Kind::String).optional().multiple(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::EvalShaRo),
    ..Spec::BASE
};

pub static FCALL: Spec = Spec {
    name: "fcall",
    full_name: "FCALL",
    summary: "Invoke a function",
    since: "7.0.0",
    group: "scripting",
    complexity: "Depends on the function that is executed.",
    arity: -3,
    flags: Flags::of(&[
        Flags::NOSCRIPT,
        Flags::STALE,
        Flags::SKIP_MONITOR,
        Flags::NO_MANDATORY_KEYS,
        Flags::MOVABLE_KEYS,
    ]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::UPDATE]),
        begin: Begin::Index(2),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: Some("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE"),
    }],
    args: &[
        Arg::new("function", Kind::String),
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).optional().multiple(),
        Arg::new("arg", Kind::String).optional().multiple(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::Fcall),
    ..Spec::BASE
};

pub static FCALL_RO: Spec = Spec {
    name: "fcall_ro",
    full_name: "FCALL_RO",
    summary: "Invoke a read-only function",
    since: "7.0.0",
    group: "scripting",
    complexity: "Depends on the function that is executed.",
    arity: -3,
    flags: Flags::of(&[
        Flags::READONLY,
        Flags::NOSCRIPT,
        Flags::STALE,
        Flags::SKIP_MONITOR,
        Flags::NO_MANDATORY_KEYS,
        Flags::MOVABLE_KEYS,
    ]),
    acl: Acl::of(&[Acl::SLOW, Acl::SCRIPTING]),
    keys: &[KeySpec {
        flags: KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]),
        begin: Begin::Index(2),
        find: Find::Count { index: 0, first: 1, step: 1 },
        notes: Some("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS"),
    }],
    args: &[
        Arg::new("function", Kind::String),
        Arg::new("numkeys", Kind::Integer),
        Arg::new("key", Kind::Key(0)).optional().multiple(),
        Arg::new("arg", Kind::String).optional().multiple(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Script(Scripting::FcallRo),
    ..Spec::BASE
};

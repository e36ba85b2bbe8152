//! What a command is: one declaration drives its parser, arity, key positions, flags, ACL categories,
//! `COMMAND INFO` and `COMMAND DOCS`.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::keys::Keys;
use super::{Args, Context, Verdict};
use crate::resp::{Failure, Reply, Request};

/// A set of bits with names, in the order in which `COMMAND INFO` lists them.
macro_rules! bits {
    ($(#[$doc:meta])* $name:ident : $int:ty { $($flag:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name(pub $int);

        #[allow(non_upper_case_globals, dead_code)]
        impl $name {
            bits!(@each $int, 0, $($flag),*);
            const NAMES: &'static [($name, &'static str)] = &[$(($name::$flag, $text)),*];

            #[must_use]
    pub const fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            #[must_use]
    pub const fn or(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            #[must_use]
    pub const fn of(all: &[Self]) -> Self {
                let mut bits = Self(0);
                let mut index = 0;
                while index < all.len() {
                    bits = bits.or(all[index]);
                    index += 1;
                }
                bits
            }

            /// The one of that name, in any case.
            pub fn named(name: &[u8]) -> Option<Self> {
                let same = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
                Self::NAMES.iter().find(|(_, text)| same(text)).map(|(flag, _)| *flag)
            }

            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::NAMES.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
            }
        }
    };
    (@each $int:ty, $at:expr, $flag:ident $(, $rest:ident)*) => {
        pub const $flag: Self = Self(1 << ($at));
        bits!(@each $int, $at + 1, $($rest),*);
    };
    (@each $int:ty, $at:expr,) => {};
}

bits! {
    /// The flags of `COMMAND INFO`.
    Flags: u32 {
        WRITE = "write", READONLY = "readonly", DENYOOM = "denyoom", MODULE = "module", ADMIN = "admin",
        PUBSUB = "pubsub", NOSCRIPT = "noscript", BLOCKING = "blocking", LOADING = "loading", STALE = "stale",
        SKIP_MONITOR = "skip_monitor", SKIP_SLOWLOG = "skip_slowlog", ASKING = "asking", FAST = "fast",
        NO_AUTH = "no_auth", MAY_REPLICATE = "may_replicate", NO_MULTI = "no_multi",
        MOVABLE_KEYS = "movablekeys", ALLOW_BUSY = "allow_busy", NO_MANDATORY_KEYS = "no_mandatory_keys",
        PROTECTED = "protected", NO_ASYNC_LOADING = "no_async_loading",
    }
}

bits! {
    /// ACL categories, those that follow from the flags among them.
    Acl: u32 {
        KEYSPACE = "keyspace", READ = "read", WRITE = "write", SET = "set", SORTEDSET = "sortedset",
        LIST = "list", HASH = "hash", STRING = "string", BITMAP = "bitmap", HYPERLOGLOG = "hyperloglog",
        GEO = "geo", STREAM = "stream", PUBSUB = "pubsub", ADMIN = "admin", FAST = "fast", SLOW = "slow",
        BLOCKING = "blocking", DANGEROUS = "dangerous", CONNECTION = "connection", TRANSACTION = "transaction",
        SCRIPTING = "scripting",
    }
}

bits! {
    /// What a command does with a key.
    KeyFlags: u16 {
        RO = "RO", RW = "RW", OW = "OW", RM = "RM", ACCESS = "access", UPDATE = "update", INSERT = "insert",
        DELETE = "delete", NOT_KEY = "not_key", INCOMPLETE = "incomplete", VARIABLE = "variable_flags",
    }
}

/// Where a run of keys begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    Index(usize),
    /// After this word, looked for from an index on (from the end, if negative).
    Keyword(&'static str, isize),
    /// Only the command itself can tell.
    Unknown,
}

/// Which arguments of the run are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Find {
    /// Up to `last` from the beginning (from the end of the request, if negative), every `step`-th, the
    /// `limit`-th part of them if that is 2 or more.
    Range { last: isize, step: usize, limit: usize },
    /// As many as the number at `index` says, from `first` on.
    Count { index: usize, first: usize, step: usize },
    /// Only the command itself can tell.
    Unknown,
}

#[derive(Debug, Clone, Copy)]
pub struct KeySpec {
    pub flags: KeyFlags,
    pub begin: Begin,
    pub find: Find,
    pub notes: Option<&'static str>,
}

impl KeySpec {
    /// Every `step`-th argument from `first` on, up to `last` after it (from the end, if negative).
    #[must_use]
    pub const fn range(first: usize, last: isize, step: usize, flags: KeyFlags) -> Self {
        let find = Find::Range { last, step, limit: 0 };
        Self { flags, begin: Begin::Index(first), find, notes: None }
    }

    #[must_use]
    pub const fn notes(self, notes: &'static str) -> Self {
        Self { notes: Some(notes), ..self }
    }
}

/// For [`Kind::Key`]: a key that no key spec finds.
pub const NO_KEY_SPEC: usize = usize::MAX;

/// The type of an argument.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A key; the number is that of its key spec.
    Key(usize),
    String,
    Integer,
    Double,
    Pattern,
    UnixTime,
    /// The token alone.
    Flag,
    /// Exactly one of these.
    OneOf(&'static [Arg]),
    /// All of these, in order.
    Block(&'static [Arg]),
}

/// The least value of an integer argument, and the answers to others.
#[derive(Debug, Clone, Copy)]
pub struct Least {
    pub least: i64,
    pub below: &'static str,
    pub other: &'static str,
}

/// An argument, as `COMMAND DOCS` shows it and as the parser reads it.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // independent facts, some of which COMMAND DOCS shows as flags
pub struct Arg {
    pub name: &'static str,
    pub kind: Kind,
    /// The word before the value.
    pub token: Option<&'static str>,
    pub optional: bool,
    pub multiple: bool,
    /// The token stands before each of several values.
    pub multiple_token: bool,
    /// It is required, but stands anywhere among the optional ones around it.
    pub anywhere: bool,
    /// What an integer is held to as soon as it is read.
    pub least: Option<Least>,
    /// The key spec of an argument that is not a key itself.
    pub key_spec: Option<usize>,
    pub since: Option<&'static str>,
    pub deprecated: Option<&'static str>,
    /// What `COMMAND DOCS` prints instead of the name.
    pub display: Option<&'static str>,
}

impl Arg {
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            token: None,
            optional: false,
            multiple: false,
            multiple_token: false,
            anywhere: false,
            least: None,
            key_spec: None,
            since: None,
            deprecated: None,
            display: None,
        }
    }

    /// A token alone.
    #[must_use]
    pub const fn flag(name: &'static str, token: &'static str) -> Self {
        Self::new(name, Kind::Flag).token(token)
    }

    #[must_use]
    pub const fn token(self, token: &'static str) -> Self {
        Self { token: Some(token), ..self }
    }

    #[must_use]
    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    #[must_use]
    pub const fn multiple(self) -> Self {
        Self { multiple: true, ..self }
    }

    #[must_use]
    pub const fn multiple_token(self) -> Self {
        Self { multiple_token: true, ..self }
    }

    #[must_use]
    pub const fn anywhere(self) -> Self {
        Self { anywhere: true, ..self }
    }

    /// An integer of at least `least`; what is less, or no integer, is answered with `failure`.
    #[must_use]
    pub const fn least(self, least: i64, failure: &'static str) -> Self {
        self.least_or(least, failure, failure)
    }

    /// An integer of at least `least`: what is less is answered with `below`, what is no integer with `other`.
    #[must_use]
    pub const fn least_or(self, least: i64, below: &'static str, other: &'static str) -> Self {
        Self { least: Some(Least { least, below, other }), ..self }
    }

    #[must_use]
    pub const fn key_spec(self, index: usize) -> Self {
        Self { key_spec: Some(index), ..self }
    }

    #[must_use]
    pub const fn since(self, since: &'static str) -> Self {
        Self { since: Some(since), ..self }
    }

    #[must_use]
    pub const fn deprecated(self, since: &'static str) -> Self {
        Self { deprecated: Some(since), ..self }
    }

    #[must_use]
    pub const fn display(self, display: &'static str) -> Self {
        Self { display: Some(display), ..self }
    }
}

/// How the words of a request are matched with the declared arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grammar {
    /// A word that fits nowhere is a syntax error.
    Declared,
    /// The same, but words after the last argument are answered as a wrong number of them.
    Bounded,
    /// The command reads the words itself, because Redis answers what is wrong with them in its own order or
    /// words. It may call [`Args::read`] when it is ready for it.
    Own,
}

/// How a command runs.
#[derive(Clone, Copy)]
pub enum Handler {
    /// It answers at once.
    Run(fn(&mut Context<'_>, &Args<'_>) -> Result<Reply, Failure>),
    /// It may block, or order something of the node.
    Try(fn(&mut Context<'_>, &Args<'_>) -> Result<Verdict, Failure>),
    /// The engine runs it itself: it is about running commands.
    Engine(Own),
    /// The engine runs it itself, and it answers as a handler does: it is about scripts, which run commands.
    Script(Scripting),
    /// Its subcommands run.
    Container,
}

/// Commands of the engine itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    Multi,
    Exec,
    Discard,
    Watch,
    Unwatch,
    Reset,
    Quit,
}

/// Commands about scripts and functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripting {
    Eval,
    EvalRo,
    EvalSha,
    EvalShaRo,
    Fcall,
    FcallRo,
    Load,
    Exists,
    Flush,
    Kill,
    FunctionLoad,
    FunctionDelete,
    FunctionFlush,
    FunctionList,
    FunctionStats,
    FunctionKill,
    FunctionDump,
    FunctionRestore,
    Show,
}

/// The declaration of a command or subcommand.
pub struct Spec {
    /// Lower case; of a subcommand its own word only.
    pub name: &'static str,
    /// As `CLIENT|LIST`, upper case: what statistics and `CLIENT LIST` show is its lower case.
    pub full_name: &'static str,
    pub summary: &'static str,
    pub since: &'static str,
    pub group: &'static str,
    pub complexity: &'static str,
    /// Exact number of words including the name(s), or the least one if negative.
    pub arity: i32,
    pub flags: Flags,
    pub acl: Acl,
    pub keys: &'static [KeySpec],
    pub args: &'static [Arg],
    pub subcommands: &'static [&'static Spec],
    pub history: &'static [(&'static str, &'static str)],
    pub hints: &'static [&'static str],
    /// Since when it is, and what to use instead.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Made for the server and its tools, not for clients.
    pub system: bool,
    pub grammar: Grammar,
    /// The keys of a request and what becomes of them, where the key specs can't tell it exactly.
    pub own_keys: Option<fn(Request<'_>) -> Option<Keys>>,
    pub handler: Handler,
    pub(super) number: Number,
}

/// A command's place in the list of all, known once they were listed.
#[derive(Debug, Default)]
pub struct Number(AtomicUsize);

impl Number {
    pub(super) fn set(&self, number: usize) {
        self.0.store(number, Ordering::Relaxed);
    }
}

#[allow(clippy::declare_interior_mutable_const)] // each declaration has a number of its own
impl Spec {
    /// For the ones to begin a declaration with: `Spec { name: "get", ..Spec::BASE }`.
    pub const BASE: Spec = Spec {
        name: "",
        full_name: "",
        summary: "",
        since: "1.0.0",
        group: "generic",
        complexity: "",
        arity: 1,
        flags: Flags(0),
        acl: Acl(0),
        keys: &[],
        args: &[],
        subcommands: &[],
        history: &[],
        hints: &[],
        deprecated: None,
        system: false,
        grammar: Grammar::Declared,
        own_keys: None,
        handler: Handler::Container,
        number: Number(AtomicUsize::new(usize::MAX)),
    };

    /// A command's or subcommand's place in the list of all: its number in the statistics. Known for a spec that was
    /// found by its name.
    pub fn id(&self) -> usize {
        self.number.0.load(Ordering::Relaxed)
    }

    /// Whether a request of so many words, the name among them, has the right number.
    #[must_use]
    pub const fn takes(&self, words: usize) -> bool {
        if self.arity < 0 {
            words >= self.arity.unsigned_abs() as usize
        } else {
            words == self.arity as usize
        }
    }

    /// It changes users, which the leader alone does, though Redis does not call it a write.
    pub fn changes_users(&self) -> bool {
        self.flags.has(Flags::ADMIN) && matches!(self.full_name, "ACL|SETUSER" | "ACL|DELUSER" | "ACL|LOAD")
    }

    #[must_use]
    pub const fn writes(&self) -> bool {
        self.flags.has(Flags::WRITE)
    }
}

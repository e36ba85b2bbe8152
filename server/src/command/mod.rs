//! Commands: typed arguments in, a reply and effects out.
//!
//! A handler changes the key space by effects only, never writes to a socket and never calls the engine: it returns
//! a verdict (a reply, a wait, an order to the node) and the engine acts on it. So `MULTI`, scripts, replicas and
//! tests run the very same handlers.

#![allow(clippy::unnecessary_wraps)] // handlers have one type, whether they can fail or not

pub mod acl;
pub mod admin;
mod args;
pub mod bitmap;
pub mod connection;
mod cursor;
mod describe;
mod dice;
pub mod generic;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod keys;
pub mod list;
pub mod observe;
pub mod pubsub;
pub mod script;
pub mod server;
pub mod shard;
pub mod set;
pub mod sorted_set;
pub mod spec;
pub mod stream;
pub mod string;
pub mod transaction;

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

pub use args::{Args, int, wait_until};
pub use spec::{Flags, Grammar, Handler, Own, Scripting, Spec};

pub use crate::config::Class;
use crate::keyspace::Keyspace;
use crate::resp::{Failure, Reply};
use crate::session::{Client, Clients};

/// What a handler may see and change.
pub struct Context<'a> {
    pub keyspace: &'a mut Keyspace,
    /// Who asks.
    pub client: &'a mut Client,
    /// Everybody else.
    pub clients: &'a mut Clients,
    /// What is around the key space.
    pub server: &'a mut server::Server,
    /// Inside `MULTI` or a script nothing blocks.
    pub may_block: bool,
    /// When a request that waited runs again: the key that it may be served from now, and no other.
    pub ready: Option<&'a [u8]>,
}

impl Context<'_> {
    /// Something happened to a key of the client's database: publish it as a keyspace event of that class. Call it after
    /// the change, in Redis' order and words; that an emptied collection went (`del`) is told of by itself.
    pub fn notify(&mut self, class: Class, event: &'static str, key: &[u8]) {
        self.keyspace.notify(self.client.db, class, event, key);
    }

    /// The database of that number, if there is one.
    fn database(&self, number: i32) -> Option<u32> {
        let number = u32::try_from(number).ok()?;
        ((number as usize) < self.keyspace.databases().len()).then_some(number)
    }
}

/// What a handler decided.
pub enum Verdict {
    Reply(Reply),
    /// Wait until one of these keys is touched, then run the request again; at the deadline (milliseconds since
    /// 1970) answer with `timeout`.
    Block {
        keys: Vec<Vec<u8>>,
        deadline: Option<u64>,
        timeout: Reply,
    },
    /// The same, but `again` is run then; and if `even_gone`, also when a key is gone or something else.
    BlockUntil {
        keys: Vec<Vec<u8>>,
        deadline: Option<u64>,
        timeout: Reply,
        again: Vec<Vec<u8>>,
        even_gone: bool,
    },
    /// Wait until `count` replicas (and the local disk, if `local`) have all that the client wrote, at most until
    /// the deadline; the engine makes the answer.
    Replicas {
        count: u64,
        local: bool,
        wait_aof: bool,
        deadline: Option<u64>,
    },
    /// The node shall do something, and answers later.
    Order(Order),
}

/// What the node, not the engine, can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    Save {
        background: bool,
    },
    /// `GETLOG`: at most `count` records after `from`, or from where the log starts.
    GetLog {
        from: Option<u64>,
        count: usize,
    },
    /// `BGREWRITEAOF`: let go of old parts of the log, by a snapshot.
    RewriteLog,
    /// `MEMORY PURGE`: give free memory back to the system.
    Purge,
    Migrate(Box<generic::Migration>),
    /// `CONFIG REWRITE`.
    Rewrite,
    /// `ACL LOAD` and `ACL SAVE`.
    LoadUsers,
    SaveUsers,
    /// `DEBUG SLEEP`: serve nobody for so long.
    Sleep {
        time: Duration,
    },
    Shutdown {
        save: Option<bool>,
        now: bool,
        force: bool,
        abort: bool,
    },
    Failover {
        to: Option<(String, u16)>,
        force: bool,
        timeout_ms: Option<u64>,
    },
    AbortFailover,
    /// `FAILOVER FORCE` where there is no leader: lead, and lose what this node does not hold.
    ForceLead,
}

/// The commands of each group.
static GROUPS: &[&[&Spec]] = &[
    acl::COMMANDS,
    admin::COMMANDS,
    bitmap::COMMANDS,
    connection::COMMANDS,
    generic::COMMANDS,
    geo::COMMANDS,
    hash::COMMANDS,
    hyperloglog::COMMANDS,
    list::COMMANDS,
    pubsub::COMMANDS,
    script::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    shard::COMMANDS,
    stream::COMMANDS,
    string::COMMANDS,
    transaction::COMMANDS,
];

/// All commands.
pub fn all() -> impl Iterator<Item = &'static Spec> {
    GROUPS.iter().copied().flatten().copied()
}

fn with_subcommands() -> impl Iterator<Item = &'static Spec> {
    all().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands.iter().copied()))
}

/// The names of all commands and subcommands as statistics show them, in the order of [`Spec::id`].
pub fn names() -> Vec<&'static str> {
    static LOWER: LazyLock<Vec<String>> =
        LazyLock::new(|| with_subcommands().map(|spec| spec.full_name.to_ascii_lowercase()).collect());
    LOWER.iter().map(String::as_str).collect()
}

static BY_NAME: LazyLock<HashMap<&'static [u8], &'static Spec, foldhash::fast::FixedState>> =
    LazyLock::new(|| {
        for (id, spec) in with_subcommands().enumerate() {
            spec.number.set(id);
        }
        all().map(|spec| (spec.name.as_bytes(), spec)).collect()
    });

/// The command of that name, in any case.
pub fn find(name: &[u8]) -> Option<&'static Spec> {
    let mut lower = [0; 32];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    BY_NAME.get(&*lower).copied()
}

/// What `HELP` of a container answers: `lines` are about its other subcommands.
pub fn help(container: &str, lines: &[&'static str]) -> Reply {
    let first = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let lines = lines.iter().copied().chain(["HELP", "    Print this help."]).map(Reply::Simple);
    Reply::Array(std::iter::once(Reply::Status(first)).chain(lines).collect())
}

/// Errors that many commands share, in Redis' words.
pub mod errors {
    use super::{Failure, Spec};

    /// Too few or too many words.
    pub fn arity(spec: &Spec) -> Failure {
        let name = spec.full_name.to_ascii_lowercase();
        Failure::text(format!("ERR wrong number of arguments for '{name}' command"))
    }

    /// Too many words for a subcommand that takes a varying number of them.
    pub fn subcommand(container: &str, word: &[u8]) -> Failure {
        let word = String::from_utf8_lossy(word).into_owned();
        Failure::text(format!(
            "ERR unknown subcommand or wrong number of arguments for '{word}'. Try {container} HELP."
        ))
    }

    pub const SYNTAX: Failure = Failure::new("ERR syntax error");
    pub const WRONG_TYPE: Failure =
        Failure::new("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub const NOT_INTEGER: Failure = Failure::new("ERR value is not an integer or out of range");
    pub const INT_RANGE: Failure =
        Failure::new("ERR value is out of range, value must between -2147483648 and 2147483647");
    pub const NOT_FLOAT: Failure = Failure::new("ERR value is not a valid float");
    pub const NO_SUCH_KEY: Failure = Failure::new("ERR no such key");
    pub const INDEX_RANGE: Failure = Failure::new("ERR index out of range");
    pub const DB_INDEX: Failure = Failure::new("ERR DB index is out of range");
    pub const TIMEOUT_NEGATIVE: Failure = Failure::new("ERR timeout is negative");
    pub const TIMEOUT_NOT_FLOAT: Failure = Failure::new("ERR timeout is not a float or out of range");
    pub const RANGE: Failure = Failure::new("ERR value is out of range");
    pub const SIGNED_RANGE: Failure = Failure::new(
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    );
    pub const OUT_OF_RANGE: Failure = Failure::new("ERR value is out of range, must be positive");
}

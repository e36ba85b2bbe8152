//! `MIGRATE`: keys move to another server, by `RESTORE` there.
//!
//! The engine serves others meanwhile: the node sends what the keys hold now, and a key that is another when the target
//! has taken it stays here, which is told.

use crate::command::keys::Keys;
use crate::command::spec::{Acl, Arg, Begin, Find, KeyFlags, KeySpec, Kind};
use crate::command::{Args, Context, Flags, Grammar, Handler, Order, Spec, Verdict, errors, int};
use crate::resp::{Failure, Reply, Request};
use crate::value::number;

/// What is to be sent where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    pub host: String,
    pub port: u16,
    /// The database there, and here.
    pub to_db: i32,
    pub from_db: u32,
    /// For each step of the conversation.
    pub timeout_ms: u64,
    pub copy: bool,
    pub replace: bool,
    /// The words of `AUTH`, if any.
    pub auth: Vec<Vec<u8>>,
    pub items: Vec<Item>,
}

/// A key as it was when the command ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub key: Vec<u8>,
    pub deadline: Option<u64>,
    pub dump: Vec<u8>,
}

/// What stands behind the fifth word.
#[derive(Default)]
struct Options<'a> {
    copy: bool,
    replace: bool,
    auth: Vec<&'a [u8]>,
    /// Where the keys begin, if they are named at the end.
    keys_at: Option<usize>,
}

impl<'a> Options<'a> {
    fn parse(request: Request<'a>) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut at = 6;
        while let Some(word) = request.get(at) {
            let left = request.len() - at - 1;
            at += 1;
            match word.to_ascii_lowercase().as_slice() {
                b"copy" => options.copy = true,
                b"replace" => options.replace = true,
                b"auth" if left >= 1 => {
                    options.auth = vec![request.arg(at)];
                    at += 1;
                }
                b"auth2" if left >= 2 => {
                    options.auth = vec![request.arg(at), request.arg(at + 1)];
                    at += 2;
                }
                b"keys" if !request.arg(3).is_empty() => {
                    return Err(Failure::new(
                        "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
                    ));
                }
                b"keys" => {
                    options.keys_at = Some(at);
                    break;
                }
                _ => return Err(errors::SYNTAX),
            }
        }
        Ok(options)
    }
}

fn migrate(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    const TIMEOUT_MS: i64 = 1_000;
    let request = args.request();
    let options = Options::parse(request)?;
    let timeout = number::integer(args.word(5)).ok_or(errors::NOT_INTEGER)?;
    let to_db = int(args.word(4))?;
    let db = context.client.db;
    let keys: Vec<&[u8]> = match options.keys_at {
        Some(at) => request.rest(at).collect(),
        None => vec![args.word(3)],
    };
    let mut items = Vec::new();
    for key in keys {
        if let Some(dump) = context.keyspace.dump(db, key) {
            let deadline = context.keyspace.peek(db, key).and_then(crate::keyspace::Entry::deadline);
            items.push(Item { key: key.to_vec(), deadline, dump });
        }
    }
    if items.is_empty() {
        return Ok(Verdict::Reply(Reply::Simple("NOKEY")));
    }
    if !context.may_block {
        return Err(Failure::new(
            "ERR MIGRATE is not allowed in transactions and scripts: it waits for another server",
        ));
    }
    let port = number::integer(args.word(2)).and_then(|port| u16::try_from(port).ok());
    Ok(Verdict::Order(Order::Migrate(Box::new(Migration {
        host: String::from_utf8_lossy(args.word(1)).into_owned(),
        port: port.ok_or(UNREACHABLE)?,
        to_db,
        from_db: db,
        timeout_ms: if timeout <= 0 { TIMEOUT_MS } else { timeout } as u64,
        copy: options.copy,
        replace: options.replace,
        auth: options.auth.into_iter().map(<[u8]>::to_vec).collect(),
        items,
    }))))
}

/// Nobody answers.
pub const UNREACHABLE: Failure = Failure::new("IOERR error or timeout connecting to the client");

fn migrate_keys(request: Request<'_>) -> Option<Keys> {
    let flags = KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE]);
    let options = Options::parse(request).ok()?;
    let keys = match options.keys_at {
        Some(at) => at..request.len(),
        None => 3..4,
    };
    Some(keys.map(|index| (index, flags)).collect())
}

pub static MIGRATE: Spec = Spec {
    name: "migrate",
    full_name: "MIGRATE",
    summary: "Atomically transfer a key from a Redis instance to another one.",
    since: "2.6.0",
    group: "generic",
    complexity: "This command actually executes a DUMP+DEL in the source instance, and a RESTORE in the target \
         instance. See the pages of these commands for time complexity. Also an O(N) data transfer between the \
         two instances is performed.",
    arity: -6,
    flags: Flags::of(&[Flags::WRITE, Flags::MOVABLE_KEYS]),
    acl: Acl::of(&[Acl::KEYSPACE, Acl::WRITE, Acl::SLOW, Acl::DANGEROUS]),
    keys: &[
        KeySpec::range(3, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE])),
        KeySpec {
            flags: KeyFlags::of(&[KeyFlags::RW, KeyFlags::ACCESS, KeyFlags::DELETE, KeyFlags::INCOMPLETE]),
            begin: Begin::Keyword("KEYS", -2),
            find: Find::Range { last: -1, step: 1, limit: 0 },
            notes: None,
        },
    ],
    args: &[
        Arg::new("host", Kind::String),
        Arg::new("port", Kind::Integer),
        Arg::new(
            "key_or_empty_string",
            Kind::OneOf(&[Arg::new("key", Kind::Key(0)), Arg::flag("empty_string", "")]),
        ),
        Arg::new("destination-db", Kind::Integer),
        Arg::new("timeout", Kind::Integer),
        Arg::flag("copy", "COPY").optional().since("3.0.0"),
        Arg::flag("replace", "REPLACE").optional().since("3.0.0"),
        Arg::new(
            "authentication",
            Kind::OneOf(&[
                Arg::new("password", Kind::String).token("AUTH").optional().since("4.0.7"),
                Arg::new(
                    "username_password",
                    Kind::Block(&[Arg::new("username", Kind::String), Arg::new("password", Kind::String)]),
                )
                .token("AUTH2")
                .optional()
                .since("6.0.0"),
            ]),
        )
        .optional(),
        Arg::new("key", Kind::Key(1)).token("KEYS").optional().multiple().since("3.0.6"),
    ],
    history: &[
        ("3.0.0", "Added the `COPY` and `REPLACE` options."),
        ("3.0.6", "Added the `KEYS` option."),
        ("4.0.7", "Added the `AUTH` option."),
        ("6.0.0", "Added the `AUTH2` option."),
    ],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    own_keys: Some(migrate_keys),
    handler: Handler::Try(migrate),
    ..Spec::BASE
};

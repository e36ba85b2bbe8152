//! `CLIENT LIST` and `CLIENT INFO`.

use std::fmt::Write as _;

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, Kind, Spec};
use super::super::{Args, Context};
use super::kill::Filter;
use crate::resp::{Failure, Protocol, Reply};
use crate::session::{Client, ClientId, Tracking};
use crate::value::number;

/// A class of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Normal,
    Pubsub,
    /// Nodes have a port of their own: no client is one of them.
    Node,
}

impl Class {
    pub fn parse(word: &[u8]) -> Result<Self, Failure> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Class::Normal),
            b"pubsub" => Ok(Class::Pubsub),
            b"master" | b"primary" | b"slave" | b"replica" => Ok(Class::Node),
            _ => {
                let word = String::from_utf8_lossy(word);
                Err(Failure::text(format!("ERR Unknown client type '{word}'")))
            }
        }
    }

    pub fn has(self, client: &Client) -> bool {
        match self {
            Class::Normal => client.subscriptions() == 0,
            Class::Pubsub => client.subscriptions() > 0,
            Class::Node => false,
        }
    }
}

fn list(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let mut text = String::new();
    match args.request().get(2) {
        None => everybody(context, &mut text, |_| true),
        Some(word) if word.eq_ignore_ascii_case(b"TYPE") && args.len() == 4 => {
            let class = Class::parse(args.word(3))?;
            everybody(context, &mut text, |client| class.has(client));
        }
        Some(word) if word.eq_ignore_ascii_case(b"ID") && args.len() > 3 && only_numbers(args) => {
            for word in args.request().rest(3) {
                let id = number::integer(word).ok_or(Failure::new("ERR Invalid client ID"))?;
                let id = ClientId::try_from(id).unwrap_or(0);
                let client =
                    if id == context.client.id { Some(&*context.client) } else { context.clients.get(id) };
                if let Some(client) = client.filter(|client| !client.killed) {
                    line(client, &mut text);
                }
            }
        }
        // Any filter, and several of them, is Valkey's.
        Some(_) => {
            let filter = Filter::parse(args, &context.server.users, false)?;
            let me = context.client.id;
            everybody(context, &mut text, |client| {
                filter.fits(client) && !(filter.skip_me && client.id == me)
            });
        }
    }
    Ok(Reply::Verbatim("txt", text))
}

/// Whether nothing but identities follows the first one.
fn only_numbers(args: &Args<'_>) -> bool {
    args.request().rest(4).all(|word| number::integer(word).is_some())
}

/// A line for each client that `wanted` takes, oldest first.
fn everybody(context: &Context<'_>, text: &mut String, wanted: impl Fn(&Client) -> bool) {
    let current = &*context.client;
    let mut current_is_out = false;
    for client in context.clients.iter() {
        if client.id > current.id && !current_is_out {
            current_is_out = true;
            if wanted(current) {
                line(current, text);
            }
        }
        if wanted(client) && !client.killed {
            line(client, text);
        }
    }
    if !current_is_out && wanted(current) {
        line(current, text);
    }
}

fn info(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    let mut text = String::new();
    line(context.client, &mut text);
    Ok(Reply::Verbatim("txt", text))
}

/// What Redis 8.0 prints of a client, and Valkey's totals. There is no fixed reply buffer here (`rbs`, `rbp`).
pub fn line(client: &Client, text: &mut String) {
    let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let multi = client.transaction.as_ref().map_or(-1, |transaction| transaction.queued.len() as i64);
    let (multi_bytes, out_bytes) = (client.queued_bytes(), client.pushed_bytes);
    let wire = &client.wire;
    let written = writeln!(
        text,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={multi} watch={} qbuf={} \
         qbuf-free={} argv-mem=0 multi-mem={multi_bytes} rbs=0 rbp=0 obl={} oll={} omem={out_bytes} tot-mem={} \
         events={} cmd={} user={} redir={} resp={} lib-name={} lib-ver={} \
         tot-net-in={} tot-net-out={} tot-cmds={}",
        client.id,
        client.address,
        client.local_address,
        wire.fd,
        name(&client.name),
        client.created.elapsed().as_secs(),
        client.last_active.elapsed().as_secs(),
        flags(client),
        client.db,
        client.channels.len(),
        client.patterns.len(),
        client.shards.len(),
        client.watched.len(),
        wire.query_bytes,
        wire.query_room,
        wire.unsent_bytes,
        client.out.len(),
        client.memory(),
        if wire.unsent_bytes > 0 { "rw" } else { "r" },
        if client.command == "NULL" { "NULL".into() } else { client.command.to_ascii_lowercase() },
        client.user.shown(),
        client.redirection(),
        if client.protocol == Protocol::Resp3 { 3 } else { 2 },
        name(&client.library_name),
        name(&client.library_version),
        client.net_in,
        client.net_out,
        client.commands,
    );
    debug_assert!(written.is_ok(), "a string takes everything");
}

fn flags(client: &Client) -> String {
    let tracks = |flag: fn(&Tracking) -> bool| client.tracking.as_deref().is_some_and(flag);
    let known = [
        ('O', client.monitor),
        ('P', client.subscriptions() > 0),
        ('x', client.transaction.is_some()),
        ('b', client.blocked.is_some()),
        ('t', client.tracking.is_some()),
        ('R', tracks(|tracking| tracking.broken)),
        ('B', tracks(|tracking| tracking.broadcast)),
        ('d', client.dirty),
        ('c', client.closing),
        ('e', client.no_evict),
        ('r', client.reads_here),
        ('T', client.no_touch),
    ];
    let flags: String = known.iter().filter(|(_, set)| *set).map(|(flag, _)| *flag).collect();
    if flags.is_empty() { "N".into() } else { flags }
}

pub static CLIENT_LIST: Spec = Spec {
    name: "list",
    full_name: "CLIENT|LIST",
    summary: "Get the list of client connections",
    since: "2.4.0",
    group: "connection",
    complexity: "O(N) where N is the number of client connections",
    arity: -2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS, Acl::CONNECTION]),
    args: &[
        Arg::new(
            "normal_master_replica_pubsub",
            Kind::OneOf(&[
                Arg::flag("normal", "NORMAL"),
                Arg::flag("master", "MASTER"),
                Arg::flag("replica", "REPLICA"),
                Arg::flag("pubsub", "PUBSUB"),
            ]),
        )
        .token("TYPE")
        .optional()
        .since("5.0.0"),
        Arg::new("id", Kind::Block(&[Arg::new("client-id", Kind::Integer).multiple()]))
            .token("ID")
            .optional()
            .since("6.2.0"),
        Arg::new("username", Kind::String).token("USER").optional().since("8.1.0"),
        Arg::new("addr", Kind::String).token("ADDR").optional().since("8.1.0"),
        Arg::new("laddr", Kind::String).token("LADDR").optional().since("8.1.0"),
        Arg::new("skipme", Kind::OneOf(&[Arg::flag("yes", "YES"), Arg::flag("no", "NO")]))
            .token("SKIPME")
            .optional()
            .since("8.1.0"),
        Arg::new("maxage", Kind::Integer).token("MAXAGE").optional().since("8.1.0"),
    ],
    history: &[
        ("2.8.12", "Added unique client `id` field."),
        ("5.0.0", "Added optional `TYPE` filter."),
        ("6.0.0", "Added `user` field."),
        ("6.2.0", "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter."),
        ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
        ("7.0.3", "Added `ssub` field."),
        ("7.2.0", "Added `lib-name` and `lib-ver` fields."),
        ("7.4.0", "Added `watch` field."),
        ("8.1.0", "Added filters USER, ADDR, LADDR, SKIPME, and MAXAGE"),
    ],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(list),
    ..Spec::BASE
};

pub static CLIENT_INFO: Spec = Spec {
    name: "info",
    full_name: "CLIENT|INFO",
    summary: "Returns information about the current client connection.",
    since: "6.2.0",
    group: "connection",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    hints: &["nondeterministic_output"],
    handler: Handler::Run(info),
    ..Spec::BASE
};

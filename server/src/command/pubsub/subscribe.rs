//! `SUBSCRIBE`, `UNSUBSCRIBE` and their kin for patterns and shard channels.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::super::spec::{Acl, Arg, Flags, Handler, KeyFlags, KeySpec, Kind as Type, Spec};
use super::super::{Args, Context};
use crate::pubsub::Kind;
use crate::resp::{Failure, Reply};
use crate::session::Client;

fn subscribe(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(begin(context, args, Kind::Channel))
}

fn psubscribe(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(begin(context, args, Kind::Pattern))
}

fn ssubscribe(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(begin(context, args, Kind::Shard))
}

fn unsubscribe(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(end(context, args, Kind::Channel))
}

fn punsubscribe(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(end(context, args, Kind::Pattern))
}

fn sunsubscribe(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(end(context, args, Kind::Shard))
}

fn names(client: &mut Client, kind: Kind) -> &mut BTreeSet<Bytes> {
    match kind {
        Kind::Channel => &mut client.channels,
        Kind::Pattern => &mut client.patterns,
        Kind::Shard => &mut client.shards,
    }
}

/// Each name is confirmed by a message of its own: a push, even to who speaks RESP3.
fn begin(context: &mut Context<'_>, args: &Args<'_>, kind: Kind) -> Reply {
    for name in args.request().rest(1).map(Bytes::copy_from_slice) {
        if names(context.client, kind).insert(name.clone()) {
            context.server.pubsub.subscribe(kind, name.clone(), context.client.id);
        }
        confirm(context.client, kind, true, Reply::Bulk(name));
    }
    Reply::None
}

fn end(context: &mut Context<'_>, args: &Args<'_>, kind: Kind) -> Reply {
    let mut leaving: Vec<Bytes> = args.request().rest(1).map(Bytes::copy_from_slice).collect();
    if leaving.is_empty() {
        leaving = names(context.client, kind).iter().cloned().collect();
        if leaving.is_empty() {
            confirm(context.client, kind, false, Reply::Null);
        }
    }
    for name in leaving {
        if names(context.client, kind).remove(&name) {
            context.server.pubsub.unsubscribe(kind, &name, context.client.id);
        }
        confirm(context.client, kind, false, Reply::Bulk(name));
    }
    Reply::None
}

/// Shard subscriptions are counted apart.
fn confirm(client: &mut Client, kind: Kind, subscribe: bool, name: Reply) {
    let count = match kind {
        Kind::Shard => client.shards.len(),
        Kind::Channel | Kind::Pattern => client.channels.len() + client.patterns.len(),
    };
    client.push(Reply::Push(vec![Reply::bulk(kind.word(subscribe)), name, count.into()]), 0);
}

pub static SUBSCRIBE: Spec = Spec {
    name: "subscribe",
    full_name: "SUBSCRIBE",
    summary: "Listen for messages published to the given channels",
    since: "2.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of channels to subscribe to.",
    arity: -2,
    flags: Flags::of(&[Flags::PUBSUB, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::SLOW]),
    args: &[Arg::new("channel", Type::String).multiple()],
    handler: Handler::Run(subscribe),
    ..Spec::BASE
};

pub static PSUBSCRIBE: Spec = Spec {
    name: "psubscribe",
    full_name: "PSUBSCRIBE",
    summary: "Listen for messages published to channels matching the given patterns",
    since: "2.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of patterns the client is already subscribed to.",
    arity: -2,
    flags: Flags::of(&[Flags::PUBSUB, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::SLOW]),
    args: &[Arg::new("pattern", Type::Block(&[Arg::new("pattern", Type::Pattern)])).multiple()],
    handler: Handler::Run(psubscribe),
    ..Spec::BASE
};

pub static SSUBSCRIBE: Spec = Spec {
    name: "ssubscribe",
    full_name: "SSUBSCRIBE",
    summary: "Listen for messages published to the given shard channels",
    since: "7.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of shard channels to subscribe to.",
    arity: -2,
    flags: Flags::of(&[Flags::PUBSUB, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::SLOW]),
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::of(&[KeyFlags::NOT_KEY]))],
    args: &[Arg::new("shardchannel", Type::String).multiple()],
    handler: Handler::Run(ssubscribe),
    ..Spec::BASE
};

pub static UNSUBSCRIBE: Spec = Spec {
    name: "unsubscribe",
    full_name: "UNSUBSCRIBE",
    summary: "Stop listening for messages posted to the given channels",
    since: "2.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of clients already subscribed to a channel.",
    arity: -1,
    flags: Flags::of(&[Flags::PUBSUB, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::SLOW]),
    args: &[Arg::new("channel", Type::String).optional().multiple()],
    handler: Handler::Run(unsubscribe),
    ..Spec::BASE
};

pub static PUNSUBSCRIBE: Spec = Spec {
    name: "punsubscribe",
    full_name: "PUNSUBSCRIBE",
    summary: "Stop listening for messages posted to channels matching the given patterns",
    since: "2.0.0",
    group: "pubsub",
    complexity: "O(N+M) where N is the number of patterns the client is already subscribed and M is the number of \
         total patterns subscribed in the system (by any client).",
    arity: -1,
    flags: Flags::of(&[Flags::PUBSUB, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::SLOW]),
    args: &[Arg::new("pattern", Type::Pattern).optional().multiple()],
    handler: Handler::Run(punsubscribe),
    ..Spec::BASE
};

pub static SUNSUBSCRIBE: Spec = Spec {
    name: "sunsubscribe",
    full_name: "SUNSUBSCRIBE",
    summary: "Stop listening for messages posted to the given shard channels",
    since: "7.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of clients already subscribed to a shard channel.",
    arity: -1,
    flags: Flags::of(&[Flags::PUBSUB, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::SLOW]),
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::of(&[KeyFlags::NOT_KEY]))],
    args: &[Arg::new("shardchannel", Type::String).optional().multiple()],
    handler: Handler::Run(sunsubscribe),
    ..Spec::BASE
};

//! `PUBLISH` and `SPUBLISH`. The engine delivers the messages: at once, or when what the same client wrote before is
//! committed, so that who is told of a change can see it. Subscribers on other nodes are reached by the log: the leader
//! puts the message in, and a follower asks the leader to (see `decisions/`).

use bytes::Bytes;

use super::super::spec::{Acl, Arg, Flags, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context};
use crate::keyspace::Effect;
use crate::resp::{Failure, Reply};

fn publish(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(to_all(context, args, false).into())
}

fn spublish(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(to_all(context, args, true).into())
}

/// Publish; returns how many listeners and patterns on this node the message is for.
fn to_all(context: &mut Context<'_>, args: &Args<'_>, shard: bool) -> usize {
    let (channel, message) = (args.word(1), args.word(2));
    let pubsub = &mut context.server.pubsub;
    if context.server.status.role.leads() || context.server.status.leader_address.is_none() {
        context.keyspace.send(&Effect::Publish { shard, channel, message });
        return if shard { pubsub.publish_shard(channel, message) } else { pubsub.publish(channel, message) };
    }
    // Only a transaction or a script comes here on a follower. This node's subscribers hear it with all others.
    let name = Bytes::from_static(if shard { b"SPUBLISH" } else { b"PUBLISH" });
    let words = [name, Bytes::copy_from_slice(channel), Bytes::copy_from_slice(message)];
    context.server.outgoing.push(words);
    context.server.pubsub.audience(channel, shard)
}

pub static PUBLISH: Spec = Spec {
    name: "publish",
    full_name: "PUBLISH",
    summary: "Post a message to a channel",
    since: "2.0.0",
    group: "pubsub",
    complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total \
         number of subscribed patterns (by any client).",
    arity: 3,
    flags: Flags::of(&[Flags::PUBSUB, Flags::LOADING, Flags::STALE, Flags::FAST]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::FAST]),
    args: &[Arg::new("channel", Kind::String), Arg::new("message", Kind::String)],
    handler: Handler::Run(publish),
    ..Spec::BASE
};

pub static SPUBLISH: Spec = Spec {
    name: "spublish",
    full_name: "SPUBLISH",
    summary: "Post a message to a shard channel",
    since: "7.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
    arity: 3,
    flags: Flags::of(&[Flags::PUBSUB, Flags::LOADING, Flags::STALE, Flags::FAST]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::NOT_KEY]))],
    args: &[Arg::new("shardchannel", Kind::String), Arg::new("message", Kind::String)],
    handler: Handler::Run(spublish),
    ..Spec::BASE
};

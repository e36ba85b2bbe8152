//! `PUBLISH` and `SPUBLISH`. The engine delivers the messages: at once, or when what the same client wrote before is
//! committed, so that who is told of a change can see it.

use super::super::spec::{Acl, Arg, Flags, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context};
use crate::resp::{Failure, Reply};

fn publish(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(context.server.pubsub.publish(args.word(1), args.word(2)).into())
}

fn spublish(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(context.server.pubsub.publish_shard(args.word(1), args.word(2)).into())
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

//! `PUBSUB`: who listens to what.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, Kind as Type, Spec};
use super::super::{Args, Context, errors};
use crate::pubsub::Kind;
use crate::resp::{Failure, Reply};

fn channels(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    active(context, args, Kind::Channel)
}

fn shardchannels(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    active(context, args, Kind::Shard)
}

fn active(context: &mut Context<'_>, args: &Args<'_>, kind: Kind) -> Result<Reply, Failure> {
    if args.len() > 3 {
        return Err(errors::subcommand("PUBSUB", args.word(1)));
    }
    let names = context.server.pubsub.active(kind, args.request().get(2));
    Ok(Reply::Array(names.into_iter().map(Reply::Bulk).collect()))
}

fn numsub(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(counts(context, args, Kind::Channel))
}

fn shardnumsub(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(counts(context, args, Kind::Shard))
}

fn counts(context: &mut Context<'_>, args: &Args<'_>, kind: Kind) -> Reply {
    let pubsub = &context.server.pubsub;
    let of = |channel| [Reply::bulk(channel), pubsub.count(kind, channel).into()];
    Reply::Array(args.request().rest(2).flat_map(of).collect())
}

fn numpat(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    Ok(context.server.pubsub.patterns().into())
}

static HELP: &[&str] = &[
    "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
    "HELP",
    "    Print this help.",
];

fn help(_: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    Ok(Reply::Array(HELP.iter().map(|line| Reply::Simple(line)).collect()))
}

pub static PUBSUB_CHANNELS: Spec = Spec {
    name: "channels",
    full_name: "PUBSUB|CHANNELS",
    summary: "List active channels",
    since: "2.8.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of active channels, and assuming constant time pattern matching \
         (relatively short channels and patterns)",
    arity: -2,
    flags: Flags::of(&[Flags::PUBSUB, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::SLOW]),
    args: &[Arg::new("pattern", Type::Pattern).optional()],
    grammar: Grammar::Own,
    handler: Handler::Run(channels),
    ..Spec::BASE
};

pub static PUBSUB_NUMSUB: Spec = Spec {
    name: "numsub",
    full_name: "PUBSUB|NUMSUB",
    summary: "Get the count of subscribers for channels",
    since: "2.8.0",
    group: "pubsub",
    complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
    arity: -2,
    flags: Flags::of(&[Flags::PUBSUB, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::SLOW]),
    args: &[Arg::new("channel", Type::String).optional().multiple()],
    handler: Handler::Run(numsub),
    ..Spec::BASE
};

pub static PUBSUB_NUMPAT: Spec = Spec {
    name: "numpat",
    full_name: "PUBSUB|NUMPAT",
    summary: "Get the count of unique patterns pattern subscriptions",
    since: "2.8.0",
    group: "pubsub",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::PUBSUB, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::SLOW]),
    handler: Handler::Run(numpat),
    ..Spec::BASE
};

pub static PUBSUB_SHARDCHANNELS: Spec = Spec {
    name: "shardchannels",
    full_name: "PUBSUB|SHARDCHANNELS",
    summary: "List active shard channels",
    since: "7.0.0",
    group: "pubsub",
    complexity: "O(N) where N is the number of active shard channels, and assuming constant time pattern matching \
         (relatively short shard channels).",
    arity: -2,
    flags: Flags::of(&[Flags::PUBSUB, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::SLOW]),
    args: &[Arg::new("pattern", Type::Pattern).optional()],
    grammar: Grammar::Own,
    handler: Handler::Run(shardchannels),
    ..Spec::BASE
};

pub static PUBSUB_SHARDNUMSUB: Spec = Spec {
    name: "shardnumsub",
    full_name: "PUBSUB|SHARDNUMSUB",
    summary: "Get the count of subscribers for shard channels",
    since: "7.0.0",
    group: "pubsub",
    complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
    arity: -2,
    flags: Flags::of(&[Flags::PUBSUB, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::PUBSUB, Acl::SLOW]),
    args: &[Arg::new("shardchannel", Type::String).optional().multiple()],
    handler: Handler::Run(shardnumsub),
    ..Spec::BASE
};

pub static PUBSUB_HELP: Spec = Spec {
    name: "help",
    full_name: "PUBSUB|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "6.2.0",
    group: "pubsub",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static PUBSUB: Spec = Spec {
    name: "pubsub",
    full_name: "PUBSUB",
    summary: "A container for Pub/Sub commands",
    since: "2.8.0",
    group: "pubsub",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[
        &PUBSUB_CHANNELS,
        &PUBSUB_HELP,
        &PUBSUB_NUMPAT,
        &PUBSUB_NUMSUB,
        &PUBSUB_SHARDCHANNELS,
        &PUBSUB_SHARDNUMSUB,
    ],
    handler: Handler::Container,
    ..Spec::BASE
};

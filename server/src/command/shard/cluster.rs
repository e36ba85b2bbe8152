//! `CLUSTER`: one shard, seen as Redis Cluster shows it, for clients that look for its leader that way. All slots are its
//! own; there is no bus between nodes and nothing to be arranged, so the subcommands that arrange things are absent.

use super::view::{self, View};
use crate::command::spec::{Acl, Arg, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec, errors};
use crate::keyspace::Entry;
use crate::resp::{Failure, Reply};
use crate::value::number;

const OFF: Failure = Failure::new("ERR This instance has cluster support disabled");

/// What is shown, if it is shown at all.
fn look(context: &Context<'_>) -> Result<View, Failure> {
    if context.server.config.cluster_enabled {
        Ok(View::of(context.server, context.client))
    } else {
        Err(OFF)
    }
}

fn switched_on(context: &Context<'_>) -> Result<(), Failure> {
    if context.server.config.cluster_enabled { Ok(()) } else { Err(OFF) }
}

fn info(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    let view = look(context)?;
    let epoch = context.server.status.epoch;
    // Without a leader no slot is served.
    let (state, slots) = if view.leader().is_some() { ("ok", view::SLOTS) } else { ("fail", 0) };
    let lines = [
        ("state", state.to_owned()),
        ("slots_assigned", view::SLOTS.to_string()),
        ("slots_ok", slots.to_string()),
        ("slots_pfail", "0".into()),
        ("slots_fail", (view::SLOTS - slots).to_string()),
        ("known_nodes", view.nodes.len().to_string()),
        ("size", "1".into()),
        ("current_epoch", epoch.to_string()),
        ("my_epoch", epoch.to_string()),
        ("stats_messages_sent", "0".into()),
        ("stats_messages_received", "0".into()),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        text.extend(["cluster_", name, ":", &value, "\r\n"]);
    }
    text.push_str("total_cluster_links_buffer_limit_exceeded:0\r\n");
    Ok(Reply::Verbatim("txt", text))
}

fn myid(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    switched_on(context)?;
    Ok(Reply::text(view::hex_id("node", &context.server.status.node)))
}

fn myshardid(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    switched_on(context)?;
    Ok(Reply::text(view::hex_id("shard", &context.server.config.shard_name)))
}

fn nodes(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    let view = look(context)?;
    let epoch = context.server.status.epoch;
    let lines = view.nodes.iter().map(|node| view.line(node, epoch) + "\n");
    Ok(Reply::Verbatim("txt", lines.collect()))
}

fn replicas(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let view = look(context)?;
    let asked = args.word(2);
    let Some(node) = view.nodes.iter().find(|node| node.hex.as_bytes() == asked) else {
        let asked = String::from_utf8_lossy(asked);
        return Err(Failure::text(format!("ERR Unknown node {asked}")));
    };
    if !node.leads {
        return Err(Failure::new("ERR The specified node is not a master"));
    }
    let epoch = context.server.status.epoch;
    let others = view.nodes.iter().filter(|node| !node.leads);
    Ok(Reply::Array(others.map(|node| Reply::text(view.line(node, epoch))).collect()))
}

fn slots(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    let view = look(context)?;
    if view.leader().is_none() {
        return Ok(Reply::Array(Vec::new()));
    }
    let mut range = vec![Reply::Int(0), Reply::Int(view::SLOTS - 1)];
    // The leader is first.
    let (leaders, others): (Vec<_>, Vec<_>) = view.nodes.iter().partition(|node| node.leads);
    range.extend(leaders.into_iter().chain(others).map(|node| {
        let address = [Reply::text(&node.host), Reply::Int(i64::from(node.port))];
        Reply::Array(address.into_iter().chain([Reply::text(&node.hex), Reply::Map(Vec::new())]).collect())
    }));
    Ok(Reply::Array(vec![Reply::Array(range)]))
}

fn shards(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    let view = look(context)?;
    let nodes = view.nodes.iter().map(|node| {
        view::pairs([
            ("id", Reply::text(&node.hex)),
            ("port", Reply::Int(i64::from(node.port))),
            ("ip", Reply::text(&node.host)),
            ("endpoint", Reply::text(&node.host)),
            ("role", Reply::bulk(if node.leads { "master" } else { "replica" })),
            ("replication-offset", Reply::Int(node.offset as i64)),
            ("health", Reply::bulk("online")),
        ])
    });
    let nodes = Reply::Array(nodes.collect());
    let slots = Reply::Array(vec![Reply::Int(0), Reply::Int(view::SLOTS - 1)]);
    Ok(Reply::Array(vec![view::pairs([("slots", slots), ("nodes", nodes)])]))
}

fn links(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    switched_on(context)?;
    // Nodes have no bus that a client could look at.
    Ok(Reply::Array(Vec::new()))
}

fn keyslot(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    switched_on(context)?;
    Ok(Reply::Int(i64::from(view::slot(args.word(2)))))
}

fn slot_of(word: &[u8]) -> Result<Option<u16>, Failure> {
    let slot = number::integer(word).ok_or(errors::NOT_INTEGER)?;
    Ok(u16::try_from(slot).ok().filter(|slot| i64::from(*slot) < view::SLOTS))
}

/// The keys of a slot. They are looked for: nothing but these commands needs them by slot.
fn in_slot<'a>(context: &'a Context<'_>, slot: u16) -> impl Iterator<Item = &'a [u8]> {
    let entries = context.keyspace.database(0).table().iter();
    let now = context.keyspace.now;
    entries
        .filter(move |entry| !entry.expired(now))
        .map(Entry::key)
        .filter(move |key| view::slot(key) == slot)
}

fn countkeysinslot(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    switched_on(context)?;
    let slot = slot_of(args.word(2))?.ok_or(Failure::new("ERR Invalid slot"))?;
    Ok(in_slot(context, slot).count().into())
}

fn getkeysinslot(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    switched_on(context)?;
    let slot = slot_of(args.word(2))?;
    let count = number::integer(args.word(3)).ok_or(errors::NOT_INTEGER)?;
    let (Some(slot), Ok(count)) = (slot, usize::try_from(count)) else {
        return Err(Failure::new("ERR Invalid slot or number of keys"));
    };
    Ok(Reply::Array(in_slot(context, slot).take(count).map(Reply::bulk).collect()))
}

/// A client that follows redirections may say so without a cluster too.
fn understood(context: &Context<'_>) -> Result<(), Failure> {
    if context.client.redirects { Ok(()) } else { switched_on(context) }
}

fn readonly(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    understood(context)?;
    context.client.reads_here = true;
    Ok(Reply::OK)
}

fn readwrite(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    understood(context)?;
    context.client.reads_here = false;
    Ok(Reply::OK)
}

/// No slot ever moves, so there is nothing that a client could have to ask for.
fn asking(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    switched_on(context)?;
    Ok(Reply::OK)
}

fn help(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    switched_on(context)?;
    Ok(crate::command::help("CLUSTER", HELP))
}

const HELP: &[&str] = &[
    "COUNTKEYSINSLOT <slot>",
    "    Return the number of keys in <slot>.",
    "GETKEYSINSLOT <slot> <count>",
    "    Return key names stored by current node in a slot.",
    "INFO",
    "    Return information about the cluster.",
    "KEYSLOT <key>",
    "    Return the hash slot for <key>.",
    "MYID",
    "    Return the node id.",
    "MYSHARDID",
    "    Return the node's shard id.",
    "NODES",
    "    Return cluster configuration seen by node. Output format:",
    "    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
    "REPLICAS <node-id>",
    "    Return <node-id> replicas.",
    "SLOTS",
    "    Return information about slots range mappings. Each range is made of:",
    "    start, end, master and replicas IP addresses, ports and ids",
    "SHARDS",
    "    Return information about slot range mappings and the nodes associated with them.",
    "LINKS",
    "    Return information about all network links between this node and its peers.",
    "    Output format is an array where each array element is a map containing attributes of a link",
];

pub static READONLY: Spec = Spec {
    name: "readonly",
    full_name: "READONLY",
    summary: "Enables read queries for a connection to a cluster replica node",
    since: "3.0.0",
    group: "cluster",
    complexity: "O(1)",
    arity: 1,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE, Flags::FAST]),
    acl: Acl::of(&[Acl::FAST, Acl::CONNECTION]),
    handler: Handler::Run(readonly),
    ..Spec::BASE
};

pub static READWRITE: Spec = Spec {
    name: "readwrite",
    full_name: "READWRITE",
    summary: "Disables read queries for a connection to a cluster replica node",
    since: "3.0.0",
    group: "cluster",
    complexity: "O(1)",
    arity: 1,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE, Flags::FAST]),
    acl: Acl::of(&[Acl::FAST, Acl::CONNECTION]),
    handler: Handler::Run(readwrite),
    ..Spec::BASE
};

pub static ASKING: Spec = Spec {
    name: "asking",
    full_name: "ASKING",
    summary: "Sent by cluster clients after an -ASK redirect",
    since: "3.0.0",
    group: "cluster",
    complexity: "O(1)",
    arity: 1,
    flags: Flags::of(&[Flags::FAST]),
    acl: Acl::of(&[Acl::FAST, Acl::CONNECTION]),
    handler: Handler::Run(asking),
    ..Spec::BASE
};

pub static CLUSTER_COUNTKEYSINSLOT: Spec = Spec {
    name: "countkeysinslot",
    full_name: "CLUSTER|COUNTKEYSINSLOT",
    summary: "Return the number of local keys in the specified hash slot",
    since: "3.0.0",
    group: "cluster",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    args: &[Arg::new("slot", Kind::Integer)],
    handler: Handler::Run(countkeysinslot),
    ..Spec::BASE
};

pub static CLUSTER_GETKEYSINSLOT: Spec = Spec {
    name: "getkeysinslot",
    full_name: "CLUSTER|GETKEYSINSLOT",
    summary: "Return local key names in the specified hash slot",
    since: "3.0.0",
    group: "cluster",
    complexity: "O(log(N)) where N is the number of requested keys",
    arity: 4,
    flags: Flags::of(&[Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    args: &[Arg::new("slot", Kind::Integer), Arg::new("count", Kind::Integer)],
    hints: &["nondeterministic_output"],
    handler: Handler::Run(getkeysinslot),
    ..Spec::BASE
};

pub static CLUSTER_HELP: Spec = Spec {
    name: "help",
    full_name: "CLUSTER|HELP",
    summary: "Show helpful text about the different subcommands",
    since: "5.0.0",
    group: "cluster",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static CLUSTER_INFO: Spec = Spec {
    name: "info",
    full_name: "CLUSTER|INFO",
    summary: "Provides info about Redis Cluster node state",
    since: "3.0.0",
    group: "cluster",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    hints: &["nondeterministic_output"],
    handler: Handler::Run(info),
    ..Spec::BASE
};

pub static CLUSTER_KEYSLOT: Spec = Spec {
    name: "keyslot",
    full_name: "CLUSTER|KEYSLOT",
    summary: "Returns the hash slot of the specified key",
    since: "3.0.0",
    group: "cluster",
    complexity: "O(N) where N is the number of bytes in the key",
    arity: 3,
    flags: Flags::of(&[Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    args: &[Arg::new("key", Kind::String)],
    handler: Handler::Run(keyslot),
    ..Spec::BASE
};

pub static CLUSTER_LINKS: Spec = Spec {
    name: "links",
    full_name: "CLUSTER|LINKS",
    summary: "Returns a list of all TCP links to and from peer nodes in cluster",
    since: "7.0.0",
    group: "cluster",
    complexity: "O(N) where N is the total number of Cluster nodes",
    arity: 2,
    flags: Flags::of(&[Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    hints: &["nondeterministic_output"],
    handler: Handler::Run(links),
    ..Spec::BASE
};

pub static CLUSTER_MYID: Spec = Spec {
    name: "myid",
    full_name: "CLUSTER|MYID",
    summary: "Return the node id",
    since: "3.0.0",
    group: "cluster",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    handler: Handler::Run(myid),
    ..Spec::BASE
};

pub static CLUSTER_MYSHARDID: Spec = Spec {
    name: "myshardid",
    full_name: "CLUSTER|MYSHARDID",
    summary: "Returns the shard ID of a node.",
    since: "7.2.0",
    group: "cluster",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    hints: &["nondeterministic_output"],
    handler: Handler::Run(myshardid),
    ..Spec::BASE
};

pub static CLUSTER_NODES: Spec = Spec {
    name: "nodes",
    full_name: "CLUSTER|NODES",
    summary: "Get Cluster config for the node",
    since: "3.0.0",
    group: "cluster",
    complexity: "O(N) where N is the total number of Cluster nodes",
    arity: 2,
    flags: Flags::of(&[Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    hints: &["nondeterministic_output"],
    handler: Handler::Run(nodes),
    ..Spec::BASE
};

pub static CLUSTER_REPLICAS: Spec = Spec {
    name: "replicas",
    full_name: "CLUSTER|REPLICAS",
    summary: "List replica nodes of the specified master node",
    since: "5.0.0",
    group: "cluster",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("node-id", Kind::String)],
    hints: &["nondeterministic_output"],
    handler: Handler::Run(replicas),
    ..Spec::BASE
};

pub static CLUSTER_SHARDS: Spec = Spec {
    name: "shards",
    full_name: "CLUSTER|SHARDS",
    summary: "Get array of cluster slots to node mappings",
    since: "7.0.0",
    group: "cluster",
    complexity: "O(N) where N is the total number of cluster nodes",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    hints: &["nondeterministic_output"],
    handler: Handler::Run(shards),
    ..Spec::BASE
};

pub static CLUSTER_SLAVES: Spec = Spec {
    name: "slaves",
    full_name: "CLUSTER|SLAVES",
    summary: "List replica nodes of the specified master node",
    since: "3.0.0",
    group: "cluster",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("node-id", Kind::String)],
    hints: &["nondeterministic_output"],
    deprecated: Some(("5.0.0", "`CLUSTER REPLICAS`")),
    handler: Handler::Run(replicas),
    ..Spec::BASE
};

pub static CLUSTER_SLOTS: Spec = Spec {
    name: "slots",
    full_name: "CLUSTER|SLOTS",
    summary: "Get array of Cluster slot to node mappings",
    since: "3.0.0",
    group: "cluster",
    complexity: "O(N) where N is the total number of Cluster nodes",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    history: &[("4.0.0", "Added node IDs."), ("7.0.0", "Added additional networking metadata field.")],
    hints: &["nondeterministic_output"],
    deprecated: Some(("7.0.0", "`CLUSTER SHARDS`")),
    handler: Handler::Run(slots),
    ..Spec::BASE
};

pub static CLUSTER: Spec = Spec {
    name: "cluster",
    full_name: "CLUSTER",
    summary: "A container for cluster commands",
    since: "3.0.0",
    group: "cluster",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[
        &CLUSTER_COUNTKEYSINSLOT,
        &CLUSTER_GETKEYSINSLOT,
        &CLUSTER_HELP,
        &CLUSTER_INFO,
        &CLUSTER_KEYSLOT,
        &CLUSTER_LINKS,
        &CLUSTER_MYID,
        &CLUSTER_MYSHARDID,
        &CLUSTER_NODES,
        &CLUSTER_REPLICAS,
        &CLUSTER_SHARDS,
        &CLUSTER_SLAVES,
        &CLUSTER_SLOTS,
    ],
    handler: Handler::Container,
    ..Spec::BASE
};

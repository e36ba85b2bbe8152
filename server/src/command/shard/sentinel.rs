//! `SENTINEL`: the shard as Sentinel shows one that it watches, for clients that look for its leader that way. Every node
//! answers as a Sentinel would, on the port for clients; its name is the setting `shard-name`. Here nobody watches and
//! elects beside the nodes themselves, so the subcommands that arrange that are absent.

use super::view::{self, Node, View};
use crate::command::spec::{Acl, Arg, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec};
use crate::resp::{Failure, Reply};

const UNKNOWN: Failure = Failure::new("ERR No such master with that name");

fn ours(context: &Context<'_>, args: &Args<'_>) -> bool {
    args.word(2) == context.server.config.shard_name.as_bytes()
}

/// The shard, if it is the one that is asked for and its leader was ever known.
fn look(context: &Context<'_>, args: &Args<'_>) -> Result<View, Failure> {
    if ours(context, args) { Ok(View::of(context.server, context.client)) } else { Err(UNKNOWN) }
}

#[allow(clippy::needless_pass_by_value)] // numbers and references
fn text(text: impl ToString) -> Reply {
    Reply::text(text.to_string())
}

/// What is said of every node alike: nobody pings it from here.
fn common(node: &Node, name: String, flags: &str) -> Vec<(&'static str, Reply)> {
    vec![
        ("name", text(name)),
        ("ip", text(&node.host)),
        ("port", text(node.port)),
        ("runid", text(&node.hex)),
        ("flags", text(flags)),
        ("link-pending-commands", text(0)),
        ("link-refcount", text(1)),
        ("last-ping-sent", text(0)),
        ("last-ok-ping-reply", text(0)),
        ("last-ping-reply", text(0)),
    ]
}

fn map(fields: Vec<(&'static str, Reply)>) -> Reply {
    Reply::Map(fields.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect())
}

/// The leader, or the last one that is known, which is down then.
fn state(context: &Context<'_>, view: &View) -> Option<Reply> {
    let (node, flags) = match view.leader() {
        Some(leader) => (leader.clone(), "master"),
        None => (view.last_leader.clone()?, "master,s_down,o_down"),
    };
    let others = view.nodes.iter().filter(|other| other.hex != node.hex).count();
    let mut fields = common(&node, context.server.config.shard_name.clone(), flags);
    fields.extend([
        ("down-after-milliseconds", text(context.server.config.lease_ms)),
        ("info-refresh", text(0)),
        ("role-reported", text("master")),
        ("role-reported-time", text(0)),
        ("config-epoch", text(context.server.status.epoch)),
        ("num-slaves", text(others)),
        ("num-other-sentinels", text(view.nodes.len().saturating_sub(1))),
        ("quorum", text(view.nodes.len() / 2 + 1)),
        ("failover-timeout", text(context.server.config.lease_ms)),
        ("parallel-syncs", text(others.max(1))),
    ]);
    Some(map(fields))
}

fn masters(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    let view = View::of(context.server, context.client);
    Ok(Reply::Array(state(context, &view).into_iter().collect()))
}

fn master(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let view = look(context, args)?;
    state(context, &view).ok_or(UNKNOWN)
}

fn replicas(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let view = look(context, args)?;
    let leader = view.leader().or(view.last_leader.as_ref());
    let (host, port) = leader.map_or(("?", 0), |leader| (leader.host.as_str(), leader.port));
    let others = view.nodes.iter().filter(|node| !node.leads);
    let line = |node: &Node| {
        let mut fields = common(node, format!("{}:{}", node.host, node.port), "slave");
        let status = if view.leader().is_some() { "ok" } else { "err" };
        fields.extend([
            ("down-after-milliseconds", text(context.server.config.lease_ms)),
            ("info-refresh", text(0)),
            ("role-reported", text("slave")),
            ("role-reported-time", text(0)),
            ("master-link-down-time", text(0)),
            ("master-link-status", text(status)),
            ("master-host", text(host)),
            ("master-port", text(port)),
            ("slave-priority", text(100)),
            ("slave-repl-offset", text(node.offset)),
            ("replica-announced", text(1)),
        ]);
        map(fields)
    };
    Ok(Reply::Array(others.map(line).collect()))
}

/// The other nodes: each of them answers as this one does.
fn sentinels(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let view = look(context, args)?;
    let line = |node: &Node| {
        let mut fields = common(node, node.hex.clone(), "sentinel");
        fields.extend([
            ("down-after-milliseconds", text(context.server.config.lease_ms)),
            ("last-hello-message", text(0)),
            ("voted-leader", text("?")),
            ("voted-leader-epoch", text(0)),
        ]);
        map(fields)
    };
    Ok(Reply::Array(view.nodes.iter().filter(|node| !node.is_self).map(line).collect()))
}

fn address(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    if !ours(context, args) {
        return Ok(Reply::NullArray);
    }
    let view = View::of(context.server, context.client);
    Ok(match view.leader().or(view.last_leader.as_ref()) {
        Some(leader) => Reply::Array(vec![text(&leader.host), text(leader.port)]),
        None => Reply::NullArray,
    })
}

/// What a failover needs is not a majority of nodes but a node that holds every write and is not the leader.
fn ckquorum(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let view = look(context, args)?;
    let usable = view.nodes.len();
    let status = &context.server.status;
    if status.synced.is_empty() || view.leader().is_none() {
        return Err(Failure::text(format!(
            "NOQUORUM {usable} usable Sentinels. There is no synced replica that could take over"
        )));
    }
    Ok(Reply::Status(format!(
        "OK {usable} usable Sentinels. Quorum and failover authorization can be reached"
    )))
}

fn myid(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    Ok(Reply::text(view::hex_id("node", &context.server.status.node)))
}

fn help(_: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    Ok(crate::command::help("SENTINEL", HELP))
}

const HELP: &[&str] = &[
    "CKQUORUM <master-name>",
    "    Check whether another node could take over from the leader now.",
    "GET-MASTER-ADDR-BY-NAME <master-name>",
    "    Return the ip and port number of the master with that name.",
    "MASTER <master-name>",
    "    Show the state and info of the specified master.",
    "MASTERS",
    "    Show a list of monitored masters and their state.",
    "MYID",
    "    Return the ID of the Sentinel instance.",
    "REPLICAS <master-name>",
    "    Show a list of replicas for this master and their state.",
    "SENTINELS <master-name>",
    "    Show a list of Sentinel instances for this master and their state.",
];

pub static SENTINEL_CKQUORUM: Spec = Spec {
    name: "ckquorum",
    full_name: "SENTINEL|CKQUORUM",
    summary: "Checks for a Redis Sentinel quorum.",
    since: "2.8.4",
    group: "sentinel",
    complexity: "O(N) where N is the number of nodes",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("master-name", Kind::String)],
    handler: Handler::Run(ckquorum),
    ..Spec::BASE
};

pub static SENTINEL_GET_MASTER_ADDR_BY_NAME: Spec = Spec {
    name: "get-master-addr-by-name",
    full_name: "SENTINEL|GET-MASTER-ADDR-BY-NAME",
    summary: "Returns the port and IP address of a master Redis instance.",
    since: "2.8.4",
    group: "sentinel",
    complexity: "O(N) where N is the number of nodes",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("master-name", Kind::String)],
    handler: Handler::Run(address),
    ..Spec::BASE
};

pub static SENTINEL_HELP: Spec = Spec {
    name: "help",
    full_name: "SENTINEL|HELP",
    summary: "Returns helpful text about the different subcommands.",
    since: "6.2.0",
    group: "sentinel",
    complexity: "O(N) where N is the number of nodes",
    arity: 2,
    flags: Flags::of(&[Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW]),
    handler: Handler::Run(help),
    ..Spec::BASE
};

pub static SENTINEL_MASTER: Spec = Spec {
    name: "master",
    full_name: "SENTINEL|MASTER",
    summary: "Returns the state of a master Redis instance.",
    since: "2.8.4",
    group: "sentinel",
    complexity: "O(N) where N is the number of nodes",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("master-name", Kind::String)],
    handler: Handler::Run(master),
    ..Spec::BASE
};

pub static SENTINEL_MASTERS: Spec = Spec {
    name: "masters",
    full_name: "SENTINEL|MASTERS",
    summary: "Returns a list of monitored Redis masters.",
    since: "2.8.4",
    group: "sentinel",
    complexity: "O(N) where N is the number of nodes",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    handler: Handler::Run(masters),
    ..Spec::BASE
};

pub static SENTINEL_MYID: Spec = Spec {
    name: "myid",
    full_name: "SENTINEL|MYID",
    summary: "Returns the Redis Sentinel instance ID.",
    since: "6.2.0",
    group: "sentinel",
    complexity: "O(N) where N is the number of nodes",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    handler: Handler::Run(myid),
    ..Spec::BASE
};

pub static SENTINEL_REPLICAS: Spec = Spec {
    name: "replicas",
    full_name: "SENTINEL|REPLICAS",
    summary: "Returns a list of the monitored Redis replicas.",
    since: "5.0.0",
    group: "sentinel",
    complexity: "O(N) where N is the number of nodes",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("master-name", Kind::String)],
    handler: Handler::Run(replicas),
    ..Spec::BASE
};

pub static SENTINEL_SENTINELS: Spec = Spec {
    name: "sentinels",
    full_name: "SENTINEL|SENTINELS",
    summary: "Returns a list of Sentinel instances.",
    since: "2.8.4",
    group: "sentinel",
    complexity: "O(N) where N is the number of nodes",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("master-name", Kind::String)],
    handler: Handler::Run(sentinels),
    ..Spec::BASE
};

pub static SENTINEL_SLAVES: Spec = Spec {
    name: "slaves",
    full_name: "SENTINEL|SLAVES",
    summary: "Returns a list of the monitored replicas.",
    since: "2.8.0",
    group: "sentinel",
    complexity: "O(N) where N is the number of nodes",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[Arg::new("master-name", Kind::String)],
    deprecated: Some(("5.0.0", "`SENTINEL REPLICAS`")),
    handler: Handler::Run(replicas),
    ..Spec::BASE
};

pub static SENTINEL: Spec = Spec {
    name: "sentinel",
    full_name: "SENTINEL",
    summary: "A container for Redis Sentinel commands.",
    since: "2.8.4",
    group: "sentinel",
    complexity: "Depends on subcommand.",
    arity: -2,
    acl: Acl::of(&[Acl::SLOW]),
    subcommands: &[
        &SENTINEL_CKQUORUM,
        &SENTINEL_GET_MASTER_ADDR_BY_NAME,
        &SENTINEL_HELP,
        &SENTINEL_MASTER,
        &SENTINEL_MASTERS,
        &SENTINEL_MYID,
        &SENTINEL_REPLICAS,
        &SENTINEL_SENTINELS,
        &SENTINEL_SLAVES,
    ],
    handler: Handler::Container,
    ..Spec::BASE
};

//! `ROLE`: the part that this node plays, as Redis tells it.

use crate::command::spec::Acl;
use crate::command::{Args, Context, Flags, Handler, Spec};
use crate::resp::{Failure, Reply};

pub static ROLE: Spec = Spec {
    name: "role",
    full_name: "ROLE",
    summary: "Return the role of the instance in the context of replication",
    since: "2.8.12",
    group: "server",
    complexity: "O(1)",
    arity: 1,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE, Flags::FAST]),
    acl: Acl::of(&[Acl::ADMIN, Acl::FAST, Acl::DANGEROUS]),
    handler: Handler::Run(role),
    ..Spec::BASE
};

fn role(context: &mut Context<'_>, _args: &Args<'_>) -> Result<Reply, Failure> {
    let status = &context.server.status;
    if status.role.leads() {
        let replicas = status.replicas.iter().map(|replica| {
            Reply::Array(vec![
                Reply::bulk(&replica.host),
                Reply::text(replica.port.to_string()),
                Reply::text(replica.offset.to_string()),
            ])
        });
        return Ok(Reply::Array(vec![
            Reply::bulk("master"),
            Reply::Int(status.committed as i64),
            Reply::Array(replicas.collect()),
        ]));
    }
    let (host, port) = status.leader_address.clone().unwrap_or_default();
    let (link, offset) = match (status.link_up, status.leader_address.is_some()) {
        (true, _) => ("connected", status.committed as i64),
        (false, true) => ("connect", -1),
        (false, false) => ("none", -1),
    };
    Ok(Reply::Array(vec![
        Reply::bulk("slave"),
        Reply::text(host),
        Reply::Int(i64::from(port)),
        Reply::bulk(link),
        Reply::Int(offset),
    ]))
}

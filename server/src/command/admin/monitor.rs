//! `MONITOR`: every command that runs here, as it runs. The engine writes the lines.

use crate::command::spec::{Acl, Flags, Handler, Spec};
use crate::command::{Args, Context};
use crate::resp::{Failure, Reply};

fn monitor(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    if !context.may_block {
        return Err(Failure::new("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    context.client.monitor = true;
    context.clients.monitors.insert(context.client.id);
    Ok(Reply::OK)
}

pub static MONITOR: Spec = Spec {
    name: "monitor",
    full_name: "MONITOR",
    summary: "Listen for all requests received by the server in real time",
    since: "1.0.0",
    group: "server",
    arity: 1,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    handler: Handler::Run(monitor),
    ..Spec::BASE
};

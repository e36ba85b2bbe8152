//! `WAIT` and `WAITAOF`: until what the client wrote is on other nodes, or on disks.
//!
//! Here an acknowledged write is on two nodes anyway; these ask for more of them, or for their disks.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, Kind, Spec};
use super::super::{Args, Context, Verdict, errors, wait_until};
use crate::resp::Failure;
use crate::value::number;

fn wait(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    refuse_on_replica(
        context,
        "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is \
         configured to be writable (which is not the default) writes to replicas are just local and are not propagated.",
    )?;
    let count = number::integer(args.word(1)).ok_or(errors::NOT_INTEGER)?;
    let deadline = wait_until(args.word(2), context.keyspace.now)?;
    Ok(Verdict::Replicas { count: count.max(0) as u64, local: false, wait_aof: false, deadline })
}

fn waitaof(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    const LOCAL: Failure = Failure::new("ERR value is out of range, value must between 0 and 1");
    let local = number::integer(args.word(1)).ok_or(errors::NOT_INTEGER)?;
    if !(0..=1).contains(&local) {
        return Err(LOCAL);
    }
    let count = number::integer(args.word(2)).filter(|count| *count >= 0).ok_or(errors::OUT_OF_RANGE)?;
    let deadline = wait_until(args.word(3), context.keyspace.now)?;
    refuse_on_replica(
        context,
        "ERR WAITAOF cannot be used with replica instances. Please also note that writes on replicas are just local and \
         are not propagated.",
    )?;
    if local > 0 && !context.server.config.appendonly {
        return Err(Failure::new(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    Ok(Verdict::Replicas { count: count as u64, local: local > 0, wait_aof: true, deadline })
}

fn refuse_on_replica(context: &Context<'_>, text: &'static str) -> Result<(), Failure> {
    if context.server.status.role.leads() { Ok(()) } else { Err(Failure::new(text)) }
}

pub static WAIT: Spec = Spec {
    name: "wait",
    full_name: "WAIT",
    summary: "Wait for the synchronous replication of all the write commands sent in the context of the current \
              connection",
    since: "3.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::BLOCKING]),
    acl: Acl::of(&[Acl::SLOW, Acl::BLOCKING, Acl::CONNECTION]),
    args: &[Arg::new("numreplicas", Kind::Integer), Arg::new("timeout", Kind::Integer)],
    hints: &["request_policy:all_shards", "response_policy:agg_min"],
    grammar: Grammar::Own,
    handler: Handler::Try(wait),
    ..Spec::BASE
};

pub static WAITAOF: Spec = Spec {
    name: "waitaof",
    full_name: "WAITAOF",
    summary: "Blocks until all of the preceding write commands sent by the connection are written to the append-only \
              file of the master and/or replicas.",
    since: "7.2.0",
    group: "generic",
    complexity: "O(1)",
    arity: 4,
    flags: Flags::of(&[Flags::BLOCKING]),
    acl: Acl::of(&[Acl::SLOW, Acl::BLOCKING, Acl::CONNECTION]),
    args: &[
        Arg::new("numlocal", Kind::Integer),
        Arg::new("numreplicas", Kind::Integer),
        Arg::new("timeout", Kind::Integer),
    ],
    hints: &["request_policy:all_shards", "response_policy:agg_min"],
    grammar: Grammar::Own,
    handler: Handler::Try(waitaof),
    ..Spec::BASE
};

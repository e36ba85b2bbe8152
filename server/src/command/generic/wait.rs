//! `WAIT` and `WAITAOF`. Every reply of ours waits for the synced replica anyway; these wait for more.

use crate::command::spec::{Acl, Arg, Kind};
use crate::command::{Args, Context, Flags, Handler, Spec, Verdict, errors};
use crate::resp::Failure;
use crate::value::number;

pub static WAIT: Spec = Spec {
    name: "wait",
    full_name: "WAIT",
    summary: "Wait for the synchronous replication of all the write commands sent in the context of the current \
         connection",
    since: "3.0.0",
    group: "generic",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::NOSCRIPT]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    args: &[Arg::new("numreplicas", Kind::Integer), Arg::new("timeout", Kind::Integer)],
    hints: &["request_policy:all_shards", "response_policy:agg_min"],
    handler: Handler::Try(wait),
    ..Spec::BASE
};

fn wait(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    if !context.server.status.role.leads() {
        return Err(Failure::new(
            "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is \
             configured to be writable (which is not the default) writes to replicas are just local and are not \
             propagated.",
        ));
    }
    let count = number::integer(args.word(1)).ok_or(errors::NOT_INTEGER)?;
    let deadline = deadline(args.word(2), context.keyspace.now)?;
    Ok(Verdict::Replicas {
        count: u64::try_from(count).unwrap_or(0),
        local: false,
        wait_aof: false,
        deadline,
    })
}

pub static WAITAOF: Spec = Spec {
    name: "waitaof",
    full_name: "WAITAOF",
    summary: "Blocks until all of the preceding write commands sent by the connection are written to the append-only \
              file of the master and/or replicas.",
    since: "7.2.0",
    group: "generic",
    complexity: "O(1)",
    arity: 4,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::BLOCKING]),
    acl: Acl::of(&[Acl::SLOW, Acl::BLOCKING, Acl::CONNECTION]),
    args: &[
        Arg::new("numlocal", Kind::Integer),
        Arg::new("numreplicas", Kind::Integer),
        Arg::new("timeout", Kind::Integer),
    ],
    hints: &["request_policy:all_shards", "response_policy:agg_min"],
    handler: Handler::Try(waitaof),
    ..Spec::BASE
};

fn waitaof(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    if !context.server.status.role.leads() {
        return Err(Failure::new(
            "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just \
             local and are not propagated.",
        ));
    }
    let local = match number::integer(args.word(1)).ok_or(errors::NOT_INTEGER)? {
        0 => false,
        1 => true,
        _ => return Err(Failure::new("ERR value is out of range, value must between 0 and 1")),
    };
    let count = number::integer(args.word(2)).ok_or(errors::NOT_INTEGER)?;
    let count = u64::try_from(count).map_err(|_| errors::OUT_OF_RANGE)?;
    let deadline = deadline(args.word(3), context.keyspace.now)?;
    if local && !context.server.config.appendonly {
        return Err(Failure::new(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    Ok(Verdict::Replicas { count, local, wait_aof: true, deadline })
}

/// When to give up: a number of milliseconds from now, or never if it is 0.
fn deadline(word: &[u8], now: u64) -> Result<Option<u64>, Failure> {
    let time = number::integer(word).ok_or(Failure::new("ERR timeout is not an integer or out of range"))?;
    let time = u64::try_from(time).map_err(|_| errors::TIMEOUT_NEGATIVE)?;
    Ok((time > 0).then_some(time.saturating_add(now)))
}

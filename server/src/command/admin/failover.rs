//! `FAILOVER`: hand the leadership over. The node does it; here only the words are read, in Redis' order. `FAILOVER FORCE`
//! to a node that follows nobody makes it lead with what it has, when those are lost who have more.

use crate::command::server::Role;
use crate::command::spec::{Acl, Arg, Grammar, Kind};
use crate::command::{Args, Context, Flags, Handler, Order, Spec, Verdict, errors};
use crate::resp::Failure;
use crate::value::number;

pub static FAILOVER: Spec = Spec {
    name: "failover",
    full_name: "FAILOVER",
    summary: "Start a coordinated failover between this server and one of its replicas.",
    since: "6.2.0",
    group: "server",
    complexity: "O(1)",
    arity: -1,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS]),
    args: &[
        Arg::new(
            "target",
            Kind::Block(&[
                Arg::new("host", Kind::String),
                Arg::new("port", Kind::Integer),
                Arg::flag("force", "FORCE").optional(),
            ]),
        )
        .token("TO")
        .optional(),
        Arg::flag("abort", "ABORT").optional(),
        Arg::new("milliseconds", Kind::Integer).token("TIMEOUT").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Try(failover),
    ..Spec::BASE
};

fn failover(context: &mut Context<'_>, args: &Args<'_>) -> Result<Verdict, Failure> {
    let words: Vec<&[u8]> = args.request().rest(1).collect();
    let status = &context.server.status;
    if let [word] = words[..]
        && word.eq_ignore_ascii_case(b"abort")
    {
        if status.role == Role::Standalone {
            return Err(Failure::new("ERR No failover in progress."));
        }
        return Ok(Verdict::Order(Order::AbortFailover));
    }
    let (to, force, timeout_ms) = read(&words)?;
    if !status.role.leads() {
        // Of a Redis that is no use; here it is for who has nobody to follow, and accepts the loss of what it lacks.
        if (to.is_none(), force, timeout_ms, status.link_up) == (true, true, None, false) {
            return Ok(Verdict::Order(Order::ForceLead));
        }
        return Err(Failure::new("ERR FAILOVER is not valid when server is a replica."));
    }
    if status.replicas.is_empty() {
        return Err(Failure::new("ERR FAILOVER requires connected replicas."));
    }
    if force && (to.is_none() || timeout_ms.is_none()) {
        return Err(Failure::new(
            "ERR FAILOVER with force option requires both a timeout and target HOST and IP.",
        ));
    }
    Ok(Verdict::Order(Order::Failover { to, force, timeout_ms }))
}

type Options = (Option<(String, u16)>, bool, Option<u64>);

fn read(words: &[&[u8]]) -> Result<Options, Failure> {
    let (mut to, mut force, mut timeout) = (None, false, None);
    let mut rest = words;
    while let [word, after @ ..] = rest {
        rest = match (word.to_ascii_lowercase().as_slice(), after) {
            (b"timeout", [millis, after @ ..]) if timeout.is_none() => {
                let millis = number::integer(millis).ok_or(errors::NOT_INTEGER)?;
                if millis <= 0 {
                    return Err(Failure::new("ERR FAILOVER timeout must be greater than 0"));
                }
                timeout = Some(millis as u64);
                after
            }
            (b"to", [host, port, after @ ..]) if to.is_none() => {
                let port = number::integer(port).ok_or(errors::NOT_INTEGER)?;
                // A port that is none is no replica's either.
                to = Some((String::from_utf8_lossy(host).into_owned(), u16::try_from(port).unwrap_or(0)));
                after
            }
            (b"force", after) if !force => {
                force = true;
                after
            }
            _ => return Err(errors::SYNTAX),
        };
    }
    Ok((to, force, timeout))
}

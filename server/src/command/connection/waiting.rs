//! `CLIENT PAUSE`, `UNPAUSE` and `UNBLOCK`: who has to wait, and who no longer.

use super::super::server::{Errand, Pause};
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, Kind, Spec};
use super::super::{Args, Context, errors, wait_until};
use crate::resp::{Failure, Reply};
use crate::session::Blocked;
use crate::value::number;

fn pause(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    if args.len() > 4 {
        return Err(errors::subcommand("CLIENT", args.word(1)));
    }
    let all = match args.request().get(3) {
        None => true,
        Some(mode) if mode.eq_ignore_ascii_case(b"ALL") => true,
        Some(mode) if mode.eq_ignore_ascii_case(b"WRITE") => false,
        Some(_) => return Err(Failure::new("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let until = wait_until(args.word(2), context.keyspace.now)?.unwrap_or(context.keyspace.now);
    // A pause under way never gets shorter or weaker by another.
    let before = context.server.pause.filter(|pause| pause.until > context.keyspace.now);
    context.server.pause = Some(Pause {
        until: before.map_or(until, |pause| pause.until.max(until)),
        all: all || before.is_some_and(|pause| pause.all),
    });
    Ok(Reply::OK)
}

fn unpause(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    context.server.pause = None;
    context.server.errands.push(Errand::Unpause);
    Ok(Reply::OK)
}

fn unblock(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    if args.len() > 4 {
        return Err(errors::subcommand("CLIENT", args.word(1)));
    }
    let error = match args.request().get(3) {
        None => false,
        Some(reason) if reason.eq_ignore_ascii_case(b"TIMEOUT") => false,
        Some(reason) if reason.eq_ignore_ascii_case(b"ERROR") => true,
        Some(_) => return Err(Failure::new("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
    };
    let id = number::integer(args.word(2)).ok_or(errors::NOT_INTEGER)?;
    let waits = u64::try_from(id).ok().and_then(|id| context.clients.get(id)).filter(|client| {
        let by_command = matches!(client.blocked, Some(Blocked::Keys { .. } | Blocked::Replicas { .. }));
        by_command && !client.killed
    });
    let Some(id) = waits.map(|client| client.id) else { return Ok(Reply::Int(0)) };
    // In `EXEC` a client may be named twice.
    let is_done = |errand: &Errand| matches!(errand, Errand::Unblock { id: other, .. } if *other == id);
    if context.server.errands.iter().any(is_done) {
        return Ok(Reply::Int(0));
    }
    context.server.errands.push(Errand::Unblock { id, error });
    Ok(Reply::Int(1))
}

pub static CLIENT_PAUSE: Spec = Spec {
    name: "pause",
    full_name: "CLIENT|PAUSE",
    summary: "Stop processing commands from clients for some time",
    since: "2.9.50",
    group: "connection",
    complexity: "O(1)",
    arity: -3,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS, Acl::CONNECTION]),
    args: &[
        Arg::new("timeout", Kind::Integer),
        Arg::new("mode", Kind::OneOf(&[Arg::flag("write", "WRITE"), Arg::flag("all", "ALL")]))
            .optional()
            .since("6.2.0"),
    ],
    history: &[("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option.")],
    grammar: Grammar::Own,
    handler: Handler::Run(pause),
    ..Spec::BASE
};

pub static CLIENT_UNPAUSE: Spec = Spec {
    name: "unpause",
    full_name: "CLIENT|UNPAUSE",
    summary: "Resume processing of clients that were paused",
    since: "6.2.0",
    group: "connection",
    complexity: "O(N) Where N is the number of paused clients",
    arity: 2,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS, Acl::CONNECTION]),
    handler: Handler::Run(unpause),
    ..Spec::BASE
};

pub static CLIENT_UNBLOCK: Spec = Spec {
    name: "unblock",
    full_name: "CLIENT|UNBLOCK",
    summary: "Unblock a client blocked in a blocking command from a different connection",
    since: "5.0.0",
    group: "connection",
    complexity: "O(log N) where N is the number of client connections",
    arity: -3,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS, Acl::CONNECTION]),
    args: &[
        Arg::new("client-id", Kind::Integer),
        Arg::new(
            "timeout_error",
            Kind::OneOf(&[Arg::flag("timeout", "TIMEOUT"), Arg::flag("error", "ERROR")]),
        )
        .optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(unblock),
    ..Spec::BASE
};

//! `CLIENT CAPA` of Valkey: what a client says that it understands.

use super::super::spec::{Acl, Arg, Flags, Handler, Kind, Spec};
use super::super::{Args, Context};
use crate::resp::{Failure, Reply};

/// Words that mean nothing here may mean something to a later version: they are no error, as in Valkey.
fn capa(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    for word in args.request().rest(2) {
        if word.eq_ignore_ascii_case(b"redirect") {
            context.client.redirects = true;
        }
    }
    Ok(Reply::OK)
}

pub static CLIENT_CAPA: Spec = Spec {
    name: "capa",
    full_name: "CLIENT|CAPA",
    summary: "A client claims its capability.",
    since: "8.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: -3,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    args: &[Arg::new("capability", Kind::String).multiple()],
    handler: Handler::Run(capa),
    ..Spec::BASE
};

//! `AUTH`: who a client is. The user `default` has the passwords of the configuration too.

use super::super::acl::refuse_login;
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, Kind, Spec};
use super::super::{Args, Context, errors};
use crate::resp::{Failure, Reply};

/// Let the client in, if user and password say so.
pub(super) fn authenticate(
    context: &mut Context<'_>,
    command: &[u8],
    user: &[u8],
    password: &[u8],
) -> Result<(), Failure> {
    let Some(user) = context.server.login(user, password) else {
        let now = context.keyspace.now;
        return Err(refuse_login(context.server, context.client, now, command, user));
    };
    context.client.user = user.clone();
    context.client.authenticated = true;
    Ok(())
}

fn auth(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (user, password) = match args.len() {
        2 if context.server.users.default_user().no_password
            && !context.server.config.passwords().required() =>
        {
            return Err(Failure::new(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
                 configuration is correct?",
            ));
        }
        2 => (&b"default"[..], args.word(1)),
        3 => (args.word(1), args.word(2)),
        _ => return Err(errors::SYNTAX),
    };
    authenticate(context, args.word(0), user, password)?;
    Ok(Reply::OK)
}

pub static AUTH: Spec = Spec {
    name: "auth",
    full_name: "AUTH",
    summary: "Authenticate to the server",
    since: "1.0.0",
    group: "connection",
    complexity: "O(N) where N is the number of passwords defined for the user",
    arity: -2,
    flags: Flags::of(&[
        Flags::NOSCRIPT,
        Flags::LOADING,
        Flags::STALE,
        Flags::FAST,
        Flags::NO_AUTH,
        Flags::ALLOW_BUSY,
    ]),
    acl: Acl::of(&[Acl::FAST, Acl::CONNECTION]),
    args: &[Arg::new("username", Kind::String).optional().since("6.0.0"), Arg::new("password", Kind::String)],
    history: &[("6.0.0", "Added ACL style (username and password).")],
    grammar: Grammar::Own,
    handler: Handler::Run(auth),
    ..Spec::BASE
};

//! `HELLO`: the handshake, which chooses the version of the protocol.

use bytes::Bytes;

use super::super::server::REDIS_VERSION;
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, Kind, Spec};
use super::super::{Args, Context};
use super::{auth, is_plain, settings};
use crate::resp::{Failure, Protocol, Reply};
use crate::value::number;

fn hello(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let protocol = args.request().get(1).map(protocol).transpose()?;
    let (mut login, mut name) = (None, None);
    let mut words = args.request().rest(2);
    while let Some(option) = words.next() {
        if option.eq_ignore_ascii_case(b"AUTH") && words.len() >= 2 {
            login = words.next().zip(words.next());
        } else if option.eq_ignore_ascii_case(b"SETNAME") && words.len() >= 1 {
            name = words.next();
            if name.is_some_and(|name| !is_plain(name)) {
                return Err(settings::BAD_NAME);
            }
        } else {
            let option = String::from_utf8_lossy(option);
            return Err(Failure::text(format!("ERR Syntax error in HELLO option '{option}'")));
        }
    }
    if let Some((user, password)) = login {
        auth::authenticate(context, args.word(0), user, password)?;
    }
    if !context.client.authenticated && context.server.needs_password() {
        return Err(Failure::new(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> \
             option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        context.client.name = Bytes::copy_from_slice(name);
    }
    if let Some(protocol) = protocol {
        context.client.protocol = protocol;
    }
    Ok(greeting(context))
}

fn protocol(word: &[u8]) -> Result<Protocol, Failure> {
    const NUMBER: Failure = Failure::new("ERR Protocol version is not an integer or out of range");
    match number::integer(word).ok_or(NUMBER)? {
        2 => Ok(Protocol::Resp2),
        3 => Ok(Protocol::Resp3),
        _ => Err(Failure::new("NOPROTO unsupported protocol version")),
    }
}

/// Who answers. It calls itself redis because clients look for that.
fn greeting(context: &Context<'_>) -> Reply {
    let role = if context.server.status.role.leads() { "master" } else { "replica" };
    let fields = [
        ("server", Reply::bulk("redis")),
        ("version", Reply::bulk(REDIS_VERSION)),
        ("proto", Reply::Int(context.client.protocol.version())),
        ("id", Reply::Int(context.client.id as i64)),
        ("mode", Reply::bulk(if context.server.config.cluster_enabled { "cluster" } else { "standalone" })),
        ("role", Reply::bulk(role)),
        ("modules", Reply::Array(Vec::new())),
    ];
    Reply::Map(fields.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect())
}

pub static HELLO: Spec = Spec {
    name: "hello",
    full_name: "HELLO",
    summary: "Handshake with Redis",
    since: "6.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: -1,
    flags: Flags::of(&[
        Flags::NOSCRIPT,
        Flags::LOADING,
        Flags::STALE,
        Flags::FAST,
        Flags::NO_AUTH,
        Flags::ALLOW_BUSY,
    ]),
    acl: Acl::of(&[Acl::FAST, Acl::CONNECTION]),
    args: &[Arg::new(
        "arguments",
        Kind::Block(&[
            Arg::new("protover", Kind::Integer),
            Arg::new(
                "username_password",
                Kind::Block(&[Arg::new("username", Kind::String), Arg::new("password", Kind::String)]),
            )
            .token("AUTH")
            .optional(),
            Arg::new("clientname", Kind::String).token("SETNAME").optional(),
        ]),
    )
    .optional()],
    history: &[(
        "6.2.0",
        "`protover` made optional; when called without arguments the command reports the current \
         connection's context.",
    )],
    grammar: Grammar::Own,
    handler: Handler::Run(hello),
    ..Spec::BASE
};

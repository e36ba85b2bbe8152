//! `CLIENT KILL`, in its old form and with filters.

use super::super::server::Errand;
use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, Kind, Spec};
use super::super::{Args, Context, errors};
use super::list::Class;
use crate::acl::Users;
use crate::resp::{Failure, Reply};
use crate::session::{Client, ClientId};
use crate::value::number;

/// Whom to kill: who fits all that is given.
#[derive(Default)]
pub(super) struct Filter<'a> {
    /// Any of these, if there are any.
    ids: Vec<ClientId>,
    class: Option<Class>,
    address: Option<&'a [u8]>,
    local_address: Option<&'a [u8]>,
    user: Option<&'a [u8]>,
    age_seconds_min: Option<u64>,
    /// Whether who asks is spared.
    pub skip_me: bool,
}

impl<'a> Filter<'a> {
    /// Read the options of a request; `skip_me` holds unless one says something else.
    pub fn parse(args: &Args<'a>, users: &Users, skip_me: bool) -> Result<Self, Failure> {
        let mut filter = Filter { skip_me, ..Filter::default() };
        let mut words = args.request().rest(2).peekable();
        while let Some(option) = words.next() {
            let value = words.next().ok_or(errors::SYNTAX)?;
            match option.to_ascii_lowercase().as_slice() {
                b"id" => {
                    const ID: &str = "ERR client-id should be greater than 0";
                    filter.ids.push(positive(value, ID)?);
                    // Several at once is Valkey's.
                    while let Some(more) = words.next_if(|word| number::integer(word).is_some()) {
                        filter.ids.push(positive(more, ID)?);
                    }
                }
                b"type" => filter.class = Some(Class::parse(value)?),
                b"addr" => filter.address = Some(value),
                b"laddr" => filter.local_address = Some(value),
                b"maxage" => {
                    filter.age_seconds_min = Some(positive(value, "ERR maxage should be greater than 0")?);
                }
                b"user" if users.get(value).is_some() => filter.user = Some(value),
                b"user" => {
                    let user = String::from_utf8_lossy(value);
                    return Err(Failure::text(format!("ERR No such user '{user}'")));
                }
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.skip_me = true,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.skip_me = false,
                _ => return Err(errors::SYNTAX),
            }
        }
        Ok(filter)
    }

    pub fn fits(&self, client: &Client) -> bool {
        (self.ids.is_empty() || self.ids.contains(&client.id))
            && self.class.is_none_or(|class| class.has(client))
            && self.address.is_none_or(|address| address == client.address.as_bytes())
            && self.local_address.is_none_or(|address| address == client.local_address.as_bytes())
            && self.user.is_none_or(|user| user == client.user.name)
            && self.age_seconds_min.is_none_or(|age| client.created.elapsed().as_secs() >= age)
            && !client.killed
            && !client.closing
    }
}

fn positive(word: &[u8], failure: &'static str) -> Result<u64, Failure> {
    number::integer(word)
        .filter(|number| *number > 0)
        .map(|number| number as u64)
        .ok_or(Failure::new(failure))
}

fn kill(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let by_address = args.len() == 3;
    let filter = if by_address {
        Filter { address: Some(args.word(2)), ..Filter::default() }
    } else {
        Filter::parse(args, &context.server.users, true)?
    };
    let mut killed = 0;
    for client in context.clients.iter_mut().filter(|client| filter.fits(client)) {
        client.kill();
        context.server.errands.push(Errand::Kill { id: client.id });
        killed += 1;
    }
    if !filter.skip_me && filter.fits(context.client) {
        // Only once this very command is answered.
        context.client.closing = true;
        killed += 1;
    }
    match (by_address, killed) {
        (true, 0) => Err(Failure::new("ERR No such client")),
        (true, _) => Ok(Reply::OK),
        (false, killed) => Ok(Reply::Int(killed)),
    }
}

pub static CLIENT_KILL: Spec = Spec {
    name: "kill",
    full_name: "CLIENT|KILL",
    summary: "Kill the connection of a client",
    since: "2.4.0",
    group: "connection",
    complexity: "O(N) where N is the number of client connections",
    arity: -3,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS, Acl::CONNECTION]),
    args: &[Arg::new(
        "filter",
        Kind::OneOf(&[
            Arg::new("ip:port", Kind::String).deprecated("2.8.12"),
            Arg::new(
                "new-format",
                Kind::OneOf(&[
                    Arg::new("client-id", Kind::Integer).token("ID").optional().since("2.8.12"),
                    Arg::new(
                        "normal_master_slave_pubsub",
                        Kind::OneOf(&[
                            Arg::flag("normal", "NORMAL"),
                            Arg::flag("master", "MASTER").since("3.2.0"),
                            Arg::flag("slave", "SLAVE"),
                            Arg::flag("replica", "REPLICA").since("5.0.0"),
                            Arg::flag("pubsub", "PUBSUB"),
                        ]),
                    )
                    .token("TYPE")
                    .optional()
                    .since("2.8.12"),
                    Arg::new("username", Kind::String).token("USER").optional(),
                    Arg::new("addr", Kind::String).token("ADDR").display("ip:port").optional(),
                    Arg::new("laddr", Kind::String)
                        .token("LADDR")
                        .display("ip:port")
                        .optional()
                        .since("6.2.0"),
                    Arg::new("yes/no", Kind::String).token("SKIPME").optional(),
                ]),
            )
            .multiple(),
        ]),
    )],
    history: &[
        ("2.8.12", "Added new filter format."),
        ("2.8.12", "`ID` option."),
        ("3.2.0", "Added `master` type in for `TYPE` option."),
        (
            "5.0.0",
            "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility.",
        ),
        ("6.2.0", "`LADDR` option."),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(kill),
    ..Spec::BASE
};

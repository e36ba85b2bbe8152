//! `CLIENT TRACKING`, `CACHING`, `GETREDIR`, `TRACKINGINFO`: client side caching.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, Kind, Spec};
use super::super::{Args, Context, errors};
use crate::resp::{Failure, Reply};
use crate::session::{ClientId, Tracking};
use crate::value::number;

const ONE_REDIRECT: Failure = Failure::new("ERR A client can only redirect to a single other client");
const NO_SUCH_CLIENT: Failure = Failure::new("ERR The client ID you want redirect to does not exist");
const PREFIX_ALONE: Failure = Failure::new("ERR PREFIX option requires BCAST mode to be enabled");
const OTHER_MODE: Failure = Failure::new(
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a \
     different mode.",
);
const OPTIONS_BROADCAST: Failure = Failure::new("ERR OPTIN and OPTOUT are not compatible with BCAST");
const BOTH: Failure = Failure::new("ERR You can't specify both OPTIN mode and OPTOUT mode");
const OTHER_OPTION: Failure = Failure::new(
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a \
     different mode.",
);

fn tracking(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let mut wanted = parse(context, args)?;
    if args.word(2).eq_ignore_ascii_case(b"off") {
        context.end_tracking();
        return Ok(Reply::OK);
    }
    if !args.word(2).eq_ignore_ascii_case(b"on") {
        return Err(errors::SYNTAX);
    }
    check(&wanted, context.client.tracking.as_deref())?;
    if let Some(before) = context.client.tracking.take() {
        wanted.prefixes.extend(before.prefixes);
        wanted.caching = before.caching;
    }
    if wanted.broadcast && wanted.prefixes.is_empty() {
        wanted.prefixes.insert(Bytes::new());
    }
    context.clients.tracking.enter(context.client.id, &wanted);
    context.client.tracking = Some(Box::new(wanted));
    Ok(Reply::OK)
}

fn parse(context: &Context<'_>, args: &Args<'_>) -> Result<Tracking, Failure> {
    let mut wanted = Tracking::default();
    let mut prefixes: Vec<&[u8]> = Vec::new();
    let mut words = args.request().rest(3);
    while let Some(word) = words.next() {
        match (word.to_ascii_lowercase().as_slice(), words.len()) {
            (b"redirect", 1..) => {
                if wanted.redirect.is_some() {
                    return Err(ONE_REDIRECT);
                }
                let id = number::integer(words.next().unwrap_or_default()).ok_or(errors::NOT_INTEGER)?;
                let id = ClientId::try_from(id).unwrap_or(0);
                if id != context.client.id && context.clients.get(id).is_none() {
                    return Err(NO_SUCH_CLIENT);
                }
                wanted.redirect = Some(id);
            }
            (b"bcast", _) => wanted.broadcast = true,
            (b"optin", _) => wanted.opt_in = true,
            (b"optout", _) => wanted.opt_out = true,
            (b"noloop", _) => wanted.no_loop = true,
            (b"prefix", 1..) => prefixes.push(words.next().unwrap_or_default()),
            _ => return Err(errors::SYNTAX),
        }
    }
    if args.word(2).eq_ignore_ascii_case(b"on") {
        if wanted.broadcast {
            let before = context.client.tracking.as_deref().map(|tracking| &tracking.prefixes);
            if before.is_none_or(|_| context.client.tracking.as_deref().is_some_and(|other| other.broadcast))
                && !(wanted.opt_in || wanted.opt_out)
            {
                check_prefixes(&prefixes, before)?;
            }
        } else if !prefixes.is_empty() {
            return Err(PREFIX_ALONE);
        }
    }
    wanted.prefixes = prefixes.into_iter().map(Bytes::copy_from_slice).collect();
    Ok(wanted)
}

/// Do the options go together, and with what the client does already?
fn check(wanted: &Tracking, before: Option<&Tracking>) -> Result<(), Failure> {
    if before.is_some_and(|before| before.broadcast != wanted.broadcast) {
        return Err(OTHER_MODE);
    }
    if wanted.broadcast && (wanted.opt_in || wanted.opt_out) {
        return Err(OPTIONS_BROADCAST);
    }
    if wanted.opt_in && wanted.opt_out {
        return Err(BOTH);
    }
    if before.is_some_and(|before| before.opt_in && wanted.opt_out || before.opt_out && wanted.opt_in) {
        return Err(OTHER_OPTION);
    }
    Ok(())
}

/// No prefix may begin with another.
fn check_prefixes(prefixes: &[&[u8]], before: Option<&BTreeSet<Bytes>>) -> Result<(), Failure> {
    let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    let refused = |new: &[u8], what: &str, old: &[u8]| {
        let (new, old) = (String::from_utf8_lossy(new), String::from_utf8_lossy(old));
        Err(Failure::text(format!(
            "ERR Prefix '{new}' overlaps with {what} prefix '{old}'. Prefixes for a single client must not overlap."
        )))
    };
    for (index, prefix) in prefixes.iter().enumerate() {
        if let Some(old) = before.into_iter().flatten().find(|old| overlap(old, prefix)) {
            return refused(prefix, "an existing", old);
        }
        if let Some(other) = prefixes[index + 1..].iter().find(|other| overlap(other, prefix)) {
            return refused(prefix, "another provided", other);
        }
    }
    Ok(())
}

impl Context<'_> {
    fn end_tracking(&mut self) {
        if let Some(tracking) = self.client.tracking.take() {
            self.clients.tracking.leave(self.client.id, &tracking);
        }
    }
}

fn caching(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    const YES: Failure =
        Failure::new("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    const NO: Failure =
        Failure::new("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    let Some(tracking) = &mut context.client.tracking else {
        return Err(Failure::new(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode \
             enabled",
        ));
    };
    let (fits, refusal) = match args.word(2) {
        yes if yes.eq_ignore_ascii_case(b"yes") => (tracking.opt_in, YES),
        no if no.eq_ignore_ascii_case(b"no") => (tracking.opt_out, NO),
        _ => return Err(errors::SYNTAX),
    };
    if !fits {
        return Err(refusal);
    }
    tracking.caching = true;
    Ok(Reply::OK)
}

fn getredir(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    Ok(Reply::Int(context.client.redirection()))
}

fn trackinginfo(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    let (tracking, redirect) = (context.client.tracking.as_deref(), context.client.redirection());
    let has = |flag: fn(&Tracking) -> bool| tracking.is_some_and(flag);
    let known = [
        ("on", tracking.is_some()),
        ("off", tracking.is_none()),
        ("bcast", has(|tracking| tracking.broadcast)),
        ("optin", has(|tracking| tracking.opt_in)),
        ("caching-yes", has(|tracking| tracking.opt_in && tracking.caching)),
        ("optout", has(|tracking| tracking.opt_out)),
        ("caching-no", has(|tracking| tracking.opt_out && tracking.caching)),
        ("noloop", has(|tracking| tracking.no_loop)),
        ("broken_redirect", has(|tracking| tracking.broken)),
    ];
    let flags = known.iter().filter(|(_, set)| *set).map(|(flag, _)| Reply::bulk(flag)).collect();
    let prefixes = tracking.into_iter().flat_map(|tracking| &tracking.prefixes);
    Ok(Reply::Map(vec![
        (Reply::bulk("flags"), Reply::Set(flags)),
        (Reply::bulk("redirect"), Reply::Int(redirect)),
        (Reply::bulk("prefixes"), Reply::Array(prefixes.map(|prefix| Reply::Bulk(prefix.clone())).collect())),
    ]))
}

pub static CLIENT_TRACKING: Spec = Spec {
    name: "tracking",
    full_name: "CLIENT|TRACKING",
    summary: "Enable or disable server assisted client side caching support",
    since: "6.0.0",
    group: "connection",
    complexity: "O(1). Some options may introduce additional complexity.",
    arity: -3,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    args: &[
        Arg::new("status", Kind::OneOf(&[Arg::flag("on", "ON"), Arg::flag("off", "OFF")])),
        Arg::new("client-id", Kind::Integer).token("REDIRECT").optional(),
        Arg::new("prefix", Kind::String).token("PREFIX").optional().multiple().multiple_token(),
        Arg::flag("bcast", "BCAST").optional(),
        Arg::flag("optin", "OPTIN").optional(),
        Arg::flag("optout", "OPTOUT").optional(),
        Arg::flag("noloop", "NOLOOP").optional(),
    ],
    grammar: Grammar::Own,
    handler: Handler::Run(tracking),
    ..Spec::BASE
};

pub static CLIENT_CACHING: Spec = Spec {
    name: "caching",
    full_name: "CLIENT|CACHING",
    summary: "Instruct the server about tracking or not keys in the next request",
    since: "6.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    args: &[Arg::new("mode", Kind::OneOf(&[Arg::flag("yes", "YES"), Arg::flag("no", "NO")]))],
    grammar: Grammar::Own,
    handler: Handler::Run(caching),
    ..Spec::BASE
};

pub static CLIENT_GETREDIR: Spec = Spec {
    name: "getredir",
    full_name: "CLIENT|GETREDIR",
    summary: "Get tracking notifications redirection client ID if any",
    since: "6.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    handler: Handler::Run(getredir),
    ..Spec::BASE
};

pub static CLIENT_TRACKINGINFO: Spec = Spec {
    name: "trackinginfo",
    full_name: "CLIENT|TRACKINGINFO",
    summary: "Return information about server assisted client side caching for the current connection",
    since: "6.2.0",
    group: "connection",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    handler: Handler::Run(trackinginfo),
    ..Spec::BASE
};

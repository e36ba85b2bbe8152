//! What can be asked about users and rights.

use std::fmt::Write as _;

use super::{catalog, permit};
use crate::acl::{Entry, Selector, User};
use crate::command::{Args, Context, errors};
use crate::resp::{Batch, Failure, Reply};
use crate::value::number;

fn pairs<const N: usize>(fields: [(&'static str, Reply); N]) -> Reply {
    Reply::Map(fields.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect())
}

/// At most one word after the subcommand.
fn optional<'a>(args: &Args<'a>) -> Result<Option<&'a [u8]>, Failure> {
    if args.len() > 3 {
        return Err(errors::subcommand("ACL", args.word(1)));
    }
    Ok(args.request().get(2))
}

pub(super) fn cat(_: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let Some(category) = optional(args)? else {
        return Ok(Reply::Array(catalog().categories().map(Reply::bulk).collect()));
    };
    let bit = catalog().category(category).ok_or_else(|| {
        let category = String::from_utf8_lossy(category);
        Failure::text(format!("ERR Unknown category '{category}'"))
    })?;
    Ok(Reply::Array(catalog().of_category(bit).map(|command| Reply::bulk(catalog().name(command))).collect()))
}

pub(super) fn dryrun(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let name = args.word(2);
    let user = context.server.users.get(name).ok_or_else(|| {
        let name = String::from_utf8_lossy(name);
        Failure::text(format!("ERR User '{name}' not found"))
    })?;
    let words: Vec<&[u8]> = args.request().rest(3).collect();
    let batch = Batch::of(&words);
    let request = batch.get(0);
    let unknown = || {
        let command = String::from_utf8_lossy(args.word(3));
        Failure::text(format!("ERR Command '{command}' not found"))
    };
    let mut spec = crate::command::find(request.arg(0)).ok_or_else(unknown)?;
    let mut skip = 1;
    if let Some(word) = request.get(1).filter(|_| !spec.subcommands.is_empty()) {
        let found = spec.subcommands.iter().find(|sub| word.eq_ignore_ascii_case(sub.name.as_bytes()));
        (spec, skip) = (*found.ok_or_else(unknown)?, 2);
    }
    if !spec.takes(request.len()) {
        return Err(errors::arity(spec));
    }
    Ok(match permit::permitted(user, spec, skip, request) {
        Ok(()) => Reply::OK,
        Err(denied) => Reply::text(permit::reason(user, spec, denied, Some(request))),
    })
}

pub(super) fn genpass(_: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    const RANGE: Failure = Failure::new(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
    );
    let bits = match optional(args)? {
        None => 256,
        Some(word) => number::integer(word).ok_or(errors::NOT_INTEGER)?,
    };
    if !(1..=4096).contains(&bits) {
        return Err(RANGE);
    }
    let digits = (bits as usize).div_ceil(4);
    let mut bytes = vec![0; digits.div_ceil(2)];
    getrandom::fill(&mut bytes).map_err(|error| Failure::text(format!("ERR no random bytes: {error}")))?;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.truncate(digits);
    Ok(Reply::text(text))
}

fn selector(selector: &Selector) -> [(&'static str, Reply); 3] {
    [
        ("commands", Reply::text(selector.commands_text())),
        ("keys", Reply::bulk(selector.keys_text())),
        ("channels", Reply::bulk(selector.channels_text())),
    ]
}

pub(super) fn getuser(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let Some(user) = context.server.users.get(args.word(2)) else { return Ok(Reply::Null) };
    let [commands, keys, channels] = selector(user.root());
    Ok(pairs([
        ("flags", Reply::Set(user.flags().map(Reply::bulk).collect())),
        ("passwords", Reply::Array(user.passwords().map(Reply::bulk).collect())),
        commands,
        keys,
        channels,
        ("selectors", Reply::Array(user.others().iter().map(|other| pairs(selector(other))).collect())),
    ]))
}

pub(super) fn list(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    let line = |user: &User| Reply::bulk([b"user ", user.name.as_slice(), b" ", &user.describe()].concat());
    Ok(Reply::Array(context.server.users.iter().map(|user| line(user)).collect()))
}

pub(super) fn users(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    Ok(Reply::Array(context.server.users.iter().map(|user| Reply::bulk(&user.name)).collect()))
}

pub(super) fn whoami(context: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    Ok(Reply::bulk(&context.client.user.name))
}

pub(super) fn log(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let log = &mut context.server.acl_log;
    let count = match optional(args)? {
        None => 10,
        Some(word) if word.eq_ignore_ascii_case(b"RESET") => {
            log.clear();
            return Ok(Reply::OK);
        }
        Some(word) => number::integer(word).ok_or(errors::NOT_INTEGER)?.max(0),
    };
    let now = context.keyspace.now;
    Ok(Reply::Array(log.iter().take(count as usize).map(|entry| logged(entry, now)).collect()))
}

fn logged(entry: &Entry, now: u64) -> Reply {
    let int = |number: u64| Reply::Int(number as i64);
    pairs([
        ("count", int(entry.count)),
        ("reason", Reply::bulk(entry.reason.word())),
        ("context", Reply::bulk(entry.context)),
        ("object", Reply::bulk(&entry.object)),
        ("username", Reply::bulk(&entry.user)),
        ("age-seconds", Reply::Double(now.saturating_sub(entry.updated_ms) as f64 / 1000.0)),
        ("client-info", Reply::bulk(&entry.client)),
        ("entry-id", int(entry.id)),
        ("timestamp-created", int(entry.created_ms)),
        ("timestamp-last-updated", int(entry.updated_ms)),
    ])
}

pub(super) fn help(_: &mut Context<'_>, _: &Args<'_>) -> Result<Reply, Failure> {
    Ok(crate::command::help("ACL", HELP))
}

const HELP: &[&str] = &[
    "CAT [<category>]",
    "    List all commands that belong to <category>, or all command categories",
    "    when no category is specified.",
    "DELUSER <username> [<username> ...]",
    "    Delete a list of users.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Returns whether the user can execute the given command without executing the command.",
    "GETUSER <username>",
    "    Get the user's details.",
    "GENPASS [<bits>]",
    "    Generate a secure 256-bit user password. The optional `bits` argument can",
    "    be used to specify a different size.",
    "LIST",
    "    Show users details in config file format.",
    "LOAD",
    "    Reload users from the ACL file.",
    "LOG [<count> | RESET]",
    "    Show the ACL log entries.",
    "SAVE",
    "    Save the current config to the ACL file.",
    "SETUSER <username> <attribute> [<attribute> ...]",
    "    Create or modify a user with the specified attributes.",
    "USERS",
    "    List all the registered usernames.",
    "WHOAMI",
    "    Return the current connection username.",
];

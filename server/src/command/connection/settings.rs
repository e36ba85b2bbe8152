//! `CLIENT SETNAME`, `SETINFO`, `REPLY`, `NO-EVICT`, `NO-TOUCH`: what a connection says about itself.

use bytes::Bytes;

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, Kind, Spec};
use super::super::{Args, Context, errors};
use super::is_plain;
use crate::resp::{Failure, Reply};
use crate::session::ReplyMode;

pub(super) const BAD_NAME: Failure =
    Failure::new("ERR Client names cannot contain spaces, newlines or special characters.");

fn setname(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    if !is_plain(args.word(2)) {
        return Err(BAD_NAME);
    }
    context.client.name = Bytes::copy_from_slice(args.word(2));
    Ok(Reply::OK)
}

fn setinfo(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (option, value) = (args.word(2), args.word(3));
    let field = if option.eq_ignore_ascii_case(b"LIB-NAME") {
        &mut context.client.library_name
    } else if option.eq_ignore_ascii_case(b"LIB-VER") {
        &mut context.client.library_version
    } else {
        let option = String::from_utf8_lossy(option);
        return Err(Failure::text(format!("ERR Unrecognized option '{option}'")));
    };
    if !is_plain(value) {
        let option = String::from_utf8_lossy(option);
        return Err(Failure::text(format!(
            "ERR {option} cannot contain spaces, newlines or special characters."
        )));
    }
    *field = Bytes::copy_from_slice(value);
    Ok(Reply::OK)
}

fn reply(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let mode = &mut context.client.reply_mode;
    if args.has("on") {
        *mode = ReplyMode::On;
        return Ok(Reply::OK);
    }
    if args.has("off") {
        *mode = ReplyMode::Off;
    } else if *mode != ReplyMode::Off {
        *mode = ReplyMode::SkipNext;
    }
    Ok(Reply::None)
}

fn no_evict(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    context.client.no_evict = switch(args.word(2))?;
    Ok(Reply::OK)
}

fn no_touch(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    context.client.no_touch = switch(args.word(2))?;
    Ok(Reply::OK)
}

fn switch(word: &[u8]) -> Result<bool, Failure> {
    match word {
        on if on.eq_ignore_ascii_case(b"on") => Ok(true),
        off if off.eq_ignore_ascii_case(b"off") => Ok(false),
        _ => Err(errors::SYNTAX),
    }
}

pub static CLIENT_SETNAME: Spec = Spec {
    name: "setname",
    full_name: "CLIENT|SETNAME",
    summary: "Set the current connection name",
    since: "2.6.9",
    group: "connection",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    args: &[Arg::new("connection-name", Kind::String)],
    hints: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    handler: Handler::Run(setname),
    ..Spec::BASE
};

pub static CLIENT_SETINFO: Spec = Spec {
    name: "setinfo",
    full_name: "CLIENT|SETINFO",
    summary: "Sets information specific to the client or connection.",
    since: "7.2.0",
    group: "connection",
    complexity: "O(1)",
    arity: 4,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    args: &[Arg::new(
        "attr",
        Kind::OneOf(&[
            Arg::new("libname", Kind::String).token("LIB-NAME"),
            Arg::new("libver", Kind::String).token("LIB-VER"),
        ]),
    )],
    hints: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    grammar: Grammar::Own,
    handler: Handler::Run(setinfo),
    ..Spec::BASE
};

pub static CLIENT_REPLY: Spec = Spec {
    name: "reply",
    full_name: "CLIENT|REPLY",
    summary: "Instruct the server whether to reply to commands",
    since: "3.2.0",
    group: "connection",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    args: &[Arg::new(
        "on_off_skip",
        Kind::OneOf(&[Arg::flag("on", "ON"), Arg::flag("off", "OFF"), Arg::flag("skip", "SKIP")]),
    )],
    handler: Handler::Run(reply),
    ..Spec::BASE
};

pub static CLIENT_NO_EVICT: Spec = Spec {
    name: "no-evict",
    full_name: "CLIENT|NO-EVICT",
    summary: "Set client eviction mode for the current connection",
    since: "7.0.0",
    group: "connection",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::ADMIN, Acl::SLOW, Acl::DANGEROUS, Acl::CONNECTION]),
    args: &[Arg::new("enabled", Kind::OneOf(&[Arg::flag("on", "ON"), Arg::flag("off", "OFF")]))],
    handler: Handler::Run(no_evict),
    ..Spec::BASE
};

pub static CLIENT_NO_TOUCH: Spec = Spec {
    name: "no-touch",
    full_name: "CLIENT|NO-TOUCH",
    summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
    since: "7.2.0",
    group: "connection",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::of(&[Flags::NOSCRIPT, Flags::LOADING, Flags::STALE]),
    acl: Acl::of(&[Acl::SLOW, Acl::CONNECTION]),
    args: &[Arg::new("enabled", Kind::OneOf(&[Arg::flag("on", "ON"), Arg::flag("off", "OFF")]))],
    handler: Handler::Run(no_touch),
    ..Spec::BASE
};

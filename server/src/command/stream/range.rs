//! `XLEN`, `XRANGE` and `XREVRANGE`.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{entries_reply, integer, range_end, range_start, read};
use crate::resp::{Failure, Reply};

fn xlen(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    Ok(Reply::Int(read(context, args.word(1))?.map_or(0, |stream| stream.len() as i64)))
}

fn xrange(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    range(context, args, false)
}

fn xrevrange(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    range(context, args, true)
}

fn range(context: &mut Context<'_>, args: &Args<'_>, back: bool) -> Result<Reply, Failure> {
    let (first, last) = if back { (3, 2) } else { (2, 3) };
    let (start, end) = (range_start(args.word(first))?, range_end(args.word(last))?);
    let mut count = None;
    let mut words = args.request().rest(4);
    while let Some(word) = words.next() {
        let number = words.next().filter(|_| word.eq_ignore_ascii_case(b"COUNT")).ok_or(errors::SYNTAX)?;
        count = Some(integer(number)?.max(0) as usize);
    }
    let Some(stream) = read(context, args.word(1))? else { return Ok(Reply::Array(Vec::new())) };
    if count == Some(0) {
        return Ok(Reply::NullArray);
    }
    let count = count.unwrap_or(0);
    Ok(if back {
        entries_reply(stream.range_back(start, end), count)
    } else {
        entries_reply(stream.range(start, end), count)
    })
}

pub static XLEN: Spec = Spec {
    name: "xlen",
    full_name: "XLEN",
    summary: "Return the number of entries in a stream",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::of(&[Flags::READONLY, Flags::FAST]),
    acl: Acl::of(&[Acl::READ, Acl::STREAM, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO]))],
    args: &[Arg::new("key", Kind::Key(0))],
    grammar: Grammar::Own,
    handler: Handler::Run(xlen),
    ..Spec::BASE
};

pub static XRANGE: Spec = Spec {
    name: "xrange",
    full_name: "XRANGE",
    summary: "Return a range of elements in a stream, with IDs matching the specified IDs interval",
    since: "5.0.0",
    group: "stream",
    complexity: "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for \
         the first 10 elements with COUNT), you can consider it O(1).",
    arity: -4,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::STREAM, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("start", Kind::String),
        Arg::new("end", Kind::String),
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
    ],
    history: &[("6.2.0", "Added exclusive ranges.")],
    grammar: Grammar::Own,
    handler: Handler::Run(xrange),
    ..Spec::BASE
};

pub static XREVRANGE: Spec = Spec {
    name: "xrevrange",
    full_name: "XREVRANGE",
    summary: "Return a range of elements in a stream, with IDs matching the specified IDs interval, in reverse \
         order (from greater to smaller IDs) compared to XRANGE",
    since: "5.0.0",
    group: "stream",
    complexity: "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the \
         first 10 elements with COUNT), you can consider it O(1).",
    arity: -4,
    flags: Flags::of(&[Flags::READONLY]),
    acl: Acl::of(&[Acl::READ, Acl::STREAM, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RO, KeyFlags::ACCESS]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("end", Kind::String),
        Arg::new("start", Kind::String),
        Arg::new("count", Kind::Integer).token("COUNT").optional(),
    ],
    history: &[("6.2.0", "Added exclusive ranges.")],
    grammar: Grammar::Own,
    handler: Handler::Run(xrevrange),
    ..Spec::BASE
};

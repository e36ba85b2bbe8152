//! `XADD` and `XTRIM`: entries come, and old ones go.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::options::{Options, Wanted};
use super::{change, find, id_reply, known};
use crate::keyspace::StreamChange;
use crate::resp::{Failure, Reply};
use crate::value::Id;
use crate::value::stream::BLOCK_BYTES_MAX;

fn xadd(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let options = Options::parse(context, args, true)?;
    let words = args.len().saturating_sub(options.fields);
    if words < 2 || words % 2 == 1 {
        return Err(errors::arity(&XADD));
    }
    if matches!(options.id, Wanted::This(Id::MIN)) {
        return Err(Failure::new("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let (key, now) = (args.word(1), context.keyspace.now);
    let config = &context.server.config;
    let (entries_max, bytes_max) = (config.stream_node_max_entries, config.stream_node_max_bytes);
    let fields = args.request().rest(options.fields);
    let bytes = fields.clone().map(|word| word.len() as u64).sum();
    let (id, begin) = match find(context, key)? {
        None if options.keep_missing => return Ok(Reply::Null),
        None => (choose(options.id, Id::MIN, now)?, true),
        Some(stream) => {
            (choose(options.id, stream.last_id, now)?, stream.begins_block(bytes, entries_max, bytes_max))
        }
    };
    if bytes > BLOCK_BYTES_MAX {
        return Err(Failure::new("ERR Elements are too large to be stored"));
    }
    change(context, key, StreamChange::Add { id, begin, fields: fields.collect() });
    let count = options.would_trim(known(context, key)?);
    if count > 0 {
        change(context, key, StreamChange::Trim { count });
    }
    Ok(id_reply(id))
}

/// The identity of a new entry, which must be higher than the last one.
fn choose(wanted: Wanted, last: Id, now: u64) -> Result<Id, Failure> {
    const FULL: Failure =
        Failure::new("ERR The stream has exhausted the last possible ID, unable to add more items");
    const LOW: Failure =
        Failure::new("ERR The ID specified in XADD is equal or smaller than the target stream top item");
    let next = last.next().ok_or(FULL)?;
    let id = match wanted {
        Wanted::Any if now > last.ms => Id::new(now, 0),
        Wanted::Any => next,
        Wanted::Of(ms) if ms == last.ms => Id::new(ms, last.seq.checked_add(1).ok_or(LOW)?),
        Wanted::Of(ms) => Id::new(ms, 0),
        Wanted::This(id) => id,
    };
    if id > last { Ok(id) } else { Err(LOW) }
}

fn xtrim(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let (options, key) = (Options::parse(context, args, false)?, args.word(1));
    let Some(stream) = find(context, key)? else { return Ok(Reply::Int(0)) };
    let count = options.would_trim(stream);
    if count > 0 {
        change(context, key, StreamChange::Trim { count });
    }
    Ok(Reply::Int(count as i64))
}

pub static XADD: Spec = Spec {
    name: "xadd",
    full_name: "XADD",
    summary: "Appends a new entry to a stream",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
    arity: -5,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))
        .notes("UPDATE instead of INSERT because of the optional trimming feature")],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::flag("nomkstream", "NOMKSTREAM").optional().since("6.2.0"),
        Arg::new(
            "trim",
            Kind::Block(&[
                Arg::new(
                    "strategy",
                    Kind::OneOf(&[Arg::flag("maxlen", "MAXLEN"), Arg::flag("minid", "MINID").since("6.2.0")]),
                ),
                Arg::new(
                    "operator",
                    Kind::OneOf(&[
                        Arg::new("equal", Kind::Flag).token("="),
                        Arg::new("approximately", Kind::Flag).token("~"),
                    ]),
                )
                .optional(),
                Arg::new("threshold", Kind::String),
                Arg::new("count", Kind::Integer).token("LIMIT").optional().since("6.2.0"),
            ]),
        )
        .optional(),
        Arg::new(
            "id_or_auto",
            Kind::OneOf(&[Arg::new("auto_id", Kind::Flag).token("*"), Arg::new("id", Kind::String)]),
        ),
        Arg::new(
            "field_value",
            Kind::Block(&[Arg::new("field", Kind::String), Arg::new("value", Kind::String)]),
        )
        .multiple(),
    ],
    history: &[
        ("6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."),
        ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
    ],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(xadd),
    ..Spec::BASE
};

pub static XTRIM: Spec = Spec {
    name: "xtrim",
    full_name: "XTRIM",
    summary: "Trims the stream to (approximately if '~' is passed) a certain size",
    since: "5.0.0",
    group: "stream",
    complexity: "O(N), with N being the number of evicted entries. Constant times are very small however, since \
         entries are organized in macro nodes containing multiple entries that can be released with a \
         single deallocation.",
    arity: -4,
    flags: Flags::of(&[Flags::WRITE]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::SLOW]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new(
            "trim",
            Kind::Block(&[
                Arg::new(
                    "strategy",
                    Kind::OneOf(&[Arg::flag("maxlen", "MAXLEN"), Arg::flag("minid", "MINID").since("6.2.0")]),
                ),
                Arg::new(
                    "operator",
                    Kind::OneOf(&[
                        Arg::new("equal", Kind::Flag).token("="),
                        Arg::new("approximately", Kind::Flag).token("~"),
                    ]),
                )
                .optional(),
                Arg::new("threshold", Kind::String),
                Arg::new("count", Kind::Integer).token("LIMIT").optional().since("6.2.0"),
            ]),
        ),
    ],
    history: &[("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option.")],
    hints: &["nondeterministic_output"],
    grammar: Grammar::Own,
    handler: Handler::Run(xtrim),
    ..Spec::BASE
};

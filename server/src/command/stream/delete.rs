//! `XDEL` and `XSETID`.

use super::super::spec::{Acl, Arg, Flags, Grammar, Handler, KeyFlags, KeySpec, Kind, Spec};
use super::super::{Args, Context, errors};
use super::{change, find, integer, strict_id};
use crate::keyspace::StreamChange;
use crate::resp::{Failure, Reply};
use crate::value::Id;

fn xdel(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    let key = args.word(1);
    let Some(stream) = find(context, key)? else { return Ok(Reply::Int(0)) };
    let asked = args.request().rest(2).map(|word| strict_id(word, 0));
    let mut ids = Vec::new();
    for id in asked.collect::<Result<Vec<Id>, _>>()? {
        if !ids.contains(&id) && stream.get(id).is_some() {
            ids.push(id);
        }
    }
    let count = ids.len();
    if count > 0 {
        change(context, key, StreamChange::Delete { ids });
    }
    Ok(count.into())
}

fn xsetid(context: &mut Context<'_>, args: &Args<'_>) -> Result<Reply, Failure> {
    const POSITIVE: Failure = Failure::new("ERR entries_added must be positive");
    const GIVEN: Failure =
        Failure::new("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
    const CURRENT: Failure =
        Failure::new("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
    const TOP: Failure =
        Failure::new("ERR The ID specified in XSETID is smaller than the target stream top item");
    const SHORT: Failure =
        Failure::new("ERR The entries_added specified in XSETID is smaller than the target stream length");
    let (key, last) = (args.word(1), strict_id(args.word(2), 0)?);
    let (mut added, mut deleted) = (None, Id::MIN);
    let mut words = args.request().rest(3);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(errors::SYNTAX)?;
        if word.eq_ignore_ascii_case(b"ENTRIESADDED") {
            added = Some(u64::try_from(integer(value)?).map_err(|_| POSITIVE)?);
        } else if word.eq_ignore_ascii_case(b"MAXDELETEDID") {
            deleted = strict_id(value, 0)?;
            if last < deleted {
                return Err(GIVEN);
            }
        } else {
            return Err(errors::SYNTAX);
        }
    }
    let stream = find(context, key)?.ok_or(errors::NO_SUCH_KEY)?;
    if last < stream.max_deleted_id {
        return Err(CURRENT);
    }
    if stream.last().is_some_and(|top| last < top) {
        return Err(TOP);
    }
    if !stream.is_empty() && added.is_some_and(|added| added < stream.len()) {
        return Err(SHORT);
    }
    let added = added.unwrap_or(stream.entries_added);
    let max_deleted = if deleted == Id::MIN { stream.max_deleted_id } else { deleted };
    change(context, key, StreamChange::SetId { last, added, max_deleted });
    Ok(Reply::OK)
}

pub static XDEL: Spec = Spec {
    name: "xdel",
    full_name: "XDEL",
    summary: "Removes the specified entries from the stream. Returns the number of items actually deleted, that \
         may be different from the number of IDs passed in case certain IDs do not exist.",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::DELETE]))],
    args: &[Arg::new("key", Kind::Key(0)), Arg::new("id", Kind::String).multiple()],
    grammar: Grammar::Own,
    handler: Handler::Run(xdel),
    ..Spec::BASE
};

pub static XSETID: Spec = Spec {
    name: "xsetid",
    full_name: "XSETID",
    summary: "An internal command for replicating stream values",
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    arity: -3,
    flags: Flags::of(&[Flags::WRITE, Flags::DENYOOM, Flags::FAST]),
    acl: Acl::of(&[Acl::WRITE, Acl::STREAM, Acl::FAST]),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::of(&[KeyFlags::RW, KeyFlags::UPDATE]))],
    args: &[
        Arg::new("key", Kind::Key(0)),
        Arg::new("last-id", Kind::String),
        Arg::new("entries_added", Kind::Integer).token("ENTRIESADDED").optional().since("7.0.0"),
        Arg::new("max_deleted_entry_id", Kind::String).token("MAXDELETEDID").optional().since("7.0.0"),
    ],
    history: &[("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments.")],
    grammar: Grammar::Own,
    handler: Handler::Run(xsetid),
    ..Spec::BASE
};

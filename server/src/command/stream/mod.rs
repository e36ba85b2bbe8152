//! The stream commands: a file for each, or for a few that are one thing.

mod add;
mod claim;
mod delete;
mod group;
mod info;
mod options;
mod pending;
mod range;
mod read;

use super::{Class, Context, Spec, errors};
use crate::keyspace::{Effect, StreamChange};
use crate::resp::{Failure, Reply};
use crate::value::stream::Entry;
use crate::value::{Group, Id, Stream, Value, number};

/// In the order of their names.
pub static COMMANDS: &[&Spec] = &[
    &pending::XACK,
    &add::XADD,
    &claim::XAUTOCLAIM,
    &claim::XCLAIM,
    &delete::XDEL,
    &group::XGROUP,
    &info::XINFO,
    &range::XLEN,
    &pending::XPENDING,
    &range::XRANGE,
    &read::XREAD,
    &read::XREADGROUP,
    &range::XREVRANGE,
    &delete::XSETID,
    &add::XTRIM,
];

const INVALID_ID: Failure = Failure::new("ERR Invalid stream ID specified as stream command argument");

fn as_stream(value: Option<&Value>) -> Result<Option<&Stream>, Failure> {
    match value {
        None => Ok(None),
        Some(Value::Stream(stream)) => Ok(Some(stream)),
        Some(_) => Err(errors::WRONG_TYPE),
    }
}

/// The stream at `key`, to be told about: the look counts as an access.
fn read<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<Option<&'c Stream>, Failure> {
    as_stream(context.keyspace.read(context.client.db, key))
}

/// The stream at `key`, to be changed.
fn find<'c>(context: &'c mut Context<'_>, key: &[u8]) -> Result<Option<&'c Stream>, Failure> {
    as_stream(context.keyspace.find(context.client.db, key).map(|entry| &entry.value))
}

/// The stream at a key that was found already.
fn known<'c>(context: &'c Context<'_>, key: &[u8]) -> Result<&'c Stream, Failure> {
    let entry = context.keyspace.database(context.client.db).get(key);
    as_stream(entry.map(|entry| &entry.value))?.ok_or(errors::NO_SUCH_KEY)
}

/// A group of a stream, both of which must be there.
fn find_group<'c>(context: &'c mut Context<'_>, key: &[u8], group: &[u8]) -> Result<&'c Group, Failure> {
    let found = read(context, key)?.and_then(|stream| stream.group(group));
    found.ok_or_else(|| no_group(&format!("No such key '{}' or consumer group '{}'", text(key), text(group))))
}

fn no_group(what: &str) -> Failure {
    Failure::text(format!("NOGROUP {what}"))
}

/// A name within an error. It ends at a zero byte, as in C.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Make a change, and tell of it if that is always told.
fn change<'a>(context: &mut Context<'_>, key: &'a [u8], change: StreamChange<'a>) {
    let event = match &change {
        StreamChange::Add { .. } => Some("xadd"),
        StreamChange::Trim { .. } => Some("xtrim"),
        StreamChange::Delete { .. } => Some("xdel"),
        StreamChange::SetId { .. } => Some("xsetid"),
        StreamChange::CreateGroup { .. } => Some("xgroup-create"),
        StreamChange::DestroyGroup { .. } => Some("xgroup-destroy"),
        StreamChange::DeleteConsumer { .. } => Some("xgroup-delconsumer"),
        _ => None,
    };
    context.keyspace.change(&Effect::Stream { db: context.client.db, key, change });
    if let Some(event) = event {
        context.notify(Class::Stream, event, key);
    }
}

/// A consumer asks for something; it is made if it is missing, and whether it was is the answer.
fn see(context: &mut Context<'_>, key: &[u8], group: &[u8], consumer: &[u8]) -> Result<bool, Failure> {
    let time = context.keyspace.now;
    let seen = known(context, key)?.group(group).and_then(|group| group.consumer(consumer));
    let seen = seen.map(|consumer| consumer.seen);
    if seen != Some(time) {
        change(context, key, StreamChange::See { group, consumer, time });
    }
    if seen.is_none() {
        context.notify(Class::Stream, "xgroup-createconsumer", key);
    }
    Ok(seen.is_none())
}

fn integer(word: &[u8]) -> Result<i64, Failure> {
    number::integer(word).ok_or(errors::NOT_INTEGER)
}

/// The identity that a word is, without the words for the least and the highest one.
fn strict_id(word: &[u8], seq: u64) -> Result<Id, Failure> {
    Id::parse(word, seq).ok_or(INVALID_ID)
}

fn any_id(word: &[u8], seq: u64) -> Result<Id, Failure> {
    match word {
        b"-" => Ok(Id::MIN),
        b"+" => Ok(Id::MAX),
        _ => strict_id(word, seq),
    }
}

/// Where a range starts; `(` leaves out the identity itself.
fn range_start(word: &[u8]) -> Result<Id, Failure> {
    match word {
        [b'(', word @ ..] if !word.is_empty() => {
            strict_id(word, 0)?.next().ok_or(Failure::new("ERR invalid start ID for the interval"))
        }
        _ => any_id(word, 0),
    }
}

fn range_end(word: &[u8]) -> Result<Id, Failure> {
    match word {
        [b'(', word @ ..] if !word.is_empty() => {
            let end = strict_id(word, u64::MAX)?;
            end.previous().ok_or(Failure::new("ERR invalid end ID for the interval"))
        }
        _ => any_id(word, u64::MAX),
    }
}

fn id_reply(id: Id) -> Reply {
    Reply::text(id.to_string())
}

fn entry_reply(entry: &Entry<'_>) -> Reply {
    let items = entry.items().map(|item| Reply::Bulk(item.shared())).collect();
    Reply::Array(vec![id_reply(entry.id), Reply::Array(items)])
}

/// At most `count` entries, or all if that is 0.
fn entries_reply<'s>(entries: impl Iterator<Item = Entry<'s>>, count: usize) -> Reply {
    let most = if count == 0 { usize::MAX } else { count };
    Reply::Array(entries.take(most).map(|entry| entry_reply(&entry)).collect())
}

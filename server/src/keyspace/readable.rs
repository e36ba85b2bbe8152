//! Effects for a person to read: what `GETLOG` shows.

use std::fmt::{self, Display};

use super::{Effect, HashChange, SetChange, SortedSetChange, StreamChange};
use crate::value::End;

/// Words with a space between them.
struct Words<'f, 'b>(&'f mut fmt::Formatter<'b>);

impl Words<'_, '_> {
    fn begin(self, name: &str, db: u32) -> Result<Self, fmt::Error> {
        write!(self.0, "{name} {db}")?;
        Ok(self)
    }

    fn plain(self, name: &str) -> Result<Self, fmt::Error> {
        self.0.write_str(name)?;
        Ok(self)
    }

    fn bytes(self, bytes: &[u8]) -> Result<Self, fmt::Error> {
        write!(self.0, " \"{}\"", bytes.escape_ascii())?;
        Ok(self)
    }

    fn word(self, word: impl Display) -> Result<Self, fmt::Error> {
        write!(self.0, " {word}")?;
        Ok(self)
    }

    fn end(self, end: End) -> Result<Self, fmt::Error> {
        self.word(if end == End::Left { "left" } else { "right" })
    }

    fn items(self, items: &[&[u8]]) -> Result<Self, fmt::Error> {
        items.iter().try_fold(self, |out, item| out.bytes(item))
    }

    fn hash(self, db: u32, key: &[u8], change: &HashChange<'_>) -> Result<Self, fmt::Error> {
        match change {
            HashChange::Set { pairs } => self.begin("hash-set", db)?.bytes(key)?.items(pairs),
            HashChange::Replace { pairs } => self.begin("hash-replace", db)?.bytes(key)?.items(pairs),
            HashChange::Remove { fields } => self.begin("hash-remove", db)?.bytes(key)?.items(fields),
            HashChange::Expire { fields, deadline } => {
                let name = if deadline.is_some() { "hash-expire" } else { "hash-persist" };
                self.begin(name, db)?.bytes(key)?.items(fields)?.deadline(*deadline)
            }
        }
    }

    fn sorted_set(self, db: u32, key: &[u8], change: &SortedSetChange<'_>) -> Result<Self, fmt::Error> {
        match change {
            SortedSetChange::Score { members } => {
                let out = self.begin("sorted-set-score", db)?.bytes(key)?;
                members.iter().try_fold(out, |out, (member, score)| out.bytes(member)?.word(score))
            }
            SortedSetChange::Remove { members } => {
                self.begin("sorted-set-remove", db)?.bytes(key)?.items(members)
            }
            SortedSetChange::Cut { start, count } => {
                self.begin("sorted-set-cut", db)?.bytes(key)?.word(start)?.word(count)
            }
        }
    }

    fn stream(self, db: u32, key: &[u8], change: &StreamChange<'_>) -> Result<Self, fmt::Error> {
        let read = |read: &Option<u64>| read.map_or("unknown".to_owned(), |read| read.to_string());
        let name = match change {
            StreamChange::Create => "stream-create",
            StreamChange::Add { .. } => "stream-add",
            StreamChange::Delete { .. } => "stream-delete",
            StreamChange::Trim { .. } => "stream-trim",
            StreamChange::SetId { .. } => "stream-set-id",
            StreamChange::CreateGroup { .. } => "group-create",
            StreamChange::SetGroup { .. } => "group-set-id",
            StreamChange::DestroyGroup { .. } => "group-destroy",
            StreamChange::See { .. } => "consumer-see",
            StreamChange::DeleteConsumer { .. } => "consumer-delete",
            StreamChange::Give { .. } => "consumer-give",
            StreamChange::Acknowledge { .. } => "group-acknowledge",
        };
        let out = self.begin(name, db)?.bytes(key)?;
        match change {
            StreamChange::Create => Ok(out),
            StreamChange::Add { id, fields, .. } => out.word(id)?.items(fields),
            StreamChange::Delete { ids } => out.words(ids),
            StreamChange::Trim { count } => out.word(count),
            StreamChange::SetId { last, added, max_deleted } => {
                out.word(last)?.word(added)?.word(max_deleted)
            }
            StreamChange::CreateGroup { group, last, read: count }
            | StreamChange::SetGroup { group, last, read: count } => {
                out.bytes(group)?.word(last)?.word(read(count))
            }
            StreamChange::DestroyGroup { group } => out.bytes(group),
            StreamChange::See { group, consumer, time } => out.bytes(group)?.bytes(consumer)?.word(time),
            StreamChange::DeleteConsumer { group, consumer } => out.bytes(group)?.bytes(consumer),
            StreamChange::Give { group, consumer, given, .. } => {
                let out = out.bytes(group)?.bytes(consumer)?;
                given.iter().try_fold(out, |out, one| out.word(one.id)?.word(one.time)?.word(one.count))
            }
            StreamChange::Acknowledge { group, ids } => out.bytes(group)?.words(ids),
        }
    }

    fn hyperloglog(self, db: u32, key: &[u8], dense: bool, raised: &[u8]) -> Result<Self, fmt::Error> {
        let out = self.begin("hyperloglog", db)?.bytes(key)?;
        let out = if dense { out.word("dense")? } else { out };
        raised
            .as_chunks::<3>()
            .0
            .iter()
            .try_fold(out, |out, [low, high, value]| out.word(u16::from_le_bytes([*low, *high]))?.word(value))
    }

    fn words(self, words: &[impl Display]) -> Result<Self, fmt::Error> {
        words.iter().try_fold(self, Words::word)
    }

    fn deadline(self, deadline: Option<u64>) -> Result<Self, fmt::Error> {
        match deadline {
            Some(deadline) => self.word("until")?.word(deadline),
            None => Ok(self),
        }
    }
}

impl Display for Effect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let out = Words(f);
        match self {
            Effect::Set { db, key, value, deadline } => {
                out.begin("set", *db)?.bytes(key)?.bytes(value)?.deadline(*deadline)
            }
            Effect::Replace { db, key, value } => out.begin("replace", *db)?.bytes(key)?.bytes(value),
            Effect::Integer { db, key, number } => out.begin("integer", *db)?.bytes(key)?.word(number),
            Effect::Append { db, key, value } => out.begin("append", *db)?.bytes(key)?.bytes(value),
            Effect::SetRange { db, key, offset, value } => {
                out.begin("set-range", *db)?.bytes(key)?.word(offset)?.bytes(value)
            }
            Effect::Put { db, key, kind, value, deadline } => {
                out.begin("put", *db)?.bytes(key)?.word(kind)?.bytes(value)?.deadline(*deadline)
            }
            Effect::HyperLogLog { db, key, dense, raised, .. } => out.hyperloglog(*db, key, *dense, raised),
            Effect::Delete { db, key } => out.begin("delete", *db)?.bytes(key),
            Effect::Expire { db, key, deadline } => match deadline {
                Some(deadline) => out.begin("expire", *db)?.bytes(key)?.word(deadline),
                None => out.begin("persist", *db)?.bytes(key),
            },
            Effect::Rename { db, from, to } => out.begin("rename", *db)?.bytes(from)?.bytes(to),
            Effect::Copy { db, from, to_db, to } => {
                out.begin("copy", *db)?.bytes(from)?.word(to_db)?.bytes(to)
            }
            Effect::Move { db, key, to_db } => out.begin("move", *db)?.bytes(key)?.word(to_db),
            Effect::SwapDb { a, b } => out.begin("swap-databases", *a)?.word(b),
            Effect::FlushDb { db } => out.begin("flush-database", *db),
            Effect::FunctionLoad { name, code } => out.plain("function-load")?.bytes(name)?.bytes(code),
            Effect::FunctionDelete { name } => out.plain("function-delete")?.bytes(name),
            Effect::FunctionFlush => out.plain("function-flush"),
            Effect::FlushAll => return out.0.write_str("flush-all"),
            Effect::Event { db, name, key, .. } => out.begin("event", *db)?.bytes(name)?.bytes(key),
            Effect::Publish { shard, channel, message } => {
                out.0.write_str(if *shard { "publish-shard" } else { "publish" })?;
                out.bytes(channel)?.bytes(message)
            }
            // Not the rules: passwords are among them.
            Effect::User { name, rules } => {
                out.0.write_str(if rules.is_some() { "user" } else { "user-gone" })?;
                out.bytes(name)
            }
            Effect::ListPush { db, key, end, items } => {
                out.begin("list-push", *db)?.bytes(key)?.end(*end)?.items(items)
            }
            Effect::ListPop { db, key, end, count } => {
                out.begin("list-pop", *db)?.bytes(key)?.end(*end)?.word(count)
            }
            Effect::ListSet { db, key, index, item } => {
                out.begin("list-set", *db)?.bytes(key)?.word(index)?.bytes(item)
            }
            Effect::ListInsert { db, key, index, item } => {
                out.begin("list-insert", *db)?.bytes(key)?.word(index)?.bytes(item)
            }
            Effect::ListRemove { db, key, end, count, item } => {
                out.begin("list-remove", *db)?.bytes(key)?.end(*end)?.word(count)?.bytes(item)
            }
            Effect::ListTrim { db, key, start, length } => {
                out.begin("list-trim", *db)?.bytes(key)?.word(start)?.word(length)
            }
            Effect::Hash { db, key, change } => out.hash(*db, key, change),
            Effect::SortedSet { db, key, change } => out.sorted_set(*db, key, change),
            Effect::Stream { db, key, change } => out.stream(*db, key, change),
            Effect::Members { db, key, change } => match change {
                SetChange::Add { members } => out.begin("set-add", *db)?.bytes(key)?.items(members),
                SetChange::Remove { members } => out.begin("set-remove", *db)?.bytes(key)?.items(members),
            },
        }
        .map(drop)
    }
}

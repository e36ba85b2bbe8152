//! Effects: the only door for a change.
//!
//! An effect says what changed, not which command asked for it, and it is deterministic: applied to the same key
//! space it makes the same change on a leader, on a replica and in recovery. Deadlines are absolute, what was
//! popped at random or by expiry is a removal. The encoding is that of the log: a tag byte, then varints and
//! length-prefixed bytes. Tags are never reused; a reader stops at a tag that it does not know.

mod codec;
mod hash;
mod set;
mod sorted_set;
mod stream;

use smallvec::SmallVec;

use codec::{In, Out};
pub use hash::HashChange;
pub use set::SetChange;
pub use sorted_set::SortedSetChange;
pub use stream::{Given, StreamChange};

use crate::value::End;

/// Several byte strings of one effect.
pub type Items<'a> = SmallVec<[&'a [u8]; 4]>;

/// Milliseconds since 1970 at which a key expires.
pub type Deadline = u64;

#[derive(Debug, Clone, PartialEq)]
pub enum Effect<'a> {
    /// A string takes the place of whatever was at `key`; without a deadline it does not expire.
    Set {
        db: u32,
        key: &'a [u8],
        value: &'a [u8],
        deadline: Option<Deadline>,
    },
    /// The same, but the key keeps the deadline that it has.
    Replace {
        db: u32,
        key: &'a [u8],
        value: &'a [u8],
    },
    /// A number takes the place of a string, which keeps its deadline, or of nothing.
    Integer {
        db: u32,
        key: &'a [u8],
        number: i64,
    },
    /// Bytes at the end of a string, which is made if it is missing.
    Append {
        db: u32,
        key: &'a [u8],
        value: &'a [u8],
    },
    /// Bytes of a string from `offset` on, padded with zeros up to there.
    SetRange {
        db: u32,
        key: &'a [u8],
        offset: u64,
        value: &'a [u8],
    },
    /// A value, as its RDB type and encoding, takes the place of whatever was at `key`.
    Put {
        db: u32,
        key: &'a [u8],
        kind: u8,
        value: &'a [u8],
        deadline: Option<Deadline>,
    },
    /// The key and its value go.
    Delete {
        db: u32,
        key: &'a [u8],
    },
    /// The key expires at the deadline, or never.
    Expire {
        db: u32,
        key: &'a [u8],
        deadline: Option<Deadline>,
    },
    /// The value and deadline of `from` stand at `to` instead.
    Rename {
        db: u32,
        from: &'a [u8],
        to: &'a [u8],
    },
    /// The value and deadline of `from` stand at `to` in database `to_db` too.
    Copy {
        db: u32,
        from: &'a [u8],
        to_db: u32,
        to: &'a [u8],
    },
    /// The key moves to another database.
    Move {
        db: u32,
        key: &'a [u8],
        to_db: u32,
    },
    SwapDb {
        a: u32,
        b: u32,
    },
    FlushDb {
        db: u32,
    },
    FlushAll,
    /// A user has these rules now, or is gone.
    User {
        name: &'a [u8],
        rules: Option<&'a [u8]>,
    },
    /// Registers of a HyperLogLog are raised (see [`crate::value::hyperloglog::change`]); a missing one is made.
    HyperLogLog {
        db: u32,
        key: &'a [u8],
        /// It becomes dense first.
        dense: bool,
        /// The cached cardinality stays what it is.
        keep_cache: bool,
        /// Bytes from which a sparse one becomes dense.
        sparse_max: u64,
        raised: &'a [u8],
    },
    /// Items go to an end of a list one after the other; the list is made if it is missing.
    ListPush {
        db: u32,
        key: &'a [u8],
        end: End,
        items: Items<'a>,
    },
    /// So many items leave an end of a list; an empty list goes.
    ListPop {
        db: u32,
        key: &'a [u8],
        end: End,
        count: u64,
    },
    /// An item is replaced.
    ListSet {
        db: u32,
        key: &'a [u8],
        index: u64,
        item: &'a [u8],
    },
    /// An item is put before the one at `index`.
    ListInsert {
        db: u32,
        key: &'a [u8],
        index: u64,
        item: &'a [u8],
    },
    /// Occurrences of an item go: the first `count` ones from `end`, or all if 0.
    ListRemove {
        db: u32,
        key: &'a [u8],
        end: End,
        count: u64,
        item: &'a [u8],
    },
    /// Only `length` items from `start` on stay.
    ListTrim {
        db: u32,
        key: &'a [u8],
        start: u64,
        length: u64,
    },
    /// Something happened to a key: told to subscribers, changes nothing. The class is that of
    /// `notify-keyspace-events`, by its number.
    Event {
        db: u32,
        class: u8,
        name: &'a [u8],
        key: &'a [u8],
    },
    /// A message to the subscribers of a channel, which may be one of a shard; changes nothing.
    Publish {
        shard: bool,
        channel: &'a [u8],
        message: &'a [u8],
    },
    /// A hash changes.
    Hash {
        db: u32,
        key: &'a [u8],
        change: HashChange<'a>,
    },
    /// A stream changes.
    Stream {
        db: u32,
        key: &'a [u8],
        change: StreamChange<'a>,
    },
    /// A set changes.
    Members {
        db: u32,
        key: &'a [u8],
        change: SetChange<'a>,
    },
    /// A sorted set changes.
    SortedSet {
        db: u32,
        key: &'a [u8],
        change: SortedSetChange<'a>,
    },
    /// A library of functions takes the place of the one of its name, if there is one.
    FunctionLoad {
        name: &'a [u8],
        code: &'a [u8],
    },
    FunctionDelete {
        name: &'a [u8],
    },
    /// All libraries go.
    FunctionFlush,
}

/// A record that can't be read: written by a newer version, or damaged in a way that its checksum did not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EffectError {
    #[error("unknown effect {0}: was this log written by a newer version?")]
    Unknown(u8),
    #[error("an effect ends too early")]
    Truncated,
    #[error("an effect holds a value out of range")]
    Range,
    #[error("an effect is about database {0}, and there are fewer: raise `databases` to what it was")]
    Database(u32),
}

impl<'a> Effect<'a> {
    /// Append the encoding to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let out = &mut Out(out);
        let n = u64::from;
        match self {
            Effect::Set { db, key, value, deadline } => {
                out.tag(1).number(n(*db)).bytes(key).bytes(value).deadline(*deadline)
            }
            Effect::Replace { db, key, value } => out.tag(2).number(n(*db)).bytes(key).bytes(value),
            Effect::Append { db, key, value } => out.tag(3).number(n(*db)).bytes(key).bytes(value),
            Effect::SetRange { db, key, offset, value } => {
                out.tag(4).number(n(*db)).bytes(key).number(*offset).bytes(value)
            }
            Effect::Delete { db, key } => out.tag(5).number(n(*db)).bytes(key),
            Effect::Expire { db, key, deadline } => out.tag(6).number(n(*db)).bytes(key).deadline(*deadline),
            Effect::Rename { db, from, to } => out.tag(7).number(n(*db)).bytes(from).bytes(to),
            Effect::Copy { db, from, to_db, to } => {
                out.tag(8).number(n(*db)).bytes(from).number(n(*to_db)).bytes(to)
            }
            Effect::Move { db, key, to_db } => out.tag(9).number(n(*db)).bytes(key).number(n(*to_db)),
            Effect::SwapDb { a, b } => out.tag(10).number(n(*a)).number(n(*b)),
            Effect::FlushDb { db } => out.tag(11).number(n(*db)),
            Effect::FlushAll => out.tag(12),
            Effect::User { name, rules } => {
                let out = out.tag(124).bytes(name).number(u64::from(rules.is_some()));
                match rules {
                    Some(rules) => out.bytes(rules),
                    None => out,
                }
            }
            Effect::Integer { db, key, number } => out.tag(19).number(n(*db)).bytes(key).signed(*number),
            Effect::FunctionLoad { name, code } => out.tag(120).bytes(name).bytes(code),
            Effect::FunctionDelete { name } => out.tag(121).bytes(name),
            Effect::FunctionFlush => out.tag(122),
            Effect::Put { db, key, kind, value, deadline } => {
                let out = out.tag(20).number(n(*db)).bytes(key).number(u64::from(*kind));
                out.bytes(value).deadline(*deadline)
            }
            Effect::Event { db, class, name, key } => {
                out.tag(125).number(n(*db)).number(u64::from(*class)).bytes(name).bytes(key)
            }
            Effect::Publish { shard, channel, message } => {
                out.tag(126).number(u64::from(*shard)).bytes(channel).bytes(message)
            }
            Effect::Hash { db, key, change } => out.with(|out| change.encode(*db, key, out)),
            Effect::Members { db, key, change } => out.with(|out| change.encode(*db, key, out)),
            Effect::SortedSet { db, key, change } => out.with(|out| change.encode(*db, key, out)),
            Effect::Stream { db, key, change } => out.with(|out| stream::encode(*db, key, change, out)),
            Effect::HyperLogLog { .. } => out.with(|out| self.encode_hyperloglog(out)),
            Effect::ListPush { .. }
            | Effect::ListPop { .. }
            | Effect::ListSet { .. }
            | Effect::ListInsert { .. }
            | Effect::ListRemove { .. }
            | Effect::ListTrim { .. } => out.with(|out| self.encode_list(out)),
        };
    }

    fn encode_list(&self, out: &mut Out<'_>) {
        let n = u64::from;
        match self {
            Effect::ListPush { db, key, end, items } => {
                out.tag(13).number(n(*db)).bytes(key).end(*end).items(items)
            }
            Effect::ListPop { db, key, end, count } => {
                out.tag(14).number(n(*db)).bytes(key).end(*end).number(*count)
            }
            Effect::ListSet { db, key, index, item } => {
                out.tag(15).number(n(*db)).bytes(key).number(*index).bytes(item)
            }
            Effect::ListInsert { db, key, index, item } => {
                out.tag(16).number(n(*db)).bytes(key).number(*index).bytes(item)
            }
            Effect::ListRemove { db, key, end, count, item } => {
                out.tag(17).number(n(*db)).bytes(key).end(*end).number(*count).bytes(item)
            }
            Effect::ListTrim { db, key, start, length } => {
                out.tag(18).number(n(*db)).bytes(key).number(*start).number(*length)
            }
            _ => unreachable!("every other effect is encoded elsewhere"),
        };
    }

    /// The effects of a record's payload, one after the other, whatever databases they are about. After an error nothing
    /// more comes.
    pub fn decode_all(payload: &'a [u8]) -> impl Iterator<Item = Result<Effect<'a>, EffectError>> {
        Self::decode_within(payload, u32::MAX)
    }

    /// As [`Effect::decode_all`], where there are so many databases.
    pub fn decode_within(
        payload: &'a [u8],
        databases: u32,
    ) -> impl Iterator<Item = Result<Effect<'a>, EffectError>> {
        let mut input = In { left: payload, databases };
        std::iter::from_fn(move || {
            if input.left.is_empty() {
                return None;
            }
            let effect = Self::decode(&mut input);
            if effect.is_err() {
                input.left = &[];
            }
            Some(effect)
        })
    }

    fn decode(input: &mut In<'a>) -> Result<Self, EffectError> {
        let i = input;
        Ok(match i.byte()? {
            1 => Effect::Set { db: i.db()?, key: i.bytes()?, value: i.bytes()?, deadline: i.deadline()? },
            2 => Effect::Replace { db: i.db()?, key: i.bytes()?, value: i.bytes()? },
            3 => Effect::Append { db: i.db()?, key: i.bytes()?, value: i.bytes()? },
            4 => Effect::SetRange { db: i.db()?, key: i.bytes()?, offset: i.offset()?, value: i.bytes()? },
            5 => Effect::Delete { db: i.db()?, key: i.bytes()? },
            6 => Effect::Expire { db: i.db()?, key: i.bytes()?, deadline: i.deadline()? },
            7 => Effect::Rename { db: i.db()?, from: i.bytes()?, to: i.bytes()? },
            8 => Effect::Copy { db: i.db()?, from: i.bytes()?, to_db: i.db()?, to: i.bytes()? },
            9 => Effect::Move { db: i.db()?, key: i.bytes()?, to_db: i.db()? },
            10 => Effect::SwapDb { a: i.db()?, b: i.db()? },
            11 => Effect::FlushDb { db: i.db()? },
            12 => Effect::FlushAll,
            13 => Effect::ListPush { db: i.db()?, key: i.bytes()?, end: i.end()?, items: i.items()? },
            14 => Effect::ListPop { db: i.db()?, key: i.bytes()?, end: i.end()?, count: i.number()? },
            15 => Effect::ListSet { db: i.db()?, key: i.bytes()?, index: i.number()?, item: i.bytes()? },
            16 => Effect::ListInsert { db: i.db()?, key: i.bytes()?, index: i.number()?, item: i.bytes()? },
            17 => Effect::ListRemove {
                db: i.db()?,
                key: i.bytes()?,
                end: i.end()?,
                count: i.number()?,
                item: i.bytes()?,
            },
            18 => Effect::ListTrim { db: i.db()?, key: i.bytes()?, start: i.number()?, length: i.number()? },
            19 => Effect::Integer { db: i.db()?, key: i.bytes()?, number: i.signed()? },
            20 => Effect::Put {
                db: i.db()?,
                key: i.bytes()?,
                kind: u8::try_from(i.number()?).map_err(|_| EffectError::Range)?,
                value: i.bytes()?,
                deadline: i.deadline()?,
            },
            125 => Effect::Event {
                db: i.db()?,
                class: u8::try_from(i.number()?).map_err(|_| EffectError::Range)?,
                name: i.bytes()?,
                key: i.bytes()?,
            },
            126 => Effect::Publish { shard: i.number()? != 0, channel: i.bytes()?, message: i.bytes()? },
            tag if hash::TAGS.contains(&tag) => {
                let (db, key, change) = HashChange::decode(tag, i)?;
                Effect::Hash { db, key, change }
            }
            tag if stream::TAGS.contains(&tag) => stream::decode(tag, i)?,
            tag if set::TAGS.contains(&tag) => {
                let (db, key, change) = SetChange::decode(tag, i)?;
                Effect::Members { db, key, change }
            }
            124 => Effect::User {
                name: i.bytes()?,
                rules: match i.number()? {
                    0 => None,
                    1 => Some(i.bytes()?),
                    _ => return Err(EffectError::Range),
                },
            },
            tag if sorted_set::TAGS.contains(&tag) => {
                let (db, key, change) = SortedSetChange::decode(tag, i)?;
                Effect::SortedSet { db, key, change }
            }
            120 => Effect::FunctionLoad { name: i.bytes()?, code: i.bytes()? },
            121 => Effect::FunctionDelete { name: i.bytes()? },
            122 => Effect::FunctionFlush,
            112 => Self::decode_hyperloglog(i)?,
            other => return Err(EffectError::Unknown(other)),
        })
    }

    fn encode_hyperloglog(&self, out: &mut Out<'_>) {
        if let Effect::HyperLogLog { db, key, dense, keep_cache, sparse_max, raised } = self {
            let flags = u64::from(*dense) | u64::from(*keep_cache) << 1;
            out.tag(112).number(u64::from(*db)).bytes(key).number(flags).number(*sparse_max).bytes(raised);
        }
    }

    fn decode_hyperloglog(i: &mut In<'a>) -> Result<Self, EffectError> {
        let (db, key, flags) = (i.db()?, i.bytes()?, i.number()?);
        let (dense, keep_cache) = (flags & 1 != 0, flags & 2 != 0);
        let (sparse_max, raised) = (i.number()?, i.bytes()?);
        Ok(Effect::HyperLogLog { db, key, dense, keep_cache, sparse_max, raised })
    }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;

    fn one_of_each<'a>() -> Vec<Effect<'a>> {
        let (db, key) = (3, b"key".as_slice());
        let pairs: Items<'a> = smallvec![b"f".as_slice(), b"v".as_slice()];
        vec![
            Effect::Set { db, key, value: b"v", deadline: Some(1 << 41) },
            Effect::Set { db, key, value: b"", deadline: None },
            Effect::Replace { db, key, value: b"v" },
            Effect::Integer { db, key, number: i64::MIN },
            Effect::Integer { db, key, number: -3 },
            Effect::Append { db, key, value: b"v" },
            Effect::SetRange { db, key, offset: 300, value: b"v" },
            Effect::Put { db, key, kind: 1, value: b"\x01\x01x", deadline: Some(7) },
            Effect::Delete { db, key },
            Effect::Expire { db, key, deadline: None },
            Effect::Rename { db, from: key, to: b"to" },
            Effect::Copy { db, from: key, to_db: 9, to: b"to" },
            Effect::Move { db, key, to_db: 200 },
            Effect::SwapDb { a: 1, b: 2 },
            Effect::FlushDb { db },
            Effect::FlushAll,
            Effect::User { name: b"ann", rules: Some(b"on") },
            Effect::User { name: b"ann", rules: None },
            Effect::ListPush {
                db,
                key,
                end: End::Right,
                items: smallvec![b"a".as_slice(), b"".as_slice(), b"c".as_slice()],
            },
            Effect::ListPop { db, key, end: End::Left, count: 1 << 40 },
            Effect::ListSet { db, key, index: 7, item: b"i" },
            Effect::ListInsert { db, key, index: 0, item: b"i" },
            Effect::ListRemove { db, key, end: End::Left, count: 0, item: b"i" },
            Effect::ListTrim { db, key, start: 1, length: 2 },
            Effect::Event { db, class: 11, name: b"new", key },
            Effect::Publish { shard: true, channel: b"c", message: b"m" },
            Effect::Members {
                db,
                key,
                change: SetChange::Add { members: smallvec![b"a".as_slice(), b"".as_slice()] },
            },
            Effect::Members { db, key, change: SetChange::Remove { members: smallvec![b"a".as_slice()] } },
            Effect::SortedSet {
                db,
                key,
                change: SortedSetChange::Score {
                    members: smallvec![(b"a".as_slice(), -1.5), (b"".as_slice(), 0.0)],
                },
            },
            Effect::SortedSet {
                db,
                key,
                change: SortedSetChange::Remove { members: smallvec![b"a".as_slice()] },
            },
            Effect::SortedSet { db, key, change: SortedSetChange::Cut { start: 300, count: 2 } },
            Effect::Hash { db, key, change: HashChange::Set { pairs: pairs.clone() } },
            Effect::Hash { db, key, change: HashChange::Replace { pairs: pairs.clone() } },
            Effect::Hash { db, key, change: HashChange::Remove { fields: pairs.clone() } },
            Effect::Hash {
                db,
                key,
                change: HashChange::Expire { fields: pairs.clone(), deadline: Some(1 << 41) },
            },
            Effect::Hash { db, key, change: HashChange::Expire { fields: pairs, deadline: None } },
            Effect::FunctionLoad { name: b"lib", code: b"#!lua name=lib\n" },
            Effect::FunctionDelete { name: b"lib" },
            Effect::FunctionFlush,
        ]
    }

    fn with_streams<'a>() -> Vec<Effect<'a>> {
        let streams = super::stream::one_of_each().into_iter();
        let streams = streams.map(|change| Effect::Stream { db: 3, key: b"key", change });
        let (db, key, raised) = (3, b"key".as_slice(), b"\x01\x02\x03".as_slice());
        let counted =
            Effect::HyperLogLog { db, key, dense: true, keep_cache: false, sparse_max: 3_000, raised };
        one_of_each().into_iter().chain(streams).chain([counted]).collect()
    }

    #[test]
    fn a_database_that_is_not_there_is_an_error() {
        let mut payload = Vec::new();
        Effect::Delete { db: 7, key: b"k" }.encode(&mut payload);
        let within = |databases| Effect::decode_within(&payload, databases).collect::<Vec<_>>();
        assert_eq!(within(8), [Ok(Effect::Delete { db: 7, key: b"k" })]);
        assert_eq!(within(7), [Err(EffectError::Database(7))]);
    }

    #[test]
    fn effects_come_back_as_they_were_written() {
        let mut payload = Vec::new();
        let effects = with_streams();
        effects.iter().for_each(|effect| effect.encode(&mut payload));
        let decoded: Vec<_> = Effect::decode_all(&payload).collect::<Result<_, _>>().unwrap();
        assert_eq!(decoded, effects);
    }

    #[test]
    fn a_cut_or_unknown_effect_is_an_error_and_never_a_panic() {
        for effect in with_streams() {
            let mut payload = Vec::new();
            effect.encode(&mut payload);
            for cut in 1..payload.len() {
                let last = Effect::decode_all(&payload[..cut]).last();
                assert_eq!(last, Some(Err(EffectError::Truncated)), "{effect:?} cut at {cut}");
            }
        }
        assert_eq!(Effect::decode_all(&[255, 1]).next(), Some(Err(EffectError::Unknown(255))));
    }
}

//! Changes of streams. Times and choices are in them; a follower decides nothing.

use super::codec::{In, Out};
use super::{Effect, EffectError, Items};
use crate::value::Id;

/// An entry that a consumer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    pub id: Id,
    /// When it was delivered, in milliseconds since 1970, and how often so far.
    pub time: u64,
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum StreamChange<'a> {
    /// A missing one is made, without an entry.
    Create,
    /// An entry is added, `begin`ning a block or not; a missing stream is made.
    Add {
        id: Id,
        begin: bool,
        fields: Items<'a>,
    },
    Delete {
        ids: Vec<Id>,
    },
    /// So many of the oldest entries go.
    Trim {
        count: u64,
    },
    /// `XSETID`.
    SetId {
        last: Id,
        added: u64,
        max_deleted: Id,
    },
    /// A group is made, if there is none of that name.
    CreateGroup {
        group: &'a [u8],
        last: Id,
        read: Option<u64>,
    },
    /// How far a group has read.
    SetGroup {
        group: &'a [u8],
        last: Id,
        read: Option<u64>,
    },
    DestroyGroup {
        group: &'a [u8],
    },
    /// A consumer asked for something; a missing one is made.
    See {
        group: &'a [u8],
        consumer: &'a [u8],
        time: u64,
    },
    DeleteConsumer {
        group: &'a [u8],
        consumer: &'a [u8],
    },
    /// Entries become a consumer's, which got something at `active`.
    Give {
        group: &'a [u8],
        consumer: &'a [u8],
        active: Option<u64>,
        given: Vec<Given>,
    },
    /// Entries are nobody's any more.
    Acknowledge {
        group: &'a [u8],
        ids: Vec<Id>,
    },
}

impl StreamChange<'_> {
    /// Whether `WATCH` notices it.
    pub fn is_seen(&self) -> bool {
        use StreamChange::{Add, Create, Delete, Trim};
        matches!(self, Create | Add { .. } | Delete { .. } | Trim { .. })
    }

    /// Whether somebody who waits may be served, or has nothing to wait for any more.
    pub fn wakes(&self) -> bool {
        matches!(self, StreamChange::Add { .. } | StreamChange::DestroyGroup { .. })
    }
}

/// The tags of streams.
pub(super) const TAGS: std::ops::RangeInclusive<u8> = 80..=111;

/// A number that may be missing, as one more than it is.
fn option(number: Option<u64>) -> u64 {
    number.map_or(0, |number| number.saturating_add(1))
}

pub(super) fn encode(db: u32, key: &[u8], change: &StreamChange<'_>, out: &mut Out<'_>) {
    let tag = match change {
        StreamChange::Create => 80,
        StreamChange::Add { .. } => 81,
        StreamChange::Delete { .. } => 82,
        StreamChange::Trim { .. } => 83,
        StreamChange::SetId { .. } => 84,
        StreamChange::CreateGroup { .. } => 85,
        StreamChange::SetGroup { .. } => 86,
        StreamChange::DestroyGroup { .. } => 87,
        StreamChange::See { .. } => 88,
        StreamChange::DeleteConsumer { .. } => 89,
        StreamChange::Give { .. } => 90,
        StreamChange::Acknowledge { .. } => 91,
    };
    let out = out.tag(tag).number(u64::from(db)).bytes(key);
    match change {
        StreamChange::Create => {}
        StreamChange::Add { id, begin, fields } => {
            put_id(*id, out);
            out.number(u64::from(*begin)).items(fields);
        }
        StreamChange::Delete { ids } => put_ids(ids, out),
        StreamChange::Trim { count } => drop(out.number(*count)),
        StreamChange::SetId { last, added, max_deleted } => {
            put_id(*last, out);
            put_id(*max_deleted, out);
            out.number(*added);
        }
        StreamChange::CreateGroup { group, last, read } | StreamChange::SetGroup { group, last, read } => {
            put_id(*last, out);
            out.bytes(group).number(option(*read));
        }
        StreamChange::DestroyGroup { group } => drop(out.bytes(group)),
        StreamChange::See { group, consumer, time } => drop(out.bytes(group).bytes(consumer).number(*time)),
        StreamChange::DeleteConsumer { group, consumer } => drop(out.bytes(group).bytes(consumer)),
        StreamChange::Give { group, consumer, active, given } => {
            out.bytes(group).bytes(consumer).number(option(*active)).number(given.len() as u64);
            for Given { id, time, count } in given {
                put_id(*id, out);
                out.number(*time).number(*count);
            }
        }
        StreamChange::Acknowledge { group, ids } => {
            out.bytes(group);
            put_ids(ids, out);
        }
    }
}

fn put_id(id: Id, out: &mut Out<'_>) {
    out.number(id.ms).number(id.seq);
}

fn put_ids(ids: &[Id], out: &mut Out<'_>) {
    out.number(ids.len() as u64);
    ids.iter().for_each(|id| put_id(*id, out));
}

fn take_id(i: &mut In<'_>) -> Result<Id, EffectError> {
    Ok(Id::new(i.number()?, i.number()?))
}

fn take_ids(i: &mut In<'_>) -> Result<Vec<Id>, EffectError> {
    (0..i.number()?).map(|_| take_id(i)).collect()
}

fn take_option(i: &mut In<'_>) -> Result<Option<u64>, EffectError> {
    Ok(i.number()?.checked_sub(1))
}

pub(super) fn decode<'a>(tag: u8, i: &mut In<'a>) -> Result<Effect<'a>, EffectError> {
    let (db, key) = (i.db()?, i.bytes()?);
    let change = match tag {
        80 => StreamChange::Create,
        81 => StreamChange::Add { id: take_id(i)?, begin: i.number()? != 0, fields: i.items()? },
        82 => StreamChange::Delete { ids: take_ids(i)? },
        83 => StreamChange::Trim { count: i.number()? },
        84 => {
            let (last, max_deleted) = (take_id(i)?, take_id(i)?);
            StreamChange::SetId { last, added: i.number()?, max_deleted }
        }
        85 | 86 => {
            let last = take_id(i)?;
            let (group, read) = (i.bytes()?, take_option(i)?);
            if tag == 85 {
                StreamChange::CreateGroup { group, last, read }
            } else {
                StreamChange::SetGroup { group, last, read }
            }
        }
        87 => StreamChange::DestroyGroup { group: i.bytes()? },
        88 => StreamChange::See { group: i.bytes()?, consumer: i.bytes()?, time: i.number()? },
        89 => StreamChange::DeleteConsumer { group: i.bytes()?, consumer: i.bytes()? },
        90 => {
            let (group, consumer, active) = (i.bytes()?, i.bytes()?, take_option(i)?);
            let count = i.number()?;
            let one = |_| Ok(Given { id: take_id(i)?, time: i.number()?, count: i.number()? });
            let given = (0..count).map(one).collect::<Result<_, _>>()?;
            StreamChange::Give { group, consumer, active, given }
        }
        91 => StreamChange::Acknowledge { group: i.bytes()?, ids: take_ids(i)? },
        other => return Err(EffectError::Unknown(other)),
    };
    Ok(Effect::Stream { db, key, change })
}

/// One of each, for the tests of the encoding.
#[cfg(test)]
pub(super) fn one_of_each<'a>() -> Vec<StreamChange<'a>> {
    let (group, consumer, id, ids) = (b"g".as_slice(), b"c".as_slice(), Id::new(1 << 41, 3), vec![Id::MAX]);
    let given = vec![Given { id, time: 1 << 41, count: 2 }];
    vec![
        StreamChange::Create,
        StreamChange::Add { id, begin: true, fields: smallvec::smallvec![b"f".as_slice(), b"v".as_slice()] },
        StreamChange::Delete { ids: ids.clone() },
        StreamChange::Trim { count: 300 },
        StreamChange::SetId { last: id, added: 7, max_deleted: Id::MIN },
        StreamChange::CreateGroup { group, last: id, read: None },
        StreamChange::SetGroup { group, last: id, read: Some(0) },
        StreamChange::DestroyGroup { group },
        StreamChange::See { group, consumer, time: 9 },
        StreamChange::DeleteConsumer { group, consumer },
        StreamChange::Give { group, consumer, active: Some(5), given },
        StreamChange::Acknowledge { group, ids },
    ]
}

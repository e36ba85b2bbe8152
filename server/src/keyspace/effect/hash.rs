//! Changes of hashes.

use super::codec::{In, Out};
use super::{Deadline, EffectError, Items};

/// What becomes of a hash.
#[derive(Debug, Clone, PartialEq)]
pub enum HashChange<'a> {
    /// Fields, each followed by its value, that have no deadline from now on; the hash is made if it is missing.
    Set { pairs: Items<'a> },
    /// The same, but fields that are there keep their deadlines.
    Replace { pairs: Items<'a> },
    /// Fields go; an empty hash goes.
    Remove { fields: Items<'a> },
    /// Fields that are there expire at the deadline, or never.
    Expire { fields: Items<'a>, deadline: Option<Deadline> },
}

/// The tags of hashes.
pub(super) const TAGS: std::ops::RangeInclusive<u8> = 32..=47;

impl<'a> HashChange<'a> {
    pub(super) fn encode(&self, db: u32, key: &[u8], out: &mut Out<'_>) {
        let (tag, items) = match self {
            HashChange::Set { pairs } => (32, pairs),
            HashChange::Replace { pairs } => (33, pairs),
            HashChange::Remove { fields } => (34, fields),
            HashChange::Expire { fields, .. } => (35, fields),
        };
        out.tag(tag).number(u64::from(db)).bytes(key).items(items);
        if let HashChange::Expire { deadline, .. } = self {
            out.deadline(*deadline);
        }
    }

    /// What stands behind a tag of hashes: the database, the key, and the change.
    pub(super) fn decode(tag: u8, i: &mut In<'a>) -> Result<(u32, &'a [u8], Self), EffectError> {
        let (db, key) = (i.db()?, i.bytes()?);
        let change = match tag {
            32 => HashChange::Set { pairs: i.items()? },
            33 => HashChange::Replace { pairs: i.items()? },
            34 => HashChange::Remove { fields: i.items()? },
            35 => HashChange::Expire { fields: i.items()?, deadline: i.deadline()? },
            other => return Err(EffectError::Unknown(other)),
        };
        Ok((db, key, change))
    }
}

//! Changes of sets.

use super::codec::{In, Out};
use super::{EffectError, Items};

/// What becomes of a set.
#[derive(Debug, Clone, PartialEq)]
pub enum SetChange<'a> {
    /// Members come; the set is made if it is missing.
    Add { members: Items<'a> },
    /// Members go; an empty set goes.
    Remove { members: Items<'a> },
}

/// The tags of sets.
pub(super) const TAGS: std::ops::RangeInclusive<u8> = 48..=63;

impl<'a> SetChange<'a> {
    pub(super) fn encode(&self, db: u32, key: &[u8], out: &mut Out<'_>) {
        match self {
            SetChange::Add { members } => out.tag(48).number(u64::from(db)).bytes(key).items(members),
            SetChange::Remove { members } => out.tag(49).number(u64::from(db)).bytes(key).items(members),
        };
    }

    /// What stands behind a tag of sets, the key, and the change.
    pub(super) fn decode(tag: u8, i: &mut In<'a>) -> Result<(u32, &'a [u8], Self), EffectError> {
        let (db, key) = (i.db()?, i.bytes()?);
        let change = match tag {
            48 => SetChange::Add { members: i.items()? },
            49 => SetChange::Remove { members: i.items()? },
            other => return Err(EffectError::Unknown(other)),
        };
        Ok((db, key, change))
    }
}

//! Changes of sorted sets.

use smallvec::SmallVec;

use super::codec::{In, Out};
use super::{EffectError, Items};

/// What becomes of a sorted set.
#[derive(Debug, Clone, PartialEq)]
pub enum SortedSetChange<'a> {
    /// Members get scores, and come if they are not there; the sorted set is made if it is missing.
    Score { members: SmallVec<[(&'a [u8], f64); 2]> },
    /// Members go; an empty sorted set goes.
    Remove { members: Items<'a> },
    /// The members of so many ranks go.
    Cut { start: u64, count: u64 },
}

/// The tags of sorted sets.
pub(super) const TAGS: std::ops::RangeInclusive<u8> = 64..=79;

impl<'a> SortedSetChange<'a> {
    pub(super) fn encode(&self, db: u32, key: &[u8], out: &mut Out<'_>) {
        let db = u64::from(db);
        match self {
            SortedSetChange::Score { members } => {
                out.tag(64).number(db).bytes(key).number(members.len() as u64);
                for (member, score) in members {
                    out.bytes(member).score(*score);
                }
            }
            SortedSetChange::Remove { members } => drop(out.tag(65).number(db).bytes(key).items(members)),
            SortedSetChange::Cut { start, count } => {
                out.tag(66).number(db).bytes(key).number(*start).number(*count);
            }
        }
    }

    /// What stands behind a tag of sorted sets, the key, and the change.
    pub(super) fn decode(tag: u8, i: &mut In<'a>) -> Result<(u32, &'a [u8], Self), EffectError> {
        let (db, key) = (i.db()?, i.bytes()?);
        let change = match tag {
            64 => {
                let members =
                    (0..i.number()?).map(|_| Ok((i.bytes()?, i.score()?))).collect::<Result<_, _>>()?;
                SortedSetChange::Score { members }
            }
            65 => SortedSetChange::Remove { members: i.items()? },
            66 => SortedSetChange::Cut { start: i.number()?, count: i.number()? },
            other => return Err(EffectError::Unknown(other)),
        };
        Ok((db, key, change))
    }
}

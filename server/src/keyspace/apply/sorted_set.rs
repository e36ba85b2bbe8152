//! Changes of sorted sets, applied.

use super::super::Keyspace;
use super::super::effect::SortedSetChange;
use crate::value::{SortedSet, Value};

impl Keyspace {
    pub(super) fn apply_sorted_set(&mut self, db: u32, key: &[u8], change: &SortedSetChange<'_>) {
        match change {
            SortedSetChange::Score { members } => {
                if !members.is_empty() && self.database(db).get(key).is_none() {
                    let accessed = self.seconds();
                    let set = Value::SortedSet(SortedSet::default());
                    self.databases[db as usize].insert(key, set, None, accessed);
                }
                let forms = self.forms;
                self.sorted_set(db, key, |set| {
                    for (member, score) in members {
                        set.set(member, *score, &forms);
                    }
                });
            }
            SortedSetChange::Remove { members } => self.sorted_set(db, key, |set| {
                for member in members {
                    set.remove(member);
                }
            }),
            SortedSetChange::Cut { start, count } => {
                self.sorted_set(db, key, |set| set.remove_range(*start as usize, *count as usize));
            }
        }
    }

    /// Change a sorted set; an empty one goes.
    fn sorted_set(&mut self, db: u32, key: &[u8], change: impl FnOnce(&mut SortedSet)) {
        let Some(Value::SortedSet(set)) =
            self.databases[db as usize].get_mut(key).map(|entry| &mut entry.value)
        else {
            return;
        };
        change(set);
        if set.is_empty() {
            self.take(db, key);
        }
        self.touch(db, key);
    }
}

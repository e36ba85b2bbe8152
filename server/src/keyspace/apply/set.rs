//! Changes of sets, applied.

use super::super::Keyspace;
use super::super::effect::SetChange;
use crate::value::{Set, Value};

impl Keyspace {
    pub(super) fn apply_set(&mut self, db: u32, key: &[u8], change: &SetChange<'_>) {
        match change {
            SetChange::Add { members } => {
                let Some(first) = members.first() else { return };
                if self.database(db).get(key).is_none() {
                    let set = Set::for_members(first, members.len(), &self.forms);
                    let accessed = self.seconds();
                    self.databases[db as usize].insert(key, Value::Set(set), None, accessed);
                }
                let forms = self.forms;
                self.set(db, key, |set| {
                    set.expect(members.len(), &forms);
                    for member in members {
                        set.add(member, &forms);
                    }
                });
            }
            SetChange::Remove { members } => {
                let own_choice = crate::mutant::is_planted(17) && !self.authority;
                self.set(db, key, |set| {
                    for member in members {
                        let mut first = None;
                        if own_choice && let Some(member) = set.iter().next() {
                            first = Some(member.to_vec());
                        }
                        set.remove(first.as_deref().unwrap_or(member));
                    }
                });
            }
        }
    }

    /// Change a set; an empty one goes.
    fn set(&mut self, db: u32, key: &[u8], change: impl FnOnce(&mut Set)) {
        let Some(Value::Set(set)) = self.databases[db as usize].get_mut(key).map(|entry| &mut entry.value)
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

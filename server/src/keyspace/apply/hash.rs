//! Changes of hashes, applied.

use super::super::Keyspace;
use super::super::effect::HashChange;
use crate::value::{Hash, Pair, Value};

impl Keyspace {
    pub(super) fn apply_hash(&mut self, db: u32, key: &[u8], change: &HashChange<'_>) {
        let forms = self.forms;
        match change {
            HashChange::Set { pairs } => self.put_fields(db, key, pairs, |_, _| None),
            HashChange::Replace { pairs } => {
                self.put_fields(db, key, pairs, |hash, field| hash.get(field).and_then(|pair| pair.deadline));
            }
            HashChange::Remove { fields } => {
                self.hash(db, key, |hash| {
                    for field in fields {
                        hash.remove(field);
                    }
                });
            }
            HashChange::Expire { fields, deadline } => self.hash(db, key, |hash| {
                for field in fields {
                    let Some(pair) = hash.get(field) else { continue };
                    let (value, deadline) = (pair.value.to_vec(), *deadline);
                    hash.put(Pair { field, value: &value, deadline }, &forms);
                }
            }),
        }
    }

    /// Set fields; `deadline` tells that of each.
    fn put_fields(
        &mut self,
        db: u32,
        key: &[u8],
        pairs: &[&[u8]],
        deadline: impl Fn(&Hash, &[u8]) -> Option<u64>,
    ) {
        let (forms, accessed) = (self.forms, self.seconds());
        let (pairs, _) = pairs.as_chunks::<2>();
        if pairs.is_empty() {
            return;
        }
        if self.database(db).get(key).is_none() {
            self.databases[db as usize].insert(key, Value::Hash(Hash::default()), None, accessed);
        }
        self.hash(db, key, |hash| {
            hash.expect(pairs.len(), &forms);
            for [field, value] in pairs {
                let deadline = deadline(hash, field);
                hash.put(Pair { field, value, deadline }, &forms);
            }
        });
    }

    /// Change a hash; an empty one goes.
    fn hash(&mut self, db: u32, key: &[u8], change: impl FnOnce(&mut Hash)) {
        let Some(Value::Hash(hash)) = self.databases[db as usize].get_mut(key).map(|entry| &mut entry.value)
        else {
            return;
        };
        let before = hash.next_deadline();
        change(hash);
        let (after, empty) = (hash.next_deadline(), hash.is_empty());
        self.databases[db as usize].fields_expire(key, before, after);
        if empty {
            self.take(db, key);
        }
        self.touch(db, key);
    }
}

//! Effects applied: each is total, so that a log that was written once can always be replayed. An effect on a key
//! that is missing or of another type changes nothing; commands checked that before they made it.

mod hash;
mod set;
mod sorted_set;
mod stream;

use std::mem;

use super::{Database, Effect, Keyspace, Touched, reclaim};
use crate::value::{List, Str, Value, hyperloglog, rdb};

impl Keyspace {
    /// Change memory only: for records that are in a log already.
    pub fn apply(&mut self, effect: &Effect<'_>) {
        self.preserve(effect);
        match *effect {
            Effect::Set { db, key, value, deadline } => {
                self.put(db, key, Value::String(Str::new(value)), deadline);
            }
            Effect::Replace { db, key, value } => {
                let deadline = self.database(db).get(key).and_then(super::Entry::deadline);
                self.put(db, key, Value::String(Str::new(value)), deadline);
            }
            Effect::Integer { db, key, number } => self.set_integer(db, key, number),
            Effect::Append { db, key, value } => {
                // Appended to nothing it is encoded as one that was set.
                self.string(db, key, |bytes| Str::new(&bytes), |string| string.extend_from_slice(value));
            }
            Effect::SetRange { db, key, offset, value } => self.string(db, key, Str::Grown, |string| {
                let (start, end) = (offset as usize, offset as usize + value.len());
                if string.len() < end {
                    string.resize(end, 0);
                }
                string[start..end].copy_from_slice(value);
            }),
            Effect::Put { db, key, kind, mut value, deadline } => {
                // Commands write only values that can be read.
                if let Ok(value) = rdb::decode(kind, &mut value, &self.forms) {
                    self.put(db, key, value, deadline);
                }
            }
            Effect::Delete { db, key } => {
                self.discard(db, key);
                self.touch(db, key);
            }
            Effect::Expire { db, key, deadline } => {
                self.databases[db as usize].expire(key, deadline);
                self.touch(db, key);
            }
            Effect::Rename { db, from, to } => self.transfer(db, from, db, to),
            Effect::Copy { db, from, to_db, to } => {
                if let Some(entry) = self.database(db).get(from).cloned() {
                    let deadline = entry.deadline();
                    let old = self.take(to_db, to);
                    self.overwritten(old.map(|old| old.value));
                    self.put(to_db, to, entry.value, deadline);
                }
            }
            Effect::Move { db, key, to_db } => self.transfer(db, key, to_db, key),
            Effect::SwapDb { a, b } => {
                self.databases.swap(a as usize, b as usize);
                self.changes += 1;
                self.touch_many(Touched::Swapped(a, b));
            }
            Effect::FlushDb { db } => self.flush(db),
            Effect::FlushAll => (0..self.databases.len() as u32).for_each(|db| self.flush(db)),
            Effect::Event { .. } | Effect::Publish { .. } => self.hear(effect),
            Effect::User { name, rules } => {
                self.changes += 1;
                self.users.change(name, rules);
            }
            Effect::FunctionLoad { name, code } => self.functions.load(name, code),
            Effect::FunctionDelete { name } => self.functions.delete(name),
            Effect::FunctionFlush => self.functions.flush(),
            _ => self.apply_to_type(effect),
        }
    }

    /// Changes of one type of data each.
    fn apply_to_type(&mut self, effect: &Effect<'_>) {
        match *effect {
            Effect::Hash { db, key, ref change } => self.apply_hash(db, key, change),
            Effect::Stream { db, key, ref change } => self.apply_stream(db, key, change),
            Effect::Members { db, key, ref change } => self.apply_set(db, key, change),
            Effect::SortedSet { db, key, ref change } => self.apply_sorted_set(db, key, change),
            Effect::HyperLogLog { db, key, dense, keep_cache, sparse_max, raised } => {
                let sparse_max = usize::try_from(sparse_max).unwrap_or(usize::MAX);
                self.string(db, key, Str::Grown, |string| {
                    hyperloglog::change(string, dense, keep_cache, sparse_max, raised);
                });
            }
            _ => self.apply_list(effect),
        }
    }

    fn apply_list(&mut self, effect: &Effect<'_>) {
        match effect {
            Effect::ListPush { db, key, end, items } => {
                let accessed = self.seconds();
                if self.database(*db).get(key).is_none() {
                    self.databases[*db as usize].insert(key, Value::List(List::default()), None, accessed);
                }
                self.list(*db, key, |list| items.iter().for_each(|item| list.push(*end, item)));
            }
            Effect::ListPop { db, key, end, count } => {
                self.list(*db, key, |list| list.discard(*end, *count as usize));
            }
            Effect::ListSet { db, key, index, item } => {
                self.list(*db, key, |list| list.set(*index as usize, item));
            }
            Effect::ListInsert { db, key, index, item } => {
                self.list(*db, key, |list| list.insert(*index as usize, item));
            }
            Effect::ListRemove { db, key, end, count, item } => {
                self.list(*db, key, |list| {
                    list.remove(*end, *count as usize, item);
                });
            }
            Effect::ListTrim { db, key, start, length } => {
                self.list(*db, key, |list| list.trim(*start as usize, *length as usize));
            }
            _ => unreachable!("every other effect is applied above"),
        }
    }

    fn seconds(&self) -> u32 {
        (self.now / 1000) as u32
    }

    fn put(&mut self, db: u32, key: &[u8], value: Value, deadline: Option<u64>) {
        let accessed = self.seconds();
        if self.tracking && self.database(db).get(key).is_some_and(|entry| entry.expired(self.now)) {
            // That was not there any more.
            self.take(db, key);
        }
        let old = self.databases[db as usize].insert(key, value, deadline, accessed);
        self.overwritten(old);
        self.touch(db, key);
    }

    /// Another value took the place of this one.
    fn overwritten(&self, old: Option<Value>) {
        if (self.lazy_overwrite || !self.authority)
            && let Some(old) = old.filter(|old| !matches!(old, Value::String(_)))
        {
            reclaim::later(old);
        }
    }

    fn take(&mut self, db: u32, key: &[u8]) -> Option<super::Entry> {
        self.databases[db as usize].remove(key)
    }

    /// Delete a key; a collection is freed in the background where that is wanted.
    fn discard(&mut self, db: u32, key: &[u8]) {
        let gone = self.take(db, key);
        // A follower has nobody who could want to wait.
        if (self.lazy || !self.authority)
            && let Some(gone) = gone.filter(|entry| !matches!(entry.value, Value::String(_)))
        {
            reclaim::later(gone);
        }
    }

    fn transfer(&mut self, db: u32, from: &[u8], to_db: u32, to: &[u8]) {
        if let Some(entry) = self.take(db, from) {
            let deadline = entry.deadline();
            self.touch(db, from);
            // What it overwrites goes first, so that the key is a new one.
            let old = self.take(to_db, to);
            self.overwritten(old.map(|old| old.value));
            self.put(to_db, to, entry.value, deadline);
        }
    }

    fn flush(&mut self, db: u32) {
        let empty = Database::new(self.forms.seed, self.identities, self.generation);
        self.identities += 1;
        let mut old = mem::replace(&mut self.databases[db as usize], empty);
        self.databases[db as usize].made = old.made.take();
        self.databases[db as usize].usage = old.usage;
        self.retire(old);
        self.changes += 1;
        self.touch_many(Touched::Database(db));
    }

    /// A database that was empty was flushed: who holds copies of keys is told all the same.
    pub fn flushed_nothing(&mut self, db: u32) {
        self.touch_many(Touched::Database(db));
    }

    fn touch_many(&mut self, touched: Touched) {
        if self.tracking {
            self.touched.push(touched);
        }
    }

    /// Change a string; a missing one is made, by `make`, from what is changed of nothing.
    fn string(
        &mut self,
        db: u32,
        key: &[u8],
        make: impl FnOnce(Vec<u8>) -> Str,
        change: impl FnOnce(&mut Vec<u8>),
    ) {
        let accessed = self.seconds();
        match self.databases[db as usize].get_mut(key).map(|entry| &mut entry.value) {
            Some(Value::String(string)) => change(string.grow()),
            Some(_) => return,
            None => {
                let mut bytes = Vec::new();
                change(&mut bytes);
                self.databases[db as usize].insert(key, Value::String(make(bytes)), None, accessed);
            }
        }
        self.touch(db, key);
    }

    /// Keep a string as bytes that can be changed in place, a sorted set in its large form. That is no change of what it
    /// is, and not in any record: each node keeps values as it likes.
    pub fn loosen(&mut self, db: u32, key: &[u8]) {
        let entry = self.databases[db as usize].get_unused(key);
        match entry.map(|entry| &mut entry.value) {
            Some(Value::String(string)) => drop(string.grow()),
            Some(Value::SortedSet(set)) => set.loosen(&self.forms),
            _ => {}
        }
    }

    /// Keep an integer as its text; as little a change as [`Keyspace::loosen`].
    pub fn spell_out(&mut self, db: u32, key: &[u8]) {
        let entry = self.databases[db as usize].get_unused(key);
        if let Some(Value::String(string)) = entry.map(|entry| &mut entry.value) {
            string.spell_out();
        }
    }

    fn set_integer(&mut self, db: u32, key: &[u8], number: i64) {
        let (accessed, value) = (self.seconds(), Value::String(Str::Int(number)));
        match self.databases[db as usize].get_mut(key) {
            Some(entry) if matches!(entry.value, Value::String(_)) => entry.value = value,
            Some(_) => return,
            None => drop(self.databases[db as usize].insert(key, value, None, accessed)),
        }
        self.touch(db, key);
    }

    /// Change a list; an empty one goes.
    fn list(&mut self, db: u32, key: &[u8], change: impl FnOnce(&mut List)) {
        let Some(Value::List(list)) = self.databases[db as usize].get_mut(key).map(|entry| &mut entry.value)
        else {
            return;
        };
        change(list);
        if list.is_empty() {
            self.take(db, key);
        }
        self.touch(db, key);
    }
}

//! One database: its keys, and which of them expire when.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::access::Access;
use super::effect::Deadline;
use crate::value::Value;
use crate::value::table::{Keyed, Table};

/// A key with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    key: Arc<[u8]>,
    pub value: Value,
    deadline: Option<Deadline>,
    /// Second of the last access, wrapping; for `OBJECT IDLETIME`.
    pub accessed: u32,
    /// The walk that must not capture it any more.
    pub(super) generation: u32,
}

impl Entry {
    pub(super) fn shared_key(&self) -> Arc<[u8]> {
        self.key.clone()
    }

    pub fn key(&self) -> &[u8] {
        &self.key
    }

    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    pub fn expired(&self, now: u64) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now) || self.value.expired(now)
    }
}

impl Keyed for Entry {
    fn key(&self) -> &[u8] {
        &self.key
    }
}

#[derive(Debug)]
pub struct Database {
    /// Which database it is, wherever it is swapped to.
    pub(super) identity: u64,
    /// What new entries are marked with.
    pub(super) generation: u32,
    table: Table<Entry>,
    /// Keys by deadline: the next to expire is the first.
    deadlines: BTreeSet<(Deadline, Arc<[u8]>)>,
    /// Hashes with fields that expire, by the first of their deadlines.
    fields: BTreeSet<(Deadline, Arc<[u8]>)>,
    /// Keys that were made since the last look, while somebody wants to know.
    pub(super) made: Option<Vec<Arc<[u8]>>>,
    /// A key that somebody may wait for was made since the last one that was touched.
    pub(super) made_one: bool,
    pub(super) usage: Usage,
}

/// How the use of keys is noted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub access: Access,
    /// Seconds since 1970.
    pub seconds: u32,
    /// Not at all, for now.
    pub quiet: bool,
    random: u32,
    /// Where keys with a deadline are looked for next.
    cursor: u64,
}

impl Usage {
    fn random(&mut self) -> u32 {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.random ^ self.random >> 15
    }

    pub fn note(&mut self, entry: &mut Entry) {
        if !self.quiet {
            let random = if self.access.by_frequency { self.random() } else { 0 };
            entry.accessed = self.access.used(entry.accessed, self.seconds, random);
        }
    }
}

impl Database {
    pub(super) fn new(seed: u64, identity: u64, generation: u32) -> Self {
        Self {
            identity,
            generation,
            table: Table::new(seed),
            deadlines: BTreeSet::new(),
            fields: BTreeSet::new(),
            made: None,
            made_one: false,
            usage: Usage::default(),
        }
    }

    /// So many keys are to come.
    pub(super) fn expect(&mut self, keys: usize) {
        self.table.expect(keys);
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub fn table(&self) -> &Table<Entry> {
        &self.table
    }

    /// How many keys have a deadline.
    pub fn deadlines(&self) -> usize {
        self.deadlines.len()
    }

    /// How many hashes have fields that expire.
    pub fn expiring_hashes(&self) -> usize {
        self.fields.len()
    }

    /// Whether any key may expire, be it with its last field.
    pub fn has_deadlines(&self) -> bool {
        !self.deadlines.is_empty() || !self.fields.is_empty()
    }

    /// The mean time to live of the keys that expire, in milliseconds (estimated from the ends and the middle).
    pub fn ttl_mean_ms(&self, now: u64) -> u64 {
        let (Some(first), Some(last)) = (self.deadlines.first(), self.deadlines.last()) else { return 0 };
        u64::midpoint(first.0, last.0).saturating_sub(now)
    }

    /// The first key whose time has come.
    pub fn due(&self, now: u64) -> Option<Arc<[u8]>> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, key)| key.clone())
    }

    /// The first hash with a field whose time has come.
    pub(super) fn field_due(&self, now: u64) -> Option<Arc<[u8]>> {
        self.fields.first().filter(|(deadline, _)| *deadline <= now).map(|(_, key)| key.clone())
    }

    /// The first deadline of the fields of a hash changed.
    pub(super) fn fields_expire(&mut self, key: &[u8], before: Option<Deadline>, after: Option<Deadline>) {
        if before == after {
            return;
        }
        let Some(entry) = self.table.get(key) else { return };
        if let Some(before) = before {
            self.fields.remove(&(before, entry.key.clone()));
        }
        if let Some(after) = after {
            self.fields.insert((after, entry.key.clone()));
        }
    }

    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.table.get(key)
    }

    /// The entry to be changed: that counts as a use.
    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let entry = self.table.get_mut(key)?;
        self.usage.note(entry);
        Some(entry)
    }

    /// Whether a key that has not expired is there; it counts as used then.
    pub(super) fn get_live(&mut self, key: &[u8], now: u64) -> bool {
        let Some(entry) = self.table.get_mut(key).filter(|entry| !entry.expired(now)) else { return false };
        self.usage.note(entry);
        true
    }

    pub(super) fn get_unused(&mut self, key: &[u8]) -> Option<&mut Entry> {
        self.table.get_mut(key)
    }

    /// The next key to expire.
    pub(super) fn first_deadline(&self) -> Option<(Deadline, Arc<[u8]>)> {
        self.deadlines.first().cloned()
    }

    /// Some key, if there is one; only one with a deadline if those are asked for.
    pub(super) fn sample(&mut self, volatile: bool) -> Option<&Entry> {
        let Self { table, usage, deadlines, .. } = self;
        let mut any = || table.sample(|| u64::from(usage.random()) << 32 | u64::from(usage.random()));
        if !volatile {
            return any();
        }
        if deadlines.is_empty() {
            return None;
        }
        // Where most keys expire a few tries find one that does.
        if deadlines.len() >= table.len() / 4
            && let Some(found) = (0..8).find_map(|_| any().filter(|entry| entry.deadline.is_some()))
        {
            return Some(found);
        }
        // Else they are taken one after the other, by their deadlines.
        let from: (Deadline, Arc<[u8]>) = (usage.cursor, Arc::default());
        let (deadline, key) = deadlines.range(from..).next().or_else(|| deadlines.first())?;
        usage.cursor = deadline + 1;
        table.get(key)
    }

    /// Put a value at a key; returns the one whose place it takes.
    pub(super) fn insert(
        &mut self,
        key: &[u8],
        value: Value,
        deadline: Option<Deadline>,
        accessed: u32,
    ) -> Option<Value> {
        let (hash, after) = (self.table.hash(key), value.next_deadline());
        if let Some(entry) = self.table.get_mut_hashed(hash, key) {
            let before = entry.value.next_deadline();
            let old = std::mem::replace(&mut entry.value, value);
            self.usage.note(entry);
            Self::set_deadline(&mut self.deadlines, entry, deadline);
            self.fields_expire(key, before, after);
            return Some(old);
        }
        self.insert_new(hash, key.into(), value, deadline, accessed);
        None
    }

    /// The same, with a key that is made already.
    pub(super) fn insert_shared(
        &mut self,
        key: Arc<[u8]>,
        value: Value,
        deadline: Option<Deadline>,
        accessed: u32,
    ) {
        let hash = self.table.hash(&key);
        if self.table.get_mut_hashed(hash, &key).is_some() {
            self.insert(&key, value, deadline, accessed);
        } else {
            self.insert_new(hash, key, value, deadline, accessed);
        }
    }

    fn insert_new(
        &mut self,
        hash: u64,
        key: Arc<[u8]>,
        value: Value,
        deadline: Option<Deadline>,
        accessed: u32,
    ) {
        let after = value.next_deadline();
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, key.clone()));
        }
        if let Some(after) = after {
            self.fields.insert((after, key.clone()));
        }
        if let Some(made) = &mut self.made {
            made.push(key.clone());
        }
        self.made_one = matches!(value, Value::List(_) | Value::SortedSet(_) | Value::Stream(_));
        let accessed = self.usage.access.fresh(accessed);
        let generation = self.generation;
        self.table.insert_new(hash, Entry { key, value, deadline, accessed, generation });
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let entry = self.table.remove(key)?;
        if let Some(deadline) = entry.deadline {
            self.deadlines.remove(&(deadline, entry.key.clone()));
        }
        if let Some(first) = entry.value.next_deadline() {
            self.fields.remove(&(first, entry.key.clone()));
        }
        Some(entry)
    }

    pub(super) fn expire(&mut self, key: &[u8], deadline: Option<Deadline>) {
        if let Some(entry) = self.table.get_mut(key) {
            Self::set_deadline(&mut self.deadlines, entry, deadline);
        }
    }

    fn set_deadline(
        deadlines: &mut BTreeSet<(Deadline, Arc<[u8]>)>,
        entry: &mut Entry,
        deadline: Option<Deadline>,
    ) {
        if entry.deadline == deadline {
            return;
        }
        if let Some(old) = std::mem::replace(&mut entry.deadline, deadline) {
            deadlines.remove(&(old, entry.key.clone()));
        }
        if let Some(new) = deadline {
            deadlines.insert((new, entry.key.clone()));
        }
    }
}

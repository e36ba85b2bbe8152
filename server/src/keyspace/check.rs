//! What shows that two key spaces hold the same: digests, and the whole key space written and read again.

use std::mem;

use super::walk::capture;
use super::{Access, Database, Keyspace};
use crate::value::rdb::RdbError;
use crate::value::{Digest, rdb};

impl Keyspace {
    /// A sum of everything there is, the same wherever the same is.
    pub fn digest(&self) -> Digest {
        let mut all = Digest::default();
        for (database, db) in self.databases.iter().zip(0u32..) {
            if database.is_empty() {
                continue;
            }
            // The same data in another database is something else.
            all.mix(&db.to_be_bytes());
            for entry in database.table().iter() {
                let mut one = Digest::default();
                one.mix(entry.key());
                one.value(&entry.value, entry.deadline().is_some());
                all.add_digest(&one);
            }
        }
        all
    }

    /// The sum of one value; that of nothing is zero.
    pub fn digest_of(&self, db: u32, key: &[u8]) -> Digest {
        let mut digest = Digest::default();
        if let Some(entry) = self.peek(db, key) {
            digest.value(&entry.value, entry.deadline().is_some());
        }
        digest
    }

    /// Write everything as a snapshot does, and read it into a new key space that takes the place of this one.
    pub fn reload(&mut self) -> Result<(), RdbError> {
        for db in 0..self.databases.len() {
            let empty = Database::new(self.forms.seed, self.identities, self.generation);
            self.identities += 1;
            let mut old = mem::replace(&mut self.databases[db], empty);
            let mut entry = Vec::new();
            for kept in old.table().iter() {
                entry.clear();
                capture(db as u32, kept, &mut entry);
                self.restore(&entry[4..])?;
            }
            self.databases[db].made = old.made.take();
            self.retire(old);
        }
        Ok(())
    }

    /// The value at a key as `DUMP` tells it.
    pub fn dump(&mut self, db: u32, key: &[u8]) -> Option<Vec<u8>> {
        self.read(db, key).map(rdb::dump)
    }

    /// The key counts as one that nobody looked at for so many seconds, or that is used so often, whichever is noted now.
    /// Each node counts for itself.
    pub fn set_usage(&mut self, db: u32, key: &[u8], idle_seconds: Option<u64>, frequency: Option<u8>) {
        let (seconds, access) = (self.now / 1000, self.access);
        let Some(entry) = self.databases[db as usize].get_unused(key) else { return };
        match (idle_seconds, frequency) {
            (Some(idle), _) if !access.by_frequency => entry.accessed = seconds.saturating_sub(idle) as u32,
            (_, Some(frequency)) if access.by_frequency => {
                entry.accessed = Access::told(frequency, seconds as u32);
            }
            _ => entry.accessed = access.fresh(seconds as u32),
        }
    }
}

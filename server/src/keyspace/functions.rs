//! The code of function libraries, kept with the data: replicated, in snapshots, untouched by `FLUSHALL`.
//!
//! What the code means is not this room's matter: whoever runs functions looks whether [`Functions::version`] is still
//! the one that it has loaded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Libraries by name.
#[derive(Debug, Default)]
pub struct Functions {
    libraries: BTreeMap<Arc<[u8]>, Arc<[u8]>>,
    version: u64,
}

impl Functions {
    pub(super) fn load(&mut self, name: &[u8], code: &[u8]) {
        self.libraries.insert(name.into(), code.into());
        self.changed();
    }

    pub(super) fn delete(&mut self, name: &[u8]) {
        self.libraries.remove(name);
        self.changed();
    }

    pub(super) fn flush(&mut self) {
        self.libraries.clear();
        self.changed();
    }

    fn changed(&mut self) {
        // No two states of any key space share a number but the empty first one.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.version = NEXT.fetch_add(1, Ordering::Relaxed);
    }

    /// Another number after each change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Names and codes.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<[u8]>, &Arc<[u8]>)> {
        self.libraries.iter()
    }

    pub fn get(&self, name: &[u8]) -> Option<&Arc<[u8]>> {
        self.libraries.get(name)
    }

    /// An entry of a snapshot: `name length u32 | name | code`.
    pub fn entries(&self) -> Vec<Vec<u8>> {
        let entry = |(name, code): (&Arc<[u8]>, &Arc<[u8]>)| {
            [&(name.len() as u32).to_le_bytes()[..], name, code].concat()
        };
        self.libraries.iter().map(entry).collect()
    }

    /// Put an entry of a snapshot in; false if it is damaged.
    #[must_use]
    pub fn restore(&mut self, entry: &[u8]) -> bool {
        let Some((length, rest)) = entry.split_first_chunk::<4>() else { return false };
        let Some((name, code)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            return false;
        };
        self.load(name, code);
        true
    }
}

//! `ACL LOG`: what was refused lately, newest first; the same refused again within a minute is counted, not listed.

use std::collections::VecDeque;

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    Auth,
    Command,
    Key,
    Channel,
}

impl Denial {
    pub const fn word(self) -> &'static str {
        match self {
            Denial::Auth => "auth",
            Denial::Command => "command",
            Denial::Key => "key",
            Denial::Channel => "channel",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub id: u64,
    pub count: u64,
    pub reason: Denial,
    /// `toplevel`, `multi`, `lua`.
    pub context: &'static str,
    /// The command, key or channel.
    pub object: Vec<u8>,
    pub user: Vec<u8>,
    /// As `CLIENT LIST` shows the client, the last one if counted several times.
    pub client: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    pub updated_ms: u64,
}

/// The same within so many milliseconds is one entry.
const TOGETHER_MS: u64 = 60_000;
/// Entries that are looked through for the same.
const LOOKED_AT: usize = 10;

#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    next_id: u64,
    /// Refusals since the start: users, commands, keys, channels.
    pub denied: [u64; 4],
}

impl Log {
    /// Add one (its id, count and creation are set here), keeping at most `most`.
    pub fn add(&mut self, mut entry: Entry, most: usize) {
        self.denied[entry.reason as usize] += 1;
        let same = |old: &Entry| {
            (old.reason, old.context) == (entry.reason, entry.context)
                && (&old.object, &old.user) == (&entry.object, &entry.user)
                && entry.updated_ms.abs_diff(old.updated_ms) <= TOGETHER_MS
        };
        if let Some(at) = self.entries.iter().take(LOOKED_AT).position(same) {
            if let Some(mut old) = self.entries.remove(at) {
                old.count += 1;
                old.client = entry.client;
                old.updated_ms = entry.updated_ms;
                self.entries.push_front(old);
            }
        } else {
            entry.id = self.next_id;
            entry.count = 1;
            entry.created_ms = entry.updated_ms;
            self.next_id += 1;
            self.entries.push_front(entry);
        }
        self.entries.truncate(most);
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

//! Client side caching: which clients have looked at which keys, and what they are to be told when those change.
//!
//! Contract: a key that a tracking client read is remembered until it changes, once; a client in broadcast mode hears of
//! every key with one of its prefixes. Nothing is done, and nothing kept, while nobody tracks.
//! Source of the rules: "Client-side caching" in Redis' documentation.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::ClientId;

/// How a client tracks.
#[derive(Debug, Clone, Default)]
#[allow(clippy::struct_excessive_bools)] // independent options of the command
pub struct Tracking {
    pub redirect: Option<ClientId>,
    pub broadcast: bool,
    pub prefixes: BTreeSet<Bytes>,
    pub opt_in: bool,
    pub opt_out: bool,
    pub no_loop: bool,
    /// `CLIENT CACHING` was given for the next command.
    pub caching: bool,
    /// The client that messages go to is gone.
    pub broken: bool,
}

impl Tracking {
    /// Whether the keys of the command that runs are remembered.
    pub fn remembers(&self) -> bool {
        !(self.broadcast || self.opt_in && !self.caching || self.opt_out && self.caching)
    }
}

/// What happened to keys that clients may hold copies of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stale {
    Keys(Vec<Bytes>),
    /// All of them.
    Everything,
}

type Keys = HashMap<Arc<[u8]>, BTreeSet<ClientId>, foldhash::fast::RandomState>;

/// Those in broadcast mode with one prefix.
#[derive(Debug, Default)]
struct Audience {
    clients: BTreeSet<ClientId>,
    /// Keys that changed since the last message, and who changed them first.
    pending: BTreeMap<Arc<[u8]>, Option<ClientId>>,
}

#[derive(Debug, Default)]
pub struct Table {
    keys: Keys,
    items: usize,
    audiences: BTreeMap<Bytes, Audience>,
    /// Everybody who tracks.
    clients: BTreeSet<ClientId>,
}

impl Table {
    /// Whether nobody tracks.
    pub fn is_idle(&self) -> bool {
        self.clients.is_empty()
    }

    /// Clients, keys, pairs of both, prefixes: for `INFO`.
    pub fn counts(&self) -> [usize; 4] {
        [self.clients.len(), self.keys.len(), self.items, self.audiences.len()]
    }

    pub fn clients(&self) -> impl Iterator<Item = ClientId> {
        self.clients.iter().copied()
    }

    /// A client tracks from now on, in addition to what it did.
    pub fn enter(&mut self, id: ClientId, tracking: &Tracking) {
        self.clients.insert(id);
        for prefix in &tracking.prefixes {
            self.audiences.entry(prefix.clone()).or_default().clients.insert(id);
        }
    }

    /// A client tracks no longer; what it read is forgotten as the keys change.
    pub fn leave(&mut self, id: ClientId, tracking: &Tracking) {
        self.clients.remove(&id);
        for prefix in &tracking.prefixes {
            if let Some(audience) = self.audiences.get_mut(prefix) {
                audience.clients.remove(&id);
                if audience.clients.is_empty() {
                    self.audiences.remove(prefix);
                }
            }
        }
        if self.clients.is_empty() {
            self.forget_keys();
        }
    }

    pub fn forget_keys(&mut self) {
        self.keys = Keys::default();
        self.items = 0;
    }

    /// A client read a key.
    pub fn read(&mut self, id: ClientId, key: &[u8]) {
        if let Some(readers) = self.keys.get_mut(key) {
            self.items += usize::from(readers.insert(id));
        } else {
            self.keys.insert(key.into(), BTreeSet::from([id]));
            self.items += 1;
        }
    }

    /// A key changed: those who read it. Who broadcasts are for is told later.
    pub fn changed(&mut self, key: &[u8], by: Option<ClientId>) -> BTreeSet<ClientId> {
        for (prefix, audience) in &mut self.audiences {
            if key.starts_with(prefix) {
                audience.pending.entry(key.into()).or_insert(by);
            }
        }
        self.forget(key)
    }

    fn forget(&mut self, key: &[u8]) -> BTreeSet<ClientId> {
        let readers = self.keys.remove(key).unwrap_or_default();
        self.items -= readers.len();
        readers
    }

    /// Some key beyond `most`, and who read it.
    pub fn overflow(&mut self, most: u64) -> Option<(Arc<[u8]>, BTreeSet<ClientId>)> {
        if most == 0 || self.keys.len() as u64 <= most {
            return None;
        }
        let key = self.keys.keys().next()?.clone();
        let readers = self.forget(&key);
        Some((key, readers))
    }

    /// The keys that changed since the last call, for each client in broadcast mode; `skips` tells whether one
    /// does not want to hear of what it changed itself.
    pub fn broadcasts(&mut self, skips: impl Fn(ClientId) -> bool) -> Vec<(ClientId, Vec<Bytes>)> {
        let mut messages = Vec::new();
        for audience in self.audiences.values_mut() {
            let pending = std::mem::take(&mut audience.pending);
            if pending.is_empty() {
                continue;
            }
            for id in &audience.clients {
                let skips = skips(*id);
                let wanted = pending.iter().filter(|(_, by)| !(skips && **by == Some(*id)));
                let keys: Vec<Bytes> = wanted.map(|(key, _)| Bytes::copy_from_slice(key)).collect();
                if !keys.is_empty() {
                    messages.push((*id, keys));
                }
            }
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_of_once_and_to_its_readers_only() {
        let mut table = Table::default();
        (1..=2).for_each(|id| table.enter(id, &Tracking::default()));
        table.read(1, b"a");
        table.read(1, b"a");
        table.read(2, b"a");
        table.read(2, b"b");
        assert_eq!(table.counts(), [2, 2, 3, 0]);
        assert_eq!(table.changed(b"a", None), BTreeSet::from([1, 2]));
        assert_eq!(table.changed(b"a", None), BTreeSet::new());
        assert_eq!(table.counts(), [2, 1, 1, 0]);
        assert_eq!(table.overflow(1), None);
        table.read(1, b"c");
        assert!(table.overflow(1).is_some());
        (1..=2).for_each(|id| table.leave(id, &Tracking::default()));
        assert_eq!(table.counts(), [0; 4]);
    }

    #[test]
    fn broadcasts_are_collected_by_prefix() {
        let mut table = Table::default();
        let of = |prefixes: &[&'static str]| Tracking {
            broadcast: true,
            prefixes: prefixes.iter().map(|prefix| Bytes::from_static(prefix.as_bytes())).collect(),
            ..Tracking::default()
        };
        table.enter(1, &of(&[""]));
        table.enter(2, &of(&["a", "b"]));
        for (key, by) in [("b1", 2), ("a1", 1), ("a1", 2), ("c1", 1)] {
            table.changed(key.as_bytes(), Some(by));
        }
        let texts = |messages: Vec<(ClientId, Vec<Bytes>)>| -> Vec<(ClientId, String)> {
            let text = |key: &Bytes| String::from_utf8_lossy(key).into_owned() + " ";
            messages.into_iter().map(|(id, keys)| (id, keys.iter().map(text).collect())).collect()
        };
        let told = texts(table.broadcasts(|id| id == 2));
        assert_eq!(told, [(1, "a1 b1 c1 ".into()), (2, "a1 ".into())]);
        assert!(table.broadcasts(|_| false).is_empty());
    }
}

//! Rule 2 of the protocol: a reply leaves when everything that it observed is committed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::keyspace::Touched;
use crate::session::Offset;

/// The newest uncommitted write to each key.
#[derive(Debug, Default)]
pub struct Uncommitted {
    keys: HashMap<u32, Keys, foldhash::fast::RandomState>,
    /// Keys in the order in which they were written, to be forgotten as the commit offset passes.
    order: VecDeque<(Offset, u32, Arc<[u8]>)>,
    /// The newest write to a whole database (`FLUSHDB`, `SWAPDB`).
    databases: HashMap<u32, Offset, foldhash::fast::RandomState>,
}

type Keys = HashMap<Arc<[u8]>, Offset, foldhash::fast::RandomState>;

impl Uncommitted {
    pub fn wrote(&mut self, touched: &Touched, end: Offset) {
        match touched {
            Touched::Key { db, key, .. } | Touched::Beside { db, key, .. } => {
                self.keys.entry(*db).or_default().insert(key.clone(), end);
                self.order.push_back((end, *db, key.clone()));
            }
            Touched::Database(db) => drop(self.databases.insert(*db, end)),
            Touched::Swapped(a, b) => {
                self.databases.insert(*a, end);
                self.databases.insert(*b, end);
            }
        }
    }

    /// Forget what is committed.
    pub fn committed(&mut self, offset: Offset) {
        while let Some((end, db, key)) = self.order.front() {
            if *end > offset {
                break;
            }
            if let Some(keys) = self.keys.get_mut(db)
                && keys.get(key).is_some_and(|newest| *newest <= offset)
            {
                keys.remove(key);
            }
            self.order.pop_front();
        }
        self.databases.retain(|_, end| *end > offset);
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty() && self.databases.is_empty()
    }

    /// What a reply that observed this key must wait for.
    pub fn of(&self, db: u32, key: &[u8]) -> Offset {
        let whole = self.databases.get(&db).copied().unwrap_or(0);
        let own = self.keys.get(&db).and_then(|keys| keys.get(key)).copied().unwrap_or(0);
        whole.max(own)
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_waits_for_the_newest_uncommitted_write_to_its_key() {
        let mut writes = Uncommitted::default();
        let key = |name: &str| Touched::Key { db: 0, key: name.as_bytes().into(), made: false };
        writes.wrote(&key("a"), 10);
        writes.wrote(&key("b"), 20);
        writes.wrote(&key("a"), 30);
        assert_eq!(
            (writes.of(0, b"a"), writes.of(0, b"b"), writes.of(0, b"c"), writes.of(1, b"a")),
            (30, 20, 0, 0)
        );
        writes.committed(20);
        assert_eq!((writes.of(0, b"a"), writes.of(0, b"b")), (30, 0));
        writes.wrote(&Touched::Database(0), 40);
        assert_eq!(writes.of(0, b"c"), 40);
        writes.committed(40);
        assert!(writes.is_empty());
    }
}

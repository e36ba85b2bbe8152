//! Keys that another server has taken.

use super::Engine;
use crate::command::Flags;
use crate::command::generic::Item;
use crate::config::Class;
use crate::keyspace::{Effect, Entry};
use crate::resp::Failure;
use crate::session::Offset;
use crate::value::rdb;

impl Engine {
    /// Delete keys that arrived elsewhere. One that changed meanwhile stays, and so do all if this node may not decide that
    /// any more; the answer to that waits for the offset, as that to the deletions does.
    pub fn migrated(&mut self, db: u32, taken: &[&Item]) -> (Option<Failure>, Offset) {
        if let Some(failure) = self.wrong_role(Flags::WRITE) {
            return (Some(failure), 0);
        }
        let mut kept = None;
        for item in taken {
            let same = self.keyspace.peek(db, &item.key).map(|entry| same(entry, item));
            match same {
                Some(true) => {
                    self.keyspace.change(&Effect::Delete { db, key: &item.key });
                    self.keyspace.notify(db, Class::Generic, "del", &item.key);
                }
                Some(false) => kept = kept.or(Some(&item.key)),
                None => {}
            }
        }
        self.publish_events();
        let written = self.log();
        self.settle_alone();
        let failure = kept.map(|key| {
            let key = String::from_utf8_lossy(key);
            Failure::text(format!("ERR '{key}' changed while the target took it: now both servers have it"))
        });
        (failure, self.held(written))
    }
}

fn same(entry: &Entry, item: &Item) -> bool {
    entry.deadline() == item.deadline && rdb::dump(&entry.value) == item.dump
}

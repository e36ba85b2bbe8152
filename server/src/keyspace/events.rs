//! Events: what happened to a key, in Redis' words, and messages of `PUBLISH`; for who subscribed to them.
//!
//! Contract: an event of a key is noted only if its class is chosen, in the order in which things happen. The engine
//! publishes what was noted when the command that made it has run. Where a change is decided its events go into the
//! record beside it, so that subscribers on followers hear of them when it is applied there; what only looks (a miss) is
//! an event of the node where it was looked for. Recovery hears nothing.

use std::borrow::Cow;

use super::{Effect, Keyspace};
use crate::config::{Class, Classes};

/// Something to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something happened to a key.
    Key { db: u32, name: Cow<'static, str>, key: Box<[u8]> },
    /// A message that another node published.
    Message { shard: bool, channel: Box<[u8]>, message: Box<[u8]> },
}

impl Keyspace {
    /// Which events are noted from now on.
    pub fn note(&mut self, classes: Classes) {
        if self.classes != classes {
            self.classes = classes;
            let made = classes.has(Class::New).then(Vec::new);
            self.databases.iter_mut().for_each(|database| database.made.clone_from(&made));
        }
    }

    /// Note an event. When a collection is empty now and went, that is told of too.
    pub fn notify(&mut self, db: u32, class: Class, name: &'static str, key: &[u8]) {
        if self.classes.is_empty() {
            return;
        }
        self.happened(db, class, name, key);
        let collection = matches!(class, Class::List | Class::Set | Class::Hash | Class::SortedSet);
        if collection && self.database(db).get(key).is_none() {
            self.happened(db, Class::Generic, "del", key);
        }
    }

    fn happened(&mut self, db: u32, class: Class, name: &'static str, key: &[u8]) {
        if !self.classes.has(class) {
            return;
        }
        if class != Class::Miss {
            self.send(&Effect::Event { db, class: class as u8, name: name.as_bytes(), key });
        }
        self.occurred(Event::Key { db, name: Cow::Borrowed(name), key: key.into() });
    }

    fn occurred(&mut self, event: Event) {
        self.events.push((self.touched.len(), event));
    }

    /// Nothing is at a key that somebody looked for.
    pub(super) fn missed(&mut self, db: u32, key: &[u8]) {
        self.stats.misses += 1;
        self.happened(db, Class::Miss, "keymiss", key);
    }

    /// Tell the other nodes something that changes nothing: it goes with the record under way.
    pub fn send(&mut self, effect: &Effect<'_>) {
        if self.outward {
            effect.encode(&mut self.record);
        }
    }

    /// Another node told something.
    pub(super) fn hear(&mut self, effect: &Effect<'_>) {
        if !self.hears {
            return;
        }
        match *effect {
            Effect::Event { db, class, name, key } if self.classes.has_number(class) => {
                let name = Cow::Owned(String::from_utf8_lossy(name).into_owned());
                self.occurred(Event::Key { db, name, key: key.into() });
            }
            Effect::Publish { shard, channel, message } => {
                let (channel, message) = (channel.into(), message.into());
                self.occurred(Event::Message { shard, channel, message });
            }
            _ => {}
        }
    }

    /// Note which keys a change has made; where it is decided only.
    pub(super) fn note_new(&mut self) {
        if !self.classes.has(Class::New) {
            return;
        }
        for db in 0..self.databases.len() as u32 {
            let made = self.databases[db as usize].made.replace(Vec::new());
            for key in made.into_iter().flatten() {
                self.happened(db, Class::New, "new", &key);
            }
        }
    }
}

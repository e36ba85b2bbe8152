//! A consumer group: how far it has read, and what its consumers have not acknowledged yet.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Id;

/// The name of a consumer.
pub type Name = Arc<[u8]>;

/// An entry that was delivered but not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub consumer: Name,
    /// When it was delivered last, in milliseconds since 1970, and how often.
    pub time: u64,
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consumer {
    /// When it last asked for something, and got something, in milliseconds since 1970.
    pub seen: u64,
    pub active: Option<u64>,
    pending: BTreeSet<Id>,
}

impl Consumer {
    pub fn pending(&self) -> &BTreeSet<Id> {
        &self.pending
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    pub last_id: Id,
    /// How many entries of the stream it has read, if that is known.
    pub read: Option<u64>,
    pending: BTreeMap<Id, Pending>,
    consumers: BTreeMap<Name, Consumer>,
}

impl Group {
    pub fn new(last_id: Id, read: Option<u64>) -> Self {
        Self { last_id, read, ..Self::default() }
    }

    pub fn pending(&self) -> &BTreeMap<Id, Pending> {
        &self.pending
    }

    pub fn consumers(&self) -> &BTreeMap<Name, Consumer> {
        &self.consumers
    }

    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumers.get(name)
    }

    /// A consumer asks for something; it is made if it is missing.
    pub fn see(&mut self, name: &[u8], seen: u64) {
        self.named(name).1.seen = seen;
    }

    pub fn set_active(&mut self, name: &[u8], active: Option<u64>) {
        if let Some(consumer) = self.consumers.get_mut(name) {
            consumer.active = active;
        }
    }

    fn named(&mut self, name: &[u8]) -> (Name, &mut Consumer) {
        let known = self.consumers.get_key_value(name).map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| name.into());
        (name.clone(), self.consumers.entry(name).or_default())
    }

    /// An entry is a consumer's from now on.
    pub fn give(&mut self, id: Id, consumer: &[u8], time: u64, count: u64) {
        let (name, taker) = self.named(consumer);
        taker.pending.insert(id);
        let pending = Pending { consumer: name, time, count };
        match self.pending.entry(id) {
            Slot::Vacant(slot) => drop(slot.insert(pending)),
            Slot::Occupied(mut slot) => {
                let before = slot.insert(pending);
                if *before.consumer != *consumer
                    && let Some(owner) = self.consumers.get_mut(&before.consumer)
                {
                    owner.pending.remove(&id);
                }
            }
        }
    }

    /// An entry is nobody's any more.
    pub fn acknowledge(&mut self, id: Id) {
        if let Some(pending) = self.pending.remove(&id)
            && let Some(owner) = self.consumers.get_mut(&pending.consumer)
        {
            owner.pending.remove(&id);
        }
    }

    /// The consumer goes, and what it had not acknowledged.
    pub fn remove(&mut self, consumer: &[u8]) {
        if let Some(gone) = self.consumers.remove(consumer) {
            gone.pending.iter().for_each(|id| drop(self.pending.remove(id)));
        }
    }

    /// Bytes that it takes, about.
    pub fn allocated(&self) -> usize {
        let names: usize = self.consumers.keys().map(|name| name.len() + 16).sum();
        let each = size_of::<Name>() + size_of::<Consumer>();
        let entry = 2 * size_of::<Id>() + size_of::<Pending>();
        names + self.consumers.len() * each + self.pending.len() * entry
    }
}

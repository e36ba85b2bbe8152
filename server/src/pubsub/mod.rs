//! Who listens to what: channels, patterns and shard channels.
//!
//! Contract: a message is for those who listen at the moment in which it is published; it goes to the outbox, once for
//! each of them and each of their patterns that fit.
//! Deliberately absent: delivery. The engine empties the outbox into the clients' output, at the offset for which
//! the messages have to wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use crate::config::glob;
use crate::resp::Reply;

/// The id of a client.
pub type Listener = u64;

/// What is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Channel,
    Pattern,
    /// A channel of its own name space, as Redis Cluster keeps one for each shard.
    Shard,
}

impl Kind {
    /// The word of a confirmation.
    pub const fn word(self, subscribe: bool) -> &'static str {
        match (self, subscribe) {
            (Kind::Channel, true) => "subscribe",
            (Kind::Channel, false) => "unsubscribe",
            (Kind::Pattern, true) => "psubscribe",
            (Kind::Pattern, false) => "punsubscribe",
            (Kind::Shard, true) => "ssubscribe",
            (Kind::Shard, false) => "sunsubscribe",
        }
    }
}

type Listeners = BTreeSet<Listener>;
type Channels = HashMap<Bytes, Listeners, foldhash::fast::RandomState>;

/// All subscriptions of a node.
#[derive(Debug, Default)]
pub struct Registry {
    channels: Channels,
    patterns: BTreeMap<Bytes, Listeners>,
    shards: Channels,
    /// Messages on their way, in order.
    outbox: Vec<(Listener, Reply)>,
}

impl Registry {
    pub fn subscribe(&mut self, kind: Kind, name: Bytes, who: Listener) {
        let listeners = match kind {
            Kind::Channel => self.channels.entry(name).or_default(),
            Kind::Pattern => self.patterns.entry(name).or_default(),
            Kind::Shard => self.shards.entry(name).or_default(),
        };
        listeners.insert(who);
    }

    pub fn unsubscribe(&mut self, kind: Kind, name: &[u8], who: Listener) {
        let leave = |listeners: &mut Listeners| {
            listeners.remove(&who);
            listeners.is_empty()
        };
        match kind {
            Kind::Channel => drop_if(&mut self.channels, name, leave),
            Kind::Shard => drop_if(&mut self.shards, name, leave),
            Kind::Pattern => {
                if self.patterns.get_mut(name).is_some_and(leave) {
                    self.patterns.remove(name);
                }
            }
        }
    }

    /// Put a message in the outbox; returns for how many listeners and patterns it is.
    pub fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let before = self.outbox.len();
        let (name, body) = (Reply::bulk(channel), Reply::bulk(message));
        for who in self.channels.get(channel).into_iter().flatten() {
            let message = vec![Reply::Bulk(Bytes::from_static(b"message")), name.clone(), body.clone()];
            self.outbox.push((*who, Reply::Push(message)));
        }
        for (pattern, listeners) in &self.patterns {
            if !glob::matches(pattern, channel, false) {
                continue;
            }
            for who in listeners {
                let word = Reply::Bulk(Bytes::from_static(b"pmessage"));
                let message = vec![word, Reply::Bulk(pattern.clone()), name.clone(), body.clone()];
                self.outbox.push((*who, Reply::Push(message)));
            }
        }
        self.outbox.len() - before
    }

    /// As [`Registry::publish`], for shard channels.
    pub fn publish_shard(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let Some(listeners) = self.shards.get(channel) else { return 0 };
        let (name, body) = (Reply::bulk(channel), Reply::bulk(message));
        for who in listeners {
            let word = Reply::Bulk(Bytes::from_static(b"smessage"));
            self.outbox.push((*who, Reply::Push(vec![word, name.clone(), body.clone()])));
        }
        listeners.len()
    }

    /// For how many listeners and patterns a message would be.
    pub fn audience(&self, channel: &[u8], shard: bool) -> usize {
        if shard {
            return self.count(Kind::Shard, channel);
        }
        let fits = self.patterns.iter().filter(|(pattern, _)| glob::matches(pattern, channel, false));
        self.count(Kind::Channel, channel) + fits.map(|(_, listeners)| listeners.len()).sum::<usize>()
    }

    pub fn has_mail(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// A message that is to come after those that wait already.
    pub fn post(&mut self, listener: Listener, message: Reply) {
        self.outbox.push((listener, message));
    }

    /// The messages since the last call.
    pub fn take_mail(&mut self) -> Vec<(Listener, Reply)> {
        std::mem::take(&mut self.outbox)
    }

    /// Channels that somebody listens to, by name or those that fit a pattern.
    pub fn active(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Bytes> {
        let fits = |name: &&Bytes| pattern.is_none_or(|pattern| glob::matches(pattern, name, false));
        self.of(kind).keys().filter(fits).cloned().collect()
    }

    /// How many channels somebody listens to.
    pub fn channels(&self, kind: Kind) -> usize {
        self.of(kind).len()
    }

    /// How many listen to a channel.
    pub fn count(&self, kind: Kind, channel: &[u8]) -> usize {
        self.of(kind).get(channel).map_or(0, BTreeSet::len)
    }

    /// How many different patterns somebody listens to.
    pub fn patterns(&self) -> usize {
        self.patterns.len()
    }

    fn of(&self, kind: Kind) -> &Channels {
        if kind == Kind::Shard { &self.shards } else { &self.channels }
    }
}

fn drop_if(channels: &mut Channels, name: &[u8], leave: impl FnOnce(&mut Listeners) -> bool) {
    if channels.get_mut(name).is_some_and(leave) {
        channels.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &'static str) -> Reply {
        Reply::Bulk(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_message_reaches_channels_and_patterns_that_fit() {
        let mut registry = Registry::default();
        registry.subscribe(Kind::Channel, Bytes::from_static(b"news"), 1);
        registry.subscribe(Kind::Pattern, Bytes::from_static(b"n*"), 1);
        registry.subscribe(Kind::Pattern, Bytes::from_static(b"x*"), 2);
        registry.subscribe(Kind::Shard, Bytes::from_static(b"news"), 3);
        assert_eq!(registry.publish(b"news", b"hi"), 2);
        assert_eq!(
            registry.take_mail(),
            [
                (1, Reply::Push(vec![word("message"), word("news"), word("hi")])),
                (1, Reply::Push(vec![word("pmessage"), word("n*"), word("news"), word("hi")])),
            ]
        );
        assert_eq!(registry.publish_shard(b"news", b"hi"), 1);
        assert_eq!(registry.active(Kind::Channel, None), [Bytes::from_static(b"news")]);
        registry.unsubscribe(Kind::Channel, b"news", 1);
        assert!(registry.active(Kind::Channel, None).is_empty());
        assert_eq!((registry.patterns(), registry.count(Kind::Shard, b"news")), (2, 1));
    }
}

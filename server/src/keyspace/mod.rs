//! Databases, expiry and the only door for a change.
//!
//! [`Keyspace::apply`] is that door: commands, replicas and recovery all pass it, with the same [`Effect`]s. What
//! was applied while recording is kept in encoded form, to become one record of the log.
//!
//! Deliberately absent: clocks (the engine sets [`Keyspace::now`]), clients, replies.

mod access;
mod apply;
mod check;
mod database;
mod effect;
mod events;
mod evict;
mod functions;
mod readable;
mod users;
pub mod reclaim;
mod walk;

use std::sync::Arc;

pub use access::Access;
pub use database::{Database, Entry};
pub use effect::{
    Deadline, Effect, EffectError, Given, HashChange, Items, SetChange, SortedSetChange, StreamChange,
};
pub use events::Event;
pub use functions::Functions;
pub use users::UserTexts;
pub use walk::{Decoded, WalkEnd};

use crate::config::{Class, Classes, Config};
use crate::value::{Forms, Value};

/// A change that others may wait for: `WATCH`, blocked clients, reads that must wait for a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    Key {
        db: u32,
        key: Arc<[u8]>,
        /// It was not there before: who waits for it is served. As in the reference, that a value takes the place of
        /// another one serves nobody.
        made: bool,
    },
    /// Something beside the data of a key, such as how far a group has read: not what `WATCH` looks at.
    Beside {
        db: u32,
        key: Arc<[u8]>,
        /// Somebody who waits for the key may be served.
        wakes: bool,
    },
    /// Every key of a database, as by `FLUSHDB`.
    Database(u32),
    /// Two databases changed places.
    Swapped(u32, u32),
}

/// All databases of a node.
#[derive(Debug)]
pub struct Keyspace {
    databases: Vec<Database>,
    /// Milliseconds since 1970, as the engine last set it. It stands still while a command runs.
    pub now: u64,
    /// Whether this node decides about expiry: a leader deletes what has expired, a replica only hides it until
    /// the leader's delete comes.
    pub authority: bool,
    /// Whether touched keys are collected in [`Keyspace::touched`].
    pub tracking: bool,
    pub touched: Vec<Touched>,
    /// What happened to keys, of the chosen classes, until the engine takes it.
    /// Each with how many of the touched keys it comes after.
    pub events: Vec<(usize, Event)>,
    classes: Classes,
    /// Whether others are told of events, by the log; and whether this node hears of those of others.
    pub outward: bool,
    pub hears: bool,
    /// Changes since the start, as Redis' `dirty` counts them.
    pub changes: u64,
    /// The users that the log made; no part of any database.
    pub users: UserTexts,
    /// Keys that expired, were found, were not found: for `INFO stats`.
    pub stats: Stats,
    /// Whether what is deleted now is freed in the background.
    pub lazy: bool,
    /// The same for those whose time came, and for those that had to go.
    pub lazy_expire: bool,
    pub lazy_eviction: bool,
    /// The same for what another value takes the place of.
    lazy_overwrite: bool,
    access: Access,
    pool: evict::Pool,
    pub functions: Functions,
    /// The encoded effects since [`Keyspace::take_record`] emptied it.
    record: Vec<u8>,
    /// Some effect of the record changes something: it is more than messages.
    decisive: bool,
    /// How values are kept, and the seed of all hash tables.
    pub forms: Forms,
    /// Databases ever made: each has an identity of its own.
    identities: u64,
    /// The number of walks so far; an entry that carries it is not part of the walk under way.
    generation: u32,
    walk: Option<walk::Walk>,
    /// The last walk was given up because more was changed than was taken.
    overrun: bool,
}

#[derive(Debug, Default, Clone, Copy)]
pub struct Stats {
    pub expired: u64,
    pub expired_fields: u64,
    pub evicted: u64,
    pub hits: u64,
    pub misses: u64,
}

impl Keyspace {
    /// `count` empty databases.
    pub fn new(count: usize, forms: Forms) -> Self {
        Self {
            databases: (0..count).map(|identity| Database::new(forms.seed, identity as u64, 0)).collect(),
            now: 0,
            authority: true,
            tracking: false,
            touched: Vec::new(),
            events: Vec::new(),
            classes: Classes::default(),
            outward: false,
            lazy: false,
            lazy_expire: false,
            lazy_eviction: false,
            lazy_overwrite: false,
            access: Access::default(),
            pool: evict::Pool::default(),
            hears: false,
            decisive: false,
            changes: 0,
            users: UserTexts::default(),
            stats: Stats::default(),
            functions: Functions::default(),
            record: Vec::new(),
            forms,
            identities: count as u64,
            generation: 0,
            walk: None,
            overrun: false,
        }
    }

    /// All databases, for whoever drops them; a walk under way is given up.
    pub fn take_databases(&mut self) -> Vec<Database> {
        self.walk = None;
        let count = self.databases.len();
        let fresh = Self::new(count, self.forms);
        std::mem::replace(&mut self.databases, fresh.databases)
    }

    pub fn databases(&self) -> &[Database] {
        &self.databases
    }

    pub fn database(&self, db: u32) -> &Database {
        &self.databases[db as usize]
    }

    /// What a record of the effects so far holds; empty if nothing changed.
    pub fn record(&self) -> &[u8] {
        &self.record
    }

    pub fn clear_record(&mut self) {
        self.record.clear();
        self.decisive = false;
    }

    /// Whether the record changes something, and does not only tell.
    pub fn record_changes(&self) -> bool {
        self.decisive
    }

    /// What the settings say holds from now on.
    pub fn follow(&mut self, config: &Config) {
        self.forms.configure(config);
        self.note(config.notify_keyspace_events);
        self.set_access(Access {
            by_frequency: config.maxmemory_policy.by_frequency(),
            log_factor: config.lfu_log_factor,
            decay_minutes: config.lfu_decay_time,
        });
        self.lazy_expire = config.lazyfree_lazy_expire;
        self.lazy_eviction = config.lazyfree_lazy_eviction;
        self.lazy_overwrite = config.lazyfree_lazy_server_del;
    }

    /// How the use of keys is noted from now on.
    pub fn set_access(&mut self, access: Access) {
        if self.access != access {
            self.access = access;
            self.databases.iter_mut().for_each(|database| database.usage.access = access);
        }
    }

    /// Whether commands leave no trace of keys being used (`CLIENT NO-TOUCH`).
    pub fn set_quiet(&mut self, quiet: bool) {
        if self.databases.first().is_some_and(|database| database.usage.quiet != quiet) {
            self.databases.iter_mut().for_each(|database| database.usage.quiet = quiet);
        }
    }

    /// The databases learn what time it is.
    fn set_seconds(&mut self) {
        let seconds = (self.now / 1000) as u32;
        if self.databases.first().is_some_and(|database| database.usage.seconds != seconds) {
            self.databases.iter_mut().for_each(|database| database.usage.seconds = seconds);
        }
    }

    /// How often a key is used, on a scale from 0 to 255, if that is counted.
    pub fn frequency(&self, accessed: u32) -> Option<u32> {
        let seconds = (self.now / 1000) as u32;
        self.access.by_frequency.then(|| self.access.frequency(accessed, seconds))
    }

    /// Make a change: in memory, and in the record under way.
    pub fn change(&mut self, effect: &Effect<'_>) {
        if !self.classes.is_empty()
            && let Effect::Set { db, key, .. } | Effect::Put { db, key, .. } = *effect
        {
            // That what is overwritten had expired is an event of its own.
            self.expire_if_due(db, key);
        }
        self.set_seconds();
        effect.encode(&mut self.record);
        self.decisive = true;
        self.apply(effect);
        self.note_new();
    }

    /// Make a change that is none for who watches the key or holds a copy of it.
    pub fn change_beside(&mut self, effect: &Effect<'_>) {
        let before = self.touched.len();
        self.change(effect);
        for touched in &mut self.touched[before..] {
            if let Touched::Key { db, key, .. } = touched {
                *touched = Touched::Beside { db: *db, key: key.clone(), wakes: false };
            }
        }
    }

    /// Apply the effects of a record that is in the log already. Time goes on with it, so that a later leader's clock is
    /// never behind what it holds (trap 18).
    pub fn replay(&mut self, time_ms: u64, payload: &[u8]) -> Result<(), EffectError> {
        self.now = self.now.max(time_ms);
        self.set_seconds();
        for effect in Effect::decode_within(payload, self.databases.len() as u32) {
            self.apply(&effect?);
        }
        Ok(())
    }

    /// The entry at `key`, unless it has expired; an expired one is deleted if this node decides that.
    pub fn find(&mut self, db: u32, key: &[u8]) -> Option<&Entry> {
        self.expire_if_due(db, key);
        let now = self.now;
        self.databases[db as usize].get(key).filter(|entry| !entry.expired(now))
    }

    /// As [`Keyspace::find`], counting a hit or a miss and noting the access: for commands that read.
    pub fn read(&mut self, db: u32, key: &[u8]) -> Option<&Value> {
        self.expire_if_due(db, key);
        let now = self.now;
        self.set_seconds();
        let found = self.databases[db as usize].get_live(key, now);
        if found {
            self.stats.hits += 1;
            self.databases[db as usize].get(key).map(|entry| &entry.value)
        } else {
            self.missed(db, key);
            None
        }
    }

    /// As [`Keyspace::read`], but the access is not noted: for commands that tell about a key.
    pub fn look(&mut self, db: u32, key: &[u8]) -> Option<&Entry> {
        self.expire_if_due(db, key);
        let now = self.now;
        if self.databases[db as usize].get(key).is_none_or(|entry| entry.expired(now)) {
            self.missed(db, key);
            return None;
        }
        self.stats.hits += 1;
        self.databases[db as usize].get(key)
    }

    /// As [`Keyspace::find`], without any trace: for several keys at once. What has expired is hidden.
    pub fn peek(&self, db: u32, key: &[u8]) -> Option<&Entry> {
        self.databases[db as usize].get(key).filter(|entry| !entry.expired(self.now))
    }

    pub fn exists(&mut self, db: u32, key: &[u8]) -> bool {
        self.find(db, key).is_some()
    }

    /// Delete `key` if it is there; true if it was.
    pub fn delete(&mut self, db: u32, key: &[u8]) -> bool {
        let there = self.exists(db, key);
        if there {
            self.change(&Effect::Delete { db, key });
        }
        there
    }

    fn expire_if_due(&mut self, db: u32, key: &[u8]) {
        if !self.authority {
            return;
        }
        let database = &self.databases[db as usize];
        // Most databases have no deadline at all: the second look-up is saved.
        if database.has_deadlines() && database.get(key).is_some_and(|entry| entry.expired(self.now)) {
            self.expired(db, key);
        }
    }

    /// Make a change whose victims are freed in the background, if `lazy`.
    pub fn change_lazily(&mut self, effect: &Effect<'_>, lazy: bool) {
        self.lazy = lazy;
        self.change(effect);
        self.lazy = false;
    }

    /// The key's time has come.
    fn expired(&mut self, db: u32, key: &[u8]) {
        self.notify(db, Class::Expired, "expired", key);
        self.change_lazily(&Effect::Delete { db, key }, self.lazy_expire);
        self.stats.expired += 1;
    }

    /// Delete at most `count` keys and fields of hashes whose time has come; returns how many went.
    pub fn expire_due(&mut self, count: usize) -> usize {
        let mut gone = 0;
        for db in 0..self.databases.len() as u32 {
            while gone < count
                && let Some(key) = self.databases[db as usize].due(self.now)
            {
                self.expired(db, &key);
                gone += 1;
            }
            while gone < count
                && let Some(key) = self.databases[db as usize].field_due(self.now)
            {
                gone += self.expire_fields(db, &key, count - gone);
            }
        }
        gone
    }

    /// Remove fields of a hash whose time has come, at most `most`; returns how many went.
    fn expire_fields(&mut self, db: u32, key: &[u8], most: usize) -> usize {
        let Some(Value::Hash(hash)) = self.database(db).get(key).map(|entry| &entry.value) else { return 0 };
        let due = hash.due(self.now, most);
        let fields = due.iter().map(Vec::as_slice).collect();
        self.change(&Effect::Hash { db, key, change: HashChange::Remove { fields } });
        self.stats.expired_fields += due.len() as u64;
        self.notify(db, Class::Hash, "hexpired", key);
        due.len()
    }

    fn touch(&mut self, db: u32, key: &[u8]) {
        self.touch_as(db, key, false);
    }

    /// `wakes`: who waits for the key is served, even if it was there before.
    fn touch_as(&mut self, db: u32, key: &[u8], wakes: bool) {
        self.changes += 1;
        let made = wakes | std::mem::take(&mut self.databases[db as usize].made_one);
        if self.tracking {
            self.touched.push(Touched::Key { db, key: key.into(), made });
        }
    }
}

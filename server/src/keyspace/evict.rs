//! Eviction: which key goes when memory is short.
//!
//! As in Redis: a few keys of each database are looked at each time, and the best of all that were looked at so far are
//! kept in a small pool, from which the very best goes. Deliberately absent: when it is time, and for how long; the engine
//! decides that, and only where changes are decided.

use std::sync::Arc;

use super::{Effect, Keyspace};
use crate::config::{Class, Policy};

/// Keys in the pool.
const POOL_MAX: usize = 16;

/// A key that may go.
#[derive(Debug)]
struct Candidate {
    idleness: u64,
    db: u32,
    key: Arc<[u8]>,
}

/// The best candidates, the best one last.
#[derive(Debug, Default)]
pub(super) struct Pool {
    candidates: Vec<Candidate>,
    policy: Policy,
    /// The database from which a random key is taken next.
    next: usize,
}

impl Pool {
    fn offer(&mut self, candidate: Candidate) {
        if self.candidates.iter().any(|other| other.db == candidate.db && other.key == candidate.key) {
            return;
        }
        let place = self.candidates.partition_point(|other| other.idleness < candidate.idleness);
        if self.candidates.len() == POOL_MAX {
            if place == 0 {
                return;
            }
            self.candidates.remove(0);
            self.candidates.insert(place - 1, candidate);
        } else {
            self.candidates.insert(place, candidate);
        }
    }
}

impl Keyspace {
    /// Let one key go; false if there is none that may.
    pub fn evict(&mut self, policy: Policy, samples: usize) -> bool {
        if self.pool.policy != policy {
            self.pool = Pool { policy, ..Pool::default() };
        }
        let chosen = if policy.random() { self.random_key(policy) } else { self.worst_key(policy, samples) };
        let Some((db, key)) = chosen else { return false };
        self.change_lazily(&Effect::Delete { db, key: &key }, self.lazy_eviction);
        self.stats.evicted += 1;
        self.notify(db, Class::Evicted, "evicted", &key);
        true
    }

    fn random_key(&mut self, policy: Policy) -> Option<(u32, Arc<[u8]>)> {
        for _ in 0..self.databases.len() {
            let db = self.pool.next % self.databases.len();
            self.pool.next = db + 1;
            let database = &mut self.databases[db];
            if let Some(entry) = database.sample(policy.volatile()) {
                return Some((db as u32, entry.shared_key()));
            }
        }
        None
    }

    fn worst_key(&mut self, policy: Policy, samples: usize) -> Option<(u32, Arc<[u8]>)> {
        let mut pool = std::mem::take(&mut self.pool);
        let chosen = loop {
            let any = self.look_around(&mut pool, policy, samples);
            if !any {
                break None;
            }
            let found = std::iter::from_fn(|| pool.candidates.pop()).find(|candidate| {
                let entry = self.database(candidate.db).get(&candidate.key);
                entry.is_some_and(|entry| !policy.volatile() || entry.deadline().is_some())
            });
            if let Some(found) = found {
                break Some((found.db, found.key));
            }
        };
        self.pool = pool;
        chosen
    }

    /// Put some keys of each database into the pool; false if there is none at all.
    fn look_around(&mut self, pool: &mut Pool, policy: Policy, samples: usize) -> bool {
        let (seconds, access) = ((self.now / 1000) as u32, self.access);
        let mut any = false;
        for (database, db) in self.databases.iter_mut().zip(0..) {
            if policy == Policy::VolatileTtl {
                // The keys are kept in that order: no need to guess.
                if let Some((deadline, key)) = database.first_deadline() {
                    pool.offer(Candidate { idleness: u64::MAX - deadline, db, key });
                    any = true;
                }
                continue;
            }
            for _ in 0..samples {
                let Some(entry) = database.sample(policy.volatile()) else { break };
                let idleness = access.idleness(entry.accessed, seconds);
                let key = entry.shared_key();
                pool.offer(Candidate { idleness, db, key });
                any = true;
            }
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::super::access::Access;
    use super::*;
    use crate::value::Forms;

    fn filled(count: u64, access: Access, deadline: impl Fn(u64) -> Option<u64>) -> Keyspace {
        let mut keyspace = Keyspace::new(4, Forms::seeded(7));
        keyspace.set_access(access);
        for number in 0..count {
            keyspace.now = 1_000_000 + number * 1_000;
            let (key, deadline) = (format!("k{number}").into_bytes(), deadline(number));
            keyspace.change(&Effect::Set { db: number as u32 % 3, key: &key, value: b"v", deadline });
        }
        keyspace.now += 1_000_000;
        keyspace
    }

    fn left(keyspace: &Keyspace) -> Vec<u64> {
        let keys = keyspace.databases().iter().flat_map(|database| database.table().iter());
        keys.map(|entry| String::from_utf8_lossy(&entry.key()[1..]).parse().unwrap()).collect()
    }

    #[test]
    fn the_oldest_go_first_by_and_large() {
        let mut keyspace = filled(3_000, Access::default(), |_| None);
        (0..1_500).for_each(|_| assert!(keyspace.evict(Policy::AllLru, 10)));
        let young = left(&keyspace).iter().filter(|number| **number >= 1_500).count();
        assert!(young > 1_350, "{young} of 1500 of the younger half are left");
        assert_eq!(keyspace.stats.evicted, 1_500);
    }

    #[test]
    fn the_least_used_go_first() {
        let access = Access { by_frequency: true, log_factor: 1, decay_minutes: 0 };
        let mut keyspace = filled(900, access, |_| None);
        for number in 0..300u64 {
            for _ in 0..20 {
                keyspace.read(number as u32 % 3, format!("k{number}").as_bytes());
            }
        }
        (0..600).for_each(|_| assert!(keyspace.evict(Policy::AllLfu, 10)));
        let used = left(&keyspace).iter().filter(|number| **number < 300).count();
        assert!(used > 270, "{used} of the 300 used ones are left");
    }

    #[test]
    fn the_next_to_expire_go_first_and_no_key_without_deadline() {
        let deadline = |number: u64| number.is_multiple_of(2).then(|| u64::MAX / 2 - number);
        let mut keyspace = filled(100, Access::default(), deadline);
        (0..10).for_each(|_| assert!(keyspace.evict(Policy::VolatileTtl, 5)));
        assert!(left(&keyspace).iter().all(|number| *number < 80 || number % 2 == 1));
        for policy in [Policy::VolatileRandom, Policy::VolatileLru, Policy::VolatileLfu] {
            (0..10).for_each(|_| assert!(keyspace.evict(policy, 5)));
        }
        (0..10).for_each(|_| assert!(keyspace.evict(Policy::VolatileTtl, 5)));
        assert_eq!(left(&keyspace).len(), 50);
        for policy in [Policy::VolatileTtl, Policy::VolatileRandom, Policy::VolatileLru] {
            assert!(!keyspace.evict(policy, 5));
        }
        (0..50).for_each(|_| assert!(keyspace.evict(Policy::AllRandom, 5)));
        assert!(!keyspace.evict(Policy::AllRandom, 5) && !keyspace.evict(Policy::AllLru, 5));
    }
}

//! A picture of the key space at one moment, taken while it goes on changing.
//!
//! No fork and no second copy: [`Keyspace::begin_walk`] marks the moment, [`Keyspace::step_walk`] captures a few
//! hundred entries at a time, in the order of their hashes, and a change to an entry that was not captured yet captures
//! it first, as it was. What a walk gives is the key space exactly as it stood when it began.
//!
//! An entry of the picture: `database varint | deadline varint (0: none) | type byte | key | value`, the last two in
//! RDB encoding.

use super::database::{Database, Entry};
use super::{Deadline, Effect, Keyspace, reclaim};
use crate::value::rdb::{self, RdbError};
use crate::value::{Forms, Value};
use std::sync::Arc;

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    /// What is still to be captured: where each database of the moment is now.
    places: Vec<Place>,
    /// Databases that were flushed meanwhile, kept until they are captured.
    flushed: Vec<Database>,
    /// Captured entries that were not taken yet.
    captured: Vec<u8>,
}

#[derive(Debug)]
struct Place {
    /// The database's number at the moment.
    db: u32,
    /// Which database it is, wherever it has been swapped to.
    identity: u64,
    /// Entries of this hash and above are still to be captured; `None` when all are.
    cursor: Option<u64>,
}

impl Keyspace {
    /// Mark the moment. A walk under way is given up.
    pub fn begin_walk(&mut self) {
        self.generation += 1;
        let places = self.databases.iter_mut().zip(0..).map(|(database, db)| {
            database.generation = self.generation;
            Place { db, identity: database.identity, cursor: Some(0) }
        });
        self.walk = Some(Walk { places: places.collect(), flushed: Vec::new(), captured: Vec::new() });
    }

    /// Capture on, about `bytes` of entries; then move what was captured to `out`, each entry after its length as
    /// a u32. True while there is more; false at the end of the walk, which is over then. `None`: there is no walk, it was
    /// given up.
    pub fn step_walk(&mut self, bytes: usize, out: &mut Vec<u8>) -> Option<bool> {
        let mut walk = self.walk.take()?;
        let generation = self.generation;
        while walk.captured.len() < bytes {
            let Some(place) = walk.places.iter_mut().find(|place| place.cursor.is_some()) else { break };
            let identity = place.identity;
            let database =
                (self.databases.iter().chain(&walk.flushed)).find(|other| other.identity == identity);
            place.cursor = database.and_then(|database| {
                let captured = &mut walk.captured;
                let db = place.db;
                database.table().scan(place.cursor.unwrap_or(0), 16, |_, entry| {
                    if entry.generation != generation {
                        capture(db, entry, captured);
                    }
                })
            });
            if place.cursor.is_none() {
                walk.flushed.retain(|database| database.identity != identity);
            }
        }
        out.append(&mut walk.captured);
        let more = walk.places.iter().any(|place| place.cursor.is_some());
        if more {
            self.walk = Some(walk);
        }
        Some(more)
    }

    /// Give up a walk.
    pub fn end_walk(&mut self) {
        self.walk = None;
    }

    /// Capture what `effect` is about to change.
    pub(super) fn preserve(&mut self, effect: &Effect<'_>) {
        if self.walk.is_none() {
            return;
        }
        match *effect {
            Effect::Set { db, key, .. }
            | Effect::Replace { db, key, .. }
            | Effect::Integer { db, key, .. }
            | Effect::Append { db, key, .. }
            | Effect::SetRange { db, key, .. }
            | Effect::Put { db, key, .. }
            | Effect::Delete { db, key }
            | Effect::Expire { db, key, .. }
            | Effect::HyperLogLog { db, key, .. }
            | Effect::ListPush { db, key, .. }
            | Effect::ListPop { db, key, .. }
            | Effect::ListSet { db, key, .. }
            | Effect::ListInsert { db, key, .. }
            | Effect::ListRemove { db, key, .. }
            | Effect::ListTrim { db, key, .. }
            | Effect::Hash { db, key, .. }
            | Effect::Members { db, key, .. }
            | Effect::SortedSet { db, key, .. }
            | Effect::Stream { db, key, .. } => self.preserve_key(db, key),
            Effect::Rename { db, from, to } => {
                self.preserve_key(db, from);
                self.preserve_key(db, to);
            }
            Effect::Copy { to_db, to, .. } => self.preserve_key(to_db, to),
            Effect::Move { db, key, to_db } => {
                self.preserve_key(db, key);
                self.preserve_key(to_db, key);
            }
            // Flushed databases are kept whole by `flush`, swapped ones are known by their identity.
            // Events are no data; users and libraries are taken whole when a walk begins.
            Effect::SwapDb { .. }
            | Effect::FlushDb { .. }
            | Effect::FlushAll
            | Effect::Event { .. }
            | Effect::Publish { .. }
            | Effect::User { .. }
            | Effect::FunctionLoad { .. }
            | Effect::FunctionDelete { .. }
            | Effect::FunctionFlush => {}
        }
    }

    fn preserve_key(&mut self, db: u32, key: &[u8]) {
        let generation = self.generation;
        let database = &mut self.databases[db as usize];
        let Some(walk) = &mut self.walk else { return };
        let Some(place) = walk.places.iter().find(|place| place.identity == database.identity) else {
            return;
        };
        let Some(cursor) = place.cursor else { return };
        let hash = database.table().hash(key);
        let Some(entry) =
            database.get_unused(key).filter(|entry| hash >= cursor && entry.generation != generation)
        else {
            return;
        };
        entry.generation = generation;
        capture(place.db, entry, &mut walk.captured);
    }

    /// A flushed database whose entries are not all captured is kept for the walk.
    pub(super) fn retire(&mut self, database: Database) {
        if let Some(walk) = &mut self.walk
            && walk.places.iter().any(|place| place.identity == database.identity && place.cursor.is_some())
        {
            walk.flushed.push(database);
        } else if self.lazy || !self.authority {
            reclaim::later(database);
        }
    }

    /// Put an entry of a picture in.
    pub fn restore(&mut self, entry: &[u8]) -> Result<(), RdbError> {
        self.take_in(Decoded::new(entry, &self.forms)?)
    }

    /// The same, for an entry that another thread decoded.
    pub fn take_in(&mut self, decoded: Decoded) -> Result<(), RdbError> {
        let Decoded { db, key, value, deadline } = decoded;
        let seconds = (self.now / 1000) as u32;
        let database = self.databases.get_mut(db as usize).ok_or(RdbError::Damaged)?;
        database.insert_shared(key, value, deadline, seconds);
        Ok(())
    }
}

/// An entry of a picture, ready to be put in.
#[derive(Debug)]
pub struct Decoded {
    db: u64,
    key: Arc<[u8]>,
    value: Value,
    deadline: Option<Deadline>,
}

impl Decoded {
    /// `forms` are those of the key space that it is put into.
    pub fn new(entry: &[u8], forms: &Forms) -> Result<Self, RdbError> {
        let mut input = entry;
        let db = varint(&mut input)?;
        let deadline = Some(varint(&mut input)?).filter(|deadline| *deadline > 0);
        let (kind, rest) = input.split_first().ok_or(RdbError::Damaged)?;
        input = rest;
        let key = rdb::decode_string(&mut input)?.into();
        let value = rdb::decode(*kind, &mut input, forms)?;
        Ok(Self { db, key, value, deadline })
    }
}

pub(super) fn capture(db: u32, entry: &Entry, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    put_varint(u64::from(db), out);
    put_varint(entry.deadline().unwrap_or(0), out);
    out.push(rdb::type_byte(&entry.value));
    rdb::encode_string(entry.key(), out);
    rdb::encode(&entry.value, out);
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn varint(input: &mut &[u8]) -> Result<u64, RdbError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first().ok_or(RdbError::Damaged)?;
        *input = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok(number);
        }
    }
    Err(RdbError::Damaged)
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::keyspace::{HashChange, SetChange};
    use crate::value::{End, Forms};

    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *state >> 33
    }

    /// A random change among few keys, so that changes meet each other and the walk.
    fn change(keyspace: &mut Keyspace, state: &mut u64) {
        let key = format!("k{}", random(state) % 2_000).into_bytes();
        let other = format!("k{}", random(state) % 2_000).into_bytes();
        let (db, to_db) = (random(state) as u32 % 3, random(state) as u32 % 3);
        let value = (random(state) % 500).to_string().into_bytes();
        let effect = match random(state) % 100 {
            0..30 => Effect::Set { db, key: &key, value: &value, deadline: Some(random(state)) },
            30..45 => Effect::Delete { db, key: &key },
            45..50 => {
                let change = HashChange::Set { pairs: smallvec![value.as_slice(), b"v".as_slice()] };
                Effect::Hash { db, key: &key, change }
            }
            50..55 => {
                let deadline = Some(random(state));
                let change = HashChange::Expire { fields: smallvec![value.as_slice()], deadline };
                Effect::Hash { db, key: &key, change }
            }
            55..60 => Effect::Append { db, key: &key, value: &value },
            60..70 => Effect::ListPush { db, key: &key, end: End::Left, items: smallvec![value.as_slice()] },
            70..75 => {
                let change = SetChange::Add { members: smallvec![value.as_slice()] };
                Effect::Members { db, key: &key, change }
            }
            75..80 => Effect::ListPop { db, key: &key, end: End::Right, count: 1 },
            80..85 => Effect::Rename { db, from: &key, to: &other },
            85..90 => Effect::Copy { db, from: &key, to_db, to: &other },
            90..95 => Effect::Move { db, key: &key, to_db },
            95..98 => Effect::Expire { db, key: &key, deadline: None },
            98 => Effect::SwapDb { a: db, b: to_db },
            _ if random(state).is_multiple_of(20) => Effect::FlushDb { db },
            _ => return,
        };
        keyspace.apply(&effect);
    }

    /// Everything in a key space, in one order.
    fn contents(keyspace: &Keyspace) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for (database, db) in keyspace.databases().iter().zip(0..) {
            for entry in database.table().iter() {
                let mut bytes = Vec::new();
                capture(db, entry, &mut bytes);
                all.push(bytes.split_off(4));
            }
        }
        all.sort();
        all
    }

    fn entries(mut picture: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while let Some((length, rest)) = picture.split_first_chunk::<4>() {
            let (entry, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
            all.push(entry.to_vec());
            picture = rest;
        }
        all.sort();
        all
    }

    #[test]
    fn a_picture_shows_the_moment_it_began_whatever_changes_meanwhile() {
        for seed in 0..60 {
            let (mut keyspace, mut state) = (Keyspace::new(3, Forms::seeded(seed)), seed + 1);
            (0..3_000).for_each(|_| change(&mut keyspace, &mut state));
            for _ in 0..2 {
                let before = contents(&keyspace);
                let mut picture = Vec::new();
                keyspace.begin_walk();
                while keyspace.step_walk(300, &mut picture).unwrap() {
                    (0..random(&mut state) % 40).for_each(|_| change(&mut keyspace, &mut state));
                }
                assert_eq!(entries(&picture), before, "seed {seed}");
            }
        }
    }

    #[test]
    fn a_picture_restores_what_it_shows() {
        let (mut keyspace, mut state, mut picture) = (Keyspace::new(3, Forms::seeded(1)), 9, Vec::new());
        (0..3_000).for_each(|_| change(&mut keyspace, &mut state));
        keyspace.begin_walk();
        while keyspace.step_walk(1_000, &mut picture).unwrap() {}
        let mut copy = Keyspace::new(3, Forms::seeded(2));
        entries(&picture).iter().for_each(|entry| copy.restore(entry).unwrap());
        assert_eq!(contents(&copy), contents(&keyspace));
        assert_eq!(copy.database(0).deadlines(), keyspace.database(0).deadlines());
    }
}

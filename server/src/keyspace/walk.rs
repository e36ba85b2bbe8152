//! A picture of the key space at one moment, taken while it goes on changing.
//!
//! No fork and no second copy: [`Keyspace::begin_walk`] marks the moment, [`Keyspace::step_walk`] captures a few
//! hundred entries at a time, in the order of their hashes, and a change to an entry that was not captured yet captures
//! it first, as it was. What a walk gives is the key space exactly as it stood when it began.
//!
//! What was captured waits in memory until it is taken, up to a bound: when more is changed than whoever takes it keeps up
//! with (a disk that stands still, say), the walk is given up, as it is when a database that it still needs is flushed.
//! The key space never waits for it, and never keeps two data sets.
//!
//! An entry of the picture: `database varint | deadline varint (0: none) | type byte | key | value`, the last two in
//! RDB encoding.

use super::database::{Database, Entry};
use super::{Deadline, Effect, Keyspace, reclaim};
use crate::value::rdb::{self, RdbError};
use crate::value::{Forms, Value};
use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;

/// Entries that one step looks at, captured or not.
const LOOKED_AT_MAX: usize = 4096;

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    /// What is still to be captured: where each database of the moment is now.
    places: Vec<Place>,
    /// Captured entries that were not taken yet, and how many bytes of them there may be.
    captured: Vec<u8>,
    captured_max: usize,
}

/// Why there is no more of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkEnd {
    /// Another was begun, or the data was replaced.
    GivenUp,
    /// More was changed than was taken.
    Overrun,
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
    /// Mark the moment. A walk under way is given up. At most `captured_max` bytes and one entry wait to be taken.
    pub fn begin_walk(&mut self, captured_max: usize) {
        self.overrun = false;
        self.generation += 1;
        let places = self.databases.iter_mut().zip(0..).map(|(database, db)| {
            database.generation = self.generation;
            Place { db, identity: database.identity, cursor: Some(0) }
        });
        self.walk = Some(Walk { places: places.collect(), captured: Vec::new(), captured_max });
    }

    /// Capture on, about `bytes` of entries; then move what was captured to `out`, each entry after its length as
    /// a u32. True while there is more; false at the end of the walk, which is over then.
    pub fn step_walk(&mut self, bytes: usize, out: &mut Vec<u8>) -> Result<bool, WalkEnd> {
        let ended = if self.overrun { WalkEnd::Overrun } else { WalkEnd::GivenUp };
        let mut walk = self.walk.take().ok_or(ended)?;
        let generation = self.generation;
        let mut left = LOOKED_AT_MAX;
        while walk.captured.len() < bytes && left > 0 {
            let Some(place) = walk.places.iter_mut().find(|place| place.cursor.is_some()) else { break };
            let identity = place.identity;
            let database = self.databases.iter().find(|other| other.identity == identity);
            place.cursor = database.and_then(|database| {
                let captured = &mut walk.captured;
                let db = place.db;
                database.table().walk(place.cursor.unwrap_or(0), |_, entry| {
                    if entry.generation != generation {
                        capture(db, entry, captured);
                    }
                    left = left.saturating_sub(1);
                    if captured.len() < bytes && left > 0 { Continue(()) } else { Break(()) }
                })
            });
        }
        out.append(&mut walk.captured);
        let more = walk.places.iter().any(|place| place.cursor.is_some());
        if more {
            self.walk = Some(walk);
        }
        Ok(more)
    }

    /// Give up a walk.
    pub fn end_walk(&mut self) {
        self.walk = None;
    }

    /// Bytes that a walk captured and nobody took yet.
    pub fn captured_bytes(&self) -> usize {
        self.walk.as_ref().map_or(0, |walk| walk.captured.len())
    }

    /// A walk can't go on without taking more memory than it may.
    fn overrun(&mut self) {
        self.overrun = self.walk.take().is_some();
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
            // Swapped databases are known by their identity; flushed ones go to `retire`.
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
        if walk.captured.len() > walk.captured_max {
            self.overrun();
            return;
        }
        // However large it is: a snapshot must not fail for ever because one value is huge and always changing.
        entry.generation = generation;
        capture(place.db, entry, &mut walk.captured);
    }

    /// A database was flushed. A walk that still needs it is over: to keep it would be to hold two data sets.
    pub(super) fn retire(&mut self, database: Database) {
        let needed = |walk: &Walk| {
            walk.places.iter().any(|place| place.identity == database.identity && place.cursor.is_some())
        };
        if !database.table().is_empty() && self.walk.as_ref().is_some_and(needed) {
            self.overrun();
        }
        if self.lazy || !self.authority {
            reclaim::later(database);
        }
    }

    /// A picture is to be put in whose databases had so many keys, `max` in all at most.
    pub fn expect(&mut self, keys: &[u64], max: usize) {
        for (database, keys) in self.databases.iter_mut().zip(keys) {
            database.expect(max.min(*keys as usize));
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
        let mut whole = 0;
        for seed in 0..60 {
            let (mut keyspace, mut state) = (Keyspace::new(3, Forms::seeded(seed)), seed + 1);
            (0..3_000).for_each(|_| change(&mut keyspace, &mut state));
            for _ in 0..2 {
                let before = contents(&keyspace);
                let mut picture = Vec::new();
                keyspace.begin_walk(usize::MAX);
                let ended = loop {
                    match keyspace.step_walk(300, &mut picture) {
                        Ok(true) => {
                            (0..random(&mut state) % 40).for_each(|_| change(&mut keyspace, &mut state));
                        }
                        ended => break ended,
                    }
                };
                match ended {
                    Ok(_) => {
                        assert_eq!(entries(&picture), before, "seed {seed}");
                        whole += 1;
                    }
                    // A database was flushed before all of it was captured.
                    Err(end) => assert_eq!(end, WalkEnd::Overrun, "seed {seed}"),
                }
            }
        }
        assert!(whole > 60, "{whole}");
    }

    #[test]
    fn what_waits_to_be_taken_is_bounded_and_no_two_data_sets_are_kept() {
        let (mut keyspace, mut state, mut picture) = (Keyspace::new(1, Forms::seeded(1)), 3, Vec::new());
        let fill = |keyspace: &mut Keyspace, state: &mut u64| {
            for number in 0..1_000 {
                let (key, value) = (format!("k{number}"), random(state).to_string());
                let (key, value) = (key.as_bytes(), value.as_bytes());
                keyspace.apply(&Effect::Set { db: 0, key, value, deadline: None });
            }
        };
        fill(&mut keyspace, &mut state);
        keyspace.begin_walk(2_000);
        assert_eq!(keyspace.step_walk(100, &mut picture), Ok(true));
        for number in 0..1_000 {
            let key = format!("k{number}");
            keyspace.apply(&Effect::Append { db: 0, key: key.as_bytes(), value: b"." });
            assert!(keyspace.captured_bytes() < 2_000 + 50);
        }
        assert_eq!(
            keyspace.step_walk(100, &mut picture),
            Err(WalkEnd::Overrun),
            "nobody took what was captured"
        );
        assert_eq!(keyspace.step_walk(100, &mut picture), Err(WalkEnd::Overrun));
        keyspace.begin_walk(usize::MAX);
        assert_eq!(keyspace.step_walk(100, &mut picture), Ok(true));
        keyspace.apply(&Effect::FlushDb { db: 0 });
        fill(&mut keyspace, &mut state);
        assert_eq!(keyspace.step_walk(100, &mut picture), Err(WalkEnd::Overrun), "the old data is not kept");
        let before = contents(&keyspace);
        keyspace.begin_walk(0);
        keyspace.apply(&Effect::Append { db: 0, key: b"k0", value: b"." });
        picture.clear();
        while keyspace.step_walk(100, &mut picture).unwrap() {}
        assert_eq!(entries(&picture), before, "the next one begins anew");
    }

    #[test]
    fn a_picture_restores_what_it_shows() {
        let (mut keyspace, mut state, mut picture) = (Keyspace::new(3, Forms::seeded(1)), 9, Vec::new());
        (0..3_000).for_each(|_| change(&mut keyspace, &mut state));
        keyspace.begin_walk(usize::MAX);
        while keyspace.step_walk(1_000, &mut picture).unwrap() {}
        let mut copy = Keyspace::new(3, Forms::seeded(2));
        entries(&picture).iter().for_each(|entry| copy.restore(entry).unwrap());
        assert_eq!(contents(&copy), contents(&keyspace));
        assert_eq!(copy.database(0).deadlines(), keyspace.database(0).deadlines());
    }
}

//! What there is in the end: the same on our engine, on a follower that replayed its records, on an engine recovered from
//! a snapshot and the records after it, and on the reference.

use botellier_server::keyspace::Keyspace;

use crate::agree::{Judge, numbers};
use crate::bout::Difference;
use crate::oracle::{Ours, Redis, Shape, Value, now, show};

/// Bytes that one step of a snapshot captures.
const STEP_BYTES: usize = 300;

/// A snapshot of our engine, taken while commands go on.
pub struct Picture {
    /// After how many turns it begins, as long as it has not.
    begins_in: Option<usize>,
    /// How many records there were when it began.
    records: usize,
    entries: Vec<u8>,
    whole: bool,
}

impl Picture {
    pub fn new(begins_in: usize) -> Self {
        // A turn is some commands.
        Self { begins_in: Some(begins_in / 6), records: 0, entries: Vec::new(), whole: false }
    }

    /// Capture a little more of it.
    pub fn go_on(&mut self, ours: &mut Ours) {
        match &mut self.begins_in {
            Some(0) => {
                self.begins_in = None;
                self.begin(ours);
            }
            Some(turns) => *turns -= 1,
            None => self.capture(ours),
        }
    }

    fn begin(&mut self, ours: &mut Ours) {
        self.entries.clear();
        self.records = ours.records.lock().len();
        ours.engine.keyspace.begin_walk(usize::MAX);
    }

    fn capture(&mut self, ours: &mut Ours) {
        if self.whole {
            return;
        }
        match ours.engine.keyspace.step_walk(STEP_BYTES, &mut self.entries) {
            Ok(more) => self.whole = !more,
            // What it needed was flushed.
            Err(_) => self.begin(ours),
        }
    }

    /// An engine with the picture and the records since.
    fn recovered(mut self, ours: &mut Ours, settings: &[(&str, &str)]) -> Ours {
        if self.begins_in.is_some() {
            return follower(ours, settings);
        }
        while !self.whole {
            self.capture(ours);
        }
        let mut recovered = alike(settings);
        let mut rest = self.entries.as_slice();
        while let Some((length, tail)) = rest.split_first_chunk::<4>() {
            let (entry, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
            recovered.engine.keyspace.restore(entry).expect("what was captured can be read");
            rest = tail;
        }
        recovered.replay(&ours.records.lock()[self.records..]);
        recovered
    }

    /// All of them hold the same.
    pub fn compare(
        &mut self,
        ours: &mut Ours,
        redis: &mut Redis,
        judge: Judge,
        settings: &[(&str, &str)],
    ) -> Result<(), Difference> {
        let picture = std::mem::replace(self, Self::new(0));
        let recovered = picture.recovered(ours, settings);
        let follower = follower(ours, settings);
        let mine = contents(&ours.engine.keyspace);
        for (name, mut other) in [("a follower", follower), ("a recovered engine", recovered)] {
            other.engine.keyspace.now = ours.engine.keyspace.now;
            let theirs = contents(&other.engine.keyspace);
            if mine != theirs || ours.engine.keyspace.digest() != other.engine.keyspace.digest() {
                return differ(&format!("the data on {name}"), &mine, &theirs);
            }
        }
        let digest = format!("+{}", ours.engine.keyspace.digest());
        if digest == show(&redis.ask(&["DEBUG", "DIGEST"])) {
            return deadlines(ours, redis);
        }
        let (mine, theirs) = (said(|words| ours.ask(words), judge), said(|words| redis.ask(words), judge));
        // Versions digest scores by other digits.
        if mine == theirs { deadlines(ours, redis) } else { differ("the data", &mine, &theirs) }
    }
}

/// An engine with the same settings: large forms keep the sign of zero, small ones do not.
fn alike(settings: &[(&str, &str)]) -> Ours {
    let mut ours = Ours::start();
    for (name, value) in settings {
        ours.ask(&["CONFIG", "SET", name, value]);
    }
    ours
}

/// An engine that has seen nothing but the records of another.
fn follower(ours: &Ours, settings: &[(&str, &str)]) -> Ours {
    let mut follower = alike(settings);
    follower.replay(&ours.records.lock());
    follower
}

fn differ(of: &str, ours: &[String], theirs: &[String]) -> Result<(), Difference> {
    let without = |these: &[String], those: &[String]| {
        these.iter().filter(|line| !those.contains(line)).cloned().collect::<Vec<_>>().join("; ")
    };
    Err(Difference { of: of.into(), ours: without(ours, theirs), theirs: without(theirs, ours) })
}

/// All keys with the digests of their values and their deadlines.
fn contents(keyspace: &Keyspace) -> Vec<String> {
    let mut lines = Vec::new();
    for (database, db) in keyspace.databases().iter().zip(0..) {
        for entry in database.table().iter() {
            let key = entry.key().escape_ascii();
            let digest = keyspace.digest_of(db, entry.key());
            lines.push(format!("db {db} {key} {digest} {:?}", entry.deadline()));
        }
    }
    lines.sort();
    lines
}

/// The keys of a database, in order.
fn keys(ask: &mut impl FnMut(&[&str]) -> Value, db: &str) -> Vec<String> {
    ask(&["SELECT", db]);
    let Value::Many(_, keys) = ask(&["KEYS", "*"]) else { panic!("KEYS") };
    let key = |key| match key {
        Value::Bulk(key) => String::from_utf8(key).expect("keys are text here"),
        other => panic!("{other:?} is no key"),
    };
    let mut keys: Vec<String> = keys.into_iter().map(key).collect();
    keys.sort();
    keys
}

/// All keys of all databases with their values, as both sides can say them.
fn said(mut ask: impl FnMut(&[&str]) -> Value, judge: Judge) -> Vec<String> {
    let mut lines = Vec::new();
    for db in ["0", "1", "15"] {
        for key in keys(&mut ask, db) {
            let kind = show(&ask(&["TYPE", &key]));
            let value = match kind.as_str() {
                "+list" => ask(&["LRANGE", &key, "0", "-1"]),
                "+hash" => shaped(Shape::Map, ask(&["HGETALL", &key])),
                "+zset" => ask(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]),
                "+stream" => ask(&["XRANGE", &key, "-", "+"]),
                "+set" => shaped(Shape::Set, ask(&["SMEMBERS", &key])),
                _ => ask(&["GET", &key]),
            };
            let value = show(&value);
            let value = if judge.old && kind == "+zset" { numbers(&[value]).join(" ") } else { value };
            lines.push(format!("db {db} {key} {kind} {value}"));
        }
    }
    ask(&["SELECT", "0"]);
    lines
}

fn shaped(shape: Shape, value: Value) -> Value {
    match value {
        Value::Many(_, items) => Value::Many(shape, items),
        other => other,
    }
}

/// All keys end when they end on the other side.
fn deadlines(ours: &mut Ours, redis: &mut Redis) -> Result<(), Difference> {
    let all = |ask: &mut dyn FnMut(&[&str]) -> Value| {
        let mut lines = Vec::new();
        for db in ["0", "1", "15"] {
            for key in keys(&mut |words: &[&str]| ask(words), db) {
                let Value::Int(at) = ask(&["PEXPIRETIME", &key]) else { panic!("PEXPIRETIME") };
                // What ends just now may have ended on one side only.
                if at > now() as i64 + 1_000 {
                    lines.push((format!("db {db} {key}"), at));
                }
            }
        }
        ask(&["SELECT", "0"]);
        lines
    };
    let mine = all(&mut |words: &[&str]| ours.ask(words));
    let theirs = all(&mut |words: &[&str]| redis.ask(words));
    let near = |(a, b): (&(String, i64), &(String, i64))| a.0 == b.0 && (a.1 - b.1).abs() < 10_000;
    if mine.len() == theirs.len() && mine.iter().zip(&theirs).all(near) {
        return Ok(());
    }
    let lines =
        |these: &[(String, i64)]| these.iter().map(|(key, at)| format!("{key} {at}")).collect::<Vec<_>>();
    differ("the deadlines", &lines(&mine), &lines(&theirs))
}

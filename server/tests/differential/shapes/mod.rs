//! What commands are made of, a file for each group of them.
//!
//! A shape is a line: words of a kind (`key`, `value`, `int`, ... in lower case) are replaced by random ones of that kind,
//! `[x y]` may be left out, `x|y` is one of them, any other word stands for itself. Dots at the end let time pass after
//! the command, more than [`PAUSE_MS`](crate::bout::PAUSE_MS) at least, so that what has so short a time ends in it.

mod acl;
mod bitmap;
mod blocking;
mod common;
mod connection;
mod geo;
mod hash;
mod hyperloglog;
mod key;
mod list;
mod pubsub;
mod script;
mod set;
mod sorted_set;
mod stream;
mod string;
mod tracking;

use crate::random::Random;

pub use acl::USERS;

/// Commands that belong together, and the words that only they use.
#[derive(Clone)]
pub struct Group {
    pub name: &'static str,
    pub shapes: Vec<&'static str>,
    word: fn(&mut Random, &str) -> Option<String>,
}

impl Group {
    fn new(
        name: &'static str,
        shapes: &'static [&'static str],
        word: fn(&mut Random, &str) -> Option<String>,
    ) -> Self {
        Self { name, shapes: shapes.to_vec(), word }
    }

    /// Words of one of its commands, and whether time is to pass after it.
    pub fn command(&self, random: &mut Random) -> (Vec<String>, bool) {
        let mut shape = random.pick(&self.shapes);
        while shape.ends_with("...") && !random.one_in(4) {
            // Time is dear.
            shape = random.pick(&self.shapes);
        }
        let (mut words, mut left_out) = (Vec::new(), false);
        for part in shape.split(' ') {
            if part == "..." {
                return (words, true);
            }
            if part.starts_with('[') {
                left_out = random.one_in(2) || (part.starts_with("[junk") && !random.one_in(8));
            }
            let ends = part.ends_with(']');
            let part = part.trim_matches(['[', ']']);
            if !left_out {
                let alternatives: Vec<&str> = part.split('|').collect();
                let kind = random.pick(&alternatives);
                words.push(self.word(random, kind));
            }
            left_out &= !ends;
        }
        (words, false)
    }

    fn word(&self, random: &mut Random, kind: &str) -> String {
        let own = (self.word)(random, kind);
        own.or_else(|| common::word(random, kind)).unwrap_or_else(|| kind.into())
    }
}

/// Parts of shapes that leave something else behind if an older reference runs them.
const NOT_OF_OLD: &[&[&str]] = &[
    // It answers who waits for entries of a stream though they are gone again.
    &["XREAD", "BLOCK"],
    // It does not look at the id of the newest entry that was deleted.
    &["XSETID"],
    // It looks for the key, which may have expired, before it reads the arguments.
    &["BITCOUNT", "int"],
    &["BITPOS"],
    // It makes no consumer that has nothing to do.
    &["XAUTOCLAIM"],
    &["XCLAIM"],
    &["XINFO", "CONSUMERS"],
    &["XINFO", "FULL"],
    &["XGROUP", "DELCONSUMER"],
    // It takes cursors below zero, and looks for the key then.
    &["SSCAN", "int"],
    &["HSCAN", "int"],
    // In RESP3 the events of its own keys stand within its reply.
    &["BZMPOP"],
];

/// Groups of data, and those of what is done besides.
pub struct Table {
    pub data: Vec<Group>,
    pub besides: Vec<Group>,
}

impl Table {
    /// All shapes whose command the reference `knows`, which is asked for its name; `old` is whether it is older than the
    /// version that ours follows.
    pub fn known(mut knows: impl FnMut(&str) -> bool, old: bool) -> Self {
        let data = vec![
            string::group(),
            bitmap::group(),
            hyperloglog::group(),
            list::group(),
            hash::group(),
            set::group(),
            sorted_set::group(),
            geo::group(),
            stream::group(),
        ];
        let besides = vec![
            key::group(),
            blocking::group(),
            script::group(),
            pubsub::group(),
            acl::group(),
            connection::group(),
            tracking::group(),
        ];
        let mut table = Self { data, besides };
        for group in table.data.iter_mut().chain(&mut table.besides) {
            let of_old =
                |shape: &&str| NOT_OF_OLD.iter().any(|not| not.iter().all(|part| shape.contains(part)));
            group.shapes.retain(|shape| !(old && of_old(shape)));
            group.shapes.retain(|shape| knows(shape.split([' ', '|']).next().unwrap_or_default()));
        }
        table.data.retain(|group| !group.shapes.is_empty());
        table
    }
}

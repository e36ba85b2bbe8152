//! What `DEBUG DIGEST` tells of values: sums of SHA-1 that do not depend on how a value is kept, as Redis makes them.

use sha1_smol::Sha1;

use super::{Id, Pair, Value, float};

/// A sum: of things in any order (`add`), or one after the other (`mix`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest([u8; 20]);

impl Digest {
    pub fn add(&mut self, bytes: &[u8]) {
        let sum = Sha1::from(bytes).digest().bytes();
        self.0.iter_mut().zip(sum).for_each(|(byte, other)| *byte ^= other);
    }

    pub fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::from(self.0).digest().bytes();
    }

    pub fn add_digest(&mut self, digest: &Digest) {
        self.add(&digest.0);
    }

    /// A value, with whether its key expires.
    pub fn value(&mut self, value: &Value, expires: bool) {
        let mut scratch = itoa::Buffer::new();
        match value {
            Value::String(string) => {
                self.mix(&0u32.to_be_bytes());
                self.mix(string.bytes(&mut scratch));
            }
            Value::List(list) => {
                self.mix(&1u32.to_be_bytes());
                list.iter().for_each(|item| self.mix(item));
            }
            Value::Set(set) => {
                self.mix(&2u32.to_be_bytes());
                set.iter().for_each(|member| self.add(member.bytes(&mut scratch)));
            }
            Value::SortedSet(set) => {
                self.mix(&3u32.to_be_bytes());
                for (member, score) in set.iter() {
                    let mut pair = Digest::default();
                    pair.mix(member);
                    pair.mix(float::exact(score).as_bytes());
                    self.add_digest(&pair);
                }
            }
            Value::Stream(stream) => {
                self.mix(&6u32.to_be_bytes());
                for entry in stream.range(Id::MIN, Id::MAX) {
                    self.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                    entry.items().for_each(|item| self.mix(&item.bytes()));
                }
            }
            Value::Hash(hash) => {
                self.mix(&4u32.to_be_bytes());
                for Pair { field, value, deadline } in hash.iter() {
                    let mut pair = Digest::default();
                    pair.mix(field);
                    pair.mix(value);
                    if deadline.is_some() {
                        pair.add(b"!!hexpire!!");
                    }
                    self.add_digest(&pair);
                }
            }
        }
        if expires {
            self.add(b"!!expire!!");
        }
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

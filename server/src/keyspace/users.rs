//! The users that the log made, as texts of rules: beside the databases, and no part of them.
//!
//! Contract: users change by effects only, are part of every snapshot, and no flush touches them. What a text means is
//! the matter of those who read it; here it is bytes.

use std::collections::BTreeMap;

use crate::value::rdb::{self, RdbError};

/// Users by name.
#[derive(Debug, Default)]
pub struct UserTexts {
    all: BTreeMap<Vec<u8>, Vec<u8>>,
    version: u64,
}

impl UserTexts {
    /// No change was ever made: every node has the users of its own configuration.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Another number after each change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Names and rules.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.all.iter().map(|(name, rules)| (name.as_slice(), rules.as_slice()))
    }

    /// A user has these rules now, or is gone.
    pub(super) fn change(&mut self, name: &[u8], rules: Option<&[u8]>) {
        self.version += 1;
        match rules {
            Some(rules) => drop(self.all.insert(name.to_vec(), rules.to_vec())),
            None => drop(self.all.remove(name)),
        }
    }

    /// Entries of a snapshot, one for each user: name and rules as RDB strings.
    pub fn entries(&self) -> Vec<Vec<u8>> {
        let entry = |(name, rules): (&[u8], &[u8])| {
            let mut entry = Vec::with_capacity(name.len() + rules.len() + 10);
            rdb::encode_string(name, &mut entry);
            rdb::encode_string(rules, &mut entry);
            entry
        };
        self.iter().map(entry).collect()
    }

    /// Put an entry of a snapshot in.
    pub fn restore(&mut self, entry: &[u8]) -> Result<(), RdbError> {
        let mut input = entry;
        let name = rdb::decode_string(&mut input)?;
        let rules = rdb::decode_string(&mut input)?;
        self.change(name, Some(rules));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Effect, Keyspace};
    use crate::value::Forms;

    #[test]
    fn users_outlive_a_flush_and_come_back_from_a_snapshot() {
        let mut keyspace = Keyspace::new(2, Forms::seeded(1));
        keyspace.change(&Effect::User { name: b"ann", rules: Some(b"on nopass ~* +@all") });
        keyspace.change(&Effect::User { name: b"bob", rules: Some(b"off") });
        keyspace.change(&Effect::User { name: b"bob", rules: None });
        keyspace.change(&Effect::FlushAll);
        let mut copy = Keyspace::new(2, Forms::seeded(2));
        for entry in keyspace.users.entries() {
            copy.users.restore(&entry).unwrap();
        }
        let users: Vec<_> = copy.users.iter().collect();
        assert_eq!(users, [(b"ann".as_slice(), b"on nopass ~* +@all".as_slice())]);
        let mut follower = Keyspace::new(2, Forms::seeded(3));
        follower.replay(1, keyspace.record()).unwrap();
        assert_eq!(follower.users.iter().collect::<Vec<_>>(), users);
    }
}

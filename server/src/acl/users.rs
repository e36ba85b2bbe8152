//! All users, and the files that list them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Catalog, User, split_rules};

/// The users, by name. There always is a `default`.
#[derive(Debug, Clone)]
pub struct Users {
    all: BTreeMap<Vec<u8>, Arc<User>>,
    default: Arc<User>,
}

impl Users {
    pub fn new(default: User) -> Self {
        let default = Arc::new(default);
        Self { all: BTreeMap::from([(b"default".to_vec(), default.clone())]), default }
    }

    /// Who a new connection is.
    pub fn default_user(&self) -> &Arc<User> {
        &self.default
    }

    pub fn get(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.all.get(name)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<User>> {
        self.all.values()
    }

    /// Take over a user as it is.
    pub fn keep(&mut self, user: &Arc<User>) {
        if user.name == b"default" {
            self.default = user.clone();
        }
        self.all.insert(user.name.clone(), user.clone());
    }

    pub fn set(&mut self, user: User) {
        self.keep(&Arc::new(user));
    }

    /// The users of an ACL file: a line `user NAME RULE...` each, empty lines between. All errors are told, each with
    /// its place; `default` is the one in case that the file has none.
    pub fn of_file(
        catalog: &Catalog,
        path: &str,
        text: &[u8],
        default: User,
        all_channels: bool,
    ) -> Result<Self, String> {
        let (mut users, mut errors) = (Self::new(default), String::new());
        let mut named: Vec<&[u8]> = Vec::new();
        for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
            let [b"user", name, rules @ ..] = words.as_slice() else {
                let _ = write!(
                    errors,
                    "{path}:{number} should start with user keyword followed by the username. "
                );
                continue;
            };
            let shown = String::from_utf8_lossy(name);
            if has_blanks(name) {
                let _ = write!(errors, "'{path}:{number}: username '{shown}' contains invalid characters. ");
                continue;
            }
            if named.contains(name) {
                let _ = write!(errors, "WARNING: Duplicate user '{shown}' found on line {number}. ");
                continue;
            }
            named.push(name);
            match of_words(catalog, User::new(name, all_channels), rules, all_channels) {
                Ok(user) => users.set(user),
                Err(reasons) => {
                    for reason in reasons {
                        let _ = write!(errors, "{path}:{number}: {reason}. ");
                    }
                }
            }
        }
        if errors.is_empty() {
            return Ok(users);
        }
        errors += "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
        Err(errors)
    }

    /// The users of `user` lines of a configuration, names first; `default` is who it is before its line.
    pub fn of_lines(
        catalog: &Catalog,
        lines: &[Vec<String>],
        default: User,
        all_channels: bool,
    ) -> Result<Self, String> {
        let mut users = Self::new(default);
        let mut named: Vec<&str> = Vec::new();
        for line in lines {
            let Some((name, rules)) = line.split_first() else { continue };
            let place = |reason: &str| format!("in the line of user '{name}': {reason}");
            if has_blanks(name.as_bytes()) {
                return Err(place("Usernames can't contain spaces or null characters"));
            }
            if named.contains(&name.as_str()) {
                return Err(place("Duplicate user found. A user can only be defined once in config files"));
            }
            named.push(name);
            let rules: Vec<&[u8]> = rules.iter().map(String::as_bytes).collect();
            let user = of_words(catalog, User::new(name.as_bytes(), all_channels), &rules, all_channels);
            users.set(user.map_err(|reasons| place(&reasons.join(". ")))?);
        }
        Ok(users)
    }

    /// The users as lines of a file.
    pub fn to_file(&self) -> Vec<u8> {
        self.iter()
            .flat_map(|user| [b"user ", user.name.as_slice(), b" ", &user.describe(), b"\n"].concat())
            .collect()
    }
}

fn of_words(
    catalog: &Catalog,
    mut user: User,
    words: &[&[u8]],
    all_channels: bool,
) -> Result<User, Vec<String>> {
    let rules =
        split_rules(words).map_err(|_| vec!["Unmatched parenthesis in selector definition".to_owned()])?;
    let mut errors = Vec::new();
    for rule in rules {
        if let Err(error) = user.apply(catalog, rule.trim_ascii(), all_channels) {
            errors.push(error.to_string());
        }
    }
    if errors.is_empty() { Ok(user) } else { Err(errors) }
}

/// Whether a name or pattern has what would split it in a file.
pub fn has_blanks(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, 0 | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c))
}

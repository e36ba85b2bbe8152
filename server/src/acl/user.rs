//! A user: a name, passwords, and selectors, the first of which is the root that plain rules are for.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use sha2::{Digest as _, Sha256};

use super::{Catalog, Denied, Question, RuleError, Selector};
use crate::config::split_args;

/// SHA-256 as 64 digits.
type Hash = [u8; 64];

#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // independent facts, as rules switch them
pub struct User {
    pub name: Vec<u8>,
    pub enabled: bool,
    /// Any password will do.
    pub no_password: bool,
    /// Values that it restores need no deep check. They are always checked here; the word is kept.
    skip_sanitize: bool,
    passwords: Vec<Hash>,
    selectors: Vec<Selector>,
    powerful: bool,
}

impl User {
    /// A user who can do nothing and is off; `all_channels` is what `acl-pubsub-default` says.
    pub fn new(name: &[u8], all_channels: bool) -> Self {
        Self {
            name: name.to_vec(),
            enabled: false,
            no_password: false,
            skip_sanitize: false,
            passwords: Vec::new(),
            selectors: vec![Selector::new(all_channels)],
            powerful: false,
        }
    }

    /// The user `default` as it is when nothing else was said: on, without a password, may do everything.
    pub fn default_user(catalog: &Catalog) -> Self {
        let mut user = Self::new(b"default", true);
        for rule in ["on", "nopass", "~*", "+@all"] {
            // These can't fail: none of them names a command.
            let _ = user.apply(catalog, rule.as_bytes(), true);
        }
        user
    }

    /// Who a connection is before it is told: may do everything.
    pub fn anybody() -> Arc<Self> {
        static ANYBODY: LazyLock<Arc<User>> =
            LazyLock::new(|| Arc::new(User::default_user(&Catalog::new([], []))));
        ANYBODY.clone()
    }

    /// Nothing needs to be checked.
    #[inline]
    pub fn is_powerful(&self) -> bool {
        self.powerful
    }

    /// The name, for people.
    pub fn shown(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }

    /// Apply one rule. After an error the user is to be thrown away.
    pub fn apply(&mut self, catalog: &Catalog, rule: &[u8], all_channels: bool) -> Result<(), RuleError> {
        let is = |text: &str| rule.eq_ignore_ascii_case(text.as_bytes());
        match rule {
            [] => {}
            _ if is("on") => self.enabled = true,
            _ if is("off") => self.enabled = false,
            _ if is("nopass") => {
                self.no_password = true;
                self.passwords.clear();
            }
            _ if is("resetpass") => {
                self.no_password = false;
                self.passwords.clear();
            }
            _ if is("skip-sanitize-payload") => self.skip_sanitize = true,
            _ if is("sanitize-payload") => self.skip_sanitize = false,
            _ if is("clearselectors") => self.selectors.truncate(1),
            _ if is("reset") => *self = Self::new(&self.name, all_channels),
            [b'>', password @ ..] => self.add(hash(password)),
            [b'#', text @ ..] => self.add(parse_hash(text)?),
            [b'<', password @ ..] => self.remove(hash(password))?,
            [b'!', text @ ..] => self.remove(parse_hash(text)?)?,
            [b'(', rules @ .., b')'] => {
                let mut selector = Selector::new(all_channels);
                for rule in split_args(rules).map_err(|_| RuleError::Syntax)? {
                    selector.apply(catalog, &rule)?;
                }
                self.selectors.push(selector);
            }
            _ => self.selectors[0].apply(catalog, rule)?,
        }
        self.powerful = self.selectors.iter().any(Selector::is_powerful);
        Ok(())
    }

    /// The user that a text of rules makes. What this version does not know of it is passed over: the log may be of
    /// another version, in which there are other commands.
    pub fn of_text(catalog: &Catalog, name: &[u8], text: &[u8]) -> Self {
        let mut user = Self::new(name, false);
        let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
        let rules = split_rules(&words).unwrap_or_else(|_| words.iter().map(|word| word.to_vec()).collect());
        for rule in rules {
            let mut next = user.clone();
            if next.apply(catalog, &rule, false).is_ok() {
                user = next;
            }
        }
        user
    }

    fn add(&mut self, hash: Hash) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.no_password = false;
    }

    fn remove(&mut self, hash: Hash) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|known| *known == hash).ok_or(RuleError::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }

    /// Whether it is one of the user's passwords. Only hashes are compared, so time tells nothing of use.
    pub fn has_password(&self, password: &[u8]) -> bool {
        let given = hash(password);
        self.passwords.contains(&given)
    }

    pub fn passwords(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.passwords.iter().map(<[u8; 64]>::as_slice)
    }

    pub fn root(&self) -> &Selector {
        &self.selectors[0]
    }

    /// The selectors beside the root.
    pub fn others(&self) -> &[Selector] {
        &self.selectors[1..]
    }

    /// The words for what is switched on and off.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        let known = [
            (if self.enabled { "on" } else { "off" }, true),
            ("nopass", self.no_password),
            (if self.skip_sanitize { "skip-sanitize-payload" } else { "sanitize-payload" }, true),
        ];
        known.into_iter().filter(|(_, set)| *set).map(|(word, _)| word)
    }

    /// May the user run this?
    pub fn ask(&self, question: &Question<'_>) -> Result<(), Denied> {
        if self.powerful {
            return Ok(());
        }
        let mut worst = Denied::Command;
        for selector in &self.selectors {
            match selector.ask(question) {
                Ok(()) => return Ok(()),
                Err(denied) if denied.rank() > worst.rank() => worst = denied,
                Err(_) => {}
            }
        }
        Err(worst)
    }

    /// Whether the user may listen to a channel (or, `literally`, a pattern).
    pub fn allows_channel(&self, name: &[u8], literally: bool) -> bool {
        self.selectors.iter().any(|selector| selector.allows_channel(name, literally))
    }

    /// Whether it may listen to no channel at all.
    pub fn hears_nothing(&self) -> bool {
        self.selectors.iter().all(Selector::hears_nothing)
    }

    /// Whether what allows this allows to read every key too: for keys that no declaration finds.
    pub fn reads_every_key(&self, question: &Question<'_>) -> bool {
        self.powerful
            || self
                .selectors
                .iter()
                .any(|selector| selector.reads_every_key() && selector.ask(question).is_ok())
    }

    /// The rules as one text, from which the same user comes back.
    pub fn describe(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for flag in self.flags() {
            text.extend_from_slice(flag.as_bytes());
            text.push(b' ');
        }
        for hash in &self.passwords {
            text.push(b'#');
            text.extend_from_slice(hash);
            text.push(b' ');
        }
        self.root().describe(&mut text);
        for selector in self.others() {
            text.extend_from_slice(b" (");
            selector.describe(&mut text);
            text.push(b')');
        }
        text
    }
}

/// Words of rules; those from one that opens a parenthesis to one that closes it are one rule. If it is never closed,
/// the error is the word that opened it.
pub fn split_rules<'a>(words: &[&'a [u8]]) -> Result<Vec<Vec<u8>>, &'a [u8]> {
    let mut rules = Vec::with_capacity(words.len());
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for word in words {
        match open.take() {
            None if word.starts_with(b"(") && !word.ends_with(b")") => open = Some((word, word.to_vec())),
            None => rules.push(word.to_vec()),
            Some((first, mut rule)) => {
                rule.push(b' ');
                rule.extend_from_slice(word);
                if word.ends_with(b")") {
                    rules.push(rule);
                } else {
                    open = Some((first, rule));
                }
            }
        }
    }
    match open {
        Some((first, _)) => Err(first),
        None => Ok(rules),
    }
}

fn hash(password: &[u8]) -> Hash {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(password) {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    let mut hash = [0; 64];
    hash.copy_from_slice(text.as_bytes());
    hash
}

fn parse_hash(text: &[u8]) -> Result<Hash, RuleError> {
    let hash: Hash = text.try_into().map_err(|_| RuleError::BadHash)?;
    let fine = hash.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if fine { Ok(hash) } else { Err(RuleError::BadHash) }
}

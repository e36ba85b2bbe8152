//! A set of rules: commands, keys and channels that go together.

use std::collections::BTreeMap;

use super::{Catalog, Denied};
use crate::config::glob;

/// Why a rule is refused; the texts are Redis'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("Unknown command or category name in ACL")]
    Unknown,
    #[error("Syntax error")]
    Syntax,
    #[error(
        "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try \
         'resetkeys' to start with an empty list of patterns"
    )]
    AfterAllKeys,
    #[error(
        "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try \
         'resetchannels' to start with an empty list of channels"
    )]
    AfterAllChannels,
    #[error("The password you are trying to remove from the user does not exist")]
    NoSuchPassword,
    #[error(
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
    )]
    BadHash,
    #[error("Allowing first-arg of a subcommand is not supported")]
    FirstArgOfSubcommand,
}

/// What a command does with a key, as far as rights go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    pub read: bool,
    pub write: bool,
}

impl KeyUse {
    const ALL: KeyUse = KeyUse { read: true, write: true };

    fn covers(self, asked: KeyUse) -> bool {
        (self.read || !asked.read) && (self.write || !asked.write)
    }
}

/// May this command with these keys and channels be run?
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub command: usize,
    /// Everybody may run it (`AUTH`, `HELLO`, ...); its keys and channels are looked at all the same.
    pub exempt: bool,
    /// The first word after the command's name.
    pub first: Option<&'a [u8]>,
    /// Keys, and where they stand.
    pub keys: &'a [(usize, &'a [u8], KeyUse)],
    /// Channels, and where they stand; as patterns they are compared to the letter.
    pub channels: &'a [(usize, &'a [u8])],
    pub patterns: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyPattern {
    pattern: Vec<u8>,
    may: KeyUse,
}

/// The rules of one set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)] // independent facts, as rules switch them
pub struct Selector {
    /// The rules begin with `+@all`, and whether nothing was taken away since: then later versions' commands are
    /// allowed too.
    begins_with_all: bool,
    all_commands: bool,
    all_keys: bool,
    all_channels: bool,
    /// A bit for each command by its number.
    allowed: Vec<u64>,
    /// Commands that may be run with these words after their name only.
    first_words: BTreeMap<usize, Vec<String>>,
    /// What was said of commands since `+@all` or `-@all`, in order.
    rules: Vec<(bool, String)>,
    keys: Vec<KeyPattern>,
    channels: Vec<Vec<u8>>,
}

impl Selector {
    pub fn new(all_channels: bool) -> Self {
        Self { all_channels, ..Self::default() }
    }

    /// Everything is allowed, now and later.
    pub fn is_powerful(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels
    }

    /// Apply one rule.
    pub fn apply(&mut self, catalog: &Catalog, rule: &[u8]) -> Result<(), RuleError> {
        let is = |text: &str| rule.eq_ignore_ascii_case(text.as_bytes());
        match rule {
            _ if is("allkeys") || is("~*") => {
                self.all_keys = true;
                self.keys.clear();
            }
            _ if is("resetkeys") => {
                self.all_keys = false;
                self.keys.clear();
            }
            _ if is("allchannels") || is("&*") => {
                self.all_channels = true;
                self.channels.clear();
            }
            _ if is("resetchannels") => {
                self.all_channels = false;
                self.channels.clear();
            }
            _ if is("allcommands") || is("+@all") => self.every_command(catalog, true),
            _ if is("nocommands") || is("-@all") => self.every_command(catalog, false),
            [b'~', pattern @ ..] => self.key(pattern, KeyUse::ALL)?,
            [b'%', ..] if self.all_keys => return Err(RuleError::AfterAllKeys),
            [b'%', rest @ ..] => {
                let (may, pattern) = permission(rest)?;
                self.key(pattern, may)?;
            }
            [b'&', pattern @ ..] => self.channel(pattern)?,
            [sign @ (b'+' | b'-'), b'@', category @ ..] => {
                self.category(catalog, category, *sign == b'+')?;
            }
            [b'+', command @ ..] if command.contains(&b'|') => self.allow_part(catalog, command)?,
            [sign @ (b'+' | b'-'), command @ ..] => {
                let command = catalog.find(command).ok_or(RuleError::Unknown)?;
                self.set(catalog, command, *sign == b'+');
                self.say(catalog.name(command), *sign == b'+');
            }
            _ => return Err(RuleError::Syntax),
        }
        Ok(())
    }

    fn every_command(&mut self, catalog: &Catalog, allow: bool) {
        self.begins_with_all = allow;
        self.all_commands = allow;
        self.allowed = vec![u64::MAX; if allow { catalog.len().div_ceil(64) } else { 0 }];
        self.rules.clear();
        self.first_words.clear();
    }

    fn key(&mut self, pattern: &[u8], may: KeyUse) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AfterAllKeys);
        }
        if super::has_blanks(pattern) {
            return Err(RuleError::Syntax);
        }
        match self.keys.iter_mut().find(|known| known.pattern == pattern) {
            Some(known) => {
                known.may.read |= may.read;
                known.may.write |= may.write;
            }
            None => self.keys.push(KeyPattern { pattern: pattern.to_vec(), may }),
        }
        Ok(())
    }

    fn channel(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::AfterAllChannels);
        }
        if super::has_blanks(pattern) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| known == pattern) {
            self.channels.push(pattern.to_vec());
        }
        Ok(())
    }

    fn category(&mut self, catalog: &Catalog, name: &[u8], allow: bool) -> Result<(), RuleError> {
        let bit = catalog.category(name).ok_or(RuleError::Unknown)?;
        for command in catalog.of_category(bit) {
            self.set(catalog, command, allow);
        }
        self.say(&format!("@{}", String::from_utf8_lossy(name)), allow);
        Ok(())
    }

    /// `+command|subcommand`, or `+command|word`: with this word after its name only.
    fn allow_part(&mut self, catalog: &Catalog, text: &[u8]) -> Result<(), RuleError> {
        let at = text.iter().rposition(|byte| *byte == b'|').ok_or(RuleError::Syntax)?;
        let command = catalog.find(&text[..at]).ok_or(RuleError::Unknown)?;
        if catalog.is_subcommand(command) {
            return Err(RuleError::FirstArgOfSubcommand);
        }
        let word = &text[at + 1..];
        if word.is_empty() {
            return Err(RuleError::Syntax);
        }
        if catalog.subcommands(command).is_empty() {
            let word = String::from_utf8_lossy(word).to_ascii_lowercase();
            let words = self.first_words.entry(command).or_default();
            if !words.contains(&word) {
                words.push(word);
            }
        } else {
            let sub = catalog.find(text).ok_or(RuleError::Unknown)?;
            self.set(catalog, sub, true);
        }
        self.say(&String::from_utf8_lossy(text), true);
        Ok(())
    }

    /// Allow or forbid a command with its subcommands.
    fn set(&mut self, catalog: &Catalog, command: usize, allow: bool) {
        self.bit(command, allow);
        self.first_words.remove(&command);
        for sub in catalog.subcommands(command) {
            self.bit(*sub, allow);
        }
    }

    fn bit(&mut self, command: usize, allow: bool) {
        if self.allowed.len() <= command / 64 {
            self.allowed.resize(command / 64 + 1, 0);
        }
        if allow {
            self.allowed[command / 64] |= 1 << (command % 64);
        } else {
            self.allowed[command / 64] &= !(1 << (command % 64));
            self.all_commands = false;
        }
    }

    /// Remember what was said of a command or category; it takes the place of what was said of it, or of a part of it,
    /// before.
    fn say(&mut self, name: &str, allow: bool) {
        let name = name.to_ascii_lowercase();
        self.rules.retain(|(_, old)| {
            let part = old.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with('|'));
            !part
        });
        self.rules.push((allow, name));
    }

    pub fn ask(&self, question: &Question<'_>) -> Result<(), Denied> {
        if !self.all_commands && !question.exempt && !self.allows(question) {
            return Err(Denied::Command);
        }
        if !self.all_keys {
            let denied = question.keys.iter().find(|(_, key, used)| !self.allows_key(key, *used));
            if let Some((at, ..)) = denied {
                return Err(Denied::Key(*at));
            }
        }
        if !self.all_channels {
            let denied =
                question.channels.iter().find(|(_, name)| !self.allows_channel(name, question.patterns));
            if let Some((at, _)) = denied {
                return Err(Denied::Channel(*at));
            }
        }
        Ok(())
    }

    fn allows(&self, question: &Question<'_>) -> bool {
        let command = question.command;
        let bit = self.allowed.get(command / 64).is_some_and(|word| word & (1 << (command % 64)) != 0);
        let same =
            |word: &String| question.first.is_some_and(|first| first.eq_ignore_ascii_case(word.as_bytes()));
        bit || self.first_words.get(&command).is_some_and(|words| words.iter().any(same))
    }

    fn allows_key(&self, key: &[u8], used: KeyUse) -> bool {
        self.keys.iter().any(|known| known.may.covers(used) && glob::matches(&known.pattern, key, false))
    }

    /// `literally`: the name is a pattern itself.
    pub fn allows_channel(&self, name: &[u8], literally: bool) -> bool {
        let fits =
            |known: &Vec<u8>| if literally { known == name } else { glob::matches(known, name, false) };
        self.all_channels || self.channels.iter().any(fits)
    }

    /// Every key may be read: for commands that reach keys which no declaration finds.
    pub fn reads_every_key(&self) -> bool {
        self.all_keys || self.keys.iter().any(|known| known.may.read && known.pattern == b"*")
    }

    /// The rules about commands.
    pub fn commands_text(&self) -> String {
        let mut text = String::from(if self.begins_with_all { "+@all" } else { "-@all" });
        for (allow, name) in &self.rules {
            text.push_str(if *allow { " +" } else { " -" });
            text.push_str(name);
        }
        text
    }

    /// The rules about keys, a word each.
    pub fn keys_text(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let words = self.keys.iter().map(|known| {
            let sign = match known.may {
                KeyUse { write: false, .. } => "%R~",
                KeyUse { read: false, .. } => "%W~",
                KeyUse { .. } => "~",
            };
            [sign.as_bytes(), &known.pattern].concat()
        });
        words.collect::<Vec<_>>().join(&b' ')
    }

    pub fn hears_nothing(&self) -> bool {
        !self.all_channels && self.channels.is_empty()
    }

    /// The rules about channels, a word each.
    pub fn channels_text(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let words = self.channels.iter().map(|known| [b"&".as_slice(), known].concat());
        words.collect::<Vec<_>>().join(&b' ')
    }

    /// The rules, as they make the same selector from an empty one.
    pub fn describe(&self, out: &mut Vec<u8>) {
        let (keys, channels) = (self.keys_text(), self.channels_text());
        out.extend_from_slice(&keys);
        if !keys.is_empty() {
            out.push(b' ');
        }
        if !self.all_channels {
            out.extend_from_slice(b"resetchannels ");
        }
        out.extend_from_slice(&channels);
        if !channels.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(self.commands_text().as_bytes());
    }
}

/// What follows the `%`: letters, then `~` and the pattern.
fn permission(text: &[u8]) -> Result<(KeyUse, &[u8]), RuleError> {
    let mut may = KeyUse { read: false, write: false };
    for (at, byte) in text.iter().enumerate() {
        match byte.to_ascii_uppercase() {
            b'R' if !may.read => may.read = true,
            b'W' if !may.write => may.write = true,
            b'~' if may.read || may.write => return Ok((may, &text[at + 1..])),
            _ => return Err(RuleError::Syntax),
        }
    }
    // Without `~` the pattern is empty, as in Redis.
    if may.read || may.write { Ok((may, &[])) } else { Err(RuleError::Syntax) }
}

//! The kinds of values: how words become a value and a value becomes words again, in Redis' syntax and error texts.
//!
//! Contract: `read` refuses with the very text Redis answers; `show` is what CONFIG GET prints; `lines` is what
//! CONFIG REWRITE writes after the name, one entry a line.

use super::split::quote;
use super::values::{
    Allow, Channels, Durability, Fsync, LogLevel, OutputLimit, OutputLimits, SavePoint, ZooKeeper,
};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// One kind of value, for values of type `T`.
pub trait Kind<T> {
    /// Reads the words given after a name. `before` is the value so far; `again` says that this load of the
    /// configuration already named the setting, which lists such as `save` add to.
    fn read(&self, words: &[String], before: &T, again: bool) -> Result<T, String>;
    /// The value as CONFIG GET prints it.
    fn show(&self, value: &T) -> String;
    /// The value as lines of a file: normally one.
    fn lines(&self, value: &T) -> Vec<String> {
        vec![self.show(value)]
    }
    /// The form of a value, for the documentation.
    fn form(&self) -> String;
}

fn one(words: &[String]) -> Result<&str, String> {
    match words {
        [word] => Ok(word),
        _ => Err("wrong number of arguments".into()),
    }
}

/// Words given one by one, or all in one argument, as CONFIG SET and quotes in a file do.
fn many(words: &[String]) -> Vec<&str> {
    match words {
        [all] => all.split(' ').collect(),
        _ => words.iter().map(String::as_str).collect(),
    }
}

/// A whole number between bounds.
pub struct Int(pub i64, pub i64);

impl<T: Copy + TryFrom<i64> + TryInto<i64>> Kind<T> for Int {
    fn read(&self, words: &[String], _: &T, _: bool) -> Result<T, String> {
        let number = integer(one(words)?).ok_or("argument couldn't be parsed into an integer")?;
        let between = || format!("argument must be between {} and {} inclusive", self.0, self.1);
        if number < self.0 || number > self.1 {
            return Err(between());
        }
        T::try_from(number).map_err(|_| between())
    }
    fn show(&self, value: &T) -> String {
        (*value).try_into().unwrap_or(i64::MAX).to_string()
    }
    fn form(&self) -> String {
        match self.1 {
            i64::MAX => format!("number from {}", self.0),
            _ => format!("{}..{}", self.0, self.1),
        }
    }
}

/// Redis' strict form of an integer: no plus, no leading zero, no blanks.
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !(digits.is_empty() || digits.starts_with('0'));
    if plain && canonical { text.parse().ok() } else { None }
}

/// An amount of memory between bounds, with an optional unit.
pub struct Memory(pub u64, pub u64);

impl Kind<u64> for Memory {
    fn read(&self, words: &[String], _: &u64, _: bool) -> Result<u64, String> {
        let bytes = memory(one(words)?).ok_or("argument must be a memory value")?;
        if bytes < self.0 || bytes > self.1 {
            return Err(format!("argument must be between {} and {} inclusive", self.0, self.1));
        }
        Ok(bytes)
    }
    fn show(&self, value: &u64) -> String {
        value.to_string()
    }
    fn lines(&self, value: &u64) -> Vec<String> {
        vec![memory_text(*value)]
    }
    fn form(&self) -> String {
        format!("memory from {}", memory_text(self.0))
    }
}

/// Reads `10`, `10b`, `10k` (thousand), `10kb` (1024) and so on to `g`, `gb`. An amount too large is the largest.
pub fn memory(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    let number: u64 = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
    Some(number.saturating_mul(factor))
}

fn memory_text(bytes: u64) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        if bytes != 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// `yes` or `no`.
pub struct YesNo;

impl Kind<bool> for YesNo {
    fn read(&self, words: &[String], _: &bool, _: bool) -> Result<bool, String> {
        match one(words)? {
            word if word.eq_ignore_ascii_case("yes") => Ok(true),
            word if word.eq_ignore_ascii_case("no") => Ok(false),
            _ => Err("argument must be 'yes' or 'no'".into()),
        }
    }
    fn show(&self, value: &bool) -> String {
        if *value { "yes" } else { "no" }.into()
    }
    fn form(&self) -> String {
        "yes / no".into()
    }
}

/// A value out of a short list of names.
pub trait Named: Copy + PartialEq + 'static {
    const NAMES: &'static [(&'static str, Self)];
}

impl Named for Fsync {
    const NAMES: &'static [(&'static str, Self)] =
        &[("everysec", Fsync::EverySec), ("always", Fsync::Always), ("no", Fsync::No)];
}

impl Named for LogLevel {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("debug", LogLevel::Debug),
        ("verbose", LogLevel::Verbose),
        ("notice", LogLevel::Notice),
        ("warning", LogLevel::Warning),
    ];
}

impl Named for Durability {
    const NAMES: &'static [(&'static str, Self)] =
        &[("required", Durability::Required), ("preferred", Durability::Preferred)];
}

impl Named for Allow {
    const NAMES: &'static [(&'static str, Self)] =
        &[("no", Allow::No), ("yes", Allow::Yes), ("local", Allow::Local)];
}

impl Named for Channels {
    const NAMES: &'static [(&'static str, Self)] =
        &[("allchannels", Channels::All), ("resetchannels", Channels::None)];
}

pub struct Choice;

fn names<T: Named>(separator: &str) -> String {
    T::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(separator)
}

impl<T: Named> Kind<T> for Choice {
    fn read(&self, words: &[String], _: &T, _: bool) -> Result<T, String> {
        let word = one(words)?;
        let named = T::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        named
            .map(|(_, value)| *value)
            .ok_or_else(|| format!("argument(s) must be one of the following: {}", names::<T>(", ")))
    }
    fn show(&self, value: &T) -> String {
        let named = T::NAMES.iter().find(|(_, named)| named == value);
        named.map_or_else(String::new, |(name, _)| (*name).into())
    }
    fn form(&self) -> String {
        names::<T>(" / ")
    }
}

/// Any text; the empty text means that it is not set.
pub struct Text(pub &'static str);

impl Kind<String> for Text {
    fn read(&self, words: &[String], _: &String, _: bool) -> Result<String, String> {
        one(words).map(str::to_owned)
    }
    fn show(&self, value: &String) -> String {
        value.clone()
    }
    fn lines(&self, value: &String) -> Vec<String> {
        vec![quote(value.as_bytes())]
    }
    fn form(&self) -> String {
        self.0.into()
    }
}

impl Kind<Option<String>> for Text {
    fn read(&self, words: &[String], _: &Option<String>, _: bool) -> Result<Option<String>, String> {
        Ok(Some(one(words)?.to_owned()).filter(|word| !word.is_empty()))
    }
    fn show(&self, value: &Option<String>) -> String {
        value.clone().unwrap_or_default()
    }
    fn lines(&self, value: &Option<String>) -> Vec<String> {
        vec![quote(value.as_deref().unwrap_or_default().as_bytes())]
    }
    fn form(&self) -> String {
        self.0.into()
    }
}

/// A name of a node: it becomes a name in ZooKeeper, so it is short and plain.
pub struct NodeId;

impl Kind<Option<String>> for NodeId {
    fn read(&self, words: &[String], _: &Option<String>, _: bool) -> Result<Option<String>, String> {
        let word = one(words)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if word.len() > 253 || word.starts_with('.') || !word.bytes().all(plain) {
            return Err("argument must be letters, digits, '-', '_' and '.', not starting with '.'".into());
        }
        Ok(Some(word.to_owned()).filter(|word| !word.is_empty()))
    }
    fn show(&self, value: &Option<String>) -> String {
        value.clone().unwrap_or_default()
    }
    fn lines(&self, value: &Option<String>) -> Vec<String> {
        vec![quote(value.as_deref().unwrap_or_default().as_bytes())]
    }
    fn form(&self) -> String {
        "name".into()
    }
}

/// A path of a file, or nothing.
pub struct FilePath;

impl Kind<Option<PathBuf>> for FilePath {
    fn read(&self, words: &[String], _: &Option<PathBuf>, _: bool) -> Result<Option<PathBuf>, String> {
        let word = one(words)?;
        if word.is_empty() { Ok(None) } else { absolute(word).map(Some) }
    }
    fn show(&self, value: &Option<PathBuf>) -> String {
        value.as_deref().map(shown).unwrap_or_default()
    }
    fn lines(&self, value: &Option<PathBuf>) -> Vec<String> {
        vec![quote(self.show(value).as_bytes())]
    }
    fn form(&self) -> String {
        "path".into()
    }
}

/// The path of a directory, made absolute when it is read.
pub struct Directory;

impl Kind<PathBuf> for Directory {
    fn read(&self, words: &[String], _: &PathBuf, _: bool) -> Result<PathBuf, String> {
        absolute(one(words)?)
    }
    fn show(&self, value: &PathBuf) -> String {
        shown(value)
    }
    fn lines(&self, value: &PathBuf) -> Vec<String> {
        vec![quote(self.show(value).as_bytes())]
    }
    fn form(&self) -> String {
        "path".into()
    }
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    // Taking the components apart and together again drops a trailing "./".
    let absolute = std::path::absolute(path).map_err(|error| error.to_string())?;
    Ok(absolute.components().collect())
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Addresses to listen on.
pub struct Addresses;

impl Kind<Vec<String>> for Addresses {
    fn read(&self, words: &[String], _: &Vec<String>, _: bool) -> Result<Vec<String>, String> {
        let addresses: Vec<String> =
            many(words).into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect();
        match addresses.len() {
            // Redis would close its listener; a server that nobody can reach is no use here.
            0 => Err("wrong number of arguments".into()),
            1..=16 => Ok(addresses),
            _ => Err("Too many bind addresses specified.".into()),
        }
    }
    fn show(&self, value: &Vec<String>) -> String {
        value.join(" ")
    }
    fn form(&self) -> String {
        "address ...".into()
    }
}

/// `save`'s points.
pub struct SavePoints;

impl Kind<Vec<SavePoint>> for SavePoints {
    fn read(&self, words: &[String], before: &Vec<SavePoint>, again: bool) -> Result<Vec<SavePoint>, String> {
        if matches!(words, [none] if none.is_empty()) {
            return Ok(Vec::new());
        }
        let words = many(words);
        let invalid = "Invalid save parameters";
        if !words.len().is_multiple_of(2) || words.is_empty() {
            return Err(invalid.into());
        }
        let mut points = if again { before.clone() } else { Vec::new() };
        for pair in words.chunks(2) {
            let seconds = pair[0].parse().ok().filter(|seconds| *seconds >= 1).ok_or(invalid)?;
            let changes = pair[1].parse().map_err(|_| invalid)?;
            points.push(SavePoint { seconds, changes });
        }
        Ok(points)
    }
    fn show(&self, value: &Vec<SavePoint>) -> String {
        joined(value.iter(), " ")
    }
    fn lines(&self, value: &Vec<SavePoint>) -> Vec<String> {
        match value.len() {
            0 => vec!["\"\"".into()],
            _ => value.iter().map(ToString::to_string).collect(),
        }
    }
    fn form(&self) -> String {
        "seconds changes ... / \"\"".into()
    }
}

fn joined<T: Display>(items: impl Iterator<Item = T>, separator: &str) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(separator)
}

/// Limits of the client classes; those not named keep theirs.
pub struct ClassLimits;

impl Kind<OutputLimits> for ClassLimits {
    fn read(&self, words: &[String], before: &OutputLimits, _: bool) -> Result<OutputLimits, String> {
        let words = many(words);
        if !words.len().is_multiple_of(4) || words.is_empty() {
            return Err("Wrong number of arguments in buffer limit configuration.".into());
        }
        let mut limits = *before;
        for class in words.chunks(4) {
            let limit = match class[0].to_ascii_lowercase().as_str() {
                "normal" => &mut limits.normal,
                "slave" | "replica" => &mut limits.replica,
                "pubsub" => &mut limits.pubsub,
                _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
            };
            let read = || {
                let soft_seconds = class[3].parse().ok()?;
                Some(OutputLimit { hard: memory(class[1])?, soft: memory(class[2])?, soft_seconds })
            };
            *limit =
                read().ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
        }
        Ok(limits)
    }
    fn show(&self, value: &OutputLimits) -> String {
        let line = |(class, limit): (&str, OutputLimit)| {
            format!("{class} {} {} {}", limit.hard, limit.soft, limit.soft_seconds)
        };
        joined(value.classes().into_iter().map(line), " ")
    }
    fn lines(&self, value: &OutputLimits) -> Vec<String> {
        let line = |(class, limit): (&str, OutputLimit)| {
            format!("{class} {} {} {}", memory_text(limit.hard), memory_text(limit.soft), limit.soft_seconds)
        };
        value.classes().into_iter().map(line).collect()
    }
    fn form(&self) -> String {
        "class hard soft seconds ...".into()
    }
}

/// ZooKeeper's connect string.
pub struct ConnectString;

impl Kind<Option<ZooKeeper>> for ConnectString {
    fn read(&self, words: &[String], _: &Option<ZooKeeper>, _: bool) -> Result<Option<ZooKeeper>, String> {
        match one(words)? {
            "" => Ok(None),
            word => ZooKeeper::parse(word).map(Some),
        }
    }
    fn show(&self, value: &Option<ZooKeeper>) -> String {
        value.as_ref().map(ToString::to_string).unwrap_or_default()
    }
    fn lines(&self, value: &Option<ZooKeeper>) -> Vec<String> {
        vec![quote(self.show(value).as_bytes())]
    }
    fn form(&self) -> String {
        "host:port,.../chroot".into()
    }
}

//! The first line of a script or library: `#!lua name=... flags=...`.

use crate::resp::Failure;

/// What a script or function said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)] // independent flags, as scripts declare them
pub struct Flags {
    pub no_writes: bool,
    pub allow_oom: bool,
    pub allow_stale: bool,
    pub no_cluster: bool,
    pub allow_cross_slot_keys: bool,
    /// A script without a first line of this kind: its commands are looked at one by one.
    pub compatible: bool,
}

impl Flags {
    pub const NAMES: [&'static str; 5] =
        ["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"];

    /// Set the flag of that name; false if there is none.
    pub fn set(&mut self, name: &[u8]) -> bool {
        let flag = match name {
            b"no-writes" => &mut self.no_writes,
            b"allow-oom" => &mut self.allow_oom,
            b"allow-stale" => &mut self.allow_stale,
            b"no-cluster" => &mut self.no_cluster,
            b"allow-cross-slot-keys" => &mut self.allow_cross_slot_keys,
            _ => return false,
        };
        *flag = true;
        true
    }

    /// The names of those that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let set =
            [self.no_writes, self.allow_oom, self.allow_stale, self.no_cluster, self.allow_cross_slot_keys];
        Self::NAMES.into_iter().zip(set).filter_map(|(name, set)| set.then_some(name))
    }
}

/// The flags of a script, and the code after its first line (with the line break, so that lines keep their numbers).
pub fn of_script(body: &[u8]) -> Result<(Flags, &[u8]), Failure> {
    if !body.starts_with(b"#!") {
        return Ok((Flags { compatible: true, ..Flags::default() }, body));
    }
    let Some(end) = memchr::memchr(b'\n', body) else {
        return Err(Failure::new("ERR Invalid script shebang"));
    };
    let (line, code) = body.split_at(end);
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let engine = words.next().unwrap_or_default();
    if engine != b"#!lua" {
        return Err(Failure::text(format!("ERR Unexpected engine in script shebang: {}", lossy(engine))));
    }
    let mut flags = Flags::default();
    for word in words {
        let Some(names) = word.strip_prefix(b"flags=") else {
            return Err(Failure::text(format!("ERR Unknown lua shebang option: {}", lossy(word))));
        };
        for name in names.split(|byte| *byte == b',').filter(|name| !name.is_empty()) {
            if !flags.set(name) {
                return Err(Failure::text(format!("ERR Unexpected flag in script shebang: {}", lossy(name))));
            }
        }
    }
    Ok((flags, code))
}

/// The name of a library, and its code.
pub fn of_library(body: &[u8]) -> Result<(&[u8], &[u8]), Failure> {
    if !body.starts_with(b"#!") {
        return Err(Failure::new("ERR Missing library metadata"));
    }
    let Some(end) = memchr::memchr(b'\n', body) else {
        return Err(Failure::new("ERR Invalid library metadata"));
    };
    let (line, code) = body.split_at(end);
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let engine = words.next().unwrap_or_default();
    let mut name: Option<&[u8]> = None;
    for word in words {
        match word.split_at_checked(5) {
            Some((key, value)) if key.eq_ignore_ascii_case(b"name=") => {
                if name.replace(value).is_some() {
                    return Err(Failure::new(
                        "ERR Invalid metadata value, name argument was given multiple times",
                    ));
                }
            }
            _ => return Err(Failure::text(format!("ERR Invalid metadata value given: {}", lossy(word)))),
        }
    }
    let Some(name) = name else { return Err(Failure::new("ERR Library name was not given")) };
    if !is_name(name) {
        return Err(Failure::new(
            "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one \
             character long",
        ));
    }
    let engine = &engine[2..];
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(Failure::text(format!("ERR Engine '{}' not found", lossy(engine))));
    }
    Ok((name, code))
}

/// Whether a library or function may be called so.
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

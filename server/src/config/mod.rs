//! Configuration: one declaration a setting (`settings.rs`) serves the file, the command line, CONFIG GET, SET and
//! REWRITE, and the documentation.
//!
//! Contract: a [`Config`] is a plain, immutable picture of all settings, cheap to clone and to read. Changing it gives a
//! new one, all or nothing; whoever holds it swaps it. Names, values and error texts are redis.conf's wherever Redis has
//! the thing. Also here, because more than one room needs them: Redis' glob patterns ([`glob`]) and its way of splitting
//! a line into words ([`split_args`]).
//! Deliberately absent: settings that are accepted and do nothing.

mod docs;
mod eviction;
mod events;
pub mod glob;
mod kinds;
mod listen;
mod load;
pub mod log;
mod open_files;
mod passwords;
mod percentiles;
mod rewrite;
mod settings;
mod split;
mod values;

pub use docs::{help, markdown};
pub use events::{Class, Classes};
pub use eviction::{Policy, Share};
pub use kinds::memory;
pub use listen::Listen;
pub use load::{ConfigError, Place, Start, start};
pub use open_files::clients_allowed;
pub use passwords::Passwords;
pub use rewrite::{RewriteError, replace_file};
pub use settings::{Config, SETTINGS, Setting, When, find};
pub use split::{Unbalanced, quote, split_args};
pub use values::{
    Allow, Channels, Durability, Fsync, LogLevel, OutputLimit, OutputLimits, SavePoint, ZooKeeper,
};

use std::path::PathBuf;

/// Where a configuration came from.
#[derive(Debug, Default)]
pub struct Origin {
    /// The file named on the command line, absolute.
    file: Option<PathBuf>,
}

/// Why CONFIG SET was refused; the text is what Redis answers after `-ERR `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    #[error("Unknown option or number of arguments for CONFIG SET - '{0}'")]
    Unknown(String),
    #[error("CONFIG SET failed (possibly related to argument '{name}') - {reason}")]
    Refused { name: &'static str, reason: String },
}

impl Config {
    /// Reads the command line (without the program's name): an optional file, then `--name value...`.
    pub fn from_args<I, S>(args: I) -> Result<Config, ConfigError>
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let args: Vec<String> = args.into_iter().map(Into::into).collect();
        load::from_args(&args)
    }

    /// CONFIG GET: names and values that match any of the patterns, each setting once. A plain name comes back spelled
    /// as it was asked.
    pub fn get<P: AsRef<[u8]>>(&self, patterns: &[P]) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: &dyn Fn() -> String| {
            if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                found.push((name.to_owned(), value()));
            }
        };
        for pattern in patterns.iter().map(AsRef::as_ref) {
            for setting in SETTINGS {
                for name in setting.names() {
                    if glob::is_pattern(pattern) {
                        if glob::matches(pattern, name.as_bytes(), true) {
                            add(name, &|| (setting.show)(self));
                        }
                    } else if pattern.eq_ignore_ascii_case(name.as_bytes()) {
                        add(&String::from_utf8_lossy(pattern), &|| (setting.show)(self));
                    }
                }
            }
        }
        found
    }

    /// CONFIG SET: all of the changes or none.
    pub fn set<N: AsRef<[u8]>, V: AsRef<[u8]>>(&self, changes: &[(N, V)]) -> Result<Config, SetError> {
        let mut named: Vec<(&'static Setting, &'static str, &[u8])> = Vec::with_capacity(changes.len());
        let mut refused: Option<SetError> = None;
        for (name, value) in changes {
            let text = String::from_utf8_lossy(name.as_ref());
            let Some((setting, name)) = settings::find_spelled(&text) else {
                return Err(refused.unwrap_or_else(|| SetError::Unknown(text.into_owned())));
            };
            // A name and its alias are two names to Redis, of which the later counts.
            let twice = named.iter().any(|(_, other, _)| *other == name);
            let reason = match setting.when {
                When::Start => Some("can't set immutable config"),
                When::Live if twice => Some("duplicate parameter"),
                When::Live => None,
            };
            if let Some(reason) = reason {
                refused.get_or_insert(SetError::Refused { name, reason: reason.into() });
            }
            named.push((setting, name, value.as_ref()));
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        let mut next = self.clone();
        for (setting, name, value) in named {
            let read = std::str::from_utf8(value)
                .map_err(|_| "argument must be UTF-8 text".to_owned())
                .and_then(|value| (setting.read)(&mut next, &[value.to_owned()], false));
            read.map_err(|reason| SetError::Refused { name, reason })?;
        }
        next.settle_passwords();
        self.make_room_for(&next)?;
        Ok(next)
    }

    /// More clients need more open files.
    fn make_room_for(&self, next: &Config) -> Result<(), SetError> {
        if next.maxclients <= self.maxclients {
            return Ok(());
        }
        let allowed = clients_allowed(next.maxclients);
        if allowed == next.maxclients {
            return Ok(());
        }
        let reason = format!(
            "The operating system is not able to handle the specified number of clients, try with {allowed}"
        );
        Err(SetError::Refused { name: "maxclients", reason })
    }

    /// The port for other nodes.
    pub fn replication_port(&self) -> u16 {
        match self.replication_port {
            // A start at which the sum is no port is refused, when the node is one of several.
            0 => self.port.saturating_add(10_000),
            port => port,
        }
    }

    /// The addresses to listen on.
    pub fn listen(&self) -> Vec<Listen> {
        self.bind.iter().map(|address| Listen::parse(address)).collect()
    }

    /// The file that the configuration was read from.
    pub fn file(&self) -> Option<&std::path::Path> {
        self.origin.file.as_deref()
    }
}

#[cfg(test)]
mod tests;

//! Passwords: those of the settings and those of the files that settings name.
//!
//! Contract: comparing takes the same time whichever byte differs. The lists are read at the start; `reload_passwords`
//! reads the files again, so that a password is exchanged in steps: add the new one, move everybody, drop the old one.

use super::{Config, ConfigError};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The passwords in force. Its `Debug` shows how many, never which.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Passwords {
    client: Vec<String>,
    link: Vec<String>,
    client_file: Vec<String>,
    link_file: Vec<String>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passwords({} for clients, {} for nodes)", self.client.len(), self.link.len())
    }
}

impl Passwords {
    /// Whether clients have to give a password.
    pub fn required(&self) -> bool {
        !self.client.is_empty()
    }

    /// Whether a client may come in with this password.
    pub fn accepts_client(&self, password: &[u8]) -> bool {
        any(&self.client, password)
    }

    /// Whether a password is one of the file's.
    pub fn is_in_file(&self, password: &[u8]) -> bool {
        any(&self.client_file, password)
    }

    /// The passwords of clients: `requirepass` first, then its file's.
    pub fn client(&self) -> &[String] {
        &self.client
    }

    /// The password that this node gives to others.
    pub fn outgoing(&self) -> Option<&str> {
        self.link.first().or(self.client.first()).map(String::as_str)
    }

    /// Whether another node may come in with this password: any that nodes or clients have; none is needed when
    /// there is none.
    pub fn accepts_link(&self, password: &[u8]) -> bool {
        let open = self.link.is_empty() && self.client.is_empty();
        open || any(&self.link, password) || any(&self.client, password)
    }
}

/// Compares with each, to the end, so that time tells nothing about the content.
fn any(known: &[String], given: &[u8]) -> bool {
    known.iter().fold(false, |found, password| found | equal(password.as_bytes(), given))
}

fn equal(known: &[u8], given: &[u8]) -> bool {
    let padded = given.iter().chain(std::iter::repeat(&0));
    let difference = known.iter().zip(padded).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(difference) == 0 && known.len() == given.len()
}

impl Config {
    /// The passwords in force.
    pub fn passwords(&self) -> &Arc<Passwords> {
        &self.passwords
    }

    /// Reads the password files again; an error leaves everything as it is.
    pub fn reload_passwords(&self) -> Result<Config, ConfigError> {
        let mut next = self.clone();
        let client_file = read_file("requirepass-file", self.requirepass_file.as_ref())?;
        let link_file = read_file("masterauth-file", self.masterauth_file.as_ref())?;
        next.passwords = Arc::new(Passwords { client_file, link_file, ..Passwords::default() });
        next.settle_passwords();
        Ok(next)
    }

    /// Puts the settings' own passwords before those of the files.
    pub(super) fn settle_passwords(&mut self) {
        let before = &self.passwords;
        let first = |own: &String, file: &[String]| -> Vec<String> {
            Some(own).filter(|own| !own.is_empty()).into_iter().chain(file).cloned().collect()
        };
        let next = Passwords {
            client: first(&self.requirepass, &before.client_file),
            link: first(&self.masterauth, &before.link_file),
            client_file: before.client_file.clone(),
            link_file: before.link_file.clone(),
        };
        if next != **before {
            self.passwords = Arc::new(next);
        }
    }
}

fn read_file(setting: &'static str, path: Option<&PathBuf>) -> Result<Vec<String>, ConfigError> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let refuse = |reason: String| ConfigError::Passwords { setting, path: path.clone(), reason };
    let text = read(path).map_err(&refuse)?;
    let passwords: Vec<String> = text
        .lines()
        .map(|line| line.trim_end_matches('\r'))
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    // An empty file would open the store to everybody, which nobody who names a file means.
    if passwords.is_empty() { Err(refuse("no password in it".into())) } else { Ok(passwords) }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn every_line_of_a_file_is_valid_and_the_first_goes_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("auth");
        fs::write(&file, "new\nold\r\n\n").unwrap();
        let path = file.to_str().unwrap();
        let config = Config::from_args(["--requirepass-file", path, "--masterauth-file", path]).unwrap();
        let passwords = config.passwords();
        assert!(passwords.required());
        assert!(passwords.accepts_client(b"new") && passwords.accepts_client(b"old"));
        for wrong in [&b"other"[..], b"", b"ne", b"new\0", b"newer"] {
            assert!(!passwords.accepts_client(wrong), "{wrong:?}");
            assert!(!passwords.accepts_link(wrong), "{wrong:?}");
        }
        assert_eq!(passwords.outgoing(), Some("new"));

        fs::write(&file, "newest\nnew\n").unwrap();
        let next = config.reload_passwords().unwrap();
        assert!(next.passwords().accepts_client(b"newest") && !next.passwords().accepts_client(b"old"));
        assert!(config.passwords().accepts_client(b"old"), "the earlier picture stays as it was");
    }

    #[test]
    fn a_file_that_cannot_be_read_or_is_empty_stops_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("auth");
        let path = file.to_str().unwrap();
        let missing = Config::from_args(["--requirepass-file", path]).unwrap_err().to_string();
        assert!(missing.contains("requirepass-file") && missing.contains(path), "{missing}");
        fs::write(&file, "\n\n").unwrap();
        let empty = Config::from_args(["--masterauth-file", path]).unwrap_err().to_string();
        assert!(empty.contains("no password in it"), "{empty}");
    }

    #[test]
    fn nodes_share_the_clients_password_unless_they_have_their_own() {
        let shared = Config::from_args(["--requirepass", "a"]).unwrap();
        assert_eq!(shared.passwords().outgoing(), Some("a"));
        assert!(shared.passwords().accepts_link(b"a"));
        let own = shared.set(&[("masterauth", "b")]).unwrap();
        assert_eq!(own.passwords().outgoing(), Some("b"));
        assert!(own.passwords().accepts_link(b"b") && !own.passwords().accepts_client(b"b"));
        let open = Config::default();
        assert!(!open.passwords().required() && open.passwords().accepts_link(b""));
    }

    #[test]
    fn debug_shows_no_password() {
        let config = Config::from_args(["--requirepass", "hunter2"]).unwrap();
        assert_eq!(format!("{:?}", config.passwords()), "Passwords(1 for clients, 0 for nodes)");
    }
}

//! From a command line and the files that it names to a [`Config`].
//!
//! Contract: an optional file first (`-` is standard input), then `--name value...`, which count after the file's lines,
//! with Redis' rules for both. Whatever is wrong stops the start and names its place, its text and the reason, in one
//! line.

use super::split::{quote, split_args};
use super::{Config, Origin, find};
use crate::config::glob;
use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, io};

/// How deep files may include each other.
const INCLUDE_DEPTH_MAX: usize = 16;

/// Where a directive stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    File { path: PathBuf, line: usize },
    Input { line: usize },
    CommandLine,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Place::Input { line } => write!(f, "standard input, line {line}"),
            Place::CommandLine => write!(f, "command line"),
        }
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("can't open config file '{}': {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("{place}: '{text}': {reason}")]
    Directive { place: Place, text: String, reason: String },
    #[error("{setting} '{}': {reason}", path.display())]
    Passwords { setting: &'static str, path: PathBuf, reason: String },
    #[error("{0}")]
    Conflict(&'static str),
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Start {
    Run(Box<Config>),
    /// `--help` or `--version`: print this and leave.
    Print(String),
    /// `check DIR [--repair]`: examine a data directory that no server has open.
    Check {
        dir: PathBuf,
        repair: bool,
    },
}

/// Reads a whole command line, `--help` and `--version` included.
pub fn start<I, S>(args: I) -> Result<Start, ConfigError>
where
    I: IntoIterator<Item = S>,
    S: Into<String>,
{
    let args: Vec<String> = args.into_iter().map(Into::into).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["-h" | "--help"] => Ok(Start::Print(super::help())),
        ["-v" | "--version"] => Ok(Start::Print(format!("botellier-server {}\n", env!("CARGO_PKG_VERSION")))),
        ["check", dir] => Ok(Start::Check { dir: dir.into(), repair: false }),
        ["check", dir, "--repair"] | ["check", "--repair", dir] => {
            Ok(Start::Check { dir: dir.into(), repair: true })
        }
        _ => from_args(&args).map(|config| Start::Run(Box::new(config))),
    }
}

/// Reads a command line without the program's name.
pub(super) fn from_args(args: &[String]) -> Result<Config, ConfigError> {
    let mut load = Load { config: Config::default(), seen: HashSet::new() };
    let mut options = args;
    match args.first().map(String::as_str) {
        Some("-") => {
            load.input()?;
            options = &args[1..];
        }
        Some(path) if !path.starts_with("--") => {
            let path = std::path::absolute(path)
                .map_err(|source| ConfigError::Open { path: path.into(), source })?;
            load.file(&path, 0)?;
            load.config.origin = Arc::new(Origin { file: Some(path) });
            options = &args[1..];
        }
        _ => {}
    }
    for line in option_lines(options) {
        load.line(line.as_bytes(), &Place::CommandLine, 0)?;
    }
    let config = load.config.reload_passwords()?;
    check(&config)?;
    Ok(config)
}

/// Settings that are right alone and wrong together.
fn check(config: &Config) -> Result<(), ConfigError> {
    let conflict = |text| Err(ConfigError::Conflict(text));
    if config.aclfile.is_some() && !config.users.is_empty() {
        return conflict("users are either in lines 'user' or in the file of 'aclfile', not in both");
    }
    if config.leader_port != 0 && config.leader_port == config.port {
        return conflict("'leader-port' must not be 'port'");
    }
    if config.zookeeper.is_none() {
        return Ok(());
    }
    if config.node_id.is_none() {
        return conflict(
            "'zookeeper' needs 'node-id': a name for this node that stays the same after a restart",
        );
    }
    if !config.appendonly {
        return conflict("'appendonly no' can't be used with 'zookeeper': a node of a store keeps its log");
    }
    if config.replication_port == 0 && config.port.checked_add(10_000).is_none() {
        return conflict("'replication-port' has to be given: 'port' + 10000 is no port");
    }
    if config.replication_port() == config.port {
        return conflict("'replication-port' must not be 'port'");
    }
    if config.replication_port() == config.leader_port {
        return conflict("'replication-port' must not be 'leader-port'");
    }
    Ok(())
}

/// The command line's options as lines of a file. The word after a lone option name is its value even when it begins
/// with `--`, except after `--save`, which may stand without one; `"--name value"` may be one argument.
fn option_lines(args: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut value_due = false;
    for (at, arg) in args.iter().enumerate() {
        let name = arg.strip_prefix("--").filter(|_| !value_due);
        match (name, lines.last_mut()) {
            (Some(name), _) => {
                value_due = split_args(arg.as_bytes()).is_ok_and(|words| words.len() == 1);
                let mut line = name.to_owned();
                let next_is_option = args.get(at + 1).is_none_or(|next| next.starts_with("--"));
                if name.trim().eq_ignore_ascii_case("save") && next_is_option {
                    line.push_str(" \"\"");
                    value_due = false;
                }
                lines.push(line);
            }
            (None, Some(line)) => {
                line.push(' ');
                line.push_str(&quote(arg.as_bytes()));
                value_due = false;
            }
            (None, None) => lines.push(quote(arg.as_bytes())),
        }
    }
    lines
}

struct Load {
    config: Config,
    /// Settings that this load has named: lists start afresh with the first line that names them.
    seen: HashSet<&'static str>,
}

impl Load {
    fn input(&mut self) -> Result<(), ConfigError> {
        let mut text = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut text);
        read.map_err(|source| ConfigError::Open { path: "-".into(), source })?;
        self.text(&text, 0, |line| Place::Input { line })
    }

    fn file(&mut self, path: &Path, depth: usize) -> Result<(), ConfigError> {
        let text = fs::read(path).map_err(|source| ConfigError::Open { path: path.into(), source })?;
        self.text(&text, depth, |line| Place::File { path: path.into(), line })
    }

    fn text(&mut self, text: &[u8], depth: usize, place: impl Fn(usize) -> Place) -> Result<(), ConfigError> {
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            self.line(line, &place(index + 1), depth)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], place: &Place, depth: usize) -> Result<(), ConfigError> {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return Ok(());
        }
        let refuse = |reason: String| ConfigError::Directive {
            place: place.clone(),
            text: String::from_utf8_lossy(line).into_owned(),
            reason,
        };
        let words = split_args(line).map_err(|_| refuse("Unbalanced quotes in configuration line".into()))?;
        let words: Result<Vec<String>, _> = words.into_iter().map(String::from_utf8).collect();
        let words = words.map_err(|_| refuse("argument must be UTF-8 text".into()))?;
        let Some((name, values)) = words.split_first() else { return Ok(()) };
        if name.eq_ignore_ascii_case("include") {
            let [pattern] = values else { return Err(refuse("wrong number of arguments".into())) };
            if depth == INCLUDE_DEPTH_MAX {
                return Err(refuse("files include each other too deep".into()));
            }
            return self.include(pattern, depth + 1);
        }
        if name.eq_ignore_ascii_case("user") {
            // What its rules say is known where commands are.
            if values.len() < 2 {
                return Err(refuse("wrong number of arguments".into()));
            }
            Arc::make_mut(&mut self.config.users).push(values.to_vec());
            return Ok(());
        }
        let setting =
            find(name).ok_or_else(|| refuse("Bad directive or wrong number of arguments".into()))?;
        if values.is_empty() {
            return Err(refuse("wrong number of arguments".into()));
        }
        let again = !self.seen.insert(setting.name);
        (setting.read)(&mut self.config, values, again).map_err(refuse)
    }

    /// A plain path must exist; a pattern in the last part of a path takes the files that match, in order of names.
    fn include(&mut self, pattern: &str, depth: usize) -> Result<(), ConfigError> {
        let path = PathBuf::from(pattern);
        let file_pattern = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !glob::is_pattern(file_pattern.as_bytes()) {
            return self.file(&path, depth);
        }
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
        let mut files: Vec<PathBuf> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().as_encoded_bytes();
                let hidden = name.starts_with(b".") && !file_pattern.starts_with('.');
                !hidden && glob::matches(file_pattern.as_bytes(), name, false)
            })
            .collect();
        files.sort();
        files.iter().try_for_each(|file| self.file(file, depth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(args: &[&str]) -> Vec<String> {
        option_lines(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_become_lines_as_in_redis() {
        assert_eq!(lines(&["--port", "1", "--save", "60", "1"]), ["port \"1\"", "save \"60\" \"1\""]);
        assert_eq!(lines(&["--requirepass", "--x", "--port", "1"]), ["requirepass \"--x\"", "port \"1\""]);
        assert_eq!(lines(&["--save", "--port", "1"]), ["save \"\"", "port \"1\""]);
        assert_eq!(lines(&["--port", "1", "--save"]), ["port \"1\"", "save \"\""]);
        assert_eq!(lines(&["--port 1", "--timeout 2"]), ["port 1", "timeout 2"]);
        assert_eq!(lines(&["x"]), ["\"x\""]);
    }
}

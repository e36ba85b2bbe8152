//! The server's own log: level and destination out of the settings.
//!
//! Contract: `init` once; the level follows CONFIG SET through the handle. A log file is opened for each line, as Redis
//! does, so that it can be moved away without telling the server. Lines of libraries appear from `notice` on up only.

use super::{Config, LogLevel};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

/// Changes the level of a running log.
#[derive(Clone)]
pub struct LogHandle(reload::Handle<Targets, Registry>);

impl LogHandle {
    /// Of no log at all.
    #[cfg(feature = "simulate")]
    pub fn nowhere() -> Self {
        Self(reload::Layer::new(targets(LogLevel::Warning)).1)
    }

    /// Takes over `loglevel`.
    pub fn follow(&self, config: &Config) {
        // The only failure is that the log is gone, and then there is nothing to change.
        let _ = self.0.reload(targets(config.loglevel));
    }
}

/// Starts logging; an error tells why the log file cannot be written, or that a log runs already.
pub fn init(config: &Config) -> io::Result<LogHandle> {
    let destination = Destination(config.logfile.clone());
    if let Some(path) = &destination.0 {
        append(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    }
    let colours = destination.0.is_none() && io::IsTerminal::is_terminal(&io::stdout());
    let (filter, handle) = reload::Layer::new(targets(config.loglevel));
    let lines = fmt::layer().with_ansi(colours).with_target(false).with_writer(destination);
    tracing_subscriber::registry().with(filter).with(lines).try_init().map_err(io::Error::other)?;
    Ok(LogHandle(handle))
}

fn targets(level: LogLevel) -> Targets {
    let ours = match level {
        LogLevel::Debug => LevelFilter::TRACE,
        LogLevel::Verbose => LevelFilter::DEBUG,
        LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
    };
    // It warns of each member that opens no session, several times a second for as long as there is no quorum.
    let client = if ours > LevelFilter::INFO { LevelFilter::INFO } else { LevelFilter::ERROR };
    Targets::new()
        .with_target("botellier", ours)
        .with_target("zookeeper_client", client)
        .with_default(ours.min(LevelFilter::INFO))
}

fn append(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

struct Destination(Option<PathBuf>);

/// Where one line goes. A file that cannot be opened now swallows it: there is no better place to complain.
enum Line {
    Stdout(io::Stdout),
    File(File),
    Nowhere,
}

impl<'a> MakeWriter<'a> for Destination {
    type Writer = Line;
    fn make_writer(&'a self) -> Line {
        match &self.0 {
            None => Line::Stdout(io::stdout()),
            Some(path) => append(path).map_or(Line::Nowhere, Line::File),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Line::Stdout(stdout) => stdout.write(bytes),
            Line::File(file) => file.write(bytes),
            Line::Nowhere => Ok(bytes.len()),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Line::Stdout(stdout) => stdout.flush(),
            Line::File(file) => file.flush(),
            Line::Nowhere => Ok(()),
        }
    }
}

//! The types of settings that are more than a number or a text.

use std::fmt;

/// When the log's bytes are forced to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// Before any write of the group is answered.
    Always,
    /// About once a second, in the background.
    #[default]
    EverySec,
    /// When the operating system likes.
    No,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    Debug,
    Verbose,
    #[default]
    Notice,
    Warning,
}

/// What a leader does when no synced replica can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Refuses writes with -NOREPLICAS.
    #[default]
    Required,
    /// Goes on alone, after writing down that nobody else may lead.
    Preferred,
}

/// Who may run a command that is not for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allow {
    #[default]
    No,
    /// Clients on the same machine.
    Local,
    Yes,
}

/// Which channels a new user may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Channels {
    All,
    #[default]
    None,
}

impl Channels {
    pub const fn all_channels(self) -> bool {
        matches!(self, Channels::All)
    }
}

/// A snapshot is taken when at least `changes` changes have been made and `seconds` have passed since the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavePoint {
    pub seconds: u64,
    pub changes: u64,
}

impl fmt::Display for SavePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seconds, self.changes)
    }
}

/// Bytes of unsent output past which a client is closed: at once (`hard`), or when over `soft` for so many seconds.
/// 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputLimit {
    pub hard: u64,
    pub soft: u64,
    pub soft_seconds: u64,
}

/// The limits of each class of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputLimits {
    pub normal: OutputLimit,
    pub replica: OutputLimit,
    pub pubsub: OutputLimit,
}

impl OutputLimits {
    /// The classes by the names that Redis prints.
    pub fn classes(&self) -> [(&'static str, OutputLimit); 3] {
        [("normal", self.normal), ("slave", self.replica), ("pubsub", self.pubsub)]
    }
}

/// Where ZooKeeper is, and the path under which the store keeps its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZooKeeper {
    /// `host:port` of each server.
    pub servers: Vec<String>,
    /// Begins with `/`; `/` itself when none was given.
    pub chroot: String,
}

impl ZooKeeper {
    /// Reads `host:port[,host:port...][/chroot]`; the port defaults to 2181.
    pub fn parse(text: &str) -> Result<ZooKeeper, String> {
        let form = "argument must be HOST:PORT[,HOST:PORT...][/CHROOT]";
        let (servers, chroot) = match text.find('/') {
            Some(slash) => text.split_at(slash),
            None => (text, "/"),
        };
        let parts_are_named =
            chroot == "/" || chroot[1..].split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !parts_are_named {
            return Err(form.into());
        }
        let servers = servers.split(',').map(server).collect::<Option<Vec<_>>>().ok_or(form)?;
        Ok(ZooKeeper { servers, chroot: chroot.into() })
    }
}

fn server(text: &str) -> Option<String> {
    let (host, port) = match text.rsplit_once(':') {
        // An IPv6 address has to be in brackets, so a colon inside them divides nothing.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (text, "2181"),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let named = !host.is_empty()
        && (bracketed || !host.contains([':', '[', ']']))
        && !host.contains(char::is_whitespace);
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    named.then(|| format!("{host}:{port}"))
}

impl fmt::Display for ZooKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chroot = if self.chroot == "/" { "" } else { &self.chroot };
        write!(f, "{}{chroot}", self.servers.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zookeeper_takes_servers_and_a_chroot() {
        let zookeeper = ZooKeeper::parse("a:1,b,[::1]:3/x/y").unwrap();
        assert_eq!(zookeeper.servers, ["a:1", "b:2181", "[::1]:3"]);
        assert_eq!(zookeeper.chroot, "/x/y");
        assert_eq!(zookeeper.to_string(), "a:1,b:2181,[::1]:3/x/y");
        assert_eq!(ZooKeeper::parse("a:1").unwrap().chroot, "/");
    }

    #[test]
    fn zookeeper_refuses_what_is_no_address() {
        for text in
            ["/x", ":1", "a:", "a:0", "a:99999", "a:b", "a,,b", "a:1/x//y", "a:1/x/", "a:1/..", "::1:2181"]
        {
            assert!(ZooKeeper::parse(text).is_err(), "{text}");
        }
    }
}

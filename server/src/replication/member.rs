//! Who is who: the nodes, the configuration that the registry holds, and what a node remembers on its disk.
//!
//! `Config` and `NodeInfo` are the JSON of `/config` and `/nodes/<id>`. Readers ignore fields that they do not know,
//! so that an older node and the operator can read what a newer node writes.

use super::position::{Epoch, Offset, Position};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A node with a given disk: an emptied or exchanged disk makes it another member (trap 8).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Member {
    pub id: String,
    pub incarnation: String,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:.8}", self.id, self.incarnation)
    }
}

/// Orders configurations: a later one has a higher stamp, whatever happened to the registry in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    pub epoch: Epoch,
    pub version: u64,
}

/// `/config`: who leads and who holds every acknowledged write beside the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct Config {
    pub format: u32,
    pub cluster: String,
    pub version: u64,
    pub epoch: Epoch,
    pub leader: Member,
    pub synced: Option<Member>,
    /// Fresh for each write: tells whose write it was after an undecided one.
    pub attempt: String,
}

pub const FORMAT: u32 = 1;

/// Why what the registry holds can't be used. It is somebody else's then, and not to be replaced.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("format {0} is newer than this program")]
    Newer(u32),
    #[error(transparent)]
    Damaged(#[from] serde_json::Error),
}

/// Reads the JSON of `/config` or of `/nodes/<id>`. The format is looked at first: it rises when an older program would
/// misread the rest, which need not be as it was (trap 28).
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, RegistryError> {
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    let Versioned { format } = serde_json::from_slice(text)?;
    if format > FORMAT && !crate::mutant::is_planted(28) {
        return Err(RegistryError::Newer(format));
    }
    Ok(serde_json::from_slice(text)?)
}

impl Config {
    pub fn stamp(&self) -> Stamp {
        Stamp { epoch: self.epoch, version: self.version }
    }

    /// The two nodes (or the one) that hold every acknowledged write.
    pub fn pair(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.leader).chain(self.synced.as_ref())
    }

    /// Whether both name the same nodes, in whichever roles.
    pub fn same_pair(&self, other: &Self) -> bool {
        let within = |a: &Self, b: &Self| a.pair().all(|member| b.pair().any(|other| other == member));
        within(self, other) && within(other, self)
    }

    pub fn counterpart_of(&self, member: &Member) -> Option<&Member> {
        self.pair().find(|other| *other != member)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(rename_all = "lowercase")]
pub enum RoleName {
    Leader,
    Synced,
    #[default]
    Replica,
}

/// `/nodes/<id>`: what a node announces of itself. A hint only: it may outlive its process or die before it (trap 4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct NodeInfo {
    pub format: u32,
    pub id: String,
    pub incarnation: String,
    pub host: String,
    pub port: u16,
    pub replication_port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The highest epoch that the node knows of.
    #[serde(default)]
    pub epoch: Epoch,
    /// Bytes of log, as of the announcement.
    #[serde(default)]
    pub offset: Offset,
    #[serde(default)]
    pub role: RoleName,
    /// Where the log stood at the announcement.
    #[serde(default)]
    pub position: Position,
    #[serde(default)]
    pub whole: bool,
    #[serde(default)]
    pub cluster: Option<String>,
    /// The last configuration that the node remembers on its disk.
    #[serde(default)]
    pub remembered: Option<Config>,
}

impl NodeInfo {
    pub fn member(&self) -> Member {
        Member { id: self.id.clone(), incarnation: self.incarnation.clone() }
    }

    pub fn is(&self, member: &Member) -> bool {
        self.id == member.id && self.incarnation == member.incarnation
    }
}

/// What a node knows from one life to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct Memory {
    pub cluster: Option<String>,
    pub config: Option<Config>,
    /// The log lost nothing that it ever held: without this a node does not lead (trap 9). It is lost by a power
    /// failure under `everysec` or `no` and by a full copy, and regained once the log holds what the leader needs.
    pub whole: bool,
}

impl Memory {
    pub fn stamp(&self) -> Stamp {
        self.config.as_ref().map(Config::stamp).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// No write is acknowledged by one node alone.
    Required,
    /// A leader without any replica writes `synced: null` and goes on alone.
    Preferred,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_reads_the_contract_and_ignores_what_it_does_not_know() {
        let text = r#"{"format":1,"cluster":"c","version":17,"epoch":12,"leader":{"id":"cache-1","incarnation":"aa"},
            "synced":null,"attempt":"ff","later":[1]}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.stamp(), Stamp { epoch: 12, version: 17 });
        assert_eq!(config.pair().count(), 1);
    }

    #[test]
    fn node_reads_the_contract_without_our_additions() {
        let text = r#"{"format":1,"id":"cache-1","incarnation":"aa","host":"10.244.1.5","port":6379,
            "replication_port":16379,"zone":"zone1","epoch":12,"offset":123456,"role":"synced"}"#;
        let node: NodeInfo = serde_json::from_str(text).unwrap();
        assert_eq!(node.role, RoleName::Synced);
        assert!(!node.whole);
    }
}

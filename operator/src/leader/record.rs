//! The znodes of the store, as the server writes them. Unknown fields are ignored, a foreign format is refused.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The format that this code reads.
const FORMAT: u32 = 1;

/// A node and the life of its data directory.
#[derive(Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub id: String,
    pub incarnation: String,
}

/// `/config`: the one record that says who may lead.
#[derive(Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Config {
    format: u32,
    pub cluster: String,
    /// Rises with each write.
    pub version: u64,
    /// Rises with each change of leader.
    pub epoch: u64,
    pub leader: Identity,
    #[serde(default)]
    pub synced: Option<Identity>,
}

/// `/nodes/<id>`: an announcement, gone with the node's session.
#[derive(Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Node {
    format: u32,
    pub id: String,
    pub incarnation: String,
    pub host: String,
    #[serde(default)]
    pub zone: Option<String>,
    #[serde(default)]
    pub offset: u64,
    #[serde(default)]
    pub role: String,
}

impl Config {
    pub fn parse(data: &[u8]) -> Option<Self> {
        serde_json::from_slice(data).ok().filter(|config: &Self| config.format == FORMAT)
    }

    /// Whether `self` may be replaced by what another read returned: a member that lags behind
    /// must not take us back in time, but a cluster made anew counts from the start.
    pub fn yields_to(&self, other: &Self) -> bool {
        self.cluster != other.cluster || other.version >= self.version
    }
}

impl Node {
    pub fn parse(data: &[u8]) -> Option<Self> {
        serde_json::from_slice(data).ok().filter(|node: &Self| node.format == FORMAT)
    }

    pub fn is(&self, identity: &Identity) -> bool {
        self.id == identity.id && self.incarnation == identity.incarnation
    }
}

/// All that one watcher knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Whether a session exists now. What follows is the last that was heard when it does not.
    pub connected: bool,
    pub config: Option<Config>,
    /// When `/config` was last written, in milliseconds since 1970.
    pub config_time_ms: i64,
    pub nodes: BTreeMap<String, Node>,
    /// Version of the ensemble's own configuration, as ZooKeeper prints it.
    pub ensemble_version: Option<String>,
}

impl View {
    /// The leader that `/config` names, if the node registered under that name is the same
    /// incarnation. An older registration of a pod that was replaced does not count.
    pub fn leader(&self) -> Option<(&Config, &Node)> {
        let config = self.config.as_ref()?;
        let node = self.nodes.get(&config.leader.id)?;
        node.is(&config.leader).then_some((config, node))
    }

    /// The synced replica, registered and in the incarnation that `/config` names.
    pub fn synced(&self) -> Option<&Node> {
        let synced = self.config.as_ref()?.synced.as_ref()?;
        self.nodes.get(&synced.id).filter(|node| node.is(synced))
    }

    /// The role of a node by `/config`, which is the only word that counts.
    pub fn role(&self, id: &str) -> Role {
        let named = |identity: &Identity| identity.id == id;
        let Some(node) = self.nodes.get(id) else {
            return Role::Absent;
        };
        match &self.config {
            Some(config) if named(&config.leader) && node.is(&config.leader) => Role::Leader,
            Some(config) if config.synced.as_ref().is_some_and(|synced| node.is(synced)) => Role::Synced,
            _ => Role::Replica,
        }
    }

    /// The same without what moves while nothing changes, to tell news from noise.
    #[must_use]
    pub fn without_offsets(&self) -> Self {
        let mut view = self.clone();
        for node in view.nodes.values_mut() {
            node.offset = 0;
        }
        view
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Leader,
    Synced,
    Replica,
    /// Not registered in ZooKeeper.
    Absent,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Synced => "synced",
            Self::Replica => "replica",
            Self::Absent => "absent",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let config = br#"{"format":1,"cluster":"c","version":17,"epoch":12,"attempt":"a","later":true,
            "leader":{"id":"cache-1","incarnation":"i1"},"synced":{"id":"cache-0","incarnation":"i0"}}"#;
        let node = |id: &str, incarnation: &str| {
            let text = format!(
                r#"{{"format":1,"id":"{id}","incarnation":"{incarnation}","host":"10.0.0.1","port":6379,"role":"replica"}}"#
            );
            (id.to_owned(), Node::parse(text.as_bytes()).expect("a node"))
        };
        View {
            connected: true,
            config: Config::parse(config),
            nodes: [node("cache-0", "i0"), node("cache-1", "i1"), node("cache-2", "i2")].into(),
            ..View::default()
        }
    }

    #[test]
    fn roles_come_from_the_config_and_the_incarnation() {
        let mut view = view();
        assert_eq!(view.role("cache-1"), Role::Leader);
        assert_eq!(view.role("cache-0"), Role::Synced);
        assert_eq!(view.role("cache-2"), Role::Replica);
        assert_eq!(view.role("cache-3"), Role::Absent);
        view.nodes.get_mut("cache-1").expect("a node").incarnation = "new".to_owned();
        assert_eq!(view.role("cache-1"), Role::Replica);
        assert!(view.leader().is_none());
    }

    #[test]
    fn a_lagging_member_does_not_take_us_back() {
        let now = view().config.expect("a config");
        let mut older = now.clone();
        older.version = 16;
        assert!(!now.yields_to(&older));
        assert!(older.yields_to(&now));
        older.cluster = "made anew".to_owned();
        assert!(now.yields_to(&older));
    }

    #[test]
    fn a_foreign_format_is_refused() {
        assert!(
            Config::parse(
                br#"{"format":2,"cluster":"c","version":1,"epoch":1,"leader":{"id":"a","incarnation":"b"}}"#
            )
            .is_none()
        );
        assert!(Config::parse(b"").is_none());
    }

    #[test]
    fn moving_offsets_are_no_news() {
        let view = view();
        let mut moved = view.clone();
        moved.nodes.get_mut("cache-2").expect("a node").offset = 99;
        assert_ne!(view, moved);
        assert_eq!(view.without_offsets(), moved.without_offsets());
    }
}

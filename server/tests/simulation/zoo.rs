//! The registry: consistent itself, but late, undecided and forgetful towards the nodes.

use botellier_server::replication::member::{Config, NodeInfo};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Zoo {
    pub config: Option<(Config, i32)>,
    /// Every state of `config`, with the time from which it held: lagging servers show older ones.
    pub past: Vec<(u64, Option<(Config, i32)>)>,
    pub nodes: BTreeMap<String, (NodeInfo, u64)>,
    /// Counts the ensembles: one that was wiped is another, and knows no session of the one before.
    pub ensemble: u64,
    /// Nobody reaches it.
    pub down: bool,
}

impl Zoo {
    /// A version-checked write.
    pub fn write(&mut self, now: u64, config: Config, expected: Option<i32>) -> Option<i32> {
        let version = self.config.as_ref().map(|(_, version)| *version);
        if version != expected {
            return None;
        }
        let next = version.map_or(0, |version| version + 1);
        self.config = Some((config, next));
        self.past.push((now, self.config.clone()));
        Some(next)
    }

    pub fn wipe(&mut self, now: u64) {
        self.ensemble += 1;
        self.config = None;
        // No server of the new one, however late, shows anything of the old one.
        self.past = vec![(now, None)];
        self.nodes.clear();
    }

    /// What a server that is behind by `lag` shows.
    pub fn stale(&self, now: u64, lag: u64) -> Option<(Config, i32)> {
        let then = now.saturating_sub(lag);
        self.past.iter().rev().find(|(at, _)| *at <= then).and_then(|(_, config)| config.clone())
    }

    pub fn listed(&self) -> Vec<NodeInfo> {
        self.nodes.values().map(|(info, _)| info.clone()).collect()
    }
}

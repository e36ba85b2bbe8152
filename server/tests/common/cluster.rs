//! Nodes of a store, as processes, and the ZooKeeper that they meet in.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::client::{Answer, Client};
use super::process::{Server, free_port};
use super::wait_for;
use super::zookeeper::ZooKeeper;

pub struct Cluster {
    pub zookeeper: ZooKeeper,
    pub nodes: Vec<Server>,
    dir: TempDir,
}

impl Cluster {
    pub fn start(nodes: usize, extra: &[&str]) -> Self {
        Self::start_of(None, nodes, extra)
    }

    /// Of another program than the one of this build.
    pub fn start_of(program: Option<&Path>, nodes: usize, extra: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let zookeeper = ZooKeeper::start(&dir.path().join("zookeeper"));
        let connect = format!("{}/store", zookeeper.address());
        let mut cluster = Self { zookeeper, nodes: Vec::new(), dir };
        for number in 0..nodes {
            let id = format!("node-{number}");
            let replication = free_port().to_string();
            let mut args = vec!["--zookeeper", &connect, "--node-id", &id, "--announce-host", "127.0.0.1"];
            args.extend(["--replication-port", &replication, "--durability", "required"]);
            args.extend(extra);
            let mut node = Server::new(&cluster.dir.path().join(&id), &args);
            if let Some(program) = program {
                program.clone_into(&mut node.program);
            }
            node.start();
            cluster.nodes.push(node);
        }
        cluster
    }

    pub fn role(&self, number: usize) -> Option<String> {
        self.nodes[number].info("botellier_role")
    }

    pub fn find(&self, role: &str) -> Option<usize> {
        (0..self.nodes.len()).find(|number| self.role(*number).as_deref() == Some(role))
    }

    /// The node that leads, once it takes writes.
    pub fn leader(&self) -> usize {
        wait_for("a leader that takes writes", || {
            let leader = self.find("leader")?;
            let mut client = Client::connect(self.nodes[leader].port, Duration::from_secs(2)).ok()?;
            client.call(&["SET", "probe", "1"]).ok()?.is_ok().then_some(leader)
        })
    }

    /// The synced replica, as the leader names it and as it knows itself: right after the start it may change.
    pub fn synced(&self) -> usize {
        wait_for("a synced replica", || {
            let named = self.nodes[self.find("leader")?].info("botellier_synced")?;
            let number = named.strip_prefix("node-")?.parse().ok()?;
            (self.role(number).as_deref() == Some("synced")).then_some(number)
        })
    }

    /// All nodes show what the leader has written so far: the log is in one order, so its last record is enough.
    pub fn wait_level(&self) {
        static TURN: AtomicUsize = AtomicUsize::new(0);
        let mark = TURN.fetch_add(1, Ordering::Relaxed).to_string();
        wait_for("a write", || {
            let leader = self.find("leader")?;
            let mut client = Client::connect(self.nodes[leader].port, Duration::from_secs(2)).ok()?;
            client.call(&["SET", "mark", &mark]).ok().filter(Answer::is_ok)
        });
        for node in &self.nodes {
            wait_for("a node to be level", || {
                let mut client = Client::connect(node.port, Duration::from_secs(2)).ok()?;
                (client.call(&["GET", "mark"]).ok()?.text() == Some(&mark)).then_some(())
            });
        }
    }
}

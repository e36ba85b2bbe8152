//! Counters, and the HTTP side of them: `/metrics`, `/livez`, `/readyz`.
//!
//! Contract: one [`Metrics`] a server, shared behind an `Arc`. Counting is a relaxed add and never waits. Commands are
//! counted through the one [`Recorder`], which the engine owns: there is a single writer, so its counters need no locked
//! instruction. What is cheaper to look up than to keep (sizes, numbers of keys) is set by hooks that run before each
//! scrape. [`Health`] says whether this server serves its role; the node sets it.
//! Deliberately absent: labels with unbounded values (clients, keys), and pushing.

mod commands;
mod health;
pub mod heap;
mod histogram;
mod http;
mod primitive;
mod render;

pub use commands::{CommandTotals, Outcome, Recorder};
pub use health::Health;
pub use histogram::{BUCKETS, Histogram, HistogramTotals, bucket_bound_nanos};
pub use http::serve;
pub use primitive::{Counter, Gauge};

use commands::CommandCounters;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Instant, SystemTime};

/// What a node is to its store at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Neither leads nor follows yet.
    Joining,
    /// Alone, without a store of several nodes.
    Standalone,
    Leader,
    /// The follower that every acknowledged write is on.
    Synced,
    Replica,
}

impl Role {
    const ALL: [Role; 5] = [Role::Joining, Role::Standalone, Role::Leader, Role::Synced, Role::Replica];

    pub fn name(self) -> &'static str {
        match self {
            Role::Joining => "joining",
            Role::Standalone => "standalone",
            Role::Leader => "leader",
            Role::Synced => "synced",
            Role::Replica => "replica",
        }
    }
}

/// One follower as its leader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowerLag {
    /// Bytes of log that the follower has not acknowledged.
    pub bytes: u64,
    /// Milliseconds since its last acknowledgement.
    pub silent_ms: u64,
}

type Hook = Box<dyn Fn(&Metrics) + Send + Sync>;

/// Everything that is counted.
pub struct Metrics {
    started: Instant,
    started_at: SystemTime,
    commands: Arc<CommandCounters>,
    role: AtomicU8,
    followers: Mutex<BTreeMap<String, FollowerLag>>,
    /// Keys of each database: all, and those that expire.
    keys: Mutex<Vec<(u64, u64)>>,
    hooks: Mutex<Vec<Hook>>,
    pub health: Arc<Health>,

    pub connections_received: Counter,
    pub connections_rejected: Counter,
    /// Clients closed because of what they sent ahead, and of what they left unread.
    pub query_limit_closed: Counter,
    pub output_limit_closed: Counter,
    pub connected_clients: Gauge,
    pub blocked_clients: Gauge,
    pub net_input_bytes: Counter,
    pub net_output_bytes: Counter,
    pub protocol_errors: Counter,
    pub auth_failures: Counter,

    pub keyspace_hits: Counter,
    pub keyspace_misses: Counter,
    pub expired_keys: Counter,
    pub used_memory_bytes: Gauge,

    pub epoch: Gauge,
    pub config_version: Gauge,
    /// Milliseconds for which the leader may still answer; 0 when it may not.
    pub lease_ms: Gauge,
    /// Whether the leader has a synced replica.
    pub synced_present: Gauge,
    pub log_end_offset: Gauge,
    pub commit_offset: Gauge,
    /// Bytes of log that this follower knows of and does not hold yet.
    pub lag_bytes: Gauge,
    pub role_changes: Counter,
    pub full_copies: Counter,
    pub partial_resyncs: Counter,

    /// From a write's execution to the moment at which its answer may leave.
    pub commit_wait: Histogram,
    pub log_fsync: Histogram,
    pub log_written_bytes: Counter,
    pub log_bytes: Gauge,
    pub snapshot_bytes: Gauge,
    /// Unix time of the newest snapshot, in seconds; 0 when there is none.
    pub snapshot_time_s: Gauge,
    pub snapshot_failures: Counter,
}

impl Metrics {
    /// Counters for the commands of these names: a command's place in the list is its id from then on. The recorder
    /// goes to the engine.
    pub fn new(command_names: Vec<&'static str>) -> (Arc<Metrics>, Recorder) {
        let commands = Arc::new(CommandCounters::new(command_names));
        let recorder = Recorder::new(Arc::clone(&commands));
        let metrics = Metrics {
            started: Instant::now(),
            started_at: SystemTime::now(),
            commands,
            role: AtomicU8::new(Role::Joining as u8),
            followers: Mutex::default(),
            keys: Mutex::default(),
            hooks: Mutex::default(),
            health: Arc::default(),
            connections_received: Counter::default(),
            connections_rejected: Counter::default(),
            query_limit_closed: Counter::default(),
            output_limit_closed: Counter::default(),
            connected_clients: Gauge::default(),
            blocked_clients: Gauge::default(),
            net_input_bytes: Counter::default(),
            net_output_bytes: Counter::default(),
            protocol_errors: Counter::default(),
            auth_failures: Counter::default(),
            keyspace_hits: Counter::default(),
            keyspace_misses: Counter::default(),
            expired_keys: Counter::default(),
            used_memory_bytes: Gauge::default(),
            epoch: Gauge::default(),
            config_version: Gauge::default(),
            lease_ms: Gauge::default(),
            synced_present: Gauge::default(),
            log_end_offset: Gauge::default(),
            commit_offset: Gauge::default(),
            lag_bytes: Gauge::default(),
            role_changes: Counter::default(),
            full_copies: Counter::default(),
            partial_resyncs: Counter::default(),
            commit_wait: Histogram::default(),
            log_fsync: Histogram::default(),
            log_written_bytes: Counter::default(),
            log_bytes: Gauge::default(),
            snapshot_bytes: Gauge::default(),
            snapshot_time_s: Gauge::default(),
            snapshot_failures: Counter::default(),
        };
        (Arc::new(metrics), recorder)
    }

    /// Seconds since the start.
    pub fn uptime_s(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    pub fn role(&self) -> Role {
        let stored = self.role.load(Ordering::Relaxed);
        Role::ALL.into_iter().find(|role| *role as u8 == stored).unwrap_or(Role::Joining)
    }

    pub fn set_role(&self, role: Role) {
        if self.role.swap(role as u8, Ordering::Relaxed) != role as u8 {
            self.role_changes.add(1);
        }
    }

    /// Says how far a follower is behind, by its node id.
    pub fn set_follower(&self, node: &str, lag: FollowerLag) {
        let mut followers = self.followers.lock();
        match followers.get_mut(node) {
            Some(known) => *known = lag,
            None => _ = followers.insert(node.to_owned(), lag),
        }
    }

    /// Forgets a follower that went away.
    pub fn remove_follower(&self, node: &str) {
        self.followers.lock().remove(node);
    }

    /// Forgets all followers: this node leads no more.
    pub fn clear_followers(&self) {
        self.followers.lock().clear();
    }

    /// Says how many keys each database has: all, and those that expire.
    pub fn set_keys(&self, keys: Vec<(u64, u64)>) {
        *self.keys.lock() = keys;
    }

    /// Adds a hook that runs before each scrape, to set what is cheaper to look up than to keep.
    pub fn before_scrape(&self, hook: impl Fn(&Metrics) + Send + Sync + 'static) {
        self.hooks.lock().push(Box::new(hook));
    }

    /// A command's totals, for INFO commandstats and LATENCY HISTOGRAM.
    pub fn command(&self, id: usize) -> Option<CommandTotals> {
        self.commands.totals(id)
    }

    /// All commands that have been called or refused.
    pub fn used_commands(&self) -> Vec<(&'static str, CommandTotals)> {
        self.commands.used()
    }

    /// Commands executed since the start, or the last CONFIG RESETSTAT.
    pub fn commands_processed(&self) -> u64 {
        self.commands.processed()
    }

    /// CONFIG RESETSTAT for all but the commands, which [`Recorder::reset`] resets.
    pub fn reset(&self) {
        for counter in [
            &self.connections_received,
            &self.connections_rejected,
            &self.query_limit_closed,
            &self.output_limit_closed,
            &self.net_input_bytes,
            &self.net_output_bytes,
            &self.protocol_errors,
            &self.auth_failures,
            &self.keyspace_hits,
            &self.keyspace_misses,
            &self.expired_keys,
        ] {
            counter.reset();
        }
    }
}

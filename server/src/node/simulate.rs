//! A node without threads, sockets and a clock of its own: everything happens when a simulator says so, and all of it is
//! the code that real nodes run. Only for tests (feature `simulate`).

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::MutexGuard;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::applier::Applier;
use super::driver::{Driver, State};
use super::{Node, NodeError, build, cluster, fsync};
use crate::config::Config;
use crate::config::log::LogHandle;
use crate::election::candidate::Status;
use crate::engine::Engine;
use crate::net::Workers;
use crate::replication::gate::Gate;
use crate::replication::log::disk::Disk;
use crate::replication::log::{Hooks, Log, Options};
use crate::replication::member::Memory;
use crate::replication::meta::Unsynced;
use crate::replication::position::{Epoch, Offset, Position};
use crate::replication::protocol::Event;
use crate::replication::snapshot::Info;
use crate::replication::storage::{Storage, Surroundings};
use crate::replication::stream::{Copy, Damage};

pub use super::outside::Outside;
pub use super::snapshots::{Portions, TakeError, Taking};
pub use crate::net::output::{Output, Void, offset};

/// Why a simulated process ended: the payload of an unwinding that the simulator catches.
pub struct Ended(pub String);

/// As far as this process goes, it is over.
pub(super) fn end(what: &str) -> ! {
    std::panic::resume_unwind(Box::new(Ended(what.to_owned())))
}

/// What a process finds when it starts.
pub struct Given {
    pub config: Arc<Config>,
    pub dir: PathBuf,
    pub disk: Arc<dyn Disk>,
    pub boot_id: String,
    /// The incarnation that a new data directory gets.
    pub incarnation: String,
    pub seed: u64,
    pub segment_bytes: u64,
    pub backlog_bytes: usize,
    pub snapshots: Portions,
    /// Bytes of replies that may wait: of all connections, and of each.
    pub held_max: (u64, u64),
    /// Never used, but parts of a node ask for one.
    pub runtime: Handle,
}

pub struct Simulated {
    node: Arc<Node>,
    driver: Driver,
}

impl Simulated {
    /// Reads the data directory, and takes part.
    pub fn start(given: Given, outside: Box<dyn Outside>) -> Result<Self, NodeError> {
        let _there = given.runtime.enter();
        let config = given.config;
        let mut options = Options::new(Some(given.dir.clone()));
        options.disk = given.disk;
        options.fsync = fsync(&config);
        options.segment_bytes = given.segment_bytes;
        options.backlog_bytes = given.backlog_bytes;
        options.background = false;
        options.heal = true;
        options.hooks = Hooks { fatal: Box::new(|error| end(&error.to_string())), ..Hooks::default() };
        let incarnation = given.incarnation;
        let around = Surroundings {
            boot_id: given.boot_id,
            new_incarnation: Box::new(move || Ok(incarnation)),
            lock: None,
        };
        let (storage, found) = Storage::open(&given.dir, options, around)?;
        let whole = found.whole;
        let (written, _) = watch::channel(0);
        let threads = (Workers::here(), given.runtime.clone());
        let mut node = build(&config, storage, written, LogHandle::nowhere(), threads, given.seed);
        node.taker.portions = given.snapshots;
        node.net.gate.limit_held(given.held_max.0, given.held_max.1);
        let node = Arc::new(node);
        let stands = cluster::load(&node, found)?;
        node.taker.applied.set(stands);
        let mut birth = cluster::birth(&node, &config, stands, whole);
        birth.seed = u128::from(given.seed);
        let applier = Applier::by_hand(node.log.clone(), node.net.engine.clone(), node.taker.applied.clone());
        let machine = cluster::machine(&node, birth);
        let driver = Driver { node: node.clone(), machine, outside, applier, state: State::default() };
        Ok(Self { node, driver })
    }

    /// One event, and all that follows from it.
    pub fn turn(&mut self, event: Event) {
        self.driver.turn(event);
    }

    /// What the engine appended goes to the disk, and the protocol hears of it.
    pub fn flush(&mut self) {
        (self.node.net.flush)();
        self.driver.settle();
    }

    /// What was written is synced, and the protocol hears of it.
    pub fn sync(&mut self) {
        if let Err(error) = self.node.log.sync() {
            end(&error.to_string());
        }
        self.driver.settle();
    }

    /// A follower's key space comes some records nearer to what is committed; false if there is nothing to do.
    pub fn apply(&self) -> bool {
        self.driver.applier.step()
    }

    /// Begins a snapshot.
    pub fn begin_snapshot(&self) -> Result<Taking, TakeError> {
        self.node.taker.begin()
    }

    /// Writes on; false once everything is written.
    pub fn step_snapshot(&self, taking: &mut Taking) -> Result<bool, TakeError> {
        self.node.taker.step(taking)
    }

    /// Everything is written; given back if what it shows is not known to be committed yet.
    pub fn finish_snapshot(&self, taking: Taking) -> Result<Result<Info, Taking>, TakeError> {
        self.node.taker.finish_now(taking)
    }

    /// Bytes of keys that wait for a snapshot to be written.
    pub fn captured_bytes(&self) -> usize {
        self.engine().keyspace.captured_bytes()
    }

    /// The snapshot that a copy is made of; `None`: one is to be taken first.
    pub fn copy(&self) -> Result<Option<Copy>, String> {
        cluster::ready(&self.node)
    }

    /// What it was to remember was synced.
    pub fn kept(&self, unsynced: &Unsynced) {
        self.node.storage.lock().meta.synced(unsynced);
    }

    /// What was to be sent is damaged: a snapshot is to be taken that takes its place.
    pub fn leave_behind(&self, damage: Damage) {
        cluster::leave_behind(&self.node, damage);
    }

    fn position(&self) -> Position {
        if self.driver.state.leading { self.node.log.end() } else { self.driver.applier.applied() }
    }

    pub fn engine(&self) -> MutexGuard<'_, Engine> {
        self.node.net.engine.lock()
    }

    pub fn gate(&self) -> &Gate {
        &self.node.net.gate
    }

    pub fn log(&self) -> &Log {
        &self.node.log
    }

    /// Whether clients wait in a blocking command.
    pub fn waits(&self) -> bool {
        self.engine().clients.iter().any(|client| client.blocked.is_some())
    }

    pub fn status(&self) -> Status {
        self.driver.machine.status()
    }

    /// The highest epoch that it knows of.
    pub fn epoch(&self) -> Epoch {
        self.driver.machine.epoch()
    }

    /// What it remembers of the cluster.
    pub fn memory(&self) -> &Memory {
        self.driver.machine.memory()
    }

    pub fn leads(&self) -> bool {
        self.driver.state.leading
    }

    pub fn applied(&self) -> Offset {
        self.position().offset
    }
}

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
use crate::replication::gate::{Gate, Pass};
use crate::replication::log::disk::Disk;
use crate::replication::log::{Hooks, Log, Options};
use crate::replication::position::{Offset, Position};
use crate::replication::protocol::Event;
use crate::replication::snapshot::Info;
use crate::replication::storage::{Storage, Surroundings};

pub use super::outside::Outside;
pub use super::snapshots::TakeError;
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
        let node = build(&config, storage, written, LogHandle::nowhere(), threads, given.seed);
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

    /// Takes a snapshot, if all that it would hold is known to be committed; `None` if not.
    pub fn snapshot(&self) -> Result<Option<Info>, TakeError> {
        let gate = &self.node.net.gate;
        if gate.pass(gate.term(), self.position().offset) != Pass::Leave {
            return Ok(None);
        }
        self.node.taker.take().map(Some)
    }

    /// The snapshot that a copy is made of.
    pub fn copy(&self) -> Result<crate::replication::stream::Copy, String> {
        cluster::snapshot(&self.node)
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

    pub fn leads(&self) -> bool {
        self.driver.state.leading
    }

    pub fn applied(&self) -> Offset {
        self.position().offset
    }
}

//! One node: a process made of the code that real nodes run, on its disk, with its clock.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};

use botellier_server::config::Config;
use botellier_server::node::simulate::{Ended, Given, Outside, Portions, Simulated, Taking};
use botellier_server::replication::Offset;
use botellier_server::replication::log::memory::{Crash, MemoryDisk};
use botellier_server::replication::member::{self, NodeInfo, Stamp};
use botellier_server::replication::meta::Unsynced;
use botellier_server::replication::protocol::{ConnectionId, Event};
use botellier_server::replication::time::Time;
use botellier_server::replication::wire::{Body, Frame};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

use crate::links::{Bulk, Sender};
use crate::rng::Rng;
use crate::world::{Item, MS, World};

/// What snapshots may take at once.
pub const SNAPSHOTS: Portions = Portions { step_bytes: 500, captured_max: 3_000 };

/// Bytes of replies that may wait: of all connections, and of each.
pub const HELD_MAX: (u64, u64) = (8_192, 4_096);

/// What a process ordered, to be carried out once its turn is over.
pub enum Order {
    Connect(ConnectionId, String),
    Send(ConnectionId, Frame),
    Stream(ConnectionId, Stamp, Offset),
    CopyTo(ConnectionId, Stamp),
    Close(ConnectionId),
    Write(member::Config, Option<i32>),
    Kept(Unsynced),
    Refresh,
    Announce(NodeInfo),
}

type Orders = Arc<Mutex<VecDeque<Order>>>;

struct Recorder(Orders);

impl Recorder {
    fn order(&self, order: Order) {
        self.0.lock().push_back(order);
    }
}

impl Outside for Recorder {
    fn connect(&mut self, connection: ConnectionId, host: String, _: u16) {
        self.order(Order::Connect(connection, host));
    }

    fn send(&mut self, connection: ConnectionId, frame: Frame) {
        self.order(Order::Send(connection, frame));
    }

    fn stream(&mut self, connection: ConnectionId, stamp: Stamp, from: Offset) {
        self.order(Order::Stream(connection, stamp, from));
    }

    fn copy_to(&mut self, connection: ConnectionId, stamp: Stamp) {
        self.order(Order::CopyTo(connection, stamp));
    }

    fn close(&mut self, connection: ConnectionId) {
        self.order(Order::Close(connection));
    }

    fn close_all(&mut self) {}

    fn write(&mut self, config: member::Config, expected: Option<i32>) {
        self.order(Order::Write(config, expected));
    }

    fn refresh(&mut self) {
        self.order(Order::Refresh);
    }

    fn announce(&mut self, info: NodeInfo) {
        self.order(Order::Announce(info));
    }

    fn keep(&mut self, unsynced: Unsynced, waits: bool) -> Receiver<()> {
        let (done, kept) = channel();
        if waits {
            if let Err(error) = unsynced.sync() {
                resume_unwind(Box::new(Ended(error.to_string())));
            }
            let _ = done.send(());
            self.order(Order::Kept(unsynced));
        }
        kept
    }
}

pub struct Host {
    pub id: String,
    pub generation: u64,
    pub process: Option<Simulated>,
    pub disk: MemoryDisk,
    /// Counts the disks that this node has had.
    pub disks: u64,
    boots: u64,
    /// From when its disk gives what others are to be sent.
    pub reads_from: u64,
    /// How often its disk was full.
    pub fills: u64,
    /// What is known of it from outside, also when no process runs.
    pub config: Option<member::Config>,
    pub whole: bool,
    orders: Orders,
    pub senders: BTreeMap<ConnectionId, Sender>,
    /// A snapshot that is being taken.
    pub taking: Option<Taking>,
    pub paused_until: u64,
    /// What came while it was paused.
    pub inbox: VecDeque<Item>,
    pub waking: bool,
    /// The clock: parts per thousand of drift, and where it started.
    drift: i64,
    start: u64,
    /// How long its machine was suspended in all, and since when it is.
    pub suspended: u64,
    pub suspended_since: Option<u64>,
    /// Wall clock: milliseconds ahead of the true time.
    pub skew_ms: i64,
    /// What the last process left behind.
    pub left: Option<Left>,
    pub zoo_cut: u32,
    pub zoo_link: u64,
    /// The ensemble that its session is with.
    pub zoo_ensemble: u64,
    pub zoo_connected: bool,
    pub zoo_last: u64,
    pub zoo_flying: Vec<String>,
    pub session: u64,
}

/// What a process left behind when only it ended.
pub struct Left {
    pub written: Offset,
    pub disks: u64,
}

/// Parts of a node ask for a runtime that they then do not use.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(1).build().expect("a runtime"))
}

impl Host {
    pub fn new(index: usize, rng: &mut Rng) -> Self {
        Self {
            id: format!("n{index}"),
            generation: 0,
            process: None,
            disk: MemoryDisk::new(rng.next()),
            disks: 1,
            boots: 1,
            reads_from: 0,
            fills: 0,
            config: None,
            whole: true,
            orders: Orders::default(),
            senders: BTreeMap::new(),
            taking: None,
            paused_until: 0,
            inbox: VecDeque::new(),
            waking: false,
            drift: rng.below(41) as i64 - 20,
            start: rng.below(1_000_000 * MS),
            suspended: 0,
            suspended_since: None,
            skew_ms: rng.below(2_000) as i64,
            left: None,
            zoo_cut: 0,
            zoo_link: 0,
            zoo_ensemble: 0,
            zoo_connected: false,
            zoo_last: 0,
            zoo_flying: Vec::new(),
            session: 0,
        }
    }

    fn clock(&self, now: u64) -> Time {
        Time::from_nanos(self.start + (now as i64 + now as i64 / 1000 * self.drift) as u64)
    }

    /// Its machine goes on.
    pub fn resume(&mut self, now: u64) {
        if let Some(since) = self.suspended_since.take() {
            self.suspended += now - since;
        }
    }

    /// This thread is this node's now.
    fn pretend(&self, now: u64) {
        self.clock(now).pretend(self.clock(now.saturating_sub(self.suspended)));
    }

    pub fn wall_ms(&self, now: u64) -> u64 {
        (1_700_000_000_000 + self.skew_ms + (now / MS) as i64) as u64
    }

    pub fn incarnation(&self) -> String {
        format!("{}-{}", self.id, self.disks)
    }

    /// The machine under it went down, and what its disk did not have yet may be gone.
    pub fn reboot(&mut self, crash: Crash) {
        self.disk.restart(crash);
        if crash == Crash::Machine {
            self.boots += 1;
        }
    }
}

impl World {
    pub fn restart(&mut self, host: usize) {
        if self.hosts[host].process.is_some() {
            return;
        }
        let given = self.given(host);
        let it = &mut self.hosts[host];
        let damaged = it.disk.damaged();
        it.generation += 1;
        it.orders.lock().clear();
        it.pretend(self.now);
        let outside = Box::new(Recorder(it.orders.clone()));
        match caught(|| Simulated::start(given, outside)) {
            Ok(Ok(process)) => it.process = Some(process),
            Ok(Err(error)) if error.to_string().contains("no storage space") => {
                self.tell(|| format!("n{host} does not start: {error}"));
                self.after(200 * MS, Item::Restart(host));
                return;
            }
            Ok(Err(error)) if self.has_no_use_of(&damaged, &error.to_string()) => {
                self.exchange_disk(host);
                self.after(200 * MS, Item::Restart(host));
                return;
            }
            Ok(Err(error)) => self.failed = Some(format!("n{host} does not start: {error}")),
            Err(why) => self.failed = Some(format!("n{host} does not start: {}", why.0)),
        }
        let heals = self.hosts[host].process.as_ref().is_some_and(|process| process.status().damaged);
        self.damages_found += u64::from(heals && !damaged.is_empty());
        let generation = self.hosts[host].generation;
        self.tell(|| format!("n{host} starts, log at {}", self.describe_log(host)));
        self.compare_with_left(host);
        self.after(MS, Item::Tick(host, generation));
        self.after(5 * MS, Item::ZooConnect(host, generation));
        self.after(500 * MS, Item::Sync(host, generation));
    }

    fn describe_log(&self, host: usize) -> String {
        self.hosts[host].process.as_ref().map_or_else(String::new, |process| process.log().end().to_string())
    }

    fn given(&mut self, host: usize) -> Given {
        let it = &self.hosts[host];
        let words = [
            ("--zookeeper", "registry:1/store".to_owned()),
            ("--node-id", it.id.clone()),
            ("--announce-host", it.id.clone()),
            ("--dir", "/data".to_owned()),
            ("--durability", self.durability.clone()),
            ("--appendfsync", if self.always { "always" } else { "everysec" }.to_owned()),
            ("--log-retention-bytes", self.retention_bytes.to_string()),
            ("--maxmemory", "100gb".to_owned()),
            ("--maxmemory-policy", "volatile-random".to_owned()),
            ("--maxmemory-eviction-tenacity", "100".to_owned()),
        ];
        let words = words.iter().flat_map(|(name, value)| [*name, value.as_str()]);
        Given {
            config: Arc::new(Config::from_args(words).expect("a configuration")),
            dir: PathBuf::from("/data"),
            disk: Arc::new(it.disk.clone()),
            boot_id: format!("boot {}", it.boots),
            incarnation: it.incarnation(),
            seed: self.rng.next(),
            segment_bytes: 4096,
            backlog_bytes: 2048,
            snapshots: SNAPSHOTS,
            held_max: HELD_MAX,
            runtime: runtime().handle().clone(),
        }
    }

    /// Has the process do something. False: it can't go on, and is gone.
    pub fn with_quietly(&mut self, host: usize, act: impl FnOnce(&mut Simulated)) -> bool {
        let it = &mut self.hosts[host];
        it.pretend(self.now);
        let Some(process) = &mut it.process else { return false };
        if let Err(why) = caught(|| act(process)) {
            self.tell(|| format!("n{host} ends: {}", why.0));
            self.kill(host, None);
            return false;
        }
        true
    }

    /// Has the process do something, carries out what it orders, and lets go of the replies that may leave.
    pub fn with(&mut self, host: usize, act: impl FnOnce(&mut Simulated)) {
        if !self.with_quietly(host, act) {
            return;
        }
        let it = &mut self.hosts[host];
        if let Some(process) = &it.process {
            let memory = process.memory();
            if it.config != memory.config {
                it.config.clone_from(&memory.config);
            }
            it.whole = memory.whole;
            self.watch(host);
        }
        loop {
            let order = self.hosts[host].orders.lock().pop_front();
            let Some(order) = order else { break };
            self.carry_out(host, order);
        }
        self.pump(host);
        self.release(host);
    }

    pub fn deliver(&mut self, host: usize, event: Event) {
        if self.told && !matches!(event, Event::Tick) {
            println!("{:>10.3} n{host} <- {:.300}", self.now as f64 / MS as f64, format!("{event:?}"));
        }
        let begins =
            matches!(&event, Event::Frame { frame, .. } if matches!(frame.body, Body::CopyBegin { .. }));
        let before = self.end(host).filter(|_| begins);
        self.with(host, |process| process.turn(event));
        self.copy_begun(host, before);
    }

    fn carry_out(&mut self, host: usize, order: Order) {
        match order {
            Order::Connect(connection, name) => {
                let target = self.hosts.iter().position(|host| host.id == name).expect("a node's name");
                self.connect(host, connection, target);
            }
            Order::Send(connection, frame) => self.say(host, connection, frame),
            Order::Stream(connection, stamp, from) => self.feed(host, connection, Bulk::Log { stamp, from }),
            Order::CopyTo(connection, stamp) => {
                self.question_copy(host, connection);
                self.copy_to(host, connection, stamp);
            }
            Order::Close(connection) => {
                self.close_sender(host, connection);
                self.close(host, connection);
            }
            Order::Write(config, expected) => self.zoo_send(host, config, expected),
            Order::Kept(unsynced) => {
                self.with_quietly(host, |process| process.kept(&unsynced));
            }
            Order::Refresh => {
                let link = self.hosts[host].zoo_link;
                let delay = self.rng.between(1, 6) * MS;
                self.after(delay, Item::ZooNotify { host, link, nodes: false });
            }
            Order::Announce(info) => self.zoo_announce(host, info),
        }
    }

    /// The process ends; `crash` says what becomes of the disk, if not only the process ended.
    pub fn kill(&mut self, host: usize, crash: Option<Crash>) {
        let generation = self.hosts[host].generation;
        let Some(process) = self.hosts[host].process.take() else { return };
        self.hosts[host].left =
            crash.is_none().then(|| Left { written: process.log().written(), disks: self.hosts[host].disks });
        drop(process);
        self.lose_or_mend(host);
        self.hosts[host].senders.clear();
        self.hosts[host].taking = None;
        self.hosts[host].paused_until = 0;
        self.hosts[host].resume(self.now);
        self.drop_pipes(host, generation, crash == Some(Crash::Machine));
        self.hang_up(host);
        let it = &mut self.hosts[host];
        it.reboot(crash.unwrap_or(Crash::Process));
        it.zoo_connected = false;
        it.zoo_link += 1;
        it.zoo_flying.clear();
        let session = it.session;
        let expire = self.rng.between(1_000, 5_000) * MS;
        self.after(expire, Item::ZooExpire(host, session));
        let back = if self.rng.percent(50) { self.rng.between(5, 300) } else { self.rng.between(300, 4_000) };
        self.after(back * MS, Item::Restart(host));
    }
}

/// Runs it; an error if the process that it belongs to ended by that.
pub fn caught<T>(act: impl FnOnce() -> T) -> Result<T, Ended> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|payload: Box<dyn Any + Send>| {
        match payload.downcast::<Ended>() {
            Ok(ended) => *ended,
            Err(payload) => resume_unwind(payload),
        }
    })
}

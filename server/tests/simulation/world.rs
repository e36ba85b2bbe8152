//! The world: time, the queue of what happens next, and the network between the nodes.

use crate::callers::Caller;
use crate::host::Host;
use crate::network::Pipe;
use crate::rng::Rng;
use crate::zoo::Zoo;
use botellier_e2e::history::linear::{self, Operation};
use botellier_server::node::simulate::Simulated;
use botellier_server::replication::member::{Config, Stamp};
use botellier_server::replication::protocol::{ConnectionId, Ending, Event};
use botellier_server::value::chance;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write;

pub const MS: u64 = 1_000_000;

/// How many runs have slow wires.
const SLOW_PERCENT: u64 = 2;

pub enum Item {
    Tick(usize, u64),
    Event(usize, u64, Box<Event>),
    /// The next parcel of a connection reaches the side.
    Arrive {
        pipe: u64,
        side: usize,
        since: u64,
    },
    Ended {
        pipe: u64,
        side: usize,
        ending: Ending,
    },
    Dial {
        pipe: u64,
        since: u64,
    },
    /// The system takes more for a connection.
    Room {
        host: usize,
        pipe: u64,
        side: usize,
    },
    /// A snapshot that is being taken goes on.
    Snapshot(usize, u64),
    Call(usize),
    /// What a client asks comes to the node.
    Reach {
        caller: usize,
        host: usize,
        generation: u64,
        number: u64,
    },
    /// A leader is hit right after it began to lead.
    Ambush(usize, u64),
    Flush(usize, u64),
    Sync(usize, u64),
    Copy(usize, u64, ConnectionId, Stamp),
    Fault,
    Flip,
    /// A snapshot is due that takes the place of what is damaged.
    Mend(usize, u64),
    Restart(usize),
    Wake(usize),
    ZooWrite {
        host: usize,
        link: u64,
        config: Box<Config>,
        expected: Option<i32>,
    },
    ZooNotify {
        host: usize,
        link: u64,
        nodes: bool,
    },
    ZooReply(usize, u64, Box<Event>),
    ZooLost {
        host: usize,
        link: u64,
    },
    ZooConnect(usize, u64),
    ZooExpire(usize, u64),
    Undo(Undo),
}

pub enum Undo {
    Cut(usize, usize),
    ZooCut(usize),
    ZooDown,
    SlowReads(usize),
    BadDisk(usize),
    FullDisk(usize, u64),
}

pub struct World {
    pub rng: Rng,
    pub now: u64,
    pub steps: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    items: BTreeMap<u64, Item>,
    sequence: u64,
    pub hosts: Vec<Host>,
    pub pipes: BTreeMap<u64, Pipe>,
    pub next_pipe: u64,
    /// `cut[from][to]`: nothing gets through.
    pub cut: Vec<Vec<u32>>,
    pub zoo: Zoo,
    pub callers: Vec<Caller>,
    pub history: Vec<Operation>,
    pub next_operation: u64,
    /// What listeners heard of, and when first.
    pub news: BTreeMap<String, u64>,
    /// The highest epoch in which anybody led.
    pub epoch: u64,
    /// The epoch in which everything was in order when the faults began.
    pub settled_epoch: Option<u64>,
    pub settled_leader: Option<usize>,
    pub answered: u64,
    pub ambiguous: u64,
    pub answered_after_healing: bool,
    /// Nobody asks for more.
    pub quiet: bool,
    pub told: bool,
    pub failed: Option<String>,
    pub durability: String,
    pub always: bool,
    pub retention_bytes: u64,
    /// Bytes of the log that a frame carries at most.
    pub chunk_max: u64,
    /// Bytes that a wire carries in a second, where it is slow; values may be huge then.
    pub rate: Option<u64>,
    /// The pair as it was when everything was in order, where nothing but huge values is under way.
    pub settled_pair: Option<(String, Option<String>)>,
    pub faults: Vec<crate::faults::Kind>,
    /// What decides where bits flip, if they do.
    pub flips: Option<Rng>,
    /// How often a node found that some of its data is damaged.
    pub damages_found: u64,
    pub pace: u64,
    pub healing: bool,
}

impl World {
    pub fn new(seed: u64, told: bool) -> Self {
        let mut rng = Rng::new(seed);
        chance::seed(seed);
        let count = rng.between(2, 5).max(3) as usize;
        let durability = if rng.percent(60) { "required" } else { "preferred" }.to_owned();
        let always = rng.percent(40);
        let retention_bytes = if rng.percent(50) { 0 } else { rng.below(64 << 10) };
        let mut callers: Vec<Caller> = (0..rng.between(2, 8)).map(|_| Caller::default()).collect();
        callers.extend((0..rng.below(3)).map(|_| Caller::listener()));
        let chunk_max = if rng.percent(50) { 60 } else { 2_000 };
        let mut faults = crate::faults::choose(&mut rng);
        let rate = rng.percent(SLOW_PERCENT).then(|| rng.between(4 << 20, 16 << 20));
        if rate.is_some() && rng.percent(70) {
            faults.clear();
        }
        if rng.percent(30) {
            callers.extend((0..rng.between(1, 2)).map(|_| Caller::flood()));
        }
        let pace = rng.between(40, 500) * MS;
        let hosts = (0..count).map(|index| Host::new(index, &mut rng)).collect();
        let mut world = Self {
            rng,
            now: 1_000 * MS,
            steps: 0,
            queue: BinaryHeap::new(),
            items: BTreeMap::new(),
            sequence: 0,
            hosts,
            pipes: BTreeMap::new(),
            next_pipe: 0,
            cut: vec![vec![0; count]; count],
            zoo: Zoo::default(),
            callers,
            history: Vec::new(),
            next_operation: 0,
            news: BTreeMap::new(),
            epoch: 0,
            settled_epoch: None,
            settled_leader: None,
            answered: 0,
            ambiguous: 0,
            answered_after_healing: false,
            quiet: false,
            told,
            failed: None,
            durability,
            always,
            retention_bytes,
            chunk_max,
            rate,
            settled_pair: None,
            flips: crate::flips::choose(seed, &faults),
            faults,
            damages_found: 0,
            pace,
            healing: false,
        };
        for host in 0..count {
            let after = world.rng.below(200 * MS);
            world.after(after, Item::Restart(host));
        }
        for caller in 0..world.callers.len() {
            world.after(5 * MS, Item::Call(caller));
        }
        world.after(1_000 * MS, Item::Fault);
        if world.flips.is_some() {
            world.after(1_000 * MS, Item::Flip);
        }
        world
    }

    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.told {
            println!("{:>10.3} {}", self.now as f64 / MS as f64, what());
        }
    }

    /// Writes that are still on their way to the registry.
    pub fn flying_configs(&self) -> Vec<Config> {
        let flying = self.items.values().filter_map(|item| match item {
            Item::ZooWrite { config, .. } => Some((**config).clone()),
            _ => None,
        });
        flying.collect()
    }

    /// An ensemble that is wiped takes what was on its way to it along.
    pub fn drop_writes(&mut self) {
        self.items.retain(|_, item| !matches!(item, Item::ZooWrite { .. }));
    }

    pub fn after(&mut self, delay: u64, item: Item) {
        self.at(self.now + delay, item);
    }

    pub fn at(&mut self, time: u64, item: Item) {
        self.sequence += 1;
        self.queue.push(Reverse((time.max(self.now), self.sequence)));
        self.items.insert(self.sequence, item);
    }

    /// Faults for a while, then none, until all is well again.
    pub fn run(&mut self) -> Result<(), String> {
        let span = self.rng.between(2_000, 8_000) * MS;
        let end = self.now + span;
        self.run_until(end, |_| false)?;
        self.heal();
        self.tell(|| "-- all faults end".into());
        let limit = self.now + 90_000 * MS;
        self.run_until(limit, World::settled)?;
        if !self.settled() {
            return Err(format!("no progress after the faults ended\n{}", self.describe()));
        }
        self.judge()
    }

    /// With no one asking any more: all nodes hold the same, and one order explains what everybody was told, by what is
    /// there at the end too.
    fn judge(&mut self) -> Result<(), String> {
        self.quiet = true;
        self.calm(|world| world.is_answered() && world.is_level())?;
        let digests: Vec<String> = self
            .hosts
            .iter()
            .filter_map(|host| host.process.as_ref())
            .map(|process| process.engine().keyspace.digest().to_string())
            .collect();
        if digests.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(format!("the nodes hold different data: {digests:?}"));
        }
        let leader = self.leading().ok_or("no leader at the end")?;
        self.read_all(leader);
        self.calm(World::is_answered)?;
        linear::check(&self.told_history()?).map_err(|anomaly| anomaly.to_string())
    }

    fn calm(&mut self, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        let limit = self.now + 30_000 * MS;
        self.run_until(limit, &done)?;
        if done(self) { Ok(()) } else { Err(format!("no calm after the end\n{}", self.describe())) }
    }

    fn run_until(&mut self, end: u64, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        let mut looked = self.now;
        while let Some(Reverse((time, sequence))) = self.queue.pop() {
            if time > end {
                self.queue.push(Reverse((time, sequence)));
                self.now = end;
                break;
            }
            self.now = time;
            self.steps += 1;
            if let Some(item) = self.items.remove(&sequence) {
                self.happen(item);
            }
            if let Some(why) = self.failed.take() {
                return Err(why);
            }
            if self.now > looked + 50 * MS {
                looked = self.now;
                if done(self) {
                    break;
                }
            }
        }
        Ok(())
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::Tick(host, generation) => {
                if self.alive(host, generation) && !self.postpone(host, Item::Tick(host, generation)) {
                    self.tick(host);
                    let later = self.rng.between(10, 20) * MS;
                    self.after(later, Item::Tick(host, generation));
                }
            }
            Item::Event(host, generation, event) => {
                if self.alive(host, generation) {
                    self.later_or_now(host, generation, event);
                }
            }
            Item::Arrive { pipe, side, since } => self.arrive(pipe, side, since),
            Item::Ended { pipe, side, ending } => self.ended(pipe, side, ending),
            Item::Dial { pipe, since } => self.dial(pipe, since),
            Item::Room { host, pipe, side } => self.room(host, pipe, side),
            Item::Snapshot(host, generation) => {
                if self.alive(host, generation) && !self.postpone(host, Item::Snapshot(host, generation)) {
                    self.step_snapshot(host);
                }
            }
            Item::Call(caller) => self.call(caller),
            Item::Reach { caller, host, generation, number } => self.reach(caller, host, generation, number),
            Item::Ambush(host, generation) => {
                if self.alive(host, generation) {
                    self.ambush(host);
                }
            }
            Item::Flush(host, generation) => {
                if self.alive(host, generation) && !self.postpone(host, Item::Flush(host, generation)) {
                    self.with(host, Simulated::flush);
                }
            }
            Item::Sync(host, generation) => {
                if self.alive(host, generation) && !self.postpone(host, Item::Sync(host, generation)) {
                    self.with(host, Simulated::sync);
                    let later = self.rng.between(300, 1_200) * MS;
                    self.after(later, Item::Sync(host, generation));
                }
            }
            Item::Copy(host, generation, connection, stamp) => {
                if self.alive(host, generation) && self.pipe_of(host, connection).is_some() {
                    self.copy_to(host, connection, stamp);
                }
            }
            Item::Fault => self.fault(),
            Item::Flip => self.flip(),
            Item::Mend(host, generation) => {
                if self.alive(host, generation) && !self.postpone(host, Item::Mend(host, generation)) {
                    self.trim(host);
                }
            }
            Item::Restart(host) => self.restart(host),
            Item::Wake(host) => self.wake(host),
            Item::ZooWrite { host, link, config, expected } => self.zoo_write(host, link, *config, expected),
            Item::ZooNotify { host, link, nodes } => self.zoo_notify(host, link, nodes),
            Item::ZooReply(host, link, event) => self.zoo_reply(host, link, *event),
            Item::ZooLost { host, link } => self.zoo_lost(host, link),
            Item::ZooConnect(host, generation) => self.zoo_connect(host, generation),
            Item::ZooExpire(host, session) => self.zoo_expire(host, session),
            Item::Undo(undo) => self.undo(&undo),
        }
    }

    /// The clocks of protocol and engine, and some of what followers have to apply.
    fn tick(&mut self, host: usize) {
        let steps = self.rng.below(4);
        let wall_ms = self.hosts[host].wall_ms(self.now);
        self.with_quietly(host, |process| process.engine().tick(wall_ms));
        self.with(host, |process| {
            process.turn(Event::Tick);
            for _ in 0..steps {
                process.apply();
            }
            process.flush();
        });
    }

    fn later_or_now(&mut self, host: usize, generation: u64, event: Box<Event>) {
        let it = &self.hosts[host];
        if it.paused_until > self.now || !it.inbox.is_empty() && !it.waking {
            self.postpone(host, Item::Event(host, generation, event));
        } else {
            self.deliver(host, *event);
        }
    }

    /// A paused process sees it when it wakes.
    pub fn postpone(&mut self, host: usize, item: Item) -> bool {
        let it = &mut self.hosts[host];
        if it.paused_until <= self.now && it.inbox.is_empty() || it.waking {
            return false;
        }
        it.inbox.push_back(item);
        if it.inbox.len() == 1 {
            let until = it.paused_until;
            self.at(until, Item::Wake(host));
        }
        true
    }

    /// Everything that came meanwhile, in the order in which it came.
    fn wake(&mut self, host: usize) {
        if self.hosts[host].paused_until > self.now {
            let until = self.hosts[host].paused_until;
            self.at(until, Item::Wake(host));
            return;
        }
        let asked_first = self.rng.percent(50);
        let it = &mut self.hosts[host];
        it.resume(self.now);
        if asked_first {
            // Each connection keeps its order; between them there is none.
            it.inbox.make_contiguous().sort_by_key(|item| !matches!(item, Item::Reach { .. }));
        }
        self.hosts[host].waking = true;
        while self.failed.is_none()
            && let Some(item) = self.hosts[host].inbox.pop_front()
        {
            self.happen(item);
        }
        self.hosts[host].waking = false;
    }

    pub fn alive(&self, host: usize, generation: u64) -> bool {
        self.hosts[host].process.is_some() && self.hosts[host].generation == generation
    }

    /// Who acts as the leader of the highest epoch.
    pub fn leading(&self) -> Option<usize> {
        let epoch =
            |host: &Host| host.process.as_ref().filter(|process| process.leads()).map(Simulated::epoch);
        (0..self.hosts.len())
            .filter(|host| epoch(&self.hosts[*host]).is_some())
            .max_by_key(|host| epoch(&self.hosts[*host]))
    }

    /// All run, and every key space holds what the leader's does.
    fn is_level(&self) -> bool {
        let Some(leader) = self.leading().and_then(|leader| self.hosts[leader].process.as_ref()) else {
            return false;
        };
        let end = leader.log().end();
        self.hosts.iter().all(|host| {
            host.process
                .as_ref()
                .is_some_and(|process| process.log().end() == end && process.applied() == end.offset)
        })
    }

    fn settled(&self) -> bool {
        self.answered_after_healing
            && self.hosts.iter().all(|host| host.process.is_some())
            && self.leading().is_some()
    }

    fn describe(&self) -> String {
        let mut text = format!(
            "{} always {} config {:?} nodes {:?}\n",
            self.durability,
            self.always,
            self.zoo.config,
            self.zoo.nodes.keys().collect::<Vec<_>>()
        );
        for host in &self.hosts {
            let status = host.process.as_ref().map(|process| {
                let (end, applied) = (process.log().end(), process.applied());
                let commit = process.gate().committed();
                format!(
                    "leads {} end {end} applied {applied} commit {commit} {:?}",
                    process.leads(),
                    process.status()
                )
            });
            let _ = writeln!(text, "{} {status:?}", host.id);
        }
        text
    }
}

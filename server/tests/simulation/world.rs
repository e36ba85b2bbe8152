//! The world: time, the queue of what happens next, and the network between the nodes.

use crate::callers::Caller;
use crate::host::Host;
use crate::rng::Rng;
use crate::zoo::Zoo;
use botellier_e2e::history::linear::{self, Operation};
use botellier_server::replication::member::{Config, Stamp};
use botellier_server::replication::protocol::{ConnectionId, Ending, Event};
use botellier_server::replication::wire::Frame;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt::Write;

pub const MS: u64 = 1_000_000;

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
    Call(usize),
    Flush(usize, u64),
    Sync(usize, u64),
    Copy(usize, u64, ConnectionId, Stamp),
    Fault,
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
    BadDisk(usize),
}

pub enum Parcel {
    Frame(Frame),
    Fin,
}

/// A TCP connection.
pub struct Pipe {
    pub hosts: [usize; 2],
    generations: [u64; 2],
    pub ids: [ConnectionId; 2],
    pub open: [bool; 2],
    queues: [VecDeque<Parcel>; 2],
    last: [u64; 2],
    broken: bool,
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
    next_pipe: u64,
    /// `cut[from][to]`: nothing gets through.
    pub cut: Vec<Vec<u32>>,
    pub zoo: Zoo,
    pub callers: Vec<Caller>,
    pub history: Vec<Operation>,
    pub next_operation: u64,
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
    pub faults: Vec<crate::faults::Kind>,
    pub pace: u64,
    pub healing: bool,
}

impl World {
    pub fn new(seed: u64, told: bool) -> Self {
        let mut rng = Rng::new(seed);
        let count = rng.between(2, 5).max(3) as usize;
        let durability = if rng.percent(60) { "required" } else { "preferred" }.to_owned();
        let always = rng.percent(40);
        let retention_bytes = if rng.percent(50) { 0 } else { rng.below(64 << 10) };
        let callers = (0..rng.between(2, 8)).map(|_| Caller::default()).collect();
        let faults = crate::faults::choose(&mut rng);
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
            answered: 0,
            ambiguous: 0,
            answered_after_healing: false,
            quiet: false,
            told,
            failed: None,
            durability,
            always,
            retention_bytes,
            faults,
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
        linear::check(&self.history).map_err(|anomaly| anomaly.to_string())
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
            Item::Call(caller) => self.call(caller),
            Item::Flush(host, generation) => {
                if self.alive(host, generation) && !self.postpone(host, Item::Flush(host, generation)) {
                    self.with(host, |process| process.flush());
                }
            }
            Item::Sync(host, generation) => {
                if self.alive(host, generation) && !self.postpone(host, Item::Sync(host, generation)) {
                    self.with(host, |process| process.sync());
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

    pub fn connect(&mut self, host: usize, connection: ConnectionId, target: usize) {
        self.next_pipe += 1;
        let pipe = Pipe {
            hosts: [host, target],
            generations: [self.hosts[host].generation, 0],
            ids: [connection, ConnectionId::incoming(self.next_pipe)],
            open: [true, false],
            queues: [VecDeque::new(), VecDeque::new()],
            last: [0, 0],
            broken: false,
        };
        self.pipes.insert(self.next_pipe, pipe);
        let delay = self.rng.between(1, 4) * MS;
        self.after(delay, Item::Dial { pipe: self.next_pipe, since: self.now });
    }

    fn dial(&mut self, id: u64, since: u64) {
        let Some(pipe) = self.pipes.get(&id) else { return };
        let [from, to] = pipe.hosts;
        if !pipe.open[0] {
            return;
        }
        let blocked = self.cut[from][to] > 0 || self.cut[to][from] > 0;
        if blocked && self.now < since + 1_000 * MS {
            self.after(50 * MS, Item::Dial { pipe: id, since });
            return;
        }
        if blocked || self.hosts[to].process.is_none() {
            self.after(MS, Item::Ended { pipe: id, side: 0, ending: Ending::Broken });
            return;
        }
        let generation = self.hosts[to].generation;
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        pipe.generations[1] = generation;
        pipe.open[1] = true;
        let (connection, mine) = (pipe.ids[0], pipe.generations[0]);
        self.after(MS, Item::Event(from, mine, Box::new(Event::Opened { connection })));
    }

    pub fn pipe_of(&self, host: usize, connection: ConnectionId) -> Option<(u64, usize)> {
        let generation = self.hosts[host].generation;
        self.pipes.iter().rev().find_map(|(id, pipe)| {
            let is = |side: usize| {
                pipe.hosts[side] == host
                    && pipe.ids[side] == connection
                    && pipe.generations[side] == generation
            };
            (0..2).find(|side| is(*side) && pipe.open[*side]).map(|side| (*id, side))
        })
    }

    pub fn send(&mut self, host: usize, connection: ConnectionId, parcel: Parcel) {
        let Some((id, side)) = self.pipe_of(host, connection) else { return };
        let latency = self.rng.between(300_000, 3 * MS);
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        if pipe.broken {
            return;
        }
        let other = 1 - side;
        let time = pipe.last[other].max(self.now + latency);
        pipe.last[other] = time;
        pipe.queues[other].push_back(parcel);
        let since = self.now;
        self.at(time, Item::Arrive { pipe: id, side: other, since });
    }

    fn arrive(&mut self, id: u64, side: usize, since: u64) {
        let Some(pipe) = self.pipes.get(&id) else { return };
        let (to, from) = (pipe.hosts[side], pipe.hosts[1 - side]);
        if self.cut[from][to] > 0 {
            if self.now > since + 1_500 * MS {
                self.snap(id);
            } else {
                self.after(20 * MS, Item::Arrive { pipe: id, side, since });
            }
            return;
        }
        if self.postpone(to, Item::Arrive { pipe: id, side, since }) {
            return;
        }
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        let Some(parcel) = pipe.queues[side].pop_front() else { return };
        if !pipe.open[side] {
            return;
        }
        let (connection, generation) = (pipe.ids[side], pipe.generations[side]);
        if !self.alive(to, generation) {
            return;
        }
        match parcel {
            Parcel::Frame(frame) => self.deliver(to, Event::Frame { connection, frame }),
            Parcel::Fin => self.ended(id, side, Ending::Orderly),
        }
    }

    fn ended(&mut self, id: u64, side: usize, ending: Ending) {
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        if !pipe.open[side] {
            return;
        }
        let (host, connection, generation) = (pipe.hosts[side], pipe.ids[side], pipe.generations[side]);
        if self.postpone(host, Item::Ended { pipe: id, side, ending }) {
            return;
        }
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        pipe.open[side] = false;
        let both = !pipe.open[0] && !pipe.open[1];
        if self.alive(host, generation) {
            self.deliver(host, Event::Closed { connection, ending });
            // The event was seen; only now the other side learns of it.
            self.end_other(id, side, false);
        }
        if both {
            self.pipes.remove(&id);
        }
    }

    /// One side is done: the other sees an orderly end after all that was sent, or a reset.
    pub fn close(&mut self, host: usize, connection: ConnectionId) {
        let Some((id, side)) = self.pipe_of(host, connection) else { return };
        let abrupt = self.rng.percent(25);
        self.end_other(id, side, abrupt);
        if let Some(pipe) = self.pipes.get_mut(&id) {
            pipe.open[side] = false;
        }
    }

    pub fn end_other(&mut self, id: u64, side: usize, abrupt: bool) {
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        let other = 1 - side;
        if !pipe.open[other] || pipe.broken {
            return;
        }
        if abrupt {
            let keep = self.rng.below(pipe.queues[other].len() as u64 + 1) as usize;
            pipe.queues[other].truncate(keep);
            let (host, connection, generation) =
                (pipe.hosts[other], pipe.ids[other], pipe.generations[other]);
            let reaches = self.cut[pipe.hosts[side]][host] == 0;
            let delay = self.rng.between(1, 4) * MS;
            self.after(delay, Item::Ended { pipe: id, side: other, ending: Ending::Broken });
            // The watch ends in order all the same.
            if other == 0 && reaches && self.rng.percent(70) {
                let delay = self.rng.between(1, 10) * MS;
                let event = Event::Closed { connection, ending: Ending::Orderly };
                self.after(delay, Item::Event(host, generation, Box::new(event)));
            }
        } else {
            pipe.queues[other].push_back(Parcel::Fin);
            let time = pipe.last[other].max(self.now + MS);
            pipe.last[other] = time;
            let since = self.now;
            self.at(time, Item::Arrive { pipe: id, side: other, since });
        }
    }

    /// The connection is gone; the two sides notice when they notice.
    pub fn snap(&mut self, id: u64) {
        let (one, two) = (self.rng.below(1_000 * MS), self.rng.below(1_000 * MS));
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        if pipe.broken {
            return;
        }
        pipe.broken = true;
        for queue in &mut pipe.queues {
            let keep = self.rng.below(queue.len() as u64 + 1) as usize;
            queue.truncate(keep);
        }
        self.after(one, Item::Ended { pipe: id, side: 0, ending: Ending::Broken });
        self.after(two, Item::Ended { pipe: id, side: 1, ending: Ending::Broken });
    }

    /// The process is gone: its sockets are closed by its kernel.
    pub fn drop_pipes(&mut self, host: usize, generation: u64, power: bool) {
        let mine: Vec<(u64, usize)> = self
            .pipes
            .iter()
            .flat_map(|(id, pipe)| {
                (0..2)
                    .filter(|side| pipe.hosts[*side] == host && pipe.generations[*side] == generation)
                    .filter(|side| pipe.open[*side])
                    .map(|side| (*id, side))
            })
            .collect();
        for (id, side) in mine {
            if power {
                self.snap(id);
            } else {
                let abrupt = self.rng.percent(40);
                self.end_other(id, side, abrupt);
            }
            if let Some(pipe) = self.pipes.get_mut(&id) {
                pipe.open[side] = false;
            }
        }
    }

    /// Who acts as the leader of the highest epoch.
    pub fn leading(&self) -> Option<usize> {
        let epoch = |host: &Host| {
            host.process.as_ref().filter(|process| process.leads()).map(|process| process.status().epoch)
        };
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

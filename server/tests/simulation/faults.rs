//! What goes wrong, and the registry's side of it.

use crate::rng::Rng;
use crate::world::{Item, MS, Undo, World};
use botellier_server::metrics::heap;
use botellier_server::replication::log::memory::{Crash, MemoryDisk};
use botellier_server::replication::member::{Config, NodeInfo};
use botellier_server::replication::protocol::{Event, HandoverRequest, RegistryEvent, WriteOutcome};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Kill,
    Power,
    EmptyDisk,
    Pause,
    Cut,
    Isolate,
    Snap,
    ZooCut,
    ZooDown,
    ZooWipe,
    Handover,
    Trim,
    BadDisk,
    FullDisk,
    /// The whole machine stands still, and one of its clocks with it.
    Suspend,
    /// Whoever has just begun to lead is hit.
    Ambush,
    /// A session ends although its node is well.
    ZooExpire,
    ClockStep,
    /// Memory is short for a moment.
    Press,
}

const KINDS: [Kind; 19] = [
    Kind::Kill,
    Kind::Power,
    Kind::EmptyDisk,
    Kind::Pause,
    Kind::Cut,
    Kind::Isolate,
    Kind::Snap,
    Kind::ZooCut,
    Kind::ZooDown,
    Kind::ZooWipe,
    Kind::Handover,
    Kind::Trim,
    Kind::BadDisk,
    Kind::FullDisk,
    Kind::Suspend,
    Kind::Ambush,
    Kind::ZooExpire,
    Kind::ClockStep,
    Kind::Press,
];

/// What must not make a pair that stays together change its roles (rule 9).
pub const REGISTRY_ONLY: [Kind; 3] = [Kind::ZooCut, Kind::ZooDown, Kind::ZooExpire];

/// Each run has some of them: rare mixes come up sooner than if all were there always.
pub fn choose(rng: &mut Rng) -> Vec<Kind> {
    if rng.percent(5) {
        return REGISTRY_ONLY.to_vec();
    }
    let share = rng.between(20, 90);
    let mut kinds: Vec<Kind> = KINDS.into_iter().filter(|_| rng.percent(share)).collect();
    // Empty nodes that meet an empty registry form a new cluster: nothing they could know tells them not to.
    if kinds.contains(&Kind::EmptyDisk) {
        kinds.retain(|kind| *kind != Kind::ZooWipe);
    }
    kinds
}

fn config_event(config: Option<(Config, i32)>) -> Event {
    Event::Registry(RegistryEvent::Config(config))
}

impl World {
    pub fn fault(&mut self) {
        if self.healing {
            return;
        }
        let pause = self.rng.between(self.pace / 4, self.pace * 2);
        self.after(pause, Item::Fault);
        if self.faults.is_empty() && self.rate.is_some() {
            self.settle_pair();
        }
        if self.faults.is_empty() || self.faults == REGISTRY_ONLY && !self.starts_settled() {
            return;
        }
        let kind = self.faults[self.rng.below(self.faults.len() as u64) as usize];
        // Half of the time it hits whoever leads.
        let any = self.rng.below(self.hosts.len() as u64) as usize;
        let host = if self.rng.percent(50) { self.leading().unwrap_or(any) } else { any };
        self.tell(|| format!("-- {kind:?} n{host}"));
        match kind {
            Kind::Kill => self.kill(host, None),
            Kind::Power => self.power(host),
            Kind::EmptyDisk => self.empty_disk(host),
            Kind::Cut | Kind::Isolate | Kind::Snap => self.fault_of_network(kind, host),
            Kind::ZooCut | Kind::ZooDown | Kind::ZooWipe | Kind::ZooExpire => {
                self.fault_of_registry(kind, host);
            }
            Kind::Handover => self.handover(host),
            Kind::Trim => self.trim(host),
            Kind::BadDisk => self.bad_disk(host),
            Kind::FullDisk => self.full_disk(host),
            Kind::Pause => self.pause(host),
            Kind::Suspend => {
                let length = self.rng.between(100, 3_000) * MS;
                let it = &mut self.hosts[host];
                it.paused_until = it.paused_until.max(self.now + length);
                it.suspended_since.get_or_insert(self.now);
                let until = it.paused_until;
                self.at(until, Item::Wake(host));
            }
            // Others are laid when somebody begins to lead.
            Kind::Ambush => {
                if let Some(leader) = self.leading() {
                    self.cut_off_others(leader);
                }
            }
            Kind::ClockStep => {
                let step = self.rng.below(20_000) as i64 - 10_000;
                self.hosts[host].skew_ms += step;
            }
            Kind::Press => {
                let looks = self.rng.below(12) as u32;
                let wall_ms = self.hosts[host].wall_ms(self.now);
                self.with(host, |process| {
                    heap::press(looks);
                    process.engine().tick(wall_ms);
                    heap::press(0);
                    process.flush();
                });
            }
        }
    }

    pub fn pause(&mut self, host: usize) {
        let length = self.rng.between(20, 1_500) * MS;
        self.hosts[host].paused_until = self.hosts[host].paused_until.max(self.now + length);
    }

    fn fault_of_network(&mut self, kind: Kind, host: usize) {
        match kind {
            Kind::Cut => {
                let other = self.rng.below(self.hosts.len() as u64) as usize;
                let length = self.rng.between(50, 3_000) * MS;
                self.block(host, other, length);
                if self.rng.percent(50) {
                    self.block(other, host, length);
                }
            }
            Kind::Isolate => self.isolate(host),
            _ => {
                let pipes: Vec<u64> = self.pipes.keys().copied().collect();
                if !pipes.is_empty() {
                    let pipe = pipes[self.rng.below(pipes.len() as u64) as usize];
                    self.snap(pipe);
                }
            }
        }
    }

    fn fault_of_registry(&mut self, kind: Kind, host: usize) {
        match kind {
            Kind::ZooCut => {
                let length = self.rng.between(20, 6_000) * MS;
                self.zoo_cut(host, length);
            }
            Kind::ZooDown => {
                let length = self.rng.between(50, 3_000) * MS;
                self.zoo.down = true;
                for host in 0..self.hosts.len() {
                    self.zoo_break(host);
                }
                self.after(length, Item::Undo(Undo::ZooDown));
            }
            Kind::ZooWipe => {
                // The same holds for nodes that have not yet learned that there is a cluster.
                let known = self.hosts.iter().all(|host| host.config.is_some());
                if known && self.rng.percent(30) {
                    self.zoo.wipe(self.now);
                    self.drop_writes();
                    for host in 0..self.hosts.len() {
                        self.zoo_break(host);
                    }
                }
            }
            _ => {
                let id = self.hosts[host].id.clone();
                if self.zoo.nodes.remove(&id).is_some() {
                    self.zoo_watch(true);
                    let notice = self.rng.below(2_000) * MS;
                    let link = self.hosts[host].zoo_link;
                    self.hosts[host].zoo_connected = false;
                    self.after(notice, Item::ZooLost { host, link });
                }
            }
        }
    }

    /// Whether there is a pair that answers; its roles are remembered.
    fn starts_settled(&mut self) -> bool {
        if self.settled_epoch.is_none()
            && self.answered > 0
            && self.zoo.config.as_ref().is_some_and(|(config, _)| config.synced.is_some())
        {
            (self.settled_epoch, self.settled_leader) = (Some(self.epoch), self.leading());
        }
        self.settled_epoch.is_some()
    }

    /// From when there is a pair that answers, huge values alone must not change it.
    fn settle_pair(&mut self) {
        let changing = !self.flying_configs().is_empty();
        if self.settled_pair.is_none() && self.answered > 0 && !changing {
            self.settled_pair = self.pair().filter(|(_, synced)| synced.is_some());
        }
    }

    fn full_disk(&mut self, host: usize) {
        let used: u64 = self.hosts[host].disk.files().iter().map(|(_, bytes)| *bytes as u64).sum();
        let room = self.rng.below(2_000);
        let it = &mut self.hosts[host];
        it.disk.limit_bytes(used + room);
        it.fills += 1;
        let (length, fills) = (self.rng.between(50, 2_000) * MS, self.hosts[host].fills);
        self.after(length, Item::Undo(Undo::FullDisk(host, fills)));
    }

    pub fn isolate(&mut self, host: usize) {
        let length = self.rng.between(50, 3_000) * MS;
        for other in 0..self.hosts.len() {
            self.block(host, other, length);
            self.block(other, host, length);
        }
        if self.rng.percent(50) {
            self.zoo_cut(host, length);
        }
    }

    /// Whether the data of this node may be lost: somebody else must hold all that was acknowledged.
    fn expendable(&self, host: usize) -> bool {
        let Some((config, _)) = &self.zoo.config else { return false };
        let id = &self.hosts[host].id;
        if config.pair().all(|member| member.id != *id) {
            return true;
        }
        config.pair().any(|member| {
            self.hosts.iter().any(|other| {
                other.id != *id
                    && other.id == member.id
                    && other.incarnation() == member.incarnation
                    && other.whole
                    && !other.is_damaged()
            })
        })
    }

    /// The same under every write that may still reach the registry.
    pub fn expendable_whatever_comes(&mut self, host: usize, power: bool) -> bool {
        let now = self.zoo.config.clone();
        let mut all = self.expendable(host);
        for config in self.flying_configs() {
            // A leader that is about to be alone has fsynced what it may lose.
            if power && config.synced.is_none() {
                continue;
            }
            self.zoo.config = Some((config, 0));
            all &= self.expendable(host);
        }
        self.zoo.config = now;
        all
    }

    pub fn power(&mut self, host: usize) {
        if !self.always && !self.expendable_whatever_comes(host, true) {
            return;
        }
        self.kill(host, Some(Crash::Machine));
        if !self.always {
            self.hosts[host].whole = false;
        }
    }

    fn empty_disk(&mut self, host: usize) {
        if !self.expendable_whatever_comes(host, false) || !self.rng.percent(40) {
            return;
        }
        self.kill(host, Some(Crash::Machine));
        self.exchange_disk(host);
    }

    /// An empty one is in the place of its disk.
    pub fn exchange_disk(&mut self, host: usize) {
        let seed = self.rng.next();
        let it = &mut self.hosts[host];
        it.disks += 1;
        it.disk = MemoryDisk::new(seed);
        (it.config, it.whole) = (None, true);
    }

    pub fn block(&mut self, from: usize, to: usize, length: u64) {
        if from != to {
            self.cut[from][to] += 1;
            self.after(length, Item::Undo(Undo::Cut(from, to)));
        }
    }

    pub fn undo(&mut self, undo: &Undo) {
        match undo {
            Undo::Cut(from, to) => self.cut[*from][*to] = self.cut[*from][*to].saturating_sub(1),
            Undo::ZooCut(host) => self.hosts[*host].zoo_cut = self.hosts[*host].zoo_cut.saturating_sub(1),
            Undo::ZooDown => self.zoo.down = false,
            Undo::SlowReads(host) => self.pump(*host),
            Undo::BadDisk(host) => self.kill(*host, Some(Crash::Machine)),
            Undo::FullDisk(host, fills) => {
                if self.hosts[*host].fills == *fills {
                    self.hosts[*host].disk.limit_bytes(u64::MAX);
                }
            }
        }
    }

    pub fn heal(&mut self) {
        self.healing = true;
        self.zoo.down = false;
        for row in &mut self.cut {
            row.fill(0);
        }
        for host in 0..self.hosts.len() {
            self.hosts[host].zoo_cut = 0;
            self.hosts[host].disk.limit_bytes(u64::MAX);
            self.hosts[host].reads_from = 0;
            self.after(100 * MS, Item::Restart(host));
        }
    }

    fn handover(&mut self, host: usize) {
        if self.hosts[host].process.is_none() || self.hosts[host].paused_until > self.now {
            return;
        }
        let to = self.rng.below(self.hosts.len() as u64) as usize;
        let to = self.rng.percent(50).then(|| self.hosts[to].id.clone());
        let timeout = Duration::from_millis(self.rng.between(1, 2_000));
        let force = self.rng.percent(20);
        if self.rng.percent(10) {
            self.deliver(host, Event::AbortHandover);
        } else {
            self.deliver(host, Event::Handover(HandoverRequest { to, timeout, force }));
        }
    }

    /// A snapshot is taken, and the log before it goes.
    pub fn trim(&mut self, host: usize) {
        if self.hosts[host].taking.is_some() {
            return;
        }
        let mut taking = None;
        self.with(host, |process| taking = process.begin_snapshot().ok());
        if self.hosts[host].process.is_some() {
            self.hosts[host].taking = taking;
            self.snapshot_later(host);
        }
    }

    /// Its disk is quick, or stands still for a while.
    fn snapshot_later(&mut self, host: usize) {
        let pause = if self.rng.percent(90) { self.rng.between(1, 20) } else { self.rng.between(50, 1_500) };
        let generation = self.hosts[host].generation;
        self.after(pause * MS, Item::Snapshot(host, generation));
    }

    pub fn step_snapshot(&mut self, host: usize) {
        let Some(mut taking) = self.hosts[host].taking.take() else { return };
        let mut left = None;
        self.with(host, |process| {
            let stepped = match process.step_snapshot(&mut taking) {
                Ok(true) => Ok(Some(taking)),
                Ok(false) => process.finish_snapshot(taking).map(Result::err),
                Err(error) => Err(error),
            };
            if stepped.is_err() {
                process.engine().keyspace.end_walk();
            }
            left = stepped.ok().flatten();
        });
        if left.is_some() && self.hosts[host].process.is_some() {
            self.hosts[host].taking = left;
            self.snapshot_later(host);
        }
    }

    /// The disk syncs no more; a little later the power fails too, so that what was not synced shows.
    fn bad_disk(&mut self, host: usize) {
        if self.always && self.hosts[host].process.is_some() {
            self.hosts[host].disk.fail_syncs(true);
            let later = self.rng.between(20, 400) * MS;
            self.after(later, Item::Undo(Undo::BadDisk(host)));
        }
    }

    fn zoo_cut(&mut self, host: usize, length: u64) {
        self.hosts[host].zoo_cut += 1;
        self.zoo_break(host);
        self.after(length, Item::Undo(Undo::ZooCut(host)));
    }

    /// The connection to the registry is gone; the node notices when it notices.
    fn zoo_break(&mut self, host: usize) {
        if self.hosts[host].process.is_none() || !self.hosts[host].zoo_connected {
            return;
        }
        self.hosts[host].zoo_connected = false;
        let link = self.hosts[host].zoo_link;
        let notice = if self.rng.percent(50) { self.rng.below(20 * MS) } else { self.rng.below(2_000 * MS) };
        self.after(notice, Item::ZooLost { host, link });
        let session = self.hosts[host].session;
        self.after(4_000 * MS, Item::ZooExpire(host, session));
    }

    pub fn zoo_lost(&mut self, host: usize, link: u64) {
        if self.hosts[host].process.is_none() || self.hosts[host].zoo_link != link {
            return;
        }
        self.hosts[host].zoo_link += 1;
        self.tell(|| format!("n{host} loses the registry"));
        let generation = self.hosts[host].generation;
        for attempt in std::mem::take(&mut self.hosts[host].zoo_flying) {
            let event = RegistryEvent::Written { attempt, outcome: WriteOutcome::Undecided };
            self.at(self.now, Item::Event(host, generation, Box::new(Event::Registry(event))));
        }
        self.at(self.now, Item::Event(host, generation, Box::new(Event::Registry(RegistryEvent::Lost))));
        let again = self.rng.between(1, 200) * MS;
        self.after(again, Item::ZooConnect(host, generation));
    }

    pub fn zoo_connect(&mut self, host: usize, generation: u64) {
        if !self.alive(host, generation) || self.hosts[host].zoo_connected {
            return;
        }
        if self.zoo.down || self.hosts[host].zoo_cut > 0 {
            self.after(100 * MS, Item::ZooConnect(host, generation));
            return;
        }
        self.hosts[host].zoo_connected = true;
        self.hosts[host].zoo_link += 1;
        self.tell(|| format!("n{host} reaches the registry"));
        self.hosts[host].session += 1;
        self.hosts[host].zoo_ensemble = self.zoo.ensemble;
        let config = if self.rng.percent(20) {
            let lag = self.rng.below(1_000 * MS);
            self.zoo.stale(self.now, lag)
        } else {
            self.zoo.config.clone()
        };
        let link = self.hosts[host].zoo_link;
        self.zoo_event(host, link, Event::Registry(RegistryEvent::Restored));
        self.zoo_event(host, link, config_event(config));
        // What is listed is read when it is told, as watches would tell of later changes.
        self.at(self.hosts[host].zoo_last, Item::ZooNotify { host, link, nodes: true });
        // The server catches up.
        self.after(1_000 * MS, Item::ZooNotify { host, link, nodes: false });
    }

    fn zoo_event(&mut self, host: usize, link: u64, event: Event) {
        let delay = if self.rng.percent(95) { self.rng.between(1, 5) } else { self.rng.between(5, 300) };
        let time = self.hosts[host].zoo_last.max(self.now + delay * MS);
        self.hosts[host].zoo_last = time;
        self.at(time, Item::ZooReply(host, link, Box::new(event)));
    }

    pub fn zoo_reply(&mut self, host: usize, link: u64, event: Event) {
        if self.hosts[host].process.is_none() || self.hosts[host].zoo_link != link {
            return;
        }
        if let Event::Registry(RegistryEvent::Written { attempt, .. }) = &event {
            self.hosts[host].zoo_flying.retain(|flying| flying != attempt);
        }
        let generation = self.hosts[host].generation;
        self.at(self.now, Item::Event(host, generation, Box::new(event)));
    }

    pub fn zoo_expire(&mut self, host: usize, session: u64) {
        let id = self.hosts[host].id.clone();
        if self.zoo.nodes.get(&id).is_some_and(|(_, owner)| *owner == session)
            && !self.hosts[host].zoo_connected
        {
            self.zoo.nodes.remove(&id);
            self.zoo_watch(true);
        }
    }

    pub fn zoo_send(&mut self, host: usize, config: Config, expected: Option<i32>) {
        let link = self.hosts[host].zoo_link;
        self.hosts[host].zoo_flying.push(config.attempt.clone());
        if self.hosts[host].zoo_ensemble != self.zoo.ensemble {
            return;
        }
        let delay = if self.hosts[host].zoo_connected && self.rng.percent(90) {
            self.rng.between(1, 5)
        } else {
            // On its way for long, perhaps past the end of the session and of the process.
            self.rng.between(5, 3_000)
        };
        if self.hosts[host].zoo_connected || self.rng.percent(50) {
            self.after(delay * MS, Item::ZooWrite { host, link, config: Box::new(config), expected });
        }
    }

    pub fn zoo_write(&mut self, host: usize, link: u64, config: Config, expected: Option<i32>) {
        let attempt = config.attempt.clone();
        let outcome = match self.zoo.write(self.now, config, expected) {
            Some(version) => WriteOutcome::Won { version },
            None => WriteOutcome::Lost,
        };
        self.tell(|| format!("registry: n{host} {outcome:?}, now {:?}", self.zoo.config));
        let answered = self.hosts[host].zoo_link == link && self.hosts[host].zoo_connected;
        if answered && self.hosts[host].process.is_some() {
            self.zoo_event(host, link, Event::Registry(RegistryEvent::Written { attempt, outcome }));
        }
        if outcome != WriteOutcome::Lost {
            self.zoo_watch(false);
            self.interrupt_change();
        }
    }

    fn zoo_watch(&mut self, nodes: bool) {
        for host in 0..self.hosts.len() {
            let link = self.hosts[host].zoo_link;
            let delay =
                if self.rng.percent(90) { self.rng.between(1, 10) } else { self.rng.between(10, 1_000) };
            self.after(delay * MS, Item::ZooNotify { host, link, nodes });
        }
    }

    pub fn zoo_notify(&mut self, host: usize, link: u64, nodes: bool) {
        let it = &self.hosts[host];
        if it.process.is_none() || it.zoo_link != link || !it.zoo_connected {
            return;
        }
        let event = if nodes {
            Event::Registry(RegistryEvent::Nodes(self.zoo.listed()))
        } else {
            config_event(self.zoo.config.clone())
        };
        let generation = self.hosts[host].generation;
        self.at(self.now, Item::Event(host, generation, Box::new(event)));
    }

    pub fn zoo_announce(&mut self, host: usize, info: NodeInfo) {
        if self.hosts[host].zoo_connected {
            let session = self.hosts[host].session;
            self.zoo.nodes.insert(info.id.clone(), (info, session));
            self.zoo_watch(true);
        }
    }
}

//! One node: its process, with the machine inside and a pretence of an engine around it, on its disk.

use crate::check::Operation;
use crate::disk::{Disk, Log};
use crate::rng::Rng;
use crate::world::{Item, MS, Parcel, World};
use botellier_server::election::candidate::{Birth, Candidate};
use botellier_server::replication::member::{FORMAT, NodeInfo, RoleName};
use botellier_server::replication::protocol::{Action, ConnectionId, Event, Settings};
use botellier_server::replication::time::Time;
use botellier_server::replication::wire::{Body, Frame};
use botellier_server::replication::{Offset, Position};
use bytes::BytesMut;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub struct Host {
    pub id: String,
    pub generation: u64,
    pub process: Option<Process>,
    pub disk: Disk,
    pub paused_until: u64,
    /// What came while it was paused.
    pub inbox: VecDeque<Item>,
    pub waking: bool,
    /// The clock: parts per thousand of drift, and where it started.
    drift: i64,
    start: u64,
    pub zoo_cut: u32,
    pub zoo_link: u64,
    pub zoo_connected: bool,
    pub zoo_last: u64,
    pub zoo_flying: Vec<String>,
    pub session: u64,
    pub answered_after_healing: bool,
}

pub struct Process {
    pub machine: Candidate,
    pub leading: Option<u64>,
    base: Offset,
    pub commit: Offset,
    pub lease: Time,
    pub writable: bool,
    draining: bool,
    pub applied: Offset,
    /// Surely committed. A leader that was deposed has applied more, and shows nothing until that is mended.
    committed: Offset,
    /// Executed, but not to be answered yet.
    pub replies: VecDeque<(Operation, Offset)>,
    streams: BTreeMap<ConnectionId, (u64, u64, Offset)>,
    partial: BytesMut,
    copy: Option<(Position, BytesMut)>,
}

impl Host {
    pub fn new(index: usize, rng: &mut Rng) -> Self {
        let mut disk = Disk { incarnation: 1, ..Disk::default() };
        disk.memory.whole = true;
        Self {
            id: format!("n{index}"),
            generation: 0,
            process: None,
            disk,
            paused_until: 0,
            inbox: VecDeque::new(),
            waking: false,
            drift: rng.below(41) as i64 - 20,
            start: rng.below(1_000_000 * MS),
            zoo_cut: 0,
            zoo_link: 0,
            zoo_connected: false,
            zoo_last: 0,
            zoo_flying: Vec::new(),
            session: 0,
            answered_after_healing: false,
        }
    }

    pub fn clock(&self, now: u64) -> Time {
        Time::from_nanos(self.start + (now as i64 + now as i64 / 1000 * self.drift) as u64)
    }

    pub fn info(&self) -> NodeInfo {
        NodeInfo {
            format: FORMAT,
            id: self.id.clone(),
            incarnation: format!("{}-{}", self.id, self.disk.incarnation),
            host: self.id.clone(),
            port: 1,
            replication_port: 2,
            zone: None,
            epoch: 0,
            offset: 0,
            role: RoleName::Replica,
            position: Position::START,
            whole: false,
            cluster: None,
            remembered: None,
        }
    }
}

impl World {
    pub fn restart(&mut self, host: usize) {
        if self.hosts[host].process.is_some() {
            return;
        }
        let always = self.always;
        let settings = Settings::new(self.durability, Duration::from_millis(400));
        let seed = (u128::from(self.rng.next()) << 64) | u128::from(self.rng.next());
        let it = &mut self.hosts[host];
        it.generation += 1;
        // What a killed process wrote is in the operating system, and is synced in time.
        let end = it.disk.log.end().offset;
        it.disk.log.synced = end;
        let birth = Birth {
            settings,
            info: it.info(),
            log: it.disk.log.state(always),
            commit: it.disk.snapshot,
            memory: it.disk.memory.clone(),
            seed,
        };
        let machine = Candidate::new(it.clock(self.now), birth);
        it.process = Some(Process {
            machine,
            leading: None,
            base: 0,
            commit: 0,
            lease: Time::ZERO,
            writable: false,
            draining: false,
            applied: it.disk.snapshot,
            committed: it.disk.snapshot,
            replies: VecDeque::new(),
            streams: BTreeMap::new(),
            partial: BytesMut::new(),
            copy: None,
        });
        let generation = it.generation;
        self.tell(|| format!("n{host} starts, log at {}", self.hosts[host].disk.log.end()));
        self.after(MS, Item::Tick(host, generation));
        self.after(5 * MS, Item::ZooConnect(host, generation));
    }

    /// Hands an event to the machine and carries out what it orders, until nothing is left to do.
    pub fn deliver(&mut self, host: usize, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = self.hosts[host].clock(self.now);
            let Some(process) = &mut self.hosts[host].process else { return };
            if self.told && !matches!(event, Event::Tick) {
                let line = format!("{event:?}");
                println!("{:>10.3} n{host} <- {:.300}", self.now as f64 / MS as f64, line);
            }
            let mut actions = Vec::new();
            process.machine.on(now, event, &mut actions);
            for action in actions {
                self.tell(|| format!("n{host} -> {:.300}", format!("{action:?}")));
                self.perform(host, action, &mut events);
                if self.failed.is_some() {
                    return;
                }
            }
        }
        self.release(host);
    }

    fn process(&mut self, host: usize) -> &mut Process {
        self.hosts[host].process.as_mut().expect("only living processes act")
    }

    fn perform(&mut self, host: usize, action: Action, events: &mut VecDeque<Event>) {
        match action {
            Action::Connect { connection, host: name, .. } => {
                let target = self.hosts.iter().position(|host| host.id == name).expect("a node's name");
                self.connect(host, connection, target);
            }
            Action::Greet { .. } => self.greet(host, &action),
            Action::Send { connection, frame } => self.send(host, connection, Parcel::Frame(frame)),
            Action::Close { connection } => {
                self.process(host).streams.remove(&connection);
                self.close(host, connection);
            }
            Action::Compare { connection, history } => {
                let log = &self.hosts[host].disk.log;
                let shared = log.history().shared_with(&history).and_then(|offset| log.position_at(offset));
                let shared = shared.filter(|at| at.offset != history.end.offset || *at == history.end);
                events.push_back(Event::Compared { connection, shared });
            }
            Action::Stream { connection, stamp, from } => {
                assert!(from <= self.hosts[host].disk.log.end().offset, "streams from where the log is");
                self.process(host).streams.insert(connection, (stamp.epoch, stamp.version, from));
                self.pump(host);
            }
            Action::CopyTo { connection, stamp } => {
                self.copy_to(host, connection, stamp.epoch, stamp.version);
            }
            Action::Append { bytes } => {
                let it = &mut self.hosts[host];
                let process = it.process.as_mut().expect("only living processes act");
                process.partial.extend_from_slice(&bytes);
                if it.disk.log.append_raw(&mut process.partial) {
                    self.moved(host, events);
                } else {
                    events.push_back(Event::Rejected);
                }
            }
            Action::Truncate { to } => {
                let snapshot = self.hosts[host].disk.snapshot;
                let done = to.offset >= snapshot && self.hosts[host].disk.log.truncate(to);
                let process = self.process(host);
                process.applied = process.applied.min(to.offset);
                self.moved(host, events);
                events.push_back(Event::Truncated { done });
            }
            Action::CopyBegin { position, .. } => self.process(host).copy = Some((position, BytesMut::new())),
            Action::CopyChunk { bytes } => {
                if let Some((_, data)) = &mut self.process(host).copy {
                    data.extend_from_slice(&bytes);
                }
            }
            Action::CopyAbort => self.process(host).copy = None,
            Action::Sync => {
                let (generation, end) = (self.hosts[host].generation, self.hosts[host].disk.log.end().offset);
                let delay = self.rng.between(MS / 2, 10 * MS);
                self.after(delay, Item::Synced(host, generation, end));
            }
            Action::Install => self.install(host, events),
            Action::Apply { upto } => {
                let end = self.hosts[host].disk.log.end().offset;
                assert!(upto <= end, "applies what it has");
                let process = self.process(host);
                process.applied = process.applied.max(upto);
                process.committed = process.committed.max(upto);
            }
            action => self.perform_role(host, action, events),
        }
    }

    fn perform_role(&mut self, host: usize, action: Action, events: &mut VecDeque<Event>) {
        let end = self.hosts[host].disk.log.end().offset;
        let process = self.process(host);
        match action {
            Action::Commit { offset } => {
                process.commit = offset;
                process.committed = process.committed.max(offset);
            }
            Action::Lease { until } => process.lease = until,
            Action::Writable(writable) => process.writable = writable,
            Action::Lead { epoch, base } => {
                assert_eq!(base, end);
                (process.leading, process.base, process.applied) = (Some(epoch), base, end);
                process.draining = false;
                self.tell(|| format!("n{host} LEADS in epoch {epoch} from {base}"));
            }
            Action::StepDown => {
                process.leading = None;
                process.draining = false;
                process.replies.clear();
                process.streams.clear();
            }
            Action::Drain => {
                process.draining = true;
                events.push_back(Event::Drained { end });
            }
            Action::Undrain => process.draining = false,
            Action::HandoverEnded(_) | Action::Follow { .. } | Action::Note(_) => {}
            Action::Remember(memory) => {
                let (id, before) = (&self.hosts[host].id, &self.hosts[host].disk.memory.config);
                let own = memory.config.as_ref().is_some_and(|config| {
                    config.leader.id == *id && before.as_ref().is_none_or(|before| !before.same_pair(config))
                });
                let always = self.always;
                self.hosts[host].disk.remember(memory, always || own);
            }
            Action::Write { config, expected } => self.zoo_send(host, config, expected),
            Action::Refresh => {
                let link = self.hosts[host].zoo_link;
                let delay = self.rng.between(1, 6) * MS;
                self.after(delay, Item::ZooNotify { host, link, nodes: false });
            }
            Action::Announce(info) => self.zoo_announce(host, *info),
            other => unreachable!("{other:?}"),
        }
    }

    fn greet(&mut self, host: usize, action: &Action) {
        use botellier_server::replication::wire::{Hello, PROTOCOL};
        let Action::Greet { connection, stamp, whole, copy, cluster } = action else { return };
        let it = &mut self.hosts[host];
        if let Some(process) = &mut it.process {
            process.partial.clear();
        }
        let info = it.info();
        let hello = Hello {
            protocol: PROTOCOL,
            cluster: cluster.clone(),
            id: info.id,
            incarnation: info.incarnation,
            remembered: *stamp,
            whole: *whole,
            copy: *copy,
            history: it.disk.log.history(),
            ..Hello::default()
        };
        let frame = Frame { epoch: stamp.epoch, version: stamp.version, body: Body::Hello(Box::new(hello)) };
        self.send(host, *connection, Parcel::Frame(frame));
    }

    /// The log has moved: the machine hears of it, now or when the disk has synced, and the followers are fed.
    fn moved(&mut self, host: usize, events: &mut VecDeque<Event>) {
        let always = self.always;
        let log = &self.hosts[host].disk.log;
        let state = log.state(always);
        events.push_back(Event::Log { end: state.end, held: state.held, durable: state.durable });
        let delay = if always { self.rng.between(MS / 2, 10 * MS) } else { self.rng.between(MS, 300 * MS) };
        let generation = self.hosts[host].generation;
        self.after(delay, Item::Synced(host, generation, state.end.offset));
        self.pump(host);
    }

    pub fn synced(&mut self, host: usize, generation: u64, upto: Offset) {
        if !self.alive(host, generation) || self.postpone(host, Item::Synced(host, generation, upto)) {
            return;
        }
        let always = self.always;
        let log = &mut self.hosts[host].disk.log;
        let upto = upto.min(log.end().offset);
        if upto > log.synced {
            log.synced = upto;
            let state = log.state(always);
            let event = Event::Log { end: state.end, held: state.held, durable: state.durable };
            self.deliver(host, event);
        }
    }

    fn pump(&mut self, host: usize) {
        let end = self.hosts[host].disk.log.end().offset;
        let Some(process) = &self.hosts[host].process else { return };
        let commit = process.commit.min(end);
        let streams: Vec<_> =
            process.streams.iter().map(|(connection, stream)| (*connection, *stream)).collect();
        for (connection, (epoch, version, mut from)) in streams {
            while from < end {
                let to = (from + self.rng.between(5, 200)).min(end);
                let bytes = self.hosts[host].disk.log.raw(from, to);
                let body = Body::Records { start: from, commit, bytes };
                self.send(host, connection, Parcel::Frame(Frame { epoch, version, body }));
                from = to;
            }
            if let Some(stream) = self.process(host).streams.get_mut(&connection) {
                stream.2 = end;
            }
        }
    }

    fn copy_to(&mut self, host: usize, connection: ConnectionId, epoch: u64, version: u64) {
        let commit = self.process(host).commit;
        let log = &self.hosts[host].disk.log;
        let Some(position) = log.position_at(commit.max(log.base)).filter(|at| at.offset <= commit) else {
            self.close(host, connection);
            return;
        };
        let data = log.raw(0, position.offset);
        let mut bodies = vec![Body::CopyBegin { position, bytes: data.len() as u64 }];
        for chunk in data.chunks(300) {
            bodies.push(Body::CopyChunk { bytes: chunk.to_vec().into() });
        }
        bodies.push(Body::CopyEnd);
        for body in bodies {
            self.send(host, connection, Parcel::Frame(Frame { epoch, version, body }));
        }
    }

    fn install(&mut self, host: usize, events: &mut VecDeque<Event>) {
        let it = &mut self.hosts[host];
        let process = it.process.as_mut().expect("only living processes act");
        let Some((position, mut data)) = process.copy.take() else {
            events.push_back(Event::Installed { position: None });
            return;
        };
        let mut log = Log::default();
        let fits = log.append_raw(&mut data) && log.end() == position;
        if !fits {
            events.push_back(Event::Installed { position: None });
            return;
        }
        (log.base, log.synced) = (position.offset, position.offset);
        it.disk.log = log;
        it.disk.snapshot = position.offset;
        (process.applied, process.committed) = (position.offset, position.offset);
        self.moved(host, events);
        events.push_back(Event::Installed { position: Some(position) });
    }

    /// A client asks somebody who leads, or reads at a replica.
    pub fn client(&mut self) {
        let pause = self.rng.between(2, 30) * MS;
        self.after(pause, Item::Client);
        let host = self.rng.below(self.hosts.len() as u64) as usize;
        let host = if self.rng.percent(50) { self.leading().unwrap_or(host) } else { host };
        if self.hosts[host].paused_until > self.now || self.hosts[host].process.is_none() {
            return;
        }
        let write = self.rng.percent(50);
        let end = self.hosts[host].disk.log.end().offset;
        let process = self.process(host);
        let Some(epoch) = process.leading else {
            let applied = process.applied;
            if applied > process.committed {
                return;
            }
            let value = self.hosts[host].disk.log.value_at(applied);
            self.checker.replica_reads.push(value);
            return;
        };
        if process.draining || (write && !process.writable) {
            return;
        }
        let mut operation = Operation { write, id: 0, invoked: self.now, answered: 0, epoch };
        let mut events = VecDeque::new();
        if write {
            self.next_write += 1;
            operation.id = self.next_write;
            self.hosts[host].disk.log.append(epoch, operation.id);
            self.moved(host, &mut events);
        } else {
            operation.id = self.hosts[host].disk.log.value_at(end);
        }
        let after = self.hosts[host].disk.log.end().offset;
        let process = self.process(host);
        process.replies.push_back((operation, after));
        for event in events {
            self.deliver(host, event);
        }
        self.release(host);
    }

    /// The gate: what is committed leaves, while the lease holds.
    fn release(&mut self, host: usize) {
        let now = self.hosts[host].clock(self.now);
        loop {
            let real = self.now;
            let Some(process) = &mut self.hosts[host].process else { return };
            let open = process.commit >= process.base && now < process.lease;
            let Some((operation, after)) = process.replies.front().copied() else { return };
            if !open || process.commit < after {
                return;
            }
            process.replies.pop_front();
            self.tell(|| format!("n{host} answers {operation:?}"));
            if self.healing && operation.write {
                self.hosts[host].answered_after_healing = true;
            }
            if let Err(why) = self.checker.answered(Operation { answered: real, ..operation }) {
                self.failed = Some(why);
                return;
            }
        }
    }
}

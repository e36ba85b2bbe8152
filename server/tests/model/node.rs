//! One node: the real machine, and in the place of log, engine and sockets as little as shows what they would do.

use crate::disk::{Disk, RECORD};
use crate::registry::Request;
use crate::world::{Parcel, Property, World, name};
use botellier_server::election::candidate::{Birth, Candidate};
use botellier_server::mutant;
use botellier_server::replication::gate::{Gate, Pass};
use botellier_server::replication::member::{FORMAT, NodeInfo, RoleName, Stamp};
use botellier_server::replication::protocol::{Action, ConnectionId, Event};
use botellier_server::replication::time::Time;
use botellier_server::replication::wire::{Body, Frame, Hello, PROTOCOL};
use botellier_server::replication::{Offset, Position};
use bytes::BytesMut;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

#[derive(Clone, Hash)]
pub struct Node {
    pub disk: Disk,
    /// Counts the lives of its process.
    pub life: u8,
    pub process: Option<Process>,
}

#[derive(Clone, Hash)]
pub struct Process {
    pub machine: Candidate,
    pub paused: bool,
    pub leading: Option<u64>,
    base: Offset,
    pub commit: Offset,
    lease: Time,
    pub writable: bool,
    pub draining: bool,
    /// Executed, but not to be answered yet.
    pub replies: VecDeque<Reply>,
    streams: BTreeMap<ConnectionId, (Stamp, usize)>,
    copy: Option<(Position, BytesMut)>,
}

/// An answer that waits at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    pub epoch: u64,
    /// What it waits for: the newest write of this term that it observed. For what is older the floor stands.
    after: Offset,
    /// What it observed: the log up to its end at the execution.
    shows: Offset,
    /// How many records had been answered when it was asked.
    pub asked: usize,
}

impl World {
    pub fn node(&mut self, node: usize) -> &mut Node {
        Arc::make_mut(&mut self.nodes[node])
    }

    fn process(&mut self, node: usize) -> &mut Process {
        self.node(node).process.as_mut().expect("only living processes act")
    }

    fn info(&self, node: usize) -> NodeInfo {
        NodeInfo {
            format: FORMAT,
            id: name(node),
            incarnation: self.nodes[node].disk.incarnation.to_string(),
            host: name(node),
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

    pub fn start(&mut self, node: usize) {
        let (info, settings, now) = (self.info(node), self.settings(), self.time());
        let it = self.node(node);
        it.life += 1;
        let mut memory = it.disk.memory.clone();
        memory.whole |= mutant::is_planted(9);
        let birth = Birth {
            settings,
            info,
            log: it.disk.log.state(),
            commit: it.disk.log.base as u64 * RECORD,
            memory,
            seed: u128::from(it.life) << 64 | (node as u128) << 32,
        };
        it.process = Some(Process {
            machine: Candidate::new(now, birth),
            paused: false,
            leading: None,
            base: 0,
            commit: 0,
            lease: Time::ZERO,
            writable: false,
            draining: false,
            replies: VecDeque::new(),
            streams: BTreeMap::new(),
            copy: None,
        });
        self.registry.connect(node);
    }

    /// Hands an event to the machine and carries out what it orders, until nothing is left to do.
    pub fn deliver(&mut self, node: usize, event: Event) {
        let now = self.time();
        let mut events = VecDeque::from([event]);
        let mut actions = Vec::new();
        while let Some(event) = events.pop_front() {
            let Some(process) = &mut self.node(node).process else { return };
            crate::world::tell(|| format!("  {} <- {:.300}", name(node), format!("{event:?}")));
            process.machine.on(now, event, &mut actions);
            for action in actions.drain(..) {
                crate::world::tell(|| format!("  {} -> {:.300}", name(node), format!("{action:?}")));
                self.perform(node, action, &mut events);
            }
        }
        self.release(node);
    }

    fn perform(&mut self, node: usize, action: Action, events: &mut VecDeque<Event>) {
        match action {
            Action::Connect { connection, host, .. } => self.connect(node, connection, &host),
            Action::Greet { .. } => self.greet(node, &action),
            Action::Send { connection, frame } => self.send(node, connection, Parcel::Frame(frame)),
            Action::Close { connection } => {
                self.process(node).streams.remove(&connection);
                self.close(node, connection);
            }
            Action::Compare { connection, history } => {
                let log = &self.nodes[node].disk.log;
                let shared = log.history().shared_with(&history).and_then(|offset| log.position_at(offset));
                // As `node/perform.rs` does.
                let shared = shared.filter(|at| {
                    mutant::is_planted(12)
                        || mutant::is_planted(10)
                        || at.offset != history.end.offset
                        || *at == history.end
                });
                events.push_back(Event::Compared { connection, shared });
            }
            Action::Stream { connection, stamp, from } => {
                self.process(node).streams.insert(connection, (stamp, (from / RECORD) as usize));
                self.feed(node);
            }
            Action::CopyTo { connection, stamp } => self.copy_to(node, connection, stamp),
            Action::Append { bytes } => {
                if self.node(node).disk.log.append(&bytes) {
                    self.moved(node, events);
                } else {
                    events.push_back(Event::Rejected);
                }
            }
            Action::Truncate { to } => {
                let done = self.node(node).disk.log.truncate(to);
                self.moved(node, events);
                events.push_back(Event::Truncated { done });
            }
            Action::CopyBegin { position, .. } => self.process(node).copy = Some((position, BytesMut::new())),
            Action::CopyChunk { bytes } => {
                if let Some((_, data)) = &mut self.process(node).copy {
                    data.extend_from_slice(&bytes);
                }
            }
            Action::CopyAbort => self.process(node).copy = None,
            Action::Install => self.install(node, events),
            Action::Sync => {
                self.node(node).disk.sync();
                self.moved(node, events);
            }
            Action::Apply { upto } => self.shown(node, upto),
            action => self.perform_role(node, action, events),
        }
    }

    fn perform_role(&mut self, node: usize, action: Action, events: &mut VecDeque<Event>) {
        let end = self.nodes[node].disk.log.end().offset;
        match action {
            Action::Commit { offset } => self.process(node).commit = offset,
            Action::Lease { until } => self.process(node).lease = until,
            Action::Writable(writable) => self.process(node).writable = writable,
            Action::Lead { epoch, base } => {
                let process = self.process(node);
                (process.leading, process.base, process.draining) = (Some(epoch), base, false);
                (process.commit, process.lease) = (0, Time::ZERO);
                self.leads(node, epoch);
            }
            Action::StepDown => {
                let process = self.process(node);
                (process.leading, process.draining) = (None, false);
                process.replies.clear();
                process.streams.clear();
            }
            Action::Drain => {
                self.process(node).draining = true;
                events.push_back(Event::Drained { end });
            }
            Action::Undrain => self.process(node).draining = false,
            Action::HandoverEnded(_) | Action::Follow { .. } | Action::Note(_) => {}
            Action::Remember(memory) => self.node(node).disk.remember(memory, &name(node)),
            Action::Write { config, expected } => {
                self.registry.request(node, Request::Write(config, expected));
            }
            Action::Refresh => self.registry.request(node, Request::Refresh),
            Action::Announce(info) => self.registry.request(node, Request::Announce(*info)),
            other => unreachable!("{other:?}"),
        }
    }

    fn greet(&mut self, node: usize, action: &Action) {
        let Action::Greet { connection, stamp, whole, copy, cluster } = action else { return };
        let info = self.info(node);
        let hello = Hello {
            protocol: PROTOCOL,
            cluster: cluster.clone(),
            id: info.id,
            incarnation: info.incarnation,
            remembered: *stamp,
            whole: *whole,
            copy: *copy,
            history: self.nodes[node].disk.log.history(),
            ..Hello::default()
        };
        let frame = Frame { epoch: stamp.epoch, version: stamp.version, body: Body::Hello(Box::new(hello)) };
        self.send(node, *connection, Parcel::Frame(frame));
    }

    /// The machine hears of its log, and the followers are fed.
    fn moved(&mut self, node: usize, events: &mut VecDeque<Event>) {
        let state = self.nodes[node].disk.log.state();
        events.push_back(Event::Log { end: state.end, held: state.held, durable: state.durable });
        self.feed(node);
    }

    pub fn synced(&mut self, node: usize) {
        let disk = &self.nodes[node].disk;
        if disk.log.synced == disk.log.records.len() && disk.kept == disk.memory {
            return;
        }
        self.node(node).disk.sync();
        let state = self.nodes[node].disk.log.state();
        self.deliver(node, Event::Log { end: state.end, held: state.held, durable: state.durable });
    }

    fn feed(&mut self, node: usize) {
        let it = &self.nodes[node];
        let Some(process) = &it.process else { return };
        let end = it.disk.log.records.len();
        let commit = process.commit.min(end as u64 * RECORD);
        let due: Vec<_> = process.streams.iter().filter(|(_, (_, from))| *from < end).collect();
        let due: Vec<_> = due.into_iter().map(|(connection, stream)| (*connection, *stream)).collect();
        for (connection, (stamp, from)) in due {
            let bytes = self.nodes[node].disk.log.raw(from, end);
            let body = Body::Records { start: from as u64 * RECORD, commit, bytes };
            let frame = Frame { epoch: stamp.epoch, version: stamp.version, body };
            self.send(node, connection, Parcel::Frame(frame));
            self.process(node).streams.insert(connection, (stamp, end));
        }
    }

    fn copy_to(&mut self, node: usize, connection: ConnectionId, stamp: Stamp) {
        let commit = self.process(node).commit;
        let log = &self.nodes[node].disk.log;
        let base = log.base as u64 * RECORD;
        let Some(position) = log.position_at(commit.max(base)).filter(|at| at.offset <= commit.max(base))
        else {
            return;
        };
        let count = (position.offset / RECORD) as usize;
        let data = log.raw(0, count);
        let bodies = [
            Body::CopyBegin { position, bytes: data.len() as u64 },
            Body::CopyChunk { bytes: data },
            Body::CopyEnd,
        ];
        for body in bodies {
            let frame = Frame { epoch: stamp.epoch, version: stamp.version, body };
            self.send(node, connection, Parcel::Frame(frame));
        }
    }

    fn install(&mut self, node: usize, events: &mut VecDeque<Event>) {
        let copy = self.process(node).copy.take();
        let mut log = crate::disk::Log::default();
        let position = copy
            .and_then(|(position, data)| (log.append(&data) && log.end() == position).then_some(position));
        if position.is_some() {
            (log.base, log.synced) = (log.records.len(), log.records.len());
            self.node(node).disk.log = log;
            self.moved(node, events);
        }
        events.push_back(Event::Installed { position });
    }

    /// A client asks this node, which believes that it leads.
    pub fn ask(&mut self, node: usize, write: bool) {
        let (asked, id) = (self.seen.answered.len(), self.next_write);
        let Some(epoch) = self.process(node).leading else { return };
        let mut events = VecDeque::new();
        if write {
            self.next_write += 1;
            self.node(node).disk.log.append(&[epoch as u8, id]);
            self.moved(node, &mut events);
        }
        let end = self.nodes[node].disk.log.end();
        let after = if end.epoch == epoch { end.offset } else { 0 };
        self.process(node).replies.push_back(Reply { epoch, after, shows: end.offset, asked });
        for event in events {
            self.deliver(node, event);
        }
        self.release(node);
    }

    /// What the real gate lets go leaves.
    pub fn release(&mut self, node: usize) {
        self.time().pretend(self.time());
        loop {
            let Some(process) = &self.nodes[node].process else { return };
            let Some(reply) = process.replies.front().copied() else { return };
            let gate = Gate::new(process.commit);
            gate.set_lease(process.lease);
            // As `engine/role.rs` does.
            let floor = if mutant::is_planted(27) { 0 } else { process.base };
            if process.paused || gate.pass(0, reply.after.max(floor)) != Pass::Leave {
                return;
            }
            self.process(node).replies.pop_front();
            self.answered(node, reply);
        }
    }

    /// An answer leaves. It says: the log up to there is the register's history.
    fn answered(&mut self, node: usize, reply: Reply) {
        let records = self.nodes[node].disk.log.upto(reply.shows).to_vec();
        crate::world::tell(|| format!("  {} answers {records:?}", name(node)));
        let seen = &self.seen;
        let common = records.len().min(seen.answered.len());
        let (told, before) = (&records[..common], &seen.answered[..common]);
        if told != before {
            let why = format!("{} answers {records:?} after {:?}", name(node), seen.answered);
            self.fail(Property::Linearizable, why);
        } else if records.len() < reply.asked {
            let why = format!("{} answers {records:?}, {} were answered before", name(node), reply.asked);
            self.fail(Property::Linearizable, why);
        } else if reply.epoch < seen.epoch {
            let why = format!("{} answers in epoch {} after {}", name(node), reply.epoch, seen.epoch);
            self.fail(Property::OneLeader, why);
        }
        self.seen.epoch = self.seen.epoch.max(reply.epoch);
        if records.len() > self.seen.answered.len() {
            self.seen.answered = records;
        }
    }

    /// A replica shows it: it must stay.
    fn shown(&mut self, node: usize, upto: Offset) {
        let log = &self.nodes[node].disk.log;
        assert!(upto <= log.end().offset, "applies what it has");
        let records = log.upto(upto).to_vec();
        let common = records.len().min(self.seen.answered.len());
        if records[..common] != self.seen.answered[..common] {
            let why = format!("{} shows {records:?} after {:?}", name(node), self.seen.answered);
            self.fail(Property::Linearizable, why);
        } else if records.len() > common {
            self.seen.answered = records;
        }
    }

    fn leads(&mut self, node: usize, epoch: u64) {
        let who = (node, self.nodes[node].disk.incarnation);
        let before = *self.seen.leaders.entry(epoch).or_insert(who);
        if before != who {
            let why = format!("{} leads in epoch {epoch}, as {} does", name(node), name(before.0));
            self.fail(Property::OneLeader, why);
        }
        self.check_holds(node);
    }

    /// This node leads or may lead.
    pub fn check_holds(&mut self, node: usize) {
        let records = &self.nodes[node].disk.log.records;
        if !records.starts_with(&self.seen.answered) {
            let why = format!("{} holds {records:?} of {:?}", name(node), self.seen.answered);
            self.fail(Property::Held, why);
        }
    }
}

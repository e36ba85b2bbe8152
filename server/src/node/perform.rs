//! The orders of the protocol's machine that touch the log, the disk and the key space.

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::driver::{Driver, TICK};
use super::{fatal, loading, recovery, status};
use crate::command::server::{Role, Status};
use crate::engine::Engine;
use crate::metrics::heap;
use crate::replication::history::History;
use crate::replication::log::{Fsync, LogError, RawError};
use crate::replication::member::{Memory, Stamp};
use crate::replication::meta::{Meta, Unsynced};
use crate::replication::position::{Epoch, Offset, Position};
use crate::replication::protocol::{Action, ConnectionId, Event};
use crate::replication::storage::StorageError;
use crate::replication::time::Time;
use crate::replication::wire::{self, Body, Frame, Hello};

/// What takes longer is worth a line: a failover waits for it.
const SLOW: Duration = Duration::from_millis(100);

/// The planted defect of trap 23: who is further behind than this is copied to, whatever the log holds.
const SLOW_BYTES_PLANTED: Offset = 4096;

impl Driver {
    /// What this node's log holds, for a leader to compare with its own.
    fn history(&self) -> History {
        History { base: self.node.log.start(), end: self.node.log.end(), epochs: self.node.log.epochs() }
    }

    pub(super) fn greet(
        &mut self,
        connection: ConnectionId,
        stamp: Stamp,
        whole: bool,
        copy: bool,
        cluster: Option<String>,
    ) {
        // A record that came in part over an earlier connection is sent again.
        self.node.log.forget_partial();
        let config = self.node.settings.now();
        let meta = self.node.storage.lock().meta.get().clone();
        let mut history = self.history();
        if meta.damage.is_some() {
            history.end = Position::UNKNOWN;
        }
        let hello = Hello {
            protocol: wire::PROTOCOL,
            password: config.passwords().outgoing().unwrap_or_default().as_bytes().to_vec().into(),
            cluster,
            id: super::cluster::node_id(&config),
            incarnation: meta.incarnation,
            zone: config.zone.clone(),
            remembered: stamp,
            whole,
            copy,
            history,
        };
        let body = Body::Hello(Box::new(hello));
        self.outside.send(connection, Frame { epoch: stamp.epoch, version: stamp.version, body });
    }

    /// What is committed can be copied, and what follows it be sent. Where the rest of the log is damaged, neither brings the
    /// synced replica any further, and nothing is ever committed again: then it leads better than this node.
    pub(super) fn copy_to(&mut self, connection: ConnectionId, stamp: Stamp) {
        let from = self.node.log.sendable_from();
        if from > self.node.net.gate.committed() && self.machine.has_heir(connection) {
            fatal(&format!(
                "the log is damaged before {from}, where it is not committed: the synced replica is to lead"
            ));
        }
        self.outside.copy_to(connection, stamp);
    }

    pub(super) fn compare(&mut self, connection: ConnectionId, theirs: &History) {
        // Who is before damage can't be led past it: it needs a copy.
        let mine = History { base: self.node.log.sendable_from(), ..self.history() };
        let shared = mine.shared_with(theirs).and_then(|offset| self.node.log.position_at(offset).ok());
        // Where the other log ends its checksum is known here; elsewhere the other side compares.
        let blind = crate::mutant::is_planted(12) || crate::mutant::is_planted(10);
        let shared =
            shared.filter(|shared| blind || shared.offset != theirs.end.offset || *shared == theirs.end);
        let shared = shared.filter(|shared| {
            !crate::mutant::is_planted(23) || mine.end.offset - shared.offset < SLOW_BYTES_PLANTED
        });
        self.state.follow_up.push_back(Event::Compared { connection, shared });
    }

    pub(super) fn append(&mut self, bytes: &Bytes) {
        let log = &self.node.log;
        let refused = match log.append_raw(log.next_raw(), bytes) {
            Ok(_) => return,
            Err(RawError::Full) => Event::NoRoom,
            Err(error) => {
                tracing::warn!(%error, "what the leader sent does not fit this log");
                Event::Rejected
            }
        };
        self.state.follow_up.push_back(refused);
    }

    pub(super) fn truncate(&mut self, to: Position) {
        let _wanted = self.node.net.desk.want();
        self.applier.hold();
        let applied = self.applier.applied();
        let done = match self.node.log.truncate(to) {
            Ok(()) => true,
            Err(LogError::NotContained(position)) => {
                tracing::warn!(%position, "this log does not contain what the leader shares");
                false
            }
            Err(error) => fatal(&format!("can't cut the log: {error}")),
        };
        let mut stands = applied;
        if done && applied.offset > to.offset && !crate::mutant::is_planted(11) {
            tracing::info!(%to, from = applied.offset, "undoing what did not come to be");
            self.rebuild(to);
            stands = to;
        }
        if done {
            // What both logs share need not be committed: the new leader may yet lose it to another.
            let committed = self.node.net.gate.committed();
            self.state.unsettled = Some(stands.offset).filter(|offset| *offset > committed);
            self.state.show = true;
        }
        self.applier.resume(stands);
        self.state.log.end = self.node.log.end();
        self.state.log.held = self.node.log.held();
        self.state.log.durable = self.node.log.synced();
        let log = self.state.log;
        self.state.follow_up.push_back(Event::Log { end: log.end, held: log.held, durable: log.durable });
        self.state.follow_up.push_back(Event::Truncated { done });
    }

    /// Trap 11: memory is ahead of the log, so it is made anew from the snapshot and the log.
    fn rebuild(&mut self, to: Position) {
        let snapshots = self.node.storage.lock().snapshots.clone();
        match recovery::rebuild(&snapshots, &self.node.log, self.node.shape, to.offset) {
            Ok(keyspace) => self.node.net.engine.lock().replace_keyspace(keyspace),
            Err(error) => fatal(&format!("can't rebuild the data at {to}: {error}")),
        }
    }

    pub(super) fn sync(&mut self) {
        if let Err(error) = self.node.log.sync() {
            tracing::error!(%error, "can't sync the log");
        }
    }

    pub(super) fn copy_begin(&mut self, position: Position, bytes: u64) {
        tracing::info!(%position, bytes, "receiving a full copy");
        self.node.net.metrics.full_copies.add(1);
        self.state.copy_at = 0;
        if crate::mutant::is_planted(26) {
            self.forget_the_old();
        }
        let receiver = self.node.storage.lock().snapshots.receive();
        self.state.copy = receiver.map_err(|error| tracing::error!(%error, "can't receive a copy")).ok();
    }

    /// The planted defect of trap 26: the old copy goes before the new one is whole.
    fn forget_the_old(&mut self) {
        let storage = self.node.storage.lock();
        drop(self.node.log.reset(Position::START));
        drop(storage.snapshots.remove_before(Offset::MAX));
    }

    pub(super) fn copy_chunk(&mut self, bytes: &Bytes) {
        let Some(copy) = &mut self.state.copy else { return };
        if let Err(error) = copy.write(self.state.copy_at, bytes) {
            tracing::error!(%error, "can't keep what the leader copies");
            self.state.copy = None;
        }
        self.state.copy_at += bytes.len() as u64;
    }

    /// Trap 26: the old data stays until the new is whole, and a crash in between leaves one or the other.
    pub(super) fn install(&mut self) {
        let _wanted = self.node.net.desk.want();
        self.applier.hold();
        let stands = self.applier.applied();
        let installed = self.state.copy.take().and_then(|copy| {
            let arrived =
                copy.finish().map_err(|error| tracing::error!(%error, "the copy is not whole")).ok()?;
            let snapshots = self.node.storage.lock().snapshots.clone();
            self.forget_what_is_held();
            let keyspace = loading::load(&snapshots, &arrived, self.node.shape)
                .unwrap_or_else(|error| fatal(&format!("can't load the copy: {error}")));
            let replaced = self.node.storage.lock().install(&arrived);
            let (_, header) = replaced
                .unwrap_or_else(|error: StorageError| fatal(&format!("can't install the copy: {error}")));
            self.node.net.engine.lock().replace_keyspace(keyspace);
            Some(header.position)
        });
        if let Some(position) = installed {
            tracing::info!(%position, "installed a full copy");
            self.state.unsettled = None;
            self.state.attached = true;
            self.state.show = true;
        }
        self.applier.resume(installed.unwrap_or(stands));
        self.state.log = crate::replication::protocol::LogState {
            end: self.node.log.end(),
            held: self.node.log.held(),
            durable: self.node.log.synced(),
        };
        let log = self.state.log;
        self.state.follow_up.push_back(Event::Log { end: log.end, held: log.held, durable: log.durable });
        self.state.follow_up.push_back(Event::Installed { position: installed });
    }

    /// There is not memory for the old data and the new; on the disk there are both.
    fn forget_what_is_held(&self) {
        let mut engine = self.node.net.engine.lock();
        show_role(&mut engine, Role::Loading);
        let old = engine.keyspace.take_databases();
        drop(engine);
        drop(old);
        // The threads that load take it from the system.
        heap::purge();
    }

    pub(super) fn apply(&mut self, upto: Offset) {
        self.node.net.gate.commit(upto);
        self.settled_up_to(upto);
        if !self.state.attached {
            self.state.attached = true;
            self.state.show = true;
        }
        self.applier.aim(upto);
    }

    pub(super) fn lead(&mut self, epoch: Epoch, base: Offset) {
        // A record that came in part is nobody's; the whole ones, committed or not, are what the cluster now holds
        // (rule 3).
        let began = Instant::now();
        let _wanted = self.node.net.desk.want();
        self.node.log.forget_partial();
        (self.node.net.flush)();
        // First: what the tail tells of waits for its commit.
        self.node.net.gate.begin_term();
        self.applier.finish(self.node.log.end_offset());
        self.applier.hold();
        self.node.epoch.store(epoch, Ordering::Release);
        self.state.leading = true;
        self.state.writable = false;
        self.state.attached = true;
        self.state.unsettled = None;
        {
            let mut engine = self.node.net.engine.lock();
            engine.lead(base);
            engine.keyspace.now = engine.keyspace.now.max(self.node.log.last_time_ms());
        }
        tracing::info!(epoch, base, took = ?began.elapsed(), "leading");
        self.node.net.metrics.role_changes.add(1);
        status::publish(self);
    }

    pub(super) fn step_down(&mut self) {
        if !std::mem::replace(&mut self.state.leading, false) {
            return;
        }
        self.state.writable = false;
        self.state.draining = false;
        let _wanted = self.node.net.desk.want();
        let (end, torn) = {
            let mut engine = self.node.net.engine.lock();
            // Nothing is executed between the end of the term and the next role: both are under the engine's lock.
            self.node.net.gate.end_term();
            engine.close_clients();
            engine.undrain();
            show_role(&mut engine, Role::Waiting);
            (self.end(), engine.is_torn())
        };
        if torn {
            // Half a script is in memory, and not in the log.
            self.sync();
            self.rebuild(end);
        }
        self.state.unsettled = Some(end.offset).filter(|offset| *offset > self.node.net.gate.committed());
        self.applier.resume(end);
        tracing::info!(%end, "stepped down");
        self.node.net.metrics.role_changes.add(1);
        status::publish(self);
    }

    pub(super) fn remember(&mut self, memory: &Memory) {
        self.state.show = true;
        let config = memory.config.as_ref().map(|config| serde_json::to_value(config).unwrap_or_default());
        let began = Instant::now();
        let mut storage = self.node.storage.lock();
        let before = std::mem::replace(&mut self.state.remembered, memory.config.clone());
        let own = memory.config.as_ref().is_some_and(|config| {
            config.leader.id == self.machine.me().id && before.is_none_or(|before| !before.same_pair(config))
        });
        let at_once = own || self.node.log.fsync_policy() == Fsync::Always;
        let new = storage.meta.get().cluster != memory.cluster;
        let change = |meta: &mut Meta| {
            meta.cluster.clone_from(&memory.cluster);
            meta.config = config;
            meta.doubt = !memory.whole;
            if memory.whole {
                // It leads with what it has, by an operator's order.
                meta.damage = None;
            }
        };
        let kept =
            if new { storage.meta.update(change).map(|()| None) } else { storage.meta.update_soon(change) };
        drop(storage);
        match kept {
            Ok(Some(unsynced)) => self.keep(unsynced, at_once),
            Ok(None) => {}
            Err(error) => fatal(&format!("can't remember the configuration: {error}")),
        }
        let took = began.elapsed();
        if took > SLOW {
            tracing::warn!(?took, "the disk is slow to keep the configuration");
        }
    }

    /// Have it synced beside other work. Whoever waits for that lets its followers hear of it, or they would take over.
    fn keep(&mut self, unsynced: Unsynced, wait: bool) {
        let kept = self.outside.keep(unsynced, wait);
        let mut beats = Vec::new();
        while wait && kept.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
            self.machine.beat(Time::now(), &mut beats);
            for beat in beats.drain(..) {
                if let Action::Send { connection, mut frame } = beat {
                    if let Body::Heartbeat(beat) = &mut frame.body {
                        // What is committed only by what is not kept yet is not told yet.
                        beat.commit = beat.commit.min(self.node.net.gate.committed());
                    }
                    self.outside.send(connection, frame);
                }
            }
        }
    }
}

/// At once, before the machine's own picture comes.
fn show_role(engine: &mut Engine, role: Role) {
    let status = Status { role, ..engine.server.status.clone() };
    engine.set_status(status);
}

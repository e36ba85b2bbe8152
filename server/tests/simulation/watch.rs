//! What must hold at every moment, whatever happens.

use botellier_server::replication::history::History;
use botellier_server::replication::position::Position;
use botellier_server::replication::protocol::ConnectionId;

use crate::host::{HELD_MAX, SNAPSHOTS};
use crate::wishes::HUGE_BYTES_MAX;
use crate::world::World;

/// Beside its backlog a log keeps in memory only what is on its way to the disk.
const LOG_MEMORY_MAX: u64 = 256 << 10;

/// What an entry of the key space takes at most, in a snapshot or in a record.
const ENTRY_MAX: u64 = 4 << 10;

/// Bytes of replies that one group of requests has at most.
const BATCH_BYTES_MAX: u64 = 6 << 10;

impl World {
    pub fn fail(&mut self, why: String) {
        self.failed.get_or_insert(why);
    }

    /// After each turn of a node.
    pub fn watch(&mut self, host: usize) {
        let Some(process) = &self.hosts[host].process else { return };
        let (leads, waits, epoch) = (process.leads(), process.waits(), process.epoch());
        let log = process.log();
        let part = log.next_raw().saturating_sub(log.end_offset());
        let (memory, captured) = (log.memory_bytes(), process.captured_bytes() as u64);
        let lapsed = leads && process.gate().lease_left_ms() == Some(0);
        // Huge values come one after the other.
        let huge = self.rate.map_or(0, |_| HUGE_BYTES_MAX as u64 + ENTRY_MAX);
        if !leads && waits {
            self.fail(format!("clients wait at n{host}, which does not lead (trap 21)"));
        }
        if memory > LOG_MEMORY_MAX + 2 * huge {
            self.fail(format!("the log of n{host} takes {memory} bytes of memory"));
        }
        if part > ENTRY_MAX + huge {
            self.fail(format!("n{host} has {part} bytes of a record that is not whole"));
        }
        if captured > SNAPSHOTS.captured_max as u64 + ENTRY_MAX + huge {
            self.fail(format!("{captured} bytes wait at n{host} for a snapshot to be written"));
        }
        if self.settled_pair.is_some() && self.pair() != self.settled_pair {
            let (before, now) = (&self.settled_pair, self.pair());
            self.fail(format!("nothing but huge values made {now:?} of the pair {before:?} (trap 22)"));
        }
        if lapsed && self.settled_pair.is_some() {
            self.fail(format!("nothing but huge values let the lease of n{host} lapse (trap 22)"));
        }
        if leads && epoch > self.epoch {
            self.epoch = epoch;
            self.lay_ambush(host);
        }
        if self.settled_epoch.is_some_and(|settled| self.epoch > settled)
            || !leads && self.settled_leader == Some(host)
        {
            self.fail(format!("the registry's faults alone changed who leads, at n{host} (trap 29)"));
        }
    }

    /// The nodes that the configuration names.
    pub fn pair(&self) -> Option<(String, Option<String>)> {
        let (config, _) = self.zoo.config.as_ref()?;
        Some((config.leader.id.clone(), config.synced.as_ref().map(|synced| synced.id.clone())))
    }

    /// What waits of one connection, and of all, is bounded (trap 24).
    pub fn watch_held(&mut self, host: usize) {
        let held: Vec<u64> = self.held_at(host).collect();
        let (all, each) = (held.iter().sum::<u64>(), held.iter().max().copied().unwrap_or(0));
        if each > HELD_MAX.1 + BATCH_BYTES_MAX {
            self.fail(format!("{each} bytes of replies wait for one client of n{host} (trap 24)"));
        }
        if all > HELD_MAX.0 + BATCH_BYTES_MAX * held.len() as u64 {
            self.fail(format!("{all} bytes of replies wait at n{host} (trap 24)"));
        }
    }

    /// A copy is made only for who asks for one, or whose log shares nothing with this one any more (trap 23).
    pub fn question_copy(&mut self, host: usize, connection: ConnectionId) {
        let Some((pipe, _)) = self.pipe_of(host, connection) else { return };
        let Some((false, theirs)) = &self.pipes[&pipe].hello else { return };
        let Some(process) = &self.hosts[host].process else { return };
        let log = process.log();
        let mine = History { base: log.sendable_from(), end: log.end(), epochs: log.epochs() };
        let shared = mine.shared_with(theirs).and_then(|offset| log.position_at(offset).ok());
        if shared.is_some_and(|shared| shared.offset != theirs.end.offset || shared == theirs.end) {
            self.fail(format!("n{host} copies all to a replica that could resume (trap 23)"));
        }
    }

    /// A copy that begins changes nothing of what is there (trap 26).
    pub fn copy_begun(&mut self, host: usize, before: Option<Position>) {
        if before.is_some() && self.end(host).is_some_and(|end| Some(end) != before) {
            self.fail(format!("n{host} gave up its data before there was anything in its place (trap 26)"));
        }
    }

    pub fn end(&self, host: usize) -> Option<Position> {
        self.hosts[host].process.as_ref().map(|process| process.log().end())
    }

    /// A process that ended by itself loses nothing that it wrote.
    pub fn compare_with_left(&mut self, host: usize) {
        let Some(left) = self.hosts[host].left.take() else { return };
        let Some(process) = &self.hosts[host].process else { return };
        let written = process.log().written();
        if left.disks == self.hosts[host].disks && written < left.written {
            self.fail(format!("n{host} had written up to {}, and has {written}", left.written));
        }
    }
}

//! What must hold at every moment, whatever happens.

use botellier_server::replication::history::History;
use botellier_server::replication::position::Position;
use botellier_server::replication::protocol::ConnectionId;

use crate::world::World;

/// Beside its backlog a log keeps in memory only what is on its way to the disk.
const LOG_MEMORY_MAX: u64 = 256 << 10;

impl World {
    fn fail(&mut self, why: String) {
        self.failed.get_or_insert(why);
    }

    /// After each turn of a node.
    pub fn watch(&mut self, host: usize) {
        let Some(process) = &self.hosts[host].process else { return };
        let (leads, waits, status) = (process.leads(), process.waits(), process.status());
        let memory = process.log().memory_bytes();
        if !leads && waits {
            self.fail(format!("clients wait at n{host}, which does not lead (trap 21)"));
        }
        if memory > LOG_MEMORY_MAX {
            self.fail(format!("the log of n{host} takes {memory} bytes of memory"));
        }
        if leads && status.epoch > self.epoch {
            self.epoch = status.epoch;
            self.lay_ambush(host);
        }
        if self.settled_epoch.is_some_and(|settled| self.epoch > settled)
            || !leads && self.settled_leader == Some(host)
        {
            self.fail(format!("the registry's faults alone changed who leads, at n{host} (trap 29)"));
        }
    }

    /// A copy is made only for who asks for one, or whose log shares nothing with this one any more (trap 23).
    pub fn question_copy(&mut self, host: usize, connection: ConnectionId) {
        let Some((pipe, _)) = self.pipe_of(host, connection) else { return };
        let Some((false, theirs)) = &self.pipes[&pipe].hello else { return };
        let Some(process) = &self.hosts[host].process else { return };
        let log = process.log();
        let mine = History { base: log.start(), end: log.end(), epochs: log.epochs() };
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

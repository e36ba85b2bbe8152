//! Nodes that greet one that does not lead, or not yet.
//!
//! Whoever hears of a successful try to lead before the one who made it greets too early, by milliseconds. It is answered
//! when the outcome is known: if it had to come again, nothing could be committed meanwhile. A greeting that waits here is
//! no other than one that was long on its way.

use super::candidate::{Candidate, Role};
use crate::replication::position::Position;
use crate::replication::protocol::{Action, ConnectionId};
use crate::replication::time::Time;
use crate::replication::wire::{Body, Frame, Hello, Reason, Refused};

/// More than a cluster has nodes.
const EARLY_MAX: usize = 64;

/// Who waits to hear whether this node leads.
#[derive(Clone, Default, Hash)]
pub(super) struct Early(Vec<(ConnectionId, Hello)>);

impl Early {
    pub fn forget(&mut self, connection: ConnectionId) {
        self.0.retain(|(early, _)| *early != connection);
    }
}

impl Candidate {
    /// A node takes this one for the leader, which it is not.
    pub(super) fn greeted(&mut self, connection: ConnectionId, hello: &Hello, out: &mut Vec<Action>) {
        if self.view.deciding() && self.early.0.len() < EARLY_MAX {
            self.early.0.push((connection, hello.clone()));
        } else {
            self.refuse(connection, out);
        }
    }

    /// Answers those that came early, once it is known what to say.
    pub(super) fn answer_early(&mut self, now: Time, out: &mut Vec<Action>) {
        if self.view.deciding() {
            return;
        }
        for (connection, hello) in std::mem::take(&mut self.early.0) {
            match &mut self.role {
                Role::Leader(leader) => leader.hello(now, connection, &hello, out),
                _ => self.refuse(connection, out),
            }
        }
    }

    fn refuse(&self, connection: ConnectionId, out: &mut Vec<Action>) {
        let reason = if self.view.claiming() { Reason::Trying } else { Reason::NotLeader };
        let detail = match self.leader() {
            Some(leader) => format!("{leader} leads, as far as is known here"),
            None => "no leader is known here".into(),
        };
        let (by, whole) = (self.common.me.clone(), self.common.memory.whole);
        let position = if self.common.damaged { Position::UNKNOWN } else { self.common.log.end };
        let body = Body::Refused(Refused { reason, by, whole, position, detail });
        let (epoch, version) = (self.common.epoch_seen, self.common.memory.stamp().version);
        out.push(Action::Send { connection, frame: Frame { epoch, version, body } });
        out.push(Action::Close { connection });
    }
}

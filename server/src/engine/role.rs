//! The part that this node plays, as the node tells the engine.

use super::Engine;
use crate::command::server::{Member, Status};
use crate::keyspace::Keyspace;
use crate::resp::Reply;
use crate::session::{Client, Offset};

impl Engine {
    /// Take a part. Only a leader decides about expiry; in a cluster replies wait for commits.
    pub fn set_status(&mut self, status: Status) {
        let leads = status.role.leads();
        self.keyspace.authority = leads || crate::mutant::is_planted(18);
        self.keyspace.outward = status.role == crate::command::server::Role::Leader;
        self.replicated = status.role != crate::command::server::Role::Standalone;
        if !leads {
            self.uncommitted.clear();
        }
        self.server.status = status;
        self.tell_of_leader();
        self.track();
    }

    /// Subscribers of `+switch-master` hear when another node leads, as a Sentinel's do.
    fn tell_of_leader(&mut self) {
        let status = &self.server.status;
        let leads = |member: &&Member| !status.leader.is_empty() && member.id == status.leader;
        let Some(leader) = status.members.iter().find(leads).cloned() else { return };
        let before = self.server.last_leader.replace(leader.clone());
        let same = |before: &Member| (&before.host, before.port) == (&leader.host, leader.port);
        if let Some(before) = before.filter(|before| !same(before)) {
            let name = &self.server.config.shard_name;
            let text = format!("{name} {} {} {} {}", before.host, before.port, leader.host, leader.port);
            self.server.pubsub.publish(b"+switch-master", text.as_bytes());
            let mut nobody = Client::new(0, String::new(), String::new());
            self.deliver(&mut nobody, 0);
        }
    }

    /// Begin to lead: nothing is answered before the log is committed up to `floor`.
    pub fn lead(&mut self, floor: Offset) {
        self.floor = if crate::mutant::is_planted(27) { 0 } else { floor };
        self.drained = false;
        self.uncommitted.clear();
    }

    /// Another picture of the data takes the place of this one: after a full copy, or when what was executed here is not
    /// what came to be.
    pub fn replace_keyspace(&mut self, mut keyspace: Keyspace) {
        keyspace.now = keyspace.now.max(self.keyspace.now);
        keyspace.authority = self.keyspace.authority;
        keyspace.tracking = self.keyspace.tracking;
        keyspace.outward = self.keyspace.outward;
        // Whoever remembers a count of changes may take the difference.
        keyspace.changes += self.keyspace.changes;
        keyspace.follow(&self.server.config);
        self.watchers.spoil(&mut self.clients);
        self.keyspace = keyspace;
        self.torn = false;
        if !self.clients.tracking.is_idle() {
            let mut nobody = Client::new(0, String::new(), String::new());
            self.forget_all(&mut nobody);
            self.deliver(&mut nobody, 0);
        }
        self.users_replaced();
    }

    /// Leadership is lost: no client may believe that what it was told last still holds. Blocked ones are told why,
    /// then every connection is closed; held replies are never sent (trap 16).
    pub fn close_clients(&mut self) {
        for client in self.clients.iter_mut() {
            client.out.clear();
            client.pushed_bytes = 0;
            if !crate::mutant::is_planted(21) && self.blocked.leave(client).is_some() {
                client.push(
                    Reply::error(
                        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
                    ),
                    0,
                );
                client.closing = true;
            } else if !crate::mutant::is_planted(16) {
                client.kill();
            }
        }
    }

    /// Execute nothing more until [`Engine::undrain`]: a handover is under way. Returns the end of the log.
    pub fn drain(&mut self) -> Offset {
        self.drained = true;
        self.journal.end()
    }

    /// The handover did not come about: clients that were held back go on.
    pub fn undrain(&mut self) {
        self.drained = false;
        self.unpause();
    }
}

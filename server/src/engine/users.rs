//! Users that changed: by a command, by a record of the log, by other data in place of this one.

use std::sync::Arc;

use super::Engine;
use crate::acl::{Denied, Users};
use crate::command::server::Errand;
use crate::command::{Spec, acl};
use crate::resp::{Failure, Reply, Request};
use crate::session::{Client, Offset};

impl Engine {
    /// Whether the client may run the request; if not, that is noted. `context` is where it comes from: `toplevel`,
    /// `multi`, `lua`.
    #[inline]
    pub(super) fn permit(
        &mut self,
        client: &Client,
        (spec, skip): (&'static Spec, usize),
        request: Request<'_>,
        context: &'static str,
    ) -> Result<(), (Denied, Failure)> {
        match acl::permitted(&client.user, spec, skip, request) {
            Ok(()) => Ok(()),
            Err(denied) => {
                let now = self.keyspace.now;
                let failure = acl::refuse(&mut self.server, client, (spec, request), denied, (context, now));
                Err((denied, failure))
            }
        }
    }

    /// Act on users that changed; `current` is the client that is taken out.
    #[inline]
    pub(super) fn follow_users(&mut self, current: Option<&mut Client>) {
        if self.keyspace.users.version() != self.users_version || self.server.users_changed {
            self.users_changed(current);
        }
    }

    fn users_changed(&mut self, current: Option<&mut Client>) {
        self.users_version = self.keyspace.users.version();
        self.server.users_changed = false;
        self.server.users = if self.keyspace.users.is_empty() {
            self.server.own_users.clone()
        } else {
            acl::logged(&self.keyspace, &self.server.users)
        };
        let users = &self.server.users;
        for client in self.clients.iter_mut() {
            if !client.killed && !regrant(client, users) {
                client.kill();
                self.server.errands.push(Errand::Kill { id: client.id });
            }
        }
        if let Some(client) = current
            && !regrant(client, users)
        {
            // Only once this very command is answered.
            client.closing = true;
        }
    }

    /// Other data took the place of what was here.
    pub(super) fn users_replaced(&mut self) {
        self.users_version = self.keyspace.users.version();
        self.server.users_changed = true;
        self.follow_users(None);
        self.run_errands();
    }

    /// `ACL LOAD`: the text of the file. The reply waits for the offset.
    pub fn load_users(&mut self, path: &str, text: &[u8]) -> (Reply, Offset) {
        if !self.server.status.role.leads() {
            return (Reply::error("READONLY You can't write against a read only replica."), 0);
        }
        let default = crate::acl::User::default_user(acl::catalog());
        let all_channels = self.server.config.acl_pubsub_default.all_channels();
        match Users::of_file(acl::catalog(), path, text, default, all_channels) {
            Err(errors) => (Failure::text(format!("ERR {errors}")).into(), 0),
            Ok(users) => {
                acl::replace(&mut self.keyspace, &self.server.users, &users);
                let written = self.log();
                self.follow_users(None);
                self.run_errands();
                (Reply::OK, self.held(written))
            }
        }
    }
}

/// Give a client its user as it is now; false if it may not stay.
fn regrant(client: &mut Client, users: &Users) -> bool {
    let Some(user) = users.get(&client.user.name) else {
        client.user = users.default_user().clone();
        client.authenticated = false;
        return false;
    };
    if Arc::ptr_eq(user, &client.user) {
        return true;
    }
    // It listens by rights of another user then, which nobody took.
    let stays = client.user.hears_nothing();
    client.user = user.clone();
    if stays {
        return true;
    }
    let names = client.channels.iter().chain(&client.shards);
    names.clone().all(|name| user.allows_channel(name, false))
        && client.patterns.iter().all(|pattern| user.allows_channel(pattern, true))
}

//! What one client's command means for others: messages, `CLIENT UNBLOCK` and `KILL`; and how clients come and go.

use super::Engine;
use crate::command::server::Errand;
use crate::config::OutputLimit;
use crate::keyspace::Event;
use crate::pubsub::Kind;
use crate::resp::Reply;
use crate::session::{Client, ClientId, Offset};

impl Engine {
    /// A connection was made. It needs no password if none is set now, even if one is set later.
    pub fn connect(&mut self, address: String, local_address: String) -> ClientId {
        let open = !self.server.needs_password();
        let user = self.server.users.default_user().clone();
        let client = self.clients.connect(address, local_address);
        client.authenticated = open;
        client.user = user;
        client.id
    }

    /// A connection ended.
    pub fn disconnect(&mut self, id: ClientId) {
        if let Some(mut client) = self.clients.disconnect(id) {
            self.release(&mut client);
        }
    }

    /// Forget all that the server keeps on behalf of a client.
    pub(super) fn release(&mut self, client: &mut Client) {
        self.blocked.leave(client);
        self.watchers.forget(client);
        self.unsubscribe_all(client);
        self.unobserve(client);
        self.track();
    }

    /// The client neither sees others' commands nor tracks keys any more.
    pub(super) fn unobserve(&mut self, client: &mut Client) {
        if client.monitor {
            client.monitor = false;
            self.clients.monitors.remove(&client.id);
        }
        if let Some(tracking) = client.tracking.take() {
            self.clients.tracking.leave(client.id, &tracking);
        }
    }

    pub(super) fn unsubscribe_all(&mut self, client: &mut Client) {
        for (kind, names) in [
            (Kind::Channel, &mut client.channels),
            (Kind::Pattern, &mut client.patterns),
            (Kind::Shard, &mut client.shards),
        ] {
            for name in std::mem::take(names) {
                self.server.pubsub.unsubscribe(kind, &name, client.id);
            }
        }
    }

    /// Messages go out when `after` is committed. A message never overtakes what its sender wrote before: who hears
    /// of a change can see it, from the leader that comes next too.
    pub(super) fn deliver(&mut self, sender: &mut Client, after: Offset) {
        if !self.server.pubsub.has_mail() || self.is_busy() {
            return;
        }
        let after = after.max(sender.written);
        let early = crate::mutant::is_planted(15);
        let after = if after > self.journal.committed() && !early { after } else { 0 };
        let limit = self.server.config.client_output_buffer_limit.pubsub;
        for (id, message) in self.server.pubsub.take_mail() {
            if id == sender.id {
                sender.push(message, after);
            } else if let Some(client) = self.clients.get_mut(id).filter(|client| !client.killed) {
                client.push(message, after);
                if client.subscriptions() > 0 && over(client, limit) {
                    client.kill();
                    self.server.errands.push(Errand::Kill { id });
                    self.server.observed.metrics.output_limit_closed.add(1);
                }
            }
        }
    }

    /// Publish what happened to keys.
    pub(super) fn publish_events(&mut self) {
        for (_, event) in std::mem::take(&mut self.keyspace.events) {
            self.publish_event(&event);
        }
    }

    /// A client's command ran: who holds a copy of what it changed and who hears of what happened are told, in the order
    /// of that.
    pub(super) fn tell_all(&mut self, client: &mut Client) {
        for (touched, event) in std::mem::take(&mut self.keyspace.events) {
            self.invalidate_changed(client, touched);
            self.publish_event(&event);
        }
        self.invalidate_changed(client, self.keyspace.touched.len());
    }

    fn publish_event(&mut self, event: &Event) {
        let classes = self.server.config.notify_keyspace_events;
        let pubsub = &mut self.server.pubsub;
        match event {
            Event::Key { db, name, key } => {
                if classes.by_key() {
                    let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
                    pubsub.publish(&channel, name.as_bytes());
                }
                if classes.by_event() {
                    pubsub.publish(format!("__keyevent@{db}__:{name}").as_bytes(), key);
                }
            }
            Event::Message { shard: true, channel, message } => drop(pubsub.publish_shard(channel, message)),
            Event::Message { channel, message, .. } => drop(pubsub.publish(channel, message)),
        }
    }

    /// Messages that no command sent on its own behalf go out when all that was written so far is committed.
    pub(super) fn deliver_rest(&mut self, current: &mut Client) {
        if self.server.pubsub.has_mail() {
            let after = if self.replicated { self.journal.end() } else { 0 };
            self.deliver(current, after);
        }
    }

    /// Do what commands asked for.
    pub(super) fn run_errands(&mut self) {
        for errand in std::mem::take(&mut self.server.errands) {
            match errand {
                Errand::Unblock { id, error } => {
                    let Some(mut client) = self.clients.take(id) else { continue };
                    if error && client.blocked.is_some() {
                        self.unblock(&mut client);
                        let text = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
                        client.resume(Reply::error(text), 0);
                    } else {
                        self.give_up(&mut client);
                    }
                    self.clients.put(client);
                }
                Errand::Kill { id } => {
                    let Some(mut client) = self.clients.take(id) else { continue };
                    self.release(&mut client);
                    self.clients.put(client);
                }
                Errand::Unpause => self.unpause(),
            }
        }
    }
}

impl Engine {
    /// Clients that were silent for `timeout` seconds are closed; not those that wait or listen.
    pub(super) fn close_idle(&mut self) {
        let timeout = self.server.config.timeout;
        if timeout == 0 {
            return;
        }
        let now = self.mark;
        for client in self.clients.iter_mut() {
            let busy = client.blocked.is_some() || client.subscriptions() > 0;
            if !busy && now.saturating_duration_since(client.last_active).as_secs() > timeout {
                client.kill();
            }
        }
    }
}

/// Whether a listener that does not keep up is past what it may leave unread.
fn over(client: &mut Client, limit: OutputLimit) -> bool {
    let bytes = (client.pushed_bytes + client.wire.unsent_bytes) as u64;
    if limit.hard > 0 && bytes >= limit.hard {
        return true;
    }
    if limit.soft == 0 || bytes < limit.soft {
        client.over_soft_since = None;
        return false;
    }
    let since = *client.over_soft_since.get_or_insert_with(std::time::Instant::now);
    since.elapsed().as_secs() > limit.soft_seconds
}

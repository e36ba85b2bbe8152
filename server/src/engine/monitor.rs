//! What clients are told of others' commands: the lines of `MONITOR`, and which copies of keys are stale.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::Engine;
use crate::command::{Flags, Spec, keys, observe};
use crate::config::quote;
use crate::keyspace::Touched;
use crate::resp::{Protocol, Reply, Request};
use crate::session::{Client, ClientId, Stale};

const INVALIDATE: &[u8] = b"invalidate";
const CHANNEL: &[u8] = b"__redis__:invalidate";

impl Engine {
    /// A command ran: those who monitor see it, unless it is none of their business.
    pub(super) fn show(&mut self, client: &mut Client, spec: &Spec, request: Request<'_>) {
        if !spec.flags.has(Flags::ADMIN) && !spec.flags.has(Flags::SKIP_MONITOR) {
            self.feed(client, spec, request, self.scripts.calling.is_some());
        }
    }

    /// Those who monitor see a command.
    pub(super) fn feed(&mut self, client: &mut Client, spec: &Spec, request: Request<'_>, script: bool) {
        if self.clients.monitors.is_empty() {
            return;
        }
        let now = self.keyspace.now;
        let (seconds, micros) = (now / 1000, now % 1000 * 1000);
        let from = if script { "lua" } else { &client.address };
        let mut line = format!("{seconds}.{micros:06} [{} {from}]", client.db);
        for word in observe::shown(spec, request) {
            line.push(' ');
            line.push_str(&quote(word));
        }
        // Nobody sees a command whose forerunners may yet be lost.
        let after = self.newest();
        for id in self.clients.monitors.clone() {
            let line = Reply::Status(line.clone());
            if id == client.id {
                client.push(line, after);
            } else if let Some(monitor) = self.clients.get_mut(id) {
                monitor.push(line, after);
            }
        }
    }

    /// A command ran: if its client tracks, what it read is remembered.
    pub(super) fn remember(&mut self, client: &mut Client, spec: &Spec, request: Request<'_>) {
        let Some(tracking) = &mut client.tracking else { return };
        // It may have begun within the transaction that goes on.
        self.keyspace.tracking = true;
        // Of a script, the commands that it runs tell what it reads.
        let reads = spec.flags.has(Flags::READONLY) && !super::script::is_script(spec);
        if reads && !spec.flags.has(Flags::PUBSUB) && tracking.remembers() {
            for index in keys::positions(spec, request) {
                self.clients.tracking.read(client.id, request.arg(index));
            }
        }
    }

    /// What a command changed, the first `end` of the touched keys, is told before what it read is remembered: it may be
    /// the same.
    pub(super) fn invalidate_changed(&mut self, client: &mut Client, end: usize) {
        if self.clients.tracking.is_idle() || end <= self.invalidated {
            return;
        }
        let (touched, queued) = (std::mem::take(&mut self.keyspace.touched), client.out.len());
        self.invalidate(&touched[self.invalidated..end], Some(client.id), client);
        client.late.extend(client.out.drain(queued..));
        self.invalidated = end;
        self.keyspace.touched = touched;
    }

    /// Keys changed: who may hold a copy of them is told, `by` only if it wants to hear of its own changes; `current` is
    /// the client whose batch runs.
    pub(super) fn invalidate(&mut self, touched: &[Touched], by: Option<ClientId>, current: &mut Client) {
        if self.clients.tracking.is_idle() {
            return;
        }
        // All databases at once are one message.
        let mut flushed = false;
        for touched in touched {
            match touched {
                Touched::Key { key, .. } => {
                    let readers = self.clients.tracking.changed(key, by);
                    self.tell_readers(&readers, key, by, current);
                }
                Touched::Database(_) if !flushed => {
                    flushed = true;
                    self.forget_all(current);
                }
                // Redis leaves clients alone with databases that change places.
                Touched::Database(_) | Touched::Swapped(..) | Touched::Beside { .. } => {}
            }
        }
    }

    fn tell_readers(
        &mut self,
        readers: &BTreeSet<ClientId>,
        key: &[u8],
        by: Option<ClientId>,
        current: &mut Client,
    ) {
        for id in readers {
            let client = if *id == current.id { Some(&*current) } else { self.clients.get(*id) };
            let tracking = client.and_then(|client| client.tracking.as_deref());
            let wants =
                tracking.is_some_and(|tracking| !(tracking.broadcast || tracking.no_loop && Some(*id) == by));
            if wants {
                self.tell(*id, Stale::Keys(vec![Bytes::copy_from_slice(key)]), current);
            }
        }
    }

    /// All copies are stale.
    pub(super) fn forget_all(&mut self, current: &mut Client) {
        for id in self.clients.tracking.clients().collect::<Vec<_>>() {
            self.tell(id, Stale::Everything, current);
        }
        self.clients.tracking.forget_keys();
    }

    /// Broadcasts that were collected go out, and the table is held within its limit.
    pub(super) fn broadcast(&mut self, current: &mut Client) {
        if self.clients.tracking.is_idle() {
            return;
        }
        let most = self.server.config.tracking_table_max_keys;
        while let Some((key, readers)) = self.clients.tracking.overflow(most) {
            self.tell_readers(&readers, &key, None, current);
        }
        let mut quiet: BTreeSet<ClientId> = BTreeSet::new();
        for client in self.clients.iter().chain([&*current]) {
            if client.tracking.as_ref().is_some_and(|tracking| tracking.no_loop) {
                quiet.insert(client.id);
            }
        }
        for (id, keys) in self.clients.tracking.broadcasts(|id| quiet.contains(&id)) {
            self.tell(id, Stale::Keys(keys), current);
        }
        let after = self.newest();
        self.deliver(current, after);
    }

    /// Tell a client, or the one that it redirects to, what is stale: as soon as what made it so is committed.
    fn tell(&mut self, id: ClientId, stale: Stale, current: &mut Client) {
        let Some(client) = find(&mut self.clients, id, current) else { return };
        let redirect = client.tracking.as_ref().and_then(|tracking| tracking.redirect);
        let to = redirect.unwrap_or(id);
        if let Some(listener) = find(&mut self.clients, to, current) {
            if listener.protocol == Protocol::Resp3 {
                self.send(to, vec![Reply::bulk(INVALIDATE), reply(stale)], current);
            } else if redirect.is_some() && listener.subscriptions() > 0 {
                self.send(to, vec![Reply::bulk("message"), Reply::bulk(CHANNEL), reply(stale)], current);
            }
        } else if let Some(client) = find(&mut self.clients, id, current) {
            if let Some(tracking) = &mut client.tracking {
                tracking.broken = true;
            }
            if client.protocol == Protocol::Resp3 {
                let broken = vec![Reply::bulk("tracking-redir-broken"), Reply::Int(to as i64)];
                self.send(id, broken, current);
            }
        }
    }

    /// Others get it with all that they are sent, in one order, when what was written so far is in the log.
    fn send(&mut self, to: ClientId, message: Vec<Reply>, current: &mut Client) {
        let message = Reply::Push(message);
        if to == current.id {
            let after = self.newest();
            current.push(message, after);
        } else {
            self.server.pubsub.post(to, message);
        }
    }
}

fn find<'c>(
    clients: &'c mut crate::session::Clients,
    id: ClientId,
    current: &'c mut Client,
) -> Option<&'c mut Client> {
    if id == current.id { Some(current) } else { clients.get_mut(id).filter(|client| !client.killed) }
}

fn reply(stale: Stale) -> Reply {
    match stale {
        Stale::Keys(keys) => Reply::Array(keys.into_iter().map(Reply::Bulk).collect()),
        Stale::Everything => Reply::Null,
    }
}

//! `MULTI`, `EXEC`, `DISCARD`, `WATCH`, `UNWATCH`; and `QUIT`, `RESET`, which the engine runs itself too.

use super::{Engine, Place, PlaceMap, Step, place};
use crate::command::{Own, Spec, Verdict};
use crate::keyspace::Touched;
use crate::resp::{Failure, Protocol, Reply, Request};
use crate::session::{Client, ClientId, Clients, Transaction, Watched};

/// Who watches which key.
#[derive(Debug, Default)]
pub(super) struct Watchers(PlaceMap<Vec<ClientId>>);

impl Watchers {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, place: Place, id: ClientId) {
        let ids = self.0.entry(place).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }

    pub fn forget(&mut self, client: &mut Client) {
        for watched in client.watched.drain(..) {
            let place = (watched.db, watched.key);
            if let Some(ids) = self.0.get_mut(&place) {
                ids.retain(|id| *id != client.id);
                if ids.is_empty() {
                    self.0.remove(&place);
                }
            }
        }
        client.dirty = false;
    }

    /// Clients that watch a touched key can't `EXEC` any more; `current` is the client whose batch runs.
    pub fn touched(&self, touched: &Touched, clients: &mut Clients, current: &mut Client) {
        if self.0.is_empty() {
            return;
        }
        let mut spoil = |id: ClientId| {
            if id == current.id {
                current.dirty = true;
            } else if let Some(client) = clients.get_mut(id) {
                client.dirty = true;
            }
        };
        if let Some(place) = place(touched) {
            self.0.get(&place).into_iter().flatten().for_each(|id| spoil(*id));
            return;
        }
        let in_it = |db: u32| match touched {
            Touched::Database(touched) => db == *touched,
            Touched::Swapped(a, b) => db == *a || db == *b,
            Touched::Key { .. } => false,
        };
        self.0.iter().filter(|((db, _), _)| in_it(*db)).flat_map(|(_, ids)| ids).for_each(|id| spoil(*id));
    }
}

/// Keep a request for `EXEC`.
pub(super) fn queue(client: &mut Client, request: Request<'_>) -> Step {
    if let Some(transaction) = &mut client.transaction {
        transaction.queued.push(request.to_batch());
    }
    client.reply(Reply::Simple("QUEUED"), 0);
    Step::Next
}

impl Engine {
    pub(super) fn own(
        &mut self,
        client: &mut Client,
        own: Own,
        spec: &'static Spec,
        request: Request<'_>,
    ) -> Step {
        let reply = match own {
            Own::Multi => self.multi(client),
            Own::Exec => return self.exec(client, spec, request),
            Own::Discard if client.transaction.is_none() => Reply::error("ERR DISCARD without MULTI"),
            Own::Discard => {
                client.transaction = None;
                self.watchers.forget(client);
                self.track();
                Reply::OK
            }
            Own::Watch => self.watch(client, request),
            Own::Unwatch => {
                self.watchers.forget(client);
                self.track();
                Reply::OK
            }
            Own::Reset => self.reset(client),
            Own::Quit => {
                client.reply(Reply::OK, 0);
                client.closing = true;
                return Step::Close;
            }
        };
        client.reply(reply, 0);
        Step::Next
    }

    fn multi(&mut self, client: &mut Client) -> Reply {
        if client.transaction.is_some() {
            return Reply::error("ERR MULTI calls can not be nested");
        }
        client.transaction = Some(Transaction::default());
        Reply::OK
    }

    fn watch(&mut self, client: &mut Client, request: Request<'_>) -> Reply {
        if client.transaction.is_some() {
            return Reply::error("ERR WATCH inside MULTI is not allowed");
        }
        if client.dirty {
            return Reply::OK;
        }
        for key in request.rest(1) {
            let place: Place = (client.db, key.into());
            let expired =
                self.keyspace.database(client.db).get(key).is_some_and(|e| e.expired(self.keyspace.now));
            if !client.watched.iter().any(|other| (other.db, &other.key) == (place.0, &place.1)) {
                client.watched.push(Watched { db: place.0, key: place.1.clone(), expired });
            }
            self.watchers.add(place, client.id);
        }
        self.track();
        Reply::OK
    }

    fn exec(&mut self, client: &mut Client, _spec: &'static Spec, _request: Request<'_>) -> Step {
        let Some(transaction) = client.transaction.take() else {
            client.reply(Reply::error("ERR EXEC without MULTI"), 0);
            return Step::Next;
        };
        let spoiled = client.dirty || self.watched_expired(client);
        self.watchers.forget(client);
        self.track();
        if transaction.aborted || spoiled {
            let reply = if transaction.aborted {
                Reply::error("EXECABORT Transaction discarded because of previous errors.")
            } else {
                Reply::NullArray
            };
            client.reply(reply, 0);
            return Step::Next;
        }
        let mut replies = Vec::with_capacity(transaction.queued.len());
        let mut after = 0;
        for batch in &transaction.queued {
            let request = batch.get(0);
            let db = client.db;
            let reply = match self.exec_one(client, request) {
                Ok((spec, reply)) => {
                    after = after.max(if self.replicated { self.observed(db, spec, request) } else { 0 });
                    reply
                }
                Err(failure) => failure.into(),
            };
            replies.push(reply);
        }
        // One record of all effects: a replica sees all of a transaction or nothing (trap 20).
        after = after.max(self.log());
        client.written = client.written.max(after);
        client.reply(Reply::Array(replies), after);
        Step::Next
    }

    fn exec_one(
        &mut self,
        client: &mut Client,
        request: Request<'_>,
    ) -> Result<(&'static Spec, Reply), Failure> {
        let (spec, skip) = super::gate::look_up(request)?;
        client.command = spec.full_name;
        if let crate::command::Handler::Engine(own) = spec.handler {
            // Only UNWATCH is queued of the engine's own; its watches are gone already.
            debug_assert_eq!(own, Own::Unwatch);
            return Ok((spec, Reply::OK));
        }
        match self.call(client, spec, skip, request, false)? {
            Verdict::Reply(reply) | Verdict::Block { timeout: reply, .. } => Ok((spec, reply)),
            Verdict::Order(_) => Err(Failure::new("ERR Command not allowed inside a transaction")),
        }
    }

    /// A watched key that has expired since counts as touched, even if nobody deleted it yet.
    fn watched_expired(&self, client: &Client) -> bool {
        client.watched.iter().any(|watched| {
            let entry = self.keyspace.database(watched.db).get(&watched.key);
            !watched.expired && entry.is_some_and(|entry| entry.expired(self.keyspace.now))
        })
    }

    pub(super) fn reset(&mut self, client: &mut Client) -> Reply {
        client.transaction = None;
        self.watchers.forget(client);
        self.track();
        client.db = 0;
        client.protocol = Protocol::Resp2;
        client.name = bytes::Bytes::new();
        client.reply_mode = crate::session::ReplyMode::On;
        client.no_evict = false;
        client.no_touch = false;
        client.authenticated = !self.server.needs_password();
        Reply::Simple("RESET")
    }
}

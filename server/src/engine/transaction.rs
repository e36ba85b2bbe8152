//! `MULTI`, `EXEC`, `DISCARD`, `WATCH`, `UNWATCH`; and `QUIT`, `RESET`, which the engine runs itself too.

use super::{Engine, Place, PlaceMap, Step, gate, place};
use crate::acl::Denied;
use crate::command::{Flags, Own, Verdict};
use crate::keyspace::{Keyspace, Touched};
use crate::resp::{Failure, Protocol, Reply, Request};
use crate::session::{Client, ClientId, Clients, Offset, Seen, Transaction, Watched};

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

    /// Nobody who watches anything can `EXEC` any more.
    pub fn spoil(&self, clients: &mut Clients) {
        for id in self.0.values().flatten() {
            if let Some(client) = clients.get_mut(*id) {
                client.dirty = true;
            }
        }
    }

    /// Clients that watch a touched key can't `EXEC` any more; `current` is the client whose batch runs.
    pub fn touched(
        &self,
        touched: &Touched,
        keyspace: &Keyspace,
        clients: &mut Clients,
        current: &mut Client,
    ) {
        let mut look = |place: &Place, ids: &[ClientId]| {
            for id in ids {
                let client = if *id == current.id { Some(&mut *current) } else { clients.get_mut(*id) };
                if let Some(client) = client {
                    look_again(client, place, touched, keyspace);
                }
            }
        };
        if let Some(place) = place(touched) {
            if let Some(ids) = self.0.get(&place) {
                look(&place, ids);
            }
            return;
        }
        let in_it = |db: u32| match touched {
            Touched::Database(touched) => db == *touched,
            Touched::Swapped(a, b) => db == *a || db == *b,
            Touched::Key { .. } | Touched::Beside { .. } => false,
        };
        self.0.iter().filter(|(place, _)| in_it(place.0)).for_each(|(place, ids)| look(place, ids));
    }
}

/// What a key is to those who watch it.
fn see(keyspace: &Keyspace, place: &Place) -> Seen {
    match keyspace.database(place.0).get(&place.1) {
        None => Seen::Missing,
        Some(entry) if entry.expired(keyspace.now) => Seen::Expired,
        Some(_) => Seen::There,
    }
}

/// Is a watched key another now? It is when it was changed, even back to what it was; but that one which had expired
/// already is deleted, or that nothing takes the place of nothing, is no change.
fn look_again(client: &mut Client, place: &Place, touched: &Touched, keyspace: &Keyspace) {
    let watched = client.watched.iter_mut().find(|watched| (watched.db, &watched.key) == (place.0, &place.1));
    let Some(watched) = watched else { return };
    let now = see(keyspace, place);
    let by_key = matches!(touched, Touched::Key { .. });
    match (watched.seen, now) {
        (Seen::Expired, Seen::Missing) => watched.seen = Seen::Missing,
        (Seen::Missing, Seen::Missing) | (Seen::Expired, Seen::Expired) if !by_key => {}
        (Seen::Missing, Seen::Expired) if !by_key => watched.seen = Seen::Expired,
        _ => client.dirty = true,
    }
}

/// Keep a request for `EXEC`; `flags` are those of what it will do.
pub(super) fn queue(client: &mut Client, flags: Flags, request: Request<'_>) -> Step {
    if let Some(transaction) = &mut client.transaction {
        transaction.writes |= flags.has(Flags::WRITE);
        transaction.may_replicate |= flags.has(Flags::MAY_REPLICATE);
        // What will not run needs no memory.
        if !transaction.aborted {
            transaction.needs_memory |= flags.has(Flags::DENYOOM);
            transaction.queued.push(request.to_batch());
        }
    }
    client.reply(Reply::Simple("QUEUED"), 0);
    Step::Next
}

impl Engine {
    /// A request that is refused before it runs: it also spoils a `MULTI` under way, and refused itself, `EXEC` ends it.
    pub(super) fn refuse(&mut self, client: &mut Client, request: Request<'_>, failure: Failure) -> Step {
        if request.arg(0).eq_ignore_ascii_case(b"EXEC") {
            let why = failure.0.strip_prefix("ERR ").unwrap_or(&failure.0);
            let text = format!("EXECABORT Transaction discarded because of: {why}");
            self.discard(client);
            client.reply(Failure::text(text).into(), 0);
            return Step::Next;
        }
        if let Some(transaction) = &mut client.transaction {
            transaction.aborted = true;
            transaction.queued.clear();
        }
        client.reply(failure.into(), 0);
        Step::Next
    }

    pub(super) fn own(&mut self, client: &mut Client, own: Own, request: Request<'_>) -> Step {
        let reply = match own {
            Own::Multi => Self::multi(client),
            Own::Exec => {
                self.exec(client);
                return Step::Next;
            }
            Own::Discard if client.transaction.is_none() => Reply::error("ERR DISCARD without MULTI"),
            Own::Discard => {
                self.discard(client);
                Reply::OK
            }
            Own::Watch => self.watch(client, request),
            Own::Unwatch => {
                self.unwatch(client);
                Reply::OK
            }
            Own::Reset => self.reset(client),
            Own::Quit => {
                self.release(client);
                client.reply(Reply::OK, 0);
                client.closing = true;
                return Step::Close;
            }
        };
        client.reply(reply, 0);
        Step::Next
    }

    fn unwatch(&mut self, client: &mut Client) {
        self.watchers.forget(client);
        self.track();
    }

    fn discard(&mut self, client: &mut Client) {
        client.transaction = None;
        self.unwatch(client);
    }

    fn multi(client: &mut Client) -> Reply {
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
            if client.watched.iter().any(|other| (other.db, &other.key) == (place.0, &place.1)) {
                continue;
            }
            let seen = see(&self.keyspace, &place);
            client.watched.push(Watched { db: place.0, key: place.1.clone(), seen });
            self.watchers.add(place, client.id);
        }
        self.track();
        Reply::OK
    }

    fn exec(&mut self, client: &mut Client) {
        let Some(transaction) = client.transaction.take() else {
            client.reply(Reply::error("ERR EXEC without MULTI"), 0);
            return;
        };
        let spoiled = client.dirty || self.watched_expired(client);
        self.unwatch(client);
        if transaction.aborted {
            client.reply(Reply::error("EXECABORT Transaction discarded because of previous errors."), 0);
            return;
        }
        if spoiled {
            // That a key was touched may not be known before it is committed.
            client.reply(Reply::NullArray, self.held(self.newest()));
            return;
        }
        let mut replies = Vec::with_capacity(transaction.queued.len());
        let mut after = 0;
        for batch in &transaction.queued {
            let (reply, observed) = self.exec_one(client, batch.get(0));
            after = after.max(observed);
            replies.push(reply);
        }
        client.command = "EXEC";
        // One record of all effects: a replica sees all of a transaction or nothing (trap 20).
        let written = self.log();
        client.written = client.written.max(written);
        after = self.held(after.max(written));
        self.deliver(client, written);
        client.reply(Reply::Array(replies), after);
    }

    /// The reply of one queued command, and what it must wait for.
    fn exec_one(&mut self, client: &mut Client, request: Request<'_>) -> (Reply, Offset) {
        let (spec, skip) = match gate::look_up(request) {
            Ok(found) => found,
            Err(failure) => return (failure.into(), 0),
        };
        client.command = spec.full_name;
        if let Err((denied, _)) = self.permit(client, (spec, skip), request, "multi") {
            return (changed_rights(denied), 0);
        }
        if let crate::command::Handler::Engine(own) = spec.handler {
            // Only UNWATCH is queued of the engine's own; its watches are gone already.
            debug_assert_eq!(own, Own::Unwatch);
            return (Reply::OK, 0);
        }
        let (db, queued) = (client.db, client.out.len());
        let verdict = self.call(client, spec, skip, request, false, None);
        let observed = if self.replicated { self.observed(db, spec, request) } else { 0 };
        let reply = match verdict {
            Ok(Verdict::Reply(Reply::None)) => confirmations(client, queued),
            Ok(
                Verdict::Reply(reply)
                | Verdict::Block { timeout: reply, .. }
                | Verdict::BlockUntil { timeout: reply, .. },
            ) => reply,
            Ok(verdict @ Verdict::Replicas { .. }) => {
                self.wait_for_replicas(client, &verdict, false).unwrap_or(Reply::Null)
            }
            Ok(Verdict::Order(_)) => Reply::error("ERR Command not allowed inside a transaction"),
            Err(failure) => failure.into(),
        };
        (reply, observed)
    }

    /// A watched key that has expired since counts as touched, even if nobody deleted it yet.
    fn watched_expired(&self, client: &Client) -> bool {
        client.watched.iter().any(|watched| {
            let place = (watched.db, watched.key.clone());
            watched.seen != Seen::Expired && see(&self.keyspace, &place) == Seen::Expired
        })
    }

    pub(super) fn reset(&mut self, client: &mut Client) -> Reply {
        self.discard(client);
        self.unsubscribe_all(client);
        self.unobserve(client);
        client.db = 0;
        client.protocol = Protocol::Resp2;
        client.name = bytes::Bytes::new();
        client.reply_mode = crate::session::ReplyMode::On;
        client.no_evict = false;
        client.no_touch = false;
        client.reads_here = false;
        client.redirects = false;
        client.authenticated = !self.server.needs_password();
        client.user = self.server.users.default_user().clone();
        Reply::Simple("RESET")
    }
}

/// The reply of a queued command that its client might run when it was queued.
fn changed_rights(denied: Denied) -> Reply {
    let why = match denied {
        Denied::Command => "no permission to execute the command or subcommand",
        Denied::Key(_) => "no permission to touch the specified keys",
        Denied::Channel(_) => "no permission to access one of the channels used as arguments to the command",
    };
    let text = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command \
                is no longer allowed for the following reason: ";
    Failure::text(format!("{text}{why}")).into()
}

/// What a command that replies by messages of its own (`SUBSCRIBE`) queued since there were `queued` of them: they take
/// its place in the reply of `EXEC`. Redis counts only the first of several, which no client can read.
fn confirmations(client: &mut Client, queued: usize) -> Reply {
    let mut messages: Vec<Reply> = client.out.drain(queued..).map(|out| out.reply).collect();
    match messages.len() {
        0 => Reply::Null,
        1 => messages.swap_remove(0),
        _ => Reply::Array(messages),
    }
}

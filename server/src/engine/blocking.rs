//! Clients that wait: for a key, for replicas, for the node, for the end of a pause.
//!
//! Who waits for a key is served in order of arrival, from that very key, after the command (or `MULTI`) that
//! brought it, and whatever way it came to be there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Engine, Place, PlaceMap, Step, place};
use crate::command::Verdict;
use crate::keyspace::Touched;
use crate::resp::{Reply, Request};
use crate::session::{Blocked, Client, ClientId, Offset};

/// Who waits, for what and until when.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// For each key, those who wait for it by their turn.
    keys: PlaceMap<BTreeMap<u64, ClientId>>,
    deadlines: BTreeSet<(u64, ClientId)>,
    /// Who waits for replicas, and for the end of a pause.
    replicas: BTreeSet<ClientId>,
    paused: BTreeSet<ClientId>,
    /// How many wait for a key and want to know when it is gone.
    even_gone: usize,
    last_turn: u64,
}

impl Queues {
    /// Whether nobody waits for a key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn turn(&mut self) -> u64 {
        self.last_turn += 1;
        self.last_turn
    }

    /// The client waits from now on.
    pub fn enter(&mut self, client: &mut Client, blocked: Blocked, deadline: Option<u64>) {
        match &blocked {
            Blocked::Keys { keys, turn, even_gone, .. } => {
                self.even_gone += usize::from(*even_gone);
                for key in keys {
                    self.keys.entry((client.db, key.clone())).or_default().insert(*turn, client.id);
                }
            }
            Blocked::Replicas { .. } => drop(self.replicas.insert(client.id)),
            Blocked::Pause => drop(self.paused.insert(client.id)),
            Blocked::Order => {}
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, client.id));
        }
        client.deadline = deadline;
        client.blocked = Some(blocked);
    }

    /// The client waits no longer.
    pub fn leave(&mut self, client: &mut Client) -> Option<Blocked> {
        let blocked = client.blocked.take()?;
        if let Some(deadline) = client.deadline.take() {
            self.deadlines.remove(&(deadline, client.id));
        }
        match &blocked {
            Blocked::Keys { keys, turn, even_gone, .. } => {
                self.even_gone -= usize::from(*even_gone);
                for key in keys {
                    let place = (client.db, key.clone());
                    if let Some(queue) = self.keys.get_mut(&place) {
                        queue.remove(turn);
                        if queue.is_empty() {
                            self.keys.remove(&place);
                        }
                    }
                }
            }
            Blocked::Replicas { .. } => drop(self.replicas.remove(&client.id)),
            Blocked::Pause => drop(self.paused.remove(&client.id)),
            Blocked::Order => {}
        }
        Some(blocked)
    }

    /// The places among those waited for that may have come to be by `touched`.
    fn places(&self, touched: &Touched) -> Vec<Place> {
        match touched {
            Touched::Key { made: false, .. } if self.even_gone == 0 => Vec::new(),
            Touched::Key { .. } => {
                place(touched).filter(|place| self.keys.contains_key(place)).into_iter().collect()
            }
            Touched::Swapped(a, b) => {
                self.keys.keys().filter(|(db, _)| db == a || db == b).cloned().collect()
            }
            Touched::Database(touched) if self.even_gone > 0 => {
                self.keys.keys().filter(|(db, _)| db == touched).cloned().collect()
            }
            Touched::Beside { db, key, wakes: true } => {
                let place = (*db, key.clone());
                self.keys.contains_key(&place).then_some(place).into_iter().collect()
            }
            Touched::Beside { .. } | Touched::Database(_) => Vec::new(),
        }
    }

    /// Who is the first to wait for a key, from a turn on.
    fn first(&self, place: &Place, turn: u64) -> Option<(u64, ClientId)> {
        let (turn, id) = self.keys.get(place)?.range(turn..).next()?;
        Some((*turn, *id))
    }
}

/// How far others hold the log, as the node knows it: for `WAIT` and `WAITAOF`.
#[derive(Debug, Clone, Default)]
pub struct Acks {
    /// For each connected replica, what it holds, and what of it is forced to its disk.
    pub held: Vec<Offset>,
    pub synced: Vec<Offset>,
    /// What is forced to this node's disk.
    pub local_synced: Offset,
}

impl Acks {
    /// The answer of `WAIT` or `WAITAOF` for an offset, and whether it is what was asked for.
    fn answer(&self, offset: Offset, count: u64, local: bool, wait_aof: bool) -> (Reply, bool) {
        let replicas = if wait_aof { &self.synced } else { &self.held };
        let reached = replicas.iter().filter(|held| **held >= offset).count();
        let enough = reached as u64 >= count;
        if !wait_aof {
            return (reached.into(), enough);
        }
        let here = self.local_synced >= offset;
        (Reply::Array(vec![Reply::Int(i64::from(here)), reached.into()]), enough && (here || !local))
    }
}

impl Engine {
    /// Hold a request back until clients are no longer paused.
    pub(super) fn pause(&mut self, client: &mut Client, until: u64) -> Step {
        self.blocked.enter(client, Blocked::Pause, Some(until));
        Step::Wait { taken: false }
    }

    pub(super) fn block(
        &mut self,
        client: &mut Client,
        keys: Vec<Vec<u8>>,
        deadline: Option<u64>,
        timeout: Reply,
        request: Request<'_>,
        even_gone: bool,
    ) {
        let keys: Vec<Arc<[u8]>> = keys.into_iter().map(Arc::from).collect();
        let turn = self.blocked.turn();
        let request = Arc::new(request.to_batch());
        self.blocked.enter(client, Blocked::Keys { keys, request, turn, timeout, even_gone }, deadline);
        self.track();
    }

    /// Wait for replicas if need be, and if it is allowed; else the answer.
    pub(super) fn wait_for_replicas(
        &mut self,
        client: &mut Client,
        verdict: &Verdict,
        may_block: bool,
    ) -> Option<Reply> {
        let Verdict::Replicas { count, local, wait_aof, deadline } = *verdict else { return None };
        let offset = client.written;
        let (reply, enough) = self.acks.answer(offset, count, local, wait_aof);
        if enough || !may_block {
            return Some(reply);
        }
        self.blocked.enter(client, Blocked::Replicas { count, local, offset, wait_aof }, deadline);
        None
    }

    /// Whether a `WAIT` or `WAITAOF` is under way.
    pub fn waits_for_replicas(&self) -> bool {
        !self.blocked.replicas.is_empty()
    }

    /// Replicas, or this node's disk, got further.
    pub fn replicas_acked(&mut self, acks: Acks) {
        self.acks = acks;
        for id in self.blocked.replicas.iter().copied().collect::<Vec<_>>() {
            let Some(client) = self.clients.get_mut(id) else { continue };
            let Some(Blocked::Replicas { count, local, offset, wait_aof }) = client.blocked else { continue };
            let (reply, enough) = self.acks.answer(offset, count, local, wait_aof);
            if enough {
                self.blocked.leave(client);
                client.resume(reply, 0);
            }
        }
    }

    /// Run the requests of clients that wait for touched keys again, in the order in which they came.
    pub(super) fn serve(&mut self, touched: &[Touched]) {
        if self.blocked.is_empty() {
            return;
        }
        for touched in touched {
            for place in self.blocked.places(touched) {
                self.serve_from(&place);
            }
        }
        // A key that was found to have expired meanwhile.
        self.log();
    }

    /// Serve who waits for a key as long as there is something.
    fn serve_from(&mut self, place: &Place) {
        let mut turn = 0;
        while let Some((next, id)) = self.blocked.first(place, turn) {
            let kind = self.keyspace.find(place.0, &place.1).map(|entry| entry.value.type_name());
            if kind.is_none() && self.blocked.even_gone == 0 {
                return;
            }
            turn = next + 1;
            let Some(mut client) = self.clients.take(id) else { continue };
            if !client.killed && !client.closing {
                self.try_again(&mut client, &place.1, kind);
            }
            self.clients.put(client);
        }
    }

    /// `kind`: the type of what is there now.
    fn try_again(&mut self, client: &mut Client, ready: &[u8], kind: Option<&str>) {
        let Some(Blocked::Keys { request: batch, even_gone, .. }) = &client.blocked else { return };
        let (batch, even_gone) = (batch.clone(), *even_gone);
        let request = batch.get(0);
        let Ok((spec, skip)) = super::gate::look_up(request) else { return };
        let group = kind.map(|kind| if kind == "zset" { "sorted-set" } else { kind });
        if group != Some(spec.group) && !even_gone {
            // It is gone, or became something else than what is waited for.
            return;
        }
        let permitted = self.permit(client, (spec, skip), request, "toplevel");
        let verdict = match permitted {
            Ok(()) => self.call(client, spec, skip, request, true, Some(ready)),
            Err((_, failure)) => Err(failure),
        };
        self.changers.push((self.keyspace.touched.len(), client.id));
        let reply = match verdict {
            Ok(Verdict::Reply(reply)) => reply,
            Ok(_) => return,
            Err(failure) => failure.into(),
        };
        let after = self.finish(client, spec, request);
        self.unblock(client);
        client.resume(reply, after);
    }

    /// The client waits no longer; its reply is the caller's business.
    pub(super) fn unblock(&mut self, client: &mut Client) {
        self.blocked.leave(client);
        self.track();
    }

    /// The next moment at which [`Engine::tick`] has a client to wake, in milliseconds since 1970.
    pub fn next_deadline(&self) -> Option<u64> {
        let waiting = self.blocked.deadlines.first().map(|(at, _)| *at);
        waiting.into_iter().chain(self.expire_again).min()
    }

    /// Clients whose time is up get the answer of their command for that.
    pub(super) fn time_out(&mut self) {
        while let Some((at, id)) = self.blocked.deadlines.first().copied() {
            if at > self.keyspace.now {
                return;
            }
            self.blocked.deadlines.pop_first();
            if let Some(mut client) = self.clients.take(id) {
                self.give_up(&mut client);
                self.clients.put(client);
            }
        }
    }

    /// End a client's wait as its time being up does.
    pub(super) fn give_up(&mut self, client: &mut Client) {
        let Some(blocked) = self.blocked.leave(client) else { return };
        self.track();
        match blocked {
            // That nothing came may be due to a pop that is not committed yet.
            Blocked::Keys { timeout, .. } => {
                client.resume(timeout, self.held(self.newest()));
            }
            Blocked::Replicas { count, local, offset, wait_aof } => {
                client.resume(self.acks.answer(offset, count, local, wait_aof).0, 0);
            }
            Blocked::Order | Blocked::Pause => client.wake.notify_one(),
        }
    }

    /// The pause is over: held requests run.
    pub(super) fn unpause(&mut self) {
        for id in self.blocked.paused.iter().copied().collect::<Vec<_>>() {
            if let Some(client) = self.clients.get_mut(id) {
                self.blocked.leave(client);
                client.wake.notify_one();
            }
        }
    }

    /// The node carried out an order of a client.
    pub fn answer(&mut self, id: ClientId, reply: Reply) {
        self.answer_after(id, reply, 0);
    }

    /// The same, with an answer that waits for a commit.
    pub fn answer_after(&mut self, id: ClientId, reply: Reply, after: Offset) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if matches!(client.blocked, Some(Blocked::Order)) {
            self.blocked.leave(client);
            client.written = client.written.max(after);
            client.resume(reply, after);
        }
    }
}

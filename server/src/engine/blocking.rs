//! Clients that wait: for a key, for replicas, for the node, for the end of a pause.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Engine, Place, PlaceMap, Step, place};
use crate::command::Verdict;
use crate::keyspace::Touched;
use crate::resp::{Reply, Request};
use crate::session::{Blocked, Client, ClientId};

/// Who waits for which key, first come first served.
#[derive(Debug, Default)]
pub(super) struct Queues(PlaceMap<VecDeque<ClientId>>);

impl Queues {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, place: Place, id: ClientId) {
        let queue = self.0.entry(place).or_default();
        if !queue.contains(&id) {
            queue.push_back(id);
        }
    }

    fn remove(&mut self, db: u32, keys: &[Arc<[u8]>], id: ClientId) {
        for key in keys {
            let place = (db, key.clone());
            if let Some(queue) = self.0.get_mut(&place) {
                queue.retain(|other| *other != id);
                if queue.is_empty() {
                    self.0.remove(&place);
                }
            }
        }
    }

    /// Clients that wait for a key that `touched` may have brought.
    fn waiting(&self, touched: &Touched) -> Vec<ClientId> {
        match place(touched) {
            Some(place) => self.0.get(&place).into_iter().flatten().copied().collect(),
            None => match touched {
                Touched::Swapped(a, b) => {
                    let mut ids: Vec<ClientId> = self
                        .0
                        .iter()
                        .filter(|((db, _), _)| db == a || db == b)
                        .flat_map(|(_, ids)| ids)
                        .copied()
                        .collect();
                    ids.sort_unstable();
                    ids.dedup();
                    ids
                }
                Touched::Database(_) | Touched::Key { .. } => Vec::new(),
            },
        }
    }
}

/// Hold a request back until clients are no longer paused.
pub(super) fn pause(client: &mut Client, _request: Request<'_>, until: u64) -> Step {
    client.blocked = Some(Blocked::Pause);
    client.deadline = Some(until);
    Step::Wait { taken: false }
}

impl Engine {
    pub(super) fn block(
        &mut self,
        client: &mut Client,
        keys: Vec<Vec<u8>>,
        deadline: Option<u64>,
        timeout: Reply,
        request: Request<'_>,
    ) {
        let keys: Vec<Arc<[u8]>> = keys.into_iter().map(Arc::from).collect();
        for key in &keys {
            self.blocked.add((client.db, key.clone()), client.id);
        }
        client.deadline = deadline;
        client.blocked = Some(Blocked::Keys {
            keys,
            request: Arc::new(request.to_batch()),
            since_ms: self.keyspace.now,
            timeout,
        });
        self.track();
    }

    /// Run the requests of clients that wait for touched keys again, in the order in which they came.
    pub(super) fn serve(&mut self, touched: &[Touched]) {
        if self.blocked.is_empty() {
            return;
        }
        for touched in touched {
            for id in self.blocked.waiting(touched) {
                let Some(mut client) = self.clients.take(id) else { continue };
                self.try_again(&mut client);
                self.clients.put(client);
            }
        }
    }

    fn try_again(&mut self, client: &mut Client) {
        let Some(Blocked::Keys { request: batch, .. }) = &client.blocked else { return };
        let batch = batch.clone();
        let request = batch.get(0);
        let Ok((spec, skip)) = super::gate::look_up(request) else { return };
        let reply = match self.call(client, spec, skip, request, true) {
            Ok(Verdict::Block { .. } | Verdict::Order(_)) => return,
            Ok(Verdict::Reply(reply)) => reply,
            Err(failure) => failure.into(),
        };
        let after = self.finish(client, spec, request);
        self.unblock(client);
        client.reply(reply, after);
        client.wake.notify_one();
    }

    /// The client waits no longer; its reply is the caller's business.
    pub(super) fn unblock(&mut self, client: &mut Client) {
        if let Some(Blocked::Keys { keys, .. }) = client.blocked.take() {
            self.blocked.remove(client.db, &keys, client.id);
            self.track();
        }
        client.deadline = None;
    }

    /// The next moment at which [`Engine::tick`] has a client to wake, in milliseconds since 1970.
    pub fn next_deadline(&self) -> Option<u64> {
        self.clients.iter().filter_map(|client| client.deadline).min()
    }

    /// Clients whose time is up get the answer of their command for that.
    pub(super) fn time_out(&mut self) {
        let now = self.keyspace.now;
        let due: Vec<ClientId> =
            self.clients.iter().filter(|c| c.deadline.is_some_and(|at| at <= now)).map(|c| c.id).collect();
        for id in due {
            let Some(mut client) = self.clients.take(id) else { continue };
            let reply = match &client.blocked {
                Some(Blocked::Keys { timeout, .. }) => timeout.clone(),
                _ => Reply::None,
            };
            self.unblock(&mut client);
            client.reply(reply, 0);
            client.wake.notify_one();
            self.clients.put(client);
        }
    }

    /// The node carried out an order of a client.
    pub fn answer(&mut self, id: ClientId, reply: Reply) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if matches!(client.blocked, Some(Blocked::Order)) {
            client.blocked = None;
            client.reply(reply, 0);
            client.wake.notify_one();
        }
    }

    /// A connection ended.
    pub fn disconnect(&mut self, id: ClientId) {
        if let Some(mut client) = self.clients.take(id) {
            self.unblock(&mut client);
            self.watchers.forget(&mut client);
            self.track();
        }
    }
}

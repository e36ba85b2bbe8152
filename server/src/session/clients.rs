//! All clients of a node, by id.

use std::collections::{BTreeMap, BTreeSet};

use super::tracking::Table;
use super::{Client, ClientId};

/// The client whose batch runs is taken out for that long, so that a command can change its own client and look at
/// the others at once.
#[derive(Debug, Default)]
pub struct Clients {
    all: BTreeMap<ClientId, Option<Box<Client>>>,
    last: ClientId,
    /// Who sees every command.
    pub monitors: BTreeSet<ClientId>,
    pub tracking: Table,
    /// Connections since the start, and those refused because of `maxclients`.
    pub accepted: u64,
    pub refused: u64,
    /// Those closed because clients took too much memory.
    pub evicted: u64,
}

impl Clients {
    pub fn connect(&mut self, address: String, local_address: String) -> &mut Client {
        self.last += 1;
        self.accepted += 1;
        let client = Box::new(Client::new(self.last, address, local_address));
        self.all.entry(self.last).or_default().insert(client)
    }

    pub fn disconnect(&mut self, id: ClientId) -> Option<Box<Client>> {
        self.all.remove(&id).flatten()
    }

    pub fn take(&mut self, id: ClientId) -> Option<Box<Client>> {
        self.all.get_mut(&id)?.take()
    }

    pub fn put(&mut self, client: Box<Client>) {
        self.all.insert(client.id, Some(client));
    }

    pub fn get(&self, id: ClientId) -> Option<&Client> {
        self.all.get(&id)?.as_deref()
    }

    pub fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.all.get_mut(&id)?.as_deref_mut()
    }

    /// Those that are not taken out.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.all.values().filter_map(Option::as_deref)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.all.values_mut().filter_map(Option::as_deref_mut)
    }

    /// All of them.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

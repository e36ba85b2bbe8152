//! All clients of a node, by id.

use std::collections::BTreeMap;

use super::{Client, ClientId};

/// The client whose batch runs is taken out for that long, so that a command can change its own client and look at
/// the others at once.
#[derive(Debug, Default)]
pub struct Clients {
    all: BTreeMap<ClientId, Box<Client>>,
    last: ClientId,
    /// Connections since the start, and those refused because of `maxclients`.
    pub accepted: u64,
    pub refused: u64,
}

impl Clients {
    pub fn connect(&mut self, address: String, local_address: String) -> &mut Client {
        self.last += 1;
        self.accepted += 1;
        let client = Box::new(Client::new(self.last, address, local_address));
        self.all.entry(self.last).or_insert(client)
    }

    pub fn take(&mut self, id: ClientId) -> Option<Box<Client>> {
        self.all.remove(&id)
    }

    pub fn put(&mut self, client: Box<Client>) {
        self.all.insert(client.id, client);
    }

    pub fn get(&self, id: ClientId) -> Option<&Client> {
        self.all.get(&id).map(AsRef::as_ref)
    }

    pub fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.all.get_mut(&id).map(AsMut::as_mut)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.all.values().map(AsRef::as_ref)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.all.values_mut().map(AsMut::as_mut)
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

//! What the protocol orders of the world outside of this process's memory: connections, the registry, and the disk's time.
//!
//! A trait, so that a simulator can be that world; [`Real`] is the one that nodes live in.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::fatal;
use crate::election::zookeeper::Registry;
use crate::replication::member::{Config, NodeInfo, Stamp};
use crate::replication::meta::Unsynced;
use crate::replication::position::Offset;
use crate::replication::protocol::ConnectionId;
use crate::replication::storage::Storage;
use crate::replication::stream::Links;
use crate::replication::wire::Frame;

/// Orders are carried out in their order; what they lead to comes back as events.
pub trait Outside: Send {
    fn connect(&mut self, connection: ConnectionId, host: String, port: u16);
    fn send(&mut self, connection: ConnectionId, frame: Frame);
    /// Feed the connection with the log from here on.
    fn stream(&mut self, connection: ConnectionId, stamp: Stamp, from: Offset);
    /// Feed it with a snapshot, then with the log from there.
    fn copy_to(&mut self, connection: ConnectionId, stamp: Stamp);
    fn close(&mut self, connection: ConnectionId);
    fn close_all(&mut self);
    fn write(&mut self, config: Config, expected: Option<i32>);
    fn refresh(&mut self);
    fn announce(&mut self, info: NodeInfo);
    /// Have a change of the meta file synced beside other work; what is returned hears when it is. `waits` says whether
    /// that is waited for.
    fn keep(&mut self, unsynced: Unsynced, waits: bool) -> Receiver<()>;
}

pub struct Real {
    pub links: Links,
    pub registry: Registry,
    pub storage: Arc<Mutex<Storage>>,
    pub aside: Handle,
}

impl Outside for Real {
    fn connect(&mut self, connection: ConnectionId, host: String, port: u16) {
        self.links.connect(connection, host, port);
    }

    fn send(&mut self, connection: ConnectionId, frame: Frame) {
        self.links.send(connection, frame);
    }

    fn stream(&mut self, connection: ConnectionId, stamp: Stamp, from: Offset) {
        self.links.stream(connection, stamp, from);
    }

    fn copy_to(&mut self, connection: ConnectionId, stamp: Stamp) {
        self.links.copy_to(connection, stamp);
    }

    fn close(&mut self, connection: ConnectionId) {
        self.links.close(connection);
    }

    fn close_all(&mut self) {
        self.links.close_all();
    }

    fn write(&mut self, config: Config, expected: Option<i32>) {
        self.registry.write(config, expected);
    }

    fn refresh(&mut self) {
        self.registry.refresh();
    }

    fn announce(&mut self, info: NodeInfo) {
        self.registry.announce(info);
    }

    fn keep(&mut self, unsynced: Unsynced, _: bool) -> Receiver<()> {
        let storage = self.storage.clone();
        let (done, kept) = channel();
        self.aside.spawn_blocking(move || {
            match unsynced.sync() {
                Ok(()) => storage.lock().meta.synced(&unsynced),
                Err(error) => fatal(&format!("can't keep the configuration: {error}")),
            }
            // Most do not wait.
            let _ = done.send(());
        });
        kept
    }
}

//! How far the log is in the key space of a follower.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::replication::position::Position;

/// Where the key space of a follower stands. It moves only under the engine's lock, so that whoever holds that sees both
/// as they belong together.
#[derive(Debug, Clone)]
pub struct Applied(Arc<Mutex<Position>>);

impl Applied {
    pub fn new(position: Position) -> Self {
        Self(Arc::new(Mutex::new(position)))
    }

    pub fn position(&self) -> Position {
        *self.0.lock()
    }

    pub fn set(&self, position: Position) {
        *self.0.lock() = position;
    }
}

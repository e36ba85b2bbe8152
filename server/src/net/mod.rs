//! Clients' bytes in and out: listeners, and one task for each connection.
//!
//! A connection's task reads into its parser's buffer, parses all complete requests, locks the engine once for them
//! and takes the output. Once every connection of its thread had its turn, the output leaves as the [`Gate`] allows:
//! one read, one lock, one write for each wake-up, and one write to the log for all. While replies are held for a
//! commit it goes on reading, up to a bound.
//!
//! Deliberately absent: what commands mean, which part the node plays, and time-outs (the engine's tick has them).

mod beside;
mod connection;
mod forward;
mod listener;
pub(crate) mod output;
mod workers;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::sync::Notify;

pub use forward::Pool;
pub use listener::{Door, serve};
pub use workers::{Workers, step_aside};

use crate::engine::{Desk, Engine};
use crate::metrics::Metrics;
use crate::replication::gate::Gate;

/// What all connections share.
pub struct Net {
    pub engine: Arc<Mutex<Engine>>,
    /// Where the engine does jobs while a busy script has its lock.
    pub desk: Arc<Desk>,
    pub gate: Arc<Gate>,
    /// What was put in the log goes on its way: called after each batch, outside of the engine's lock.
    pub flush: Box<dyn Fn() + Send + Sync>,
    pub metrics: Arc<Metrics>,
    /// Told when a client began to wait: there may be an order for the node, or a new deadline.
    pub attention: Arc<Notify>,
    pub workers: Workers,
    /// Connections to the leader, for requests that are passed on.
    pub leader: Pool,
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

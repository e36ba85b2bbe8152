//! Puts the rooms together: one node of a store, or a server that stands alone.

mod orders;
mod standalone;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::config::log::LogHandle;
use crate::engine::Engine;
use crate::net::{Net, now_ms};

/// Why a node could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("can't listen on {0}")]
    Listen(io::Error),
    #[error("can't wait for signals: {0}")]
    Signals(io::Error),
}

/// Run a node until it is told to end.
pub async fn run(config: Arc<Config>, log: LogHandle) -> Result<(), NodeError> {
    standalone::run(config, log).await
}

/// Open the listeners of clients and accept connections.
fn listen(net: &Arc<Net>, config: &Config, tasks: &mut JoinSet<()>) -> Result<(), NodeError> {
    let mut open = 0;
    for address in config.listen() {
        for listener in address.open(config.port, config.tcp_backlog).map_err(NodeError::Listen)? {
            let listener = TcpListener::from_std(listener).map_err(NodeError::Listen)?;
            tasks.spawn(crate::net::serve(net.clone(), listener));
            open += 1;
        }
    }
    if open == 0 {
        let none = io::Error::new(io::ErrorKind::AddrNotAvailable, "any of the addresses of 'bind'");
        return Err(NodeError::Listen(none));
    }
    Ok(())
}

/// Drive the engine's clock: some times a second, and sooner when a client's wait ends.
async fn tick(net: Arc<Net>, due: Arc<Notify>) {
    let mut next = 0;
    loop {
        let until = turn(&mut net.engine.lock(), &mut next);
        (net.flush)();
        let wait = Duration::from_millis(until.saturating_sub(now_ms()).max(1));
        // A client that begins to wait may have an earlier deadline.
        let _ = tokio::time::timeout(wait, due.notified()).await;
    }
}

/// One turn of the engine's clock; says when the next is due.
fn turn(engine: &mut Engine, next: &mut u64) -> u64 {
    let now = now_ms();
    engine.tick(now);
    if now >= *next {
        *next = now + 1000 / u64::from(engine.server.config.hz.max(1));
    }
    engine.next_deadline().map_or(*next, |deadline| deadline.min(*next))
}

fn seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish()
}

/// The engine behind its lock.
type Shared = Arc<Mutex<Engine>>;

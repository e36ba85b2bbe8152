//! A server that stands alone: it is its own leader and commits alone (rule 10).

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{NodeError, Shared, listen, orders, seed, tick};
use crate::command;
use crate::config::Config;
use crate::config::log::LogHandle;
use crate::engine::{Engine, Forgetful};
use crate::metrics::{self, Metrics};
use crate::net::Net;
use crate::replication::gate::Gate;

pub(super) async fn run(config: Arc<Config>, _log: LogHandle) -> Result<(), NodeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(NodeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(NodeError::Signals)?;
    let (metrics, _recorder) = Metrics::new(command::all().map(|spec| spec.full_name).collect());
    let engine: Shared =
        Arc::new(Mutex::new(Engine::new(config.clone(), Box::new(Forgetful::default()), seed())));
    let attention = Arc::new(Notify::new());
    let net = Arc::new(Net {
        engine,
        gate: Arc::new(Gate::new(u64::MAX)),
        flush: Box::new(|| {}),
        metrics: metrics.clone(),
        attention: attention.clone(),
    });
    let mut tasks = JoinSet::new();
    let due = Arc::new(Notify::new());
    tasks.spawn(tick(net.clone(), due.clone()));
    metrics::serve(&config, &metrics).map_err(NodeError::Listen)?;
    listen(&net, &config, &mut tasks)?;
    metrics.set_role(metrics::Role::Standalone);
    metrics.health.set_ready();
    tracing::info!(port = config.port, "ready to accept connections");
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = attention.notified() => {
                due.notify_one();
                for (id, order) in net.engine.lock().take_orders() {
                    tasks.spawn(orders::carry_out(net.clone(), id, order));
                }
            }
        }
    }
    tracing::info!("told to end: closing");
    Ok(())
}

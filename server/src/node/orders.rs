//! What clients order of the node rather than of the engine.

use std::sync::Arc;
use std::time::Duration;

use crate::command::Order;
use crate::net::Net;
use crate::resp::{Failure, Reply};
use crate::session::ClientId;

/// Carry out one order; its client waits for the answer.
pub(super) async fn carry_out(net: Arc<Net>, id: ClientId, order: Order) {
    let reply = match order {
        Order::Rewrite => rewrite(&net).await,
        Order::Sleep { time } => sleep(&net, time).await,
        Order::Save { .. } | Order::Shutdown { .. } | Order::Failover { .. } => {
            Failure::new("ERR This node can't do that yet").into()
        }
    };
    net.engine.lock().answer(id, reply);
}

/// `CONFIG REWRITE`: waits for the disk, so the engine's lock is not held.
async fn rewrite(net: &Net) -> Reply {
    let config = net.engine.lock().server.config.clone();
    match tokio::task::spawn_blocking(move || config.rewrite()).await {
        Ok(Ok(())) => Reply::OK,
        Ok(Err(error)) => Failure::text(format!("ERR {error}")).into(),
        Err(error) => Failure::text(format!("ERR {error}")).into(),
    }
}

/// `DEBUG SLEEP`: nobody is served meanwhile, that is what it is for.
async fn sleep(net: &Arc<Net>, time: Duration) -> Reply {
    let engine = net.engine.clone();
    let slept = tokio::task::spawn_blocking(move || {
        let _engine = engine.lock();
        std::thread::sleep(time);
    });
    match slept.await {
        Ok(()) => Reply::OK,
        Err(error) => Failure::text(format!("ERR {error}")).into(),
    }
}

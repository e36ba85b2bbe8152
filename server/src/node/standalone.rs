//! A server that stands alone: it is its own leader and commits alone (rule 10).

use std::sync::Arc;

use super::{Held, Node, NodeError, recovery};
use crate::command::server::{Role, Status};
use crate::replication::storage::Found;

/// Read the data directory and begin to serve.
pub(super) async fn start(node: &Arc<Node>, held: &Held, found: Found) -> Result<(), NodeError> {
    let reader = node.clone();
    let load = move || {
        let restored = recovery::restore(&reader.storage, found.snapshot, reader.shape)?;
        let (mut keyspace, from) = match restored {
            Some((keyspace, header)) => (keyspace, header.position.offset),
            None => (reader.shape.empty(), reader.log.start()),
        };
        let end = reader.log.end_offset();
        // Without a log on disk there is only the snapshot.
        if from < end {
            recovery::replay(&mut keyspace, &reader.log, from, end)?;
        }
        Ok::<_, recovery::RecoveryError>(keyspace)
    };
    let keyspace = match tokio::task::spawn_blocking(load).await {
        Ok(keyspace) => keyspace?,
        Err(error) => super::fatal(&format!("reading the data directory failed: {error}")),
    };
    let gate = node.net.gate.clone();
    held.bind(move |offset| gate.commit(offset));
    node.net.gate.commit(node.log.held());
    let mut engine = node.net.engine.lock();
    engine.replace_keyspace(keyspace);
    engine.set_status(Status { role: Role::Standalone, ..Status::default() });
    drop(engine);
    node.net.metrics.set_role(crate::metrics::Role::Standalone);
    node.net.metrics.health.set_ready();
    Ok(())
}

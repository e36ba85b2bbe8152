//! Things that break while a writer writes.

use super::{Outcome, ready, under_writes};
use crate::kubectl::wait_for;
use crate::store::{NAME, Store};
use std::time::{Duration, Instant};

const SERVER: &str = "server";
const OPERATOR_REPLICAS: u32 = 2;
const ROUTED_TIME_MAX: Duration = Duration::from_mins(2);

pub fn kill_leader(store: &Store) -> Outcome {
    let leader = ready(store)?;
    under_writes(store, "kill-leader", "", |_| {
        store.kill_container(&leader.pod, SERVER)?;
        store.wait_leader_after(leader.epoch).map(drop)
    })
}

pub fn delete_leader(store: &Store) -> Outcome {
    let leader = ready(store)?;
    under_writes(store, "delete-leader", "", |_| {
        store.kubectl.run(&["delete", "pod", &leader.pod, "--force", "--grace-period=0", "--wait=false"])?;
        store.wait_leader_after(leader.epoch).map(drop)
    })
}

/// Routing must follow the leader without the operator, and nothing may move when it returns.
pub fn operator_away(store: &Store) -> Outcome {
    let leader = ready(store)?;
    store.scale_operator(0)?;
    let outcome = under_writes(store, "operator-away", "", |session| {
        store.kill_container(&leader.pod, SERVER)?;
        let next = store.wait_leader_after(leader.epoch)?;
        session.wait_served()?;
        store.scale_operator(OPERATOR_REPLICAS)?;
        let last = store.wait_healthy()?;
        if last == next { Ok(()) } else { Err(format!("the operator's return moved {next:?} to {last:?}")) }
    });
    store.scale_operator(OPERATOR_REPLICAS)?;
    outcome
}

/// The store's leader stays where it is.
pub fn zookeeper_member(store: &Store) -> Outcome {
    let leader = ready(store)?;
    under_writes(store, "zookeeper-member", "", |session| {
        store.kill_container(&format!("{NAME}-zookeeper-0"), "zookeeper")?;
        session.wait_served()?;
        let now = store.wait_healthy()?;
        if now == leader { Ok(()) } else { Err(format!("the leader moved from {leader:?} to {now:?}")) }
    })
}

/// The node comes back whatever happens, so that later scenarios have it. Then its own clients, too, are to find the new
/// leader: its routes are as old as the cut until it hears from Kubernetes again.
pub fn cut_node(store: &Store) -> Outcome {
    let leader = ready(store)?;
    let mut routed_after = Duration::ZERO;
    let figures = under_writes(store, "cut-node", &leader.node, |session| {
        store.cut(&leader.node)?;
        let moved = store.wait_leader_after(leader.epoch).and_then(|_| session.wait_served());
        store.plug(&leader.node)?;
        moved?;
        let back = Instant::now();
        wait_for("a write from the node that was cut off", ROUTED_TIME_MAX, || {
            store.redis_cli_at(|node| node == leader.node, &["SET", "back", "yes"])
        })?;
        routed_after = back.elapsed();
        Ok(())
    })?;
    Ok(format!(
        "{figures}; clients on that node served {:.1} s after it was back",
        routed_after.as_secs_f64()
    ))
}

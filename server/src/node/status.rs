//! What this node says of itself: to commands, to metrics, to probes, and in its log.

use super::driver::Driver;
use crate::command::server::{Member, Replica, Role, Status};
use crate::election::candidate;
use crate::engine::Acks;
use crate::metrics::{self, FollowerLag};
use crate::replication::leader::PeerView;
use crate::replication::member::RoleName;
use crate::replication::protocol::Note;

/// Show where the machine stands now; the engine is told at a later turn if it can't be had.
pub(super) fn publish(driver: &mut Driver) {
    let seen = driver.machine.status();
    let role = role(driver, &seen);
    let node = &driver.node;
    let config = seen.config.as_ref();
    let offset = node.log.end_offset();
    let synced = config.and_then(|config| config.synced.as_ref());
    let leader = seen.leader.as_ref();
    let members = driver.machine.registered().map(|info| Member {
        id: info.id.clone(),
        host: info.host.clone(),
        port: info.port,
        offset: info.offset,
    });
    let status = Status {
        members: members.collect(),
        role,
        epoch: seen.epoch,
        leader: leader.map(|leader| leader.id.clone()).unwrap_or_default(),
        synced: synced.map(|synced| synced.id.clone()).unwrap_or_default(),
        leader_address: leader
            .filter(|_| !role.leads())
            .and_then(|leader| driver.machine.info_of(leader))
            .map(|info| (info.host.clone(), info.port)),
        node: super::cluster::node_id(&node.settings.now()),
        offset,
        committed: node.net.gate.committed().min(offset),
        lease_ms: node.net.gate.lease_left_ms().map_or(-1, |left| left as i64),
        link_up: seen.streaming,
        failing_over: driver.state.handover.is_some(),
        // A history is that of a cluster, up to an epoch.
        replid: config
            .map(|config| format!("{:0>32.32}{:08x}", config.cluster, seen.epoch))
            .unwrap_or_default(),
        replicas: seen
            .peers
            .iter()
            .map(|peer| replica(driver, peer, synced.is_some_and(|s| *s == peer.member)))
            .collect(),
    };
    measure(driver, &seen, &status);
    let acks = acks(driver, &seen.peers);
    driver.state.late = !node.net.attempt(move |engine| {
        engine.set_status(status);
        engine.replicas_acked(acks);
    });
}

/// Tell those who wait for replicas how far these are, if anybody does.
pub(super) fn publish_acks(driver: &Driver) {
    let acks = acks(driver, &driver.machine.peers());
    driver.node.net.attempt(move |engine| {
        if engine.waits_for_replicas() {
            engine.replicas_acked(acks);
        }
    });
}

fn acks(driver: &Driver, peers: &[PeerView]) -> Acks {
    Acks {
        held: peers.iter().map(|peer| peer.held).collect(),
        synced: peers.iter().map(|peer| peer.durable).collect(),
        local_synced: driver.node.log.synced(),
    }
}

fn role(driver: &Driver, seen: &candidate::Status) -> Role {
    let state = &driver.state;
    if state.leading {
        return if state.writable { Role::Leader } else { Role::Stalled };
    }
    // What the log holds beyond the key space is not settled before a leader says so, or this node leads.
    let behind = driver.applier.applied().offset < driver.node.log.end_offset();
    if (behind && !state.attached && !seen.streaming) || state.unsettled.is_some() {
        return Role::Loading;
    }
    match (&seen.leader, seen.role) {
        (None, _) => Role::Waiting,
        (Some(_), RoleName::Synced) => Role::Synced,
        (Some(_), _) => Role::Replica,
    }
}

fn replica(driver: &Driver, peer: &PeerView, synced: bool) -> Replica {
    let info = driver.machine.info_of(&peer.member);
    Replica {
        id: peer.member.id.clone(),
        host: info.map(|info| info.host.clone()).unwrap_or_default(),
        port: info.map_or(0, |info| info.port),
        offset: peer.held,
        lag_seconds: peer.silent.as_secs(),
        synced,
        copying: !peer.streaming,
    }
}

fn measure(driver: &Driver, seen: &candidate::Status, status: &Status) {
    let metrics = &driver.node.net.metrics;
    metrics.set_role(match status.role {
        Role::Standalone => metrics::Role::Standalone,
        Role::Leader | Role::Stalled => metrics::Role::Leader,
        Role::Synced => metrics::Role::Synced,
        Role::Replica => metrics::Role::Replica,
        Role::Loading | Role::Waiting => metrics::Role::Joining,
    });
    metrics.epoch.set(seen.epoch);
    metrics.config_version.set(seen.config.as_ref().map_or(0, |config| config.version));
    metrics.synced_present.set(u64::from(!status.synced.is_empty()));
    metrics.clear_followers();
    for peer in &seen.peers {
        let lag = FollowerLag {
            bytes: status.offset.saturating_sub(peer.held),
            silent_ms: peer.silent.as_millis() as u64,
        };
        metrics.set_follower(&peer.member.id, lag);
    }
    match unready(status, seen) {
        None => metrics.health.set_ready(),
        Some(reason) => metrics.health.set_unready(reason),
    }
}

/// Why this node does not serve its role, if it does not.
fn unready(status: &Status, seen: &candidate::Status) -> Option<String> {
    if seen.damaged {
        return Some("the data is damaged: waiting for a copy from the leader".into());
    }
    match status.role {
        Role::Leader if status.lease_ms == 0 => Some("leader without a lease".into()),
        Role::Standalone | Role::Leader => None,
        Role::Synced | Role::Replica if seen.streaming => None,
        Role::Stalled => Some("leader without a synced replica".into()),
        Role::Synced | Role::Replica => Some(format!("not attached to the leader {}", status.leader)),
        Role::Waiting if seen.foreign => {
            Some("the registry belongs to another cluster than this data".into())
        }
        Role::Waiting if !seen.registry => Some("no connection to ZooKeeper, and no leader known".into()),
        Role::Waiting => Some("no leader known".into()),
        Role::Loading => Some("reading or settling the data".into()),
    }
}

/// What an operator should read about.
pub(super) fn note(note: &Note) {
    match note {
        Note::ForeignCluster { .. }
        | Note::LeadsByOrder(_)
        | Note::Refused { .. }
        | Note::RegistryBehind { .. }
        | Note::NotWhole => {
            tracing::warn!("{note:?}");
        }
        _ => tracing::info!("{note:?}"),
    }
}

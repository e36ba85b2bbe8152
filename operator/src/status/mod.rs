//! What is true, from what ZooKeeper, the pods and the EndpointSlice say. Pure.

mod conditions;
pub mod pods;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use crate::crd::names::{self, Component};
use crate::crd::status::{
    BotellierStatus, FailoverStatus, LeaderStatus, MemberStatus, NodeStatus, ZooKeeperStatus,
};
use crate::crd::{Botellier, Durability};
use crate::error::Error;
use crate::fetch::Fetched;
use crate::leader::record::{Role, View};

/// All that a status is computed from.
pub struct Facts<'a> {
    pub resource: &'a Botellier,
    pub fetched: &'a Fetched,
    pub view: &'a View,
    /// What kept this reconciliation from doing its work.
    pub problem: Option<&'a Error>,
    pub now: Timestamp,
}

impl Facts<'_> {
    fn name(&self) -> String {
        self.resource.name_any()
    }

    fn store(&self) -> Option<StatefulSet> {
        self.fetched.child(&self.name())
    }

    fn slice(&self) -> Option<EndpointSlice> {
        self.fetched.child(&names::leader_slice(&self.name()))
    }

    fn pods(&self, component: Component) -> Vec<pods::Health<'_>> {
        pods::of(&self.fetched.pods, component, self.now)
    }

    fn previous(&self) -> Option<&BotellierStatus> {
        self.resource.status.as_ref()
    }

    fn durability(&self) -> Durability {
        self.resource.spec.replication.durability
    }
}

pub fn compute(facts: &Facts) -> BotellierStatus {
    let previous = facts.previous();
    let leader = leader(facts).or_else(|| remembered(facts, |status| status.leader.clone()));
    let last_failover = failover(previous, leader.as_ref())
        .or_else(|| previous.and_then(|status| status.last_failover.clone()));
    let store_pods = facts.pods(Component::Store);
    let ready = store_pods.iter().filter(|pod| pod.ready).count();
    let exists = i32::try_from(store_pods.len()).unwrap_or(i32::MAX);
    BotellierStatus {
        observed_generation: facts.resource.metadata.generation,
        replicas: Some(exists),
        selector: Some(names::selector_string(&names::selector(&facts.name(), Component::Store))),
        ready: Some(format!("{ready}/{}", facts.resource.spec.replicas)),
        synced: match &facts.view.config {
            Some(config) => config.synced.as_ref().map(|synced| synced.id.clone()),
            None => remembered(facts, |status| status.synced.clone()),
        },
        nodes: nodes(facts),
        zookeeper: Some(zookeeper(facts)),
        conditions: conditions::all(facts),
        leader,
        last_failover,
    }
}

/// Before anything was heard from ZooKeeper (the operator has just started, or ZooKeeper is gone),
/// what was known stays: clients still go there, and `ZooKeeperQuorum` says how old it may be.
fn remembered<T>(facts: &Facts, field: impl Fn(&BotellierStatus) -> Option<T>) -> Option<T> {
    if facts.view.connected { None } else { facts.previous().and_then(field) }
}

fn leader(facts: &Facts) -> Option<LeaderStatus> {
    let config = facts.view.config.as_ref()?;
    let epoch = i64::try_from(config.epoch).unwrap_or(i64::MAX);
    let known = facts.previous().and_then(|status| status.leader.as_ref());
    let since = match known {
        Some(known) if known.epoch == epoch && known.pod == config.leader.id => known.since.clone(),
        _ => Timestamp::from_millisecond(facts.view.config_time_ms)
            .and_then(|time| Timestamp::from_second(time.as_second()))
            .ok()
            .map(Time),
    };
    Some(LeaderStatus { pod: config.leader.id.clone(), epoch, since })
}

fn failover(previous: Option<&BotellierStatus>, leader: Option<&LeaderStatus>) -> Option<FailoverStatus> {
    let before = previous?.leader.as_ref()?;
    let now = leader?;
    (before.pod != now.pod).then(|| FailoverStatus {
        from: before.pod.clone(),
        to: now.pod.clone(),
        epoch: now.epoch,
        time: now.since.clone(),
    })
}

fn nodes(facts: &Facts) -> Vec<NodeStatus> {
    let pods = facts.pods(Component::Store);
    let mut names: Vec<&str> = pods.iter().map(|pod| pod.name).collect();
    names.extend(facts.view.nodes.keys().map(String::as_str));
    // cache-2 before cache-10.
    names.sort_by_key(|name| (name.len(), *name));
    names.dedup();
    let leader_offset = facts.view.leader().map(|(_, node)| node.offset);
    names
        .into_iter()
        .map(|name| {
            let node = facts.view.nodes.get(name);
            let offset = node.map(|node| node.offset);
            let lag = offset.zip(leader_offset).map(|(offset, leader)| leader.saturating_sub(offset));
            NodeStatus {
                name: name.to_owned(),
                role: facts.view.role(name).as_str().to_owned(),
                ready: pods.iter().any(|pod| pod.name == name && pod.ready),
                offset: offset.map(|offset| offset as i64),
                lag_bytes: lag.map(|lag| lag as i64),
                zone: node.and_then(|node| node.zone.clone()),
            }
        })
        .collect()
}

fn zookeeper(facts: &Facts) -> ZooKeeperStatus {
    let members = facts
        .pods(Component::ZooKeeper)
        .into_iter()
        .map(|pod| MemberStatus { name: pod.name.to_owned(), ready: pod.ready })
        .collect();
    ZooKeeperStatus {
        connected: facts.view.connected,
        members,
        config_version: facts.view.ensemble_version.clone(),
    }
}

/// The labels that a store pod should carry: its role for people, and whether reads may go there.
pub fn pod_role(view: &View, pod: &pods::Health) -> (Role, bool) {
    let role = match view.nodes.get(pod.name) {
        // A registration of the pod that had this name before says nothing about this one.
        Some(node) if Some(node.host.as_str()) == pod.address => view.role(pod.name),
        _ => Role::Absent,
    };
    (role, matches!(role, Role::Synced | Role::Replica))
}

//! What the status says, for what ZooKeeper, the pods and the EndpointSlice say.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use botellier_operator::crd::status::BotellierStatus;
use botellier_operator::crd::{Botellier, Durability};
use botellier_operator::error::Error;
use botellier_operator::fetch::Fetched;
use botellier_operator::leader::record::View;
use botellier_operator::status::{Facts, compute};
use common::{sample, view};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Value, json};

fn pod(node: usize, ready: bool) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": format!("cache-{node}"), "labels": {"app.kubernetes.io/component": "store"}},
        "spec": {"containers": [], "nodeName": "node1"},
        "status": {"podIP": format!("10.0.0.{node}"),
                   "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
    }))
    .unwrap()
}

fn member(node: usize) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": format!("cache-zookeeper-{node}"), "labels": {"app.kubernetes.io/component": "zookeeper"}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }))
    .unwrap()
}

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

/// Three ready nodes and members, and the leader published.
fn all_well(leader: usize, epoch: u64) -> Fetched {
    let slice = object(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "cache-leader", "annotations":
            {"botellier.io/epoch": epoch.to_string(), "botellier.io/cluster": "c1"}},
        "endpoints": [{"addresses": [format!("10.0.0.{leader}")],
                       "targetRef": {"kind": "Pod", "name": format!("cache-{leader}")}}],
    }));
    let set = object(json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "cache", "generation": 1},
        "spec": {"replicas": 3, "selector": {}, "template": {}},
        "status": {"observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "updatedReplicas": 3},
    }));
    Fetched {
        children: [
            (("EndpointSlice".to_owned(), "cache-leader".to_owned()), slice),
            (("StatefulSet".to_owned(), "cache".to_owned()), set),
        ]
        .into(),
        pods: (0..3).map(|node| pod(node, true)).chain((0..3).map(member)).collect(),
        secret: None,
    }
}

fn status_at(
    resource: &Botellier,
    fetched: &Fetched,
    view: &View,
    problem: Option<&Error>,
    second: i64,
) -> BotellierStatus {
    let now = Timestamp::from_second(1_795_000_100 + second).unwrap();
    compute(&Facts { resource, fetched, view, problem, now })
}

fn status(fetched: &Fetched, view: &View) -> BotellierStatus {
    status_at(&sample("cache"), fetched, view, None, 0)
}

/// `status reason` of a condition.
fn condition(status: &BotellierStatus, kind: &str) -> String {
    let condition = status.conditions.iter().find(|condition| condition.type_ == kind).unwrap();
    assert_eq!(condition.observed_generation, Some(1));
    format!("{} {}", condition.status, condition.reason)
}

#[test]
fn all_is_well() {
    let status = status(&all_well(1, 12), &view(12, 1, Some(0), &[0, 1, 2]));
    let found: Vec<String> =
        status.conditions.iter().map(|c| format!("{}: {} {}", c.type_, c.status, c.reason)).collect();
    assert_eq!(
        found,
        [
            "Available: True Serving",
            "Progressing: False Complete",
            "Degraded: False AsExpected",
            "LeaderElected: True Elected",
            "SyncedReplica: True Synced",
            "ZooKeeperQuorum: True Connected",
            "RoutingInSync: True InSync",
        ]
    );
    assert_eq!(status.ready.as_deref(), Some("3/3"));
    assert_eq!(status.replicas, Some(3));
    assert_eq!(
        status.leader.as_ref().map(|leader| (leader.pod.as_str(), leader.epoch)),
        Some(("cache-1", 12))
    );
    let nodes: Vec<String> = status
        .nodes
        .iter()
        .map(|node| format!("{} {} {:?} {:?}", node.name, node.role, node.offset, node.lag_bytes))
        .collect();
    assert_eq!(
        nodes,
        [
            "cache-0 synced Some(100) Some(0)",
            "cache-1 leader Some(99) Some(0)",
            "cache-2 replica Some(98) Some(1)"
        ]
    );
}

#[test]
fn an_unchanged_world_gives_an_equal_status() {
    let view = view(12, 1, Some(0), &[0, 1, 2]);
    let fetched = all_well(1, 12);
    let mut resource = sample("cache");
    let first = status_at(&resource, &fetched, &view, None, 0);
    resource.status = Some(first.clone());
    assert_eq!(status_at(&resource, &fetched, &view, None, 3600), first);
}

#[test]
fn routing_lags_behind_a_new_leader_until_it_is_published() {
    let status = status(&all_well(1, 12), &view(13, 0, Some(2), &[0, 2]));
    assert_eq!(condition(&status, "LeaderElected"), "True Elected");
    assert_eq!(condition(&status, "RoutingInSync"), "False OutOfSync");
    assert_eq!(condition(&status, "Available"), "False OutOfSync");
}

#[test]
fn a_change_of_leader_is_kept_as_the_last_failover() {
    let mut resource = sample("cache");
    resource.status = Some(status(&all_well(1, 12), &view(12, 1, Some(0), &[0, 1, 2])));
    let after = status_at(&resource, &all_well(0, 13), &view(13, 0, Some(2), &[0, 2]), None, 5);
    let failover = after.last_failover.clone().unwrap();
    assert_eq!((failover.from.as_str(), failover.to.as_str(), failover.epoch), ("cache-1", "cache-0", 13));
    resource.status = Some(after);
    let later = status_at(&resource, &all_well(0, 13), &view(13, 0, Some(2), &[0, 2]), None, 9);
    assert_eq!(later.last_failover, Some(failover));
}

#[test]
fn without_a_synced_replica_durability_decides() {
    let alone = view(12, 1, None, &[0, 1, 2]);
    let fetched = all_well(1, 12);
    let mut resource = sample("cache");
    let required = status_at(&resource, &fetched, &alone, None, 0);
    assert_eq!(condition(&required, "SyncedReplica"), "False LeaderAlone");
    assert_eq!(condition(&required, "Available"), "False LeaderAlone");
    resource.spec.replication.durability = Durability::Preferred;
    assert_eq!(condition(&status_at(&resource, &fetched, &alone, None, 0), "Available"), "True Serving");
    let gone = view(12, 1, Some(0), &[1, 2]);
    assert_eq!(condition(&status(&fetched, &gone), "SyncedReplica"), "False SyncedNotRegistered");
}

#[test]
fn zookeeper_out_of_reach_keeps_what_was_known() {
    let mut resource = sample("cache");
    resource.status = Some(status(&all_well(1, 12), &view(12, 1, Some(0), &[0, 1, 2])));
    let after = status_at(&resource, &all_well(1, 12), &View::default(), None, 5);
    assert_eq!(condition(&after, "ZooKeeperQuorum"), "False Unreachable");
    assert_eq!(condition(&after, "LeaderElected"), "Unknown ZooKeeperUnreachable");
    assert_eq!(after.leader.unwrap().pod, "cache-1");
    assert_eq!(after.synced.as_deref(), Some("cache-0"));
}

#[test]
fn a_bad_pod_a_missing_node_and_a_problem_degrade() {
    let view = view(12, 1, Some(0), &[0, 1]);
    let mut fetched = all_well(1, 12);
    fetched.pods[2] = pod(2, false);
    assert_eq!(condition(&status(&fetched, &view), "Degraded"), "True MembersMissing");
    let waiting = json!([{"name": "server", "ready": false, "restartCount": 1, "image": "", "imageID": "",
        "state": {"waiting": {"reason": "ImagePullBackOff"}}}]);
    fetched.pods[2].status.as_mut().unwrap().container_statuses = serde_json::from_value(waiting).unwrap();
    let degraded = status(&fetched, &view);
    assert_eq!(condition(&degraded, "Degraded"), "True BadPod");
    let message = &degraded.conditions.iter().find(|c| c.type_ == "Degraded").unwrap().message;
    assert_eq!(message, "cache-2: container server: ImagePullBackOff");
    let problem = Error::MissingSecret { name: "own".to_owned() };
    let status = status_at(&sample("cache"), &fetched, &view, Some(&problem), 0);
    assert_eq!(condition(&status, "Degraded"), "True MissingSecret");
}

#[test]
fn before_the_first_election_nothing_is_degraded() {
    let connected = View { connected: true, ..View::default() };
    let mut fetched = all_well(1, 12);
    fetched.pods.clear();
    let status = status(&fetched, &connected);
    assert_eq!(condition(&status, "Degraded"), "False AsExpected");
    assert_eq!(condition(&status, "LeaderElected"), "False NoElectionYet");
    assert_eq!(condition(&status, "RoutingInSync"), "Unknown NoLeader");
    assert_eq!(status.ready.as_deref(), Some("0/3"));
}

#[test]
fn a_leader_that_is_not_ready_is_not_available() {
    let mut fetched = all_well(1, 12);
    fetched.pods[1] = pod(1, false);
    let status = status(&fetched, &view(12, 1, Some(0), &[0, 1, 2]));
    assert_eq!(condition(&status, "Available"), "False LeaderNotReady");
}

//! The conditions. `True` is good for all of them but Progressing and Degraded.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::Facts;
use crate::crd::Durability;
use crate::crd::names::{self, Component};
use crate::leader::route;

/// Truth, reason and message.
type Finding = (Truth, &'static str, String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    True,
    False,
    Unknown,
}

pub fn all(facts: &Facts) -> Vec<Condition> {
    let leader = leader_elected(facts);
    let synced = synced_replica(facts);
    let routing = routing_in_sync(facts);
    let available = available(facts, &leader, &synced, &routing);
    [
        ("Available", available),
        ("Progressing", progressing(facts)),
        ("Degraded", degraded(facts)),
        ("LeaderElected", leader),
        ("SyncedReplica", synced),
        ("ZooKeeperQuorum", zookeeper_quorum(facts)),
        ("RoutingInSync", routing),
    ]
    .into_iter()
    .map(|(kind, finding)| condition(facts, kind, finding))
    .collect()
}

/// The time moves only with the truth, so that an unchanged status is equal to the one before.
fn condition(facts: &Facts, kind: &str, (truth, reason, message): Finding) -> Condition {
    let status = match truth {
        Truth::True => "True",
        Truth::False => "False",
        Truth::Unknown => "Unknown",
    };
    let before = facts
        .previous()
        .and_then(|previous| previous.conditions.iter().find(|condition| condition.type_ == kind))
        .filter(|condition| condition.status == status);
    // The API server keeps whole seconds.
    let now = Time(Timestamp::from_second(facts.now.as_second()).unwrap_or(facts.now));
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: facts.resource.metadata.generation,
        last_transition_time: before.map_or(now, |before| before.last_transition_time.clone()),
    }
}

fn leader_elected(facts: &Facts) -> Finding {
    let view = facts.view;
    match (&view.config, view.leader()) {
        (Some(config), Some(_)) => {
            (Truth::True, "Elected", format!("{} leads in epoch {}", config.leader.id, config.epoch))
        }
        (Some(config), None) => (
            Truth::False,
            "LeaderNotRegistered",
            format!(
                "ZooKeeper names {} in epoch {}, which is not registered",
                config.leader.id, config.epoch
            ),
        ),
        (None, _) if view.connected => {
            (Truth::False, "NoElectionYet", "no leader was ever elected".to_owned())
        }
        (None, _) => (Truth::Unknown, "ZooKeeperUnreachable", "ZooKeeper has not been reached".to_owned()),
    }
}

fn synced_replica(facts: &Facts) -> Finding {
    let view = facts.view;
    match (&view.config, view.synced()) {
        (_, Some(node)) => (Truth::True, "Synced", format!("{} holds every acknowledged write", node.id)),
        (Some(config), None) => match &config.synced {
            Some(synced) => (
                Truth::False,
                "SyncedNotRegistered",
                format!("{} is the synced replica, but is not registered", synced.id),
            ),
            None if facts.resource.spec.replicas == 1 => {
                (Truth::False, "SingleNode", "there is only one node".to_owned())
            }
            None => (
                Truth::False,
                "LeaderAlone",
                format!("{} goes on alone; losing its volume now would lose data", config.leader.id),
            ),
        },
        (None, None) if view.connected => {
            (Truth::False, "NoElectionYet", "no leader was ever elected".to_owned())
        }
        (None, None) => (Truth::Unknown, "ZooKeeperUnreachable", "ZooKeeper has not been reached".to_owned()),
    }
}

fn zookeeper_quorum(facts: &Facts) -> Finding {
    let members = facts.pods(Component::ZooKeeper);
    let ready = members.iter().filter(|member| member.ready).count();
    let managed = facts.resource.spec.zookeeper.managed.as_ref();
    let detail = match managed {
        Some(managed) => format!("{ready} of {} members serve", managed.replicas),
        None => "an external ensemble".to_owned(),
    };
    if facts.view.connected {
        (Truth::True, "Connected", detail)
    } else {
        (Truth::False, "Unreachable", format!("no session with ZooKeeper; {detail}"))
    }
}

fn routing_in_sync(facts: &Facts) -> Finding {
    let Some(config) = &facts.view.config else {
        return (Truth::Unknown, "NoLeader", "no leader is known".to_owned());
    };
    let named = format!("{} in epoch {}", config.leader.id, config.epoch);
    let Some(slice) = facts.slice() else {
        return (
            Truth::False,
            "NoEndpointSlice",
            format!("ZooKeeper names {named}, the EndpointSlice is missing"),
        );
    };
    let target = route::target(&slice);
    let stamp = route::stamp(&slice);
    let epoch = stamp.as_ref().map(|(_, epoch)| *epoch);
    let same_cluster = stamp.as_ref().is_some_and(|(cluster, _)| *cluster == config.cluster);
    if same_cluster && epoch == Some(config.epoch) && target == Some(config.leader.id.as_str()) {
        return (Truth::True, "InSync", format!("the leader Service and ZooKeeper name {named}"));
    }
    let published = match (target, epoch) {
        (Some(target), Some(epoch)) => format!("{target} in epoch {epoch}"),
        _ => "nobody".to_owned(),
    };
    (Truth::False, "OutOfSync", format!("ZooKeeper names {named}, the leader Service {published}"))
}

fn available(facts: &Facts, leader: &Finding, synced: &Finding, routing: &Finding) -> Finding {
    for (truth, reason, message) in [leader, routing] {
        if *truth != Truth::True {
            return (Truth::False, reason, message.clone());
        }
    }
    if synced.0 != Truth::True && facts.durability() == Durability::Required {
        return (Truth::False, synced.1, format!("writes are refused: {}", synced.2));
    }
    let leader = facts.view.config.as_ref().map_or("", |config| config.leader.id.as_str());
    if !facts.pods(Component::Store).iter().any(|pod| pod.name == leader && pod.ready) {
        return (Truth::False, "LeaderNotReady", format!("{leader} leads, but is not ready"));
    }
    (Truth::True, "Serving", format!("{leader} answers reads and writes"))
}

fn progressing(facts: &Facts) -> Finding {
    let wanted = facts.resource.spec.replicas;
    if facts.resource.spec.paused {
        return (Truth::False, "Paused", "spec.paused is set; nothing is changed".to_owned());
    }
    let Some(set) = facts.store() else {
        return (Truth::True, "Creating", "the StatefulSet is not there yet".to_owned());
    };
    let spec = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
    if spec != wanted {
        return (Truth::True, "Scaling", format!("{spec} nodes, on the way to {wanted}, one at a time"));
    }
    let status = set.status.unwrap_or_default();
    let count = |number: Option<i32>| number.unwrap_or(0);
    if status.observed_generation < set.metadata.generation || count(status.updated_replicas) < wanted {
        let updated = count(status.updated_replicas);
        return (
            Truth::True,
            "RollingOut",
            format!("{updated} of {wanted} nodes run the current pod template"),
        );
    }
    if count(status.ready_replicas) < wanted {
        return (
            Truth::True,
            "Waiting",
            format!("{} of {wanted} nodes are ready", count(status.ready_replicas)),
        );
    }
    (Truth::False, "Complete", format!("all {wanted} nodes are up to date and ready"))
}

fn degraded(facts: &Facts) -> Finding {
    if let Some(problem) = facts.problem {
        return (Truth::True, problem.reason(), problem.to_string());
    }
    for component in [Component::Store, Component::ZooKeeper] {
        if let Some(pod) = facts.pods(component).into_iter().find(|pod| pod.trouble.is_some()) {
            return (Truth::True, "BadPod", format!("{}: {}", pod.name, pod.trouble.unwrap_or_default()));
        }
    }
    let name = facts.name();
    let wanted_members = facts.resource.spec.zookeeper.managed.as_ref().map(|managed| managed.replicas);
    let sets = [
        (name.clone(), Some(facts.resource.spec.replicas), "nodes"),
        (names::zookeeper(&name), wanted_members, "ZooKeeper members"),
    ];
    // Before the first election nothing is worse than it was; Progressing speaks then.
    let was_up = facts.view.config.is_some();
    for (set, wanted, what) in sets {
        let Some(wanted) = wanted.filter(|_| was_up) else {
            continue;
        };
        let component = if set == name { Component::Store } else { Component::ZooKeeper };
        let ready = facts.pods(component).iter().filter(|pod| pod.ready).count();
        if (ready as i64) < i64::from(wanted) {
            return (Truth::True, "MembersMissing", format!("{ready} of {wanted} {what} are ready"));
        }
    }
    (Truth::False, "AsExpected", "nothing is missing".to_owned())
}

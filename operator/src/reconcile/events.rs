//! What a person who asks `kubectl describe` should be told.

use kube::Resource;
use kube::runtime::events::{Event, EventType};
use tracing::debug;

use super::Context;
use crate::crd::{Botellier, BotellierStatus};

/// Events of the difference between two statuses.
pub async fn of_change(
    context: &Context,
    resource: &Botellier,
    before: Option<&BotellierStatus>,
    now: &BotellierStatus,
) {
    for (type_, reason, note) in differences(before, now) {
        publish(context, resource, type_, reason, "Observe", note).await;
    }
}

pub async fn stale_epoch(context: &Context, resource: &Botellier, epoch: u64, published: u64) {
    let note =
        format!("epoch {epoch} was not published: the leader Service carries epoch {published} already");
    publish(context, resource, EventType::Warning, "StaleEpochRefused", "Route", note).await;
}

pub async fn password_generated(context: &Context, resource: &Botellier, secret: &str) {
    let note = format!("made Secret {secret} with a random password");
    publish(context, resource, EventType::Normal, "PasswordGenerated", "Create", note).await;
}

fn differences(
    before: Option<&BotellierStatus>,
    now: &BotellierStatus,
) -> Vec<(EventType, &'static str, String)> {
    let mut events = Vec::new();
    let leader =
        |status: &BotellierStatus| status.leader.as_ref().map(|leader| (leader.pod.clone(), leader.epoch));
    match (before.and_then(leader), leader(now)) {
        (None, Some((pod, epoch))) => {
            events.push((EventType::Normal, "LeaderElected", format!("{pod} leads in epoch {epoch}")));
        }
        (Some((from, _)), Some((to, epoch))) if from != to => {
            events.push((
                EventType::Normal,
                "LeaderChanged",
                format!("{to} leads in epoch {epoch}, before it {from}"),
            ));
        }
        _ => {}
    }
    let synced_before = before.and_then(|status| status.synced.as_ref());
    match (synced_before, &now.synced) {
        (Some(lost), None) => {
            events.push((
                EventType::Warning,
                "SyncedReplicaLost",
                format!("{lost} is no longer the synced replica, and nobody is"),
            ));
        }
        (known, Some(synced)) if known != Some(synced) => {
            events.push((
                EventType::Normal,
                "SyncedReplica",
                format!("{synced} holds every acknowledged write"),
            ));
        }
        _ => {}
    }
    for (kind, bad) in [("Degraded", "True"), ("ZooKeeperQuorum", "False"), ("RoutingInSync", "False")] {
        let find = |status: &BotellierStatus| {
            let condition = status.conditions.iter().find(|condition| condition.type_ == kind)?;
            Some((condition.status.clone(), condition.reason.clone(), condition.message.clone()))
        };
        let Some((status, reason, message)) = find(now) else {
            continue;
        };
        let known = before.and_then(find);
        let was_bad = known.as_ref().is_some_and(|(status, ..)| status == bad);
        let same = known.as_ref().is_some_and(|(_, before, _)| *before == reason);
        let name = match kind {
            "Degraded" => "Degraded",
            "ZooKeeperQuorum" => "ZooKeeperUnreachable",
            _ => "RoutingOutOfSync",
        };
        // A resource that has only just been made has not lost anything.
        if status == bad && known.is_some() && !(was_bad && same) {
            events.push((EventType::Warning, name, format!("{reason}: {message}")));
        } else if status != bad && was_bad {
            let name = match kind {
                "Degraded" => "Recovered",
                "ZooKeeperQuorum" => "ZooKeeperReached",
                _ => "RoutingInSync",
            };
            events.push((EventType::Normal, name, message));
        }
    }
    events
}

/// An event that cannot be written is no reason to fail.
async fn publish(
    context: &Context,
    resource: &Botellier,
    type_: EventType,
    reason: &str,
    action: &str,
    note: String,
) {
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note),
        action: action.to_owned(),
        secondary: None,
    };
    if let Err(error) = context.recorder.publish(&event, &resource.object_ref(&())).await {
        debug!(%error, reason, "event not written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::status::LeaderStatus;

    fn status(leader: Option<(&str, i64)>, synced: Option<&str>) -> BotellierStatus {
        BotellierStatus {
            leader: leader.map(|(pod, epoch)| LeaderStatus { pod: pod.to_owned(), epoch, since: None }),
            synced: synced.map(str::to_owned),
            ..BotellierStatus::default()
        }
    }

    fn reasons(before: Option<&BotellierStatus>, now: &BotellierStatus) -> Vec<&'static str> {
        differences(before, now).into_iter().map(|(_, reason, _)| reason).collect()
    }

    #[test]
    fn a_change_of_roles_is_told_once() {
        let first = status(Some(("cache-0", 1)), Some("cache-1"));
        let second = status(Some(("cache-1", 2)), None);
        assert_eq!(reasons(None, &first), ["LeaderElected", "SyncedReplica"]);
        assert_eq!(reasons(Some(&first), &first), [""; 0]);
        assert_eq!(reasons(Some(&first), &second), ["LeaderChanged", "SyncedReplicaLost"]);
    }
}

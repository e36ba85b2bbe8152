//! What a pod says about itself.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::crd::names::{self, Component};

/// The part of a pod that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health<'a> {
    pub name: &'a str,
    pub address: Option<&'a str>,
    pub node_name: Option<&'a str>,
    pub ready: bool,
    /// What keeps it from running, where waiting longer will not help.
    pub trouble: Option<String>,
}

/// Reasons for waiting that do not pass by themselves.
const BAD: [&str; 7] = [
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
];

/// A volume that is being made keeps its pod from being scheduled for a moment.
const UNSCHEDULABLE_FOR: SignedDuration = SignedDuration::from_secs(20);

/// The pods of a component in the order of their ordinals, without those that are on their way out.
pub fn of(pods: &[Pod], component: Component, now: Timestamp) -> Vec<Health<'_>> {
    let mut health: Vec<Health> = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .filter(|pod| {
            pod.metadata.labels.as_ref().is_some_and(|labels| names::is_component(labels, component))
        })
        .filter_map(|pod| health(pod, now))
        .collect();
    health.sort_by_key(|pod| (pod.name.len(), pod.name));
    health
}

fn health(pod: &Pod, now: Timestamp) -> Option<Health<'_>> {
    let status = pod.status.as_ref();
    let condition =
        |kind: &str| status.and_then(|status| status.conditions.as_ref()?.iter().find(|c| c.type_ == kind));
    let unschedulable = condition("PodScheduled")
        .filter(|scheduled| {
            scheduled.status == "False" && scheduled.reason.as_deref() == Some("Unschedulable")
        })
        .filter(|scheduled| {
            let since = scheduled.last_transition_time.as_ref();
            since.is_some_and(|since| now.duration_since(since.0) > UNSCHEDULABLE_FOR)
        })
        .map(|scheduled| {
            format!("unschedulable: {}", scheduled.message.as_deref().unwrap_or("no reason given"))
        });
    let containers = status.into_iter().flat_map(|status| {
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten())
    });
    Some(Health {
        name: pod.metadata.name.as_deref()?,
        address: status.and_then(|status| status.pod_ip.as_deref()),
        node_name: pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()),
        ready: condition("Ready").is_some_and(|ready| ready.status == "True"),
        trouble: unschedulable.or_else(|| containers.into_iter().find_map(trouble)),
    })
}

fn trouble(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().filter(|reason| BAD.contains(reason))?;
    Some(format!("container {}: {reason}", container.name))
}

//! fetch → validate → build → apply → status, for one Botellier at a time.
//!
//! Routing comes first, because clients wait for it and nothing else. A reconciliation that finds
//! everything as it should be writes nothing at all.

pub mod events;
pub mod lease;
pub mod program;
pub mod watchers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use tracing::{debug, warn};

use crate::apply;
use crate::build::{self, Circumstances};
use crate::crd::Botellier;
use crate::crd::names::{self, Component, MANAGER, READS_LABEL, ROLE_LABEL};
use crate::error::Error;
use crate::fetch::{self, Fetched};
use crate::leader::record::{Role, View};
use crate::leader::route::{self, Claim, Outcome};
use crate::metrics::Metrics;
use crate::status::{self, Facts, pods};
use crate::validate::{self, Defaults, Prepared};
use watchers::Watchers;

/// How often a resource is looked at although nothing happened.
const RESYNC: Duration = Duration::from_mins(10);
/// And while something is on its way, of which the time that it takes is part of the news.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_mins(2);
/// One resource whose requests hang must not keep a worker for ever.
const RECONCILE_SECONDS_MAX: u64 = 60;

/// What all reconciliations share.
pub struct Context {
    pub client: Client,
    pub defaults: Defaults,
    pub metrics: Arc<Metrics>,
    pub recorder: Recorder,
    pub watchers: Watchers,
    /// Failures in a row by uid.
    failures: Mutex<HashMap<String, u32>>,
}

impl Context {
    pub fn new(
        client: Client,
        defaults: Defaults,
        metrics: Arc<Metrics>,
        recorder: Recorder,
        watchers: Watchers,
    ) -> Self {
        Self { client, defaults, metrics, recorder, watchers, failures: Mutex::default() }
    }

    fn forget_failures(&self, uid: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    fn count_failure(&self, uid: &str) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(uid.to_owned()).or_default();
        *count += 1;
        *count
    }
}

pub async fn reconcile(resource: Arc<Botellier>, context: Arc<Context>) -> Result<Action, Error> {
    let started = Instant::now();
    let limit = Duration::from_secs(RECONCILE_SECONDS_MAX);
    let result = match tokio::time::timeout(limit, reconcile_once(&resource, &context)).await {
        Ok(result) => result,
        Err(_) => Err(Error::TimedOut { seconds: RECONCILE_SECONDS_MAX }),
    };
    let metrics = &context.metrics;
    metrics.reconciles.add(1);
    metrics.reconcile_microseconds.add(started.elapsed().as_micros() as u64);
    if result.is_ok() {
        context.forget_failures(&resource.uid().unwrap_or_default());
    }
    result
}

/// Later and later, and not all at the same moment.
#[expect(clippy::needless_pass_by_value, reason = "the signature is the controller's")]
pub fn on_error(resource: Arc<Botellier>, error: &Error, context: Arc<Context>) -> Action {
    let uid = resource.uid().unwrap_or_default();
    let failures = context.count_failure(&uid);
    context.metrics.reconcile_failures.add(1);
    warn!(name = resource.name_any(), namespace = resource.namespace(), failures, %error, "reconciliation failed");
    Action::requeue(backoff(&uid, failures))
}

/// Doubles from one second to two minutes; the jitter of up to a half is drawn from the uid.
fn backoff(uid: &str, failures: u32) -> Duration {
    let base = RETRY_MIN.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(RETRY_MAX);
    let draw = build::fingerprint(&format!("{uid}/{failures}"));
    let percent = u32::from_str_radix(&draw[..4], 16).unwrap_or(0) % 50;
    base + base * percent / 100
}

async fn reconcile_once(resource: &Botellier, context: &Context) -> Result<Action, Error> {
    let uid = resource.uid().unwrap_or_default();
    if resource.metadata.deletion_timestamp.is_some() {
        // Children go by their owner references.
        context.watchers.stop(&uid);
        return Ok(Action::await_change());
    }
    let namespace = resource.namespace().unwrap_or_default();
    let api: Api<Botellier> = Api::namespaced(context.client.clone(), &namespace);
    // The cached one may lack the status that we wrote last, and we would write it again.
    let Some(resource) = api.get_opt(&resource.name_any()).await? else {
        context.watchers.stop(&uid);
        return Ok(Action::await_change());
    };
    let mut fetched = fetch::fetch(&context.client, &resource).await?;
    let mut view = View::default();
    let work = match validate::validate(&resource, &context.defaults) {
        Ok(prepared) => {
            view = context.watchers.view(&resource, &prepared.connect).await;
            work(context, &resource, &prepared, &mut fetched, &view).await
        }
        Err(error) => Err(error),
    };
    let facts = Facts {
        resource: &resource,
        fetched: &fetched,
        view: &view,
        problem: work.as_ref().err(),
        now: Timestamp::now(),
    };
    let status = status::compute(&facts);
    if resource.status.as_ref() != Some(&status) {
        let patch = json!({
            "apiVersion": Botellier::api_version(&()),
            "kind": Botellier::kind(&()),
            "metadata": {"name": resource.name_any(), "namespace": namespace},
            "status": status,
        });
        let params = PatchParams::apply(MANAGER).force();
        api.patch_status(&resource.name_any(), &params, &Patch::Apply(&patch)).await?;
        context.metrics.status_writes.add(1);
        events::of_change(context, &resource, resource.status.as_ref(), &status).await;
    }
    match work {
        // Trying again does not help; an edit, or a change of what is in the way, wakes us.
        Err(error @ Error::Invalid { .. }) => {
            debug!(name = resource.name_any(), %error, "waiting for an edit");
            Ok(Action::requeue(RESYNC))
        }
        result => result.map(|()| Action::requeue(if status.is_progressing() { LOOK_AGAIN } else { RESYNC })),
    }
}

async fn work(
    context: &Context,
    resource: &Botellier,
    prepared: &Prepared,
    fetched: &mut Fetched,
    view: &View,
) -> Result<(), Error> {
    route(context, resource, prepared, fetched, view).await?;
    label_pods(context, prepared, fetched, view).await?;
    if resource.spec.paused {
        return Ok(());
    }
    let missing_secret = settle_secret(context, resource, prepared, fetched).await.err();
    let store: Option<k8s_openapi::api::apps::v1::StatefulSet> = fetched.child(&prepared.name);
    let current = store.and_then(|set| set.spec?.replicas);
    let pods = pods::of(&fetched.pods, Component::Store, Timestamp::now()).len();
    let service: Option<Service> = fetched.child(&prepared.name);
    let circumstances = Circumstances {
        store_replicas: build::scale_step(prepared, current, i32::try_from(pods).unwrap_or(i32::MAX), view),
        family: service.and_then(|service| service.spec?.ip_families?.into_iter().next()),
    };
    let children = build::build(prepared, &circumstances)?;
    let sent = apply::apply(&context.client, prepared, fetched, &children).await?;
    context.metrics.applied.add(sent);
    missing_secret.map_or(Ok(()), Err)
}

/// Repairs the leader's EndpointSlice where the leader itself did not.
async fn route(
    context: &Context,
    resource: &Botellier,
    prepared: &Prepared,
    fetched: &mut Fetched,
    view: &View,
) -> Result<(), Error> {
    let name = names::leader_slice(&prepared.name);
    let Some(claim) = claim(prepared, fetched, view) else {
        return Ok(());
    };
    let Some(slice) = fetched.child::<EndpointSlice>(&name) else {
        return Ok(());
    };
    let api = Api::namespaced(context.client.clone(), &prepared.namespace);
    let mut known = Some(slice);
    match route::publish(&api, &name, &mut known, &claim).await? {
        Outcome::Current => {}
        Outcome::Written => context.metrics.route_writes.add(1),
        Outcome::Stale { published } => {
            context.metrics.stale_epochs.add(1);
            events::stale_epoch(context, resource, claim.epoch, published).await;
        }
    }
    // The status is about the slice as it is now.
    if let Some(object) = known.and_then(|slice| as_object(&slice)) {
        fetched.children.insert((EndpointSlice::kind(&()).into_owned(), name), object);
    }
    Ok(())
}

fn as_object(slice: &EndpointSlice) -> Option<DynamicObject> {
    serde_json::from_value(serde_json::to_value(slice).ok()?).ok()
}

/// That the pod of the node that ZooKeeper names leads: the same name at the same address.
fn claim(prepared: &Prepared, fetched: &Fetched, view: &View) -> Option<Claim> {
    let (config, node) = view.leader().filter(|_| view.connected)?;
    let pods = pods::of(&fetched.pods, Component::Store, Timestamp::now());
    let pod = pods.iter().find(|pod| pod.name == node.id && pod.address == Some(&node.host))?;
    Some(Claim {
        cluster: config.cluster.clone(),
        epoch: config.epoch,
        pod: pod.name.to_owned(),
        namespace: prepared.namespace.clone(),
        address: node.host.clone(),
        node_name: pod.node_name.map(str::to_owned),
    })
}

/// Keeps the role and the reads of each store pod in its labels.
async fn label_pods(
    context: &Context,
    prepared: &Prepared,
    fetched: &Fetched,
    view: &View,
) -> Result<(), Error> {
    if !view.connected {
        return Ok(());
    }
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &prepared.namespace);
    for health in pods::of(&fetched.pods, Component::Store, Timestamp::now()) {
        let (role, reads) = status::pod_role(view, &health);
        let role = (role != Role::Absent).then_some(role.as_str());
        let reads = reads.then_some("true");
        let Some(pod) = fetched.pods.iter().find(|pod| pod.metadata.name.as_deref() == Some(health.name))
        else {
            continue;
        };
        let label = |name: &str| pod.labels().get(name).map(String::as_str);
        if label(ROLE_LABEL) == role && label(READS_LABEL) == reads {
            continue;
        }
        // The uid keeps the labels of one pod off its successor of the same name.
        let patch = json!({"metadata": {"uid": pod.uid(), "labels": {ROLE_LABEL: role, READS_LABEL: reads}}});
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match api.patch_metadata(health.name, &params, &Patch::Merge(&patch)).await {
            Ok(_) => {}
            // The pod was replaced meanwhile; its successor brings us back here.
            Err(error) if matches!(crate::error::status_code(&error), Some(404 | 409)) => {}
            Err(error) => return Err(Error::object("Pod", health.name, error)),
        }
    }
    Ok(())
}

/// Sees to it that there is a password.
async fn settle_secret(
    context: &Context,
    resource: &Botellier,
    prepared: &Prepared,
    fetched: &Fetched,
) -> Result<(), Error> {
    let refused = |message: String| Err(Error::invalid("BadSecret", message));
    match &fetched.secret {
        Some(secret) if build::password_file(secret).is_some() => Ok(()),
        Some(_) => refused(format!("Secret {} has no {}", prepared.secret, names::PASSWORD_KEY)),
        None if prepared.secret_is_generated => {
            if apply::create_secret(&context.client, prepared).await? {
                events::password_generated(context, resource, &prepared.secret).await;
            }
            Ok(())
        }
        None => Err(Error::MissingSecret { name: prepared.secret.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::backoff;
    use std::time::Duration;

    #[test]
    fn backoff_doubles_up_to_its_limit_with_jitter() {
        for failures in 1..40 {
            let base = Duration::from_secs(1 << (failures - 1).min(7)).min(Duration::from_mins(2));
            let delay = backoff("uid", failures);
            assert!(delay >= base && delay <= base + base / 2, "{failures}: {delay:?}");
        }
        assert_ne!(backoff("one", 9), backoff("another", 9));
    }
}

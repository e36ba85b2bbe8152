//! `botellier-operator run`: the Lease, the watches, and an orderly end.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::runtime::controller::{self, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tracing::{debug, error, info};

use super::lease::Candidate;
use super::watchers::Watchers;
use super::{Context, on_error, reconcile};
use crate::crd::Botellier;
use crate::crd::names::{self, MANAGER};
use crate::metrics::Metrics;
use crate::validate::Defaults;

const PRUNE_EVERY: Duration = Duration::from_secs(30);
/// Resources that are worked on at the same time.
const CONCURRENCY: u16 = 8;
/// What happens within this time is one reconciliation.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// Who this replica is and where its Lease lies.
#[derive(Clone, Debug)]
pub struct Replica {
    pub namespace: String,
    pub identity: String,
}

/// Runs until `stop` completes; `false` when the Lease was lost and the process should start anew.
pub async fn run(
    client: Client,
    defaults: Defaults,
    replica: Replica,
    metrics: Arc<Metrics>,
    stop: impl Future<Output = ()>,
) -> bool {
    let leases = Api::namespaced(client.clone(), &replica.namespace);
    let mut candidate = Candidate::new(leases, MANAGER, &replica.identity);
    let mut stop = std::pin::pin!(stop);
    metrics.ready.set(1);
    tokio::select! {
        () = candidate.acquire() => {}
        () = &mut stop => return true,
    }
    metrics.active.set(1);
    let (end, ended) = watch::channel(false);
    let mut work = std::pin::pin!(work(client, defaults, &replica, metrics.clone(), ended));
    let orderly = tokio::select! {
        () = &mut work => {
            error!("the controller ended by itself");
            false
        }
        () = candidate.hold() => {
            error!("the Lease was lost");
            return false;
        }
        () = &mut stop => {
            info!("stopping: finishing what has begun");
            // Nobody listens only when the work has ended already.
            let _ = end.send(true);
            work.await;
            true
        }
    };
    candidate.release().await;
    orderly
}

async fn work(
    client: Client,
    defaults: Defaults,
    replica: &Replica,
    metrics: Arc<Metrics>,
    ended: watch::Receiver<bool>,
) {
    let (watchers, triggers) = Watchers::new(metrics.clone());
    let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(replica.identity.clone()) };
    let recorder = Recorder::new(client.clone(), reporter);
    let context = Arc::new(Context::new(client.clone(), defaults, metrics.clone(), recorder, watchers));
    let config = controller::Config::default().concurrency(CONCURRENCY).debounce(DEBOUNCE);
    let controller = controller(&client)
        .with_config(config)
        .reconcile_on(triggers)
        .graceful_shutdown_on(until_ended(ended));
    let known = controller.store();
    let prune = async {
        loop {
            tokio::time::sleep(PRUNE_EVERY).await;
            let uids: Vec<String> = known.state().iter().filter_map(|resource| resource.uid()).collect();
            metrics.resources.set(uids.len() as u64);
            context.watchers.keep(|uid| uids.iter().any(|known| known == uid));
        }
    };
    let reconciliations =
        controller.run(reconcile, on_error, context.clone()).for_each(|result| async move {
            match result {
                Ok((resource, _)) => {
                    debug!(name = resource.name, namespace = resource.namespace, "reconciled");
                }
                Err(error) => debug!(%error, "reconciliation ended with an error"),
            }
        });
    tokio::select! {
        () = reconciliations => {}
        () = prune => {}
    }
}

async fn until_ended(mut ended: watch::Receiver<bool>) {
    // A sender that is gone is an end as well.
    let _ = ended.wait_for(|ended| *ended).await;
}

/// Watches Botelliers, and of everything else only what carries our label.
fn controller(client: &Client) -> Controller<Botellier> {
    let ours = || watcher::Config::default().labels(&names::children_of_all());
    Controller::new(Api::<Botellier>::all(client.clone()), watcher::Config::default())
        .owns(Api::<StatefulSet>::all(client.clone()), ours())
        .owns(Api::<Service>::all(client.clone()), ours())
        .owns(Api::<ConfigMap>::all(client.clone()), ours())
        .owns(Api::<Secret>::all(client.clone()), ours())
        .owns(Api::<ServiceAccount>::all(client.clone()), ours())
        .owns(Api::<EndpointSlice>::all(client.clone()), ours())
        .owns(Api::<PodDisruptionBudget>::all(client.clone()), ours())
        .owns(Api::<Role>::all(client.clone()), ours())
        .owns(Api::<RoleBinding>::all(client.clone()), ours())
        .watches(Api::<Pod>::all(client.clone()), ours(), |pod| {
            let instance = names::instance_of(pod.labels())?;
            Some(ObjectRef::new(instance).within(pod.metadata.namespace.as_deref()?))
        })
}

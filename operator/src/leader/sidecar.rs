//! `botellier-operator route`: runs beside the server in each store pod and publishes that pod as
//! soon as ZooKeeper names it leader, with or without an operator.
//!
//! It claims only what is certain to be about this pod: the node registered under the pod's name, in
//! the incarnation that `/config` names, at this pod's address. Its Role lets it get, update and
//! patch one EndpointSlice and nothing else.

use std::time::Duration;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, Client};
use tokio::sync::watch;
use tracing::{info, warn};

use super::record::View;
use super::route::{Claim, Outcome, publish};
use super::watch::follow;
use crate::metrics::Metrics;

/// How often a leader looks whether the slice still names it.
const VERIFY_EVERY: Duration = Duration::from_secs(30);
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// The pod that this router speaks for.
#[derive(Clone, Debug)]
pub struct Me {
    pub pod: String,
    pub namespace: String,
    pub address: String,
    pub node_name: Option<String>,
}

/// The claim that a view entitles this pod to.
pub fn claim(view: &View, me: &Me) -> Option<Claim> {
    let (config, node) = view.leader()?;
    (node.id == me.pod && node.host == me.address).then(|| Claim {
        cluster: config.cluster.clone(),
        epoch: config.epoch,
        pod: me.pod.clone(),
        namespace: me.namespace.clone(),
        address: me.address.clone(),
        node_name: me.node_name.clone(),
    })
}

/// Runs until `stop` completes.
pub async fn run(
    client: Client,
    connect: String,
    slice: String,
    me: Me,
    metrics: &Metrics,
    stop: impl Future<Output = ()>,
) {
    let (sink, views) = watch::channel(View::default());
    let api: Api<EndpointSlice> = Api::namespaced(client, &me.namespace);
    tokio::select! {
        () = follow(connect, sink) => {}
        () = keep_published(&api, &slice, views, &me, metrics) => {}
        () = stop => {}
    }
}

async fn keep_published(
    api: &Api<EndpointSlice>,
    slice: &str,
    mut views: watch::Receiver<View>,
    me: &Me,
    metrics: &Metrics,
) {
    let mut known = api.get_opt(slice).await.unwrap_or_default();
    let mut retry = RETRY_MIN;
    loop {
        let claim = {
            let view = views.borrow_and_update();
            metrics.zookeeper_sessions.set(u64::from(view.connected));
            claim(&view, me)
        };
        // Nothing wakes a follower but news; a leader also looks whether the slice was tampered with.
        let wait = match claim {
            None => None,
            Some(claim) => match publish(api, slice, &mut known, &claim).await {
                Ok(outcome) => {
                    report(outcome, &claim, metrics);
                    retry = RETRY_MIN;
                    Some(VERIFY_EVERY)
                }
                Err(error) => {
                    warn!(slice, epoch = claim.epoch, %error, "cannot publish this leader");
                    metrics.route_failures.add(1);
                    retry = (retry * 2).min(RETRY_MAX);
                    Some(retry)
                }
            },
        };
        let news = match wait {
            None => views.changed().await,
            Some(wait) => tokio::time::timeout(wait, views.changed()).await.unwrap_or_else(|_| {
                known = None;
                Ok(())
            }),
        };
        if news.is_err() {
            return;
        }
    }
}

fn report(outcome: Outcome, claim: &Claim, metrics: &Metrics) {
    match outcome {
        Outcome::Current => {}
        Outcome::Written => {
            metrics.route_writes.add(1);
            info!(pod = claim.pod, epoch = claim.epoch, "published this pod as the leader");
        }
        Outcome::Stale { published } => {
            metrics.stale_epochs.add(1);
            warn!(epoch = claim.epoch, published, "a later leader is published; this epoch is history");
        }
    }
}

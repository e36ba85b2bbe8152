//! The leader's EndpointSlice: what may replace what, and the write itself.
//!
//! `decide` is pure. `publish` writes with the resourceVersion that the decision was made on, so a
//! writer that lost a race looks again instead of overwriting.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointSlice};
use kube::Api;
use kube::api::PostParams;
use tracing::debug;

use crate::crd::names::{CLUSTER_ANNOTATION, EPOCH_ANNOTATION};
use crate::error::{Error, status_code};

/// How often a lost race is run again before the caller is told.
const ATTEMPTS: usize = 8;

/// That a pod leads, with all that the slice needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub cluster: String,
    pub epoch: u64,
    pub pod: String,
    pub namespace: String,
    pub address: String,
    pub node_name: Option<String>,
}

/// What a claim means for a slice.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// The slice says so already.
    Current,
    /// The slice was written in a later epoch of the same cluster; the claim is history.
    Stale {
        published: u64,
    },
    Write(Box<EndpointSlice>),
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Current,
    Written,
    Stale { published: u64 },
}

pub fn decide(slice: &EndpointSlice, claim: &Claim) -> Verdict {
    if let Some((cluster, published)) = stamp(slice)
        && cluster == claim.cluster
        && published > claim.epoch
    {
        return Verdict::Stale { published };
    }
    let mut next = slice.clone();
    let annotations = next.metadata.annotations.get_or_insert_default();
    annotations.insert(EPOCH_ANNOTATION.to_owned(), claim.epoch.to_string());
    annotations.insert(CLUSTER_ANNOTATION.to_owned(), claim.cluster.clone());
    next.endpoints = vec![endpoint(claim)];
    if next == *slice {
        return Verdict::Current;
    }
    Verdict::Write(Box::new(next))
}

/// Cluster and epoch that a slice was written in.
pub fn stamp(slice: &EndpointSlice) -> Option<(String, u64)> {
    let annotations = slice.metadata.annotations.as_ref()?;
    let epoch = annotations.get(EPOCH_ANNOTATION)?.parse().ok()?;
    Some((annotations.get(CLUSTER_ANNOTATION)?.clone(), epoch))
}

/// The pod that a slice sends clients to.
pub fn target(slice: &EndpointSlice) -> Option<&str> {
    slice.endpoints.first()?.target_ref.as_ref()?.name.as_deref()
}

fn endpoint(claim: &Claim) -> Endpoint {
    Endpoint {
        addresses: vec![claim.address.clone()],
        conditions: Some(EndpointConditions {
            ready: Some(true),
            serving: Some(true),
            terminating: Some(false),
        }),
        node_name: claim.node_name.clone(),
        target_ref: Some(ObjectReference {
            kind: Some("Pod".to_owned()),
            name: Some(claim.pod.clone()),
            namespace: Some(claim.namespace.clone()),
            ..ObjectReference::default()
        }),
        ..Endpoint::default()
    }
}

/// Makes the slice say what the claim says, unless it says something later already.
///
/// `known` is the slice as last seen and is kept up to date: when nobody else wrote since, one
/// request does it. The slice itself is made by the operator; until then this is a 404.
pub async fn publish(
    api: &Api<EndpointSlice>,
    name: &str,
    known: &mut Option<EndpointSlice>,
    claim: &Claim,
) -> Result<Outcome, Error> {
    let failed = |error| Error::object("EndpointSlice", name, error);
    for _ in 0..ATTEMPTS {
        let slice = match known.take() {
            Some(slice) => slice,
            None => api.get(name).await.map_err(failed)?,
        };
        let next = match decide(&slice, claim) {
            Verdict::Current => {
                *known = Some(slice);
                return Ok(Outcome::Current);
            }
            Verdict::Stale { published } => {
                *known = Some(slice);
                return Ok(Outcome::Stale { published });
            }
            Verdict::Write(next) => next,
        };
        match api.replace(name, &PostParams::default(), &next).await {
            Ok(written) => {
                *known = Some(written);
                return Ok(Outcome::Written);
            }
            Err(error) if status_code(&error) == Some(409) => {
                debug!(slice = name, "someone else wrote first; looking again");
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Err(Error::invalid(
        "RoutingContended",
        format!("EndpointSlice {name} changed under each of {ATTEMPTS} attempts"),
    ))
}

//! PodDisruptionBudgets: an eviction takes one pod at a time.
//!
//! One of three store nodes may go, since the two that stay are a pair or become one; one of three
//! ZooKeeper members may go, since two are a quorum.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata;
use crate::crd::names::{self, Component};
use crate::validate::Prepared;

pub fn store(prepared: &Prepared) -> PodDisruptionBudget {
    budget(prepared, prepared.name.clone(), Component::Store)
}

pub fn zookeeper(prepared: &Prepared) -> PodDisruptionBudget {
    budget(prepared, names::zookeeper(&prepared.name), Component::ZooKeeper)
}

fn budget(prepared: &Prepared, name: String, component: Component) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: metadata(prepared, name, component),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(names::selector(&prepared.name, component)),
                ..LabelSelector::default()
            }),
            // A pod that is not ready protects nobody; draining its node must not hang on it.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}

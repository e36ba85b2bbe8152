//! The leader's EndpointSlice without its endpoints: those, and the epoch, belong to whoever leads.
//!
//! It leads to a port at which a node serves only while it leads. A node that was cut off routes by what it knew before,
//! and the connection table of any node may send a new connection where an earlier one was going: who arrives at a former
//! leader in such a way is sent away, and tries again.

use k8s_openapi::api::discovery::v1::{EndpointPort, EndpointSlice};

use super::{Child, metadata};
use crate::crd::names::{self, Component, LEADER_PORT};
use crate::error::Error;
use crate::validate::Prepared;

pub fn leader(prepared: &Prepared, family: &str) -> Result<Child, Error> {
    let mut metadata = metadata(prepared, names::leader_slice(&prepared.name), Component::Store);
    let labels = metadata.labels.get_or_insert_default();
    labels.insert("kubernetes.io/service-name".to_owned(), prepared.name.clone());
    // Tells Kubernetes' own controller that this slice is not one of its.
    labels.insert("endpointslice.kubernetes.io/managed-by".to_owned(), names::MANAGER.to_owned());
    let mut child = Child::new(&EndpointSlice {
        metadata,
        address_type: family.to_owned(),
        ports: Some(vec![EndpointPort {
            name: Some("redis".to_owned()),
            port: Some(LEADER_PORT),
            protocol: Some("TCP".to_owned()),
            ..EndpointPort::default()
        }]),
        endpoints: Vec::new(),
    })?;
    // An empty list would be a claim on the field; absent, server-side apply leaves it alone.
    if let Some(fields) = child.value.as_object_mut() {
        fields.remove("endpoints");
    }
    Ok(child)
}

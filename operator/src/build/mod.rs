//! What there should be, from what was asked for. A file a resource, all of them pure.

mod auth;
mod config;
mod disruption;
mod pod;
mod rbac;
mod services;
mod slice;
mod store;
mod zookeeper;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::Value;

pub use auth::{password_file, secret};
pub use store::scale_step;

use crate::crd::names::{self, Component};
use crate::error::Error;
use crate::validate::Prepared;

/// What building depends on besides the resource itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// How many store nodes the StatefulSet shall have now; on the way down one less at a time.
    pub store_replicas: i32,
    /// Address family of the leader Service, once the API server has chosen it.
    pub family: Option<String>,
}

/// One object that should exist, as it is sent to the API server.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    pub kind: String,
    pub name: String,
    pub value: Value,
}

impl Child {
    fn new(object: &impl Serialize) -> Result<Self, Error> {
        let value = serde_json::to_value(object)?;
        let text =
            |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { kind: text("/kind"), name: text("/metadata/name"), value })
    }
}

/// Everything that belongs to a Botellier, in the order in which it is applied.
pub fn build(prepared: &Prepared, circumstances: &Circumstances) -> Result<Vec<Child>, Error> {
    let config = config::config_map(prepared);
    let config_hash = config::hash(&config);
    let mut children = vec![
        Child::new(&rbac::service_account(prepared))?,
        Child::new(&rbac::role(prepared))?,
        Child::new(&rbac::role_binding(prepared))?,
        Child::new(&config)?,
        Child::new(&services::nodes(prepared))?,
        Child::new(&services::leader(prepared))?,
        Child::new(&services::replicas(prepared))?,
    ];
    if let Some(family) = &circumstances.family {
        children.push(slice::leader(prepared, family)?);
    }
    if let Some(ensemble) = &prepared.ensemble {
        let config = zookeeper::config_map(prepared, ensemble);
        children.push(Child::new(&config)?);
        children.push(Child::new(&services::zookeeper_nodes(prepared))?);
        children.push(Child::new(&services::zookeeper(prepared))?);
        children.push(Child::new(&disruption::zookeeper(prepared))?);
        children.push(Child::new(&zookeeper::stateful_set(prepared, ensemble, &config::hash(&config)))?);
    }
    children.push(Child::new(&disruption::store(prepared))?);
    children.push(Child::new(&store::stateful_set(prepared, circumstances.store_replicas, &config_hash))?);
    Ok(children)
}

/// Metadata of a child.
fn metadata(prepared: &Prepared, name: String, component: Component) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(prepared.namespace.clone()),
        labels: Some(names::labels(&prepared.name, component)),
        owner_references: Some(vec![prepared.owner.clone()]),
        ..ObjectMeta::default()
    }
}

/// FNV-1a, 64 bits: the same in every version of the operator, so an upgrade restarts no pod.
pub fn fingerprint(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

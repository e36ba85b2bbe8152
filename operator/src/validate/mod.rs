//! From what the user wrote to what can be built: defaults filled in, names settled, and the rules
//! held that a schema cannot express. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{Resource, ResourceExt};
use serde_json::Value;

use crate::crd::names::{self, Component};
use crate::crd::{Botellier, Durability, ManagedZooKeeper, PodTemplate, Retention, ServicesSpec};
use crate::error::Error;

/// What the operator itself was started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    pub server_image: String,
    pub operator_image: String,
    pub zookeeper_image: String,
    pub cluster_domain: String,
}

/// A volume of each pod of a StatefulSet.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    pub size: String,
    pub storage_class_name: Option<String>,
}

/// A Botellier that can be built.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    pub name: String,
    pub namespace: String,
    pub owner: OwnerReference,
    pub defaults: Defaults,
    pub server_image: String,
    pub replicas: i32,
    pub durability: Durability,
    /// Directives of the user, in the order of their names.
    pub config: BTreeMap<String, String>,
    pub secret: String,
    /// Whether the Secret is ours to make.
    pub secret_is_generated: bool,
    pub volume: Volume,
    pub retention: Retention,
    pub ensemble: Option<Ensemble>,
    /// For the directive `zookeeper`: hosts and chroot.
    pub connect: String,
    pub services: ServicesSpec,
    pub pod_template: Option<PodTemplateSpec>,
}

/// A managed ZooKeeper.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    pub members: i32,
    pub volume: Volume,
    pub resources: Option<ResourceRequirements>,
}

impl Prepared {
    /// The DNS name of a headless Service's pod.
    pub fn pod_host(&self, service: &str, pod: &str) -> String {
        format!("{pod}.{service}.{}.svc.{}", self.namespace, self.defaults.cluster_domain)
    }
}

pub fn validate(resource: &Botellier, defaults: &Defaults) -> Result<Prepared, Error> {
    let spec = &resource.spec;
    let name = resource.name_any();
    let namespace = resource.namespace().unwrap_or_default();
    let owner = resource
        .controller_owner_ref(&())
        .ok_or_else(|| Error::invalid("InvalidSpec", "the resource has no name or uid yet"))?;
    let mut prepared = Prepared {
        secret: spec
            .auth
            .secret_ref
            .as_ref()
            .map_or_else(|| names::auth_secret(&name), |secret| secret.name.clone()),
        secret_is_generated: spec.auth.secret_ref.is_none(),
        server_image: spec.image.clone().unwrap_or_else(|| defaults.server_image.clone()),
        defaults: defaults.clone(),
        replicas: spec.replicas,
        durability: spec.replication.durability,
        config: config(&spec.config)?,
        volume: Volume {
            size: spec.storage.size.clone(),
            storage_class_name: spec.storage.storage_class_name.clone(),
        },
        retention: spec.storage.retention.clone(),
        ensemble: spec.zookeeper.managed.as_ref().map(ensemble),
        connect: String::new(),
        services: spec.services.clone(),
        pod_template: spec.pod_template.as_ref().map(|template| pod_template(&name, template)).transpose()?,
        owner,
        name,
        namespace,
    };
    prepared.connect = connect(&prepared, resource)?;
    Ok(prepared)
}

fn ensemble(managed: &ManagedZooKeeper) -> Ensemble {
    Ensemble {
        members: managed.replicas,
        volume: Volume {
            size: managed.storage.size.clone(),
            storage_class_name: managed.storage.storage_class_name.clone(),
        },
        resources: managed.resources.clone(),
    }
}

/// Members are named one by one and not through their Service: a client whose member is cut off
/// then tries another next, where a Service may lead it to the dead one again.
fn connect(prepared: &Prepared, resource: &Botellier) -> Result<String, Error> {
    if let Some(ensemble) = &prepared.ensemble {
        let set = names::zookeeper(&prepared.name);
        let service = names::zookeeper_nodes_service(&prepared.name);
        let hosts: Vec<String> = (0..ensemble.members)
            .map(|member| {
                let host = prepared.pod_host(&service, &format!("{set}-{member}"));
                format!("{host}:{}", names::ZOOKEEPER_PORT)
            })
            .collect();
        return Ok(hosts.join(",") + names::MANAGED_CHROOT);
    }
    let external = resource.spec.zookeeper.external.as_ref().ok_or_else(|| {
        Error::invalid("InvalidSpec", "give exactly one of zookeeper.managed and zookeeper.external")
    })?;
    let chroot = external
        .chroot
        .clone()
        .unwrap_or_else(|| format!("/botellier-{}-{}", prepared.namespace, prepared.name));
    Ok(external.connect_string.clone() + &chroot)
}

fn config(directives: &BTreeMap<String, IntOrString>) -> Result<BTreeMap<String, String>, Error> {
    let mut config = BTreeMap::new();
    for (name, value) in directives {
        let value = match value {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::String(text) => text.clone(),
        };
        // A line break would smuggle in directives that the schema refuses.
        if value.chars().any(char::is_control) {
            return Err(Error::invalid(
                "InvalidConfig",
                format!("spec.config.{name} contains a line break or another control character"),
            ));
        }
        config.insert(name.clone(), value);
    }
    Ok(config)
}

fn pod_template(name: &str, template: &PodTemplate) -> Result<PodTemplateSpec, Error> {
    let refused = |message: String| Error::invalid("InvalidPodTemplate", message);
    let ours = names::labels(name, Component::Store);
    if let Some(label) = template.metadata.labels.keys().find(|label| ours.contains_key(*label)) {
        return Err(refused(format!("spec.podTemplate.metadata.labels.{label} is set by the operator")));
    }
    let given = Value::Object(template.spec.clone());
    let spec: PodSpec = serde_json::from_value(given.clone())
        .map_err(|error| refused(format!("spec.podTemplate.spec is not a PodSpec: {error}")))?;
    let understood = serde_json::to_value(&spec)?;
    if let Some(path) = first_lost(&given, &understood, "spec.podTemplate.spec") {
        return Err(refused(format!("{path} is not known to Kubernetes")));
    }
    Ok(PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(template.metadata.labels.clone()),
            annotations: Some(template.metadata.annotations.clone()),
            ..ObjectMeta::default()
        }),
        spec: Some(spec),
    })
}

/// The first path of `given` that `kept` has not.
fn first_lost(given: &Value, kept: &Value, path: &str) -> Option<String> {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => given.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            match kept.get(key) {
                Some(kept) => first_lost(value, kept, &path),
                // An empty list or map says nothing, so nothing is lost with it.
                None if is_empty(value) => None,
                None => Some(path),
            }
        }),
        (Value::Array(given), Value::Array(kept)) => given
            .iter()
            .zip(kept)
            .enumerate()
            .find_map(|(index, (given, kept))| first_lost(given, kept, &format!("{path}[{index}]"))),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

//! Reads what exists: the only step before `apply` that holds a client.
//!
//! Children are read afresh for every reconciliation instead of kept in a cache: there are few of
//! them, reconciliations are rare, and a decision on a stale cache is a decision on nothing.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{ApiResource, DynamicObject, ListParams, TypeMeta};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::crd::Botellier;
use crate::crd::names;
use crate::error::Error;

/// Kind and name of a child.
pub type Key = (String, String);

/// What the API server has for one Botellier.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    pub children: BTreeMap<Key, DynamicObject>,
    pub pods: Vec<Pod>,
    /// The Secret with the password, whoever made it.
    pub secret: Option<Secret>,
}

impl Fetched {
    /// A child in its own type.
    pub fn child<K>(&self, name: &str) -> Option<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let object = self.children.get(&(K::kind(&()).into_owned(), name.to_owned()))?;
        object.clone().try_parse().ok()
    }
}

/// The kinds of children, as the API names them.
pub fn kinds() -> Vec<ApiResource> {
    vec![
        ApiResource::erase::<StatefulSet>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<ServiceAccount>(&()),
        ApiResource::erase::<EndpointSlice>(&()),
        ApiResource::erase::<PodDisruptionBudget>(&()),
        ApiResource::erase::<Role>(&()),
        ApiResource::erase::<RoleBinding>(&()),
    ]
}

/// Name of the Secret that holds the password.
pub fn secret_name(resource: &Botellier) -> String {
    match &resource.spec.auth.secret_ref {
        Some(reference) => reference.name.clone(),
        None => names::auth_secret(&resource.name_any()),
    }
}

pub async fn fetch(client: &Client, resource: &Botellier) -> Result<Fetched, Error> {
    let namespace = resource.namespace().unwrap_or_default();
    let selected = ListParams::default().labels(&names::children_of(&resource.name_any()));
    let kinds = kinds();
    let lists = try_join_all(kinds.iter().map(|kind| {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, kind);
        let selected = selected.clone();
        async move { api.list(&selected).await }
    }));
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let secret_name = secret_name(resource);
    let (lists, pods, secret) =
        futures::try_join!(lists, pods.list(&selected), secrets.get_opt(&secret_name))?;

    let mut children = BTreeMap::new();
    for (kind, list) in kinds.iter().zip(lists) {
        for mut object in list {
            // The items of a list do not say what they are.
            object.types = Some(TypeMeta { api_version: kind.api_version.clone(), kind: kind.kind.clone() });
            children.insert((kind.kind.clone(), object.name_any()), object);
        }
    }
    Ok(Fetched { children, pods: pods.items, secret })
}

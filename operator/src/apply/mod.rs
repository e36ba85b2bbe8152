//! Makes the cluster have what `build` says, by server-side apply with one field manager.
//!
//! Nothing is sent that is there already: a child carries a fingerprint of what was last applied,
//! and its fields are compared besides, so that a change by others is found and undone. An object of
//! our name that we do not own is never touched.

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tracing::info;

use crate::build::{Child, fingerprint, secret};
use crate::crd::names::{APPLIED_ANNOTATION, MANAGER};
use crate::error::{Error, status_code};
use crate::fetch::{Fetched, kinds};
use crate::validate::Prepared;

/// Applies each child that differs and says how many that were.
pub async fn apply(
    client: &Client,
    prepared: &Prepared,
    fetched: &Fetched,
    children: &[Child],
) -> Result<u64, Error> {
    let kinds = kinds();
    let mut sent = 0;
    let mut first_error = None;
    for child in children {
        let Some(kind) = kinds.iter().find(|kind| kind.kind == child.kind) else {
            return Err(Error::invalid("InternalError", format!("{} is not a kind of child", child.kind)));
        };
        // One child that cannot be applied does not keep the others from existing.
        match apply_one(client, prepared, fetched, kind, child).await {
            Ok(true) => sent += 1,
            Ok(false) => {}
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    first_error.map_or(Ok(sent), Err)
}

async fn apply_one(
    client: &Client,
    prepared: &Prepared,
    fetched: &Fetched,
    kind: &ApiResource,
    child: &Child,
) -> Result<bool, Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &prepared.namespace, kind);
    let failed = |error| Error::object(&child.kind, &child.name, error);
    let desired = stamped(child);
    let known = match fetched.children.get(&(child.kind.clone(), child.name.clone())) {
        Some(known) => Some(known.clone()),
        // Not among ours: it is absent, or it is somebody else's.
        None => api.get_opt(&child.name).await.map_err(failed)?,
    };
    if let Some(known) = &known {
        if !known.owner_references().iter().any(|owner| owner.uid == prepared.owner.uid) {
            return Err(Error::Foreign { kind: child.kind.clone(), name: child.name.clone() });
        }
        if is_applied(&desired, &serde_json::to_value(known)?) {
            return Ok(false);
        }
    }
    let params = PatchParams {
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..PatchParams::apply(MANAGER).force()
    };
    api.patch(&child.name, &params, &Patch::Apply(&desired)).await.map_err(failed)?;
    info!(kind = child.kind, name = child.name, namespace = prepared.namespace, "applied");
    Ok(true)
}

/// The child with the fingerprint of itself.
fn stamped(child: &Child) -> Value {
    let mut value = child.value.clone();
    let hash = fingerprint(&value.to_string());
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(APPLIED_ANNOTATION.to_owned(), Value::String(hash));
        }
    }
    value
}

/// Whether every field of `desired` is in `live`. Fields that the API server or others added do not
/// count; one that we no longer want changes the fingerprint, which is a field as well.
fn is_applied(desired: &Value, live: &Value) -> bool {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            desired.iter().all(|(key, value)| match live.get(key) {
                Some(live) => is_applied(value, live),
                None => says_nothing(value),
            })
        }
        (Value::Array(desired), Value::Array(live)) => {
            desired.len() == live.len()
                && desired.iter().zip(live).all(|(desired, live)| is_applied(desired, live))
        }
        _ => desired == live,
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Makes the Secret with the password if there is none. It is never written again: a create can
/// only lose to another create, and then that one's password counts.
pub async fn create_secret(client: &Client, prepared: &Prepared) -> Result<bool, Error> {
    let mut random = [0; 24];
    {
        use std::io::Read as _;
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut random))
            .map_err(|error| Error::io("/dev/urandom", error))?;
    }
    let api = Api::namespaced(client.clone(), &prepared.namespace);
    match api.create(&PostParams::default(), &secret(prepared, random)).await {
        Ok(_) => Ok(true),
        Err(error) if status_code(&error) == Some(409) => Ok(false),
        Err(error) => Err(Error::object("Secret", &prepared.secret, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(value: Value) -> Child {
        Child { kind: "ConfigMap".to_owned(), name: "cache-config".to_owned(), value }
    }

    #[test]
    fn what_is_there_is_not_sent_again() {
        let desired =
            stamped(&child(json!({"metadata": {"name": "a"}, "data": {"x": "1"}, "list": [{"n": 1}]})));
        let mut live = desired.clone();
        live["metadata"]["uid"] = json!("added by the server");
        live["list"][0]["defaulted"] = json!(true);
        assert!(is_applied(&desired, &live));
        live["data"]["x"] = json!("changed by someone");
        assert!(!is_applied(&desired, &live));
    }

    #[test]
    fn a_field_that_is_no_longer_wanted_is_noticed() {
        let before = stamped(&child(json!({"metadata": {"name": "a"}, "data": {"x": "1", "y": "2"}})));
        let now = stamped(&child(json!({"metadata": {"name": "a"}, "data": {"x": "1"}})));
        assert!(!is_applied(&now, &before));
    }
}

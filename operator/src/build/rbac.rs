//! What the router in each store pod may do: touch one EndpointSlice, by name, and nothing else.
//!
//! It may not create it, because a create cannot be limited to a name; the operator makes the slice.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};

use super::metadata;
use crate::crd::names::{self, Component};
use crate::validate::Prepared;

pub fn service_account(prepared: &Prepared) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(prepared, prepared.name.clone(), Component::Store),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

pub fn role(prepared: &Prepared) -> Role {
    Role {
        metadata: metadata(prepared, prepared.name.clone(), Component::Store),
        rules: Some(vec![PolicyRule {
            api_groups: Some(vec!["discovery.k8s.io".to_owned()]),
            resources: Some(vec!["endpointslices".to_owned()]),
            resource_names: Some(vec![names::leader_slice(&prepared.name)]),
            verbs: ["get", "update", "patch"].map(str::to_owned).to_vec(),
            ..PolicyRule::default()
        }]),
    }
}

pub fn role_binding(prepared: &Prepared) -> RoleBinding {
    RoleBinding {
        metadata: metadata(prepared, prepared.name.clone(), Component::Store),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "Role".to_owned(),
            name: prepared.name.clone(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: prepared.name.clone(),
            namespace: Some(prepared.namespace.clone()),
            ..Subject::default()
        }]),
    }
}

//! What is built for each sample, as YAML that a person reads in review.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p botellier-operator --test build` writes the snapshots anew.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use botellier_operator::build::{Child, Circumstances, build, scale_step, secret};
use botellier_operator::crd::Botellier;
use botellier_operator::crd::Durability;
use botellier_operator::leader::record::View;
use common::{prepared, root, sample, view};
use serde_json::{Value, json};

fn children(resource: &Botellier) -> Vec<Child> {
    let circumstances =
        Circumstances { store_replicas: resource.spec.replicas, family: Some("IPv4".to_owned()) };
    build(&prepared(resource), &circumstances).unwrap()
}

fn find(children: &[Child], kind: &str, name: &str) -> Value {
    let child = children.iter().find(|child| child.kind == kind && child.name == name);
    child.unwrap_or_else(|| panic!("no {kind} {name}")).value.clone()
}

#[test]
fn samples_build_what_was_reviewed() {
    for name in ["cache", "external-zookeeper", "production", "small"] {
        let documents: Vec<String> = children(&sample(name))
            .iter()
            .map(|child| serde_yaml::to_string(&child.value).unwrap())
            .collect();
        let text = documents.join("---\n");
        let path = root().join("operator/tests/snapshots").join(format!("{name}.yaml"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
        for (line, (found, expected)) in text.lines().zip(reviewed.lines()).enumerate() {
            assert_eq!(found, expected, "{}:{}", path.display(), line + 1);
        }
        assert_eq!(text.lines().count(), reviewed.lines().count(), "{}", path.display());
    }
}

#[test]
fn every_pod_meets_the_restricted_standard() {
    for name in ["cache", "external-zookeeper", "production", "small"] {
        for child in children(&sample(name)).iter().filter(|child| child.kind == "StatefulSet") {
            let pod = &child.value["spec"]["template"]["spec"];
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
            assert_eq!(pod["automountServiceAccountToken"], false);
            for kind in ["containers", "initContainers"] {
                for container in pod[kind].as_array().into_iter().flatten() {
                    let security = &container["securityContext"];
                    assert_eq!(security["allowPrivilegeEscalation"], false, "{}", container["name"]);
                    assert_eq!(security["readOnlyRootFilesystem"], true, "{}", container["name"]);
                    assert_eq!(security["capabilities"]["drop"], json!(["ALL"]), "{}", container["name"]);
                }
            }
        }
    }
}

#[test]
fn only_the_router_has_a_token_and_it_may_touch_one_object() {
    let children = children(&sample("cache"));
    let pod = &find(&children, "StatefulSet", "cache")["spec"]["template"]["spec"];
    for container in pod["containers"].as_array().unwrap() {
        let mounts = container["volumeMounts"].as_array().unwrap();
        let has_token = mounts.iter().any(|mount| mount["name"] == "token");
        assert_eq!(has_token, container["name"] == "router", "{}", container["name"]);
    }
    let role = find(&children, "Role", "cache");
    assert_eq!(
        role["rules"],
        json!([{"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"],
                "resourceNames": ["cache-leader"], "verbs": ["get", "update", "patch"]}])
    );
}

#[test]
fn the_leader_slice_is_applied_without_its_endpoints() {
    let slice = find(&children(&sample("cache")), "EndpointSlice", "cache-leader");
    assert!(slice.get("endpoints").is_none());
    let service = find(&children(&sample("cache")), "Service", "cache");
    assert!(service["spec"].get("selector").is_none());
}

#[test]
fn a_pod_template_is_merged_by_name_and_a_change_of_configuration_rolls_the_pods() {
    let mut resource = sample("cache");
    let before = find(&children(&resource), "StatefulSet", "cache");
    let server = &before["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(server["name"], "server");
    assert_eq!(server["resources"]["requests"], json!({"cpu": "25m", "memory": "64Mi"}));
    assert!(server["readinessProbe"].is_object(), "what the user did not name is kept");
    resource.spec.config.insert("timeout".to_owned(), serde_json::from_value(json!(30)).unwrap());
    let after = find(&children(&resource), "StatefulSet", "cache");
    let annotations = |set: &Value| set["spec"]["template"]["metadata"]["annotations"].clone();
    assert_ne!(annotations(&before), annotations(&after));
    let config = find(&children(&resource), "ConfigMap", "cache-config");
    assert!(config["data"]["botellier.conf"].as_str().unwrap().ends_with("\ntimeout 30\n"));
}

#[test]
fn nothing_shrinks_by_more_than_one_node_and_only_when_that_is_safe() {
    let mut resource = sample("cache");
    let step = |resource: &Botellier, current: i32, pods: i32, view: &View| {
        scale_step(&prepared(resource), Some(current), pods, view)
    };
    let all = &[0, 1, 2, 3, 4][..];
    resource.spec.replicas = 2;
    // Growing, creating and staying are not held up.
    assert_eq!(scale_step(&prepared(&resource), None, 0, &View::default()), 2);
    assert_eq!(step(&resource, 1, 1, &View::default()), 2);
    // One at a time, and the next only when the last is gone.
    assert_eq!(step(&resource, 5, 5, &view(1, 0, Some(1), all)), 4);
    assert_eq!(step(&resource, 4, 5, &view(1, 0, Some(1), all)), 4);
    assert_eq!(step(&resource, 4, 4, &view(1, 0, Some(1), &[0, 1, 2, 3])), 3);
    // The leader may leave when its synced replica stays, and the other way round.
    assert_eq!(step(&resource, 3, 3, &view(1, 2, Some(0), &[0, 1, 2])), 2);
    assert_eq!(step(&resource, 3, 3, &view(1, 0, Some(2), &[0, 1, 2])), 2);
    // Not while a role rests on a node that is gone, nor without a word from ZooKeeper.
    assert_eq!(step(&resource, 3, 3, &view(1, 0, Some(3), &[0, 1, 2, 3])), 3);
    assert_eq!(step(&resource, 3, 3, &view(1, 0, Some(1), &[0, 2])), 3);
    assert_eq!(step(&resource, 3, 3, &view(1, 0, None, &[1, 2])), 3);
    let mut deaf = view(1, 0, Some(1), &[0, 1, 2]);
    deaf.connected = false;
    assert_eq!(step(&resource, 3, 3, &deaf), 3);
    // Down to one: the leader alone stays only when it is the one that stays.
    resource.spec.replicas = 1;
    resource.spec.replication.durability = Durability::Preferred;
    assert_eq!(step(&resource, 2, 2, &view(1, 1, None, &[0, 1])), 2);
    assert_eq!(step(&resource, 2, 2, &view(1, 0, None, &[0, 1])), 1);
    assert_eq!(step(&resource, 2, 2, &view(1, 1, Some(0), &[0, 1])), 1);
}

#[test]
fn a_password_is_not_readable_from_the_snapshot_of_another() {
    let prepared = prepared(&sample("cache"));
    let password = |random| secret(&prepared, random).data.unwrap()["password"].0.clone();
    assert_ne!(password([1; 24]), password([2; 24]));
    assert_eq!(password([1; 24]).len(), 32);
}

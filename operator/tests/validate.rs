//! What a schema cannot say: refused with a reason that names the field.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use botellier_operator::crd::{Botellier, ExternalZooKeeper, PodTemplate};
use botellier_operator::error::Error;
use botellier_operator::validate::validate;
use common::{defaults, prepared, sample};
use serde_json::{Value, json};

fn refusal(resource: &Botellier) -> (&'static str, String) {
    match validate(resource, &defaults()) {
        Err(error @ Error::Invalid { .. }) => (error.reason(), error.to_string()),
        other => panic!("not refused: {other:?}"),
    }
}

fn with_template(template: Value) -> Botellier {
    let mut resource = sample("cache");
    let template: PodTemplate = serde_json::from_value(template).unwrap();
    resource.spec.pod_template = Some(template);
    resource
}

#[test]
fn a_line_break_does_not_smuggle_in_a_directive() {
    let mut resource = sample("cache");
    resource.spec.config.insert("save".to_owned(), serde_json::from_value(json!("60 1\nport 1")).unwrap());
    let (reason, message) = refusal(&resource);
    assert_eq!(reason, "InvalidConfig");
    assert!(message.contains("spec.config.save"), "{message}");
}

#[test]
fn an_unknown_field_of_a_pod_is_refused_by_its_path() {
    let (reason, message) = refusal(&with_template(json!({
        "spec": {"containers": [{"name": "server", "resorces": {"limits": {"cpu": "1"}}}]},
    })));
    assert_eq!(reason, "InvalidPodTemplate");
    assert!(message.contains("spec.podTemplate.spec.containers[0].resorces"), "{message}");
}

#[test]
fn a_wrong_type_and_a_label_of_ours_are_refused() {
    assert_eq!(refusal(&with_template(json!({"spec": {"containers": "none"}}))).0, "InvalidPodTemplate");
    let label = json!({"metadata": {"labels": {"app.kubernetes.io/instance": "mine"}}});
    assert!(refusal(&with_template(label)).1.contains("app.kubernetes.io/instance"));
}

#[test]
fn what_kubernetes_knows_is_taken() {
    let template = json!({
        "metadata": {"labels": {"team": "a"}, "annotations": {}},
        "spec": {"nodeSelector": {}, "tolerations": [{"key": "x", "operator": "Exists"}], "priorityClassName": "high",
                 "containers": [{"name": "server", "env": [{"name": "A", "value": "b"}]}]},
    });
    assert!(validate(&with_template(template), &defaults()).is_ok());
}

#[test]
fn a_managed_ensemble_is_named_member_by_member() {
    assert_eq!(
        prepared(&sample("small")).connect,
        "small-zookeeper-0.small-zookeeper-nodes.default.svc.cluster.local:2181/botellier"
    );
}

#[test]
fn an_external_ensemble_gets_a_chroot_of_its_own() {
    let mut resource = sample("external-zookeeper");
    assert!(prepared(&resource).connect.ends_with(":2181/botellier-sessions"));
    let external = ExternalZooKeeper { connect_string: "zk:2181".to_owned(), chroot: None };
    resource.spec.zookeeper.external = Some(external);
    assert_eq!(prepared(&resource).connect, "zk:2181/botellier-default-sessions");
    resource.spec.zookeeper.external = None;
    assert_eq!(refusal(&resource).0, "InvalidSpec");
}

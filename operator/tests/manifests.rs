//! `manifests/` is what the code says; samples say nothing that is not understood; rights are counted.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use botellier_operator::crd::Botellier;
use botellier_operator::manifests;
use common::{root, sample, sample_yaml};
use serde_json::Value;

const SAMPLES: [&str; 4] = ["cache", "external-zookeeper", "production", "small"];

#[test]
fn generated_files_have_not_drifted() {
    for (name, text) in manifests::files().unwrap() {
        let path = root().join("manifests").join(name);
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == text,
            "{} differs; run: cargo run -p botellier-operator -- manifests --write manifests",
            path.display()
        );
    }
}

#[test]
fn every_sample_is_tried() {
    let mut found: Vec<String> = std::fs::read_dir(root().join("manifests/samples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, SAMPLES.map(|name| format!("{name}.yaml")));
}

#[test]
fn nothing_in_a_sample_is_ignored() {
    for name in SAMPLES {
        let written = sample_yaml(name);
        let understood = serde_json::to_value(sample(name)).unwrap();
        assert_kept(&written["spec"], &understood["spec"], name);
    }
}

fn assert_kept(written: &Value, understood: &Value, path: &str) {
    match (written, understood) {
        (Value::Object(written), Value::Object(understood)) => {
            for (key, value) in written {
                let path = format!("{path}.{key}");
                assert_kept(value, understood.get(key).unwrap_or_else(|| panic!("{path} is ignored")), &path);
            }
        }
        _ => assert_eq!(written, understood, "{path}"),
    }
}

/// One more verb than these, and somebody must say here what it is for.
#[test]
fn the_operator_has_these_rights_and_no_more() {
    let rules = manifests::rules();
    let mut rights: Vec<String> = Vec::new();
    for rule in rules.as_array().unwrap() {
        let words = |key: &str| -> Vec<&str> {
            rule[key].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
        };
        for resource in words("resources") {
            rights.push(format!("{resource}: {}", words("verbs").join(" ")));
        }
    }
    rights.sort();
    assert_eq!(
        rights,
        [
            "botelliers/finalizers: update",
            "botelliers/status: patch",
            "botelliers: get list watch",
            "configmaps: get list watch create patch",
            "endpointslices: get list watch create update patch",
            "events: create patch",
            "poddisruptionbudgets: get list watch create patch",
            "pods: get list watch patch",
            "rolebindings: get list watch create patch",
            "roles: get list watch create patch",
            "secrets: get list watch create",
            "serviceaccounts: get list watch create patch",
            "services: get list watch create patch",
            "statefulsets: get list watch create patch",
        ]
    );
}

#[test]
fn every_field_is_explained() {
    let crd = serde_json::to_value(<Botellier as kube::CustomResourceExt>::crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut silent = Vec::new();
    for part in ["spec", "status"] {
        collect_silent(&schema["properties"][part], part, &mut silent);
    }
    assert_eq!(silent, [""; 0]);
}

fn collect_silent(schema: &Value, path: &str, silent: &mut Vec<String>) {
    // These come from Kubernetes and from people's habits, and explain themselves.
    if path.ends_with(".resources") || path.ends_with("podTemplate.metadata") {
        return;
    }
    if schema["description"].as_str().is_none_or(str::is_empty) && !path.ends_with("[]") {
        silent.push(path.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect_silent(property, &format!("{path}.{name}"), silent);
    }
    if schema["items"].is_object() {
        collect_silent(&schema["items"], &format!("{path}[]"), silent);
    }
}

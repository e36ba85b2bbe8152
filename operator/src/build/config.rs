//! The configuration file of the server.

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::ConfigMap;

use super::{fingerprint, metadata};
use crate::crd::Durability;
use crate::crd::names::{
    CLIENT_PORT, Component, LEADER_PORT, METRICS_PORT, PASSWORD_KEY, REPLICATION_PORT, config_map as name,
};
use crate::validate::Prepared;

/// The file in the ConfigMap.
pub const FILE: &str = "botellier.conf";
/// Where the ConfigMap and the Secret are mounted.
pub const CONFIG_DIR: &str = "/etc/botellier";
pub const AUTH_DIR: &str = "/etc/botellier-auth";
pub const DATA_DIR: &str = "/data";

pub fn config_map(prepared: &Prepared) -> ConfigMap {
    ConfigMap {
        metadata: metadata(prepared, name(&prepared.name), Component::Store),
        data: Some([(FILE.to_owned(), render(prepared))].into()),
        ..ConfigMap::default()
    }
}

/// A change of it restarts the pods.
pub fn hash(config: &ConfigMap) -> String {
    let files: Vec<String> =
        config.data.iter().flatten().map(|(file, text)| format!("{file}\n{text}\n")).collect();
    fingerprint(&files.concat())
}

fn render(prepared: &Prepared) -> String {
    let durability = match prepared.durability {
        Durability::Required => "required",
        Durability::Preferred => "preferred",
    };
    let mut text = format!(
        "# Written by the operator from spec; changes made here are overwritten.\n\
         port {CLIENT_PORT}\n\
         leader-port {LEADER_PORT}\n\
         bind 0.0.0.0 ::\n\
         dir {DATA_DIR}\n\
         replication-port {REPLICATION_PORT}\n\
         metrics-port {METRICS_PORT}\n\
         durability {durability}\n\
         zookeeper {}\n\
         requirepass-file {AUTH_DIR}/{PASSWORD_KEY}\n\
         masterauth-file {AUTH_DIR}/{PASSWORD_KEY}\n",
        prepared.connect
    );
    if !prepared.config.is_empty() {
        text.push_str("# spec.config\n");
    }
    for (name, value) in &prepared.config {
        let _ = writeln!(text, "{name} {value}");
    }
    text
}

//! The Services.
//!
//! `<name>` has no selector: its endpoints are the EndpointSlice that the leader writes.
//! `<name>-replicas` selects pods by a label that the operator puts on attached followers, and
//! Kubernetes itself drops those that are not ready: so with the operator away dead followers still
//! leave it at once. What is then out of date is only that a promoted follower goes on getting
//! reads, which a leader answers as well.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata;
use crate::crd::names::{self, Component, Labels};
use crate::crd::{self};
use crate::validate::Prepared;

pub fn leader(prepared: &Prepared) -> Service {
    exposed(prepared, prepared.name.clone(), &prepared.services.leader, None)
}

pub fn replicas(prepared: &Prepared) -> Service {
    let mut selector = names::selector(&prepared.name, Component::Store);
    selector.insert(names::READS_LABEL.to_owned(), "true".to_owned());
    let name = names::replicas_service(&prepared.name);
    exposed(prepared, name, &prepared.services.replicas, Some(selector))
}

/// The pods by name. Unready ones too: a node that recovers must be reachable for its peers.
pub fn nodes(prepared: &Prepared) -> Service {
    headless(
        prepared,
        names::nodes_service(&prepared.name),
        Component::Store,
        &[
            ("redis", names::CLIENT_PORT),
            ("replication", names::REPLICATION_PORT),
            ("metrics", names::METRICS_PORT),
        ],
    )
}

pub fn zookeeper_nodes(prepared: &Prepared) -> Service {
    headless(
        prepared,
        names::zookeeper_nodes_service(&prepared.name),
        Component::ZooKeeper,
        &[
            ("client", names::ZOOKEEPER_PORT),
            ("quorum", names::ZOOKEEPER_QUORUM_PORT),
            ("election", names::ZOOKEEPER_ELECTION_PORT),
        ],
    )
}

/// The members that serve, for people and tools; the store names its members one by one.
pub fn zookeeper(prepared: &Prepared) -> Service {
    Service {
        metadata: metadata(prepared, names::zookeeper(&prepared.name), Component::ZooKeeper),
        spec: Some(ServiceSpec {
            selector: Some(names::selector(&prepared.name, Component::ZooKeeper)),
            ports: Some(vec![port("client", names::ZOOKEEPER_PORT)]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn exposed(prepared: &Prepared, name: String, asked: &crd::ServiceSpec, selector: Option<Labels>) -> Service {
    let mut metadata = metadata(prepared, name, Component::Store);
    metadata.annotations =
        Some(asked.annotations.clone()).filter(|annotations: &BTreeMap<_, _>| !annotations.is_empty());
    Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(asked.type_.as_str().to_owned()),
            selector,
            ports: Some(vec![port("redis", names::CLIENT_PORT)]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn headless(prepared: &Prepared, name: String, component: Component, ports: &[(&str, i32)]) -> Service {
    Service {
        metadata: metadata(prepared, name, component),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(names::selector(&prepared.name, component)),
            ports: Some(ports.iter().map(|(name, number)| port(name, *number)).collect()),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn port(name: &str, number: i32) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::Int(number)),
        ..ServicePort::default()
    }
}

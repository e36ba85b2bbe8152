//! The StatefulSet of the store: the server, and beside it the router that alone holds a token.

use k8s_openapi::DeepMerge;
use k8s_openapi::api::apps::v1::{
    RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{
    ConfigMapProjection, ConfigMapVolumeSource, Container, ContainerPort, DownwardAPIProjection,
    DownwardAPIVolumeFile, KeyToPath, ObjectFieldSelector, PodSpec, PodTemplateSpec, ProjectedVolumeSource,
    SecretVolumeSource, ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::config::{AUTH_DIR, CONFIG_DIR, DATA_DIR, FILE};
use super::{metadata, pod};
use crate::crd::names::{self, Component};
use crate::leader::record::View;
use crate::validate::Prepared;

const TOKEN_DIR: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

pub fn stateful_set(prepared: &Prepared, replicas: i32, config_hash: &str) -> StatefulSet {
    StatefulSet {
        metadata: metadata(prepared, prepared.name.clone(), Component::Store),
        spec: Some(StatefulSetSpec {
            replicas: Some(replicas),
            service_name: Some(names::nodes_service(&prepared.name)),
            pod_management_policy: Some("Parallel".to_owned()),
            selector: pod::selector(prepared, Component::Store),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateStatefulSetStrategy {
                    partition: Some(0),
                    ..RollingUpdateStatefulSetStrategy::default()
                }),
            }),
            persistent_volume_claim_retention_policy: Some(pod::retention(&prepared.retention)),
            template: template(prepared, config_hash),
            volume_claim_templates: Some(vec![pod::claim(
                &prepared.volume,
                names::labels(&prepared.name, Component::Store),
            )]),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

/// How many nodes the StatefulSet shall have now. Growing happens at once. Shrinking takes one node
/// at a time, and only while a node that stays holds everything: a parallel StatefulSet would
/// otherwise remove the leader and the synced replica together.
pub fn scale_step(prepared: &Prepared, current: Option<i32>, pods: i32, view: &View) -> i32 {
    let wanted = prepared.replicas;
    let Some(current) = current.filter(|current| *current > wanted) else {
        return wanted;
    };
    let ordinal =
        |id: &str| -> Option<i32> { id.strip_prefix(&prepared.name)?.strip_prefix('-')?.parse().ok() };
    let stays = |id: &str| ordinal(id).is_some_and(|ordinal| ordinal < current - 1);
    // The node that left last must be gone, and nothing may rest on it any more.
    let settled = |id: &str| ordinal(id).is_some_and(|ordinal| ordinal < current);
    let Some((config, leader)) = view.leader().filter(|_| view.connected && pods <= current) else {
        return current;
    };
    let safe = match (view.synced(), &config.synced) {
        (Some(synced), _) => {
            settled(&synced.id) && settled(&leader.id) && (stays(&leader.id) || stays(&synced.id))
        }
        // The leader is alone by its own decision; it may lose a mere replica.
        (None, None) => stays(&leader.id),
        (None, Some(_)) => false,
    };
    if safe { current - 1 } else { current }
}

fn template(prepared: &Prepared, config_hash: &str) -> PodTemplateSpec {
    let mut template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(names::labels(&prepared.name, Component::Store)),
            annotations: Some([(names::CONFIG_ANNOTATION.to_owned(), config_hash.to_owned())].into()),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(prepared.name.clone()),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(pod::pod_security(names::STORE_UID)),
            // SIGTERM makes a leader hand over first; a forced snapshot or a slow disk takes longer.
            termination_grace_period_seconds: Some(60),
            affinity: Some(pod::apart(prepared, Component::Store)),
            topology_spread_constraints: Some(pod::spread(prepared, Component::Store)),
            containers: vec![server(prepared), router(prepared)],
            volumes: Some(volumes(prepared)),
            ..PodSpec::default()
        }),
    };
    if let Some(user) = &prepared.pod_template {
        template.merge_from(user.clone());
    }
    template
}

fn server(prepared: &Prepared) -> Container {
    let command = [
        "botellier-server",
        &format!("{CONFIG_DIR}/{FILE}"),
        "--node-id",
        "$(POD_NAME)",
        "--announce-host",
        "$(POD_IP)",
    ];
    Container {
        name: "server".to_owned(),
        image: Some(prepared.server_image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(command.map(str::to_owned).to_vec()),
        env: Some(vec![
            pod::field_env("POD_NAME", "metadata.name"),
            pod::field_env("POD_IP", "status.podIP"),
        ]),
        ports: Some(vec![
            port("redis", names::CLIENT_PORT),
            port("leader", names::LEADER_PORT),
            port("replication", names::REPLICATION_PORT),
            port("metrics", names::METRICS_PORT),
        ]),
        // Recovery of a large log comes before anything else and may take its time: 30 minutes.
        startup_probe: Some(pod::every(2, 900, pod::http_probe("/livez", "metrics"))),
        liveness_probe: Some(pod::every(10, 6, pod::http_probe("/livez", "metrics"))),
        readiness_probe: Some(pod::every(2, 2, pod::http_probe("/readyz", "metrics"))),
        resources: Some(pod::resources(&[("cpu", "100m"), ("memory", "128Mi")], &[])),
        security_context: Some(pod::container_security()),
        volume_mounts: Some(vec![
            pod::mount("data", DATA_DIR, false),
            pod::mount("config", CONFIG_DIR, true),
            pod::mount("auth", AUTH_DIR, true),
            pod::mount("tmp", "/tmp", false),
        ]),
        ..Container::default()
    }
}

fn router(prepared: &Prepared) -> Container {
    let slice = names::leader_slice(&prepared.name);
    let command = ["botellier-operator", "route", "--zookeeper", &prepared.connect, "--slice", &slice];
    Container {
        name: "router".to_owned(),
        image: Some(prepared.defaults.operator_image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(command.map(str::to_owned).to_vec()),
        env: Some(vec![
            pod::field_env("POD_NAME", "metadata.name"),
            pod::field_env("POD_NAMESPACE", "metadata.namespace"),
            pod::field_env("POD_IP", "status.podIP"),
            pod::field_env("NODE_NAME", "spec.nodeName"),
        ]),
        ports: Some(vec![port("router", names::OPERATOR_PORT)]),
        liveness_probe: Some(pod::every(10, 6, pod::http_probe("/livez", "router"))),
        resources: Some(pod::resources(&[("cpu", "10m"), ("memory", "24Mi")], &[("memory", "96Mi")])),
        security_context: Some(pod::container_security()),
        volume_mounts: Some(vec![pod::mount("token", TOKEN_DIR, true)]),
        ..Container::default()
    }
}

fn port(name: &str, number: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn volumes(prepared: &Prepared) -> Vec<Volume> {
    vec![
        Volume {
            name: "config".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: names::config_map(&prepared.name),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        },
        Volume {
            name: "auth".to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(prepared.secret.clone()),
                default_mode: Some(0o440),
                items: Some(vec![KeyToPath {
                    key: names::PASSWORD_KEY.to_owned(),
                    path: names::PASSWORD_KEY.to_owned(),
                    ..KeyToPath::default()
                }]),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        },
        pod::empty_dir("tmp"),
        token(),
    ]
}

/// What a client library expects to find, mounted into the router alone.
fn token() -> Volume {
    Volume {
        name: "token".to_owned(),
        projected: Some(ProjectedVolumeSource {
            default_mode: Some(0o440),
            sources: Some(vec![
                VolumeProjection {
                    service_account_token: Some(ServiceAccountTokenProjection {
                        path: "token".to_owned(),
                        expiration_seconds: Some(3607),
                        ..ServiceAccountTokenProjection::default()
                    }),
                    ..VolumeProjection::default()
                },
                VolumeProjection {
                    config_map: Some(ConfigMapProjection {
                        name: "kube-root-ca.crt".to_owned(),
                        items: Some(vec![KeyToPath {
                            key: "ca.crt".to_owned(),
                            path: "ca.crt".to_owned(),
                            ..KeyToPath::default()
                        }]),
                        ..ConfigMapProjection::default()
                    }),
                    ..VolumeProjection::default()
                },
                VolumeProjection {
                    downward_api: Some(DownwardAPIProjection {
                        items: Some(vec![DownwardAPIVolumeFile {
                            path: "namespace".to_owned(),
                            field_ref: Some(ObjectFieldSelector {
                                field_path: "metadata.namespace".to_owned(),
                                api_version: Some("v1".to_owned()),
                            }),
                            ..DownwardAPIVolumeFile::default()
                        }]),
                    }),
                    ..VolumeProjection::default()
                },
            ]),
        }),
        ..Volume::default()
    }
}

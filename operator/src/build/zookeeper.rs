//! A managed ZooKeeper ensemble.
//!
//! The static and the dynamic configuration live on each member's volume, because ZooKeeper writes
//! both when an ensemble is reconfigured. An init container (`botellier-operator prepare`) puts them
//! there; the member itself is a plain `java`.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy};
use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapVolumeSource, Container, ContainerPort, PodSpec, PodTemplateSpec,
    ResourceRequirements, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{metadata, pod};
use crate::crd::names::{self, Component};
use crate::prepare::{DYNAMIC_FILE, STATIC_FILE};
use crate::validate::{Ensemble, Prepared};

const CONFIG_DIR: &str = "/etc/zookeeper";
const DATA_DIR: &str = "/data";
const JAVA_SECURITY: &str = "java.security";
const LOGBACK: &str = "logback.xml";

/// Serving by ZooKeeper's own word: `srvr` answers a `Mode:` only inside a quorum. The admin
/// server's HTTP would answer 200 to a member that serves nobody.
const READY: &str = "exec 3<>/dev/tcp/127.0.0.1/2181 && printf srvr >&3 && grep -q ^Mode: <&3";

pub fn config_map(prepared: &Prepared, ensemble: &Ensemble) -> ConfigMap {
    ConfigMap {
        metadata: metadata(prepared, names::zookeeper(&prepared.name), Component::ZooKeeper),
        data: Some(
            [
                (STATIC_FILE, static_configuration()),
                (DYNAMIC_FILE, dynamic_configuration(prepared, ensemble)),
                // A pod that comes back has another address; the default would remember the old one for 30 s.
                (
                    JAVA_SECURITY,
                    "networkaddress.cache.ttl=5\nnetworkaddress.cache.negative.ttl=1\n".to_owned(),
                ),
                (LOGBACK, logback()),
            ]
            .map(|(file, text)| (file.to_owned(), text))
            .into(),
        ),
        ..ConfigMap::default()
    }
}

pub fn stateful_set(prepared: &Prepared, ensemble: &Ensemble, config_hash: &str) -> StatefulSet {
    let labels = names::labels(&prepared.name, Component::ZooKeeper);
    StatefulSet {
        metadata: metadata(prepared, names::zookeeper(&prepared.name), Component::ZooKeeper),
        spec: Some(StatefulSetSpec {
            replicas: Some(ensemble.members),
            service_name: Some(names::zookeeper_nodes_service(&prepared.name)),
            // Members need each other to become ready, so they start together.
            pod_management_policy: Some("Parallel".to_owned()),
            selector: pod::selector(prepared, Component::ZooKeeper),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            persistent_volume_claim_retention_policy: Some(pod::retention(&prepared.retention)),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels.clone()),
                    annotations: Some([(names::CONFIG_ANNOTATION.to_owned(), config_hash.to_owned())].into()),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod_spec(prepared, ensemble)),
            },
            volume_claim_templates: Some(vec![pod::claim(&ensemble.volume, labels)]),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

fn pod_spec(prepared: &Prepared, ensemble: &Ensemble) -> PodSpec {
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(pod::pod_security(names::ZOOKEEPER_UID)),
        termination_grace_period_seconds: Some(30),
        affinity: Some(pod::apart(prepared, Component::ZooKeeper)),
        topology_spread_constraints: Some(pod::spread(prepared, Component::ZooKeeper)),
        init_containers: Some(vec![prepare(prepared)]),
        containers: vec![member(prepared, ensemble)],
        volumes: Some(vec![
            Volume {
                name: "config".to_owned(),
                config_map: Some(ConfigMapVolumeSource {
                    name: names::zookeeper(&prepared.name),
                    ..ConfigMapVolumeSource::default()
                }),
                ..Volume::default()
            },
            pod::empty_dir("tmp"),
        ]),
        ..PodSpec::default()
    }
}

fn prepare(prepared: &Prepared) -> Container {
    let command = ["botellier-operator", "prepare", "--from", CONFIG_DIR, "--to", DATA_DIR];
    Container {
        name: "prepare".to_owned(),
        image: Some(prepared.defaults.operator_image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(command.map(str::to_owned).to_vec()),
        env: Some(vec![pod::field_env("POD_NAME", "metadata.name")]),
        resources: Some(pod::resources(&[("cpu", "10m"), ("memory", "24Mi")], &[("memory", "96Mi")])),
        security_context: Some(pod::container_security()),
        volume_mounts: Some(vec![
            pod::mount("data", DATA_DIR, false),
            pod::mount("config", CONFIG_DIR, true),
        ]),
        ..Container::default()
    }
}

fn member(prepared: &Prepared, ensemble: &Ensemble) -> Container {
    let resources = ensemble
        .resources
        .clone()
        .unwrap_or_else(|| pod::resources(&[("cpu", "100m"), ("memory", "256Mi")], &[("memory", "512Mi")]));
    let command = [
        "/usr/bin/java".to_owned(),
        format!("-Xmx{}m", heap_mib(&resources)),
        "-XX:+UseSerialGC".to_owned(),
        "-XX:+ExitOnOutOfMemoryError".to_owned(),
        "-XX:-UsePerfData".to_owned(),
        format!("-Djava.security.properties={CONFIG_DIR}/{JAVA_SECURITY}"),
        format!("-Dlogback.configurationFile={CONFIG_DIR}/{LOGBACK}"),
        "-cp".to_owned(),
        "/opt/zookeeper/lib/*".to_owned(),
        "org.apache.zookeeper.server.quorum.QuorumPeerMain".to_owned(),
        format!("{DATA_DIR}/conf/{STATIC_FILE}"),
    ];
    let port = |name: &str, number: i32| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    Container {
        name: "zookeeper".to_owned(),
        image: Some(prepared.defaults.zookeeper_image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(command.to_vec()),
        ports: Some(vec![
            port("client", names::ZOOKEEPER_PORT),
            port("quorum", names::ZOOKEEPER_QUORUM_PORT),
            port("election", names::ZOOKEEPER_ELECTION_PORT),
        ]),
        startup_probe: Some(pod::every(2, 60, pod::tcp_probe("client"))),
        // By port only: killing members because they have no quorum would prolong the outage.
        liveness_probe: Some(pod::every(10, 6, pod::tcp_probe("client"))),
        readiness_probe: Some(pod::every(5, 2, pod::exec_probe(&["/bin/bash", "-c", READY]))),
        resources: Some(resources),
        security_context: Some(pod::container_security()),
        volume_mounts: Some(vec![
            pod::mount("data", DATA_DIR, false),
            pod::mount("config", CONFIG_DIR, true),
            pod::mount("tmp", "/tmp", false),
        ]),
        ..Container::default()
    }
}

fn static_configuration() -> String {
    [
        // Sessions of 1 to 10 s.
        "tickTime=500",
        "initLimit=40",
        // A leader that is cut off is given up after four ticks: a failover of the store may have to wait for that.
        "syncLimit=4",
        "cnxTimeout=1000",
        "dataDir=/data/zookeeper",
        "standaloneEnabled=false",
        "reconfigEnabled=true",
        // A member's name resolves to an address that it may not have bound yet.
        "quorumListenOnAllIPs=true",
        // Zero is for ever: a member must not give up because its name is not in DNS yet.
        "electionPortBindRetry=0",
        "autopurge.snapRetainCount=3",
        "autopurge.purgeInterval=1",
        "4lw.commands.whitelist=srvr,ruok,mntr",
        "admin.enableServer=false",
        "",
    ]
    .join("\n")
}

/// The members that an ensemble is born with. On a volume that has a configuration this is not used.
fn dynamic_configuration(prepared: &Prepared, ensemble: &Ensemble) -> String {
    let set = names::zookeeper(&prepared.name);
    let service = names::zookeeper_nodes_service(&prepared.name);
    let members: Vec<String> = (0..ensemble.members)
        .map(|ordinal| {
            let host = prepared.pod_host(&service, &format!("{set}-{ordinal}"));
            format!(
                "server.{}={host}:{}:{}:participant;{}\n",
                ordinal + 1,
                names::ZOOKEEPER_QUORUM_PORT,
                names::ZOOKEEPER_ELECTION_PORT,
                names::ZOOKEEPER_PORT
            )
        })
        .collect();
    members.concat()
}

fn logback() -> String {
    [
        "<configuration>",
        "  <appender name=\"CONSOLE\" class=\"ch.qos.logback.core.ConsoleAppender\">",
        "    <encoder><pattern>%d{ISO8601} %-5p [%t:%C{1}@%L] - %m%n</pattern></encoder>",
        "  </appender>",
        "  <root level=\"INFO\"><appender-ref ref=\"CONSOLE\"/></root>",
        "</configuration>",
        "",
    ]
    .join("\n")
}

/// 0.65 of the memory limit; the rest is for threads, buffers and the JVM itself.
fn heap_mib(resources: &ResourceRequirements) -> u64 {
    const DEFAULT_BYTES: f64 = 512.0 * 1024.0 * 1024.0;
    let limit = resources.limits.as_ref().and_then(|limits| limits.get("memory"));
    let bytes = limit.and_then(|limit| bytes(&limit.0)).unwrap_or(DEFAULT_BYTES);
    (bytes * 0.65 / (1024.0 * 1024.0)).max(32.0) as u64
}

/// A quantity of memory in bytes.
fn bytes(quantity: &str) -> Option<f64> {
    let digits = quantity.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at(digits);
    let factor = match suffix {
        "" => 1.0,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heap_is_a_part_of_the_limit() {
        let heap = |limit: &str| heap_mib(&pod::resources(&[], &[("memory", limit)]));
        assert_eq!(heap("1Gi"), 665);
        assert_eq!(heap("512Mi"), 332);
        assert_eq!(heap("1G"), 619);
        assert_eq!(heap_mib(&ResourceRequirements::default()), 332);
    }
}

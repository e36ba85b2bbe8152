//! The `Botellier` resource: what a user may ask for, and the rules that the API server itself checks.
//!
//! Every field here does something; one that would be accepted and ignored is absent until it works.
//! Rules are CEL in the schema, so that a bad resource is refused by `kubectl apply` and not by a status.

pub mod names;
pub mod status;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use status::BotellierStatus;

/// A Redis-protocol store of one leader, one synced replica and any number of further replicas.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "botellier.io",
    version = "v1alpha1",
    kind = "Botellier",
    plural = "botelliers",
    singular = "botellier",
    shortname = "bot",
    namespaced,
    status = "BotellierStatus",
    category = "all",
    derive = "PartialEq",
    doc = "A Redis-protocol store that replicates every write synchronously and elects its leader through ZooKeeper.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Leader", type_ = "string", json_path = ".status.leader.pod"),
    printcolumn(name = "Synced", type_ = "string", json_path = ".status.synced"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.ready"),
    printcolumn(name = "Epoch", type_ = "integer", json_path = ".status.leader.epoch"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Available",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type=='Available')].status"
    ),
    validation = Rule::new("self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name becomes the name of Services and pods: at most 40 lower-case letters, digits and '-', starting with a letter")
)]
#[x_kube(
    validation = Rule::new("self.replicas >= 2 || self.replication.durability == 'Preferred'")
        .message("durability Required needs replicas: 2 or more, because each write is held by two nodes")
)]
#[serde(rename_all = "camelCase")]
pub struct BotellierSpec {
    /// Number of store nodes, the leader included. At least 2 for durability `Required`; 3 keep
    /// serving when one is lost. Lowering it removes one node at a time.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1, max = 15))]
    pub replicas: i32,

    /// Image of the server. The operator's own default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// Directives of redis.conf by name; the value is what stands after the name in the file, so
    /// `save: "3600 1 300 100"`. Quote `"yes"` and `"no"`, which YAML takes for booleans. A change
    /// restarts the nodes one after the other. Ports, addresses, passwords and ZooKeeper are the
    /// operator's and are refused here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "config_schema")]
    #[x_kube(
        validation = Rule::new("self.all(k, k.matches('^[a-z][a-z0-9-]*$'))")
            .message("names of directives are lower-case letters, digits and '-'"),
        validation = Rule::new(
            "self.all(k, !(k in ['port', 'bind', 'dir', 'requirepass', 'requirepass-file', 'masterauth', 'masterauth-file', \
             'zookeeper', 'node-id', 'announce-host', 'replication-port', 'leader-port', 'metrics-port', 'durability', 'zone', \
             'include', 'daemonize', 'pidfile', 'unixsocket', 'user', 'aclfile']))"
        )
        .message("this directive is set by the operator; use the field of the spec that it belongs to")
    )]
    pub config: BTreeMap<String, IntOrString>,

    /// How writes are acknowledged.
    #[serde(default)]
    pub replication: ReplicationSpec,

    /// The password of clients and of the nodes among each other.
    #[serde(default)]
    pub auth: AuthSpec,

    /// The volume of each node.
    #[serde(default)]
    pub storage: StorageSpec,

    /// The ZooKeeper that elects the leader: one that the operator runs, or one that exists.
    #[serde(default)]
    pub zookeeper: ZooKeeperSpec,

    /// How the Services are exposed.
    #[serde(default)]
    pub services: ServicesSpec,

    /// Merged into the pods of the store by Kubernetes' own merge keys: containers, volumes and
    /// environment by name, mounts by path, maps by key, other lists replaced or joined as in a
    /// strategic merge patch. The container of the server is called `server`, the one that routes
    /// clients to the leader `router`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,

    /// While true the operator changes none of the objects it owns; it still reports status and
    /// keeps the leader Service on the leader.
    #[serde(default)]
    pub paused: bool,
}

/// How writes are acknowledged.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ReplicationSpec {
    /// `Required`: no write is acknowledged before a second node has it; without one, writes are
    /// refused. `Preferred`: the leader may go on alone, after it has recorded in ZooKeeper that
    /// nobody else may lead.
    #[serde(default)]
    pub durability: Durability,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    #[default]
    Required,
    Preferred,
}

/// The password of clients and nodes.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AuthSpec {
    /// A Secret in the same namespace with the key `password`: one password a line, every line is
    /// accepted, the first is used by the nodes themselves. Nodes read it when they start. When
    /// absent, the operator makes `<name>-auth` with a random password and never changes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
}

/// A Secret in the namespace of the resource.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// The volume of each store node.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0")
        .message("storage never shrinks"),
    validation = Rule::new("quantity(self.size).compareTo(quantity(oldSelf.size)) <= 0")
        .message("storage cannot be enlarged yet"),
    validation = Rule::new(
        "has(self.storageClassName) == has(oldSelf.storageClassName) && \
         (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)"
    )
    .message("the storage class of existing volumes cannot change")
)]
#[serde(rename_all = "camelCase")]
pub struct StorageSpec {
    /// Size of the volume: log and snapshots, so several times the data.
    #[serde(default = "default_size")]
    #[schemars(length(max = 20), regex(pattern = r"^[0-9]+(\.[0-9]+)?([kMGTPE]|[KMGTPE]i)?$"))]
    pub size: String,

    /// StorageClass of the volume; the cluster's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,

    /// What happens to volumes that are no longer used.
    #[serde(default)]
    pub retention: Retention,
}

impl Default for StorageSpec {
    fn default() -> Self {
        Self { size: default_size(), storage_class_name: None, retention: Retention::default() }
    }
}

/// What happens to volumes that are no longer used.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// When the resource is deleted. It holds for the volumes of a managed ZooKeeper too, because
    /// the data and the record of who may lead belong together.
    #[serde(default)]
    pub when_deleted: RetentionPolicy,

    /// When `replicas` is lowered.
    #[serde(default)]
    pub when_scaled: RetentionPolicy,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetentionPolicy {
    #[default]
    Retain,
    Delete,
}

/// Exactly one of a managed and an external ensemble.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("has(self.managed) != has(self.external)")
        .message("give exactly one of managed and external"),
    validation = Rule::new("has(self.managed) == has(oldSelf.managed)")
        .message("a managed ZooKeeper cannot become an external one, nor the other way round")
)]
#[serde(rename_all = "camelCase")]
pub struct ZooKeeperSpec {
    /// An ensemble that the operator runs for this resource alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedZooKeeper>,

    /// An ensemble that exists already and may serve others too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalZooKeeper>,
}

impl Default for ZooKeeperSpec {
    fn default() -> Self {
        Self { managed: Some(ManagedZooKeeper::default()), external: None }
    }
}

/// An ensemble that the operator runs.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ManagedZooKeeper {
    /// Number of members: odd, because an even one survives no more losses than the odd one below.
    #[serde(default = "default_members")]
    #[schemars(range(min = 1, max = 7))]
    #[x_kube(
        validation = Rule::new("self % 2 == 1").message("an ensemble has an odd number of members"),
        validation = Rule::new("self == oldSelf").message("the size of an ensemble cannot change yet")
    )]
    pub replicas: i32,

    /// The volume of each member.
    #[serde(default)]
    pub storage: ZooKeeperStorage,

    /// Requests and limits of each member. The Java heap is 0.65 of the memory limit. 256Mi are
    /// requested and 512Mi are the limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
}

impl Default for ManagedZooKeeper {
    fn default() -> Self {
        Self { replicas: default_members(), storage: ZooKeeperStorage::default(), resources: None }
    }
}

/// The volume of each ZooKeeper member; what becomes of it is said by `spec.storage.retention`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("quantity(self.size).compareTo(quantity(oldSelf.size)) == 0")
        .message("the size of a ZooKeeper volume cannot change"),
    validation = Rule::new(
        "has(self.storageClassName) == has(oldSelf.storageClassName) && \
         (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)"
    )
    .message("the storage class of existing volumes cannot change")
)]
#[serde(rename_all = "camelCase")]
pub struct ZooKeeperStorage {
    /// Size of the volume.
    #[serde(default = "default_size")]
    #[schemars(length(max = 20), regex(pattern = r"^[0-9]+(\.[0-9]+)?([kMGTPE]|[KMGTPE]i)?$"))]
    pub size: String,

    /// StorageClass of the volume; the cluster's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
}

impl Default for ZooKeeperStorage {
    fn default() -> Self {
        Self { size: default_size(), storage_class_name: None }
    }
}

/// An ensemble that exists already.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new(
        "has(self.chroot) == has(oldSelf.chroot) && (!has(self.chroot) || self.chroot == oldSelf.chroot)"
    )
    .message("the chroot cannot change: it holds the record of who may lead")
)]
#[serde(rename_all = "camelCase")]
pub struct ExternalZooKeeper {
    /// `host:port[,host:port...]` of the members, without a chroot.
    #[schemars(
        length(min = 1, max = 2048),
        regex(pattern = r"^[A-Za-z0-9.-]+:[0-9]+(,[A-Za-z0-9.-]+:[0-9]+)*$")
    )]
    pub connect_string: String,

    /// Path below which this store keeps its znodes, made when missing. `/botellier-<namespace>-<name>`
    /// when absent. It is left behind when the resource is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^(/[A-Za-z0-9._-]+)+$"))]
    pub chroot: Option<String>,
}

/// How the Services are exposed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ServicesSpec {
    /// `<name>`: always the leader.
    #[serde(default)]
    pub leader: ServiceSpec,

    /// `<name>-replicas`: followers that are attached to the leader, for reads.
    #[serde(default)]
    pub replicas: ServiceSpec,
}

/// One Service.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSpec {
    /// As in a Service of Kubernetes.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,

    /// Annotations of the Service, such as those that a cloud's load balancer reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceType {
    #[default]
    ClusterIP,
    NodePort,
    LoadBalancer,
}

impl ServiceType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIP => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

/// What a user adds to the pods of the store.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplate {
    /// Labels and annotations to add.
    #[serde(default)]
    pub metadata: PodTemplateMetadata,

    /// A PodSpec as Kubernetes has it. An unknown field in it is refused, in the condition `Degraded`.
    #[serde(default)]
    #[schemars(schema_with = "any_object")]
    pub spec: serde_json::Map<String, serde_json::Value>,
}

/// Labels and annotations to add to the pods.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
pub struct PodTemplateMetadata {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

fn default_replicas() -> i32 {
    3
}

fn default_members() -> i32 {
    3
}

fn default_size() -> String {
    "1Gi".to_owned()
}

fn config_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 256,
        "additionalProperties": {"x-kubernetes-int-or-string": true},
    })
}

fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

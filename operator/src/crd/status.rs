//! The status of a Botellier: what ZooKeeper, the pods and the EndpointSlice said when last looked at.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator last saw.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BotellierStatus {
    /// The generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Store pods that exist; read by the scale subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// Selector of the store pods; read by the scale subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,

    /// Ready store pods of those wanted, such as `2/3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,

    /// The node that ZooKeeper names leader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<LeaderStatus>,

    /// The node that holds every acknowledged write and may take over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synced: Option<String>,

    /// The store's nodes, those registered in ZooKeeper and those that only have a pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeStatus>,

    /// The ensemble that elects the leader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zookeeper: Option<ZooKeeperStatus>,

    /// The last change of leader that the operator saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failover: Option<FailoverStatus>,

    /// Available, Progressing, Degraded, LeaderElected, SyncedReplica, ZooKeeperQuorum, RoutingInSync.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
}

impl BotellierStatus {
    pub fn is_progressing(&self) -> bool {
        self.conditions.iter().any(|condition| condition.type_ == "Progressing" && condition.status == "True")
    }
}

/// The leader.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LeaderStatus {
    /// Its pod.
    pub pod: String,
    /// The epoch in which it leads; it rises with each change of leader.
    pub epoch: i64,
    /// When ZooKeeper's record was last written at the time the operator first saw this epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// One node of the store.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// Name of the pod, which is the node's id in ZooKeeper too.
    pub name: String,
    /// `leader`, `synced`, `replica`, or `absent` when it is not registered in ZooKeeper.
    pub role: String,
    /// Whether the pod is ready.
    pub ready: bool,
    /// End of its log in bytes, as it last announced it; refreshed every 30 s while it moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Bytes behind the leader by the same announcements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<i64>,
    /// The zone that it announces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// The ensemble.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ZooKeeperStatus {
    /// Whether the operator holds a session, which only a quorum can give.
    pub connected: bool,
    /// Members of a managed ensemble.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberStatus>,
    /// Version of ZooKeeper's own dynamic configuration, in hexadecimal as ZooKeeper prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_version: Option<String>,
}

/// One member of a managed ensemble.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Name of the pod.
    pub name: String,
    /// Whether it serves clients, which it does only inside a quorum.
    pub ready: bool,
}

/// A change of leader.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FailoverStatus {
    /// The node that led before.
    pub from: String,
    /// The node that leads since.
    pub to: String,
    /// The epoch that began with it.
    pub epoch: i64,
    /// When, with the meaning of `leader.since`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
}

/// A list by type, so that other writers can own their own conditions.
fn conditions_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let mut schema = generator.subschema_for::<Vec<Condition>>();
    schema.insert("x-kubernetes-list-type".to_owned(), "map".into());
    schema.insert("x-kubernetes-list-map-keys".to_owned(), serde_json::json!(["type"]));
    schema
}

//! Names, ports and labels of everything that belongs to one Botellier, in one place.
//!
//! Users script against these, so changing one is a breaking change.

use std::collections::BTreeMap;

/// Field manager, reporting controller and value of `app.kubernetes.io/managed-by`.
pub const MANAGER: &str = "botellier-operator";

pub const CLIENT_PORT: i32 = 6379;
/// Where a node serves clients only while it leads.
pub const LEADER_PORT: i32 = 6378;
pub const REPLICATION_PORT: i32 = 16379;
pub const METRICS_PORT: i32 = 9121;
/// Metrics and health of the operator itself and of the router in each store pod.
pub const OPERATOR_PORT: i32 = 9122;
pub const ZOOKEEPER_PORT: i32 = 2181;
pub const ZOOKEEPER_QUORUM_PORT: i32 = 2888;
pub const ZOOKEEPER_ELECTION_PORT: i32 = 3888;

/// User and group of server and operator.
pub const STORE_UID: i64 = 6679;
/// User and group of ZooKeeper.
pub const ZOOKEEPER_UID: i64 = 2181;

/// Where a managed ensemble keeps the store's znodes.
pub const MANAGED_CHROOT: &str = "/botellier";
/// Key of the password in the Secret; the file mounted from it carries the same name.
pub const PASSWORD_KEY: &str = "password";

/// On the leader's EndpointSlice: the epoch that wrote it. It only ever rises within one cluster id.
pub const EPOCH_ANNOTATION: &str = "botellier.io/epoch";
/// On the leader's EndpointSlice: the cluster that the epoch counts for.
pub const CLUSTER_ANNOTATION: &str = "botellier.io/cluster";
/// On every child: a hash of what was last applied, so that nothing is sent twice.
pub const APPLIED_ANNOTATION: &str = "botellier.io/applied";
/// On the pod template: a hash of the configuration, so that a change rolls the pods.
pub const CONFIG_ANNOTATION: &str = "botellier.io/config";

/// On store pods, for people: `leader`, `synced` or `replica`.
pub const ROLE_LABEL: &str = "botellier.io/role";
/// On store pods: `true` while `<name>-replicas` may send reads there.
pub const READS_LABEL: &str = "botellier.io/reads";

const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";
const COMPONENT: &str = "app.kubernetes.io/component";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

pub type Labels = BTreeMap<String, String>;

/// Which of the two kinds of pods an object is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    Store,
    ZooKeeper,
}

impl Component {
    fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::ZooKeeper => "zookeeper",
        }
    }
}

/// The labels that select pods; a StatefulSet's selector can never change.
pub fn selector(instance: &str, component: Component) -> Labels {
    [(NAME, "botellier"), (INSTANCE, instance), (COMPONENT, component.as_str())]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The labels of a child.
pub fn labels(instance: &str, component: Component) -> Labels {
    let mut labels = selector(instance, component);
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    labels
}

/// `a=b,c=d`, as the API takes a selector.
pub fn selector_string(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// Selects every child of every Botellier.
pub fn children_of_all() -> String {
    format!("{MANAGED_BY}={MANAGER}")
}

/// Selects every child of one Botellier.
pub fn children_of(instance: &str) -> String {
    format!("{MANAGED_BY}={MANAGER},{INSTANCE}={instance}")
}

/// The Botellier that a labelled object belongs to.
pub fn instance_of(labels: &Labels) -> Option<&str> {
    labels.get(INSTANCE).map(String::as_str)
}

/// Whether a pod is of the given component.
pub fn is_component(labels: &Labels, component: Component) -> bool {
    labels.get(COMPONENT).is_some_and(|value| value == component.as_str())
}

pub fn nodes_service(name: &str) -> String {
    format!("{name}-nodes")
}

pub fn replicas_service(name: &str) -> String {
    format!("{name}-replicas")
}

pub fn leader_slice(name: &str) -> String {
    format!("{name}-leader")
}

pub fn config_map(name: &str) -> String {
    format!("{name}-config")
}

pub fn auth_secret(name: &str) -> String {
    format!("{name}-auth")
}

pub fn zookeeper(name: &str) -> String {
    format!("{name}-zookeeper")
}

pub fn zookeeper_nodes_service(name: &str) -> String {
    format!("{name}-zookeeper-nodes")
}

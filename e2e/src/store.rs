//! The `Botellier` under test as Kubernetes shows it, and the ways to break it.
//!
//! Who leads is read from the EndpointSlice that clients are routed by, not from the resource's status: it must be
//! right with the operator away too.

use crate::kubectl::{Kubectl, wait_for};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// The sample's name.
pub const NAME: &str = "cache";
pub const TOOLS_NAMESPACE: &str = "botellier-tools";
pub const OPERATOR_NAMESPACE: &str = "botellier-system";
pub const OPERATOR_LABEL: &str = "app.kubernetes.io/name=botellier-operator";
const STORE_LABEL: &str = "app.kubernetes.io/component=store";
/// Pulling up six pods, or seeing a node come back, may take this long on a busy machine.
const HEALTHY_TIME_MAX: Duration = Duration::from_mins(4);
const FAILOVER_TIME_MAX: Duration = Duration::from_secs(90);
/// What must hold of a store that is well.
const CONDITIONS: [&str; 4] = ["Available", "SyncedReplica", "RoutingInSync", "ZooKeeperQuorum"];

pub struct Store {
    pub kubectl: Kubectl,
    tools: Kubectl,
    operator: Kubectl,
    /// The cluster's script, for `cut` and `plug`.
    cluster: String,
    /// The manifest's text.
    sample: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    pub pod: String,
    pub node: String,
    pub epoch: u64,
}

impl Store {
    pub fn new(namespace: &str, cluster: String, sample: String) -> Self {
        Self {
            kubectl: Kubectl::new(namespace),
            tools: Kubectl::new(TOOLS_NAMESPACE),
            operator: Kubectl::new(OPERATOR_NAMESPACE),
            cluster,
            sample,
        }
    }

    /// Makes the namespace, which admits restricted pods only, and applies the sample in it.
    pub fn create(&self) -> Result<(), String> {
        let namespace = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {}\n  labels: {{pod-security.kubernetes.io/enforce: restricted}}\n",
            self.kubectl.namespace()
        );
        self.kubectl.feed(&["apply", "-f", "-"], &namespace)?;
        self.kubectl.feed(&["apply", "-f", "-"], &self.sample)?;
        Ok(())
    }

    /// Removes the namespace with all that is in it: the next scenario starts from nothing.
    pub fn wipe(&self) -> Result<(), String> {
        self.kubectl.run(&[
            "delete",
            "namespace",
            self.kubectl.namespace(),
            "--ignore-not-found",
            "--timeout=180s",
        ])?;
        Ok(())
    }

    pub fn resource(&self) -> Result<Value, String> {
        self.kubectl.get(&["botellier", NAME])
    }

    /// Waits until all conditions hold, every pod is ready, and the routed leader is the one that status names.
    pub fn wait_healthy(&self) -> Result<Leader, String> {
        wait_for("a healthy store", HEALTHY_TIME_MAX, || {
            let resource = self.resource()?;
            let (wanted, observed) =
                (&resource["metadata"]["generation"], &resource["status"]["observedGeneration"]);
            if wanted != observed {
                return Err(format!("generation {wanted} was not seen yet, only {observed}"));
            }
            for condition in CONDITIONS {
                holds(&resource, condition)?;
            }
            self.pods_ready(&resource)?;
            let leader = self.leader()?;
            match resource["status"]["leader"]["pod"].as_str() {
                Some(pod) if pod == leader.pod => Ok(leader),
                other => {
                    Err(format!("status names {other:?} as the leader, the Service leads to {}", leader.pod))
                }
            }
        })
    }

    fn pods_ready(&self, resource: &Value) -> Result<(), String> {
        let pods = self.kubectl.list(&["pods"])?;
        for pod in &pods {
            let name = text(&pod["metadata"]["name"]);
            if !pod["metadata"]["deletionTimestamp"].is_null() {
                return Err(format!("pod {name} is going away"));
            }
            holds(pod, "Ready").map_err(|why| format!("pod {name}: {why}"))?;
        }
        let count = |value: &Value| value.as_u64().unwrap_or(3) as usize;
        let spec = &resource["spec"];
        let wanted = count(&spec["replicas"]) + count(&spec["zookeeper"]["managed"]["replicas"]);
        if pods.len() == wanted { Ok(()) } else { Err(format!("{} pods, not {wanted}", pods.len())) }
    }

    /// The one pod that the Service leads to.
    pub fn leader(&self) -> Result<Leader, String> {
        let slices =
            self.kubectl.list(&["endpointslices", "-l", &format!("kubernetes.io/service-name={NAME}")])?;
        let [slice] = slices.as_slice() else {
            return Err(format!("{} slices for the Service", slices.len()));
        };
        let endpoints = slice["endpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
        let [endpoint] = endpoints else {
            return Err(format!("{} endpoints of the Service", endpoints.len()));
        };
        let address = text(&endpoint["addresses"][0]);
        let epoch = text(&slice["metadata"]["annotations"]["botellier.io/epoch"]);
        let epoch = epoch.parse().map_err(|_| format!("the slice's epoch is {epoch:?}"))?;
        let pods = self.kubectl.list(&["pods"])?;
        let pod = pods
            .iter()
            .find(|pod| text(&pod["status"]["podIP"]) == address)
            .ok_or_else(|| format!("the Service leads to {address}, where there is no pod"))?;
        Ok(Leader {
            pod: text(&pod["metadata"]["name"]).to_owned(),
            node: text(&pod["spec"]["nodeName"]).to_owned(),
            epoch,
        })
    }

    pub fn wait_leader_after(&self, epoch: u64) -> Result<Leader, String> {
        wait_for("a new leader", FAILOVER_TIME_MAX, || {
            let leader = self.leader()?;
            if leader.epoch > epoch { Ok(leader) } else { Err(format!("epoch is still {}", leader.epoch)) }
        })
    }

    pub fn password(&self) -> Result<String, String> {
        let secret = format!("{NAME}-auth");
        self.kubectl.run(&["get", "secret", &secret, "-o", "go-template={{.data.password | base64decode}}"])
    }

    /// SIGKILLs the processes of one container, from the node's own process namespace: inside the container's,
    /// its first process cannot be killed.
    pub fn kill_container(&self, pod: &str, container: &str) -> Result<(), String> {
        let object = self.kubectl.get(&["pod", pod])?;
        let statuses = object["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        let id = statuses
            .iter()
            .find(|status| status["name"] == container)
            .and_then(|status| status["containerID"].as_str()?.split_once("://"))
            .map(|(_, id)| id.to_owned())
            .ok_or_else(|| format!("pod {pod} has no container {container} running"))?;
        let script = format!(
            "found=; for file in $(grep -l {id} /proc/[0-9]*/cgroup 2>/dev/null); do \
             process=${{file#/proc/}}; kill -KILL ${{process%/cgroup}} && found=yes; done; [ \"$found\" ]"
        );
        let node = text(&object["spec"]["nodeName"]);
        self.tools.run(&["exec", &self.tools_pod(|name| name == node)?, "--", "sh", "-c", &script])?;
        Ok(())
    }

    /// A tools pod on a node that suits.
    fn tools_pod(&self, suits: impl Fn(&str) -> bool) -> Result<String, String> {
        let pods = self.tools.list(&["pods", "-l", "app=tools"])?;
        let pod = pods.iter().find(|pod| suits(text(&pod["spec"]["nodeName"])));
        pod.map(|pod| text(&pod["metadata"]["name"]).to_owned())
            .ok_or_else(|| "no tools pod there".to_owned())
    }

    /// A command in a tools pod on a node that suits, with the store's password in its environment.
    pub fn in_cluster(&self, suits: impl Fn(&str) -> bool, command: &[&str]) -> Result<Command, String> {
        let pod = self.tools_pod(suits)?;
        let password = format!("REDISCLI_AUTH={}", self.password()?);
        let prefix = ["exec", "-i", &pod, "--", "env", &password];
        Ok(self.tools.command(&[&prefix, command].concat()))
    }

    /// The Service's name within the cluster.
    pub fn host(&self) -> String {
        format!("{NAME}.{}.svc", self.kubectl.namespace())
    }

    /// The answer to a command that goes through the Service; an error if it is one.
    pub fn redis_cli(&self, command: &[&str]) -> Result<String, String> {
        self.redis_cli_at(|_| true, command)
    }

    /// The same, said on a node that suits.
    pub fn redis_cli_at(&self, suits: impl Fn(&str) -> bool, command: &[&str]) -> Result<String, String> {
        let host = self.host();
        let mut process = self.in_cluster(suits, &[&["redis-cli", "-e", "-h", &host], command].concat())?;
        let output = process.output().map_err(|error| error.to_string())?;
        let [answer, complaint] =
            [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).trim().to_owned());
        if output.status.success() { Ok(answer) } else { Err(format!("{answer}{complaint}")) }
    }

    /// That no server of the store has panicked, as far as its pods' logs tell.
    pub fn no_panics(&self) -> Result<(), String> {
        for pod in self.kubectl.list(&["pods", "-l", STORE_LABEL])? {
            let pod = text(&pod["metadata"]["name"]);
            for life in [&[][..], &["--previous"]] {
                // There may be no previous one, and no current one yet.
                let log =
                    self.kubectl.run(&[&["logs", pod, "-c", "server"], life].concat()).unwrap_or_default();
                if let Some(panic) = log.lines().find(|line| line.contains("panicked at")) {
                    return Err(format!("{pod}: {panic}"));
                }
            }
        }
        Ok(())
    }

    /// Scales the operator and waits until it is so.
    pub fn scale_operator(&self, replicas: u32) -> Result<(), String> {
        self.operator.run(&[
            "scale",
            "deployment",
            "botellier-operator",
            &format!("--replicas={replicas}"),
        ])?;
        wait_for("the operator's pods", HEALTHY_TIME_MAX, || {
            let pods = self.operator.list(&["pods", "-l", OPERATOR_LABEL])?;
            let ready = pods.iter().filter(|pod| holds(pod, "Ready").is_ok()).count();
            let done = pods.len() == replicas as usize && ready == pods.len();
            if done { Ok(()) } else { Err(format!("{ready} of {} ready, want {replicas}", pods.len())) }
        })
    }

    pub fn cut(&self, node: &str) -> Result<(), String> {
        self.cluster_script("cut", node)
    }

    pub fn plug(&self, node: &str) -> Result<(), String> {
        self.cluster_script("plug", node)
    }

    fn cluster_script(&self, verb: &str, node: &str) -> Result<(), String> {
        let status =
            Command::new(&self.cluster).args([verb, node]).status().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("{} {verb} {node} failed", self.cluster)) }
    }

    /// Names of everything in the namespace but what Kubernetes puts into each.
    pub fn objects(&self) -> Result<Vec<String>, String> {
        const KINDS: &str = "botelliers,pods,statefulsets,deployments,services,endpointslices,configmaps,secrets,\
             serviceaccounts,roles,rolebindings,poddisruptionbudgets,networkpolicies,persistentvolumeclaims";
        let names = self.kubectl.run(&["get", KINDS, "-o", "name"])?;
        let own = |name: &&str| !["configmap/kube-root-ca.crt", "serviceaccount/default"].contains(name);
        Ok(names.lines().filter(own).map(str::to_owned).collect())
    }
}

/// That a condition of the object is True.
fn holds(object: &Value, condition: &str) -> Result<(), String> {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    match conditions.iter().find(|candidate| candidate["type"] == condition) {
        Some(found) if found["status"] == "True" => Ok(()),
        Some(found) => Err(format!("{condition} is {}: {}", text(&found["status"]), text(&found["message"]))),
        None => Err(format!("{condition} is not there yet")),
    }
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

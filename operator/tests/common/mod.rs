//! Samples as resources, views as ZooKeeper would give them, and a scripted API server.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use botellier_operator::crd::Botellier;
use botellier_operator::leader::record::{Config, Node, View};
use botellier_operator::validate::{Defaults, Prepared, validate};
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::Value;

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn defaults() -> Defaults {
    Defaults {
        server_image: "botellier/server:0.1.0".to_owned(),
        operator_image: "botellier/operator:0.1.0".to_owned(),
        zookeeper_image: "botellier/zookeeper:0.1.0".to_owned(),
        cluster_domain: "cluster.local".to_owned(),
    }
}

pub fn sample_yaml(name: &str) -> Value {
    let path = root().join("manifests/samples").join(format!("{name}.yaml"));
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A sample as the API server would hand it out.
pub fn sample(name: &str) -> Botellier {
    let mut resource: Botellier = serde_json::from_value(sample_yaml(name)).unwrap();
    resource.metadata.namespace = Some("default".to_owned());
    resource.metadata.uid = Some("5e1f0c1e-0000-4000-8000-000000000001".to_owned());
    resource.metadata.generation = Some(1);
    resource
}

pub fn prepared(resource: &Botellier) -> Prepared {
    validate(resource, &defaults()).unwrap()
}

/// `cache-<leader>` leads in the epoch, with the nodes that are registered.
pub fn view(epoch: u64, leader: usize, synced: Option<usize>, nodes: &[usize]) -> View {
    let identity = |node: usize| format!(r#"{{"id":"cache-{node}","incarnation":"i{node}"}}"#);
    let synced = synced.map_or("null".to_owned(), identity);
    let config = format!(
        r#"{{"format":1,"cluster":"c1","version":{},"epoch":{epoch},"leader":{},"synced":{synced},"attempt":"a"}}"#,
        epoch * 10,
        identity(leader)
    );
    View {
        connected: true,
        config: Config::parse(config.as_bytes()),
        config_time_ms: 1_795_000_000_000,
        nodes: nodes.iter().map(|&node| (format!("cache-{node}"), announced(node))).collect(),
        ensemble_version: Some("100000000".to_owned()),
    }
}

pub fn announced(node: usize) -> Node {
    let text = format!(
        r#"{{"format":1,"id":"cache-{node}","incarnation":"i{node}","host":"10.0.0.{node}","port":6379,
            "replication_port":16379,"epoch":1,"offset":{},"role":"replica"}}"#,
        100 - node
    );
    Node::parse(text.as_bytes()).unwrap()
}

/// One request that is expected, and its answer.
pub struct Step {
    pub method: &'static str,
    pub path: &'static str,
    pub status: u16,
    pub answer: Value,
}

pub fn step(method: &'static str, path: &'static str, status: u16, answer: Value) -> Step {
    Step { method, path, status, answer }
}

/// An error as the API server words it.
pub fn refusal(code: u16, reason: &str) -> Value {
    serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": reason})
}

/// Plays the steps in order; anything else fails the test. What was sent is kept.
#[derive(Clone)]
pub struct Script {
    steps: Arc<Mutex<VecDeque<Step>>>,
    sent: Arc<Mutex<Vec<Value>>>,
}

impl Script {
    pub fn new(steps: Vec<Step>) -> Self {
        Self { steps: Arc::new(Mutex::new(steps.into())), sent: Arc::default() }
    }

    pub fn client(&self) -> Client {
        let script = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let script = script.clone();
            async move { Ok::<_, std::convert::Infallible>(script.answer(request).await) }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let asked = format!("{} {}", request.method(), request.uri().path());
        let body = request.into_body().collect_bytes().await.unwrap();
        let step = self.steps.lock().unwrap().pop_front().unwrap_or_else(|| panic!("unexpected {asked}"));
        assert_eq!(asked, format!("{} {}", step.method, step.path));
        self.sent.lock().unwrap().push(serde_json::from_slice(&body).unwrap_or(Value::Null));
        let answer = Body::from(serde_json::to_vec(&step.answer).unwrap());
        Response::builder().status(step.status).body(answer).unwrap()
    }

    /// Everything was asked for; what was sent.
    pub fn finish(&self) -> Vec<Value> {
        assert!(self.steps.lock().unwrap().is_empty(), "not all steps were played");
        self.sent.lock().unwrap().clone()
    }
}

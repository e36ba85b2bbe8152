//! Who may write the leader's EndpointSlice, against a scripted API server.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use botellier_operator::leader::route::{Claim, Outcome, Verdict, decide, publish};
use botellier_operator::leader::sidecar::{self, Me};
use common::{Script, refusal, step, view};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use serde_json::{Value, json};

const PATH: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/cache-leader";

fn claim(epoch: u64, pod: usize) -> Claim {
    Claim {
        cluster: "c1".to_owned(),
        epoch,
        pod: format!("cache-{pod}"),
        namespace: "default".to_owned(),
        address: format!("10.0.0.{pod}"),
        node_name: Some("node1".to_owned()),
    }
}

/// The slice as the operator makes it.
fn empty() -> EndpointSlice {
    serde_json::from_value(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": [],
        "metadata": {"name": "cache-leader", "namespace": "default", "resourceVersion": "1"},
    }))
    .unwrap()
}

/// The slice after a claim was published.
fn published(claim: &Claim, version: &str) -> EndpointSlice {
    let Verdict::Write(slice) = decide(&empty(), claim) else {
        panic!("an empty slice takes any claim");
    };
    let mut slice = *slice;
    slice.metadata.resource_version = Some(version.to_owned());
    slice
}

fn json_of(slice: &EndpointSlice) -> Value {
    serde_json::to_value(slice).unwrap()
}

#[test]
fn epochs_order_claims() {
    let slice = published(&claim(5, 1), "7");
    assert_eq!(decide(&slice, &claim(4, 0)), Verdict::Stale { published: 5 });
    assert_eq!(decide(&slice, &claim(5, 1)), Verdict::Current);
    let Verdict::Write(next) = decide(&slice, &claim(6, 2)) else {
        panic!("a later epoch replaces an earlier one");
    };
    assert_eq!(
        next.metadata.resource_version.as_deref(),
        Some("7"),
        "computed from the version that was seen"
    );
    assert_eq!(next.endpoints[0].addresses, ["10.0.0.2"]);
    assert_eq!(next.metadata.annotations.unwrap()["botellier.io/epoch"], "6");
}

#[test]
fn a_leader_that_moved_publishes_its_address_in_the_same_epoch() {
    let slice = published(&claim(5, 1), "7");
    let moved = Claim { address: "10.0.0.77".to_owned(), ..claim(5, 1) };
    assert!(matches!(decide(&slice, &moved), Verdict::Write(_)));
}

#[test]
fn a_cluster_made_anew_counts_its_epochs_from_the_start() {
    let slice = published(&claim(40, 1), "7");
    let anew = Claim { cluster: "c2".to_owned(), ..claim(1, 0) };
    assert!(matches!(decide(&slice, &anew), Verdict::Write(_)));
}

#[tokio::test]
async fn a_leader_that_knows_the_slice_writes_with_one_request() {
    let written = published(&claim(2, 1), "9");
    let script = Script::new(vec![step("PUT", PATH, 200, json_of(&written))]);
    let api = Api::namespaced(script.client(), "default");
    let mut known = Some(published(&claim(1, 0), "8"));
    let outcome = publish(&api, "cache-leader", &mut known, &claim(2, 1)).await.unwrap();
    assert_eq!(outcome, Outcome::Written);
    assert_eq!(known, Some(written));
    let sent = script.finish();
    assert_eq!(sent[0]["metadata"]["resourceVersion"], "8");
    assert_eq!(sent[0]["endpoints"][0]["targetRef"]["name"], "cache-1");
}

#[tokio::test]
async fn a_lost_race_against_a_later_leader_is_given_up() {
    let later = published(&claim(3, 2), "10");
    let script = Script::new(vec![
        step("PUT", PATH, 409, refusal(409, "Conflict")),
        step("GET", PATH, 200, json_of(&later)),
    ]);
    let api = Api::namespaced(script.client(), "default");
    let mut known = Some(published(&claim(1, 0), "8"));
    let outcome = publish(&api, "cache-leader", &mut known, &claim(2, 1)).await.unwrap();
    assert_eq!(outcome, Outcome::Stale { published: 3 });
    script.finish();
}

#[tokio::test]
async fn a_lost_race_against_an_earlier_leader_is_run_again() {
    let earlier = published(&claim(2, 1), "10");
    let written = published(&claim(3, 2), "11");
    let script = Script::new(vec![
        step("PUT", PATH, 409, refusal(409, "Conflict")),
        step("GET", PATH, 200, json_of(&earlier)),
        step("PUT", PATH, 200, json_of(&written)),
    ]);
    let api = Api::namespaced(script.client(), "default");
    let mut known = Some(published(&claim(1, 0), "8"));
    let outcome = publish(&api, "cache-leader", &mut known, &claim(3, 2)).await.unwrap();
    assert_eq!(outcome, Outcome::Written);
    assert_eq!(script.finish()[2]["metadata"]["resourceVersion"], "10");
}

#[tokio::test]
async fn what_is_published_already_is_not_written() {
    let script = Script::new(vec![step("GET", PATH, 200, json_of(&published(&claim(2, 1), "9")))]);
    let api = Api::namespaced(script.client(), "default");
    let outcome = publish(&api, "cache-leader", &mut None, &claim(2, 1)).await.unwrap();
    assert_eq!(outcome, Outcome::Current);
    script.finish();
}

#[tokio::test]
async fn a_missing_slice_and_a_refusal_are_errors_to_try_again_after() {
    for (status, reason) in [(404, "NotFound"), (403, "Forbidden"), (500, "InternalError")] {
        let script = Script::new(vec![step("GET", PATH, status, refusal(status, reason))]);
        let api = Api::namespaced(script.client(), "default");
        assert!(publish(&api, "cache-leader", &mut None, &claim(2, 1)).await.is_err());
        script.finish();
    }
}

#[test]
fn a_router_speaks_for_its_own_pod_alone() {
    let me = |pod: usize, address: &str| Me {
        pod: format!("cache-{pod}"),
        namespace: "default".to_owned(),
        address: address.to_owned(),
        node_name: None,
    };
    let mut view = view(7, 1, Some(0), &[0, 1, 2]);
    assert_eq!(sidecar::claim(&view, &me(1, "10.0.0.1")).unwrap().epoch, 7);
    assert_eq!(sidecar::claim(&view, &me(0, "10.0.0.0")), None, "not the leader");
    assert_eq!(sidecar::claim(&view, &me(1, "10.0.0.99")), None, "the pod that had this name before");
    view.nodes.get_mut("cache-1").unwrap().incarnation = "another".to_owned();
    assert_eq!(sidecar::claim(&view, &me(1, "10.0.0.1")), None, "another data directory");
    view.nodes.remove("cache-1");
    assert_eq!(sidecar::claim(&view, &me(1, "10.0.0.1")), None, "not registered");
}

//! The nodes of a store are replaced one after the other by those of another program, while somebody writes: from the old
//! to the new and back again. No acknowledged write is lost, and all nodes hold the same in the end.
//!
//! `BOTELLIER_OTHER` names the other program; `e2e/upgrade` builds it from another commit. Without it both are this one,
//! and it is a rolling restart.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::client::{Answer, Client};
use common::cluster::Cluster;
use common::process::Server;
use common::wait_for;
use common::writer::{Writer, assert_holds};

/// Replicas first, the leader last: so there is one handover.
fn in_order(cluster: &Cluster) -> Vec<usize> {
    let leader = cluster.leader();
    (0..cluster.nodes.len()).filter(|number| *number != leader).chain([leader]).collect()
}

/// Ends every node in order and starts it anew as this program.
fn replace_all(cluster: &mut Cluster, program: &Path, writer: &Writer) {
    for number in in_order(cluster) {
        let led = cluster.role(number).as_deref() == Some("leader");
        let node = &mut cluster.nodes[number];
        assert!(node.terminate().success(), "it ends in order");
        program.clone_into(&mut node.program);
        // Others take over, and go on, before it is back.
        writer.progress(50);
        cluster.nodes[number].start();
        cluster.wait_level();
        wait_for("its part", || cluster.role(number).filter(|role| role == "replica" || role == "synced"));
        writer.progress(50);
        let runs = std::fs::read_link(format!("/proc/{}/exe", cluster.nodes[number].pid())).unwrap();
        assert_eq!(runs, program);
        println!("node-{number} is replaced{}", if led { ", which led" } else { "" });
    }
}

/// Of all that a node holds.
fn digest(server: &Server) -> String {
    let mut client = server.client();
    match client.call(&["DEBUG", "DIGEST"]).unwrap() {
        Answer::Status(digest) | Answer::Bulk(Some(digest)) => digest,
        other => panic!("{other:?}"),
    }
}

fn level(cluster: &Cluster) {
    cluster.wait_level();
    let digests: Vec<String> = cluster.nodes.iter().map(digest).collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn nodes_are_replaced_by_those_of_another_program_and_back() {
    let this = Path::new(env!("CARGO_BIN_EXE_botellier-server")).canonicalize().unwrap();
    let other = std::env::var_os("BOTELLIER_OTHER").map(PathBuf::from);
    let other = other.map_or_else(|| this.clone(), |other| other.canonicalize().unwrap());
    let mut cluster = Cluster::start_of(Some(&other), 3, &["--enable-debug-command", "yes"]);
    cluster.leader();
    cluster.synced();
    let writer = Writer::start("upgrade", cluster.nodes.iter().map(|node| node.port).collect());
    writer.progress(200);
    replace_all(&mut cluster, &this, &writer);
    println!("all nodes are new");
    // A full copy between the programs, both ways: one node starts empty on each side.
    refill(&mut cluster, &other, &writer);
    replace_all(&mut cluster, &other, &writer);
    println!("all nodes are old again");
    refill(&mut cluster, &this, &writer);
    let acknowledged = writer.stop();
    level(&cluster);
    for node in &cluster.nodes {
        assert_holds(node, &acknowledged);
    }
    println!("{} acknowledged writes, none is lost", acknowledged.len());
}

/// A replica loses its disk and comes back as this program, after the log before a snapshot is gone.
fn refill(cluster: &mut Cluster, program: &Path, writer: &Writer) {
    let leader = cluster.leader();
    wait_for("a snapshot", || {
        let mut client = Client::connect(cluster.nodes[leader].port, Duration::from_secs(5)).ok()?;
        client.call(&["SAVE"]).ok().filter(Answer::is_ok)
    });
    let synced = cluster.synced();
    let replica = (0..3).find(|number| ![leader, synced].contains(number)).unwrap();
    let node = &mut cluster.nodes[replica];
    node.kill();
    std::fs::remove_dir_all(&node.dir).unwrap();
    std::fs::create_dir_all(&node.dir).unwrap();
    program.clone_into(&mut node.program);
    node.start();
    writer.progress(50);
    cluster.wait_level();
    println!("node-{replica} is filled anew");
}

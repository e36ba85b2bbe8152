//! `FAILOVER` in each of its forms, with real processes and a client that writes meanwhile: the lead goes where it was told
//! to go, or stays, and no acknowledged write is lost.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::client::{Answer, Client};
use common::cluster::Cluster;
use common::process::Server;
use common::wait_for;
use common::writer::{Writer, assert_holds};

fn ports(cluster: &Cluster) -> Vec<u16> {
    cluster.nodes.iter().map(|node| node.port).collect()
}

fn failover(client: &mut Client, words: &[&str]) -> Answer {
    client.call(&[&["FAILOVER"], words].concat()).unwrap()
}

const ABORTED: &str = "+OK\r\n-ERR FAILOVER already in progress.\r\n+OK\r\n";

fn error(text: &str) -> Answer {
    Answer::Error(text.into())
}

fn leads(cluster: &Cluster, number: usize) {
    wait_for("the node to lead", || (cluster.role(number).as_deref() == Some("leader")).then_some(()));
}

#[test]
fn the_lead_goes_to_whom_it_is_given() {
    let cluster = Cluster::start(3, &[]);
    let (leader, synced) = (cluster.leader(), cluster.synced());
    cluster.wait_level();
    let writer = Writer::start("given", ports(&cluster));
    writer.progress(100);
    let third = (0..3).find(|number| ![leader, synced].contains(number)).unwrap();
    let port = |number: usize| cluster.nodes[number].port.to_string();

    // To a replica that is not the synced one: it becomes that first.
    let mut client = cluster.nodes[leader].client();
    assert!(failover(&mut client, &["TO", "127.0.0.1", &port(third), "TIMEOUT", "20000"]).is_ok());
    leads(&cluster, third);
    writer.progress(100);
    // By force: what is not level at the timeout is given up.
    cluster.synced();
    wait_for("the old leader to follow", || cluster.role(leader).filter(|role| role != "leader"));
    cluster.wait_level();
    let mut client = cluster.nodes[third].client();
    let forced = ["TO", "127.0.0.1", &port(leader), "FORCE", "TIMEOUT", "20000"];
    assert!(failover(&mut client, &forced).is_ok());
    leads(&cluster, leader);
    writer.progress(100);
    // To whoever is synced.
    cluster.wait_level();
    let synced = cluster.synced();
    let mut client = cluster.nodes[leader].client();
    assert!(failover(&mut client, &[]).is_ok());
    leads(&cluster, synced);
    writer.progress(100);

    let acknowledged = writer.stop();
    cluster.wait_level();
    for node in &cluster.nodes {
        assert_holds(node, &acknowledged);
    }
}

#[test]
fn a_failover_that_can_not_be_is_refused() {
    let cluster = Cluster::start(3, &[]);
    let (leader, synced) = (cluster.leader(), cluster.synced());
    let connected = || cluster.nodes[leader].info("connected_slaves");
    wait_for("both replicas", || connected().filter(|count| count == "2"));
    let mut client = cluster.nodes[leader].client();
    assert_eq!(failover(&mut client, &["ABORT"]), error("ERR No failover in progress."));
    assert_eq!(
        failover(&mut client, &["TO", "127.0.0.1", "1"]),
        error("ERR FAILOVER target HOST and PORT is not a replica.")
    );
    let mut client = cluster.nodes[synced].client();
    assert_eq!(failover(&mut client, &[]), error("ERR FAILOVER is not valid when server is a replica."));
    assert_eq!(cluster.leader(), leader);
}

#[test]
fn a_failover_to_nodes_that_stand_still_can_be_aborted_and_times_out() {
    let cluster = Cluster::start(3, &[]);
    let leader = cluster.leader();
    cluster.synced();
    cluster.wait_level();
    let writer = Writer::start("still", ports(&cluster));
    writer.progress(100);
    let others: Vec<&Server> =
        (0..3).filter(|number| *number != leader).map(|number| &cluster.nodes[number]).collect();
    let ended = |ends: &[&str]| {
        let log = cluster.nodes[leader].log();
        let count = log.matches("the failover that was asked for").count();
        ends.iter().any(|end| log.contains(end)).then_some(count)
    };
    for (turn, orders, ends, answers) in [
        (1, "FAILOVER\r\nFAILOVER\r\nFAILOVER ABORT\r\n", &["Aborted"][..], ABORTED),
        // Nobody waits for those who stand still, however long the limit.
        (2, "FAILOVER TIMEOUT 3000\r\n", &["NoSuchReplica", "TimedOut"][..], "+OK\r\n"),
    ] {
        others.iter().for_each(|node| node.signal("STOP"));
        let mut client = TcpStream::connect(("127.0.0.1", cluster.nodes[leader].port)).unwrap();
        client.write_all(orders.as_bytes()).unwrap();
        wait_for("its end", || ended(ends).filter(|count| *count == turn));
        others.iter().for_each(|node| node.signal("CONT"));
        // Without a lease nothing was answered. It is now, unless what was on its way when they were stopped tells one of
        // them to take over: then the connection is closed.
        let mut told = vec![0; answers.len()];
        client.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let stays = client.read_exact(&mut told).is_ok();
        assert!(!stays || told == answers.as_bytes(), "{}", String::from_utf8_lossy(&told));
        writer.progress(100);
        if cluster.leader() != leader {
            break;
        }
    }
    let acknowledged = writer.stop();
    cluster.wait_level();
    for node in &cluster.nodes {
        assert_holds(node, &acknowledged);
    }
}

/// The leader and the synced replica are gone for good: only an operator may say that the third one leads with less.
#[test]
fn a_node_leads_with_what_it_has_only_by_order() {
    let mut cluster = Cluster::start(3, &[]);
    let pair = [cluster.leader(), cluster.synced()];
    let third = (0..3).find(|number| !pair.contains(number)).unwrap();
    cluster.wait_level();
    let order = |cluster: &Cluster| failover(&mut cluster.nodes[third].client(), &["FORCE"]);
    // Who follows is told what Redis says, and goes on following.
    assert_eq!(order(&cluster), error("ERR FAILOVER is not valid when server is a replica."));
    assert_eq!(cluster.leader(), pair[0]);

    for number in pair {
        cluster.nodes[number].kill();
    }
    let told = wait_for("the order to be possible", || match order(&cluster) {
        Answer::Bulk(told) => told,
        Answer::Error(why) => {
            assert!(why.contains("not possible now") || why.contains("not valid"), "{why}");
            None
        }
        other => panic!("{other:?}"),
    });
    assert!(told.starts_with("OK. Epoch ") && told.contains("is lost"), "{told}");
    wait_for("the third to lead alone", || (cluster.role(third).as_deref() == Some("stalled")).then_some(()));
    assert!(cluster.nodes[third].log().contains("LeadsByOrder"));

    // Those who were lost come back, and follow.
    for number in pair {
        cluster.nodes[number].start();
    }
    assert_eq!(cluster.leader(), third);
    cluster.wait_level();
}

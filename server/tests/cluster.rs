//! Three real server processes and a real ZooKeeper: what is acknowledged survives kill -9, restarts, empty disks and
//! the loss of the ZooKeeper.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::client::{Answer, Client};
use common::cluster::Cluster;
use common::process::Server;
use common::wait_for;
use common::writer::{Writer, assert_holds};

fn ports(cluster: &Cluster) -> Vec<u16> {
    cluster.nodes.iter().map(|node| node.port).collect()
}

#[test]
fn killed_leaders_lose_nothing_and_come_back_as_replicas() {
    let mut cluster = Cluster::start(3, &[]);
    cluster.leader();
    let writer = Writer::start("kill", ports(&cluster));
    for _ in 0..3 {
        writer.progress(200);
        let (leader, synced) = (cluster.leader(), cluster.synced());
        cluster.nodes[leader].kill();
        let next = cluster.leader();
        assert_eq!(next, synced, "the synced replica takes over");
        writer.progress(100);
        cluster.nodes[leader].start();
    }
    let acknowledged = writer.stop();
    cluster.wait_level();
    for node in &cluster.nodes {
        assert_holds(node, &acknowledged);
    }
}

#[test]
fn a_synced_replica_that_dies_is_replaced() {
    let mut cluster = Cluster::start(3, &[]);
    cluster.leader();
    let writer = Writer::start("synced", ports(&cluster));
    writer.progress(100);
    let (leader, synced) = (cluster.leader(), cluster.synced());
    cluster.nodes[synced].kill();
    writer.progress(100);
    assert_eq!(cluster.leader(), leader, "the leader stays");
    assert_ne!(cluster.synced(), synced);
    cluster.nodes[synced].start();
    let acknowledged = writer.stop();
    cluster.wait_level();
    assert_holds(&cluster.nodes[synced], &acknowledged);
}

#[test]
fn an_emptied_disk_comes_back_as_a_replica_and_is_filled() {
    let mut cluster = Cluster::start(3, &[]);
    cluster.leader();
    let writer = Writer::start("empty", ports(&cluster));
    writer.progress(300);
    let leader = cluster.leader();
    cluster.nodes[leader].kill();
    std::fs::remove_dir_all(&cluster.nodes[leader].dir).unwrap();
    std::fs::create_dir_all(&cluster.nodes[leader].dir).unwrap();
    cluster.nodes[leader].start();
    writer.progress(100);
    let acknowledged = writer.stop();
    cluster.wait_level();
    assert_ne!(cluster.leader(), leader);
    assert_holds(&cluster.nodes[leader], &acknowledged);
}

/// Flip a bit in the middle of what a node that does not run has fsynced of its log; the file.
fn damage(node: &Server) -> std::path::PathBuf {
    let logs = std::fs::read_dir(node.dir.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let path = logs.filter(|path| path.extension().is_some_and(|end| end == "log")).min().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    std::fs::write(&path, bytes).unwrap();
    path
}

fn digest(node: &Server) -> Option<String> {
    let mut client = Client::connect(node.port, Duration::from_secs(2)).ok()?;
    client.call(&["DEBUG", "DIGEST"]).ok()?.text().map(str::to_owned)
}

#[test]
fn a_log_damaged_in_the_middle_is_healed_from_a_peer() {
    let mut cluster = Cluster::start(3, &["--appendfsync", "always", "--enable-debug-command", "yes"]);
    cluster.leader();
    for role in ["replica", "synced", "leader"] {
        let writer = Writer::start(role, ports(&cluster));
        writer.progress(100);
        cluster.wait_level();
        let number = wait_for("a node of that role", || cluster.find(role));
        cluster.nodes[number].kill();
        let file = damage(&cluster.nodes[number]);
        writer.progress(100);
        cluster.nodes[number].start();
        let aside = cluster.nodes[number].dir.join("damaged");
        wait_for("the damage to be healed", || {
            let healed = cluster.nodes[number].log().matches("installed a full copy").count() > 0;
            let left = std::fs::read_dir(&aside).map_or(0, Iterator::count);
            (healed && aside.exists() && left == 0).then_some(())
        });
        let log = cluster.nodes[number].log();
        assert!(log.contains("is corrupt at byte") && log.contains(file.to_str().unwrap()), "{log}");
        let acknowledged = writer.stop();
        cluster.wait_level();
        assert_holds(&cluster.nodes[number], &acknowledged);
        let digests: Vec<_> = cluster.nodes.iter().map(digest).collect();
        assert!(digests[0].is_some() && digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    }
}

#[test]
fn a_damaged_node_does_not_lead_when_nobody_else_is_there() {
    let mut cluster = Cluster::start(2, &["--appendfsync", "always"]);
    let (leader, synced) = (cluster.leader(), cluster.synced());
    let writer = Writer::start("alone", ports(&cluster));
    writer.progress(100);
    let acknowledged = writer.stop();
    cluster.nodes[synced].kill();
    cluster.nodes[leader].kill();
    damage(&cluster.nodes[leader]);
    cluster.nodes[leader].start();
    wait_for("the damage to be told", || cluster.nodes[leader].log().contains("NotWhole").then_some(()));
    let answer = cluster.nodes[leader].client().call(&["SET", "k", "v"]).unwrap();
    assert!(matches!(answer, Answer::Error(_)), "a damaged node took a write: {answer:?}");
    // Whoever is whole takes over, and heals it.
    cluster.nodes[synced].start();
    assert_eq!(cluster.leader(), synced);
    cluster.wait_level();
    assert_holds(&cluster.nodes[synced], &acknowledged);
    assert_holds(&cluster.nodes[leader], &acknowledged);
}

#[test]
fn all_nodes_killed_at_once_come_back_with_everything() {
    let mut cluster = Cluster::start(3, &[]);
    cluster.leader();
    let writer = Writer::start("all", ports(&cluster));
    writer.progress(300);
    cluster.nodes.iter_mut().for_each(Server::kill);
    let acknowledged = writer.stop();
    cluster.nodes.iter_mut().for_each(Server::start);
    let leader = cluster.leader();
    assert_holds(&cluster.nodes[leader], &acknowledged);
}

#[test]
fn without_a_zookeeper_the_pair_goes_on() {
    let mut cluster = Cluster::start(3, &[]);
    let leader = cluster.leader();
    let writer = Writer::start("registry", vec![cluster.nodes[leader].port]);
    writer.progress(100);
    cluster.zookeeper.kill();
    // Longer than a session lasts: had it demoted the leader, nothing would be acknowledged any more.
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while std::time::Instant::now() < until {
        writer.progress(100);
    }
    assert_eq!(cluster.find("leader"), Some(leader));
    cluster.zookeeper.restart();
    writer.progress(100);
    let synced = cluster.synced();
    cluster.nodes[leader].kill();
    assert_eq!(cluster.leader(), synced);
    assert_holds(&cluster.nodes[synced], &writer.stop());
}

#[test]
fn a_leader_told_to_end_hands_over() {
    let mut cluster = Cluster::start(3, &[]);
    cluster.leader();
    let writer = Writer::start("handover", ports(&cluster));
    writer.progress(200);
    let (leader, synced) = (cluster.leader(), cluster.synced());
    assert!(cluster.nodes[leader].terminate().success());
    assert_eq!(cluster.leader(), synced);
    writer.progress(100);
    let acknowledged = writer.stop();
    assert_holds(&cluster.nodes[synced], &acknowledged);
}

#[test]
fn a_stopped_leader_wakes_up_deposed_and_answers_nothing_stale() {
    let cluster = Cluster::start(3, &[]);
    let leader = cluster.leader();
    let mut old = cluster.nodes[leader].client();
    assert!(old.call(&["SET", "k", "old"]).unwrap().is_ok());
    cluster.nodes[leader].signal("STOP");
    let next = wait_for("another leader", || {
        (0..3)
            .filter(|number| *number != leader)
            .find(|number| cluster.role(*number).as_deref() == Some("leader"))
    });
    let mut new = cluster.nodes[next].client();
    wait_for("a write", || new.call(&["SET", "k", "new"]).ok().filter(Answer::is_ok));
    cluster.nodes[leader].signal("CONT");
    let stale = old.call(&["GET", "k"]);
    assert!(!matches!(&stale, Ok(answer) if answer.text() == Some("old")), "{stale:?}");
    wait_for("the old leader to follow", || {
        cluster.role(leader).filter(|role| role == "replica" || role == "synced")
    });
}

#[test]
fn replicas_refuse_writes_and_answer_reads() {
    let cluster = Cluster::start(3, &[]);
    let (leader, synced) = (cluster.leader(), cluster.synced());
    assert!(cluster.nodes[leader].client().call(&["SET", "k", "v"]).unwrap().is_ok());
    cluster.wait_level();
    let mut client = cluster.nodes[synced].client();
    assert_eq!(client.call(&["GET", "k"]).unwrap().text(), Some("v"));
    let Answer::Error(error) = client.call(&["SET", "k", "w"]).unwrap() else {
        panic!("a replica took a write")
    };
    assert_eq!(error, "READONLY You can't write against a read only replica.");
}

#[test]
fn users_and_clients_of_sentinels_and_clusters_follow_a_failover() {
    let mut cluster = Cluster::start(3, &["--cluster-enabled", "yes"]);
    let leader = cluster.leader();
    let other = cluster.synced();
    let port = |number: usize, cluster: &Cluster| cluster.nodes[number].port.to_string();
    let mut client = cluster.nodes[leader].client();
    let rules = ["ACL", "SETUSER", "ann", "on", ">pw", "~a*", "+@all"];
    assert!(client.call(&rules).unwrap().is_ok());
    let mut follower = cluster.nodes[other].client();
    let Answer::Error(error) = follower.call(&rules).unwrap() else { panic!("a follower changed users") };
    assert_eq!(error, "READONLY You can't write against a read only replica.");
    let old = port(leader, &cluster);
    let Answer::Error(error) = follower.call(&["GET", "foo"]).unwrap() else { panic!("a follower answered") };
    assert_eq!(error, format!("MOVED 12182 127.0.0.1:{old}"));
    assert!(follower.call(&["READONLY"]).unwrap().is_ok());
    assert!(!matches!(follower.call(&["GET", "foo"]).unwrap(), Answer::Error(_)));
    let mut listener = cluster.nodes[other].client();
    listener.call(&["SUBSCRIBE", "+switch-master"]).unwrap();

    cluster.nodes[leader].kill();
    let next = cluster.leader();
    let heard = format!("{:?}", listener.answer().unwrap());
    let told = format!("mymaster 127.0.0.1 {old} 127.0.0.1 {}", port(next, &cluster));
    assert!(next != other || heard.contains(&told), "{heard}");
    let mut ann = cluster.nodes[next].client();
    assert!(ann.call(&["AUTH", "ann", "pw"]).unwrap().is_ok());
    assert!(ann.call(&["SET", "a1", "v"]).unwrap().is_ok());
    let Answer::Error(error) = ann.call(&["SET", "z", "v"]).unwrap() else { panic!("her rights grew") };
    assert_eq!(error, "NOPERM No permissions to access a key");
    let asked = ann.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]).unwrap();
    assert!(format!("{asked:?}").contains(&port(next, &cluster)), "{asked:?}");

    // A node that was away has the users from the log, and from a snapshot after the next start.
    cluster.nodes[leader].start();
    wait_for("the node to know her", || {
        let mut back = Client::connect(cluster.nodes[leader].port, Duration::from_secs(2)).ok()?;
        back.call(&["AUTH", "ann", "pw"]).ok().filter(Answer::is_ok)
    });
    let mut back = cluster.nodes[leader].client();
    wait_for("a snapshot", || back.call(&["SAVE"]).ok().filter(Answer::is_ok));
    cluster.nodes[leader].kill();
    cluster.nodes[leader].start();
    wait_for("the node to know her still", || {
        let mut back = Client::connect(cluster.nodes[leader].port, Duration::from_secs(2)).ok()?;
        back.call(&["AUTH", "ann", "pw"]).ok().filter(Answer::is_ok)
    });
}

/// What a listener hears: the channel and the message.
fn hear(listener: &mut Client) -> (String, String) {
    let Answer::Array(Some(words)) = listener.answer().unwrap() else { panic!("that is no message") };
    let text = |index: usize| words[words.len() - index].text().unwrap_or_default().to_owned();
    (text(2), text(1))
}

#[test]
fn a_message_published_anywhere_reaches_subscribers_everywhere() {
    let cluster = Cluster::start(3, &["--notify-keyspace-events", "EA"]);
    let leader = cluster.leader();
    cluster.wait_level();
    let mut listeners: Vec<Client> = cluster.nodes.iter().map(Server::client).collect();
    for listener in &mut listeners {
        listener.call(&["PSUBSCRIBE", "news*"]).unwrap();
        listener.call(&["SUBSCRIBE", "__keyevent@0__:lpush"]).unwrap();
    }
    for (number, node) in cluster.nodes.iter().enumerate() {
        let mut publisher = node.client();
        let (channel, in_multi) = (format!("news{number}"), format!("in multi {number}"));
        // The leader's own listener is the one that is counted.
        assert_eq!(publisher.call(&["PUBLISH", &channel, "plain"]).unwrap(), Answer::Int(1));
        for listener in &mut listeners {
            assert_eq!(hear(listener), (channel.clone(), "plain".into()));
        }
        publisher.call(&["MULTI"]).unwrap();
        publisher.call(&["PUBLISH", &channel, &in_multi]).unwrap();
        assert_eq!(publisher.call(&["EXEC"]).unwrap(), Answer::Array(Some(vec![Answer::Int(1)])));
        for listener in &mut listeners {
            assert_eq!(hear(listener), (channel.clone(), in_multi.clone()));
        }
    }
    let mut writer = cluster.nodes[leader].client();
    writer.call(&["LPUSH", "list", "x"]).unwrap();
    for listener in &mut listeners {
        assert_eq!(hear(listener), ("__keyevent@0__:lpush".into(), "list".into()));
    }
}

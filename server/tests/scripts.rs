//! Scripts and functions on real servers: what lasts of them, and scripts that run for too long.

#![allow(clippy::unwrap_used)]

mod common;

use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::client::{Answer, Client};
use common::cluster::Cluster;
use common::process::Server;
use common::wait_for;
use tempfile::TempDir;

const SOON_BUSY: [&str; 2] = ["--busy-reply-threshold", "50"];
const ENDLESS: &str = "while true do end";
/// Nobody may end this one: it has written.
const HALF: &str = "redis.call('SET', 'half', '1') while true do end";

/// A script that runs on a connection of its own.
struct Script(JoinHandle<io::Result<Answer>>);

impl Script {
    /// Start it, and wait until it keeps others from being served.
    fn start(server: &Server, words: &[&str]) -> Self {
        let mut client = Client::connect(server.port, Duration::from_mins(1)).unwrap();
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let script = Self(std::thread::spawn(move || {
            client.call(&words.iter().map(String::as_str).collect::<Vec<_>>())
        }));
        wait_for("the server to be busy", || is_busy(server).then_some(()));
        script
    }

    fn end(self) -> io::Result<Answer> {
        self.0.join().unwrap()
    }

    /// It was ended, or its connection was.
    fn assert_failed(self) {
        let answer = self.end();
        assert!(matches!(answer, Err(_) | Ok(Answer::Error(_))), "{answer:?}");
    }
}

fn is_busy(server: &Server) -> bool {
    let answer = server.client().call(&["PING"]).unwrap();
    matches!(answer, Answer::Error(text) if text.starts_with("BUSY "))
}

fn error(answer: Answer) -> String {
    match answer {
        Answer::Error(text) => text,
        other => panic!("{other:?} is no error"),
    }
}

fn nothing(server: &Server, key: &str) -> bool {
    server.client().call(&["GET", key]).unwrap() == Answer::Bulk(None)
}

/// A server that stands alone and has read its data.
fn alone(dir: &TempDir) -> Server {
    let mut server = Server::new(&dir.path().join("node"), &SOON_BUSY);
    server.start();
    wait_for("a write", || server.client().call(&["SET", "whole", "1"]).ok().filter(Answer::is_ok));
    server
}

#[test]
fn libraries_outlast_their_node() {
    const LIBRARY: &str = "#!lua name=lib\n\
        redis.register_function('add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)\n\
        redis.register_function{function_name='peek', flags={'no-writes'},\n\
            callback=function(keys) return redis.call('GET', keys[1]) end}";
    let mut cluster = Cluster::start(3, &[]);
    let leader = cluster.leader();
    let mut client = cluster.nodes[leader].client();
    assert_eq!(client.call(&["FUNCTION", "LOAD", LIBRARY]).unwrap().text(), Some("lib"));
    assert_eq!(client.call(&["FCALL", "add", "1", "n", "20"]).unwrap(), Answer::Int(20));
    let synced = cluster.synced();
    let refused = cluster.nodes[synced].client().call(&["FUNCTION", "LOAD", "REPLACE", LIBRARY]).unwrap();
    assert_eq!(error(refused), "READONLY You can't write against a read only replica.");
    let refused = cluster.nodes[synced].client().call(&["FCALL", "add", "1", "n", "1"]).unwrap();
    assert!(error(refused).starts_with("READONLY "));

    cluster.nodes[leader].kill();
    let next = cluster.leader();
    let mut client = cluster.nodes[next].client();
    assert_eq!(client.call(&["FCALL", "add", "1", "n", "22"]).unwrap(), Answer::Int(42));

    // From the log, from a snapshot and the log after it, and after all were gone at once.
    for snapshot in [false, true] {
        cluster.nodes[leader].start();
        cluster.wait_level();
        let mut back = cluster.nodes[leader].client();
        assert_eq!(back.call(&["FCALL_RO", "peek", "1", "n"]).unwrap().text(), Some("42"));
        if snapshot {
            break;
        }
        wait_for("a snapshot", || back.call(&["SAVE"]).ok().filter(Answer::is_ok));
        cluster.nodes[leader].kill();
    }
    cluster.nodes.iter_mut().for_each(Server::kill);
    cluster.nodes.iter_mut().for_each(Server::start);
    let leader = cluster.leader();
    let mut client = cluster.nodes[leader].client();
    assert_eq!(client.call(&["FCALL", "add", "1", "n", "0"]).unwrap(), Answer::Int(42));
    assert!(client.call(&["FUNCTION", "DELETE", "lib"]).unwrap().is_ok());
    cluster.wait_level();
    for node in &cluster.nodes {
        assert_eq!(node.client().call(&["FUNCTION", "LIST"]).unwrap(), Answer::Array(Some(Vec::new())));
        assert_eq!(
            error(node.client().call(&["FCALL_RO", "peek", "1", "n"]).unwrap()),
            "ERR Function not found"
        );
    }
}

#[test]
fn a_leader_leads_on_while_its_script_runs() {
    let lease = ["--lease-ms", "1000"];
    let cluster = Cluster::start(3, &[SOON_BUSY, lease].concat());
    let leader = cluster.leader();
    let follower = (leader + 1) % 3;
    cluster.wait_level();
    let epoch = cluster.nodes[leader].info("botellier_epoch");
    let mut writer = cluster.nodes[leader].client();
    for body in [ENDLESS, "redis.call('SET', 'n', '0') local n = 0 while n < 5e7 do n = n + 1 end return n"] {
        let script = Script::start(&cluster.nodes[leader], &["EVAL", body, "0"]);
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until && is_busy(&cluster.nodes[leader]) {
            assert_eq!(cluster.nodes[follower].info("botellier_epoch"), epoch, "nobody took over");
            assert_eq!(cluster.nodes[follower].info("master_link_status").as_deref(), Some("up"));
        }
        let killed = writer.call(&["SCRIPT", "KILL"]).unwrap();
        if body == ENDLESS {
            assert!(killed.is_ok());
            assert!(error(script.end().unwrap()).starts_with("ERR Script killed by user with SCRIPT KILL"));
        } else {
            assert!(!killed.is_ok(), "it wrote");
            assert_eq!(script.end().unwrap(), Answer::Int(50_000_000));
        }
        assert!(writer.call(&["SET", "after", body]).unwrap().is_ok());
        assert_eq!(cluster.nodes[leader].info("botellier_epoch"), epoch);
    }
}

#[test]
fn a_deposed_leader_ends_its_script_and_nothing_of_it_lasts() {
    let cluster = Cluster::start(3, &SOON_BUSY);
    let leader = cluster.leader();
    cluster.wait_level();
    let script = Script::start(&cluster.nodes[leader], &["EVAL", HALF, "0"]);
    let killed = cluster.nodes[leader].client().call(&["SCRIPT", "KILL"]).unwrap();
    assert!(error(killed).starts_with("UNKILLABLE "));
    cluster.nodes[leader].signal("STOP");
    wait_for("another leader", || {
        (0..3)
            .filter(|number| *number != leader)
            .find(|number| cluster.role(*number).as_deref() == Some("leader"))
    });
    cluster.nodes[leader].signal("CONT");
    script.assert_failed();
    cluster.wait_level();
    assert!(cluster.nodes.iter().all(|node| nothing(node, "half")));
}

#[test]
fn a_leader_that_is_told_to_end_waits_for_its_script_but_not_for_ever() {
    let mut cluster = Cluster::start(3, &SOON_BUSY);
    let leader = cluster.leader();
    cluster.wait_level();
    let script = Script::start(&cluster.nodes[leader], &["EVAL", HALF, "0"]);
    assert!(cluster.nodes[leader].terminate().success());
    script.assert_failed();
    assert_ne!(cluster.leader(), leader);
    cluster.nodes[leader].start();
    cluster.wait_level();
    assert!(cluster.nodes.iter().all(|node| nothing(node, "half")));
}

#[test]
fn a_script_on_a_follower_does_not_hold_up_its_takeover() {
    let mut cluster = Cluster::start(3, &SOON_BUSY);
    let leader = cluster.leader();
    cluster.wait_level();
    let followers = [(leader + 1) % 3, (leader + 2) % 3];
    let scripts = followers.map(|number| Script::start(&cluster.nodes[number], &["EVAL_RO", ENDLESS, "0"]));
    cluster.nodes[leader].kill();
    // The one that follows on keeps its own.
    let next = wait_for("another leader", || cluster.find("leader"));
    let other = followers.into_iter().find(|number| *number != next).unwrap();
    assert!(is_busy(&cluster.nodes[other]));
    assert!(cluster.nodes[other].client().call(&["SCRIPT", "KILL"]).unwrap().is_ok());
    cluster.leader();
    scripts.into_iter().for_each(Script::assert_failed);
}

#[test]
fn a_request_that_was_passed_on_is_answered_beside_a_script() {
    let cluster = Cluster::start(3, &[&SOON_BUSY[..], &["--replica-forward-writes", "yes"]].concat());
    let leader = cluster.leader();
    let follower = &cluster.nodes[(leader + 1) % 3];
    cluster.wait_level();
    let mut waiting = Client::connect(follower.port, Duration::from_mins(1)).unwrap();
    let waiter = std::thread::spawn(move || waiting.call(&["BLPOP", "queue", "0"]));
    let mut client = cluster.nodes[leader].client();
    wait_for("the leader to have it", || {
        let info = client.call(&["INFO", "clients"]).unwrap();
        info.text()?.contains("blocked_clients:1").then_some(())
    });
    let script = Script::start(follower, &["EVAL_RO", ENDLESS, "0"]);
    assert_eq!(client.call(&["LPUSH", "queue", "x"]).unwrap(), Answer::Int(1));
    let popped = ["queue", "x"].map(|text| Answer::Bulk(Some(text.into())));
    assert_eq!(waiter.join().unwrap().unwrap(), Answer::Array(Some(popped.into())));
    assert!(is_busy(follower));
    assert!(follower.client().call(&["SCRIPT", "KILL"]).unwrap().is_ok());
    script.assert_failed();
}

#[test]
fn shutdown_nosave_ends_a_server_in_the_midst_of_a_script() {
    let dir = TempDir::new().unwrap();
    let mut server = alone(&dir);
    let mut client = server.client();
    let mut waiter = server.client();
    let waiting = std::thread::spawn(move || waiter.call(&["BLPOP", "queue", "0"]));
    wait_for("a client that waits", || {
        client.call(&["INFO", "clients"]).unwrap().text()?.contains("blocked_clients:1").then_some(())
    });
    let half = format!("redis.call('LPUSH', 'queue', 'x') {HALF}");
    let script = Script::start(&server, &["EVAL", &half, "0"]);
    for words in [&["SHUTDOWN"][..], &["SHUTDOWN", "SAVE"]] {
        assert!(error(client.call(words).unwrap()).starts_with("BUSY "));
    }
    assert!(client.call(&["SHUTDOWN", "NOSAVE"]).is_err());
    assert!(server.ended().success());
    script.assert_failed();
    assert!(waiting.join().unwrap().is_err(), "what half a script pushed was never there");
    server.start();
    wait_for("what was whole", || {
        (server.client().call(&["GET", "whole"]).ok()?.text() == Some("1")).then_some(())
    });
    assert!(nothing(&server, "half"));
    assert_eq!(server.client().call(&["EXISTS", "queue"]).unwrap(), Answer::Int(0));
}

#[test]
fn a_server_that_is_told_to_end_waits_for_its_script() {
    let dir = TempDir::new().unwrap();
    let mut server = alone(&dir);
    let mut client = server.client();
    let script = Script::start(&server, &["EVAL", ENDLESS, "0"]);
    server.signal("TERM");
    wait_for("the server to have heard", || server.log().contains("told to end").then_some(()));
    assert!(is_busy(&server) && server.running());
    assert!(client.call(&["SCRIPT", "KILL"]).unwrap().is_ok());
    assert!(server.ended().success());
    script.assert_failed();
}

//! Real processes: a replica that was away resumes from the log, one that was away for too long gets one copy, and nobody
//! who stalls makes the leader grow. A leader sends nothing of what is damaged on its disk.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::client::{Answer, Client};
use common::cluster::Cluster;
use common::process::Server;
use common::wait_for;

/// Write `count` keys of so many bytes in pipelines; all must be acknowledged.
fn fill(server: &Server, name: &str, count: usize, bytes: usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut written = 0;
    while written < count {
        let some = (count - written).min(500);
        stream.write_all(&sets(name, written, some, bytes)).unwrap();
        let mut replies = vec![0; 5 * some];
        stream.read_exact(&mut replies).unwrap();
        assert_eq!(replies, b"+OK\r\n".repeat(some));
        written += some;
    }
}

fn sets(name: &str, from: usize, count: usize, bytes: usize) -> Vec<u8> {
    let mut requests = Vec::new();
    for number in from..from + count {
        let key = format!("{name}:{number}");
        write!(requests, "*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${bytes}\r\n", key.len()).unwrap();
        requests.resize(requests.len() + bytes, b'x');
        requests.extend_from_slice(b"\r\n");
    }
    requests
}

fn digest(node: &Server) -> Option<String> {
    let mut client = Client::connect(node.port, Duration::from_secs(10)).ok()?;
    client.call(&["DEBUG", "DIGEST"]).ok()?.text().map(str::to_owned)
}

fn assert_alike(cluster: &Cluster) {
    cluster.wait_level();
    let digests: Vec<_> = cluster.nodes.iter().map(digest).collect();
    assert!(digests[0].is_some() && digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

/// A number of `INFO`.
fn number(node: &Server, section: &str, field: &str) -> u64 {
    let Answer::Bulk(Some(text)) = node.client().call(&["INFO", section]).unwrap() else { panic!("no INFO") };
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap().parse().unwrap()
}

/// The most memory that a node has taken since its start, in bytes.
fn peak_memory(node: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn copies(node: &Server) -> usize {
    node.log().matches("receiving a full copy").count()
}

fn replica(cluster: &Cluster) -> usize {
    wait_for("a replica", || cluster.find("replica"))
}

const DEBUG: [&str; 2] = ["--enable-debug-command", "yes"];

#[test]
fn a_replica_that_was_away_resumes_from_the_log_across_failovers() {
    let mut cluster = Cluster::start(3, &DEBUG);
    let leader = cluster.leader();
    let (synced, away) = (cluster.synced(), replica(&cluster));
    fill(&cluster.nodes[leader], "before", 2000, 100);
    cluster.wait_level();
    let before: Vec<_> = cluster.nodes.iter().map(copies).collect();
    cluster.nodes[away].kill();
    fill(&cluster.nodes[leader], "without", 2000, 100);
    // The synced one takes over as soon as nobody leads, and takes writes once it has another.
    cluster.nodes[leader].kill();
    cluster.nodes[away].start();
    assert_eq!(cluster.leader(), synced);
    fill(&cluster.nodes[synced], "after", 2000, 100);
    cluster.nodes[leader].start();
    assert_alike(&cluster);
    for (node, before) in cluster.nodes.iter().zip(before) {
        assert_eq!(copies(node), before, "{}", node.dir.display());
    }
}

#[test]
fn who_was_away_for_longer_than_the_log_is_kept_gets_one_copy_while_writes_go_on() {
    let mut cluster =
        Cluster::start(3, &[&DEBUG[..], &["--log-retention-bytes", "1mb", "--save", ""]].concat());
    let leader = cluster.leader();
    let away = replica(&cluster);
    fill(&cluster.nodes[leader], "long", 150_000, 2000);
    cluster.wait_level();
    let before = copies(&cluster.nodes[away]);
    cluster.nodes[away].kill();
    // Some segments, so that some may go.
    fill(&cluster.nodes[leader], "long", 150_000, 2000);
    let mut client = Client::connect(cluster.nodes[leader].port, Duration::from_mins(1)).unwrap();
    wait_for("a snapshot", || client.call(&["SAVE"]).ok().filter(Answer::is_ok));
    wait_for("the log to be trimmed", || {
        std::fs::read_dir(cluster.nodes[leader].dir.join("log"))
            .unwrap()
            .all(|entry| !entry.unwrap().file_name().to_string_lossy().starts_with(&"0".repeat(20)))
            .then_some(())
    });
    cluster.nodes[away].start();
    // Meanwhile the log grows, and snapshots that would let it be trimmed are taken.
    wait_for("the copy", || {
        fill(&cluster.nodes[leader], "meanwhile", 5000, 1000);
        let _ = client.call(&["BGSAVE"]);
        cluster.nodes[away].log().contains("installed a full copy").then_some(())
    });
    assert_alike(&cluster);
    let away = &cluster.nodes[away];
    assert_eq!(copies(away), before + 1, "one is enough");
    let (holds, peak) = (number(away, "memory", "used_memory"), peak_memory(away));
    assert!(peak < holds * 8 / 5, "{peak} bytes at most, {holds} now: the old data makes room for the new");
}

/// A client that sends writes and never reads what is answered; how many bytes it could send.
fn flood(port: u16, name: &str, bytes_max: usize) -> (TcpStream, usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let (requests, mut sent) = (sets(name, 0, 2000, 16), 0);
    while sent < bytes_max {
        match stream.write(&requests[sent % requests.len()..]) {
            Ok(count) => sent += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            // It may be closed, too.
            Err(_) => break,
        }
    }
    (stream, sent)
}

#[test]
fn a_stalled_synced_replica_slows_writers_then_has_them_refused_and_memory_stays_bounded() {
    let limit = 200u64 << 20;
    let cluster = Cluster::start(2, &[&DEBUG[..], &["--maxmemory", "200mb"]].concat());
    let (leader, synced) = (cluster.leader(), cluster.synced());
    fill(&cluster.nodes[leader], "data", 20_000, 1000);
    cluster.wait_level();
    let port = cluster.nodes[leader].port;
    cluster.nodes[synced].signal("STOP");
    let floods: Vec<_> = (0..24)
        .map(|number| std::thread::spawn(move || flood(port, &format!("flood{number}"), 64 << 20)))
        .collect();
    let floods: Vec<_> = floods.into_iter().map(|flood| flood.join().unwrap()).collect();
    let used = number(&cluster.nodes[leader], "memory", "used_memory");
    assert!(used < limit + limit / 10, "{used} bytes after {:?}", floods.iter().map(|f| f.1).sum::<usize>());
    let refused = wait_for("a write to be refused", || {
        match Client::connect(port, Duration::from_secs(5)).ok()?.call(&["SET", "k", "v"]).ok()? {
            Answer::Error(error) => Some(error),
            _ => None,
        }
    });
    assert_eq!(refused, "NOREPLICAS Not enough good replicas to write.");
    cluster.nodes[synced].signal("CONT");
    drop(floods);
    // Whichever of the two it is.
    let leader = cluster.leader();
    fill(&cluster.nodes[leader], "later", 1000, 100);
    assert_alike(&cluster);
}

#[test]
fn a_stalled_replica_costs_the_leader_no_memory_and_resumes() {
    let cluster = Cluster::start(3, &DEBUG);
    let leader = cluster.leader();
    let stalled = replica(&cluster);
    cluster.wait_level();
    let before = copies(&cluster.nodes[stalled]);
    cluster.nodes[stalled].signal("STOP");
    let used = number(&cluster.nodes[leader], "memory", "used_memory");
    // The same keys again and again: the data does not grow, the log does.
    for _ in 0..10 {
        fill(&cluster.nodes[leader], "same", 10_000, 1000);
    }
    let grown = number(&cluster.nodes[leader], "memory", "used_memory").saturating_sub(used);
    assert!(grown < 96 << 20, "{grown} bytes");
    cluster.nodes[stalled].signal("CONT");
    assert_alike(&cluster);
    assert_eq!(copies(&cluster.nodes[stalled]), before, "it goes on from the log");
}

/// Flip a bit of a file that a server has open.
fn flip(path: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 16], at).unwrap();
}

/// The one file of a node's with that ending, the first by name.
fn first_file(node: &Server, folder: &str, ending: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(node.dir.join(folder)).ok()?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files.filter(|path| path.extension().is_some_and(|end| end == ending)).min()
}

/// It starts on what it has, and finds nothing wrong with it.
fn assert_sound(node: &mut Server) {
    node.kill();
    let check = Command::new(&node.program).arg("check").arg(&node.dir).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    node.start();
}

#[test]
fn a_leader_whose_log_is_damaged_on_disk_says_so_and_sends_a_copy_instead() {
    let mut cluster = Cluster::start(3, &[&DEBUG[..], &["--save", ""]].concat());
    let leader = cluster.leader();
    let away = replica(&cluster);
    fill(&cluster.nodes[leader], "before", 2000, 100);
    cluster.wait_level();
    let before = copies(&cluster.nodes[away]);
    cluster.nodes[away].kill();
    // More than is sent from memory.
    fill(&cluster.nodes[leader], "without", 50_000, 1000);
    let file = first_file(&cluster.nodes[leader], "log", "log").unwrap();
    flip(&file, 10 << 20);
    cluster.nodes[away].start();
    wait_for("the copy", || cluster.nodes[away].log().contains("installed a full copy").then_some(()));
    let said = cluster.nodes[leader].log();
    assert!(said.contains(&format!("{} is corrupt at byte", file.display())), "{said}");
    assert_alike(&cluster);
    assert_eq!(copies(&cluster.nodes[away]), before + 1);
    // Its memory is right, so it is whole again without anybody's help.
    wait_for("the damaged file to go", || {
        fill(&cluster.nodes[leader], "after", 10, 100);
        let _ = cluster.nodes[leader].client().call(&["SAVE"]);
        (!file.exists()).then_some(())
    });
    assert_sound(&mut cluster.nodes[leader]);
    assert_alike(&cluster);
}

#[test]
fn a_leader_whose_snapshot_is_damaged_on_disk_says_so_and_sends_another() {
    let settings = ["--log-retention-bytes", "1mb", "--save", ""];
    let mut cluster = Cluster::start(3, &[&DEBUG[..], &settings].concat());
    let leader = cluster.leader();
    let away = replica(&cluster);
    fill(&cluster.nodes[leader], "some", 72_000, 1000);
    cluster.wait_level();
    cluster.nodes[away].kill();
    wait_for("the log to be trimmed", || {
        let _ = cluster.nodes[leader].client().call(&["SAVE"]);
        let first = first_file(&cluster.nodes[leader], "log", "log")?;
        (!first.ends_with(format!("{:020}.log", 0))).then_some(())
    });
    let snapshot = first_file(&cluster.nodes[leader], "snapshot", "snap").unwrap();
    flip(&snapshot, std::fs::metadata(&snapshot).unwrap().len() / 2);
    std::fs::remove_dir_all(&cluster.nodes[away].dir).unwrap();
    std::fs::create_dir_all(&cluster.nodes[away].dir).unwrap();
    cluster.nodes[away].start();
    wait_for("the copy", || cluster.nodes[away].log().contains("installed a full copy").then_some(()));
    let said = cluster.nodes[leader].log();
    assert!(said.contains(&format!("{} is corrupt at byte", snapshot.display())), "{said}");
    assert_alike(&cluster);
    assert_sound(&mut cluster.nodes[leader]);
    assert_alike(&cluster);
}

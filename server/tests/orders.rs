//! What the node does at the request of clients, beside the engine: snapshots that let go of the log, memory that goes
//! back to the system, and an end at once.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod common;

use common::client::{Answer, Client};
use common::process::Server;
use common::wait_for;
use tempfile::TempDir;

fn field(client: &mut Client, section: &str, name: &str) -> i64 {
    let Answer::Bulk(Some(text)) = client.call(&["INFO", section]).unwrap() else { panic!("INFO {section}") };
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

#[test]
fn a_rewrite_of_the_log_is_a_snapshot_and_one_more_if_it_comes_too_late() {
    let dir = TempDir::new().unwrap();
    let mut server = Server::new(&dir.path().join("node"), &["--save", "", "--enable-debug-command", "yes"]);
    server.start();
    let mut client = server.client();
    assert!(client.call(&["DEBUG", "POPULATE", "50000"]).unwrap().is_ok());
    assert_eq!(field(&mut client, "persistence", "rdb_saves"), 0);
    let (started, scheduled) = (
        Answer::Status("Background append only file rewriting started".into()),
        Answer::Status("Background append only file rewriting scheduled".into()),
    );
    assert_eq!(client.call(&["BGREWRITEAOF"]).unwrap(), started);
    let second = client.call(&["BGREWRITEAOF"]).unwrap();
    assert!(second == scheduled || second == started, "{second:?}");
    wait_for("both snapshots", || (field(&mut client, "persistence", "rdb_saves") == 2).then_some(()));
    assert_eq!(field(&mut client, "persistence", "aof_rewrite_scheduled"), 0);
    assert!(client.call(&["MEMORY", "PURGE"]).unwrap().is_ok());
    server.kill();
    server.start();
    let mut client = server.client();
    let size =
        wait_for("the data", || client.call(&["DBSIZE"]).ok().filter(|size| matches!(size, Answer::Int(_))));
    assert_eq!(size, Answer::Int(50_000));
}

#[test]
fn a_panic_ends_the_process_and_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let mut server = Server::new(&dir.path().join("node"), &["--enable-debug-command", "yes"]);
    server.start();
    let mut client = server.client();
    assert!(client.call(&["SET", "k", "v"]).unwrap().is_ok());
    assert!(client.call(&["DEBUG", "PANIC"]).is_err());
    assert!(!server.ended().success());
    assert!(server.log().contains("a panic that a client asked for"), "{}", server.log());
    server.start();
    let mut client = server.client();
    let held = wait_for("the data", || client.call(&["GET", "k"]).ok().filter(|held| held.text().is_some()));
    assert_eq!(held.text(), Some("v"));
}

//! Users and files: what a node starts with, what the log makes of it, and passwords that are exchanged in a file.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::time::Duration;

use common::client::{Answer, Client};
use common::process::Server;
use common::wait_for;
use tempfile::TempDir;

fn error(answer: Answer) -> String {
    match answer {
        Answer::Error(text) => text,
        other => panic!("{other:?} is no error"),
    }
}

fn enters(server: &Server, words: &[&str]) -> bool {
    let mut client = Client::connect(server.port, Duration::from_secs(10)).unwrap();
    client.call(words).unwrap().is_ok()
}

#[test]
fn the_file_is_the_start_and_the_log_wins() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("users.acl");
    fs::write(&file, "user ann on >one ~a* +@all\nuser bob on >two +@read\n").unwrap();
    let path = file.to_str().unwrap();
    let mut server = Server::new(&dir.path().join("node"), &["--aclfile", path]);
    server.start();
    let mut client = server.client();
    assert!(enters(&server, &["AUTH", "ann", "one"]) && enters(&server, &["AUTH", "bob", "two"]));

    // Nothing was changed by a command: an edited file counts with the next start.
    fs::write(&file, "user ann on >uno ~a* +@all\n").unwrap();
    server.kill();
    server.start();
    drop(client);
    client = server.client();
    assert!(enters(&server, &["AUTH", "ann", "uno"]) && !enters(&server, &["AUTH", "bob", "two"]));

    // A file that is wrong changes nothing, a right one does, and puts its users into the log.
    fs::write(&file, "user ann on >dos +nope\n").unwrap();
    let text = error(client.call(&["ACL", "LOAD"]).unwrap());
    assert!(text.contains("users.acl:1: Unknown command or category name in ACL. WARNING"), "{text}");
    fs::write(&file, "user ann on >dos ~a* +@all\nuser eve on >x +@all\n").unwrap();
    let mut gone = server.client();
    assert!(client.call(&["ACL", "LOAD"]).unwrap().is_ok());
    assert!(gone.call(&["PING"]).is_ok(), "the default user is not touched");
    assert!(client.call(&["ACL", "DELUSER", "eve"]).is_ok());
    fs::write(&file, "user late on nopass +@all\n").unwrap();
    assert!(client.call(&["FLUSHALL"]).unwrap().is_ok());
    server.kill();
    server.start();
    let mut client = server.client();
    let users = format!("{:?}", client.call(&["ACL", "USERS"]).unwrap());
    assert!(users.contains("ann") && !users.contains("late") && !users.contains("eve"), "{users}");
    assert!(enters(&server, &["AUTH", "ann", "dos"]));
    assert!(client.call(&["ACL", "SAVE"]).unwrap().is_ok());
    let saved = fs::read_to_string(&file).unwrap();
    assert!(
        saved.contains("user ann on sanitize-payload #") && saved.contains("user default on nopass"),
        "{saved}"
    );
}

#[test]
fn lines_of_the_configuration_make_users_and_are_written_back() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("server.conf");
    let node = dir.path().join("node");
    fs::create_dir_all(&node).unwrap();
    fs::write(&file, "# users\nuser ann on nopass ~a* +get\nuser default on >pw ~* +@all\n").unwrap();
    let config = file.to_str().unwrap().to_owned();
    let mut server = Server::with_file(&config, &node);
    server.start();
    let mut client = server.client();
    assert!(error(client.call(&["PING"]).unwrap()).starts_with("NOAUTH"));
    assert!(client.call(&["AUTH", "pw"]).unwrap().is_ok());
    assert!(client.call(&["ACL", "SETUSER", "ann", "+set"]).unwrap().is_ok());
    assert!(client.call(&["CONFIG", "REWRITE"]).unwrap().is_ok());
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("# users\nuser ann on nopass sanitize-payload ~a* resetchannels -@all +get +set\n"),
        "{text}"
    );
    assert!(text.contains("user default on sanitize-payload #") && !text.contains(">pw"), "{text}");
}

#[test]
fn a_password_is_exchanged_in_its_file() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("auth");
    fs::write(&file, "old\n").unwrap();
    let args = ["--requirepass-file", file.to_str().unwrap()];
    let mut server = Server::new(&dir.path().join("node"), &args);
    server.start();
    let mut client = server.client();
    assert!(client.call(&["AUTH", "old"]).unwrap().is_ok());
    // The file counts whatever the log says of the user `default`.
    assert!(client.call(&["ACL", "SETUSER", "default", ">own"]).unwrap().is_ok());
    fs::write(&file, "new\nold\n").unwrap();
    wait_for("the new password", || enters(&server, &["AUTH", "new"]).then_some(()));
    assert!(enters(&server, &["AUTH", "old"]) && enters(&server, &["AUTH", "own"]));
    fs::write(&file, "new\n").unwrap();
    wait_for("the old password to go", || (!enters(&server, &["AUTH", "old"])).then_some(()));
    assert!(enters(&server, &["AUTH", "new"]));
}

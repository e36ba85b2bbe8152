//! `MIGRATE` between processes: of ours and redis-server, and to a server that wants a password.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod common;
mod oracle;

use common::client::{Answer, Client};
use common::process::Server;
use oracle::{Redis, show};
use tempfile::TempDir;

fn started(dir: &TempDir, name: &str, args: &[&str]) -> (Server, Client) {
    let mut server = Server::new(&dir.path().join(name), args);
    server.start();
    let client = server.client();
    (server, client)
}

fn ask(client: &mut Client, line: &str) -> Answer {
    let words: Vec<&str> = line.split(' ').map(|word| if word == "''" { "" } else { word }).collect();
    client.call(&words).unwrap()
}

fn ok() -> Answer {
    Answer::Status("OK".into())
}

fn error(text: &str) -> Answer {
    Answer::Error(text.into())
}

#[test]
fn keys_move_with_what_belongs_to_them_and_stay_when_they_can_not() {
    let dir = TempDir::new().unwrap();
    let (_here, mut here) = started(&dir, "here", &[]);
    let (there, mut target) = started(&dir, "there", &["--requirepass", "secret"]);
    let port = there.port;
    assert_eq!(ask(&mut target, "AUTH secret"), ok());
    for line in ["SET s v", "SET e v PX 100000", "HSET h f v", "RPUSH l a b", "SET stays v"] {
        ask(&mut here, line);
    }
    let move_all = format!("MIGRATE 127.0.0.1 {port} '' 3 5000 AUTH secret KEYS s e missing h l");
    assert_eq!(ask(&mut here, &move_all), ok());
    assert_eq!(ask(&mut here, &move_all), Answer::Status("NOKEY".into()));
    assert_eq!(ask(&mut here, "DBSIZE"), Answer::Int(1));
    ask(&mut target, "SELECT 3");
    assert_eq!(ask(&mut target, "DBSIZE"), Answer::Int(4));
    assert_eq!(ask(&mut target, "LLEN l"), Answer::Int(2));
    assert!(matches!(ask(&mut target, "PTTL e"), Answer::Int(50_000..=100_000)));

    let one = |rest: &str| format!("MIGRATE 127.0.0.1 {port} stays {rest}");
    assert_eq!(
        ask(&mut here, &one("0 5000")),
        error("ERR Target instance replied with error: NOAUTH Authentication required.")
    );
    assert_eq!(
        ask(&mut here, &one("99 5000 AUTH2 default secret")),
        error("ERR Target instance replied with error: ERR DB index is out of range")
    );
    assert_eq!(ask(&mut here, &one("3 5000 COPY AUTH2 default secret")), ok());
    assert_eq!(
        ask(&mut here, &one("3 5000 AUTH secret")),
        error("ERR Target instance replied with error: BUSYKEY Target key name already exists.")
    );
    assert_eq!(
        ask(&mut here, "MIGRATE 127.0.0.1 1 stays 0 1000"),
        error("IOERR error or timeout writing to target instance")
    );
    assert_eq!(ask(&mut here, "EXISTS stays"), Answer::Int(1));
    assert_eq!(ask(&mut here, &one("3 5000 REPLACE AUTH secret")), ok());
    assert_eq!(ask(&mut here, "EXISTS stays"), Answer::Int(0));
}

#[test]
fn keys_go_to_the_reference_and_come_back() {
    let dir = TempDir::new().unwrap();
    let (here, mut ours) = started(&dir, "here", &[]);
    let mut redis = Redis::start();
    let info = show(&redis.ask(&["INFO", "server"]));
    let port = info.split("tcp_port:").nth(1).unwrap().split('\\').next().unwrap().to_owned();
    let many: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    let push: Vec<&str> = ["RPUSH", "list"].into_iter().chain(many.iter().map(String::as_str)).collect();
    ours.call(&push).unwrap();
    let long = "x".repeat(2_000_000);
    ours.call(&["SET", "long", &long]).unwrap();
    assert_eq!(ask(&mut ours, &format!("MIGRATE 127.0.0.1 {port} '' 0 5000 KEYS list long")), ok());
    assert_eq!(show(&redis.ask(&["LLEN", "list"])), ":500");
    assert_eq!(show(&redis.ask(&["STRLEN", "long"])), ":2000000");
    let back = here.port.to_string();
    let moved = redis.ask(&["MIGRATE", "127.0.0.1", &back, "", "0", "5000", "KEYS", "list", "long"]);
    assert_eq!(show(&moved), "+OK");
    assert_eq!(show(&redis.ask(&["DBSIZE"])), ":0");
    assert_eq!(ask(&mut ours, "LINDEX list 499"), Answer::Bulk(Some("499".into())));
    assert_eq!(ask(&mut ours, "STRLEN long"), Answer::Int(2_000_000));
}

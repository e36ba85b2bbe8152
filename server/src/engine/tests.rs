//! Several clients talk to an engine, without sockets.

use std::sync::Arc;

use super::{Acks, Engine, Forgetful, Journal, Progress};
use crate::command::Order;
use crate::command::server::Role;
use crate::config::Config;
use crate::resp::{Batch, encode};
use crate::session::ClientId;

struct Server {
    engine: Engine,
    now: u64,
}

impl Server {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let journal = Box::new(Forgetful::default());
        Self { engine: Engine::new(Arc::new(config), journal, 1), now: 1_000_000 }
    }

    fn client(&mut self) -> ClientId {
        self.engine.connect("127.0.0.1:1".into(), "127.0.0.1:2".into())
    }

    /// Send words; what the client has got since it was last asked, with line breaks as spaces.
    fn say(&mut self, id: ClientId, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        self.engine.execute(id, &Batch::of(&words), 0, self.now);
        self.hear(id)
    }

    fn hear(&mut self, id: ClientId) -> String {
        let (mut queued, mut bytes) = (Vec::new(), Vec::new());
        self.engine.output(id, &mut queued);
        queued.iter().for_each(|out| encode(&out.reply, out.protocol, &mut bytes));
        String::from_utf8_lossy(&bytes).replace("\r\n", " ").trim_end().to_owned()
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now += milliseconds;
        self.engine.tick(self.now);
    }
}

/// `EXEC` of a client that watches `k`, which `before` did something to and `after` did since.
fn exec_after(before: &[&str], pass: u64, after: &[&str]) -> String {
    let mut server = Server::new();
    let (a, b) = (server.client(), server.client());
    for line in before {
        server.say(b, line);
    }
    // Time passes, but nobody looks for what has expired.
    server.now += pass;
    server.say(a, "WATCH k");
    for line in after {
        match line.strip_prefix("PASS ") {
            Some(time) => server.now += time.parse::<u64>().unwrap(),
            None => drop(server.say(b, line)),
        }
    }
    server.say(a, "MULTI");
    server.say(a, "PING");
    server.say(a, "EXEC")
}

#[test]
fn a_watched_key_that_expires_is_touched_but_not_one_that_had_expired() {
    let (ran, refused) = ("*1 +PONG", "*-1");
    let set: &[&str] = &["SET k v PX 100"];
    assert_eq!(exec_after(set, 0, &[]), ran);
    assert_eq!(exec_after(set, 0, &["PASS 100"]), refused);
    assert_eq!(exec_after(set, 0, &["PASS 100", "GET k"]), refused);
    assert_eq!(exec_after(set, 100, &[]), ran);
    assert_eq!(exec_after(set, 100, &["GET k"]), ran);
    assert_eq!(exec_after(set, 100, &["GET k", "SET k w", "DEL k"]), refused);
    assert_eq!(exec_after(set, 100, &["SET k w"]), refused);
    assert_eq!(exec_after(set, 100, &["FLUSHALL"]), ran);
    assert_eq!(exec_after(set, 100, &["SWAPDB 0 1"]), ran);
    let both: &[&str] = &["SET k v PX 100", "SELECT 1", "SET k v PX 100", "SELECT 0"];
    assert_eq!(exec_after(both, 100, &["SWAPDB 0 1"]), ran);
    let other: &[&str] = &["SET k v PX 100", "SELECT 1", "SET k v", "SELECT 0"];
    assert_eq!(exec_after(other, 100, &["SWAPDB 0 1"]), refused);
    let only_other: &[&str] = &["SELECT 1", "SET k v PX 100", "SELECT 0"];
    assert_eq!(exec_after(only_other, 100, &["SWAPDB 0 1"]), ran);
    assert_eq!(exec_after(only_other, 0, &["SWAPDB 0 1"]), refused);
}

#[test]
fn waiting_has_an_end_that_the_engine_knows() {
    let mut server = Server::new();
    let (a, b) = (server.client(), server.client());
    server.say(a, "BLPOP k 0.5");
    server.say(b, "BLPOP k 0.25");
    assert_eq!(server.engine.next_deadline(), Some(server.now + 250));
    server.pass(250);
    assert_eq!((server.hear(a).as_str(), server.hear(b).as_str()), ("", "*-1"));
    assert_eq!(server.engine.next_deadline(), Some(server.now + 250));
    server.engine.disconnect(a);
    assert_eq!(server.engine.next_deadline(), None);
    server.say(b, "RPUSH k 1");
    assert_eq!(server.say(b, "LLEN k"), ":1", "who is gone takes nothing");
}

#[test]
fn a_wait_ends_although_the_wall_clock_was_set_back() {
    let mut server = Server::new();
    let id = server.client();
    server.say(id, "BLPOP k 2");
    server.now -= 900_000;
    for _ in 0..30 {
        server.pass(100);
    }
    assert_eq!(server.hear(id), "*-1");
}

#[test]
fn replicas_end_a_wait() {
    let mut server = Server::new();
    let (a, b) = (server.client(), server.client());
    server.say(a, "SET k v");
    let end = server.engine.clients.get(a).unwrap().written;
    assert!(end > 0);
    assert_eq!(server.say(a, "WAIT 2 0"), "");
    assert_eq!(server.say(b, "WAIT 0 0"), ":0");
    let acks = |held: &[u64], local_synced| Acks { held: held.to_vec(), synced: vec![0, 0], local_synced };
    server.engine.replicas_acked(acks(&[end, end - 1], 0));
    assert_eq!(server.hear(a), "");
    server.engine.replicas_acked(acks(&[end, end], 0));
    assert_eq!(server.hear(a), ":2");
    assert_eq!(server.say(a, "WAIT 3 100"), "");
    server.pass(100);
    assert_eq!(server.hear(a), ":2");
    assert_eq!(server.say(a, "WAITAOF 1 0 0"), "");
    server.engine.replicas_acked(acks(&[end, end], end));
    assert_eq!(server.hear(a), "*2 :1 :0");
}

#[test]
fn data_that_is_replaced_counts_no_fewer_changes() {
    let mut server = Server::new();
    let a = server.client();
    for _ in 0..3 {
        server.say(a, "SET k v");
    }
    let before = server.engine.keyspace.changes;
    let forms = server.engine.keyspace.forms;
    server.engine.replace_keyspace(crate::keyspace::Keyspace::new(16, forms));
    assert!(server.engine.keyspace.changes >= before);
}

#[test]
fn a_deposed_leader_unblocks_its_clients() {
    let mut server = Server::new();
    let (a, b) = (server.client(), server.client());
    server.say(a, "BLPOP k 10");
    server.engine.close_clients();
    assert!(server.hear(a).starts_with("-UNBLOCKED force unblock"));
    assert!(server.engine.clients.get(b).unwrap().killed);
    assert_eq!(server.engine.next_deadline(), None);
}

#[test]
fn a_message_waits_for_what_its_sender_wrote_before() {
    let mut server = Server::new();
    let (a, b, c) = (server.client(), server.client(), server.client());
    server.say(c, "SUBSCRIBE news");
    let role = crate::command::server::Role::Leader;
    server.engine.set_status(crate::command::server::Status { role, ..Default::default() });
    server.engine.journal = Box::new(Lagging::default());
    server.say(a, "SET k v");
    server.say(a, "PUBLISH news mine");
    server.say(b, "PUBLISH news yours");
    let mut out = Vec::new();
    server.engine.output(c, &mut out);
    let after: Vec<u64> = out.iter().map(|out| out.after).collect();
    assert_eq!(after, [server.engine.clients.get(a).unwrap().written, 0]);
}

#[test]
fn nobody_is_told_what_is_stale_before_it_is_committed() {
    let mut server = Server::new();
    let (a, b, c) = (server.client(), server.client(), server.client());
    for client in [a, b] {
        server.say(client, "HELLO 3");
        server.say(client, "CLIENT TRACKING ON");
        server.say(client, "GET k");
        server.hear(client);
    }
    let role = crate::command::server::Role::Leader;
    server.engine.set_status(crate::command::server::Status { role, ..Default::default() });
    server.engine.journal = Box::new(Lagging::default());
    server.engine.execute(b, &Batch::of(&["SET", "k", "v"]), 0, server.now);
    let written = server.engine.clients.get(b).unwrap().written;
    assert!(written > 0);
    for (client, told) in [(a, 1), (b, 2)] {
        let mut out = Vec::new();
        server.engine.output(client, &mut out);
        assert_eq!(out.iter().map(|out| out.after).collect::<Vec<_>>(), vec![written; told]);
    }
    // That a string grew, though nothing in it changed, is seen by who reads it.
    server.engine.replicated = true;
    let grow = ["BITFIELD", "n", "OVERFLOW", "FAIL", "INCRBY", "u8", "8", "-1"];
    server.engine.execute(b, &Batch::of(&grow), 0, server.now);
    let written = server.engine.clients.get(b).unwrap().written;
    server.engine.execute(c, &Batch::of(&["STRLEN", "n"]), 0, server.now);
    let mut out = Vec::new();
    server.engine.output(c, &mut out);
    assert_eq!(out.last().map(|out| out.after), Some(written));
}

/// A journal in which nothing is ever committed.
#[derive(Default)]
struct Lagging(Forgetful);

impl Journal for Lagging {
    fn append(&mut self, time_ms: u64, payload: &[u8]) -> u64 {
        self.0.append(time_ms, payload)
    }

    fn end(&self) -> u64 {
        self.0.end()
    }

    fn committed(&self) -> u64 {
        0
    }

    fn refusal(&self) -> Option<crate::resp::Failure> {
        None
    }
}

#[test]
fn fields_that_expired_are_hidden_by_all_and_removed_by_the_leader() {
    let mut server = Server::new();
    let a = server.client();
    assert_eq!(server.say(a, "HSET h a 1 b 2"), ":2");
    assert_eq!(server.say(a, "HPEXPIRE h 100 FIELDS 1 a"), "*1 :1");
    let kept = |server: &Server| {
        let entry = server.engine.keyspace.database(0).get(b"h");
        entry.map(|entry| match &entry.value {
            crate::value::Value::Hash(hash) => hash.len(),
            other => panic!("{other:?} is no hash"),
        })
    };
    server.engine.keyspace.authority = false;
    server.pass(100);
    assert_eq!((server.say(a, "HGET h a"), server.say(a, "HLEN h")), ("$-1".into(), ":1".into()));
    assert_eq!(kept(&server), Some(2), "a follower only hides");
    server.engine.keyspace.authority = true;
    server.pass(1);
    assert_eq!(kept(&server), Some(1), "a leader removes");
    assert_eq!(server.engine.keyspace.stats.expired_fields, 1);
    server.say(a, "HPEXPIRE h 100 FIELDS 1 b");
    server.engine.keyspace.authority = false;
    server.pass(100);
    assert_eq!((server.say(a, "EXISTS h"), server.say(a, "TYPE h")), (":0".into(), "+none".into()));
    assert_eq!(kept(&server), Some(1));
    server.engine.keyspace.authority = true;
    server.pass(1);
    assert_eq!(kept(&server), None, "nothing is left of it");
}

#[test]
fn a_password_is_asked_for() {
    let config = Config::from_args(["--requirepass", "pw"]).unwrap();
    let mut server = Server::with(config);
    let a = server.client();
    assert_eq!(server.say(a, "PING"), "-NOAUTH Authentication required.");
    assert!(server.say(a, "HELLO 3").starts_with("-NOAUTH HELLO must be called"));
    assert!(server.say(a, "AUTH no").starts_with("-WRONGPASS"));
    assert_eq!(server.say(a, "AUTH pw"), "+OK");
    assert!(server.say(a, "HELLO 3").starts_with("%7 $6 server $5 redis"));
    assert_eq!(server.say(a, "PING"), "+PONG");
    let quit = server.engine.execute(a, &Batch::of(&["QUIT"]), 0, server.now);
    assert_eq!(quit, Progress::Close);
}

#[test]
fn who_understands_is_told_where_the_leader_is() {
    let mut server = Server::new();
    let (plain, able) = (server.client(), server.client());
    assert_eq!(server.say(able, "CLIENT CAPA redirect"), "+OK");
    let status = &mut server.engine.server.status;
    (status.role, status.leader_address) = (Role::Replica, Some(("there".into(), 7)));
    assert_eq!(server.say(plain, "SET k v"), "-READONLY You can't write against a read only replica.");
    assert_eq!(server.say(plain, "GET k"), "$-1");
    for line in ["SET k v", "GET k"] {
        assert_eq!(server.say(able, line), "-REDIRECT there:7");
    }
    assert_eq!(server.say(able, "PING"), "+PONG");
    // Reads may be meant for this very node.
    assert_eq!(server.say(able, "READONLY"), "+OK");
    assert_eq!(server.say(able, "GET k"), "$-1");
    assert_eq!(server.say(able, "SET k v"), "-REDIRECT there:7");
    assert_eq!(server.say(able, "EVAL #!lua\nreturn(1) 0"), "-REDIRECT there:7");
}

#[test]
fn other_data_goes_by_the_same_settings() {
    let mut server = Server::new();
    let (a, listener) = (server.client(), server.client());
    server.say(a, "CONFIG SET notify-keyspace-events KA");
    server.say(listener, "SUBSCRIBE __keyspace@0__:k");
    let forms = server.engine.keyspace.forms;
    server.engine.replace_keyspace(crate::keyspace::Keyspace::new(16, forms));
    server.say(a, "SET k v");
    assert!(server.hear(listener).ends_with("$3 set"));
}

#[test]
fn a_key_that_changed_while_it_was_sent_stays() {
    let mut server = Server::new();
    let a = server.client();
    for line in ["SET same 1", "SET other 1"] {
        server.say(a, line);
    }
    assert_eq!(server.say(a, "MIGRATE nowhere 1  0 1000 KEYS same other gone"), "");
    let orders = server.engine.take_orders();
    let [(_, Order::Migrate(migration))] = &orders[..] else { panic!("{orders:?}") };
    let b = server.client();
    server.say(b, "SET other 2");
    let taken: Vec<_> = migration.items.iter().collect();
    let (failure, _) = server.engine.migrated(0, &taken);
    assert!(failure.is_some_and(|failure| failure.0.contains("'other' changed")));
    assert_eq!(server.say(b, "KEYS *"), "*1 $5 other");
}

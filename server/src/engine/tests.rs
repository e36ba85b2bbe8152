//! Several clients talk to an engine, without sockets.

use std::sync::Arc;

use super::{Engine, Forgetful, Progress};
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

#[test]
fn lists_are_pushed_and_popped() {
    let mut server = Server::new();
    let a = server.client();
    assert_eq!(server.say(a, "RPUSH k a b c"), ":3");
    assert_eq!(server.say(a, "LRANGE k 0 -1"), "*3 $1 a $1 b $1 c");
    assert_eq!(server.say(a, "LPOP k 2"), "*2 $1 a $1 b");
    assert_eq!(server.say(a, "RPOP k"), "$1 c");
    assert_eq!(server.say(a, "RPOP k"), "$-1");
    assert_eq!(server.say(a, "LLEN k"), ":0");
}

#[test]
fn who_waits_first_is_served_first() {
    let mut server = Server::new();
    let (a, b, c) = (server.client(), server.client(), server.client());
    assert_eq!(server.say(a, "BLPOP x k 0"), "");
    assert_eq!(server.say(b, "BRPOP k 0"), "");
    assert_eq!(server.say(c, "RPUSH k 1 2 3"), ":3");
    assert_eq!(server.hear(a), "*2 $1 k $1 1");
    assert_eq!(server.hear(b), "*2 $1 k $1 3");
    assert_eq!(server.say(c, "LRANGE k 0 -1"), "*1 $1 2");
}

#[test]
fn a_client_is_served_from_the_key_that_came_first() {
    let mut server = Server::new();
    let (a, b) = (server.client(), server.client());
    server.say(a, "BLPOP x y 0");
    for line in ["MULTI", "RPUSH y 1", "RPUSH x 2"] {
        server.say(b, line);
    }
    assert_eq!(server.say(b, "EXEC"), "*2 :1 :1");
    assert_eq!(server.hear(a), "*2 $1 y $1 1");
}

#[test]
fn waiting_ends_by_time_or_by_another_client() {
    let mut server = Server::new();
    let (a, b) = (server.client(), server.client());
    server.say(a, "BLPOP k 0.5");
    assert_eq!(server.engine.next_deadline(), Some(server.now + 500));
    server.pass(499);
    assert_eq!(server.hear(a), "");
    server.pass(1);
    assert_eq!(server.hear(a), "*-1");
    assert_eq!(server.engine.next_deadline(), None);
    server.say(a, "BLMOVE k l LEFT LEFT 0");
    assert_eq!(server.say(b, &format!("CLIENT UNBLOCK {a}")), ":1");
    assert_eq!(server.hear(a), "*-1");
    server.say(a, "BLMOVE k l LEFT LEFT 0");
    assert_eq!(server.say(b, &format!("CLIENT UNBLOCK {a} ERROR")), ":1");
    assert_eq!(server.hear(a), "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
    assert_eq!(server.say(b, &format!("CLIENT UNBLOCK {a}")), ":0");
}

#[test]
fn a_killed_client_takes_nothing_any_more() {
    let mut server = Server::new();
    let (a, b) = (server.client(), server.client());
    server.say(a, "BLPOP k 0");
    assert_eq!(server.say(b, &format!("CLIENT KILL ID {a}")), ":1");
    server.say(b, "RPUSH k 1");
    assert_eq!(server.say(b, "LLEN k"), ":1");
}

#[test]
fn exec_is_all_or_nothing_when_a_watched_key_changes() {
    let mut server = Server::new();
    let (a, b) = (server.client(), server.client());
    server.say(a, "RPUSH k 1");
    server.say(a, "WATCH k");
    server.say(b, "RPUSH k 2");
    server.say(a, "MULTI");
    assert_eq!(server.say(a, "LLEN k"), "+QUEUED");
    assert_eq!(server.say(a, "EXEC"), "*-1");
    server.say(a, "MULTI");
    assert_eq!(server.say(a, "LLEN k"), "+QUEUED");
    assert_eq!(server.say(a, "EXEC"), "*1 :2");
}

#[test]
fn messages_reach_listeners() {
    let mut server = Server::new();
    let (a, b) = (server.client(), server.client());
    assert_eq!(server.say(a, "SUBSCRIBE c d"), "*3 $9 subscribe $1 c :1 *3 $9 subscribe $1 d :2");
    assert_eq!(server.say(b, "PUBLISH c hi"), ":1");
    assert_eq!(server.hear(a), "*3 $7 message $1 c $2 hi");
    assert_eq!(server.say(b, "PUBSUB NUMSUB c e"), "*4 $1 c :1 $1 e :0");
    server.engine.disconnect(a);
    assert_eq!(server.say(b, "PUBLISH c hi"), ":0");
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

//! The settings, patterns and words, compared with a running redis-server: where both have the thing, both must say the
//! same. What differs on purpose is listed with its reason, and the list is checked too.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod oracle;

use botellier_server::config::{Config, SETTINGS, glob, split_args};
use oracle::{Connection, Value};
use std::process::Command;

/// Settings whose default differs on purpose.
const OTHER_DEFAULTS: &[(&str, &str)] = &[
    // An acknowledged write outlives a restart, without anybody having to know of a setting.
    ("appendonly", "yes"),
    // Every thread serves clients: there is no main thread for the others to help.
    ("io-threads", "0"),
];

/// Settings of both that only Redis lets change at run time.
const FIXED_HERE: &[(&str, &str)] = &[
    // Clients, probes and the other nodes know the address; changing it is a restart.
    ("port", "1234"),
    ("bind", "127.0.0.1"),
    // A log switched off and on again has a gap, which a node of a store can't have.
    ("appendonly", "no"),
];

/// Settings that Redis 7.0 has not: ours, and later ones.
const OURS: &[&str] = &[
    "announce-host",
    "commandlog-execution-slower-than",
    "commandlog-large-reply-max-len",
    "commandlog-large-request-max-len",
    "commandlog-reply-larger-than",
    "commandlog-request-larger-than",
    "commandlog-slow-execution-max-len",
    "durability",
    "lease-ms",
    "log-retention-bytes",
    "masterauth-file",
    "metrics-port",
    "node-id",
    "replica-forward-writes",
    "replication-port",
    "leader-port",
    "requirepass-file",
    "set-max-listpack-entries",
    "set-max-listpack-value",
    "shard-name",
    "zone",
    "zookeeper",
];

struct Redis {
    server: oracle::Redis,
    connection: Connection,
}

impl Redis {
    fn start() -> Redis {
        let server = oracle::Redis::with(&[]);
        let connection = server.connect();
        Redis { server, connection }
    }

    /// Our configuration, started with the same arguments.
    fn twin(&self) -> Config {
        let (port, dir) = (self.server.port().to_string(), self.server.directory().to_str().unwrap());
        Config::from_args(["--port", &port, "--bind", "127.0.0.1", "--dir", dir]).unwrap()
    }

    /// Sends a command and gives its reply as flat texts; an error is one text that begins with `-`.
    fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Vec<Vec<u8>> {
        self.raw(&oracle::request(args))
    }

    fn raw(&mut self, request: &[u8]) -> Vec<Vec<u8>> {
        self.connection.send(request).unwrap();
        let mut texts = Vec::new();
        flatten(self.connection.receive().unwrap(), &mut texts);
        texts
    }

    fn get(&mut self, pattern: &str) -> Vec<(String, String)> {
        let texts = self.call(&["CONFIG", "GET", pattern]);
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
        let mut pairs: Vec<_> = texts.chunks(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
        pairs.sort();
        pairs
    }
}

fn flatten(reply: Value, texts: &mut Vec<Vec<u8>>) {
    match reply {
        Value::Many(_, items) => items.into_iter().for_each(|item| flatten(item, texts)),
        Value::Bulk(text) | Value::Status(text) => texts.push(text),
        Value::Error(text) => texts.push([b"-", text.as_slice()].concat()),
        Value::Int(number) => texts.push(number.to_string().into()),
        other => panic!("{other:?} is no reply of these commands"),
    }
}

#[test]
fn defaults_render_as_redis_renders_them() {
    let mut redis = Redis::start();
    let ours = redis.twin();
    for setting in SETTINGS {
        for name in setting.names() {
            let theirs = redis.get(name);
            if OURS.contains(&name) {
                assert!(theirs.is_empty(), "Redis has {name}: it does not belong in the list");
                continue;
            }
            let mut expected = theirs.clone();
            if let Some((_, value)) = OTHER_DEFAULTS.iter().find(|(other, _)| *other == name) {
                assert_ne!(theirs[0].1, *value, "{name} differs no more");
                expected[0].1 = (*value).into();
            }
            assert_eq!(ours.get(&[name]), expected, "{name}");
        }
    }
}

#[test]
fn set_answers_and_changes_as_in_redis() {
    let mut redis = Redis::start();
    let mut ours = redis.twin();
    for changes in SETS {
        let words = ["CONFIG", "SET"].iter().chain(*changes).copied().collect::<Vec<_>>();
        let theirs = String::from_utf8(redis.call(&words).concat()).unwrap();
        let pairs: Vec<(&str, &str)> = changes.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        let answer = match ours.set(&pairs) {
            Ok(next) => {
                ours = next;
                "OK".to_owned()
            }
            Err(error) => format!("-ERR {error}"),
        };
        assert_eq!(answer, theirs, "CONFIG SET {changes:?}");
        for (name, _) in pairs {
            if redis.get(name) != ours.get(&[name]) {
                let differs = OTHER_DEFAULTS.iter().any(|(other, _)| *other == name);
                assert!(differs, "{name} after {changes:?}: {:?} {:?}", redis.get(name), ours.get(&[name]));
            }
        }
    }
}

const SETS: &[&[&str]] = &[
    &["databases", "3"],
    &["nope", "3"],
    &["", "3"],
    &["timeout", "abc"],
    &["timeout", "-1"],
    &["timeout", "99999999999999999999"],
    &["timeout", " 5"],
    &["timeout", "5 6"],
    &["timeout", ""],
    &["timeout", "05"],
    &["timeout", "+5"],
    &["timeout", "5k"],
    &["TIMEOUT", "7"],
    &["timeout", "1", "timeout", "2"],
    &["timeout", "1", "nope", "2"],
    &["timeout", "abc", "databases", "1"],
    &["databases", "1", "timeout", "abc"],
    &["timeout", "5", "hz", "abc"],
    &["timeout", "5", "hz", "1000", "tcp-keepalive", "9"],
    &["hz", "0"],
    &["hz", "-1"],
    &["active-expire-effort", "11"],
    &["active-expire-effort", "10"],
    &["appendfsync", "foo"],
    &["appendfsync", "ALWAYS"],
    &["loglevel", "foo"],
    &["loglevel", "Verbose"],
    &["latency-tracking", "foo"],
    &["latency-tracking", "NO"],
    &["client-output-buffer-limit", "normal 1"],
    &["client-output-buffer-limit", "foo 1 2 3"],
    &["client-output-buffer-limit", "master 1 2 3"],
    &["client-output-buffer-limit", "normal 1 2 a"],
    &["client-output-buffer-limit", "normal 1xx 2mb 10"],
    &["client-output-buffer-limit", "normal 1mb 2mb 10"],
    &["client-output-buffer-limit", "replica 1mb 2k 10 PUBSUB 3gb 2 0"],
    &["save", "a b"],
    &["save", "60"],
    &["save", "0 1"],
    &["save", "5  4"],
    &["save", " "],
    &["save", "60 100 5 4"],
    &["save", ""],
    &["proto-max-bulk-len", "1"],
    &["proto-max-bulk-len", "1zb"],
    &["proto-max-bulk-len", "-1"],
    &["proto-max-bulk-len", ""],
    &["proto-max-bulk-len", "05MB"],
    &["proto-max-bulk-len", "2g"],
    &["client-query-buffer-limit", "1"],
    &["client-query-buffer-limit", "99999gb"],
    &["client-query-buffer-limit", "9999999999gb"],
    &["maxclients", "0"],
    &["maxclients", "100"],
    &["slowlog-log-slower-than", "-5"],
    &["slowlog-log-slower-than", "-1"],
    &["slowlog-max-len", "-5"],
    &["latency-monitor-threshold", "-1"],
    &["list-max-listpack-size", "-6"],
    &["set-max-intset-entries", "-1"],
    &["set-max-intset-entries", "5"],
    &["list-max-ziplist-size", "12"],
    &["list-max-ziplist-size", "1", "list-max-listpack-size", "2"],
    &["logfile", "x"],
    &["tcp-backlog", "5"],
    &["requirepass", ""],
    &["masterauth", "a \"b\""],
];

#[test]
fn what_is_fixed_here_says_so() {
    let mut redis = Redis::start();
    let ours = redis.twin();
    for (name, value) in FIXED_HERE {
        let error = ours.set(&[(name, value)]).unwrap_err().to_string();
        assert!(error.ends_with("can't set immutable config"), "{error}");
        assert!(!redis.get(name).is_empty(), "Redis has no {name}");
    }
}

#[test]
fn what_is_wrong_in_a_file_has_redis_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.conf");
    for text in [
        "nope 1",
        "timeout abc",
        "timeout 1 2",
        "timeout",
        "timeout \"abc",
        "timeout \"1\"x",
        "databases 0",
        "port 99999999999999999999",
        "client-output-buffer-limit normal 1 2",
        "save 1",
        "save a b",
        "loglevel x",
        "appendfsync x",
        "appendonly x",
        "proto-max-bulk-len 5xb",
        "proto-max-bulk-len 5",
        "bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18",
    ] {
        std::fs::write(&file, text).unwrap();
        let output = Command::new("redis-server").arg(&file).output().unwrap();
        assert!(!output.status.success());
        let printed = String::from_utf8(output.stderr).unwrap();
        let reason = printed.trim_end().lines().last().unwrap();
        let error = Config::from_args([file.to_str().unwrap()]).unwrap_err().to_string();
        assert_eq!(error, format!("{}, line 1: '{text}': {reason}", file.display()));
    }
}

/// A small generator of numbers, so that a failure can be repeated.
struct Seed(u64);

impl Seed {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn text(&mut self, letters: &[u8], length_max: usize) -> Vec<u8> {
        (0..self.below(length_max + 1)).map(|_| letters[self.below(letters.len())]).collect()
    }
}

#[test]
fn patterns_match_the_keys_that_redis_matches() {
    let mut redis = Redis::start();
    let mut seed = Seed(0x5eed_0001);
    let mut keys: Vec<Vec<u8>> = (0..300).map(|_| seed.text(b"ab\\]^-*\xff", 4)).collect();
    keys.sort();
    keys.dedup();
    for key in &keys {
        redis.call(&[&b"SET"[..], key, b"x"]);
    }
    for _ in 0..3_000 {
        let pattern = seed.text(b"aab\\]^-**[[?\xff", 7);
        // KEYS answers this one without matching at all.
        if pattern == b"*" {
            continue;
        }
        let mut theirs = redis.call(&[&b"KEYS"[..], &pattern]);
        theirs.sort();
        let ours: Vec<_> = keys.iter().filter(|key| glob::matches(&pattern, key, false)).cloned().collect();
        let printable = pattern.escape_ascii();
        assert_eq!(ours, theirs, "pattern {printable}");
    }
}

#[test]
fn names_match_without_regard_to_case() {
    let mut redis = Redis::start();
    let ours = redis.twin();
    for pattern in
        ["TIME*", "[M-p]axclients", "max[^C]*", "h?", "*-MAX-*size", "SLOW[A-Z]og-m*", "[\\H]z", "list-max-*"]
    {
        let mut mine = ours.get(&[pattern]);
        mine.sort();
        let known = |(name, _): &(String, String)| SETTINGS.iter().any(|s| s.names().any(|n| n == name));
        let theirs: Vec<_> = redis.get(pattern).into_iter().filter(known).collect();
        assert_eq!(mine, theirs, "{pattern}");
    }
}

#[test]
fn lines_split_into_the_words_that_redis_takes() {
    let mut redis = Redis::start();
    let mut seed = Seed(0x5eed_0002);
    for _ in 0..2_000 {
        let line = [b"unknown " as &[u8], &seed.text(b"ab \"\"''\\xn\t4", 12)].concat();
        let theirs = redis.raw(&[&line[..], b"\r\n"].concat());
        let closed = theirs.concat().starts_with(b"-ERR Protocol error: unbalanced quotes");
        let printable = line.escape_ascii();
        match split_args(&line) {
            Err(_) => {
                assert!(closed, "{printable}");
                // Redis closes after a broken protocol.
                redis.connection = redis.server.connect();
            }
            Ok(words) => {
                assert!(!closed, "{printable}");
                // The error of an unknown command shows its arguments.
                let again = redis.call(&words);
                assert_eq!(theirs, again, "{printable}");
            }
        }
    }
}

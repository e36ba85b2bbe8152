//! Values travel to redis-server and back by `DUMP` and `RESTORE`, and their digests are those of redis-server.

mod oracle;

use oracle::{Ours, Redis, Value, show};

/// Values in every form in which redis-server keeps and dumps them.
fn make(redis: &mut Redis) {
    let ask = |redis: &mut Redis, words: &[&str]| {
        let reply = redis.ask(words);
        assert!(!show(&reply).starts_with('-'), "{words:?}: {}", show(&reply));
    };
    let long = "compress me, ".repeat(1_000);
    for (key, value) in [
        ("empty", ""),
        ("text", "hello \u{e9}"),
        ("int8", "-7"),
        ("int16", "300"),
        ("int32", "-70000"),
        ("int64", "9223372036854775807"),
        ("zeros", "007"),
        ("long", long.as_str()),
    ] {
        ask(redis, &["SET", key, value]);
    }
    ask(redis, &["SET", "expires", "x", "EX", "100000"]);
    ask(
        redis,
        &["RPUSH", "list", "a", "", "127", "128", "-1", "-4096", "4095", "40000", "-9000000", "3000000000"],
    );
    ask(redis, &["RPUSH", "list", "-9223372036854775808", &"y".repeat(63), &"z".repeat(64), &long]);
    ask(redis, &["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "100b"]);
    ask(redis, &["RPUSH", "plain", "small", &"random ".repeat(30), "small"]);
    ask(redis, &["SADD", "ints16", "1", "-2", "3"]);
    ask(redis, &["SADD", "ints32", "1", "-70000"]);
    ask(redis, &["SADD", "ints64", "1", "-7000000000"]);
    ask(redis, &["SADD", "words", "a", "", "7"]);
    ask(redis, &["ZADD", "scores", "1", "a", "-0.5", "b", "inf", "c", "-inf", "d", "0.1", "", "300", "7"]);
    ask(redis, &["HSET", "fields", "a", "1", "b", "", "", "c", "n", "-70000"]);
    for number in 0..600 {
        let number = number.to_string();
        ask(redis, &["RPUSH", "longlist", &number, "text that takes some room in a node of a list"]);
        ask(redis, &["SADD", "manyints", &number]);
        ask(redis, &["HSET", "manyfields", &format!("field {number}"), &number]);
        ask(redis, &["SADD", "manywords", &format!("word {number}")]);
        ask(redis, &["ZADD", "many", &format!("{number}.1"), &format!("member {number}")]);
    }
}

fn keys(redis: &mut Redis) -> Vec<Vec<u8>> {
    let Value::Many(_, keys) = redis.ask(&["KEYS", "*"]) else { panic!("KEYS") };
    let key = |key| match key {
        Value::Bulk(key) => key.clone(),
        other => panic!("{other:?} is no key"),
    };
    keys.into_iter().map(key).collect()
}

fn dumped(value: Value) -> Vec<u8> {
    match value {
        Value::Bulk(bytes) => bytes.clone(),
        other => panic!("{other:?} is no dump"),
    }
}

#[test]
fn values_travel_to_the_reference_and_back() {
    let (mut ours, mut redis) = (Ours::start(), Redis::start());
    make(&mut redis);
    let digest = show(&redis.ask(&["DEBUG", "DIGEST"]));
    let keys = keys(&mut redis);
    assert!(keys.len() > 15);
    for key in &keys {
        let name = String::from_utf8_lossy(key).into_owned();
        let dump = dumped(redis.ask(&[b"DUMP", key.as_slice()]));
        let ttl: &[u8] = if name == "expires" { b"100000000" } else { b"0" };
        let reply = ours.ask(&[b"RESTORE", key.as_slice(), ttl, &dump]);
        assert_eq!(show(&reply), "+OK", "{name}");
        let theirs = show(&redis.ask(&[b"DEBUG", b"DIGEST-VALUE".as_slice(), key]));
        assert!(theirs.contains(&ours.engine.keyspace.digest_of(0, key).to_string()), "{name}: {theirs}");
    }
    assert_eq!(format!("+{}", ours.engine.keyspace.digest()), digest);
    // What is written and read again, and what a follower holds, is the same.
    ours.engine.keyspace.reload().expect("it can be read");
    assert_eq!(format!("+{}", ours.engine.keyspace.digest()), digest);
    assert_eq!(format!("+{}", ours.follower().engine.keyspace.digest()), digest);
    redis.ask(&["FLUSHALL"]);
    for key in &keys {
        let name = String::from_utf8_lossy(key).into_owned();
        let dump = dumped(ours.ask(&[b"DUMP", key.as_slice()]));
        let ttl: &[u8] = if name == "expires" { b"100000000" } else { b"0" };
        let reply = redis.ask(&[b"RESTORE", key.as_slice(), ttl, &dump]);
        assert_eq!(show(&reply), "+OK", "{name}");
    }
    assert_eq!(show(&redis.ask(&["DEBUG", "DIGEST"])), digest);
}

#[test]
fn whatever_is_damaged_is_refused_as_the_reference_refuses_it() {
    let (mut ours, mut redis) = (Ours::start(), Redis::start());
    redis.ask(&["ZADD", "z", "1", "a", "2.5", "b"]);
    let dump = dumped(redis.ask(&["DUMP", "z"]));
    for at in 0..dump.len() {
        let mut damaged = dump.clone();
        damaged[at] ^= 0x11;
        for bytes in [&damaged, &dump[..at].to_vec()] {
            let request = [b"RESTORE".as_slice(), b"k", b"0", bytes];
            assert_eq!(show(&ours.ask(&request)), show(&redis.ask(&request)), "byte {at}");
        }
    }
}

#[test]
fn libraries_travel_to_the_reference_and_back() {
    let (mut ours, mut redis) = (Ours::start(), Redis::start());
    let long =
        format!("#!lua name=long\nredis.register_function('l', function() return '{}' end)", "x".repeat(500));
    for code in ["#!lua name=short\nredis.register_function('s', function() return 1 end)", &long] {
        redis.ask(&["FUNCTION", "LOAD", code]);
    }
    let list = ["FUNCTION", "LIST", "WITHCODE", "LIBRARYNAME", "long"];
    let there = show(&redis.ask(&list));
    let dump = dumped(redis.ask(&["FUNCTION", "DUMP"]));
    let restore = |dump: &[u8]| [b"FUNCTION".as_slice(), b"RESTORE", dump].map(<[u8]>::to_vec);
    assert_eq!(show(&ours.ask(&restore(&dump))), "+OK");
    assert_eq!(show(&ours.ask(&list)), there);
    let dump = dumped(ours.ask(&["FUNCTION", "DUMP"]));
    assert_eq!(show(&redis.ask(&["FUNCTION", "FLUSH"])), "+OK");
    assert_eq!(show(&redis.ask(&restore(&dump))), "+OK");
    assert_eq!(show(&redis.ask(&list)), there);
    assert_eq!(show(&redis.ask(&["FCALL", "s", "0"])), ":1");
    // What was restored is in the log.
    let mut follower = ours.follower();
    assert_eq!(show(&follower.ask(&list)), there);
}

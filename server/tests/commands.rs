//! What we declare of our commands is what the reference declares, and no command that we promise is missing.

mod oracle;

use std::collections::{BTreeMap, BTreeSet};

use oracle::{Ours, Redis, Shape, Value, show};

/// Declarations that differ: command, field, why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("set", "arguments", "IFEQ is Valkey's"),
    ("set", "history", "IFEQ is Valkey's"),
    ("client|list", "arguments", "the filters are Valkey's"),
    ("client|list", "history", "later fields, and the filters of Valkey"),
    ("hscan", "arguments", "NOVALUES is newer"),
    ("blmove", "flags", "scripts may call it since 7.2"),
    ("blpop", "flags", "scripts may call it since 7.2"),
    ("brpop", "flags", "scripts may call it since 7.2"),
    ("brpoplpush", "flags", "scripts may call it since 7.2"),
    ("bzpopmax", "flags", "scripts may call it since 7.2"),
    ("bzpopmin", "flags", "scripts may call it since 7.2"),
    ("wait", "flags", "scripts may call it since 7.2"),
    ("wait", "acl categories", "scripts may call it since 7.2"),
    ("acl|deluser", "tips", "of 8.0"),
    ("acl|save", "tips", "of 8.0"),
    ("acl|setuser", "tips", "of 8.0"),
    ("client|setname", "tips", "of 8.0"),
    ("config|resetstat", "tips", "of 8.0"),
    ("config|rewrite", "tips", "of 8.0"),
    ("latency|reset", "tips", "of 8.0"),
    ("msetnx", "tips", "of 8.0"),
    ("randomkey", "tips", "of 8.0"),
    ("scan", "tips", "of 8.0"),
    ("cluster|shards", "flags", "of 8.0"),
    ("cluster|slots", "flags", "of 8.0"),
    ("command|getkeys", "arity", "of 8.0"),
    ("command|getkeysandflags", "arity", "of 8.0"),
    ("sinterstore", "key specs", "7.0 says wrongly that the old value is read"),
    ("zrank", "arguments", "WITHSCORE came with 7.2"),
    ("zrank", "history", "WITHSCORE came with 7.2"),
    ("zrank", "arity", "WITHSCORE came with 7.2"),
    ("zrevrank", "arguments", "WITHSCORE came with 7.2"),
    ("zrevrank", "history", "WITHSCORE came with 7.2"),
    ("zrevrank", "arity", "WITHSCORE came with 7.2"),
];

/// Commands that the reference (7.0) lacks: our own, and later ones that clients send.
const OURS_ALONE: &[&str] = &[
    "script|show",
    "client|capa",
    "commandlog",
    "commandlog|get",
    "commandlog|help",
    "commandlog|len",
    "commandlog|reset",
    "getlog",
    "waitaof",
    "client|setinfo",
    "client|no-touch",
    "sentinel",
    "sentinel|ckquorum",
    "sentinel|get-master-addr-by-name",
    "sentinel|help",
    "sentinel|master",
    "sentinel|masters",
    "sentinel|myid",
    "sentinel|replicas",
    "sentinel|sentinels",
    "sentinel|slaves",
    "cluster|myshardid",
    "hexpire",
    "hexpireat",
    "hexpiretime",
    "hgetdel",
    "hgetex",
    "hpersist",
    "hpexpire",
    "hpexpireat",
    "hpexpiretime",
    "hpttl",
    "hsetex",
    "httl",
];

/// Commands that are left out, and why: those of the reference (7.0), of Redis 8.0 and of Valkey 8.1 (`COMMAND LIST` of
/// all three), without modules. Of a container that is left out the subcommands are too.
const LEFT_OUT: &[(&str, &str)] = &[
    ("module", "modules of Redis are programs for its process"),
    ("psync", ROLES),
    ("replconf", ROLES),
    ("replicaof", ROLES),
    ("slaveof", ROLES),
    ("sync", ROLES),
    ("cluster|addslots", ONE_SHARD),
    ("cluster|addslotsrange", ONE_SHARD),
    ("cluster|bumpepoch", ONE_SHARD),
    ("cluster|count-failure-reports", ONE_SHARD),
    ("cluster|delslots", ONE_SHARD),
    ("cluster|delslotsrange", ONE_SHARD),
    ("cluster|failover", ONE_SHARD),
    ("cluster|flushslots", ONE_SHARD),
    ("cluster|forget", ONE_SHARD),
    ("cluster|meet", ONE_SHARD),
    ("cluster|replicate", ONE_SHARD),
    ("cluster|reset", ONE_SHARD),
    ("cluster|saveconfig", ONE_SHARD),
    ("cluster|set-config-epoch", ONE_SHARD),
    ("cluster|setslot", ONE_SHARD),
    ("cluster|slot-stats", "nothing is counted for each slot: all of them are in one place"),
    ("client|import-source", "data is brought in by RESTORE; nobody imports it beside the log"),
    ("vadd", VECTORS),
    ("vcard", VECTORS),
    ("vdim", VECTORS),
    ("vemb", VECTORS),
    ("vgetattr", VECTORS),
    ("vinfo", VECTORS),
    ("vismember", VECTORS),
    ("vlinks", VECTORS),
    ("vrandmember", VECTORS),
    ("vrem", VECTORS),
    ("vsetattr", VECTORS),
    ("vsim", VECTORS),
];

const ROLES: &str = "ZooKeeper settles roles, and the log is replicated by a protocol of our own";
const VECTORS: &str = "vector sets are a module";
const ONE_SHARD: &str = "there is one shard, and ZooKeeper settles who leads it";

const INFO: [&str; 9] =
    ["name", "arity", "flags", "first key", "last key", "step", "acl categories", "tips", "key specs"];

/// Every fact of a command, by the field that says it. Subcommands are asked for by their own names.
type Facts = BTreeMap<String, String>;

fn facts(mut ask: impl FnMut(&[&str]) -> Value, name: &str) -> Option<Facts> {
    let Value::Many(_, infos) = ask(&["COMMAND", "INFO", name]) else { panic!("COMMAND INFO {name}") };
    let Some(Value::Many(_, info)) = infos.first() else { return None };
    let mut facts: Facts =
        INFO.iter().zip(info).map(|(field, value)| ((*field).to_owned(), show(value))).collect();
    let Value::Many(Shape::Map, docs) = ask(&["COMMAND", "DOCS", name]) else {
        panic!("COMMAND DOCS {name}")
    };
    let Some(Value::Many(Shape::Map, docs)) = docs.get(1) else { panic!("no docs of {name}") };
    for pair in docs.chunks(2) {
        let field = show(&pair[0]);
        if field != "\"subcommands\"" {
            facts.insert(field, show(&pair[1]));
        }
    }
    Some(facts)
}

fn names(mut ask: impl FnMut(&[&str]) -> Value) -> Vec<String> {
    let Value::Many(_, names) = ask(&["COMMAND", "LIST"]) else { panic!("COMMAND LIST") };
    let text = |value| match value {
        Value::Bulk(name) => String::from_utf8(name).expect("names are text"),
        other => panic!("{other:?} is no name"),
    };
    names.into_iter().map(text).collect()
}

#[test]
fn declarations_are_those_of_the_reference() {
    let (mut ours, mut redis) = (Ours::start(), Redis::start());
    ours.resp3();
    redis.ask(&["HELLO", "3"]);
    let (mut differences, mut known) = (Vec::new(), BTreeSet::new());
    for name in names(|words| ours.ask(words)) {
        let mine = facts(|words| ours.ask(words), &name).expect("it was listed");
        let Some(theirs) = facts(|words| redis.ask(words), &name) else { continue };
        let fields = mine.keys().chain(theirs.keys().filter(|field| !mine.contains_key(*field)));
        for field in fields {
            let (mine, theirs) = (mine.get(field), theirs.get(field));
            if mine == theirs {
                continue;
            }
            let expected =
                DIFFERENT.iter().find(|(command, of, _)| *command == name && field.trim_matches('"') == *of);
            if let Some(expected) = expected {
                known.insert(expected);
                continue;
            }
            let of = |side: Option<&String>| side.cloned().unwrap_or_else(|| "nothing".into());
            differences.push(format!("{name}, {field}:\n  ours   {}\n  theirs {}", of(mine), of(theirs)));
        }
    }
    assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
    let stale: Vec<_> = DIFFERENT.iter().filter(|entry| !known.contains(entry)).collect();
    assert!(stale.is_empty(), "do not differ any more: {stale:?}");
}

#[test]
fn every_command_is_here_or_left_out_for_a_reason() {
    let (mut ours, mut redis) = (Ours::start(), Redis::start());
    let ours: BTreeSet<String> = names(|words| ours.ask(words)).into_iter().collect();
    let theirs: BTreeSet<String> = names(|words| redis.ask(words)).into_iter().collect();
    let left_out: BTreeSet<&str> = LEFT_OUT.iter().map(|(name, _)| *name).collect();
    let container = |name: &str| name.split_once('|').map(|(container, _)| container.to_owned());
    let excused = |name: &&String| {
        left_out.contains(name.as_str())
            || container(name).is_some_and(|container| left_out.contains(container.as_str()))
    };
    let missing: Vec<&String> = theirs.difference(&ours).filter(|name| !excused(name)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    let here: Vec<&&str> = left_out.iter().filter(|name| ours.contains(**name)).collect();
    assert!(here.is_empty(), "left out, but here: {here:?}");
    let alone: Vec<&String> =
        ours.difference(&theirs).filter(|name| !OURS_ALONE.contains(&name.as_str())).collect();
    assert!(alone.is_empty(), "the reference has none: {alone:?}");
    let stale: Vec<_> =
        OURS_ALONE.iter().filter(|name| !ours.contains(**name) || theirs.contains(**name)).collect();
    assert!(stale.is_empty(), "not ours alone: {stale:?}");
}

#[test]
fn no_command_is_declared_twice() {
    let mut ours = Ours::start();
    let mut names = names(|words| ours.ask(words));
    names.sort();
    let twice: Vec<&str> =
        names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].as_str()).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

/// Containers whose help has other lines than the reference's, and why.
const HELP_DIFFERS: &[(&str, &str)] = &[
    ("client", "what is later than 7.0, and no unix sockets"),
    ("function", "8.0 does not promise descriptions of libraries any more"),
    ("script", "SHOW is Valkey's"),
];

#[test]
fn help_is_that_of_the_reference() {
    let (mut ours, mut redis) = (Ours::start(), Redis::start());
    let (mut differences, mut stale) = (Vec::new(), Vec::new());
    // The last line has other words since 7.2.
    let newer = |line: &Value| show(line).replace("Prints this help.", "Print this help.");
    let containers = names(|words| ours.ask(words)).into_iter();
    let containers = containers.filter_map(|name| name.strip_suffix("|help").map(str::to_owned));
    for name in containers.collect::<Vec<_>>() {
        let lines = |value: Value| match value {
            Value::Many(_, lines) => Some(lines.iter().map(newer).collect::<Vec<_>>()),
            _ => None,
        };
        let Some(theirs) = lines(redis.ask(&[&name, "HELP"])) else { continue };
        let mine = lines(ours.ask(&[&name, "HELP"])).expect("help is an array");
        let excused = HELP_DIFFERS.iter().any(|(other, _)| *other == name);
        if mine == theirs && excused {
            stale.push(name);
        } else if mine != theirs && !excused {
            let only = |these: &[String], those: &[String], sign: &str| {
                let lines = these.iter().filter(|line| !those.contains(line));
                lines.map(|line| format!("  {sign} {line}\n")).collect::<Vec<_>>().concat()
            };
            let shown = only(&mine, &theirs, "ours  ") + &only(&theirs, &mine, "theirs");
            differences.push(format!("{name}:\n{shown}"));
        }
    }
    assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
    assert!(stale.is_empty(), "do not differ any more: {stale:?}");
}

//! What we declare of our commands is what the reference declares, and no command that we promise is missing.

mod oracle;

use std::collections::BTreeMap;

use oracle::{Ours, Redis, Shape, Value, show};

/// Declarations that differ: command, field, why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("hscan", "arguments", "NOVALUES is newer"),
    ("zrank", "arguments", "WITHSCORE came with 7.2"),
    ("zrank", "history", "WITHSCORE came with 7.2"),
    ("zrank", "arity", "WITHSCORE came with 7.2"),
    ("zrevrank", "arguments", "WITHSCORE came with 7.2"),
    ("zrevrank", "history", "WITHSCORE came with 7.2"),
    ("zrevrank", "arity", "WITHSCORE came with 7.2"),
];

/// Commands that the reference (7.0) lacks: our own, and later ones that clients send.
const OURS_ALONE: &[&str] = &[
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

/// The commands of the first release; of containers the subcommands.
const PROMISED: &str = "
    acl|cat acl|deluser acl|dryrun acl|genpass acl|getuser acl|help acl|list acl|load acl|log acl|save acl|setuser
    acl|users acl|whoami
    cluster|countkeysinslot cluster|getkeysinslot cluster|help cluster|info cluster|keyslot cluster|links cluster|myid
    cluster|myshardid cluster|nodes cluster|replicas cluster|shards cluster|slaves cluster|slots asking readonly readwrite
    sentinel|ckquorum sentinel|get-master-addr-by-name sentinel|help sentinel|master sentinel|masters sentinel|myid
    sentinel|replicas sentinel|sentinels sentinel|slaves
    auth echo ping quit select hello reset
    client|getname client|id client|info client|kill client|list client|no-evict client|no-touch client|pause
    client|reply client|setinfo client|setname client|unblock client|unpause
    command command|count command|docs command|getkeys command|getkeysandflags command|info command|list
    config|get config|resetstat config|rewrite config|set
    info dbsize flushdb flushall swapdb time role save bgsave lastsave shutdown debug failover getlog
    memory|usage slowlog|get slowlog|len slowlog|reset latency|doctor latency|history latency|latest latency|reset
    del unlink exists touch keys rename renamenx type copy move randomkey scan
    object|encoding object|freq object|idletime object|refcount
    expire pexpire expireat pexpireat expiretime pexpiretime ttl pttl persist wait waitaof
    append decr decrby get getdel getex getrange getset incr incrby incrbyfloat lcs mget mset msetnx psetex set
    setex setnx setrange strlen substr
    lindex linsert llen lpop lpush lpushx lrange lrem lset ltrim rpop rpush rpushx lpos lmove rpoplpush lmpop
    blpop brpop blmove brpoplpush blmpop
    setbit getbit bitcount bitpos bitop bitfield bitfield_ro pfadd pfcount pfmerge pfdebug
    xadd xlen xrange xrevrange xdel xtrim xread xreadgroup xack xpending xclaim xautoclaim xsetid
    xgroup|create xgroup|createconsumer xgroup|delconsumer xgroup|destroy xgroup|setid
    xinfo|stream xinfo|groups xinfo|consumers
    multi exec discard watch unwatch
    eval evalsha eval_ro evalsha_ro fcall fcall_ro script|debug script|exists script|flush script|help script|kill
    script|load function|delete function|flush function|help function|kill function|list function|load
    function|stats
    subscribe unsubscribe psubscribe punsubscribe publish pubsub|channels pubsub|numpat pubsub|numsub";

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

fn names(ours: &mut Ours) -> Vec<String> {
    let Value::Many(_, names) = ours.ask(&["COMMAND", "LIST"]) else { panic!("COMMAND LIST") };
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
    let mut differences = Vec::new();
    for name in names(&mut ours) {
        let mine = facts(|words| ours.ask(words), &name).expect("it was listed");
        let Some(theirs) = facts(|words| redis.ask(words), &name) else {
            if !OURS_ALONE.contains(&name.as_str()) {
                differences.push(format!("{name}: the reference has none"));
            }
            continue;
        };
        let fields = mine.keys().chain(theirs.keys().filter(|field| !mine.contains_key(*field)));
        for field in fields {
            let known =
                DIFFERENT.iter().any(|(command, of, _)| *command == name && field.trim_matches('"') == *of);
            let (mine, theirs) = (mine.get(field), theirs.get(field));
            if mine != theirs && !known {
                let of = |side: Option<&String>| side.cloned().unwrap_or_else(|| "nothing".into());
                differences.push(format!("{name}, {field}:\n  ours   {}\n  theirs {}", of(mine), of(theirs)));
            }
        }
    }
    assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
}

#[test]
fn no_command_is_declared_twice() {
    let mut names = names(&mut Ours::start());
    names.sort();
    let twice: Vec<&str> =
        names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].as_str()).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn no_promised_command_is_missing() {
    let mut ours = Ours::start();
    let names = names(&mut ours);
    let missing: Vec<&str> =
        PROMISED.split_whitespace().filter(|name| !names.iter().any(|other| other == name)).collect();
    assert!(missing.is_empty(), "missing: {}", missing.join(" "));
}

//! Keys of any type: names, deadlines, copies, orders. `TRAVEL from to` restores at a key in each server what the other
//! dumped. `RANDOMKEY` and `SCAN` of a part are left out: which expired keys they meet,
//! and delete, is up to chance.

use super::Group;
use crate::random::Random;

pub fn group() -> Group {
    Group::new("key", SHAPES, word)
}

const SHAPES: &[&str] = &[
    "DEL any [any]",
    "UNLINK any [any]",
    "EXISTS any [any] [any]",
    "TOUCH any [any]",
    "TYPE any",
    "RENAME any any",
    "RENAMENX any any",
    "COPY any any [DB db] [REPLACE] [junk]",
    "COPY any any REPLACE",
    "MOVE any db",
    "KEYS pattern",
    "SCAN 0 COUNT 1000 [MATCH pattern] [TYPE type|nope] [junk]",
    "SCAN x",
    "OBJECT ENCODING any",
    "OBJECT ENCODING any",
    "OBJECT FREQ any",
    "OBJECT REFCOUNT set|hash",
    "OBJECT junk any",
    "EXPIRE any span [condition] [condition]",
    "PEXPIRE any span [condition] [junk]",
    "EXPIREAT any time [condition]",
    "PEXPIREAT any time [condition]",
    "PEXPIRE any 1 [condition] ...",
    "GETEX key PX 1 ...",
    "SET key value PX 1 ...",
    "EXPIRETIME any",
    "PEXPIRETIME any",
    "TTL any",
    "PTTL any",
    "PERSIST any",
    "DBSIZE [junk]",
    "DUMP nowhere",
    "RESTORE any 0|x|-1 value [REPLACE|junk]",
    "TRAVEL any any",
    "TRAVEL any any REPLACE",
    "SWAPDB db db",
    "SELECT db",
    "SELECT 0",
    "WAIT 0|x|-1 few",
    "SORT list|set|hash|any [ALPHA] [DESC|ASC] [LIMIT few few] [GET #] [junk]",
    "SORT set|list BY *|h1->*|nosort|h*->a [ALPHA] [DESC] [GET h*->a]",
    "SORT list|zset BY nosort [DESC] [LIMIT few few] GET # GET h*->a [GET *]",
    "SORT set|list|zset|key ALPHA [LIMIT few few] STORE any",
    "SORT_RO set|key [ALPHA] [LIMIT few few] [DESC] [STORE] [junk]",
    "COMMAND GETKEYS MSET key value [key value]",
    "COMMAND GETKEYSANDFLAGS SET key value [GET]",
];

fn word(random: &mut Random, kind: &str) -> Option<String> {
    (kind == "type").then(|| random.word(&["string", "list", "hash", "set", "zset", "stream"]))
}

//! Hashes, and the deadlines of their fields where the reference has them. None of these ends while somebody looks: Redis
//! gives new deadlines to fields that have expired, as long as nothing deleted them.

use super::Group;
use crate::random::Random;

pub fn group() -> Group {
    Group::new("hash", SHAPES, word)
}

const SHAPES: &[&str] = &[
    "HSET hash|key member value [member value] [member value] [junk]",
    "HSET hash a 1 b 2 c 3 1 4 2 5 3 6 4 7",
    "HMSET hash member value [member value] [junk]",
    "HSETNX hash|key member value",
    "HGET hash|any member",
    "HMGET hash|key member [member]",
    "HGETALL hash|any",
    "HKEYS hash|key",
    "HVALS hash|key",
    "HLEN hash|any",
    "HSTRLEN hash|key member",
    "HEXISTS hash|key member",
    "HDEL hash|key member [member] [member]",
    "HINCRBY hash|key member int",
    "HINCRBYFLOAT hash|key member float",
    "HRANDFIELD hash|key 0|100|x [WITHVALUES] [junk]",
    "HRANDFIELD nowhere [int] [WITHVALUES] [junk]",
    "HSCAN hash|key 0 [MATCH pattern] [COUNT 1000] [junk]",
    "HSCAN hash|key int",
    "OBJECT ENCODING hash",
    "HEXPIRE hash|any later [condition] FIELDS 2 member member",
    "HEXPIRE hash|any span [condition] FIELDS 1|2|x member [member]",
    "HPEXPIRE hash later [condition] FIELDS 3 member member member",
    "HEXPIREAT hash 33177117420 [condition] FIELDS 1 member",
    "HPEXPIREAT hash 33177117420000|0|1 [condition] FIELDS 1 member",
    "HTTL hash|any FIELDS 2 member member",
    "HPTTL hash FIELDS 2 member member",
    "HEXPIRETIME hash|any FIELDS 2 member member",
    "HPEXPIRETIME hash FIELDS 1 member",
    "HPERSIST hash|any FIELDS 3 member member member",
    "HGETDEL hash|any FIELDS 2 member member",
    "HGETEX hash|any [EX|PX later] FIELDS 2 member member",
    "HGETEX hash [PERSIST|junk] FIELDS 2 member member",
    "HSETEX hash|any [FNX|FXX] [EX|PX later] FIELDS 2 member value member value",
    "HSETEX hash KEEPTTL FIELDS 1 member value",
];

fn word(random: &mut Random, kind: &str) -> Option<String> {
    (kind == "later").then(|| (100_000 + random.below(1_000_000) * 10).to_string())
}

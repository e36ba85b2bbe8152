//! Commands that wait. Those with a short time are followed by a pause in which it ends.

use super::Group;

pub fn group() -> Group {
    Group::new("blocking", SHAPES, |_, _| None)
}

const SHAPES: &[&str] = &[
    "BLPOP list [list] [any] 0",
    "BRPOP list [list] [zset] 0",
    "BLMOVE list list|any LEFT|RIGHT LEFT|RIGHT 0",
    "BRPOPLPUSH list list|any 0",
    "BLMPOP 0 2 list list|any LEFT|RIGHT [COUNT few]",
    "BZPOPMIN zset [zset] [any] 0",
    "BZPOPMAX zset [lex] 0",
    "BZMPOP 0 2 zset zset|lex|any MIN|MAX [COUNT few]",
    "XREAD [COUNT few] BLOCK 0 STREAMS stream stream $ $",
    "XREAD BLOCK 0 STREAMS stream 59-3",
    "XREADGROUP GROUP g c [COUNT few] BLOCK 0 STREAMS stream >",
    "BLPOP list any 0.001 ...",
    "BLMOVE list list LEFT RIGHT 0.001 ...",
    "BZPOPMIN zset 0.001 ...",
    "BZMPOP 0.001 1 zset MIN ...",
    "XREAD BLOCK 1 STREAMS stream $ ...",
    "CLIENT UNBLOCK connection [TIMEOUT|ERROR]",
    "CLIENT UNBLOCK connection TIMEOUT|ERROR|junk",
    "RPUSH list many many many",
    "LPUSH list many",
    "RPUSH list many",
    "ZADD zset 1 many 2 many",
    "ZADD zset 3 many",
    "XADD stream 59-* a many",
    "XGROUP CREATE stream g $ MKSTREAM",
    "DEL list|zset|stream",
    "RENAME list list",
    "RENAME zset zset",
    "LMOVE list list LEFT LEFT",
    "SORT list ALPHA STORE list",
    "ZRANGESTORE zset zset 0 -1",
    "COPY list|zset|stream list|zset|stream REPLACE",
];

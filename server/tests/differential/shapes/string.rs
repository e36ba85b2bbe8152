//! Strings.

use super::Group;

pub fn group() -> Group {
    Group::new("string", SHAPES, |_, _| None)
}

const SHAPES: &[&str] = &[
    "APPEND key value",
    "DECR key",
    "DECRBY key int",
    "GET key",
    "GETDEL key",
    "GETEX key [option time]",
    "GETEX key [PERSIST]",
    "GETEX key [EX|PX|EXAT|PXAT time] [junk]",
    "GETRANGE key int int",
    "GETSET key value",
    "INCR key",
    "INCRBY key int",
    "INCRBYFLOAT key float",
    "LCS key key [LEN|IDX] [MINMATCHLEN int] [WITHMATCHLEN] [LEN|IDX|junk]",
    "MGET key key any",
    "MSET key value [key value]",
    "MSETNX key value [key value] [key]",
    "PSETEX key time value",
    "SET key value",
    "SET any value",
    "SET key value [NX|XX] [GET] [EX|PX|EXAT|PXAT time]",
    "SET key value [option] [option time] [option] [junk]",
    "SETEX key time value",
    "SETNX key value",
    "SETRANGE key small value",
    "STRLEN any",
    "SUBSTR key int int",
    "GET any",
    "INCR any",
    "APPEND any value",
];

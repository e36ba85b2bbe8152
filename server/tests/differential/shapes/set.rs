//! Sets. What they give at random is asked for in ways that leave no choice.

use super::Group;

pub fn group() -> Group {
    Group::new("set", SHAPES, |_, _| None)
}

const SHAPES: &[&str] = &[
    "SADD set|key member [member] [member] [member]",
    "SADD set member member",
    "SADD set 1 2 3 4 5 6 7",
    "SREM set|key member [member] [member]",
    "SMOVE set|key set|any member",
    "SCARD set|any",
    "SISMEMBER set|key member",
    "SMISMEMBER set|key member [member]",
    "SMEMBERS set|any",
    "SPOP set 0|100|x|-1",
    "SPOP nowhere [int]",
    "SRANDMEMBER set|key 0|100|x|-9223372036854775808",
    "SRANDMEMBER nowhere [int]",
    "SINTER set|key [set|key] [set|any]",
    "SUNION set|key [set|key] [set|any]",
    "SDIFF set|key [set|key] [set|any]",
    "SINTERSTORE set|any set|key [set] [set|key]",
    "SUNIONSTORE set|any set|key [set] [set|key]",
    "SDIFFSTORE set|any set|key [set] [set|key]",
    "SINTERCARD 1|2|2|3|0|x set set [set|key] [LIMIT int]",
    "SSCAN set|key 0 [MATCH pattern] [COUNT 1000] [junk]",
    "SSCAN set|key int",
    "OBJECT ENCODING set",
];

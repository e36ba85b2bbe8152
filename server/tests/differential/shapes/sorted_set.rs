//! Sorted sets, by rank, score and in the order of their members.

use super::Group;
use crate::random::Random;

pub fn group() -> Group {
    Group::new("sorted_set", SHAPES, word)
}

const SHAPES: &[&str] = &[
    "ZADD zset|any score member",
    "ZADD zset score member score member score member score member",
    "ZADD zset|key [NX|XX] [GT|LT] [CH] [INCR] score member [score member] [junk]",
    "ZINCRBY zset|any score member",
    "ZREM zset|key member [member] [member]",
    "ZCARD zset|any",
    "ZSCORE zset|key member",
    "ZMSCORE zset|key member [member]",
    "ZRANK zset|key member",
    "ZREVRANK zset|key member",
    "ZCOUNT zset|key edge edge",
    "ZLEXCOUNT lex|nowhere lexedge lexedge",
    "ZADD lex 0 member 0 member 0 member",
    "ZRANGE zset|any int int [REV] [WITHSCORES] [junk]",
    "ZRANGE zset edge edge BYSCORE [REV] [LIMIT int int] [WITHSCORES]",
    "ZRANGE lex lexedge lexedge BYLEX [REV] [LIMIT int int]",
    "ZRANGESTORE zset|any zset|key int int [REV]",
    "ZRANGESTORE zset|key zset edge edge BYSCORE [LIMIT int int]",
    "ZREVRANGE zset|key int int [WITHSCORES]",
    "ZRANGEBYSCORE zset|key edge edge [WITHSCORES] [LIMIT int int]",
    "ZREVRANGEBYSCORE zset|key edge edge [WITHSCORES] [LIMIT int int]",
    "ZRANGEBYLEX lex lexedge lexedge [LIMIT int int]",
    "ZREVRANGEBYLEX lex lexedge lexedge [LIMIT int int]",
    "ZREMRANGEBYRANK zset|key int int",
    "ZREMRANGEBYSCORE zset edge edge",
    "ZREMRANGEBYLEX lex lexedge lexedge",
    "ZPOPMIN zset|key [small] [junk]",
    "ZPOPMAX zset|key [0|1|2]",
    "ZMPOP 2 zset|key zset|lex MIN|MAX [COUNT small]",
    "BZPOPMIN zset|key zset|key x|-1",
    "ZUNION 2 zset|set|key zset|set [WEIGHTS score score] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]",
    "ZINTER 2 zset|set|key zset|set [WEIGHTS score score] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]",
    "ZDIFF 2 zset|set|key zset|set|lex [WITHSCORES] [junk]",
    "ZINTERCARD 2 zset|set|key zset|set [LIMIT small]",
    "ZUNIONSTORE zset|any 2 zset|set zset|set [WEIGHTS score score] [AGGREGATE SUM|MIN|MAX]",
    "ZINTERSTORE zset|any 2 zset|set zset|set [WEIGHTS score score] [AGGREGATE SUM|MIN|MAX]",
    "ZDIFFSTORE zset|any 2 zset|set|lex zset|set",
    "ZRANDMEMBER zset|key 0|100|x",
    "ZSCAN zset|key 0 [MATCH pattern] [COUNT 1000] [junk]",
    "OBJECT ENCODING zset|lex",
];

fn word(random: &mut Random, kind: &str) -> Option<String> {
    Some(match kind {
        "score" => match random.below(8) {
            0 => random.word(&["inf", "-inf", "x", "nan", "0", "0.1", "1e300", "-1e-7", "3.14159265358979"]),
            1 => format!("{}.5", random.below(100)),
            _ => (random.below(40) as i64 - 20).to_string(),
        },
        "edge" => match random.below(6) {
            0 => random.word(&["-inf", "+inf", "(inf", "x", "(x"]),
            1 => format!("({}", random.below(40) as i64 - 20),
            _ => (random.below(40) as i64 - 20).to_string(),
        },
        "lexedge" => match random.below(5) {
            0 => random.word(&["-", "+", "x", "(", "["]),
            _ => format!("{}{}", random.pick(&["(", "["]), random.below(30)),
        },
        _ => return None,
    })
}

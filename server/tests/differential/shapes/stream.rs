//! Streams and their groups. Ids are given, in full or but for their second part: no clock makes any.

use super::Group;
use crate::random::Random;

pub fn group() -> Group {
    Group::new("stream", SHAPES, word)
}

const SHAPES: &[&str] = &[
    "XADD stream|any [NOMKSTREAM] [MAXLEN|MINID] [~|=] [many] [LIMIT small] id field value [field value]",
    "XADD stream later field value [field value]",
    "XADD stream later a many b value",
    "XADD stream later a many b value",
    "XADD stream MAXLEN ~ many later field value",
    "XLEN stream|any",
    "XRANGE stream from to [COUNT small]",
    "XREVRANGE stream to from [COUNT small]",
    "XDEL stream id [id] [id]",
    "XTRIM stream MAXLEN|MINID [~|=] many [LIMIT small]",
    "XREAD [COUNT small] STREAMS stream stream id $|id",
    "XGROUP CREATE stream|any group $|id [MKSTREAM] [ENTRIESREAD many]",
    "XGROUP CREATE stream group 0 MKSTREAM",
    "XGROUP SETID stream group $|id [ENTRIESREAD many]",
    "XGROUP DESTROY stream group",
    "XGROUP CREATECONSUMER|DELCONSUMER stream group consumer",
    "XREADGROUP GROUP group consumer [COUNT small] [NOACK] STREAMS stream|any >|>|id|0",
    "XREADGROUP GROUP group consumer COUNT 3 STREAMS stream >",
    "XACK stream|any group id [id] [id]",
    "XPENDING stream|any group",
    "XPENDING stream group [IDLE] [0] from to small [consumer]",
    "XCLAIM stream group consumer 0|90000 id [id] [id] [IDLE] [100000] [RETRYCOUNT] [5] [FORCE] [JUSTID]",
    "XAUTOCLAIM stream group consumer 0|90000 from [COUNT] [5] [JUSTID]",
    "XSETID stream id [ENTRIESADDED many] [MAXDELETEDID id]",
    "XINFO STREAM stream|any",
    "XINFO GROUPS stream",
    "XINFO CONSUMERS stream group",
    "XINFO STREAM stream FULL [COUNT few]",
];

fn word(random: &mut Random, kind: &str) -> Option<String> {
    Some(match kind {
        "field" => random.word(&["a", "b", "f"]),
        "group" => random.word(&["g", "h"]),
        "consumer" => random.word(&["c", "d", "e"]),
        "id" => match random.below(12) {
            0 => random.word(&["0", "x", "-", "5-*", "300-300", "1-1-1"]),
            _ => format!("{}-{}", random.below(60), random.below(4)),
        },
        // Higher than most, now and then.
        "later" => format!("{}-*", 20 + random.below(40)),
        "from" | "to" => match random.below(6) {
            0 => if kind == "from" { "-" } else { "+" }.into(),
            1 => format!("({}", random.below(60)),
            _ => random.below(60).to_string(),
        },
        _ => return None,
    })
}

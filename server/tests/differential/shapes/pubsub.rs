//! Messages, to channels, patterns and shards. No two patterns fit the same channel: which of them comes first for one
//! client is not said anywhere.

use super::Group;
use crate::random::Random;

pub fn group() -> Group {
    Group::new("pubsub", SHAPES, word)
}

const SHAPES: &[&str] = &[
    "SUBSCRIBE channel",
    "PSUBSCRIBE glob",
    "SSUBSCRIBE channel",
    "UNSUBSCRIBE channel [channel]",
    "PUNSUBSCRIBE glob",
    "SUNSUBSCRIBE channel",
    "PUBLISH channel value",
    "PUBLISH channel value",
    "PUBLISH channel value",
    "SPUBLISH channel value",
    "SPUBLISH channel value",
    "PUBSUB CHANNELS [glob]",
    "PUBSUB NUMSUB [channel] [channel]",
    "PUBSUB NUMPAT",
    "PUBSUB SHARDCHANNELS [glob]",
    "PUBSUB SHARDNUMSUB [channel]",
    "PUBSUB junk",
];

fn word(random: &mut Random, kind: &str) -> Option<String> {
    Some(match kind {
        "channel" => random.word(&["news1", "news2", "mail", "other"]),
        "glob" => random.word(&["news*", "m?il", "__key*@*"]),
        _ => return None,
    })
}

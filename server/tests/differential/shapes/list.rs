//! Lists.

use super::Group;
use crate::random::Random;

pub fn group() -> Group {
    Group::new("list", SHAPES, word)
}

const SHAPES: &[&str] = &[
    "LPUSH list|any item [item item]",
    "RPUSH list|any item [item item]",
    "RPUSH list item item item item item item item",
    "LPUSHX list|any item [item]",
    "RPUSHX list|any item [item]",
    "LPOP list|any [few]",
    "RPOP list|any [few] [junk]",
    "LLEN list|any",
    "LRANGE list|any index index",
    "LRANGE list 0 -1",
    "LINDEX list|any index|int",
    "LSET list|any index item",
    "LINSERT list|any BEFORE|AFTER|junk item item",
    "LREM list|any index item",
    "LTRIM list|any index index|-1",
    "LMOVE list|any list|any LEFT|RIGHT LEFT|RIGHT [junk]",
    "RPOPLPUSH list|any list|any",
    "LPOS list|any item [RANK index] [COUNT few] [MAXLEN few] [junk]",
    "LMPOP 1|2 list list|any LEFT|RIGHT [COUNT few]",
    "LMPOP 2 list list|any LEFT|RIGHT [COUNT few]",
    "BLPOP list|any x|-1",
    "OBJECT ENCODING list",
];

fn word(random: &mut Random, kind: &str) -> Option<String> {
    Some(match kind {
        // Few ones, so that they meet again; all forms in which a packed list keeps them.
        "item" => match random.below(6) {
            0 => random.word(&["a", "b", "c", "", "01", "-0"]),
            1 => random.word(&[
                "127",
                "128",
                "-4096",
                "40000",
                "-9000000",
                "3000000000",
                "-9223372036854775808",
            ]),
            2 => "y".repeat(60 + random.below(8)),
            _ => random.below(6).to_string(),
        },
        _ => return None,
    })
}

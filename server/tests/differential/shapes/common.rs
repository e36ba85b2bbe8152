//! Words that several groups use.

use crate::random::Random;

/// Every name of a key that some group uses, but `lex`: what ranges by members of unequal scores are is not said anywhere.
const NAMES: &[&str] = &[
    "a", "b", "c", "d", "e", "f", "l1", "l2", "l3", "h1", "h2", "h3", "s1", "s2", "s3", "s4", "z1", "z2",
    "geo", "p1", "p2", "p3", "x1", "x2", "missing",
];

pub fn word(random: &mut Random, kind: &str) -> Option<String> {
    Some(match kind {
        "key" => random.word(&["a", "b", "c", "d", "e", "f", "", "missing"]),
        "any" => random.word(NAMES),
        "list" => random.word(&["l1", "l2", "l3"]),
        "hash" => random.word(&["h1", "h2", "h3"]),
        "set" => random.word(&["s1", "s2", "s3", "s4"]),
        "zset" => random.word(&["z1", "z2"]),
        "stream" => random.word(&["x1", "x2", "x2"]),
        "small" => random.word(&["0", "1", "5", "40", "-1", "x", "536870912", "9223372036854775807"]),
        "few" => random.word(&["0", "1", "1", "2", "3", "5", "-1", "x"]),
        "float" => random.number(),
        "time" => match random.below(4) {
            0 => random.word(&[
                "0",
                "-1",
                "x",
                "9223372036854775807",
                "9223372036854775",
                "9000000000000000000",
            ]),
            1 => random.word(&["33177117420", "33177117420000"]),
            _ => distant(random, 0),
        },
        // From now: no two so near to each other that milliseconds between the servers decide which is later.
        "span" => match random.below(4) {
            0 => random.word(&["0", "-1", "x", "9223372036854775807"]),
            1 => distant(random, 9_000_000_000_000_000_000),
            _ => distant(random, 0),
        },
        "db" => random.word(&["0", "0", "0", "1", "1", "15", "16", "-1", "x", "4294967296"]),
        "option" => random.word(&["NX", "XX", "GET", "EX", "PX", "EXAT", "PXAT", "KEEPTTL", "PERSIST", "xx"]),
        "condition" => random.word(&["NX", "XX", "GT", "LT", "gt"]),
        "pattern" => random.word(&["*", "a*", "?", "[a-c]", "[^a-x]1", "", "nothing", "\\a"]),
        "junk" => random.word(&["FOO", "", "EX"]),
        "many" => random.below(300).to_string(),
        "value" => match random.below(4) {
            0 => random.below(30_000).to_string(),
            1 => "x".repeat(random.below(60)),
            2 => random.number(),
            _ => random.word(&["", "abcabba", "cbabac", "10.5", "3.0e3", " 1", "-0", "9223372036854775807"]),
        },
        "int" => match random.below(3) {
            0 => random.word(&[
                "x",
                "",
                "9223372036854775807",
                "-9223372036854775808",
                "1.5",
                "01",
                "99999999999999999999",
            ]),
            1 => random.word(&["0", "1", "2", "5"]),
            _ => random.word(&["-1", "-2", "-3", "100"]),
        },
        "index" => (random.below(14) as i64 - 6).to_string(),
        "member" => match random.below(3) {
            0 => random.below(40).to_string(),
            1 => random.word(&["70000", "-3", "9223372036854775807", "9223372036854775808"]),
            _ => random.word(&["a", "b", "ab", "", "c", "01", "a member of more than twenty bytes"]),
        },
        "connection" => format!("<id {}>", random.below(crate::case::CONNECTIONS)),
        _ => return None,
    })
}

fn distant(random: &mut Random, from: usize) -> String {
    (from + 100_000 + random.below(1_000_000_000) * 10).to_string()
}

//! Bitmaps and bit fields: on the keys of strings.

use super::Group;
use crate::random::Random;

pub fn group() -> Group {
    Group::new("bitmap", SHAPES, word)
}

const SHAPES: &[&str] = &[
    "SETBIT key bit 0|1|2",
    "SETBIT key bit 0|1",
    "GETBIT key bit",
    "BITCOUNT key",
    "BITCOUNT key int int [BIT|BYTE|junk]",
    "BITPOS key 0|1|2 [int] [int] [BIT|BYTE]",
    "BITOP AND|OR|XOR|NOT|FOO key key [key] [key]",
    "BITFIELD key [OVERFLOW overflow] GET|SET field bit [int]",
    "BITFIELD key [OVERFLOW overflow] SET|INCRBY field bit int GET field bit [OVERFLOW overflow] INCRBY field bit int",
    "BITFIELD_RO key GET field bit [SET field bit int]",
    "SET key value",
    "SET key int",
    "GET key",
    "OBJECT ENCODING key",
];

fn word(random: &mut Random, kind: &str) -> Option<String> {
    Some(match kind {
        "bit" => match random.below(8) {
            0 => random.word(&["-1", "x", "#1", "#3", "4294967296"]),
            _ => random.below(150).to_string(),
        },
        "overflow" => random.word(&["WRAP", "SAT", "FAIL", "sat"]),
        "field" => match random.below(8) {
            0 => random.word(&["u64", "i65", "x8", "i0"]),
            _ => format!("{}{}", random.pick(&["i", "u"]), 1 + random.below(63)),
        },
        _ => return None,
    })
}

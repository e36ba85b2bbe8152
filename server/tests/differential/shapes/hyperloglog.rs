//! HyperLogLog, register by register. Bit commands leave its keys alone: what they make of a sparse one is no form that
//! either server makes. `PFMERGE` of nothing is left out: the reference finds no key in it, and lets users
//! write to any.

use super::Group;
use crate::random::Random;

pub fn group() -> Group {
    Group::new("hyperloglog", SHAPES, word)
}

const SHAPES: &[&str] = &[
    "PFADD hll [value] [value] [value]",
    "PFADD hll many many many many many",
    "PFADD hll many many value value value value",
    "PFCOUNT hll [hll]",
    "PFMERGE hll hll [hll]",
    "PFDEBUG ENCODING hll",
    "GET hll",
    "STRLEN hll",
];

fn word(random: &mut Random, kind: &str) -> Option<String> {
    (kind == "hll").then(|| random.word(&["p1", "p2", "p3"]))
}

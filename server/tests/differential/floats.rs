//! `INCRBYFLOAT` counts in the 80 bits of the reference's `long double`: many sums, one after the other.

use crate::oracle::{Ours, Redis, show};
use crate::random::Random;
use crate::setting;

/// Numbers at the edges of what can be said and kept.
const EDGES: &[&str] = &[
    "inf",
    "-Infinity",
    "nan",
    "1e4932",
    "-1.18e4932",
    "3e-4950",
    "0x1.8p3",
    "0x1p-16445",
    "1e-17",
    "5e-18",
    "15e-18",
    "1e5000",
    "0x",
    ".",
    "1.e2",
    "-0",
    "infinit",
];

#[test]
fn incrbyfloat_counts_as_redis_counts() {
    let seed = setting("DIFFERENTIAL_SEED").unwrap_or(20_261_122);
    println!("DIFFERENTIAL_SEED={seed}");
    let (mut ours, mut redis, mut random) = (Ours::start(), Redis::start(), Random(seed));
    for _ in 0..10_000 {
        if random.one_in(10) {
            let start = random.number();
            ours.ask(&["SET", "k", &start]);
            redis.ask(&["SET", "k", &start]);
        }
        let increment = if random.one_in(50) { random.word(EDGES) } else { random.number() };
        let (mine, theirs) =
            (ours.ask(&["INCRBYFLOAT", "k", &increment]), redis.ask(&["INCRBYFLOAT", "k", &increment]));
        assert_eq!(show(&mine), show(&theirs), "seed {seed}: INCRBYFLOAT k {increment}");
    }
}

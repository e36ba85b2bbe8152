//! Planted defects: the simulator must find them, and the table says with which seed.

use std::fmt::Write as _;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use botellier_server::mutant::{self, DEFECTS};

use crate::world::World;

/// Seeds that are tried before a defect counts as not found.
const SEEDS_MAX: u64 = 5000;

/// What this simulator does not find: `tests/model` does, and fails if not.
const LEFT_TO_THE_MODEL: &[u8] = &[13];

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/traps.md");
const HEAD: &str = "\
Ways to get replication wrong, the defect that is planted for each (`src/mutant.rs`), and the first seed of the simulator
that finds it. Beside these, 28 (mixed versions during an upgrade) is planted and found by `tests/versions.rs`.
Generated: `UPDATE_GENERATED=1 cargo test -p botellier-server --features simulate --test simulation planted`.

| | trap | planted | seeds needed |
|---:|---|---|---:|
";

/// Whether this seed finds the defect.
fn finds(trap: u8, seed: u64) -> bool {
    mutant::plant(trap);
    let run = panic::catch_unwind(|| World::new(seed, false).run());
    mutant::plant(0);
    !matches!(run, Ok(Ok(())))
}

/// The lowest seed that finds the defect.
fn seed_to_find(trap: u8) -> Option<u64> {
    let (next, found) = (AtomicU64::new(1), AtomicU64::new(u64::MAX));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    // Lower ones are seen to their end, so that it is the same seed each time.
                    if seed > SEEDS_MAX || seed > found.load(Ordering::Relaxed) {
                        return;
                    }
                    if finds(trap, seed) {
                        found.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    Some(found.into_inner()).filter(|seed| *seed < u64::MAX)
}

/// What the table says of a defect.
fn seed_of(table: &str, trap: u8) -> Option<u64> {
    let row = table.lines().find(|line| line.starts_with(&format!("| {trap} |")))?;
    row.trim_end_matches(['|', ' ']).rsplit_once("| ")?.1.parse().ok()
}

/// All but the seeds.
fn rows(table: &str) -> Vec<&str> {
    table.lines().filter_map(|line| line.trim_end_matches('|').rsplit_once('|')).map(|(row, _)| row).collect()
}

#[test]
fn every_planted_defect_is_found() {
    let there = std::fs::read_to_string(TABLE).unwrap_or_default();
    let anew = std::env::var_os("UPDATE_GENERATED").is_some();
    let (mut table, mut missed) = (HEAD.to_owned(), Vec::new());
    for defect in DEFECTS {
        let (trap, began) = (defect.number, Instant::now());
        let left = LEFT_TO_THE_MODEL.contains(&trap);
        // The seed of the table is the first one to try.
        let known = seed_of(&there, trap).filter(|seed| !left && !anew && finds(trap, *seed));
        let found = known.or_else(|| if left { None } else { seed_to_find(trap) });
        println!("trap {trap}: {found:?}, {:.1?}", began.elapsed());
        if found.is_none() && !left {
            missed.push(trap);
        }
        let found = found.map_or_else(|| "by `tests/model`".into(), |seed| seed.to_string());
        let _ = writeln!(table, "| {trap} | {} | {} | {found} |", defect.trap, defect.planted);
    }
    assert!(missed.is_empty(), "the defects of traps {missed:?} are not found");
    if anew {
        std::fs::write(TABLE, &table).expect("the table can be written");
        return;
    }
    // Which seed it is may change with anything; that the table is of these defects must not.
    assert_eq!(rows(&there), rows(&table), "docs/traps.md is of other defects: it says how it is generated");
}

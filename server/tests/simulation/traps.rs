//! Planted defects: the simulator must find them, and the table says with which seed.

use std::fmt::Write as _;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use botellier_server::mutant::{self, DEFECTS};

use crate::world::World;

/// Seeds that are tried before a defect counts as not found.
const SEEDS_MAX: u64 = 3000;

/// What this simulator does not find: the world is too small for them, and the model finds them (`tests/model`).
const LEFT_TO_THE_MODEL: &[u8] = &[13];

/// The lowest seed that finds the defect.
fn seed_to_find(trap: u8) -> Option<u64> {
    let (next, found) = (AtomicU64::new(1), AtomicU64::new(u64::MAX));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                mutant::plant(trap);
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    // Lower ones are seen to their end, so that it is the same seed each time.
                    if seed > SEEDS_MAX || seed > found.load(Ordering::Relaxed) {
                        return;
                    }
                    let run = panic::catch_unwind(|| World::new(seed, false).run());
                    if !matches!(run, Ok(Ok(()))) {
                        found.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    Some(found.into_inner()).filter(|seed| *seed < u64::MAX)
}

#[test]
fn every_planted_defect_is_found() {
    let mut table = String::from(
        "Ways to get replication wrong, the defect that is planted for each, and the first seed of the simulator that finds\n\
         it. Generated: `UPDATE_GENERATED=1 cargo test -p botellier-server --features simulate --test simulation planted`.\n\n\
         | | trap | planted | seeds needed |\n|---:|---|---|---:|\n",
    );
    let mut missed = Vec::new();
    for defect in DEFECTS {
        let began = Instant::now();
        let found =
            if LEFT_TO_THE_MODEL.contains(&defect.number) { None } else { seed_to_find(defect.number) };
        println!("trap {}: {found:?}, {:.1?}", defect.number, began.elapsed());
        if found.is_none() && !LEFT_TO_THE_MODEL.contains(&defect.number) {
            missed.push(defect.number);
        }
        let found = found.map_or_else(|| "by `tests/model`".into(), |seed| seed.to_string());
        let _ = writeln!(table, "| {} | {} | {} | {found} |", defect.number, defect.trap, defect.planted);
    }
    assert!(missed.is_empty(), "the defects of traps {missed:?} are not found");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/traps.md");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(path, &table).expect("the table can be written");
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    // Which seed it is may change with anything; that the table is of these defects must not.
    assert_eq!(rows(&there), rows(&table), "docs/traps.md is of other defects: it says how it is generated");
}

fn rows(table: &str) -> Vec<&str> {
    table.lines().filter_map(|line| line.trim_end_matches('|').rsplit_once('|')).map(|(row, _)| row).collect()
}

//! Several nodes' machines over a seeded network, registry, disks and clocks.
//!
//! `SEED=n` replays one run with its story printed; `SEEDS=n` runs more of them. Nothing in a run depends on anything
//! but its seed.

mod ambushes;
mod callers;
#[path = "../common/client.rs"]
#[allow(dead_code)] // replies are read here, not asked for over sockets
mod client;
mod faults;
mod flips;
mod host;
mod lines;
mod links;
mod network;
mod rng;
mod traps;
mod watch;
mod wishes;
mod world;
mod zoo;

use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use world::World;

fn seeds() -> u64 {
    std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1500)
}

#[test]
fn no_seed_loses_an_acknowledged_write_or_answers_stale() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|text| text.parse().ok()) {
        let mut world = World::new(seed, true);
        if let Err(why) = world.run() {
            panic!("SEED={seed}: {why}");
        }
        return;
    }
    let first = std::env::var("FIRST").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let (next, last) = (AtomicU64::new(first), first + seeds());
    let (operations, damages) = (AtomicU64::new(0), AtomicU64::new(0));
    let failures = parking_lot::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last || failures.lock().len() >= 5 {
                        return;
                    }
                    let run = panic::catch_unwind(|| {
                        let mut world = World::new(seed, false);
                        world.run().map(|()| (world.answered, world.damages_found))
                    });
                    match run {
                        Ok(Ok((answered, found))) => {
                            operations.fetch_add(answered, Ordering::Relaxed);
                            damages.fetch_add(found, Ordering::Relaxed);
                        }
                        Ok(Err(why)) => failures.lock().push(format!("SEED={seed}: {why}")),
                        Err(_) => failures.lock().push(format!("SEED={seed}: panicked")),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    let (operations, damages) = (operations.into_inner(), damages.into_inner());
    println!("{} seeds, {operations} operations answered, {damages} times damaged data was found", seeds());
    assert!(damages > 0 || seeds() < 100, "bits flip, and no node notices");
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 1..6 {
        let story = || {
            let mut world = World::new(seed, false);
            let _ = world.run();
            (world.now, world.steps, world.history.clone())
        };
        assert_eq!(story(), story());
    }
}

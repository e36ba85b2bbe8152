//! What the tests with real processes share: a client, server processes, a ZooKeeper, and waiting for a condition.
#![allow(dead_code)] // each test program uses a part of it

pub mod client;
pub mod cluster;
pub mod process;
pub mod writer;
pub mod zookeeper;

use std::time::{Duration, Instant};

/// Wait until `condition` gives something; panic with `what` after a time that no healthy machine needs.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

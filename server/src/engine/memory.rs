//! Room: what the process takes, and who has to go when that is too much.
//!
//! Keys go only where changes are decided; each goes as an effect, so that followers and recovery let the same ones go and
//! never choose. Source of the rules: "Key eviction" in Redis' documentation.

use std::time::{Duration, Instant};

use super::Engine;
use crate::command::Flags;
use crate::command::server::Errand;
use crate::config::Policy;
use crate::metrics::heap;
use crate::resp::Failure;
use crate::session::{Client, ClientId};

pub(super) const OUT_OF_MEMORY: Failure =
    Failure::new("OOM command not allowed when used memory > 'maxmemory'.");

/// Keys that go between two looks at the clock.
const KEYS_PER_LOOK: usize = 16;

impl Engine {
    /// Bytes beyond `maxmemory`.
    fn excess(&self) -> u64 {
        let limit = self.server.config.maxmemory;
        if limit == 0 {
            return 0;
        }
        let used = heap::used();
        if used <= limit {
            return 0;
        }
        used.saturating_sub(self.journal.memory_bytes()).saturating_sub(limit)
    }

    /// Let keys go until there is room again, or time is up; false if nothing may go any more.
    pub(super) fn make_room(&mut self) -> bool {
        if self.excess() == 0 {
            return true;
        }
        let decides = self.keyspace.authority || crate::mutant::is_planted(19);
        if !decides || self.stands_still() {
            return true;
        }
        let (policy, samples) =
            (self.server.config.maxmemory_policy, self.server.config.maxmemory_samples as usize);
        if policy == Policy::None {
            return false;
        }
        let (began, patience) = (Instant::now(), patience(self.server.config.maxmemory_eviction_tenacity));
        let mut room = true;
        'all: loop {
            for _ in 0..KEYS_PER_LOOK {
                if !self.keyspace.evict(policy, samples) {
                    room = false;
                    break 'all;
                }
                if self.excess() == 0 {
                    break 'all;
                }
            }
            // There is not enough room yet, but there is more to be let go: the command may run.
            if patience.is_some_and(|patience| began.elapsed() >= patience) {
                break;
            }
        }
        let server = &mut self.server;
        server.observed.event(&server.config, "eviction-cycle", began.elapsed(), self.keyspace.now);
        self.publish_events();
        self.log();
        room
    }

    /// Whether nothing may change but by a command: while writes are paused, and while the part is handed over.
    pub(super) fn stands_still(&self) -> bool {
        self.drained || self.torn || self.server.pause.is_some_and(|pause| pause.until > self.keyspace.now)
    }

    /// Whether a command of these flags may not run because it needs memory and there is none.
    pub(super) fn lacks_memory(&mut self, client: &mut Client, flags: Flags) -> bool {
        if self.is_busy() {
            return false;
        }
        self.scripts.out_of_memory = false;
        if self.server.config.maxmemory == 0 || self.keyspace.record_changes() {
            return false;
        }
        let room = self.make_room();
        self.scripts.out_of_memory = !room;
        if !self.keyspace.touched.is_empty() {
            self.settle(client);
        }
        !room && flags.has(Flags::DENYOOM)
    }

    /// Close the clients that take most while all together take too much.
    pub(super) fn evict_clients(&mut self) {
        let limit = self.server.config.maxmemory_clients.of(self.server.config.maxmemory);
        if limit == 0 {
            return;
        }
        let sizes = self.clients.iter().filter(|client| !client.killed && !client.no_evict);
        let mut sizes: Vec<(usize, ClientId)> = sizes.map(|client| (client.memory(), client.id)).collect();
        let mut total: usize = sizes.iter().map(|(bytes, _)| bytes).sum();
        sizes.sort_unstable();
        while total as u64 > limit
            && let Some((bytes, id)) = sizes.pop()
        {
            total -= bytes;
            if let Some(client) = self.clients.get_mut(id) {
                client.kill();
                self.clients.evicted += 1;
                self.server.errands.push(Errand::Kill { id });
            }
        }
    }
}

/// How long a command is held up at most: `None` is as long as it takes.
fn patience(tenacity: u32) -> Option<Duration> {
    let micros = match tenacity {
        0..=10 => 50.0 * f64::from(tenacity),
        11..100 => 500.0 * 1.15f64.powi(tenacity as i32 - 10),
        _ => return None,
    };
    Some(Duration::from_micros(micros as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_is_time() {
        assert_eq!(patience(0), Some(Duration::ZERO));
        assert_eq!(patience(10), Some(Duration::from_micros(500)));
        assert!(patience(99).is_some_and(|time| time > Duration::from_mins(1)));
        assert_eq!(patience(100), None);
    }
}

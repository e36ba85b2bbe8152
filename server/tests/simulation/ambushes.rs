//! Faults that wait for the moment in which they hurt most: whoever just began to lead, changes the pair, or has a
//! transaction on its way is hit. Chance alone finds such moments rarely.

use crate::faults::Kind;
use crate::world::{Item, MS, Undo, World};

impl World {
    /// Whether one is to be laid, with this chance.
    pub fn ambushes(&mut self, percent: u64) -> bool {
        self.faults.contains(&Kind::Ambush) && !self.healing && self.rng.percent(percent)
    }

    fn ambush_within(&mut self, host: usize, span: u64) {
        let (delay, generation) = (self.rng.below(span), self.hosts[host].generation);
        self.after(delay, Item::Ambush(host, generation));
    }

    /// Somebody begins to lead: just then it may be hit, or read slowly what others still need.
    pub fn lay_ambush(&mut self, host: usize) {
        if self.ambushes(30) {
            let length = self.rng.between(20, 500) * MS;
            self.hosts[host].reads_from = self.now + length;
            self.after(length, Item::Undo(Undo::SlowReads(host)));
        } else if self.ambushes(60) {
            let within = if self.rng.percent(50) { 12 } else { 60 };
            self.ambush_within(host, within * MS);
        }
    }

    /// A leader is hit while only the synced replica hears of what it writes: whoever leads next has a tail to settle.
    pub fn cut_off_others(&mut self, leader: usize) {
        let Some((_, Some(synced))) = self.pair() else { return };
        let length = self.rng.between(5, 300) * MS;
        for other in 0..self.hosts.len() {
            if self.hosts[other].id != synced {
                self.block(leader, other, length);
            }
        }
        self.ambush_within(leader, 8 * MS);
    }

    /// A transaction was just executed: its writer may be hit while what it wrote is on its way.
    pub fn interrupt(&mut self, host: usize, parts: usize) {
        if parts > 1 && self.ambushes(3) {
            self.ambush_within(host, 5 * MS);
        }
    }

    /// The pair was just changed: its leader may be hit before the new one has all that it needs.
    pub fn interrupt_change(&mut self) {
        let leader = self.pair().and_then(|(id, _)| self.hosts.iter().position(|host| host.id == id));
        let Some(host) = leader else { return };
        let likely = if self.hosts[host].reads_from > self.now { 60 } else { 15 };
        if self.ambushes(likely) {
            self.ambush_within(host, 15 * MS);
        }
    }

    pub fn ambush(&mut self, host: usize) {
        self.tell(|| format!("-- an ambush n{host}"));
        match self.rng.below(4) {
            0 => self.kill(host, None),
            1 => self.power(host),
            2 => self.isolate(host),
            _ => self.pause(host),
        }
    }
}

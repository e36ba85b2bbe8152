//! Which faults are injected, when and for how long: drawn by a seed.
//!
//! Pure. A run is a row of episodes; in an episode one fault is injected, or a few that overlap, and each heals after a
//! bounded time. Every kind comes before any comes again.

use crate::ground::network::How;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Leader,
    Synced,
    /// The third node.
    Replica,
    /// Leader and synced replica.
    Pair,
    /// Leader and replica.
    Others,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// kill -9.
    Kill(Who),
    /// SIGSTOP, then SIGCONT.
    Stop(Who),
    /// A node from everybody.
    Cut(Who),
    /// What a node sends, or what it is sent, does not arrive.
    CutOneWay(Who),
    /// Data that is sent to the leader does not arrive; what says that its own did does.
    LoseAnswers,
    /// Leader and synced replica from each other.
    CutPair,
    CutFromKeepers(Who),
    CutFromClients(Who),
    KillKeepers(usize),
    StopKeepers(usize),
    /// ZooKeeper's members from each other.
    CutKeepers,
    FullDisk(Who),
    Clock(Who),
    SlowDisk(Who),
    Handover,
    /// SIGTERM of one after the other.
    Rolling,
    EmptyDisk(Who),
    Snapshots,
}

/// With the name, and the shortest and longest time in milliseconds until it heals.
const KINDS: [(Fault, &str, u64, u64); 37] = [
    (Fault::Kill(Who::Leader), "kill-leader", 200, 3000),
    (Fault::Kill(Who::Synced), "kill-synced", 200, 3000),
    (Fault::Kill(Who::Replica), "kill-replica", 200, 3000),
    (Fault::Kill(Who::Pair), "kill-pair", 200, 2500),
    (Fault::Kill(Who::All), "kill-all", 100, 1500),
    (Fault::Stop(Who::Leader), "stop-leader", 300, 4000),
    (Fault::Stop(Who::Synced), "stop-synced", 300, 4000),
    (Fault::Stop(Who::Replica), "stop-replica", 300, 4000),
    (Fault::Stop(Who::Pair), "stop-pair", 300, 2500),
    (Fault::Stop(Who::Others), "stop-others", 300, 3000),
    (Fault::Cut(Who::Leader), "cut-leader", 500, 4000),
    (Fault::Cut(Who::Synced), "cut-synced", 500, 4000),
    (Fault::Cut(Who::Replica), "cut-replica", 500, 4000),
    (Fault::Cut(Who::All), "cut-all", 500, 2500),
    (Fault::CutOneWay(Who::Leader), "cut-one-way-leader", 500, 4000),
    (Fault::CutOneWay(Who::Synced), "cut-one-way-synced", 500, 4000),
    (Fault::LoseAnswers, "lose-answers", 500, 4000),
    (Fault::CutPair, "cut-pair", 500, 4000),
    (Fault::CutFromKeepers(Who::Leader), "cut-leader-from-zookeeper", 500, 6000),
    (Fault::CutFromKeepers(Who::Synced), "cut-synced-from-zookeeper", 500, 6000),
    (Fault::CutFromClients(Who::Leader), "cut-leader-from-clients", 500, 2000),
    (Fault::KillKeepers(1), "zookeeper-kill-member", 500, 4000),
    (Fault::KillKeepers(2), "zookeeper-kill-quorum", 500, 4000),
    (Fault::KillKeepers(3), "zookeeper-kill-all", 500, 4000),
    (Fault::StopKeepers(2), "zookeeper-stop-quorum", 500, 6000),
    (Fault::CutKeepers, "zookeeper-cut-members", 500, 4000),
    (Fault::FullDisk(Who::Leader), "full-disk-leader", 500, 3000),
    (Fault::FullDisk(Who::Synced), "full-disk-synced", 500, 3000),
    (Fault::FullDisk(Who::All), "full-disk-all", 500, 2000),
    (Fault::Clock(Who::Leader), "clock-step-leader", 500, 4000),
    (Fault::Clock(Who::All), "clock-step-all", 500, 4000),
    (Fault::SlowDisk(Who::Leader), "slow-disk-leader", 1000, 4000),
    (Fault::SlowDisk(Who::Synced), "slow-disk-synced", 1000, 4000),
    (Fault::Handover, "handover", 10, 10),
    (Fault::Rolling, "rolling-restart", 10, 10),
    (Fault::EmptyDisk(Who::Synced), "empty-disk-synced", 100, 1500),
    (Fault::EmptyDisk(Who::Replica), "empty-disk-replica", 100, 1500),
];

/// Goes on beside another fault only.
const BESIDE: (Fault, &str, u64, u64) = (Fault::Snapshots, "snapshots", 1000, 3000);

/// A fault that was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    pub fault: Fault,
    pub name: &'static str,
    /// Since the episode began.
    pub after_ms: u64,
    pub for_ms: u64,
    pub how: How,
    /// For what else is left to chance.
    pub seed: u64,
}

/// Draws episodes, without end.
pub struct Plan {
    rng: fastrand::Rng,
    /// Of each only these together come, if there are any.
    only: Vec<Vec<usize>>,
    deck: Vec<usize>,
}

impl Plan {
    /// With `only`, nothing but these kinds, each alone; `a+b` are kinds that overlap.
    pub fn new(seed: u64, only: &[String]) -> Result<Self, String> {
        let kind = |name: &str| {
            KINDS.iter().position(|kind| kind.1 == name).ok_or_else(|| {
                let names: Vec<_> = KINDS.iter().map(|kind| kind.1).collect();
                format!("no fault {name}; there are {}", names.join(", "))
            })
        };
        let only = only.iter().map(|names| names.split('+').map(kind).collect());
        let only = only.collect::<Result<_, String>>()?;
        Ok(Self { rng: fastrand::Rng::with_seed(seed), only, deck: Vec::new() })
    }

    /// The next episode: at least one fault.
    pub fn episode(&mut self) -> Vec<Drawn> {
        let mut drawn: Vec<Drawn> = if self.only.is_empty() {
            self.any()
        } else {
            let together = self.next();
            self.only[together].clone().into_iter().map(|kind| self.draw(&KINDS[kind])).collect()
        };
        // The first of them begins the episode; one node at most loses its disk.
        drawn[0].after_ms = 0;
        let mut emptied = 0;
        drawn.retain(|drawn| {
            emptied += u8::from(matches!(drawn.fault, Fault::EmptyDisk(_)));
            !matches!(drawn.fault, Fault::EmptyDisk(_)) || emptied == 1
        });
        drawn
    }

    fn any(&mut self) -> Vec<Drawn> {
        let mut drawn = vec![self.next_kind()];
        if self.rng.u8(..100) < 55 {
            for _ in 0..=self.rng.u8(..2) {
                let kind = self.next_kind();
                drawn.push(kind);
            }
            if self.rng.u8(..3) == 0 {
                let beside = self.draw(&BESIDE);
                drawn.push(beside);
            }
        }
        drawn
    }

    fn next_kind(&mut self) -> Drawn {
        let kind = self.next();
        self.draw(&KINDS[kind])
    }

    /// Every kind, or all of `only`, before any comes again.
    fn next(&mut self) -> usize {
        if self.deck.is_empty() {
            self.deck = (0..if self.only.is_empty() { KINDS.len() } else { self.only.len() }).collect();
            self.rng.shuffle(&mut self.deck);
        }
        self.deck.pop().unwrap_or_default()
    }

    fn draw(&mut self, kind: &(Fault, &'static str, u64, u64)) -> Drawn {
        let (fault, name, least, most) = *kind;
        let how = match self.rng.u8(..4) {
            0 | 1 => How::Drop,
            2 => How::Reset,
            _ => How::Unreachable,
        };
        let (after_ms, for_ms) = (self.rng.u64(..1500), self.rng.u64(least..=most));
        Drawn { fault, name, after_ms, for_ms, how, seed: self.rng.u64(..) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn episodes(seed: u64, count: usize) -> Vec<Vec<Drawn>> {
        let mut plan = Plan::new(seed, &[]).unwrap();
        (0..count).map(|_| plan.episode()).collect()
    }

    #[test]
    fn a_seed_always_draws_the_same() {
        assert_eq!(episodes(3, 50), episodes(3, 50));
        assert_ne!(episodes(3, 50), episodes(4, 50));
    }

    #[test]
    fn every_kind_comes_and_heals_in_bounded_time() {
        let all = episodes(1, 60);
        let names: BTreeSet<_> = all.iter().flatten().map(|drawn| drawn.name).collect();
        assert_eq!(names.len(), KINDS.len() + 1);
        assert!(all.iter().flatten().all(|drawn| drawn.after_ms < 1500 && drawn.for_ms <= 6000));
        assert!(all.iter().any(|episode| episode.len() == 1) && all.iter().any(|episode| episode.len() > 2));
    }

    #[test]
    fn no_two_disks_are_emptied_together() {
        for episode in episodes(5, 2000) {
            let empties = |drawn: &&Drawn| matches!(drawn.fault, Fault::EmptyDisk(_));
            assert!(!episode.is_empty() && episode.iter().filter(empties).count() <= 1);
        }
    }

    #[test]
    fn only_what_was_asked_for_comes() {
        let mut plan = Plan::new(1, &["handover".to_owned()]).unwrap();
        assert!((0..20).all(|_| plan.episode().iter().all(|drawn| drawn.fault == Fault::Handover)));
        assert!(Plan::new(1, &["nothing".to_owned()]).is_err());
    }

    #[test]
    fn what_was_asked_for_together_comes_together() {
        let mut plan = Plan::new(1, &["kill-all+handover".to_owned()]).unwrap();
        for _ in 0..20 {
            let names: Vec<_> = plan.episode().iter().map(|drawn| drawn.name).collect();
            assert_eq!(names, ["kill-all", "handover"]);
        }
    }
}

//! Planted defects: for the known ways to get replication wrong, one each, in the very code that runs. The simulator
//! (`tests/simulation`) and the model (`tests/model`) must find them; what they needed is in `docs/traps.md`, which is
//! generated. Without the feature `simulate` nothing is planted, and the compiler leaves the questions out.

#[cfg(feature = "simulate")]
thread_local! {
    static PLANTED: std::cell::Cell<u8> = const { std::cell::Cell::new(0) };
}

/// A way to get it wrong, and the defect that goes that way.
#[cfg(feature = "simulate")]
pub struct Defect {
    pub number: u8,
    pub trap: &'static str,
    pub planted: &'static str,
}

#[cfg(feature = "simulate")]
const fn defect(number: u8, trap: &'static str, planted: &'static str) -> Defect {
    Defect { number, trap, planted }
}

/// All that can be planted.
#[cfg(feature = "simulate")]
pub const DEFECTS: &[Defect] = &[
    defect(1, "Stale reads by a paused leader", "replies leave without a look at the lease"),
    defect(
        2,
        "Clock drift in leases",
        "a lease counts from when it was heard of, by a clock that stands still with the machine",
    ),
    defect(3, "Undecided compare-and-set", "an undecided write is taken for one that failed"),
    defect(
        4,
        "An ephemeral outlives its process, or dies before it",
        "a leader whose session expired is taken for dead",
    ),
    defect(
        5,
        "Synced replica swapped while records are in flight",
        "while it is being changed the old one does not count",
    ),
    defect(
        6,
        "Silent solo commits after losing the synced replica",
        "a synced replica that is gone is not waited for",
    ),
    defect(7, "Leader and synced accuse each other", "who loses the compare-and-set leads too"),
    defect(
        8,
        "Empty disk restarts as leader",
        "who comes back is known by its name alone, not by its incarnation",
    ),
    defect(9, "Torn tail after a crash", "a log that may have lost something is held for whole"),
    defect(10, "Diverged old leader", "the shorter of two logs is taken for the start of the longer"),
    defect(11, "Memory is ahead of the log after truncation", "what was cut from the log stays in memory"),
    defect(12, "Same offset, different history", "logs that end at one offset are taken for the same"),
    defect(13, "Frames of an old connection", "neither connection nor epoch of a frame is checked"),
    defect(14, "Dirty reads", "reads do not wait for the writes that they saw"),
    defect(15, "Side channels ahead of commit", "messages do not wait for the writes that they tell of"),
    defect(
        16,
        "An error reply for a write that may have happened",
        "held replies of a deposed leader become errors",
    ),
    defect(17, "Non-deterministic commands", "followers choose themselves which member of a set goes"),
    defect(18, "Expiry judged by each node's clock", "followers delete what has expired by their own clocks"),
    defect(19, "Replicas evict on their own", "followers evict when their memory is short"),
    defect(20, "Half of a MULTI survives", "each effect of a transaction is a record of its own"),
    defect(21, "Blocked clients across failover", "clients that wait are not woken when a leader steps down"),
    defect(
        22,
        "Heartbeats stuck behind a 512 MiB value",
        "what is ordered waits until all bulk data is sent",
    ),
    defect(23, "Slow replica: endless full copies", "who is far behind is copied to, whatever the log holds"),
    defect(24, "Held replies without bound", "neither of one connection nor of all is what waits bounded"),
    defect(25, "Full copy doubles memory", "all of the snapshot is read before its first byte is sent"),
    defect(26, "The old copy is dropped before the new one is whole", "the old data goes when a copy begins"),
    defect(
        27,
        "New leader answers before its tail is settled",
        "the tail that a new leader found counts as committed",
    ),
    defect(29, "Registry outage demotes a healthy leader", "a leader that loses the registry steps down"),
    defect(30, "fsync fails and is tried again", "the process goes on when fsync failed"),
];

/// On this thread the defect of this trap is there from now on; 0 is none.
#[cfg(feature = "simulate")]
pub fn plant(trap: u8) {
    PLANTED.set(trap);
}

/// Whether the defect of this trap is planted.
#[cfg(feature = "simulate")]
pub fn is_planted(trap: u8) -> bool {
    PLANTED.get() == trap
}

#[cfg(not(feature = "simulate"))]
pub const fn is_planted(_: u8) -> bool {
    false
}

//! Planted defects, one for each of the ways to get replication wrong that `replication.md` lists: what the simulator
//! must find. Without the feature `simulate` there is none, and the compiler leaves the questions out.

#[cfg(feature = "simulate")]
thread_local! {
    static PLANTED: std::cell::Cell<u8> = const { std::cell::Cell::new(0) };
}

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

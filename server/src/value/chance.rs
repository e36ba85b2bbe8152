//! Chance: numbers that nobody can foresee, but for a simulator, which must be able to repeat them.

use std::hash::{BuildHasher as _, RandomState};

#[cfg(feature = "simulate")]
thread_local! {
    static SIMULATED: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
}

/// On this thread numbers follow from `seed` from now on.
#[cfg(feature = "simulate")]
pub fn seed(seed: u64) {
    SIMULATED.set(Some(seed));
}

/// The next number.
pub fn number() -> u64 {
    #[cfg(feature = "simulate")]
    if let Some(last) = SIMULATED.get() {
        let next = last.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        SIMULATED.set(Some(next));
        return next ^ (next >> 29);
    }
    // Each state is keyed at random by the standard library.
    RandomState::new().hash_one(0)
}

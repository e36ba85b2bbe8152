//! Time as the protocol knows it: nanoseconds of a clock that counts suspension (CLOCK_BOOTTIME), never wall time.
//!
//! The machines are given a `Time` with each event; only adapters call `Time::now`.

use std::time::Duration;

/// An instant of one node's own clock. Instants of different nodes must never be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

#[cfg(feature = "simulate")]
thread_local! {
    static SIMULATED: std::cell::Cell<Option<(Time, Time)>> = const { std::cell::Cell::new(None) };
}

impl Time {
    /// What this thread's clock shows from now on, and what one shows that stands still while the machine is suspended.
    #[cfg(feature = "simulate")]
    pub fn pretend(self, awake: Self) {
        SIMULATED.set(Some((self, awake)));
    }

    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(u64::MAX);

    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Reads CLOCK_BOOTTIME: it keeps counting while the machine is suspended, as a lease must.
    pub fn now() -> Self {
        #[cfg(feature = "simulate")]
        if let Some((now, awake)) = SIMULATED.get() {
            return if crate::mutant::is_planted(2) { awake } else { now };
        }
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Self((now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64))
    }

    /// What passed since `earlier`; nothing if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_nanos() as u64))
    }

    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_nanos() as u64))
    }
}

/// Time during which this process was awake to see anything. A stalled process must not conclude from its own silence
/// that everybody else fell silent, so each step counts only up to a limit. For suspicion only: leases use `Time`.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Awake {
    last: Time,
    total: Duration,
}

impl Awake {
    const STEP_MAX: Duration = Duration::from_millis(50);

    pub fn new(now: Time) -> Self {
        Self { last: now, total: Duration::ZERO }
    }

    /// Counts on to `now`; called with each event, ticks among them.
    pub fn advance(&mut self, now: Time) {
        self.total += now.since(self.last).min(Self::STEP_MAX);
        self.last = self.last.max(now);
    }

    pub fn total(&self) -> Duration {
        self.total
    }

    pub fn since(&self, earlier: Duration) -> Duration {
        self.total.saturating_sub(earlier)
    }
}

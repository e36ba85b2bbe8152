//! The two sides of a lease, each by its own clock.
//!
//! The leader counts from the moment it *sent* the heartbeat, the follower from the moment it *received* it, and both
//! keep a margin for drift: so the leader's side always ends before the follower's (rule 5, traps 1 and 2).

use super::member::Member;
use super::time::Time;
use std::time::Duration;

/// The leader's side: what one peer granted.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub struct Granted {
    until: Time,
}

impl Granted {
    /// `stamp` is the leader's own, echoed. Stamps from the future were never sent.
    pub fn grant(&mut self, now: Time, stamp: Time, granted: Duration, margin: Duration, not_before: Time) {
        if stamp > now || stamp < not_before || granted <= margin {
            return;
        }
        let from = if crate::mutant::is_planted(2) { now } else { stamp };
        self.until = self.until.max(from.plus(granted).minus(margin));
    }

    pub fn until(self) -> Time {
        self.until
    }

    pub fn revoke(&mut self) {
        self.until = Time::ZERO;
    }
}

/// The follower's side: whom it promised not to take over from, and until when.
#[derive(Clone, Debug, Hash)]
pub struct Promises {
    /// A process that has just started does not know what the one before it promised, nor to whom.
    unknown: Time,
    to: Vec<(Member, Time)>,
}

impl Promises {
    pub fn after_start(now: Time, lease: Duration, margin: Duration) -> Self {
        Self { unknown: now.plus(lease).plus(margin), to: Vec::new() }
    }

    pub fn promise(&mut self, now: Time, leader: &Member, lease: Duration, margin: Duration) {
        let until = now.plus(lease).plus(margin);
        self.to.retain(|(member, time)| *time > now || member == leader);
        match self.to.iter_mut().find(|(member, _)| member == leader) {
            Some((_, time)) => *time = until.max(*time),
            None => self.to.push((leader.clone(), until)),
        }
    }

    /// `leader` has given its lease up.
    pub fn released_by(&mut self, leader: &Member) {
        self.to.retain(|(member, _)| member != leader);
    }

    pub fn lapsed(&self, now: Time) -> bool {
        now >= self.unknown && self.to.iter().all(|(_, until)| now >= *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_millis(400);
    const MARGIN: Duration = Duration::from_millis(40);

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn member(id: &str) -> Member {
        Member { id: id.into(), incarnation: "1".into() }
    }

    #[test]
    fn the_leaders_side_ends_first_however_slow_the_answer() {
        let (mut granted, mut promises) =
            (Granted::default(), Promises::after_start(Time::ZERO, LEASE, MARGIN));
        promises.promise(at(1000), &member("a"), LEASE, MARGIN);
        granted.grant(at(1900), at(1000), LEASE, MARGIN, Time::ZERO);
        assert_eq!(granted.until(), at(1360));
        assert!(!promises.lapsed(at(1439)));
        assert!(promises.lapsed(at(1440)));
    }

    #[test]
    fn grants_for_stamps_before_a_handover_or_from_the_future_do_not_count() {
        let mut granted = Granted::default();
        granted.grant(at(100), at(50), LEASE, MARGIN, at(60));
        granted.grant(at(100), at(150), LEASE, MARGIN, at(60));
        granted.grant(at(100), at(80), Duration::ZERO, MARGIN, at(60));
        assert_eq!(granted.until(), Time::ZERO);
    }

    #[test]
    fn a_new_process_keeps_the_promises_it_cannot_remember() {
        let mut promises = Promises::after_start(at(100), LEASE, MARGIN);
        promises.released_by(&member("a"));
        assert!(!promises.lapsed(at(539)));
        assert!(promises.lapsed(at(540)));
    }

    #[test]
    fn a_release_frees_only_from_the_one_who_gave_it() {
        let mut promises = Promises::after_start(Time::ZERO, LEASE, MARGIN);
        promises.promise(at(1000), &member("a"), LEASE, MARGIN);
        promises.promise(at(1001), &member("b"), LEASE, MARGIN);
        promises.released_by(&member("b"));
        assert!(!promises.lapsed(at(1100)));
        promises.released_by(&member("a"));
        assert!(promises.lapsed(at(1100)));
    }
}

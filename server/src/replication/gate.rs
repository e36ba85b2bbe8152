//! The gate that replies pass on their way out (rules 2 and 5).
//!
//! A reply leaves when everything that it observed is committed and, on a leader, the lease holds at that moment; it
//! never leaves once the term in which it was made is over. The protocol moves the commit offset, the lease and the
//! term; connections ask, or wait in the order of their offsets, so that a commit wakes those that it frees and nobody
//! else.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::position::Offset;
use super::time::Time;

/// Which leadership a reply was made under. It changes when this node stops leading.
pub type Term = u64;

/// What the gate says of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    Leave,
    Wait,
    /// Its term is over: whether what it says ever came to be is unknown, so it must never be sent (trap 16).
    Void,
}

#[derive(Debug)]
pub struct Gate {
    commit: AtomicU64,
    /// The end of the lease by the own clock, in its nanoseconds; `u64::MAX`: none is needed.
    lease: AtomicU64,
    term: AtomicU64,
    waiters: Mutex<Waiters>,
    /// Bytes of replies that wait, of all connections, and how many there may be.
    held: AtomicU64,
    held_max: AtomicU64,
    /// How many there may be of one connection.
    held_each_max: AtomicU64,
}

/// Bytes of replies that may wait, where nobody said otherwise.
const HELD_BYTES_MAX: u64 = 256 << 20;

/// With so many bytes of one connection's replies waiting, no more of its requests are read.
const HELD_EACH_BYTES_MAX: u64 = 16 << 20;

/// A place among those who wait: by offset, then by who came first.
pub type Place = (Offset, u64);

#[derive(Debug, Default)]
struct Waiters {
    by_offset: BTreeMap<Place, Waker>,
    next: u64,
}

impl Gate {
    /// A gate of a node that needs no lease; everything up to `commit` is committed.
    pub fn new(commit: Offset) -> Self {
        Self {
            commit: AtomicU64::new(commit),
            lease: AtomicU64::new(u64::MAX),
            term: AtomicU64::new(0),
            waiters: Mutex::default(),
            held: AtomicU64::new(0),
            held_max: AtomicU64::new(HELD_BYTES_MAX),
            held_each_max: AtomicU64::new(HELD_EACH_BYTES_MAX),
        }
    }

    pub fn committed(&self) -> Offset {
        self.commit.load(Ordering::Acquire)
    }

    /// The term of replies made now. Ask under the engine's lock.
    pub fn term(&self) -> Term {
        self.term.load(Ordering::Acquire)
    }

    /// May a reply leave that was made in `term` and waits for `after`?
    pub fn pass(&self, term: Term, after: Offset) -> Pass {
        let free = self.committed() >= after && (self.lease_holds() || crate::mutant::is_planted(1));
        // Last: a step down ends the term before it lifts the need for a lease.
        if self.term() != term {
            Pass::Void
        } else if free {
            Pass::Leave
        } else {
            Pass::Wait
        }
    }

    fn lease_holds(&self) -> bool {
        match self.lease.load(Ordering::Acquire) {
            u64::MAX => true,
            0 => false,
            until => Time::now().nanos() < until,
        }
    }

    /// What is left of the lease, in milliseconds; `None` if none is needed.
    pub fn lease_left_ms(&self) -> Option<u64> {
        match self.lease.load(Ordering::Acquire) {
            u64::MAX => None,
            until => Some(until.saturating_sub(Time::now().nanos()) / 1_000_000),
        }
    }

    /// Wait until such a reply may leave or is void.
    pub async fn wait(&self, term: Term, after: Offset) -> Pass {
        let mut waiting = Waiting { gate: self, place: None };
        poll_fn(|context| self.poll_pass(&mut waiting.place, term, after, context)).await
    }

    /// As [`Gate::wait`], for a task that waits for other things too. `place` is its place among those who wait, to be
    /// given back by [`Gate::give_up`] if it stops waiting.
    pub fn poll_pass(
        &self,
        place: &mut Option<Place>,
        term: Term,
        after: Offset,
        context: &Context<'_>,
    ) -> Poll<Pass> {
        let mut waiters = self.waiters.lock();
        // Under the lock: whoever frees it afterwards finds the waker.
        match self.pass(term, after) {
            Pass::Wait => {
                let key = *place.get_or_insert_with(|| {
                    waiters.next += 1;
                    (after, waiters.next)
                });
                waiters.by_offset.insert(key, context.waker().clone());
                Poll::Pending
            }
            pass => {
                place.take().and_then(|key| waiters.by_offset.remove(&key));
                Poll::Ready(pass)
            }
        }
    }

    pub fn give_up(&self, place: &mut Option<Place>) {
        if let Some(key) = place.take() {
            self.waiters.lock().by_offset.remove(&key);
        }
    }

    /// A connection has so many bytes of replies waiting, where it had `before`.
    pub fn count_held(&self, before: u64, now: u64) {
        if now > before {
            self.held.fetch_add(now - before, Ordering::AcqRel);
        } else if now < before {
            self.held.fetch_sub(before - now, Ordering::AcqRel);
        }
    }

    pub fn held_bytes(&self) -> u64 {
        self.held.load(Ordering::Acquire)
    }

    /// As many replies wait as may: whoever has some waiting asks nothing more, and writes are refused (trap 24).
    pub fn is_crowded(&self) -> bool {
        self.held_bytes() > self.held_max.load(Ordering::Acquire) && !crate::mutant::is_planted(24)
    }

    /// Whether a connection that has so many bytes of replies waiting may ask for more.
    pub fn may_ask(&self, held: u64) -> bool {
        let each = held <= self.held_each_max.load(Ordering::Acquire) || crate::mutant::is_planted(24);
        each && (held == 0 || !self.is_crowded())
    }

    /// How much may wait, of a server that may take `maxmemory` bytes; 0: as many as there are.
    pub fn set_room(&self, maxmemory: u64) {
        let max = if maxmemory == 0 { HELD_BYTES_MAX } else { HELD_BYTES_MAX.min(maxmemory / 20) };
        self.held_max.store(max, Ordering::Release);
    }

    /// How much may wait in all and of one connection, for a simulator.
    #[cfg(feature = "simulate")]
    pub fn limit_held(&self, all: u64, each: u64) {
        self.held_max.store(all, Ordering::Release);
        self.held_each_max.store(each, Ordering::Release);
    }

    /// Everything up to `offset` is committed.
    pub fn commit(&self, offset: Offset) {
        if self.commit.fetch_max(offset, Ordering::AcqRel) < offset {
            self.wake(offset);
        }
    }

    /// A leadership begins: what is committed in it is told anew. What the node knew before may lie beyond its log, if
    /// that was cut back or replaced since.
    pub fn begin_term(&self) {
        self.lease.store(0, Ordering::Release);
        self.commit.store(0, Ordering::Release);
    }

    /// The lease holds until then; `Time::ZERO`: there is none, `Time::MAX`: none is needed.
    pub fn set_lease(&self, until: Time) {
        self.lease.store(until.nanos(), Ordering::Release);
        self.wake(self.committed());
    }

    /// The leadership is over, and with it every reply made under it. Call it under the engine's lock, before anything
    /// is executed in the next role; the need for a lease is lifted with it. What is committed in the next role is told
    /// anew by [`Gate::commit`].
    pub fn end_term(&self) {
        self.term.fetch_add(1, Ordering::AcqRel);
        self.lease.store(u64::MAX, Ordering::Release);
        self.wake(Offset::MAX);
    }

    /// Wake those that wait for `offset` or less; each looks for itself.
    fn wake(&self, offset: Offset) {
        let freed = {
            let mut waiters = self.waiters.lock();
            if waiters.by_offset.first_key_value().is_none_or(|((first, _), _)| *first > offset) {
                return;
            }
            let rest = waiters.by_offset.split_off(&(offset, u64::MAX));
            std::mem::replace(&mut waiters.by_offset, rest)
        };
        freed.into_values().for_each(Waker::wake);
    }
}

/// Whoever stops waiting leaves nothing behind.
struct Waiting<'g> {
    gate: &'g Gate,
    place: Option<Place>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.gate.give_up(&mut self.place);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_reply_waits_for_its_commit_and_the_lease_and_dies_with_its_term() {
        let gate = Gate::new(10);
        assert_eq!(gate.pass(0, 10), Pass::Leave);
        assert_eq!(gate.pass(0, 11), Pass::Wait);
        gate.set_lease(Time::ZERO);
        assert_eq!(gate.pass(0, 10), Pass::Wait);
        gate.set_lease(Time::now().plus(Duration::from_hours(1)));
        assert_eq!(gate.pass(0, 10), Pass::Leave);
        gate.set_lease(Time::now());
        assert_eq!(gate.pass(0, 10), Pass::Wait, "a lapsed lease is none");
        gate.end_term();
        assert_eq!(gate.pass(0, 10), Pass::Void);
        assert_eq!(gate.pass(1, 10), Pass::Leave);
    }

    #[test]
    fn a_leadership_begins_with_nothing_committed() {
        let gate = Gate::new(1000);
        gate.begin_term();
        gate.set_lease(Time::MAX);
        assert_eq!(
            gate.pass(0, 600),
            Pass::Wait,
            "what was committed in another log says nothing of this one"
        );
        gate.commit(600);
        assert_eq!(gate.pass(0, 600), Pass::Leave);
    }

    #[test]
    fn replies_of_all_connections_together_are_counted_against_what_may_wait() {
        let gate = Gate::new(0);
        gate.set_room(1000);
        gate.count_held(0, 30);
        gate.count_held(0, 20);
        assert!(!gate.is_crowded());
        gate.count_held(20, 21);
        assert_eq!((gate.held_bytes(), gate.is_crowded()), (51, true));
        assert!(gate.may_ask(0) && !gate.may_ask(1), "who has nothing waiting may ask");
        gate.count_held(30, 0);
        assert!(!gate.is_crowded());
        assert!(gate.may_ask(HELD_EACH_BYTES_MAX) && !gate.may_ask(HELD_EACH_BYTES_MAX + 1), "one alone");
        gate.count_held(21, 0);
        assert_eq!(gate.held_bytes(), 0);
    }

    #[tokio::test]
    async fn a_commit_wakes_those_that_it_frees() {
        let gate = Arc::new(Gate::new(0));
        let wait = |after| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.wait(0, after).await })
        };
        let (first, second, third) = (wait(5), wait(10), wait(15));
        while gate.waiters.lock().by_offset.len() < 3 {
            tokio::task::yield_now().await;
        }
        gate.commit(10);
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (Pass::Leave, Pass::Leave));
        assert_eq!(gate.waiters.lock().by_offset.len(), 1);
        gate.end_term();
        assert_eq!(third.await.unwrap(), Pass::Void);
        drop(tokio::time::timeout(Duration::ZERO, gate.wait(1, 99)).await);
        assert!(gate.waiters.lock().by_offset.is_empty(), "who stops waiting leaves nothing behind");
    }
}

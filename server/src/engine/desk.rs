//! Where others are served while a script holds the engine for too long.
//!
//! The engine's lock belongs to the thread that runs the script, so whoever needs the engine then hands in a job, and
//! that thread does it between two instructions of the script. The engine refuses all but a few commands meanwhile
//! (`BUSY`). Jobs that are left when the script ends are done then: none is ever lost.
//!
//! Who takes another part in the store can't wait for scripts: they end while somebody wants the engine for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::Engine;

pub type Job = Box<dyn FnOnce(&mut Engine) + Send>;

#[derive(Default)]
pub struct Desk {
    open: AtomicBool,
    jobs: Mutex<Vec<Job>>,
    wanted: AtomicUsize,
}

/// No script goes on for long as long as this lives.
pub struct Wanted(Arc<Desk>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.wanted.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Desk {
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Hand in a job; it comes back if the desk has been closed: then the lock is, or soon will be, free.
    pub fn hand_in(&self, job: Job) -> Result<(), Job> {
        let mut jobs = self.jobs.lock();
        if !self.is_open() {
            return Err(job);
        }
        jobs.push(job);
        Ok(())
    }

    /// The engine is needed whatever a script does with it: whoever asks takes its lock next.
    pub fn want(self: &Arc<Self>) -> Wanted {
        self.wanted.fetch_add(1, Ordering::AcqRel);
        Wanted(self.clone())
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) > 0
    }

    pub(super) fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// What was handed in since the last time.
    pub(super) fn jobs(&self) -> Vec<Job> {
        std::mem::take(&mut *self.jobs.lock())
    }

    /// No more jobs are taken; what is left is returned.
    pub(super) fn close(&self) -> Vec<Job> {
        let mut jobs = self.jobs.lock();
        self.open.store(false, Ordering::Release);
        std::mem::take(&mut *jobs)
    }
}

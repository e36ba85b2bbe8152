//! Where others are served while a script holds the engine for too long.
//!
//! The engine's lock belongs to the thread that runs the script, so whoever needs the engine then hands in a job, and
//! that thread does it between two instructions of the script. The engine refuses all but a few commands meanwhile
//! (`BUSY`). Jobs that are left when the script ends are done then: none is ever lost.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::Engine;

pub type Job = Box<dyn FnOnce(&mut Engine) + Send>;

#[derive(Default)]
pub struct Desk {
    open: AtomicBool,
    jobs: Mutex<Vec<Job>>,
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

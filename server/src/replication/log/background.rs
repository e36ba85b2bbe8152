//! The log's own thread: syncs in groups under `always`, each second under `everysec`.

use super::{Core, Fsync, STATE_FAILED};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often `everysec` syncs, and how often a full disk is tried again.
const TICK: Duration = Duration::from_secs(1);

/// Wakes the thread.
#[derive(Default)]
pub struct Signal {
    flags: Mutex<Flags>,
    raised: Condvar,
}

#[derive(Default)]
struct Flags {
    work: bool,
    stop: bool,
}

impl Signal {
    pub fn raise(&self) {
        let mut flags = self.flags.lock();
        if !flags.work {
            flags.work = true;
            self.raised.notify_one();
        }
    }

    fn stop(&self) {
        self.flags.lock().stop = true;
        self.raised.notify_one();
    }

    /// Waits for work or the tick; `false` when told to stop.
    fn wait(&self) -> bool {
        let mut flags = self.flags.lock();
        if !flags.work && !flags.stop {
            self.raised.wait_for(&mut flags, TICK);
        }
        flags.work = false;
        !flags.stop
    }
}

/// Stops and joins the thread when dropped.
pub struct Thread {
    core: Arc<Core>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Thread {
    pub fn start(core: &Arc<Core>) -> std::io::Result<Self> {
        let handle = if core.background {
            let core = Arc::clone(core);
            Some(std::thread::Builder::new().name("log".into()).spawn(move || run(&core))?)
        } else {
            None
        };
        Ok(Self { core: Arc::clone(core), handle: Mutex::new(handle) })
    }

    pub fn stop(&self) {
        self.core.signal.stop();
        let handle = self.handle.lock().take();
        if let Some(handle) = handle
            && handle.thread().id() != std::thread::current().id()
            && handle.join().is_err()
        {
            tracing::error!("the log's thread panicked");
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(core: &Core) {
    while core.signal.wait() {
        if core.state.load(Ordering::Acquire) == STATE_FAILED {
            continue;
        }
        // A full disk is told by the state, and tried again at the next tick; a failure has been fatal already.
        let written = core.write_out();
        let due = match core.policy() {
            Fsync::Always | Fsync::Everysec => true,
            // Segments that are complete are synced all the same: damage in them is then told from a torn tail.
            Fsync::No => core.writer.lock().unsynced.len() > 1,
        };
        if due && core.synced.load(Ordering::Acquire) < core.written.load(Ordering::Acquire) {
            core.sync().ok();
        }
        drop(written);
    }
}

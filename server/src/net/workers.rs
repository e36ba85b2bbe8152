//! The threads that serve connections.
//!
//! Each has an event loop of its own and keeps the connections that it was given, in turn. So a connection's bytes are
//! read, run and answered by the thread that was woken for them: with tasks that move between threads, a small request
//! costs half as much again in wake-ups and misses.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, RuntimeFlavor};

/// Scripts nest: their libraries follow values a thousand levels deep.
const STACK_BYTES: usize = 16 << 20;

/// A machine that has not started a thread by then has other troubles.
const HANDED_OVER_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Workers {
    handles: Vec<Handle>,
    next: AtomicUsize,
}

impl Workers {
    /// Start `count` threads; 0 is one for each processor that this process may use. They end with the process.
    pub fn start(count: usize) -> io::Result<Self> {
        let count = if count == 0 { available_parallelism()?.get() } else { count };
        let handles = (0..count).map(start).collect::<io::Result<_>>()?;
        Ok(Self { handles, next: AtomicUsize::new(0) })
    }

    /// The caller's own runtime serves: for tests.
    pub fn here() -> Self {
        Self { handles: vec![Handle::current()], next: AtomicUsize::new(0) }
    }

    /// Run a future on the next thread in turn.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.handles[turn % self.handles.len()].spawn(future);
    }
}

fn start(number: usize) -> io::Result<Handle> {
    // One thread each; not the simpler kind of runtime, which could not go on with its other connections while a
    // busy script has the thread.
    let name = format!("clients-{number}");
    let mut builder = Builder::new_multi_thread();
    let builder = builder.worker_threads(1).thread_name(name).thread_stack_size(STACK_BYTES);
    let runtime = builder.enable_all().build()?;
    let handle = runtime.handle().clone();
    // Its threads end with the process.
    std::mem::forget(runtime);
    Ok(handle)
}

/// A script has this thread for too long: its event loop goes on in another one.
pub fn step_aside() {
    let many = |handle: Handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread;
    if Handle::try_current().is_ok_and(many) {
        // The loop is handed over on entering, and comes back unless somebody took it by the end: whoever runs this did.
        tokio::task::block_in_place(|| {
            let (tell, told) = std::sync::mpsc::channel();
            Handle::current().spawn(async move { tell.send(()) });
            // If it does not come, the other clients of this thread wait for the script.
            let _ = told.recv_timeout(HANDED_OVER_MAX);
        });
    }
}

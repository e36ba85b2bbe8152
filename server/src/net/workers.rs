//! The threads that serve connections.
//!
//! Each has an event loop of its own and keeps the connections that it was given, in turn. So a connection's bytes are
//! read, run and answered by the thread that was woken for them: with tasks that move between threads, a small request
//! costs half as much again in wake-ups and misses.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle};

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
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name(format!("clients-{number}"))
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
}

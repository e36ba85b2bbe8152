//! Memory given back in the background: a collection of millions of items takes long to be freed.
//!
//! Contract: what is handed over is dropped by a thread of its own, in order. Nobody waits for it, and nothing can be
//! seen of it but the two counts that `INFO` shows.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

type Burden = Box<dyn Send>;

static PENDING: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);

/// What waits to be freed, and what was freed since the start.
pub fn counts() -> (u64, u64) {
    (PENDING.load(Ordering::Relaxed), FREED.load(Ordering::Relaxed))
}

/// Drop something later, elsewhere; here and now if that can't be.
pub(super) fn later(burden: impl Send + 'static) {
    static QUEUE: OnceLock<Option<Sender<Burden>>> = OnceLock::new();
    let queue = QUEUE.get_or_init(|| {
        let (sender, receiver) = channel::<Burden>();
        let work = move || {
            for burden in receiver {
                drop(burden);
                PENDING.fetch_sub(1, Ordering::Relaxed);
                FREED.fetch_add(1, Ordering::Relaxed);
            }
        };
        std::thread::Builder::new().name("reclaim".into()).spawn(work).is_ok().then_some(sender)
    });
    if let Some(queue) = queue {
        PENDING.fetch_add(1, Ordering::Relaxed);
        if queue.send(Box::new(burden)).is_err() {
            PENDING.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_is_dropped_elsewhere() {
        struct Tells(Sender<Option<String>>);
        impl Drop for Tells {
            fn drop(&mut self) {
                let _ = self.0.send(std::thread::current().name().map(str::to_owned));
            }
        }
        let (sender, receiver) = channel();
        later(Tells(sender));
        assert_eq!(receiver.recv().unwrap().as_deref(), Some("reclaim"));
    }
}

//! How much memory the process has taken from its allocator, counted as it is taken and given back.
//!
//! Contract: [`used`] costs one load. Each thread adds up what it takes and gives back and hands it on once that is some
//! kilobytes, so counting costs an allocation about a nanosecond and threads do not meet; what is shown is off by at most
//! [`HELD_BACK_MAX`] for each thread. Counted is what was asked for, not what the allocator rounds it up to.
//!
//! This is the only module with unsafe code: a global allocator can't be written without. It forwards every call
//! unchanged to the system's allocator and touches two integers beside, so it is as sound as that is. glibc's
//! `malloc_trim` takes a number and may be called by any thread at any time.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};

/// What a thread keeps to itself at most.
pub const HELD_BACK_MAX: i64 = 4096;

static USED: AtomicI64 = AtomicI64::new(0);

thread_local! {
    // Constant and without a destructor: looking at it neither allocates nor fails, not even as a thread ends.
    static HELD_BACK: Cell<i64> = const { Cell::new(0) };
}

#[cfg(feature = "simulate")]
thread_local! {
    static PRESSED: Cell<u32> = const { Cell::new(0) };
}

/// On this thread memory seems to be full, for so many looks.
#[cfg(feature = "simulate")]
pub fn press(looks: u32) {
    PRESSED.set(looks);
}

/// Bytes in use.
pub fn used() -> u64 {
    #[cfg(feature = "simulate")]
    if let Some(left) = PRESSED.get().checked_sub(1) {
        PRESSED.set(left);
        return u64::MAX;
    }
    let own = HELD_BACK.with(Cell::get);
    u64::try_from(USED.load(Ordering::Relaxed) + own).unwrap_or(0)
}

/// Give memory that is free back to the system, as far as the system's allocator can.
pub fn purge() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            safe fn malloc_trim(pad: usize) -> i32;
        }
        malloc_trim(0);
    }
}

fn count(bytes: i64) {
    HELD_BACK.with(|held| {
        let sum = held.get() + bytes;
        if sum.abs() < HELD_BACK_MAX {
            held.set(sum);
        } else {
            held.set(0);
            USED.fetch_add(sum, Ordering::Relaxed);
        }
    });
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: each method hands its arguments to the system's allocator as they are and returns what that returns, so the
// caller's promises reach it and its own hold for the caller. Counting allocates nothing and does not unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: see above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: see above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: see above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as i64 - layout.size() as i64);
        // SAFETY: see above.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_and_given_back_is_seen() {
        let before = used();
        let block = vec![1u8; 64 << 20];
        let between = used();
        assert!(between >= before + (60 << 20), "{before} {between}");
        drop(block);
        assert!(used() < between - (60 << 20));
    }
}

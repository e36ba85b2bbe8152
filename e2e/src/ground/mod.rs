//! Machines of our own: each is a network namespace on a bridge, and a folder of its own; what runs there can be killed,
//! stopped, cut off and given a bad clock or disk.
//!
//! Everything is made inside namespaces (network, mounts, processes) that the script has entered before it started this
//! program, so the host never sees any of it, and nothing is left when the program ends, however it ends. The program's
//! own network namespace holds the bridge, and the clients.

pub mod keepers;
pub mod network;
pub mod nodes;
pub mod peers;
pub mod process;

use std::process::Command;
use std::time::{Duration, Instant};

/// Runs a command; its error output is the error.
pub fn run(command: &[&str]) -> Result<(), String> {
    let output = Command::new(command[0])
        .args(&command[1..])
        .output()
        .map_err(|error| format!("{}: {error}", command[0]))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", command.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

/// Waits until `condition` gives something, at most for `limit`.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Option<T>,
) -> Result<T, String> {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = condition() {
            return Ok(found);
        }
        if Instant::now() >= until {
            return Err(format!("waited {} s in vain for {what}", limit.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What is wrong when another thread has panicked with the lock: the run is over anyway.
pub fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

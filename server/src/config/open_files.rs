//! How many files the process may have open: each client is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that the server itself needs: the log, snapshots, listeners, other nodes.
const OWN_FILES: u64 = 128;

/// Ask the system for as many open files as so many clients take; returns how many clients it allows.
pub fn clients_allowed(maxclients: u32) -> u32 {
    let wanted = u64::from(maxclients) + OWN_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return maxclients;
    }
    // Beyond the hard limit only a privileged process gets.
    let hard = limit.maximum.map(|hard| hard.max(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: hard }).is_ok();
    if !raised {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    u32::try_from(allowed.saturating_sub(OWN_FILES)).unwrap_or(u32::MAX).clamp(1, maxclients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_holds_and_too_much_is_cut() {
        assert_eq!(clients_allowed(1), 1);
        let most = clients_allowed(u32::MAX);
        let current = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(u64::from(most) + OWN_FILES <= current || most == 1);
    }
}

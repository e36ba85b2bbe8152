//! What the operating system knows of this process. Reads a few lines of `/proc`; what can't be read is 0.

use std::fs::read_to_string;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    pub resident_bytes: u64,
    pub peak_bytes: u64,
}

pub fn memory() -> Memory {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    Memory { resident_bytes: kilobytes(&status, "VmRSS:"), peak_bytes: kilobytes(&status, "VmHWM:") }
}

pub fn system_memory_bytes() -> u64 {
    kilobytes(&read_to_string("/proc/meminfo").unwrap_or_default(), "MemTotal:")
}

/// The bytes of a line such as `VmRSS:   123 kB`.
fn kilobytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Seconds of processor time: in the system, and of its own; and the same of its children that ended.
pub fn cpu_seconds() -> [f64; 4] {
    let stat = read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may hold anything, in brackets.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Clock ticks, of which Linux shows 100 a second to every program.
    let seconds =
        |index: usize| fields.get(index).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0) / 100.0;
    [seconds(12), seconds(11), seconds(14), seconds(13)]
}

/// As `Linux 6.1.0 x86_64`.
pub fn system() -> String {
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    format!("{} {} {}", text(name.sysname()), text(name.release()), text(name.machine()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_a_system() {
        let memory = memory();
        assert!(memory.resident_bytes > 100_000 && memory.peak_bytes >= memory.resident_bytes);
        assert!(system_memory_bytes() > memory.resident_bytes);
        assert!(system().starts_with("Linux "));
        assert_eq!(kilobytes("a: 1 kB\nVmRSS:\t 2 kB\n", "VmRSS:"), 2048);
    }
}

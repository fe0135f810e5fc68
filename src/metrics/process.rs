//! Metrics of the process from the operating system.

/// Resident memory in bytes; None where the system does not report it.
#[cfg(target_os = "linux")]
pub(super) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The number of open files and sockets; None where the system does not report it.
#[cfg(target_os = "linux")]
pub(super) fn open_fds() -> Option<usize> {
    // To read the folder opens one more.
    std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn resident_bytes() -> Option<u64> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open_fds() -> Option<usize> {
    None
}

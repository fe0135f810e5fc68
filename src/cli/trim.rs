//! Gives back to the system what was freed.
//!
//! glibc keeps freed memory for the next who asks: the buffers of a burst would be the process's for ever. It is asked
//! to give it back every few seconds in which the process did something. Measured beside mimalloc and jemalloc; the
//! figures are in ARCHITECTURE.md.

/// How often. What is freed and wanted again sooner is not worth giving back.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const EVERY: std::time::Duration = std::time::Duration::from_secs(2);

/// A process that ran for less than this meanwhile has freed nothing to speak of.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ACTIVE: std::time::Duration = std::time::Duration::from_millis(5);

/// Begins to, from a thread of its own: it may take some milliseconds where much was freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn start() {
    let thread = std::thread::Builder::new().name("liveline-trim".into());
    let started = thread.spawn(|| {
        let mut ran = cpu_time();
        loop {
            std::thread::sleep(EVERY);
            let now = cpu_time();
            if now.saturating_sub(ran) < ACTIVE {
                continue;
            }
            trim();
            ran = cpu_time();
        }
    });
    if let Err(error) = started {
        tracing::warn!("freed memory stays with the process: {error}");
    }
}

/// Other allocators give back on their own.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn start() {}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "glibc is asked through C")]
fn trim() {
    // SAFETY: it has no conditions.
    unsafe { libc::malloc_trim(0) };
}

/// How long all threads of the process have run.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn cpu_time() -> std::time::Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    std::time::Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

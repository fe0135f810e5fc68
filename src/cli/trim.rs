//! Returns freed memory to the system.
//!
//! glibc keeps freed memory for later allocations, so the buffers of one burst would stay with the process for ever.
//! Every two seconds in which the process ran it is asked to return it (`malloc_trim`). docs/architecture/decisions.md has the
//! measurements beside mimalloc and jemalloc.

/// How often memory is returned.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const EVERY: std::time::Duration = std::time::Duration::from_secs(2);

/// A process that ran for less than this in between has freed little.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ACTIVE: std::time::Duration = std::time::Duration::from_millis(5);

/// Starts the thread that does it. One call may take some milliseconds.
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
        tracing::warn!("freed memory cannot be returned to the system: {error}");
    }
}

/// Other allocators return memory by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn start() {}

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

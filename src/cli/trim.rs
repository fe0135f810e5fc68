//! Returns freed memory to the system.
//!
//! glibc keeps freed memory for later allocations, so the buffers of one burst would stay with the process for ever.
//! Every two seconds in which the process ran it is asked to return it (`malloc_trim`). docs/architecture/decisions.md has the
//! measurements beside mimalloc and jemalloc.
//!
//! After the start, and when a process comes to rest, the pages of the executable are unmapped, too. Most were needed by the
//! start alone, or were mapped by the system beside others that were needed. What is used again is mapped again from the
//! page cache, without I/O.

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
        let (mut ran, mut is_settled) = (cpu_time(), false);
        let mut is_first = true;
        loop {
            std::thread::sleep(EVERY);
            let is_active = cpu_time().saturating_sub(ran) >= ACTIVE;
            // At its end an active time has used pages that an idle process does not need.
            if (is_first || (!is_active && !is_settled))
                && let Err(error) = unmap_program()
            {
                tracing::debug!("pages of the program that are not in use stay mapped: {error}");
            }
            (is_first, is_settled) = (false, !is_active);
            if is_active {
                trim();
            }
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

/// Unmaps the pages of the executable that were read and never written.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the system is asked through C")]
fn unmap_program() -> std::io::Result<()> {
    let program = std::fs::read_link("/proc/self/exe")?;
    for (start, end) in unwritten(&std::fs::read_to_string("/proc/self/smaps")?, &program) {
        // SAFETY: the mapping is that of a file, is not writable, and no page of it differs from the file; so each page
        // is read from the file again when it is used.
        let result = unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
        if result != 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The addresses of the mappings of `program` that cannot be written and have no page that differs from the file, as
/// relocated and traced ones have. `smaps` is /proc/PID/smaps.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn unwritten(smaps: &str, program: &std::path::Path) -> Vec<(usize, usize)> {
    let (mut unwritten, mut current) = (Vec::new(), None);
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
        if let Some((start, end)) = first.split_once('-') {
            let address = |text| usize::from_str_radix(text, 16).ok();
            let is_program = words.nth(3).is_some_and(|path| std::path::Path::new(path) == program);
            let is_read_only = matches!(second, "r--p" | "r-xp");
            current = address(start).zip(address(end)).filter(|_| is_program && is_read_only);
        } else if (first, second) == ("Anonymous:", "0") {
            unwritten.extend(current.take());
        }
    }
    unwritten
}

/// How long all threads of the process have run.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn cpu_time() -> std::time::Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    std::time::Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn unwritten_are_the_read_only_mappings_of_the_program_without_own_pages() {
        let smaps = "\
1000-3000 r--p 00000000 fe:00 1 /bin/program\nSize: 8 kB\nAnonymous:             0 kB\n\
3000-5000 r-xp 00002000 fe:00 1 /bin/program\nAnonymous:             0 kB\nVmFlags: rd ex\n\
5000-7000 r--p 00004000 fe:00 1 /bin/program\nAnonymous:             8 kB\n\
7000-9000 rw-p 00006000 fe:00 1 /bin/program\nAnonymous:             0 kB\n\
9000-b000 r-xp 00000000 fe:00 2 /lib/other\nAnonymous:             0 kB\n\
b000-d000 r--p 00000000 00:00 0\nAnonymous:             0 kB\n";
        assert_eq!(unwritten(smaps, Path::new("/bin/program")), [(0x1000, 0x3000), (0x3000, 0x5000)]);
    }

    #[test]
    fn code_runs_after_its_pages_were_unmapped() {
        unmap_program().expect("the mappings of this process");
        assert!(cpu_time() > std::time::Duration::ZERO);
    }
}

//! Which core is whose, and how many files a process may have.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::failure::{Outcome, While};

pub const SERVER: usize = 0;
pub const LOADER: usize = 1;
const OTHER_FILES: usize = 500;

/// Whether there is a core for each.
pub fn several() -> bool {
    // Read once: a thread that is pinned to a core sees only that one.
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from)) > 1
}

/// Keeps this thread on the loader's core until it is dropped.
pub struct OnLoaderCore(Option<CpuSet>);

impl OnLoaderCore {
    pub fn enter() -> Self {
        let mut own = CpuSet::new();
        own.set(LOADER);
        let before = sched_getaffinity(None).ok().filter(|_| several());
        Self(before.filter(|_| sched_setaffinity(None, &own).is_ok()))
    }
}

impl Drop for OnLoaderCore {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // What was allowed before is allowed again.
            let _ = sched_setaffinity(None, before);
        }
    }
}

/// The CPU time of this thread so far.
pub fn own_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// How many connections a server can have here, with room for its other files.
pub fn most_connections() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| (limit as usize).saturating_sub(OTHER_FILES))
}

/// Lets this process and the servers it starts have as many sockets as the system allows.
pub fn raise_file_limit() -> Outcome {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .while_doing("raising the limit of open files")
}

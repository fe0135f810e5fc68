//! The threads on which V8 marks, compiles and frees memory for all isolates.

use std::collections::HashSet;
use std::fs;

use rustix::process::{Pid, setpriority_process};

/// Their nice value. The threads of isolates have 0: on a busy processor they get ten times as much.
const NICE: i32 = 10;

/// The threads that the process has now.
pub(super) struct Threads(HashSet<i32>);

impl Threads {
    pub(super) fn now() -> Threads {
        let ids = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        Threads(ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
    }

    /// Gives all threads that have started since a lower priority: where the code of one isolate keeps them busy, as code
    /// that fills its heap does, the other isolates answer first.
    pub(super) fn later_ones_yield(self) {
        for id in Threads::now().0.difference(&self.0) {
            let Some(thread) = Pid::from_raw(*id) else { continue };
            if let Err(error) = setpriority_process(Some(thread), NICE) {
                tracing::debug!("a thread of V8 keeps its priority: {error}");
            }
        }
    }
}

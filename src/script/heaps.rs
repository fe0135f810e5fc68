//! Which isolates may start from a kept heap.
//!
//! V8 has one read-only part of the heap for all isolates of a process. It comes with the first of them, and goes with the
//! last. An isolate that starts from another kept heap than the first one would refer to objects that are not there, and V8
//! would end the process. Isolates without a kept heap fit to every read-only part, because V8 makes each of them from its
//! own by adding to it.

use std::sync::{Mutex, PoisonError};

use super::half::Half;

static LIVING: Mutex<Living> = Mutex::new(Living { count: 0, origin: None });

/// The isolates of the process.
struct Living {
    count: usize,
    /// The kept heap that the read-only part comes from; `None` if that is V8's own.
    origin: Option<Half>,
}

/// Counts as an isolate. Dropped after the isolate is disposed of.
pub(super) struct Place(());

impl Drop for Place {
    fn drop(&mut self) {
        LIVING.lock().unwrap_or_else(PoisonError::into_inner).count -= 1;
    }
}

/// Starts an isolate. `kept`: the heap that is kept for it, if there is one; `start` is told whether it can be used.
pub(super) fn start<T>(kept: Option<Half>, start: impl FnOnce(bool) -> T) -> (T, Place) {
    let mut living = LIVING.lock().unwrap_or_else(PoisonError::into_inner);
    let is_first = living.count == 0;
    if is_first {
        living.origin = kept;
    }
    let fits = kept.is_some() && kept == living.origin;
    living.count += 1;
    let place = Place(());
    // Others start when the read-only part is there.
    let first = is_first.then_some(living);
    let started = start(fits);
    drop(first);
    (started, place)
}

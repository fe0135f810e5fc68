//! Which isolates may start from a kept heap.
//!
//! V8 has one read-only part of the heap for all isolates of a process. It comes with the first of them, and goes with the
//! last. An isolate that starts from another kept heap than the first one would refer to objects that are not there, and V8
//! would end the process. Isolates without a kept heap fit to every read-only part, because V8 makes each of them from its
//! own by adding to it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::half::Half;

static LIVING: Mutex<Living> = Mutex::new(Living { count: 0, origin: None });

/// The isolates of the process.
struct Living {
    count: usize,
    /// The kept heap that the read-only part comes from; `None` if that is V8's own.
    origin: Option<Half>,
}

impl Living {
    fn lock() -> MutexGuard<'static, Living> {
        LIVING.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While an isolate is disposed of, the lock is in here.
type Lock = Rc<RefCell<Option<MutexGuard<'static, Living>>>>;

/// Dropped before an isolate is disposed of: no other starts until its [`Place`] is dropped, so that none finds the
/// read-only part gone whose origin is recorded.
pub(super) struct Disposal(Lock);

impl Drop for Disposal {
    fn drop(&mut self) {
        *self.0.borrow_mut() = Some(Living::lock());
    }
}

/// Counts as an isolate. Dropped after the isolate is disposed of.
pub(super) struct Place(Lock);

impl Drop for Place {
    fn drop(&mut self) {
        let lock = self.0.borrow_mut().take();
        lock.unwrap_or_else(Living::lock).count -= 1;
    }
}

/// Starts an isolate, one at a time. `kept`: the heap that is kept for it, if there is one; `start` is told whether it can
/// be used.
pub(super) fn start<T>(kept: Option<Half>, start: impl FnOnce(bool) -> T) -> (T, Disposal, Place) {
    let mut living = Living::lock();
    if living.count == 0 {
        living.origin = kept;
    }
    let fits = kept.is_some() && kept == living.origin;
    living.count += 1;
    let lock = Lock::default();
    let (disposal, place) = (Disposal(lock.clone()), Place(lock));
    let started = start(fits);
    drop(living);
    (started, disposal, place)
}

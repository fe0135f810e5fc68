//! When a debugger was attached to an isolate.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

/// The time for which debuggers were attached to an isolate. Limits of time do not count then, because the code may be
/// paused.
#[derive(Clone, Default)]
pub(in crate::script) struct DebugTime(Arc<Mutex<Record>>);

#[derive(Default)]
struct Record {
    /// How many debuggers are attached.
    attached: usize,
    /// When the last one left.
    left: Option<Instant>,
}

impl DebugTime {
    /// A debugger attaches. It leaves when the guard is dropped.
    #[cfg(feature = "node")]
    pub(super) fn attach(&self) -> AttachedGuard {
        self.record().attached += 1;
        AttachedGuard(self.clone())
    }

    pub(in crate::script) fn is_attached(&self) -> bool {
        self.record().attached > 0
    }

    /// The last time at which a debugger was attached: now, if one is.
    pub(in crate::script) fn last(&self) -> Option<Instant> {
        let record = self.record();
        if record.attached > 0 { Some(Instant::now()) } else { record.left }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().expect("nothing panics while a record is locked")
    }
}

/// See [`DebugTime::attach`].
#[cfg(feature = "node")]
pub(super) struct AttachedGuard(DebugTime);

#[cfg(feature = "node")]
impl Drop for AttachedGuard {
    fn drop(&mut self) {
        let mut record = self.0.record();
        record.attached -= 1;
        record.left = Some(Instant::now());
    }
}

//! Looks at an isolate in the middle of what it runs, and terminates it there.
#![expect(unsafe_code, reason = "V8 calls back through a C function")]

use std::ffi::c_void;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use deno_core::{JsRuntime, v8};

use super::microtasks::Rescue;
use crate::ext::current_exchange;
use crate::script::watchdog::{ExecutionCounter, TerminationReason};

/// Asks from any thread which exchange an isolate runs, and terminates it.
#[derive(Clone)]
pub(in crate::script) struct Terminator {
    isolate: v8::IsolateHandle,
    probe: Arc<InterruptProbe>,
}

/// Condemns the exchange that runs, whichever it is.
const ANY: u64 = u64::MAX;

/// What interrupts of one isolate have seen, and what they are to do.
struct InterruptProbe {
    /// Weak, because the watchdog's thread holds the probe and ends with the counter.
    counter: Weak<ExecutionCounter>,
    /// How many questions were asked and answered: see [`Terminator::ask`].
    asked: AtomicU64,
    answered: AtomicU64,
    /// The exchange that ran at the last interrupt: its number plus one; 0 for none.
    seen: AtomicU64,
    /// The turn that is to end, by its count of entries; no turn is 0.
    condemned_turn: AtomicU64,
    /// The exchange that is to end in it, as in `seen`, or [`ANY`].
    condemned: AtomicU64,
    condemned_for: AtomicU8,
    /// The exchange that was terminated last, as in `seen`.
    culprit: AtomicU64,
    inside: Inside,
}

/// What belongs to the isolate's thread alone.
struct Inside {
    context: v8::Global<v8::Context>,
    /// Absent where this V8's queue of microtasks is not known well enough.
    rescue: Option<Rescue>,
}

// SAFETY: it is only touched on the isolate's thread: there it is made, and used by the interrupt. It is dropped
// there as well, as the isolate keeps a reference to the probe until it ends.
unsafe impl Send for Inside {}
// SAFETY: as above.
unsafe impl Sync for Inside {}

impl Terminator {
    /// For the isolate of `runtime`, on its thread.
    pub(super) fn new(
        runtime: &mut JsRuntime,
        counter: &Arc<ExecutionCounter>,
        rescue: Option<Rescue>,
    ) -> Terminator {
        let inside = Inside { context: runtime.main_context(), rescue };
        let probe = InterruptProbe {
            counter: Arc::downgrade(counter),
            asked: AtomicU64::default(),
            answered: AtomicU64::default(),
            seen: AtomicU64::default(),
            condemned_turn: AtomicU64::default(),
            condemned: AtomicU64::default(),
            condemned_for: AtomicU8::default(),
            culprit: AtomicU64::default(),
            inside,
        };
        Terminator { isolate: runtime.v8_isolate().thread_safe_handle(), probe: Arc::new(probe) }
    }

    /// Asks which exchange runs. Returns the question's number.
    pub(in crate::script) fn ask(&self) -> u64 {
        let question = self.probe.asked.fetch_add(1, Ordering::Relaxed) + 1;
        self.interrupt();
        question
    }

    pub(in crate::script) fn answered(&self, question: u64) -> bool {
        self.probe.answered.load(Ordering::Acquire) >= question
    }

    /// The answer to the last question: the exchange's number plus one; 0 for none.
    pub(in crate::script) fn seen(&self) -> u64 {
        self.probe.seen.load(Ordering::Relaxed)
    }

    /// Terminates the turn with this count of entries as soon as this exchange, or any if none is given, is seen running
    /// in it.
    pub(in crate::script) fn condemn(&self, entries: u64, exchange: Option<u64>, reason: TerminationReason) {
        self.probe.condemned_for.store(reason as u8, Ordering::Relaxed);
        self.probe.condemned.store(exchange.unwrap_or(ANY), Ordering::Relaxed);
        self.probe.condemned_turn.store(entries, Ordering::Release);
        self.interrupt();
    }

    /// Terminates the running turn because the heap is full. Only from the isolate's own thread.
    pub(in crate::script) fn heap_is_full(&self) {
        if let Some(counter) = self.probe.counter.upgrade() {
            self.condemn(counter.count(), None, TerminationReason::Heap);
        }
    }

    /// The exchange that was terminated last. What the isolate ran when it came to an end does not count.
    pub(in crate::script) fn take_culprit(&self, _left: Option<u64>) -> Option<u64> {
        self.probe.culprit.swap(0, Ordering::Relaxed).checked_sub(1)
    }

    /// Whether microtasks that wait behind one that is terminated are kept from now on.
    pub(in crate::script) fn keep_microtasks(&self, keeps: bool) {
        if let Some(rescue) = &self.probe.inside.rescue {
            rescue.is_wanted(keeps);
        }
    }

    fn interrupt(&self) {
        self.isolate.request_interrupt(interrupt, Arc::as_ptr(&self.probe).cast_mut().cast());
    }
}

impl InterruptProbe {
    /// Whether the turn of `counter` is to end if this exchange runs, and why.
    fn verdict(&self, counter: &ExecutionCounter, running: u64) -> Option<TerminationReason> {
        if self.condemned_turn.load(Ordering::Acquire) != counter.count() {
            // The turn that was to be stopped ended by itself; this is another.
            return None;
        }
        let condemned = self.condemned.load(Ordering::Relaxed);
        if condemned != ANY && condemned != running {
            return None;
        }
        let is_heap = self.condemned_for.load(Ordering::Relaxed) == TerminationReason::Heap as u8;
        Some(if is_heap { TerminationReason::Heap } else { TerminationReason::Cpu })
    }
}

unsafe extern "C" fn interrupt(isolate: v8::UnsafeRawIsolatePtr, data: *mut c_void) {
    // SAFETY: `data` is the probe, which lives at least as long as the isolate that calls.
    let probe = unsafe { &*data.cast::<InterruptProbe>() };
    // SAFETY: V8 passes the isolate that is running on this thread.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
    let running = {
        v8::scope!(let scope, &mut isolate);
        let context = v8::Local::new(scope, &probe.inside.context);
        let scope = &mut v8::ContextScope::new(scope, context);
        current_exchange(scope).map_or(0, |exchange| exchange.0 + 1)
    };
    probe.seen.store(running, Ordering::Relaxed);
    probe.answered.store(probe.asked.load(Ordering::Relaxed), Ordering::Release);
    let Some(counter) = probe.counter.upgrade() else { return };
    let Some(reason) = probe.verdict(&counter, running) else { return };
    counter.terminated(reason);
    probe.culprit.store(running, Ordering::Relaxed);
    if let Some(rescue) = &probe.inside.rescue {
        // SAFETY: this is an interrupt, and what follows is the termination.
        unsafe { rescue.set_aside() };
    }
    isolate.terminate_execution();
}

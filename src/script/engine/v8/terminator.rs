//! Interrupts the code that an isolate runs, to find out which exchange it belongs to, or to terminate it.
#![expect(unsafe_code, reason = "V8 calls back through a C function")]

use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use deno_core::{JsRuntime, v8};

use super::microtasks::Rescue;
use crate::ext::{Memory, current_exchange};
use crate::script::watchdog::{ExecutionCounter, TerminationReason};

/// Finds out from any thread which exchange an isolate runs, and terminates it.
#[derive(Clone)]
pub(in crate::script) struct Terminator {
    isolate: v8::IsolateHandle,
    probe: Arc<InterruptProbe>,
}

/// As the condemned exchange: whichever runs.
const ANY: u64 = u64::MAX;

/// The results of one isolate's interrupts, and their orders.
struct InterruptProbe {
    /// Weak, because the watchdog's thread holds the probe and ends with the counter.
    counter: Weak<ExecutionCounter>,
    /// The number of questions asked, and of the last question that is answered: see [`Terminator::ask`].
    asked: AtomicU64,
    answered: AtomicU64,
    /// The exchange that ran at the last interrupt: its number plus one; 0 for none.
    seen: AtomicU64,
    /// The turn to terminate, by its count of entries; 0 for none.
    condemned_turn: AtomicU64,
    /// The exchange to terminate in that turn, encoded as in `seen`, or [`ANY`].
    condemned: AtomicU64,
    condemned_for: AtomicU8,
    /// The exchange that was terminated last, encoded as in `seen`.
    culprit: AtomicU64,
    inside: Inside,
}

/// The part that only the isolate's thread uses.
struct Inside {
    context: v8::Global<v8::Context>,
    memory: Memory,
    /// None if the words of this V8's microtask queue have another meaning.
    rescue: Option<Rescue>,
    stopped: RefCell<Option<Stopped>>,
}

/// What an interrupt found of the code that it terminated.
struct Stopped {
    /// Its async context.
    context: v8::Global<v8::Value>,
    /// An error that was made where the code ran, of which the place is read later. None where the heap is full.
    error: Option<v8::Global<v8::Value>>,
}

// SAFETY: it is used only on the isolate's thread: it is made there, and interrupts use it there. It is dropped there
// as well, because the isolate keeps a reference to the probe until it ends.
unsafe impl Send for Inside {}
// SAFETY: as above.
unsafe impl Sync for Inside {}

impl Terminator {
    /// For the isolate of `runtime`, on its thread.
    pub(super) fn new(
        runtime: &mut JsRuntime,
        counter: &Arc<ExecutionCounter>,
        memory: &Memory,
        rescue: Option<Rescue>,
    ) -> Terminator {
        let inside = Inside {
            context: runtime.main_context(),
            memory: memory.clone(),
            rescue,
            stopped: RefCell::default(),
        };
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

    /// Terminates the turn with this count of entries as soon as an interrupt finds `exchange` running in it; with
    /// None, whichever exchange runs.
    pub(in crate::script) fn condemn(&self, entries: u64, exchange: Option<u64>, reason: TerminationReason) {
        self.probe.condemned_for.store(reason as u8, Ordering::Relaxed);
        self.probe.condemned.store(exchange.unwrap_or(ANY), Ordering::Relaxed);
        self.probe.condemned_turn.store(entries, Ordering::Release);
        self.interrupt();
    }

    /// Terminates the running turn because the heap is full. Call it only on the isolate's own thread.
    pub(in crate::script) fn heap_is_full(&self) {
        if let Some(counter) = self.probe.counter.upgrade() {
            self.condemn(counter.count(), None, TerminationReason::Heap);
        }
    }

    /// The exchange that was terminated last. Here it is the one that the interrupt found, not `left`, the exchange of
    /// the code that ran last.
    pub(in crate::script) fn take_culprit(&self, _left: Option<u64>) -> Option<u64> {
        self.probe.culprit.swap(0, Ordering::Relaxed).checked_sub(1)
    }

    /// The async context of the code that was terminated last, as the interrupt found it, which is undefined where it had
    /// none; and an error that was made where the code ran. Call it only on the isolate's own thread.
    pub(in crate::script) fn take_stopped(
        &self,
        _left: v8::Global<v8::Value>,
    ) -> (Option<v8::Global<v8::Value>>, Option<v8::Global<v8::Value>>) {
        match self.probe.inside.stopped.take() {
            Some(Stopped { context, error }) => (Some(context), error),
            None => (None, None),
        }
    }

    /// Sets whether the microtasks that wait behind a terminated one are kept from now on.
    pub(in crate::script) fn keep_microtasks(&self, keeps: bool) {
        if let Some(rescue) = &self.probe.inside.rescue {
            rescue.set_wanted(keeps);
        }
    }

    fn interrupt(&self) {
        self.isolate.request_interrupt(interrupt, Arc::as_ptr(&self.probe).cast_mut().cast());
    }
}

impl InterruptProbe {
    /// Why the turn of `counter` is to be terminated if exchange `running` runs; None if it is not.
    fn verdict(&self, counter: &ExecutionCounter, running: u64) -> Option<TerminationReason> {
        if self.condemned_turn.load(Ordering::Acquire) != counter.count() {
            // The condemned turn ended by itself; this is a later one.
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
    // SAFETY: `data` is the probe, which lives at least as long as the isolate that was interrupted.
    let probe = unsafe { &*data.cast::<InterruptProbe>() };
    // SAFETY: V8 passes the isolate that is running on this thread.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
    let running = {
        v8::scope!(let scope, &mut isolate);
        let context = v8::Local::new(scope, &probe.inside.context);
        let scope = &mut v8::ContextScope::new(scope, context);
        current_exchange(scope).map_or(0, |exchange| exchange.0 + 1)
    };
    probe.inside.memory.check(&mut isolate);
    probe.seen.store(running, Ordering::Relaxed);
    probe.answered.store(probe.asked.load(Ordering::Relaxed), Ordering::Release);
    let Some(counter) = probe.counter.upgrade() else { return };
    let Some(reason) = probe.verdict(&counter, running) else { return };
    counter.terminated(reason);
    probe.culprit.store(running, Ordering::Relaxed);
    probe.inside.stopped.replace(Some(Stopped::of(&mut isolate, &probe.inside.context, reason)));
    if let Some(rescue) = &probe.inside.rescue {
        // SAFETY: this is an interrupt, and the termination follows.
        unsafe { rescue.set_aside() };
    }
    isolate.terminate_execution();
}

impl Stopped {
    /// Of the code that runs.
    fn of(
        isolate: &mut v8::Isolate,
        context: &v8::Global<v8::Context>,
        reason: TerminationReason,
    ) -> Stopped {
        v8::scope!(let scope, isolate);
        let context = v8::Local::new(scope, context);
        let scope = &mut v8::ContextScope::new(scope, context);
        let data = scope.get_continuation_preserved_embedder_data();
        // A full heap has no room for an error.
        let error = (reason == TerminationReason::Cpu).then(|| {
            let message = v8::String::empty(scope);
            let error = v8::Exception::error(scope, message);
            v8::Global::new(scope, error)
        });
        Stopped { context: v8::Global::new(scope, data), error }
    }
}

//! QuickJS has no interrupts, no garbage collections to follow and no microtask queue to keep. So every question of the
//! watchdog counts as answered at once, and the exchange that ran is read after the termination, if it is still set.

use std::sync::{Arc, Weak};

use deno_core::{JsRuntime, v8};

use crate::ext::Memory;
use crate::script::watchdog::{ExecutionCounter, TerminationReason};

pub(in crate::script) const NAME: &str = "quickjs";

/// Turns off the engine's cache of compiled modules, files in the user's cache folder that all programs with this engine
/// share. A process that was killed, or starts at the same time as another one, leaves a part of them, and reading a part
/// ends each later process with a segmentation fault.
#[expect(unsafe_code, reason = "the engine reads nothing but the environment")]
pub(in crate::script) fn set_flags(_max_heap: Option<u64>) {
    // SAFETY: the process calls it before it starts any thread that could read the environment.
    unsafe { std::env::set_var("V82JSC_NO_BC_CACHE", "1") };
}

pub(in crate::script) fn start() {
    JsRuntime::init_platform(None);
}

/// Limits of a new isolate, in bytes of heap.
pub(in crate::script) fn params(heap: usize, _memory: &Memory) -> v8::CreateParams {
    v8::CreateParams::default().heap_limits(0, heap)
}

/// A limit that is not below the limit of `params`.
pub(in crate::script) fn highest_limit(heap: usize) -> usize {
    heap
}

pub(in crate::script) fn prepare(
    runtime: &mut JsRuntime,
    counter: &Arc<ExecutionCounter>,
    _memory: &Memory,
) -> (Terminator, Microtasks) {
    let isolate = runtime.v8_isolate().thread_safe_handle();
    (Terminator { isolate, counter: Arc::downgrade(counter) }, Microtasks)
}

pub(in crate::script) fn follow_memory(_runtime: &mut JsRuntime, _memory: &Memory) {}

/// Terminates what an isolate runs, from any thread.
#[derive(Clone)]
pub(in crate::script) struct Terminator {
    isolate: v8::IsolateHandle,
    counter: Weak<ExecutionCounter>,
}

impl Terminator {
    pub(in crate::script) fn ask(&self) -> u64 {
        0
    }

    pub(in crate::script) fn answered(&self, _question: u64) -> bool {
        true
    }

    pub(in crate::script) fn seen(&self) -> u64 {
        0
    }

    pub(in crate::script) fn condemn(
        &self,
        _entries: u64,
        _exchange: Option<u64>,
        reason: TerminationReason,
    ) {
        if let Some(counter) = self.counter.upgrade() {
            counter.terminated(reason);
        }
        self.isolate.terminate_execution();
    }

    pub(in crate::script) fn heap_is_full(&self) {
        self.condemn(0, None, TerminationReason::Heap);
    }

    /// The exchange that was terminated: with QuickJS it is `left`, the exchange whose code ran last.
    pub(in crate::script) fn take_culprit(&self, left: Option<u64>) -> Option<u64> {
        left
    }

    pub(in crate::script) fn take_stopped(
        &self,
        left: v8::Global<v8::Value>,
    ) -> (Option<v8::Global<v8::Value>>, Option<v8::Global<v8::Value>>) {
        (Some(left), None)
    }

    pub(in crate::script) fn keep_microtasks(&self, _keeps: bool) {}
}

/// Keeps no microtasks over a termination.
pub(in crate::script) struct Microtasks;

impl Microtasks {
    pub(in crate::script) fn give_back(&self) {}
}

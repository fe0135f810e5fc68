//! V8: interrupts tell which exchange runs, the queue of microtasks outlives a termination, and an isolate's fatal error
//! costs that isolate alone.

#[cfg(target_os = "linux")]
mod fatal;
mod microtasks;
mod stack;
mod terminator;

use std::sync::Arc;

use deno_core::{JsRuntime, v8};

pub(in crate::script) use microtasks::SpareQueue as Microtasks;
pub(in crate::script) use terminator::Terminator;

use crate::ext::Memory;
use crate::script::watchdog::ExecutionCounter;

pub(in crate::script) const NAME: &str = "v8";

/// WebAssembly's memories grow by so many bytes, up to so many times.
const WASM_PAGE: u64 = 1 << 16;
const MAX_WASM_PAGES: u64 = 1 << 16;

/// Sets V8's flags. No WebAssembly memory grows beyond `max_heap` bytes, where that is known.
pub(in crate::script) fn set_flags(max_heap: Option<u64>) {
    // Loops that Turbofan takes over from Maglev while they run lose their interrupt checks if their bodies
    // allocate (seen with V8 15.0), and then nothing can stop them. Such a loop stays with Maglev.
    v8::V8::set_flags_from_string("--no-osr-from-maglev");
    if let Some(pages) = max_heap.map(|bytes| bytes / WASM_PAGE) {
        v8::V8::set_flags_from_string(&format!("--wasm-max-mem-pages={}", pages.clamp(1, MAX_WASM_PAGES)));
    }
}

/// V8's platform is started.
pub(in crate::script) fn started() {
    #[cfg(target_os = "linux")]
    fatal::install();
}

/// Limits of a new isolate, in bytes of heap, and where its buffers are allocated.
pub(in crate::script) fn params(heap: usize, memory: &Memory) -> v8::CreateParams {
    v8::CreateParams::default().heap_limits(0, heap).array_buffer_allocator(memory.allocator())
}

/// Sets up a new isolate on its thread, before handlers run.
pub(in crate::script) fn prepare(
    runtime: &mut JsRuntime,
    counter: &Arc<ExecutionCounter>,
) -> (Terminator, Microtasks) {
    runtime.v8_isolate().set_prepare_stack_trace_callback(stack::of_handlers);
    // As in browsers, code that others wait for does not wait for a lock.
    runtime.v8_isolate().set_allow_atomics_wait(false);
    let microtasks = Microtasks::new(runtime);
    let terminator = Terminator::new(runtime, counter, microtasks.rescue());
    #[cfg(target_os = "linux")]
    fatal::guard_this_thread(counter);
    (terminator, microtasks)
}

/// Has an isolate's collections counted.
pub(in crate::script) fn follow_memory(runtime: &mut JsRuntime, memory: &Memory) {
    memory.follow(runtime.v8_isolate());
}

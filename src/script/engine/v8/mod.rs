//! V8: interrupts find out which exchange runs, microtasks of other exchanges are kept over a termination, and a fatal
//! error stops only its own isolate.

#[cfg(target_os = "linux")]
mod fatal;
mod microtasks;
mod stack;
mod terminator;
#[cfg(target_os = "linux")]
mod threads;

use std::sync::Arc;

use deno_core::{JsRuntime, v8};

pub(in crate::script) use microtasks::SpareQueue as Microtasks;
pub(in crate::script) use terminator::Terminator;

use crate::ext::Memory;
use crate::script::watchdog::ExecutionCounter;

pub(in crate::script) const NAME: &str = "v8";

/// The unit in which WebAssembly memories grow, in bytes, and the largest number of units.
const WASM_PAGE: u64 = 1 << 16;
const MAX_WASM_PAGES: u64 = 1 << 16;

/// V8's own limit is beyond the limit of live objects by one in `RESERVE` of that.
const RESERVE: usize = 4;

/// Sets V8's flags. No WebAssembly memory grows beyond `max_heap` bytes, if that is given.
pub(in crate::script) fn set_flags(max_heap: Option<u64>) {
    // V8 15.0 compiles a running loop from Maglev to Turbofan without interrupt checks if the loop's body allocates;
    // then nothing can stop it. With this flag such a loop stays with Maglev.
    v8::V8::set_flags_from_string("--no-osr-from-maglev");
    if let Some(pages) = max_heap.map(|bytes| bytes / WASM_PAGE) {
        v8::V8::set_flags_from_string(&format!("--wasm-max-mem-pages={}", pages.clamp(1, MAX_WASM_PAGES)));
    }
}

/// Starts V8's platform. Call it once per process, after [`set_flags`].
pub(in crate::script) fn start() {
    #[cfg(target_os = "linux")]
    let before = threads::Threads::now();
    JsRuntime::init_platform(None);
    #[cfg(target_os = "linux")]
    {
        before.later_ones_yield();
        fatal::install();
    }
}

/// Limits of a new isolate, and the allocator of its buffers. `heap` is what its live objects may take, in bytes;
/// `Memory` stops code that keeps more. V8 itself may take a quarter more: close to its own limit it collects every few
/// megabytes before it gives up.
pub(in crate::script) fn params(heap: usize, memory: &Memory) -> v8::CreateParams {
    let params = v8::CreateParams::default().heap_limits(0, heap);
    let old = params.max_old_generation_size_in_bytes();
    params
        .set_max_old_generation_size_in_bytes(old + heap / RESERVE)
        .array_buffer_allocator(memory.allocator())
}

/// A limit that is not below any limit of `params`.
pub(in crate::script) fn highest_limit(heap: usize) -> usize {
    heap + heap / RESERVE
}

/// Sets up a new isolate on its thread, before handlers run.
pub(in crate::script) fn prepare(
    runtime: &mut JsRuntime,
    counter: &Arc<ExecutionCounter>,
    memory: &Memory,
) -> (Terminator, Microtasks) {
    runtime.v8_isolate().set_prepare_stack_trace_callback(stack::of_handlers);
    // As on the main threads of browsers, `Atomics.wait()` throws: several exchanges share the thread that it would
    // block.
    runtime.v8_isolate().set_allow_atomics_wait(false);
    let microtasks = Microtasks::new(runtime);
    let terminator = Terminator::new(runtime, counter, memory, microtasks.rescue());
    #[cfg(target_os = "linux")]
    fatal::guard_this_thread(counter);
    (terminator, microtasks)
}

/// Lets `memory` follow the isolate's garbage collections.
pub(in crate::script) fn follow_memory(runtime: &mut JsRuntime, memory: &Memory) {
    memory.follow(runtime.v8_isolate());
}

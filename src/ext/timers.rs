//! Whose timers end with an exchange. Half of `runtime-js/timers.js`.

use deno_core::{op2, v8};

/// Whether the function that calls `setTimeout` is a package's.
#[op2(nofast)]
pub(crate) fn op_timer_of_package(scope: &mut v8::PinScope<'_, '_>) -> bool {
    caller(scope).is_some_and(|file| file.contains("/node_modules/"))
}

/// The script whose function called the function of the host's that calls the op.
#[cfg(feature = "v8")]
fn caller(scope: &mut v8::PinScope<'_, '_>) -> Option<String> {
    const FRAMES: usize = 2;
    let stack = v8::StackTrace::current_stack_trace(scope, FRAMES)?;
    let script = stack.get_frame(scope, FRAMES - 1)?.get_script_name(scope)?;
    Some(script.to_rust_string_lossy(scope))
}

/// QuickJS has no frames that the host can read.
#[cfg(not(feature = "v8"))]
fn caller(_scope: &mut v8::PinScope<'_, '_>) -> Option<String> {
    None
}

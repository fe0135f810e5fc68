//! Whose timers end with an exchange. Half of `runtime-js/timers.js`.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};

/// Whether an isolate has loaded code of a package. Without any, no timer looks for its caller.
#[derive(Clone, Default)]
pub(crate) struct UsesPackages(Rc<Cell<bool>>);

impl UsesPackages {
    /// A file with code is loaded.
    pub(crate) fn loads(&self, file: &Path) {
        if !self.0.get() && file.components().any(|part| part.as_os_str() == "node_modules") {
            self.0.set(true);
        }
    }
}

/// Whether the function that calls `setTimeout` is a package's.
#[op2(nofast)]
pub(crate) fn op_timer_of_package(scope: &mut v8::PinScope<'_, '_>, state: &mut OpState) -> bool {
    if !state.try_borrow::<UsesPackages>().is_some_and(|packages| packages.0.get()) {
        return false;
    }
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

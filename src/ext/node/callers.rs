//! Whether code of a package calls a function of Node's.

use deno_core::{op2, v8};

/// How many functions of the host's own may lie between the caller and this op.
const DEPTH: usize = 6;

/// Whether the innermost function on the stack that is not the host's belongs to a package.
#[op2(nofast)]
pub(super) fn op_called_by_package(scope: &mut v8::PinScope<'_, '_>) -> bool {
    let Some(stack) = v8::StackTrace::current_stack_trace(scope, DEPTH) else { return false };
    for index in 0..stack.get_frame_count() {
        let Some(name) = stack.get_frame(scope, index).and_then(|frame| frame.get_script_name(scope)) else {
            continue;
        };
        let name = name.to_rust_string_lossy(scope);
        if name.starts_with("ext:") || name.starts_with("node:") {
            continue;
        }
        return name.contains("/node_modules/");
    }
    false
}

//! `node:inspector`: a handler cannot debug its own isolate.

use deno_core::{OpDecl, op2};
use deno_error::JsErrorBox;

/// In place of ops that need an inspector of deno_core, which isolates do not have.
#[op2(nofast)]
fn op_inspector_refused() -> Result<(), JsErrorBox> {
    Err(JsErrorBox::generic(
        "node:inspector cannot debug the code that calls it: start liveline with --inspect, and attach from outside",
    ))
}

/// Replaces ops of `node:inspector` by one that throws.
pub(super) fn refuse(op: OpDecl) -> OpDecl {
    match op.name {
        "op_inspector_connect" | "op_inspector_open" | "op_node_repl_inspector_connect" => {
            op.with_implementation_from(&op_inspector_refused())
        }
        _ => op,
    }
}

//! Counts WebAssembly memories, which V8 does not count. Half of `runtime-js/wasm.js`.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};

use super::{Memory, OpError};

/// Counts `bytes` bytes by which a memory is about to grow; a RangeError if there is no room.
#[op2(fast)]
pub(crate) fn op_wasm_grow(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    bytes: f64,
) -> Result<(), OpError> {
    let memory = state.borrow().borrow::<Memory>().clone();
    let bytes = bytes as usize;
    memory.make_room(scope, bytes).map_err(OpError::Buffer)?;
    memory.keep(bytes);
    memory.tell_of_stores(scope);
    Ok(())
}

/// A memory of `bytes` bytes was collected.
#[op2(fast)]
pub(crate) fn op_wasm_gone(state: &mut OpState, bytes: f64) {
    state.borrow::<Memory>().give_back(bytes as usize);
}

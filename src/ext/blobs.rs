//! Blobs, whose bytes count toward the memory limit of their isolate. Deno keeps the bytes of its own blobs
//! outside of V8 and does not count them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use deno_core::{JsBuffer, OpDecl, OpState, op2, v8};
use deno_web::{BlobPart, BlobStoreTrait};
use uuid::Uuid;

use super::{Memory, OpError};

/// Bytes of a blob, counted until they are dropped.
#[derive(Debug)]
struct Counted {
    bytes: Vec<u8>,
    memory: Memory,
}

#[async_trait]
impl BlobPart for Counted {
    async fn read<'a>(&'a self) -> &'a [u8] {
        &self.bytes
    }

    fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes.len());
    }
}

/// Stores bytes for a blob, if the isolate has room for them.
#[op2]
pub(crate) fn op_blob_store(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    #[buffer] data: JsBuffer,
) -> Result<Uuid, OpError> {
    let memory = state.borrow().borrow::<Memory>().clone();
    memory.make_room(scope, data.len())?;
    memory.keep(data.len());
    memory.tell_of_stores(scope);
    let part = Counted { bytes: data.to_vec(), memory };
    Ok(state.borrow().borrow::<Arc<dyn BlobStoreTrait>>().insert_part(Arc::new(part)))
}

/// Replaces Deno's op for blobs by [`op_blob_store`].
pub(super) fn in_place_of_denos(op: OpDecl) -> OpDecl {
    if op.name == "op_blob_create_part" { op.with_implementation_from(&op_blob_store()) } else { op }
}

//! Why a live function cannot be compiled.

use deno_ast::swc::common::BytePos;

/// What the compiler does not support, and where the module has it.
#[derive(Debug)]
pub(crate) struct LiveError {
    pub message: String,
    pub at: BytePos,
}

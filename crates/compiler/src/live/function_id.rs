//! How the passes over a module identify its functions.

use deno_ast::swc::ast::{ArrowExpr, Function};
use deno_ast::swc::common::BytePos;

/// A function of one module, by a position that no pass over the syntax tree changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FunctionId(BytePos);

impl FunctionId {
    /// `None` without a body, as an overload of TypeScript has none.
    pub(super) fn of(function: &Function) -> Option<FunctionId> {
        function.body.as_ref().map(|body| FunctionId(body.span.lo))
    }

    pub(super) fn of_arrow(arrow: &ArrowExpr) -> FunctionId {
        FunctionId(arrow.span.lo)
    }
}

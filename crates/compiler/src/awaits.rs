//! Finds top-level `await`.

use std::path::Path;

use deno_ast::swc::ast::{ArrowExpr, AwaitExpr, ClassMember, ForOfStmt, Function};
use deno_ast::swc::common::{BytePos, Spanned as _};
use deno_ast::swc::ecma_visit::{Visit, VisitWith};

/// The line, from 1, of the first top-level `await` of a module's file. `None` without one, or if it cannot be read.
pub fn first_await(path: &Path) -> Option<usize> {
    let source = std::fs::read_to_string(path).ok()?;
    if !source.contains("await") {
        return None;
    }
    let parsed = crate::transpile::parsed(path, source)?;
    let mut awaits = Awaits::default();
    parsed.program().visit_with(&mut awaits);
    let at = awaits.0?;
    Some(parsed.text_info_lazy().line_index(deno_ast::SourcePos::unsafely_from_byte_pos(at)) + 1)
}

/// Finds the first `await` that is not in a function.
#[derive(Default)]
struct Awaits(Option<BytePos>);

impl Awaits {
    fn found(&mut self, at: BytePos) {
        self.0 = Some(self.0.map_or(at, |before| before.min(at)));
    }
}

impl Visit for Awaits {
    fn visit_await_expr(&mut self, expression: &AwaitExpr) {
        self.found(expression.span_lo());
        expression.visit_children_with(self);
    }

    fn visit_for_of_stmt(&mut self, statement: &ForOfStmt) {
        if statement.is_await {
            self.found(statement.span_lo());
        }
        statement.visit_children_with(self);
    }

    // Functions run later.
    fn visit_function(&mut self, _: &Function) {}
    fn visit_arrow_expr(&mut self, _: &ArrowExpr) {}
    fn visit_class_member(&mut self, _: &ClassMember) {}
}

//! Where a module waits before it has loaded.

use std::path::Path;

/// The line of a module's first top-level await, if it has one.
pub fn first_await(path: &Path) -> Option<usize> {
    use deno_ast::swc::ast::{ArrowExpr, AwaitExpr, ClassMember, ForOfStmt, Function};
    use deno_ast::swc::common::{BytePos, Spanned as _};
    use deno_ast::swc::ecma_visit::{Visit, VisitWith};

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

        // What stands in functions is not the module's own.
        fn visit_function(&mut self, _: &Function) {}
        fn visit_arrow_expr(&mut self, _: &ArrowExpr) {}
        fn visit_class_member(&mut self, _: &ClassMember) {}
    }

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

//! A module from beginning to end.

use deno_ast::Globals;
use deno_ast::swc::ast::{Expr, Invalid, Module, Program, SimpleAssignTarget};
use deno_ast::swc::common::{BytePos, DUMMY_SP, SyntaxContext};
use deno_ast::swc::ecma_visit::{VisitMut, VisitMutWith};
use deno_ast::swc::transforms::resolver;

use super::bindings::Bindings;
use super::claims::Claims;
use super::compiler::Compiler;
use super::keywords::Found;

/// Where the compiled code finds its runtime.
pub(super) const RUNTIME: &str = "liveline:live";

/// What cannot be compiled, and where.
#[derive(Debug)]
pub(crate) struct LiveError {
    pub message: String,
    pub at: BytePos,
}

/// What became of a module.
pub(crate) enum Outcome {
    Compiled,
    /// It has no live function.
    Untouched,
    /// Some words were no keywords after all; only these are. The text has to be parsed once more.
    Mistaken(Found),
    Failed(LiveError),
}

/// Compiles the live functions of a module whose keywords were blanked.
pub(crate) fn compile(mut module: Module, found: &Found, globals: &Globals) -> (Module, Outcome) {
    let claims = Claims::of(&mut module, &found.keywords);
    if let Some(error) = claims.error {
        return (module, Outcome::Failed(error));
    }
    if claims.keywords.len() < found.keywords.len() {
        let found = Found { keywords: claims.keywords, directive: found.directive };
        return (module, Outcome::Mistaken(found));
    }
    if claims.functions.is_empty() {
        return (module, Outcome::Untouched);
    }
    globals.with(|marks| {
        let resolved = Program::Module(module).apply(&mut resolver(marks.unresolved, marks.top_level, true));
        let Program::Module(mut module) = resolved else { unreachable!("a module stays one") };
        module.visit_mut_with(&mut Untyped);
        let unresolved = SyntaxContext::empty().apply_mark(marks.unresolved);
        let bindings = Bindings::of(&module, &claims.functions, unresolved);
        let mut compiler = Compiler::new(&module, &claims.functions, &bindings);
        module.visit_mut_with(&mut compiler);
        // Names are given so that they mean the right thing; whoever transforms this next resolves them anew.
        module.visit_mut_with(&mut Unresolve);
        match compiler.error {
            Some(error) => (module, Outcome::Failed(error)),
            None => (module, Outcome::Compiled),
        }
    })
}

/// Types inside of expressions go first: they would only hide what is assigned or called.
struct Untyped;

impl VisitMut for Untyped {
    fn visit_mut_expr(&mut self, expr: &mut Expr) {
        loop {
            let inner = match expr {
                Expr::TsAs(it) => &mut it.expr,
                Expr::TsSatisfies(it) => &mut it.expr,
                Expr::TsNonNull(it) => &mut it.expr,
                Expr::TsTypeAssertion(it) => &mut it.expr,
                Expr::TsConstAssertion(it) => &mut it.expr,
                Expr::TsInstantiation(it) => &mut it.expr,
                _ => break,
            };
            let empty = Box::new(Expr::Invalid(Invalid { span: DUMMY_SP }));
            *expr = *std::mem::replace(inner, empty);
        }
        expr.visit_mut_children_with(self);
    }

    fn visit_mut_simple_assign_target(&mut self, target: &mut SimpleAssignTarget) {
        let inner = match target {
            SimpleAssignTarget::TsAs(it) => &mut it.expr,
            SimpleAssignTarget::TsSatisfies(it) => &mut it.expr,
            SimpleAssignTarget::TsNonNull(it) => &mut it.expr,
            SimpleAssignTarget::TsTypeAssertion(it) => &mut it.expr,
            SimpleAssignTarget::TsInstantiation(it) => &mut it.expr,
            _ => return target.visit_mut_children_with(self),
        };
        inner.visit_mut_with(self);
        if let Ok(plain) = SimpleAssignTarget::try_from(inner.clone()) {
            *target = plain;
        }
    }
}

struct Unresolve;

impl VisitMut for Unresolve {
    fn visit_mut_syntax_context(&mut self, context: &mut SyntaxContext) {
        *context = SyntaxContext::empty();
    }
}

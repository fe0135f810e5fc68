//! Compiles a module: finds its live functions, finds the variables that need a cell, and rewrites the code.

use deno_ast::Globals;
use deno_ast::swc::ast::{Expr, Invalid, Module, Program, SimpleAssignTarget};
use deno_ast::swc::common::{DUMMY_SP, SyntaxContext};
use deno_ast::swc::ecma_visit::{VisitMut, VisitMutWith};
use deno_ast::swc::transforms::resolver;

use super::bindings::Bindings;
use super::compiler::Compiler;
use super::error::LiveError;
use super::keywords::Found;
use super::live_functions::LiveFunctions;

/// The result of compiling a module.
pub(crate) enum Outcome {
    Compiled,
    /// It has no live function.
    Untouched,
    /// Some words turned out to be no keywords. The text has to be parsed again with these keywords only.
    Mistaken(Found),
    Failed(LiveError),
}

/// Compiles the live functions of a module whose text had spaces in place of the keywords.
pub(crate) fn compile(mut module: Module, found: &Found, globals: &Globals) -> (Module, Outcome) {
    let live = LiveFunctions::of(&mut module, &found.keywords);
    if let Some(error) = live.error {
        return (module, Outcome::Failed(error));
    }
    if live.keywords.len() < found.keywords.len() {
        let found = Found { keywords: live.keywords, directive: found.directive };
        return (module, Outcome::Mistaken(found));
    }
    if live.functions.is_empty() {
        return (module, Outcome::Untouched);
    }
    globals.with(|marks| {
        let resolved = Program::Module(module).apply(&mut resolver(marks.unresolved, marks.top_level, true));
        let Program::Module(mut module) = resolved else { unreachable!("a module stays one") };
        module.visit_mut_with(&mut Untyped);
        let unresolved = SyntaxContext::empty().apply_mark(marks.unresolved);
        let bindings = Bindings::of(&module, &live.functions, unresolved);
        let mut compiler = Compiler::new(&module, &live.functions, &bindings);
        module.visit_mut_with(&mut compiler);
        // The names are distinct by now. The next transformation resolves them again.
        module.visit_mut_with(&mut Unresolve);
        match compiler.error {
            Some(error) => (module, Outcome::Failed(error)),
            None => (module, Outcome::Compiled),
        }
    })
}

/// Removes the types in expressions, which would hide what is assigned or called.
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

/// Removes what the resolver has noted at names.
struct Unresolve;

impl VisitMut for Unresolve {
    fn visit_mut_syntax_context(&mut self, context: &mut SyntaxContext) {
        *context = SyntaxContext::empty();
    }
}

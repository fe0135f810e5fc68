//! Bodies of functions: those of live functions become programs of the runtime, others keep their statements.

use deno_ast::swc::ast::{BlockStmt, Decl, Expr, Id, Lit, ModuleDecl, ModuleItem, Pat, Stmt, VarDeclKind};
use deno_ast::swc::common::Span;
use deno_ast::swc::ecma_visit::VisitMutWith;

use super::bindings::names;
use super::build;
use super::compiler::Compiler;

impl Compiler<'_> {
    /// The body of a function that is not live. It keeps its statements.
    pub(super) fn plain_body(&mut self, params: &[Id], body: &mut BlockStmt) {
        self.open(true);
        params.iter().for_each(|id| self.declare(id));
        self.within(false, |compiler| {
            compiler.declare_functions(&body.stmts);
            body.stmts.visit_mut_with(compiler);
        });
        let declarations = self.close();
        insert(&mut body.stmts, declarations);
    }

    /// Makes the cells of what a block declares, before the block is visited.
    pub(super) fn declare_functions(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            match stmt {
                Stmt::Decl(Decl::Fn(decl)) => self.declare(&decl.ident.to_id()),
                Stmt::Decl(Decl::Class(decl)) => self.declare(&decl.ident.to_id()),
                Stmt::Decl(Decl::Var(decl)) if decl.kind != VarDeclKind::Var => {
                    let ids: Vec<_> = decl.decls.iter().flat_map(|decl| names(&decl.name)).collect();
                    ids.iter().for_each(|id| self.declare(id));
                }
                _ => {}
            }
        }
    }

    pub(super) fn declare_exported(&mut self, items: &[ModuleItem]) {
        for item in items {
            match item {
                ModuleItem::Stmt(stmt) => self.declare_functions(std::slice::from_ref(stmt)),
                ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) => {
                    self.declare_functions(&[Stmt::Decl(export.decl.clone())]);
                }
                _ => {}
            }
        }
    }

    /// The body of a live function: it passes a program to the runtime, which runs it.
    pub(super) fn live_body(
        &mut self,
        params: Vec<&mut Pat>,
        stmts: Vec<Stmt>,
        is_async: bool,
        span: Span,
    ) -> Vec<Stmt> {
        let mut parameters = Vec::new();
        let ids: Vec<_> = params.iter().flat_map(|pat| names(pat)).collect();
        for pat in params {
            self.parameter(pat, &mut parameters);
        }
        self.open(true);
        ids.iter().for_each(|id| self.declare(id));
        let mut list = Vec::new();
        self.within(true, |compiler| list = compiler.function(parameters, stmts, span, &ids));
        let mut body = self.close();
        let program = build::arrow(vec![self.effect.clone()], list, false);
        let run = if is_async { "runAsync" } else { "run" };
        body.push(build::return_statement(build::call(span, &self.runtime, run, vec![program]), span));
        body
    }
}

/// Inserts declarations before the statements and after the directives.
pub(super) fn insert(stmts: &mut Vec<Stmt>, declarations: Vec<Stmt>) {
    let is_directive =
        |stmt: &&Stmt| matches!(stmt, Stmt::Expr(stmt) if matches!(&*stmt.expr, Expr::Lit(Lit::Str(_))));
    let at = stmts.iter().take_while(is_directive).count();
    stmts.splice(at..at, declarations);
}

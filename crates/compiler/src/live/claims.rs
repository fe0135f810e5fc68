//! Which functions are live.

use std::collections::HashSet;

use deno_ast::swc::ast::{
    ArrowExpr, BlockStmt, BlockStmtOrExpr, ClassMethod, Constructor, Decl, DefaultDecl, Expr, Function,
    GetterProp, Lit, MethodKind, MethodProp, Module, ModuleDecl, ModuleItem, Pat, PrivateMethod, SetterProp,
    Stmt,
};
use deno_ast::swc::common::{BytePos, Spanned};
use deno_ast::swc::ecma_visit::{VisitMut, VisitMutWith};

use super::compile::LiveError;
use super::keywords::{DIRECTIVE, Keyword};

/// The live functions of a module: those that a keyword or a directive names.
#[derive(Default)]
pub(super) struct Claims {
    /// Each by the place that [`function_at`] or [`arrow_at`] gives.
    pub functions: HashSet<BytePos>,
    /// The keywords that belong to a function.
    pub keywords: Vec<Keyword>,
    pub error: Option<LiveError>,
    unclaimed: Vec<Keyword>,
}

/// What names a function in [`Claims`].
pub(super) fn function_at(function: &Function) -> Option<BytePos> {
    function.body.as_ref().map(|body| body.span.lo)
}

/// What names an arrow function in [`Claims`].
pub(super) fn arrow_at(arrow: &ArrowExpr) -> BytePos {
    arrow.span.lo
}

/// Positions count from 1.
fn position(offset: usize) -> BytePos {
    BytePos(u32::try_from(offset + 1).unwrap_or(u32::MAX))
}

impl Claims {
    /// Finds them, and takes the directives out.
    pub(super) fn of(module: &mut Module, keywords: &[Keyword]) -> Claims {
        let mut claims = Claims { unclaimed: keywords.to_vec(), ..Claims::default() };
        if take_module_directive(module) {
            for item in &module.body {
                claims.functions.extend(declared(item));
            }
        }
        module.visit_mut_with(&mut claims);
        claims.keywords.sort_unstable_by_key(|keyword| keyword.start);
        claims
    }

    /// The keyword of a function that begins in a range.
    fn take(&mut self, from: BytePos, to: BytePos) -> Option<BytePos> {
        let begins = |at: usize| (from..=to).contains(&position(at));
        let index = self
            .unclaimed
            .iter()
            .position(|keyword| begins(keyword.function) || keyword.asynchronous.is_some_and(begins))?;
        let keyword = self.unclaimed.swap_remove(index);
        self.keywords.push(keyword);
        Some(position(keyword.start))
    }

    fn fail(&mut self, what: &str, at: BytePos) {
        let message = format!("{what} cannot be live");
        self.error.get_or_insert(LiveError { message, at });
    }

    fn claim(&mut self, function: &mut Function, from: BytePos, to: BytePos) {
        let keyword = self.take(from, to);
        let directive = function.body.as_mut().and_then(take_directive);
        let (Some(at), Some(name)) = (keyword.or(directive), function_at(function)) else { return };
        if function.is_generator {
            self.fail("a generator", at);
        } else {
            self.functions.insert(name);
        }
    }

    fn refuse(&mut self, what: &str, body: Option<&mut BlockStmt>) {
        if let Some(at) = body.and_then(take_directive) {
            self.fail(what, at);
        }
    }
}

impl VisitMut for Claims {
    fn visit_mut_function(&mut self, function: &mut Function) {
        self.claim(function, function.span.lo, function.span.lo);
        function.visit_mut_children_with(self);
    }

    fn visit_mut_arrow_expr(&mut self, arrow: &mut ArrowExpr) {
        let keyword = self.take(arrow.span.lo, arrow.span.lo);
        let directive = match &mut *arrow.body {
            BlockStmtOrExpr::BlockStmt(body) => take_directive(body),
            BlockStmtOrExpr::Expr(_) => None,
        };
        if keyword.or(directive).is_some() {
            self.functions.insert(arrow_at(arrow));
        }
        arrow.visit_mut_children_with(self);
    }

    fn visit_mut_class_method(&mut self, method: &mut ClassMethod) {
        match method.kind {
            MethodKind::Method => self.claim(&mut method.function, method.span.lo, method.key.span().lo),
            _ => self.refuse("an accessor", method.function.body.as_mut()),
        }
        method.visit_mut_children_with(self);
    }

    fn visit_mut_private_method(&mut self, method: &mut PrivateMethod) {
        match method.kind {
            MethodKind::Method => self.claim(&mut method.function, method.span.lo, method.key.span().lo),
            _ => self.refuse("an accessor", method.function.body.as_mut()),
        }
        method.visit_mut_children_with(self);
    }

    fn visit_mut_method_prop(&mut self, method: &mut MethodProp) {
        let from = method.function.span.lo.min(method.key.span().lo);
        self.claim(&mut method.function, from, method.key.span().lo);
        method.visit_mut_children_with(self);
    }

    fn visit_mut_constructor(&mut self, constructor: &mut Constructor) {
        self.refuse("a constructor", constructor.body.as_mut());
        constructor.visit_mut_children_with(self);
    }

    fn visit_mut_getter_prop(&mut self, getter: &mut GetterProp) {
        self.refuse("an accessor", getter.body.as_mut());
        getter.visit_mut_children_with(self);
    }

    fn visit_mut_setter_prop(&mut self, setter: &mut SetterProp) {
        self.refuse("an accessor", setter.body.as_mut());
        setter.visit_mut_children_with(self);
    }
}

/// The functions that a statement of a module declares or exports. Generators stay what they are.
fn declared(item: &ModuleItem) -> Vec<BytePos> {
    match item {
        ModuleItem::Stmt(Stmt::Decl(decl)) => declared_by(decl),
        ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) => declared_by(&export.decl),
        ModuleItem::ModuleDecl(ModuleDecl::ExportDefaultDecl(export)) => match &export.decl {
            DefaultDecl::Fn(function) => plain_function(&function.function).into_iter().collect(),
            _ => Vec::new(),
        },
        ModuleItem::ModuleDecl(ModuleDecl::ExportDefaultExpr(export)) => {
            function_in(&export.expr).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn declared_by(decl: &Decl) -> Vec<BytePos> {
    match decl {
        Decl::Fn(function) => plain_function(&function.function).into_iter().collect(),
        Decl::Var(var) => {
            let named = var.decls.iter().filter(|decl| matches!(decl.name, Pat::Ident(_)));
            named.filter_map(|decl| function_in(decl.init.as_deref()?)).collect()
        }
        _ => Vec::new(),
    }
}

fn function_in(expr: &Expr) -> Option<BytePos> {
    match expr {
        Expr::Fn(function) => plain_function(&function.function),
        Expr::Arrow(arrow) => Some(arrow_at(arrow)),
        Expr::Paren(paren) => function_in(&paren.expr),
        _ => None,
    }
}

fn plain_function(function: &Function) -> Option<BytePos> {
    if function.is_generator { None } else { function_at(function) }
}

/// Takes the directive from among those that a body begins with.
fn take_directive(body: &mut BlockStmt) -> Option<BytePos> {
    let directives = body.stmts.iter().take_while(|stmt| directive(stmt).is_some());
    let index = directives.into_iter().position(|stmt| directive(stmt) == Some(DIRECTIVE))?;
    Some(body.stmts.remove(index).span().lo)
}

fn take_module_directive(module: &mut Module) -> bool {
    let directives = module.body.iter().map_while(|item| item.as_stmt().and_then(directive));
    let index = directives.into_iter().position(|text| text == DIRECTIVE);
    index.map(|index| module.body.remove(index)).is_some()
}

fn directive(stmt: &Stmt) -> Option<&str> {
    match stmt {
        Stmt::Expr(stmt) => match &*stmt.expr {
            Expr::Lit(Lit::Str(text)) => text.value.as_str(),
            _ => None,
        },
        _ => None,
    }
}

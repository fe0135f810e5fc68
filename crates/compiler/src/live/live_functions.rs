//! Finds the functions that a keyword or a directive marks as live.

use std::collections::HashSet;

use deno_ast::swc::ast::{
    ArrowExpr, BlockStmt, BlockStmtOrExpr, ClassMethod, Constructor, Decl, DefaultDecl, Expr, Function,
    GetterProp, Lit, MethodKind, MethodProp, Module, ModuleDecl, ModuleItem, Pat, PrivateMethod, SetterProp,
    Stmt,
};
use deno_ast::swc::common::{BytePos, Spanned};
use deno_ast::swc::ecma_visit::{VisitMut, VisitMutWith};

use super::error::LiveError;
use super::function_id::FunctionId;
use super::keywords::{DIRECTIVE, Keyword};

/// The live functions of a module.
#[derive(Default)]
pub(super) struct LiveFunctions {
    pub functions: HashSet<FunctionId>,
    /// The keywords that mark a function.
    pub keywords: Vec<Keyword>,
    /// The first mark at something that cannot be live.
    pub error: Option<LiveError>,
    /// Keywords whose function was not visited yet. What remains after the visit is no keyword.
    remaining: Vec<Keyword>,
}

/// The position of a byte of the text. Positions count from 1.
fn position(offset: usize) -> BytePos {
    BytePos(u32::try_from(offset + 1).unwrap_or(u32::MAX))
}

impl LiveFunctions {
    /// Finds the live functions of a module and removes their directives.
    pub(super) fn of(module: &mut Module, keywords: &[Keyword]) -> LiveFunctions {
        let mut live = LiveFunctions { remaining: keywords.to_vec(), ..LiveFunctions::default() };
        if take_module_directive(module) {
            for item in &module.body {
                live.functions.extend(declared(item));
            }
        }
        module.visit_mut_with(&mut live);
        live.keywords.sort_unstable_by_key(|keyword| keyword.start);
        live
    }

    /// Assigns the keyword of a function that begins in this range, and returns where the keyword is.
    fn take_keyword(&mut self, from: BytePos, to: BytePos) -> Option<BytePos> {
        let begins = |at: usize| (from..=to).contains(&position(at));
        let index = self
            .remaining
            .iter()
            .position(|keyword| begins(keyword.function) || keyword.asynchronous.is_some_and(begins))?;
        let keyword = self.remaining.swap_remove(index);
        self.keywords.push(keyword);
        Some(position(keyword.start))
    }

    fn reject(&mut self, what: &str, at: BytePos) {
        let message = format!("{what} cannot be live");
        self.error.get_or_insert(LiveError { message, at });
    }

    fn add_if_marked(&mut self, function: &mut Function, from: BytePos, to: BytePos) {
        let keyword = self.take_keyword(from, to);
        let directive = function.body.as_mut().and_then(take_directive);
        let (Some(at), Some(id)) = (keyword.or(directive), FunctionId::of(function)) else { return };
        if function.is_generator {
            self.reject("a generator", at);
        } else {
            self.functions.insert(id);
        }
    }

    fn reject_directive(&mut self, what: &str, body: Option<&mut BlockStmt>) {
        if let Some(at) = body.and_then(take_directive) {
            self.reject(what, at);
        }
    }
}

impl VisitMut for LiveFunctions {
    fn visit_mut_function(&mut self, function: &mut Function) {
        self.add_if_marked(function, function.span.lo, function.span.lo);
        function.visit_mut_children_with(self);
    }

    fn visit_mut_arrow_expr(&mut self, arrow: &mut ArrowExpr) {
        let keyword = self.take_keyword(arrow.span.lo, arrow.span.lo);
        let directive = match &mut *arrow.body {
            BlockStmtOrExpr::BlockStmt(body) => take_directive(body),
            BlockStmtOrExpr::Expr(_) => None,
        };
        if keyword.or(directive).is_some() {
            self.functions.insert(FunctionId::of_arrow(arrow));
        }
        arrow.visit_mut_children_with(self);
    }

    fn visit_mut_class_method(&mut self, method: &mut ClassMethod) {
        match method.kind {
            MethodKind::Method => {
                self.add_if_marked(&mut method.function, method.span.lo, method.key.span().lo)
            }
            _ => self.reject_directive("an accessor", method.function.body.as_mut()),
        }
        method.visit_mut_children_with(self);
    }

    fn visit_mut_private_method(&mut self, method: &mut PrivateMethod) {
        match method.kind {
            MethodKind::Method => {
                self.add_if_marked(&mut method.function, method.span.lo, method.key.span().lo)
            }
            _ => self.reject_directive("an accessor", method.function.body.as_mut()),
        }
        method.visit_mut_children_with(self);
    }

    fn visit_mut_method_prop(&mut self, method: &mut MethodProp) {
        let from = method.function.span.lo.min(method.key.span().lo);
        self.add_if_marked(&mut method.function, from, method.key.span().lo);
        method.visit_mut_children_with(self);
    }

    fn visit_mut_constructor(&mut self, constructor: &mut Constructor) {
        self.reject_directive("a constructor", constructor.body.as_mut());
        constructor.visit_mut_children_with(self);
    }

    fn visit_mut_getter_prop(&mut self, getter: &mut GetterProp) {
        self.reject_directive("an accessor", getter.body.as_mut());
        getter.visit_mut_children_with(self);
    }

    fn visit_mut_setter_prop(&mut self, setter: &mut SetterProp) {
        self.reject_directive("an accessor", setter.body.as_mut());
        setter.visit_mut_children_with(self);
    }
}

/// The functions that a statement of a module declares or exports, without generators, which cannot be live.
fn declared(item: &ModuleItem) -> Vec<FunctionId> {
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

fn declared_by(decl: &Decl) -> Vec<FunctionId> {
    match decl {
        Decl::Fn(function) => plain_function(&function.function).into_iter().collect(),
        Decl::Var(var) => {
            let named = var.decls.iter().filter(|decl| matches!(decl.name, Pat::Ident(_)));
            named.filter_map(|decl| function_in(decl.init.as_deref()?)).collect()
        }
        _ => Vec::new(),
    }
}

fn function_in(expr: &Expr) -> Option<FunctionId> {
    match expr {
        Expr::Fn(function) => plain_function(&function.function),
        Expr::Arrow(arrow) => Some(FunctionId::of_arrow(arrow)),
        Expr::Paren(paren) => function_in(&paren.expr),
        _ => None,
    }
}

fn plain_function(function: &Function) -> Option<FunctionId> {
    if function.is_generator { None } else { FunctionId::of(function) }
}

/// Removes the directive from those at the beginning of a body, and returns where it was.
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

/// The text of a statement that is a directive, or could be one.
fn directive(stmt: &Stmt) -> Option<&str> {
    match stmt {
        Stmt::Expr(stmt) => match &*stmt.expr {
            Expr::Lit(Lit::Str(text)) => text.value.as_str(),
            _ => None,
        },
        _ => None,
    }
}

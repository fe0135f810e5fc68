//! The walk over a module's syntax tree, which replaces each expression and each function by its compiled form.

use deno_ast::swc::ast::{
    ArrowExpr, BlockStmt, BlockStmtOrExpr, CatchClause, ClassDecl, ClassProp, Constructor, Expr,
    ExprOrSpread, FnDecl, Function, GetterProp, ImportDecl, ImportDefaultSpecifier, ImportPhase,
    ImportSpecifier, KeyValueProp, Module, ModuleDecl, ModuleItem, Param, PrivateProp, Prop, PropName,
    SetterProp, SpreadElement, StaticBlock, TaggedTpl, VarDecl, VarDeclKind,
};
use deno_ast::swc::common::DUMMY_SP;
use deno_ast::swc::common::util::take::Take as _;
use deno_ast::swc::ecma_visit::{VisitMut, VisitMutWith};

use super::bindings::names;
use super::build;
use super::compiler::Compiler;
use super::function_id::FunctionId;
use super::functions::insert;

/// The specifier of the runtime's module.
const RUNTIME: &str = "liveline:live";

impl VisitMut for Compiler<'_> {
    fn visit_mut_module(&mut self, module: &mut Module) {
        self.open(true);
        self.declare_exported(&module.body);
        module.visit_mut_children_with(self);
        let declarations = self.close();
        let specifier = ImportDefaultSpecifier { span: DUMMY_SP, local: self.runtime.clone() };
        let import = ImportDecl {
            span: DUMMY_SP,
            specifiers: vec![ImportSpecifier::Default(specifier)],
            src: Box::new(RUNTIME.into()),
            type_only: false,
            with: None,
            phase: ImportPhase::Evaluation,
        };
        let import = ModuleItem::ModuleDecl(ModuleDecl::Import(import));
        let first = declarations.into_iter().map(ModuleItem::Stmt);
        module.body.splice(0..0, std::iter::once(import).chain(first));
    }

    fn visit_mut_expr(&mut self, expr: &mut Expr) {
        *expr = match expr {
            Expr::Ident(ident) => self.ident(ident.take()),
            Expr::Member(member) => self.member(member.take()),
            Expr::OptChain(chain) => self.opt_chain(chain.take()),
            Expr::Call(call) => self.call_expr(call.take()),
            Expr::Assign(assign) => self.assign_expr(assign.take()),
            Expr::Update(update) => self.update(update.take()),
            Expr::Unary(unary) => self.unary(unary.take()),
            other => return other.visit_mut_children_with(self),
        };
    }

    fn visit_mut_tagged_tpl(&mut self, template: &mut TaggedTpl) {
        // A tag is called with the object of its member as `this`.
        match &mut *template.tag {
            Expr::Member(member) => member.obj.visit_mut_with(self),
            Expr::Ident(_) => {}
            tag => tag.visit_mut_with(self),
        }
        template.tpl.visit_mut_with(self);
    }

    fn visit_mut_prop(&mut self, prop: &mut Prop) {
        if let Prop::Shorthand(name) = prop {
            let value = self.ident(name.clone());
            if !matches!(&value, Expr::Ident(_)) {
                let key = PropName::Ident(name.clone().into());
                *prop = Prop::KeyValue(KeyValueProp { key, value: Box::new(value) });
            }
            return;
        }
        prop.visit_mut_children_with(self);
    }

    fn visit_mut_expr_or_spread(&mut self, item: &mut ExprOrSpread) {
        if item.spread.is_some() { self.spread(&mut item.expr) } else { item.expr.visit_mut_with(self) }
    }

    fn visit_mut_spread_element(&mut self, spread: &mut SpreadElement) {
        self.spread(&mut spread.expr);
    }

    fn visit_mut_function(&mut self, function: &mut Function) {
        let is_live = FunctionId::of(function).is_some_and(|id| self.is_live_function(id));
        function.decorators.visit_mut_with(self);
        let Some(body) = &mut function.body else { return };
        if is_live {
            let params = function.params.iter_mut().map(|param: &mut Param| &mut param.pat).collect();
            body.stmts =
                self.live_body(params, std::mem::take(&mut body.stmts), function.is_async, body.span);
        } else {
            self.within(false, |compiler| function.params.visit_mut_with(compiler));
            let params: Vec<_> = function.params.iter().flat_map(|param| names(&param.pat)).collect();
            self.plain_body(&params, body);
        }
    }

    fn visit_mut_arrow_expr(&mut self, arrow: &mut ArrowExpr) {
        let is_live = self.is_live_function(FunctionId::of_arrow(arrow));
        if is_live {
            let span = arrow.span;
            let stmts = match std::mem::take(&mut *arrow.body) {
                BlockStmtOrExpr::BlockStmt(body) => body.stmts,
                BlockStmtOrExpr::Expr(expr) => vec![build::return_statement(*expr, span)],
            };
            let stmts = self.live_body(arrow.params.iter_mut().collect(), stmts, arrow.is_async, span);
            *arrow.body = BlockStmtOrExpr::BlockStmt(build::block(stmts));
            return;
        }
        self.within(false, |compiler| arrow.params.visit_mut_with(compiler));
        let params: Vec<_> = arrow.params.iter().flat_map(names).collect();
        match &mut *arrow.body {
            BlockStmtOrExpr::BlockStmt(body) => self.plain_body(&params, body),
            BlockStmtOrExpr::Expr(expr) => {
                self.open(true);
                params.iter().for_each(|id| self.declare(id));
                self.within(false, |compiler| expr.visit_mut_with(compiler));
                let mut stmts = self.close();
                if !stmts.is_empty() {
                    let value = std::mem::replace(&mut **expr, build::undefined());
                    stmts.push(build::return_statement(value, DUMMY_SP));
                    *arrow.body = BlockStmtOrExpr::BlockStmt(build::block(stmts));
                }
            }
        }
    }

    fn visit_mut_class_prop(&mut self, prop: &mut ClassProp) {
        prop.key.visit_mut_with(self);
        prop.decorators.visit_mut_with(self);
        self.within(false, |compiler| prop.value.visit_mut_with(compiler));
    }

    fn visit_mut_private_prop(&mut self, prop: &mut PrivateProp) {
        self.within(false, |compiler| prop.value.visit_mut_with(compiler));
    }

    fn visit_mut_static_block(&mut self, block: &mut StaticBlock) {
        self.plain_body(&[], &mut block.body);
    }

    fn visit_mut_constructor(&mut self, constructor: &mut Constructor) {
        self.within(false, |compiler| constructor.params.visit_mut_with(compiler));
        if let Some(body) = &mut constructor.body {
            self.plain_body(&[], body);
        }
    }

    fn visit_mut_getter_prop(&mut self, getter: &mut GetterProp) {
        getter.key.visit_mut_with(self);
        if let Some(body) = &mut getter.body {
            self.plain_body(&[], body);
        }
    }

    fn visit_mut_setter_prop(&mut self, setter: &mut SetterProp) {
        setter.key.visit_mut_with(self);
        if let Some(body) = &mut setter.body {
            self.plain_body(&names(&setter.param), body);
        }
    }

    fn visit_mut_block_stmt(&mut self, block: &mut BlockStmt) {
        self.open(false);
        self.declare_functions(&block.stmts);
        block.stmts.visit_mut_with(self);
        let declarations = self.close();
        insert(&mut block.stmts, declarations);
    }

    fn visit_mut_catch_clause(&mut self, clause: &mut CatchClause) {
        clause.param.visit_mut_with(self);
        clause.body.visit_mut_with(self);
    }

    fn visit_mut_var_decl(&mut self, decl: &mut VarDecl) {
        let ids: Vec<_> = decl.decls.iter().flat_map(|decl| names(&decl.name)).collect();
        for id in &ids {
            if decl.kind == VarDeclKind::Var { self.declare_in_function(id) } else { self.declare(id) }
        }
        decl.visit_mut_children_with(self);
    }

    fn visit_mut_fn_decl(&mut self, decl: &mut FnDecl) {
        decl.function.visit_mut_with(self);
    }

    fn visit_mut_class_decl(&mut self, decl: &mut ClassDecl) {
        decl.class.visit_mut_with(self);
    }
}

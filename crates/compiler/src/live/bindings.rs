//! Finds the variables that need a cell: those that live code reads and that code changes.

use std::collections::HashSet;

use deno_ast::swc::ast::{
    ArrowExpr, AssignExpr, AssignTarget, AssignTargetPat, ClassDecl, ClassProp, Expr, ForHead, ForInStmt,
    ForOfStmt, ForStmt, Function, Id, Ident, Module, Pat, PrivateProp, Prop, SimpleAssignTarget, StaticBlock,
    UpdateExpr, VarDecl, VarDeclKind, VarDeclOrExpr,
};
use deno_ast::swc::common::SyntaxContext;
use deno_ast::swc::ecma_visit::{Visit, VisitWith};

use super::function_id::FunctionId;

/// The variables of a module that are compiled in a special way.
pub(super) struct Bindings {
    /// Variables with a cell.
    pub cells: HashSet<Id>,
    /// Constants of live code. They become variables that only the compiled code may assign.
    pub constants: HashSet<Id>,
    /// The resolver's mark of names that the module does not declare.
    unresolved: SyntaxContext,
}

impl Bindings {
    pub(super) fn of(
        module: &Module,
        functions: &HashSet<FunctionId>,
        unresolved: SyntaxContext,
    ) -> Bindings {
        let (read, written, heads, constants) = Default::default();
        let mut uses = Uses { functions, is_live: false, read, written, heads, constants };
        module.visit_with(&mut uses);
        let Uses { read, mut written, heads, constants, .. } = uses;
        written.retain(|id| read.contains(id) && !heads.contains(id));
        Bindings { cells: written, constants, unresolved }
    }

    pub(super) fn is_global(&self, ident: &Ident) -> bool {
        ident.ctxt == self.unresolved
    }
}

/// Collects how a module uses its variables.
struct Uses<'a> {
    functions: &'a HashSet<FunctionId>,
    is_live: bool,
    /// Read by live code.
    read: HashSet<Id>,
    /// Assigned after their declaration, or declared by live code, which may run again.
    written: HashSet<Id>,
    /// Variables that a `for (;;)` of live code declares. Each round has its own, so none has a cell.
    heads: HashSet<Id>,
    constants: HashSet<Id>,
}

impl Uses<'_> {
    fn within(&mut self, is_live: bool, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_live, is_live);
        visit(self);
        self.is_live = outer;
    }

    fn parameter(&mut self, pat: &Pat) {
        if !matches!(pat, Pat::Ident(_)) {
            self.written.extend(names(pat));
        }
    }

    fn head(&mut self, head: &ForHead) {
        match head {
            ForHead::VarDecl(decl) if self.is_live => {
                let declared = decl.decls.iter().flat_map(|decl| names(&decl.name));
                self.written.extend(declared);
            }
            ForHead::Pat(pat) => self.written.extend(names(pat)),
            _ => {}
        }
    }
}

impl Visit for Uses<'_> {
    fn visit_function(&mut self, function: &Function) {
        let is_live = FunctionId::of(function).is_some_and(|id| self.functions.contains(&id));
        if is_live {
            function.params.iter().for_each(|param| self.parameter(&param.pat));
        }
        self.within(is_live, |uses| function.visit_children_with(uses));
    }

    fn visit_arrow_expr(&mut self, arrow: &ArrowExpr) {
        let is_live = self.functions.contains(&FunctionId::of_arrow(arrow));
        if is_live {
            arrow.params.iter().for_each(|param| self.parameter(param));
        }
        self.within(is_live, |uses| arrow.visit_children_with(uses));
    }

    fn visit_class_prop(&mut self, prop: &ClassProp) {
        prop.key.visit_with(self);
        self.within(false, |uses| prop.value.visit_with(uses));
    }

    fn visit_private_prop(&mut self, prop: &PrivateProp) {
        self.within(false, |uses| prop.value.visit_with(uses));
    }

    fn visit_static_block(&mut self, block: &StaticBlock) {
        self.within(false, |uses| block.visit_children_with(uses));
    }

    fn visit_expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Ident(ident) if self.is_live => drop(self.read.insert(ident.to_id())),
            _ => expr.visit_children_with(self),
        }
    }

    fn visit_prop(&mut self, prop: &Prop) {
        match prop {
            Prop::Shorthand(ident) if self.is_live => drop(self.read.insert(ident.to_id())),
            _ => prop.visit_children_with(self),
        }
    }

    fn visit_assign_expr(&mut self, assign: &AssignExpr) {
        match &assign.left {
            AssignTarget::Simple(SimpleAssignTarget::Ident(name)) => drop(self.written.insert(name.to_id())),
            AssignTarget::Simple(SimpleAssignTarget::Paren(paren)) => {
                if let Expr::Ident(name) = &*paren.expr {
                    self.written.insert(name.to_id());
                }
            }
            AssignTarget::Pat(AssignTargetPat::Array(pat)) => {
                pat.elems.iter().flatten().for_each(|pat| self.written.extend(names(pat)));
            }
            AssignTarget::Pat(AssignTargetPat::Object(pat)) => {
                self.written.extend(names(&Pat::Object(pat.clone())));
            }
            _ => {}
        }
        assign.visit_children_with(self);
    }

    fn visit_update_expr(&mut self, update: &UpdateExpr) {
        match &*update.arg {
            Expr::Ident(name) => drop(self.written.insert(name.to_id())),
            other => other.visit_with(self),
        }
    }

    fn visit_var_decl(&mut self, decl: &VarDecl) {
        if self.is_live {
            for declarator in decl.decls.iter().filter(|declarator| declarator.init.is_some()) {
                self.written.extend(names(&declarator.name));
            }
            if decl.kind == VarDeclKind::Const {
                self.constants.extend(decl.decls.iter().flat_map(|decl| names(&decl.name)));
            }
        }
        decl.visit_children_with(self);
    }

    fn visit_class_decl(&mut self, decl: &ClassDecl) {
        if self.is_live {
            self.written.insert(decl.ident.to_id());
        }
        decl.visit_children_with(self);
    }

    fn visit_for_stmt(&mut self, stmt: &ForStmt) {
        if let Some(VarDeclOrExpr::VarDecl(decl)) = &stmt.init
            && self.is_live
            && decl.kind != VarDeclKind::Var
        {
            self.heads.extend(decl.decls.iter().flat_map(|decl| names(&decl.name)));
        }
        stmt.visit_children_with(self);
    }

    fn visit_for_of_stmt(&mut self, stmt: &ForOfStmt) {
        self.head(&stmt.left);
        stmt.visit_children_with(self);
    }

    fn visit_for_in_stmt(&mut self, stmt: &ForInStmt) {
        self.head(&stmt.left);
        stmt.visit_children_with(self);
    }
}

/// The variables that a pattern declares or assigns.
pub(super) fn names(pat: &Pat) -> Vec<Id> {
    let mut found = Names(Vec::new());
    pat.visit_with(&mut found);
    found.0
}

struct Names(Vec<Id>);

impl Visit for Names {
    fn visit_pat(&mut self, pat: &Pat) {
        match pat {
            Pat::Ident(name) => self.0.push(name.to_id()),
            _ => pat.visit_children_with(self),
        }
    }

    fn visit_object_pat_prop(&mut self, prop: &deno_ast::swc::ast::ObjectPatProp) {
        if let deno_ast::swc::ast::ObjectPatProp::Assign(prop) = prop {
            self.0.push(prop.key.to_id());
        }
        prop.visit_children_with(self);
    }

    // Names in default values are read, not assigned.
    fn visit_expr(&mut self, _: &Expr) {}
}

//! The statements of live functions. Each becomes a closure, which the runtime runs, and runs again after a change of a
//! value that it has read. A block is a list of such closures.

use deno_ast::swc::ast::{
    AssignOp, AssignTarget, AwaitExpr, BinaryOp, BlockStmt, BreakStmt, ClassExpr, Decl, DoWhileStmt, Expr,
    ForHead, ForStmt, Function, Id, Ident, IfStmt, Pat, Stmt, SwitchStmt, TryStmt, VarDecl, VarDeclKind,
    VarDeclOrExpr, WhileStmt,
};
use deno_ast::swc::common::{DUMMY_SP, Span, Spanned};
use deno_ast::swc::ecma_visit::{Visit, VisitMutWith, VisitWith};

use super::bindings::names;
use super::build;
use super::compiler::Compiler;
use super::patterns::Assignment;

/// A loop over the items or the keys of something.
struct Iteration {
    method: &'static str,
    left: ForHead,
    right: Expr,
    body: Stmt,
}

/// A list of live statements while it is being compiled.
#[derive(Default)]
struct List {
    /// The variables that it declares.
    variables: Vec<Ident>,
    /// Functions and types, which exist from the beginning of the list.
    functions: Vec<Stmt>,
    closures: Vec<Expr>,
}

impl Compiler<'_> {
    /// A list of statements, as the body of a closure: declarations, and then the list for the runtime. `first` are
    /// declarations that come before the statements.
    pub(super) fn list(&mut self, first: Vec<(Pat, Expr)>, stmts: Vec<Stmt>, span: Span) -> Vec<Stmt> {
        self.list_with(Vec::new(), first, stmts, span)
    }

    /// The list of a whole function, to which every `var` in it belongs.
    pub(super) fn function(
        &mut self,
        first: Vec<(Pat, Expr)>,
        stmts: Vec<Stmt>,
        span: Span,
        params: &[Id],
    ) -> Vec<Stmt> {
        let mut found = Hoisted::default();
        stmts.visit_with(&mut found);
        found.names.retain(|name| !params.contains(&name.to_id()));
        self.list_with(found.names, first, stmts, span)
    }

    fn list_with(
        &mut self,
        variables: Vec<Ident>,
        first: Vec<(Pat, Expr)>,
        stmts: Vec<Stmt>,
        span: Span,
    ) -> Vec<Stmt> {
        self.open(false);
        variables.iter().for_each(|name| self.declare(&name.to_id()));
        let mut list = List { variables, ..List::default() };
        for id in first.iter().flat_map(|(pat, _)| names(pat)) {
            self.declare(&id);
        }
        self.declare_functions(&stmts);
        for (pat, value) in first {
            let span = pat.span();
            self.declaration(pat, value, true, span, &mut list);
        }
        for stmt in stmts {
            self.statement(stmt, &mut list);
        }
        let mut body: Vec<Stmt> = build::variables(std::mem::take(&mut list.variables)).into_iter().collect();
        body.extend(self.close());
        body.append(&mut list.functions);
        body.push(build::return_statement(self.call(span, "block", vec![build::array(list.closures)]), span));
        body
    }

    /// One statement as a closure.
    fn closure(&mut self, params: Vec<Ident>, compile: impl FnOnce(&mut Self) -> Vec<Stmt>) -> Expr {
        self.open(true);
        let stmts = compile(self);
        let mut body = self.close();
        body.extend(stmts);
        let is_async = Awaits::any(&body);
        build::arrow(params, body, is_async)
    }

    fn effect_closure(&mut self, compile: impl FnOnce(&mut Self) -> Vec<Stmt>) -> Expr {
        self.closure(vec![self.effect.clone()], compile)
    }

    fn visited(&mut self, mut expr: Expr) -> Expr {
        expr.visit_mut_with(self);
        expr
    }

    fn statement(&mut self, stmt: Stmt, list: &mut List) {
        let span = stmt.span();
        match stmt {
            Stmt::Decl(Decl::Var(decl)) => self.variables(*decl, list),
            Stmt::Decl(Decl::Class(decl)) => {
                list.variables.push(decl.ident.clone());
                let closure = self.effect_closure(|compiler| {
                    let class = ClassExpr { ident: Some(decl.ident.clone()), class: decl.class };
                    let class = compiler.visited(Expr::Class(class));
                    let assigned = build::assign(&decl.ident, AssignOp::Assign, class, span);
                    vec![build::statement(compiler.wrote(&decl.ident, assigned, span), span)]
                });
                list.closures.push(closure);
            }
            Stmt::Decl(Decl::Using(_)) => self.fail("`using` has no meaning in a live function", span.lo),
            Stmt::Decl(mut decl) => {
                decl.visit_mut_with(self);
                list.functions.push(decl.into());
            }
            Stmt::Empty(_) => {}
            stmt => {
                let closure = self.effect_closure(|compiler| compiler.body(stmt, span));
                list.closures.push(closure);
            }
        }
    }

    /// The statements of a statement's closure.
    fn body(&mut self, stmt: Stmt, span: Span) -> Vec<Stmt> {
        match stmt {
            Stmt::Expr(stmt) => vec![build::statement(self.visited(*stmt.expr), span)],
            Stmt::Block(block) => self.list(Vec::new(), block.stmts, span),
            Stmt::Return(stmt) => {
                let value = stmt.arg.map(|arg| self.visited(*arg));
                vec![build::return_statement(self.call(span, "return", value.into_iter().collect()), span)]
            }
            Stmt::Break(stmt) => vec![self.jump("break", stmt.label, span)],
            Stmt::Continue(stmt) => vec![self.jump("continue", stmt.label, span)],
            Stmt::If(stmt) => vec![self.branch(stmt)],
            Stmt::Switch(stmt) => self.switch(stmt),
            Stmt::Try(stmt) => vec![self.try_statement(*stmt)],
            Stmt::Labeled(stmt) => {
                let label = self.call(span, "label", vec![build::string(stmt.label.sym)]);
                let mut body = vec![build::statement(label, span)];
                let inner = stmt.body.span();
                body.extend(self.body(*stmt.body, inner));
                body
            }
            Stmt::While(WhileStmt { test, body, .. }) => {
                let awaits = Awaits::any(&*body);
                let test = Box::new(self.visited(*test));
                let body = Box::new(self.round(*body, awaits));
                self.rounds(Stmt::While(WhileStmt { span, test, body }), span)
            }
            Stmt::DoWhile(DoWhileStmt { test, body, .. }) => {
                let awaits = Awaits::any(&*body);
                let body = Box::new(self.round(*body, awaits));
                let test = Box::new(self.visited(*test));
                self.rounds(Stmt::DoWhile(DoWhileStmt { span, test, body }), span)
            }
            Stmt::For(stmt) => self.counting(stmt, span),
            Stmt::ForOf(stmt) => {
                let method = if stmt.is_await { "stream" } else { "each" };
                self.iterate(
                    Iteration { method, left: stmt.left, right: *stmt.right, body: *stmt.body },
                    span,
                )
            }
            Stmt::ForIn(stmt) => {
                let (left, right, body) = (stmt.left, *stmt.right, *stmt.body);
                self.iterate(Iteration { method: "keys", left, right, body }, span)
            }
            mut other => {
                other.visit_mut_children_with(self);
                vec![other]
            }
        }
    }

    fn jump(&mut self, method: &str, label: Option<Ident>, span: Span) -> Stmt {
        let label = label.map(|label| build::string(label.sym));
        build::return_statement(self.call(span, method, label.into_iter().collect()), span)
    }

    /// One statement, or those of a block, as a block of live statements.
    fn block(&mut self, stmt: Stmt) -> BlockStmt {
        let span = stmt.span();
        let stmts = match stmt {
            Stmt::Block(block) => block.stmts,
            stmt => vec![stmt],
        };
        build::block(self.list(Vec::new(), stmts, span))
    }

    fn branch(&mut self, stmt: IfStmt) -> Stmt {
        let test = Box::new(self.visited(*stmt.test));
        let cons = Box::new(Stmt::Block(self.block(*stmt.cons)));
        let alt = stmt.alt.map(|alt| Box::new(Stmt::Block(self.block(*alt))));
        Stmt::If(IfStmt { span: stmt.span, test, cons, alt })
    }

    /// All cases as one list, and an expression for the number of the closure at which it begins.
    fn switch(&mut self, stmt: SwitchStmt) -> Vec<Stmt> {
        let subject = self.temp();
        let value = self.visited(*stmt.discriminant);
        let first = build::statement(build::assign(&subject, AssignOp::Assign, value, stmt.span), stmt.span);
        let all: Vec<Stmt> = stmt.cases.iter().flat_map(|case| case.cons.clone()).collect();
        // A case begins at the number of closures before it.
        self.open(false);
        self.declare_functions(&all);
        let mut list = List::default();
        let mut tests = Vec::new();
        let mut default = None;
        for case in stmt.cases {
            let start = list.closures.len();
            match case.test {
                Some(test) => tests.push((self.visited(*test), start)),
                None => default = Some(start),
            }
            for stmt in case.cons {
                self.statement(stmt, &mut list);
            }
        }
        let default = build::number(default.unwrap_or(list.closures.len()));
        let start = tests.into_iter().rfold(default, |otherwise, (test, start)| {
            let is_meant = build::binary(BinaryOp::EqEqEq, subject.clone().into(), test, DUMMY_SP);
            build::conditional(is_meant, build::number(start), otherwise)
        });
        let mut body = vec![first];
        body.extend(build::variables(std::mem::take(&mut list.variables)));
        body.extend(self.close());
        body.append(&mut list.functions);
        let arguments = vec![build::array(list.closures), start];
        body.push(build::return_statement(self.call(stmt.span, "switch", arguments), stmt.span));
        body
    }

    fn try_statement(&mut self, stmt: TryStmt) -> Stmt {
        let TryStmt { span, block, handler, finalizer } = stmt;
        let part = |compiler: &mut Self, params: Vec<Ident>, first: Vec<(Pat, Expr)>, block: BlockStmt| {
            compiler.closure(params, |compiler| compiler.list(first, block.stmts, block.span))
        };
        let effect = self.effect.clone();
        let body = part(self, vec![effect.clone()], Vec::new(), block);
        let caught = handler.map(|handler| {
            let error = self.name();
            let first = handler.param.map(|param| (param, error.clone().into()));
            part(self, vec![effect.clone(), error], first.into_iter().collect(), handler.body)
        });
        let last = finalizer.map(|block| part(self, vec![effect], Vec::new(), block));
        let arguments = [Some(body), caught, last].map(|part| part.unwrap_or_else(build::undefined));
        build::return_statement(self.call(span, "try", arguments.into()), span)
    }

    // -- loops ------------------------------------------------------------------------------------------------

    /// The body of a loop that stays a loop: a round of the runtime, which returns whether the loop ends.
    fn round(&mut self, body: Stmt, awaits: bool) -> Stmt {
        let span = body.span();
        let closure = self.effect_closure(|compiler| compiler.block(body).stmts);
        let round = self.call(span, "round", vec![closure]);
        let ended =
            if awaits { Expr::Await(AwaitExpr { span: DUMMY_SP, arg: Box::new(round) }) } else { round };
        let leave = Stmt::Break(BreakStmt { span: DUMMY_SP, label: None });
        let stmt = IfStmt { span: DUMMY_SP, test: Box::new(ended), cons: Box::new(leave), alt: None };
        Stmt::Block(build::block(vec![stmt.into()]))
    }

    fn rounds(&mut self, repeat: Stmt, span: Span) -> Vec<Stmt> {
        let begin = build::statement(self.call(span, "loop", Vec::new()), span);
        vec![begin, repeat, build::return_statement(self.call(span, "rounds", Vec::new()), span)]
    }

    fn counting(&mut self, stmt: ForStmt, span: Span) -> Vec<Stmt> {
        let ForStmt { init, test, update, body, .. } = stmt;
        let awaits = Awaits::any(&*body);
        let init = init.map(|init| match init {
            VarDeclOrExpr::VarDecl(decl) if decl.kind == VarDeclKind::Var => {
                let assigned = decl.decls.into_iter().filter_map(|decl| Some((decl.name, *decl.init?)));
                let assigned = assigned.filter_map(|(pat, value)| assign_pattern(pat, value)).collect();
                VarDeclOrExpr::Expr(Box::new(self.visited(build::sequence(assigned, span))))
            }
            VarDeclOrExpr::VarDecl(mut decl) => {
                decl.visit_mut_with(self);
                VarDeclOrExpr::VarDecl(decl)
            }
            VarDeclOrExpr::Expr(expr) => VarDeclOrExpr::Expr(Box::new(self.visited(*expr))),
        });
        let test = test.map(|test| Box::new(self.visited(*test)));
        let update = update.map(|update| Box::new(self.visited(*update)));
        let body = Box::new(self.round(*body, awaits));
        self.rounds(Stmt::For(ForStmt { span, init, test, update, body }), span)
    }

    /// `for (x of y)`: each round declares or assigns its variable from the round that the runtime passes.
    fn iterate(&mut self, iteration: Iteration, span: Span) -> Vec<Stmt> {
        let Iteration { method, left, right, body } = iteration;
        let right = self.visited(right);
        let round = self.name();
        let value = build::property(round.clone().into(), "value");
        let closure = self.closure(vec![self.effect.clone(), round], |compiler| {
            let stmts = match body {
                Stmt::Block(block) => block.stmts,
                stmt => vec![stmt],
            };
            match left {
                ForHead::VarDecl(decl) if decl.kind != VarDeclKind::Var => {
                    let first = decl.decls.into_iter().next().map(|decl| (decl.name, value));
                    // The variable is outside of the body, which may declare one of the same name.
                    let inner = Stmt::Block(build::block(stmts));
                    compiler.list(first.into_iter().collect(), vec![inner], span)
                }
                head => {
                    let pat = match head {
                        ForHead::VarDecl(decl) => decl.decls.into_iter().next().map(|decl| decl.name),
                        ForHead::Pat(pat) => Some(*pat),
                        ForHead::UsingDecl(decl) => {
                            compiler.fail("`using` has no meaning in a live function", decl.span.lo);
                            None
                        }
                    };
                    let assigned = pat.and_then(|pat| assign_pattern(pat, value));
                    let first = assigned.map(|assigned| build::statement(assigned, span));
                    compiler.list(Vec::new(), first.into_iter().chain(stmts).collect(), span)
                }
            }
        });
        vec![build::return_statement(self.call(span, method, vec![right, closure]), span)]
    }

    // -- declarations -----------------------------------------------------------------------------------------

    fn variables(&mut self, decl: VarDecl, list: &mut List) {
        let is_var = decl.kind == VarDeclKind::Var;
        for declarator in decl.decls {
            match (declarator.init, declarator.name) {
                (Some(init), name) => self.declaration(name, *init, !is_var, declarator.span, list),
                (None, Pat::Ident(name)) if !is_var => list.variables.push(name.id),
                (None, _) => {}
            }
        }
    }

    /// A declaration, as one closure for each of its variables.
    fn declaration(&mut self, pat: Pat, value: Expr, is_new: bool, span: Span, list: &mut List) {
        let declared: Vec<Id> = names(&pat);
        let mut assignments = Vec::new();
        self.destructure(pat, value, span, &mut assignments);
        for assignment in assignments {
            let Assignment { target, span, .. } = &assignment;
            let (target, span) = (target.clone(), *span);
            if is_new || !declared.contains(&target.to_id()) {
                list.variables.push(target);
            }
            let closure =
                self.effect_closure(|compiler| vec![build::statement(compiler.assignment(assignment), span)]);
            list.closures.push(closure);
        }
    }
}

fn assign_pattern(pat: Pat, value: Expr) -> Option<Expr> {
    let span = pat.span();
    let target = AssignTarget::try_from(pat).ok()?;
    Some(build::assign_to(target, AssignOp::Assign, value, span))
}

/// Looks for an `await`, not inside functions.
struct Awaits(bool);

impl Awaits {
    fn any<N: VisitWith<Awaits>>(node: &N) -> bool {
        let mut search = Awaits(false);
        node.visit_with(&mut search);
        search.0
    }
}

impl Visit for Awaits {
    fn visit_await_expr(&mut self, _: &AwaitExpr) {
        self.0 = true;
    }

    fn visit_for_of_stmt(&mut self, stmt: &deno_ast::swc::ast::ForOfStmt) {
        self.0 |= stmt.is_await;
        stmt.visit_children_with(self);
    }

    fn visit_function(&mut self, _: &Function) {}

    fn visit_arrow_expr(&mut self, _: &deno_ast::swc::ast::ArrowExpr) {}

    fn visit_class(&mut self, class: &deno_ast::swc::ast::Class) {
        class.super_class.visit_with(self);
    }
}

/// Collects the names of `var`s, each once.
#[derive(Default)]
struct Hoisted {
    names: Vec<Ident>,
}

impl Visit for Hoisted {
    fn visit_var_decl(&mut self, decl: &VarDecl) {
        if decl.kind != VarDeclKind::Var {
            return;
        }
        for id in decl.decls.iter().flat_map(|decl| names(&decl.name)) {
            let name = Ident::new(id.0, DUMMY_SP, id.1);
            if !self.names.contains(&name) {
                self.names.push(name);
            }
        }
    }

    fn visit_function(&mut self, _: &Function) {}

    fn visit_arrow_expr(&mut self, _: &deno_ast::swc::ast::ArrowExpr) {}

    fn visit_class(&mut self, _: &deno_ast::swc::ast::Class) {}
}

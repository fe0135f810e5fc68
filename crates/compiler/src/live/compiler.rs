//! Expressions and functions: everywhere in the module writes tell who follows, in live code reads are tracked.

use std::collections::{HashMap, HashSet};

use deno_ast::swc::ast::{
    ArrowExpr, AssignExpr, AssignOp, AssignTarget, AssignTargetPat, BinaryOp, BlockStmt, BlockStmtOrExpr,
    CallExpr, Callee, CatchClause, ClassDecl, ClassProp, Expr, ExprOrSpread, FnDecl, Function, Id, Ident,
    ImportDecl, ImportDefaultSpecifier, ImportPhase, ImportSpecifier, KeyValueProp, Lit, MemberExpr,
    MemberProp, Module, ModuleDecl, ModuleItem, OptCall, OptChainBase, OptChainExpr, Param, Pat, PrivateProp,
    Prop, PropName, SimpleAssignTarget, StaticBlock, Stmt, TaggedTpl, UnaryExpr, UnaryOp, UpdateExpr,
    UpdateOp, VarDecl, VarDeclKind,
};
use deno_ast::swc::common::{BytePos, DUMMY_SP, Span};
use deno_ast::swc::ecma_visit::{Visit, VisitMut, VisitMutWith, VisitWith};

use super::bindings::{Bindings, names};
use super::build;
use super::claims::{arrow_at, function_at};
use super::compile::{LiveError, RUNTIME};

/// What the compiled code names the runtime.
const PREFIX: &str = "$live";

/// Methods that change what they are called on.
const MUTATORS: [&str; 9] =
    ["copyWithin", "fill", "pop", "push", "reverse", "shift", "sort", "splice", "unshift"];

/// Methods of `Object` and `Reflect` that change their first argument.
const STATIC_MUTATORS: [&str; 6] =
    ["assign", "defineProperties", "defineProperty", "deleteProperty", "set", "setPrototypeOf"];

/// Names that mean the same wherever they stand, or are no variables.
const CONSTANT: [&str; 5] = ["Infinity", "NaN", "arguments", "globalThis", "undefined"];

pub(super) struct Compiler<'a> {
    functions: &'a HashSet<BytePos>,
    bindings: &'a Bindings,
    /// The runtime, as code that is not live names it.
    runtime: Ident,
    /// The running effect, as live code names it.
    pub(super) effect: Ident,
    prefix: String,
    /// Whether what is visited is live.
    pub(super) is_live: bool,
    scopes: Vec<Scope>,
    cells: HashMap<Id, Ident>,
    /// Names that were made so far.
    made: usize,
    pub error: Option<LiveError>,
}

/// Names that the compiled code adds to a list of statements.
#[derive(Default)]
struct Scope {
    cells: Vec<Ident>,
    temps: Vec<Ident>,
    is_function: bool,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(
        module: &Module,
        functions: &'a HashSet<BytePos>,
        bindings: &'a Bindings,
    ) -> Compiler<'a> {
        let mut prefix = PREFIX.to_owned();
        while Prefixed::is_used(module, &prefix) {
            prefix.push('_');
        }
        Compiler {
            functions,
            bindings,
            runtime: build::ident(prefix.as_str()),
            effect: build::ident(format!("{prefix}$")),
            prefix,
            is_live: false,
            scopes: Vec::new(),
            cells: HashMap::new(),
            made: 0,
            error: None,
        }
    }

    pub(super) fn fail(&mut self, message: &str, at: BytePos) {
        self.error.get_or_insert(LiveError { message: message.to_owned(), at });
    }

    // -- names ------------------------------------------------------------------------------------------------

    /// A name that nothing else has.
    pub(super) fn name(&mut self) -> Ident {
        self.made += 1;
        build::ident(format!("{}{}", self.prefix, self.made))
    }

    /// A variable of the code that is being compiled, for a value that is needed twice.
    pub(super) fn temp(&mut self) -> Ident {
        let name = self.name();
        let scope = self.scopes.iter_mut().rfind(|scope| scope.is_function);
        scope.expect("a module is a scope").temps.push(name.clone());
        name
    }

    /// A variable of the compiled code with a cell of its own.
    pub(super) fn tracked_name(&mut self) -> Ident {
        let name = self.name();
        let cell = build::ident(format!("{}_{}", self.prefix, self.made));
        self.add_cell(&name, cell);
        name
    }

    fn add_cell(&mut self, name: &Ident, cell: Ident) {
        self.cells.insert(name.to_id(), cell.clone());
        self.scopes.last_mut().expect("a module is a scope").cells.push(cell);
    }

    /// A variable is declared here.
    pub(super) fn declare(&mut self, id: &Id) {
        if !self.bindings.cells.contains(id) || self.cells.contains_key(id) {
            return;
        }
        self.made += 1;
        let cell = build::ident(format!("{}_{}{}", self.prefix, id.0, self.made));
        self.cells.insert(id.clone(), cell.clone());
        self.scopes.last_mut().expect("a module is a scope").cells.push(cell);
    }

    /// A `var` is declared here, which belongs to the function.
    fn declare_in_function(&mut self, id: &Id) {
        let Some(index) = self.scopes.iter().rposition(|scope| scope.is_function) else { return };
        let inner = self.scopes.split_off(index + 1);
        self.declare(id);
        self.scopes.extend(inner);
    }

    fn cell(&self, ident: &Ident) -> Option<Ident> {
        self.cells.get(&ident.to_id()).cloned()
    }

    pub(super) fn is_constant(&self, ident: &Ident) -> bool {
        self.bindings.constants.contains(&ident.to_id())
    }

    // -- scopes -----------------------------------------------------------------------------------------------

    pub(super) fn open(&mut self, is_function: bool) {
        self.scopes.push(Scope { is_function, ..Scope::default() });
    }

    /// The declarations that an open scope needs.
    pub(super) fn close(&mut self) -> Vec<Stmt> {
        let Scope { cells, temps, .. } = self.scopes.pop().expect("scopes close in order");
        let cell = |name| (name, Some(build::call(DUMMY_SP, &self.runtime, "cell", Vec::new())));
        let cells: Vec<_> = cells.into_iter().map(cell).collect();
        let constants = (!cells.is_empty()).then(|| build::declaration(VarDeclKind::Const, cells));
        constants.into_iter().chain(build::variables(temps)).collect()
    }

    fn within(&mut self, is_live: bool, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_live, is_live);
        visit(self);
        self.is_live = outer;
    }

    // -- calls of the runtime ---------------------------------------------------------------------------------

    /// Who is told of what the code does: its effect, or where it is not live, the runtime.
    fn receiver(&self) -> Ident {
        if self.is_live { self.effect.clone() } else { self.runtime.clone() }
    }

    pub(super) fn call(&self, span: Span, method: &str, arguments: Vec<Expr>) -> Expr {
        build::call(span, &self.receiver(), method, arguments)
    }

    /// An assignment, told to the variable's cell.
    pub(super) fn wrote(&mut self, name: &Ident, assignment: Expr, span: Span) -> Expr {
        match self.cell(name) {
            Some(cell) => self.call(span, "wrote", vec![cell.into(), assignment]),
            None => assignment,
        }
    }

    // -- expressions ------------------------------------------------------------------------------------------

    fn ident(&mut self, ident: Ident) -> Expr {
        if !self.is_live {
            return ident.into();
        }
        if let Some(cell) = self.cell(&ident) {
            return self.call(ident.span, "read", vec![cell.into(), ident.into()]);
        }
        if self.bindings.is_global(&ident) && !CONSTANT.contains(&ident.sym.as_str()) {
            let name = build::string(ident.sym.clone());
            return self.call(ident.span, "global", vec![name, ident.into()]);
        }
        ident.into()
    }

    /// The key of a member, visited; private names have none.
    fn key(&mut self, prop: MemberProp) -> Result<Expr, MemberProp> {
        match prop {
            MemberProp::Ident(name) => Ok(build::string(name.sym)),
            MemberProp::Computed(mut computed) => {
                computed.expr.visit_mut_with(self);
                Ok(*computed.expr)
            }
            private @ MemberProp::PrivateName(_) => Err(private),
        }
    }

    fn member(&mut self, mut member: MemberExpr) -> Expr {
        member.obj.visit_mut_with(self);
        if !self.is_live {
            member.prop.visit_mut_with(self);
            return member.into();
        }
        self.get(member.span, *member.obj, member.prop)
    }

    /// A property of an object that was visited already.
    fn get(&mut self, span: Span, object: Expr, prop: MemberProp) -> Expr {
        match self.key(prop) {
            Ok(key) if self.is_live => self.call(span, "get", vec![object, key]),
            Ok(key) => build::item(object, key),
            Err(prop) => MemberExpr { span, obj: Box::new(object), prop }.into(),
        }
    }

    fn arguments(&mut self, mut args: Vec<ExprOrSpread>) -> Vec<ExprOrSpread> {
        args.visit_mut_with(self);
        args
    }

    fn call_expr(&mut self, mut call: CallExpr) -> Expr {
        let Callee::Expr(callee) = &mut call.callee else {
            call.visit_mut_children_with(self);
            return call.into();
        };
        match &mut **callee {
            Expr::Ident(name) if self.bindings.is_global(name) => call.args.visit_mut_with(self),
            Expr::Member(member) if self.is_method_of_interest(member) => {
                let MemberExpr { obj, prop, span } = member.clone();
                let mut object = *obj;
                object.visit_mut_with(self);
                let args = std::mem::take(&mut call.args);
                return self.call_method(call.span, span, object, prop, args);
            }
            Expr::Member(member) if self.is_global_object(&member.obj) => {
                member.prop.visit_mut_with(self);
                call.args.visit_mut_with(self);
            }
            _ => call.visit_mut_children_with(self),
        }
        call.into()
    }

    fn is_global_object(&self, object: &Expr) -> bool {
        matches!(object, Expr::Ident(name) if self.bindings.is_global(name))
    }

    /// Whether a call of this method may change something, or in live code, read something.
    fn is_method_of_interest(&self, member: &MemberExpr) -> bool {
        match &member.prop {
            MemberProp::Ident(name) if self.is_global_object(&member.obj) => {
                STATIC_MUTATORS.contains(&name.sym.as_str()) || MUTATORS.contains(&name.sym.as_str())
            }
            MemberProp::Ident(name) => self.is_live || MUTATORS.contains(&name.sym.as_str()),
            MemberProp::Computed(_) => true,
            MemberProp::PrivateName(_) => false,
        }
    }

    fn call_method(
        &mut self,
        span: Span,
        member: Span,
        object: Expr,
        prop: MemberProp,
        args: Vec<ExprOrSpread>,
    ) -> Expr {
        match self.key(prop) {
            Ok(key) => {
                let arguments = self.arguments(args);
                self.call(span, "call", vec![object, key, build::list(arguments)])
            }
            Err(prop) => {
                let callee = MemberExpr { span: member, obj: Box::new(object), prop }.into();
                let arguments = self.arguments(args);
                build::invoke(span, callee, arguments)
            }
        }
    }

    /// An optional chain, taken apart: each `?.` becomes a test of what stands before it.
    fn opt_chain(&mut self, chain: OptChainExpr) -> Expr {
        if !self.is_live && !Mutates::any(&chain, self) {
            let mut chain = chain;
            chain.visit_mut_children_with(self);
            return chain.into();
        }
        let mut tests = Vec::new();
        let value = self.link(Expr::OptChain(chain), &mut tests);
        guarded(tests, build::undefined(), value)
    }

    /// One link of a chain. Where it ends early, a test is added.
    fn link(&mut self, expr: Expr, tests: &mut Vec<Expr>) -> Expr {
        let Expr::OptChain(OptChainExpr { span, optional, base }) = expr else {
            let mut expr = expr;
            expr.visit_mut_with(self);
            return expr;
        };
        match *base {
            OptChainBase::Member(member) => {
                let object = self.tested(*member.obj, optional, tests);
                self.get(span, object, member.prop)
            }
            OptChainBase::Call(OptCall { callee, args, .. }) => {
                self.link_call(span, *callee, args, optional, tests)
            }
        }
    }

    fn link_call(
        &mut self,
        span: Span,
        callee: Expr,
        args: Vec<ExprOrSpread>,
        optional: bool,
        tests: &mut Vec<Expr>,
    ) -> Expr {
        let (member, object_is_optional) = match callee {
            Expr::Member(member) => (member, false),
            Expr::OptChain(OptChainExpr { base, optional: inner, span }) => match *base {
                OptChainBase::Member(member) => (member, inner),
                base => {
                    let callee = Expr::OptChain(OptChainExpr { base: Box::new(base), optional: inner, span });
                    let callee = self.tested(callee, optional, tests);
                    let arguments = self.arguments(args);
                    return build::invoke(span, callee, arguments);
                }
            },
            callee => {
                let callee = self.tested(callee, optional, tests);
                let arguments = self.arguments(args);
                return build::invoke(span, callee, arguments);
            }
        };
        let object = self.tested(*member.obj, object_is_optional, tests);
        if !optional {
            return self.call_method(span, member.span, object, member.prop, args);
        }
        // `object.method?.()`: the method is looked up before it is called on the object.
        let this = self.temp();
        let object = build::assign(&this, AssignOp::Assign, object, span);
        let method = self.get(member.span, object, member.prop);
        let method = self.test(method, tests);
        let mut arguments = vec![ExprOrSpread::from(Expr::from(this))];
        arguments.extend(self.arguments(args));
        build::invoke(span, build::property(method, "call"), arguments)
    }

    /// What stands before a `?.`, or before a `.`.
    fn tested(&mut self, expr: Expr, optional: bool, tests: &mut Vec<Expr>) -> Expr {
        let value = self.link(expr, tests);
        if optional { self.test(value, tests) } else { value }
    }

    fn test(&mut self, value: Expr, tests: &mut Vec<Expr>) -> Expr {
        let temp = self.temp();
        let assigned = build::assign(&temp, AssignOp::Assign, value, DUMMY_SP);
        let null = Expr::Lit(Lit::Null(deno_ast::swc::ast::Null { span: DUMMY_SP }));
        tests.push(build::binary(BinaryOp::EqEq, assigned, null, DUMMY_SP));
        temp.into()
    }

    // -- writes -----------------------------------------------------------------------------------------------

    fn assign_expr(&mut self, mut assign: AssignExpr) -> Expr {
        let AssignExpr { span, op, .. } = assign;
        match assign.left {
            AssignTarget::Simple(SimpleAssignTarget::Ident(name)) => {
                assign.right.visit_mut_with(self);
                self.assign_variable(name.id, op, *assign.right, span)
            }
            AssignTarget::Simple(SimpleAssignTarget::Member(member)) if !is_private(&member) => {
                self.assign_member(member, op, *assign.right, span)
            }
            AssignTarget::Simple(SimpleAssignTarget::Paren(paren)) => {
                let left = AssignTarget::try_from(Box::new(*paren.expr));
                match left {
                    Ok(left) => self.assign_expr(AssignExpr { left, ..assign }),
                    Err(expr) => {
                        self.fail("this cannot be assigned to", span.lo);
                        *expr
                    }
                }
            }
            AssignTarget::Pat(pat) if op == AssignOp::Assign => self.assign_pattern(pat, *assign.right, span),
            left => {
                assign.left = left;
                assign.visit_mut_children_with(self);
                assign.into()
            }
        }
    }

    fn assign_variable(&mut self, name: Ident, op: AssignOp, value: Expr, span: Span) -> Expr {
        if self.is_constant(&name) {
            let text = build::string(name.sym);
            return build::sequence(vec![value, self.call(span, "constant", vec![text])], span);
        }
        if self.bindings.is_global(&name) {
            let text = build::string(name.sym.clone());
            let assigned = build::assign(&name, op, value, span);
            return self.call(span, "wroteGlobal", vec![text, assigned]);
        }
        match logical(op) {
            Some(test) => {
                let assigned = build::assign(&name, AssignOp::Assign, value, span);
                let wrote = self.wrote(&name, assigned, span);
                build::binary(test, name.into(), wrote, span)
            }
            None => {
                let assigned = build::assign(&name, op, value, span);
                self.wrote(&name, assigned, span)
            }
        }
    }

    fn assign_member(&mut self, member: MemberExpr, op: AssignOp, mut value: Expr, span: Span) -> Expr {
        if op == AssignOp::Assign {
            let mut object = *member.obj;
            object.visit_mut_with(self);
            let key = self.key(member.prop).unwrap_or_else(|_| build::undefined());
            value.visit_mut_with(self);
            return self.call(span, "set", vec![object, key, value]);
        }
        // The object and the key are needed twice, and evaluated once.
        let (object, again) = match *member.obj {
            object @ Expr::This(_) => (object.clone(), object),
            mut object => {
                object.visit_mut_with(self);
                let temp = self.temp();
                (build::assign(&temp, AssignOp::Assign, object, span), temp.into())
            }
        };
        let (key, key_again) = match self.key(member.prop).unwrap_or_else(|_| build::undefined()) {
            key @ Expr::Lit(_) => (key.clone(), key),
            key => {
                let temp = self.temp();
                (build::assign(&temp, AssignOp::Assign, key, span), temp.into())
            }
        };
        value.visit_mut_with(self);
        if let Some(test) = logical(op) {
            let now = build::item(object, key);
            let set = self.call(span, "set", vec![again, key_again, value]);
            return build::binary(test, now, set, span);
        }
        let operator = op.to_update().expect("every other assignment has an operator");
        let next = build::binary(operator, build::item(again, key_again), value, span);
        self.call(span, "set", vec![object, key, next])
    }

    /// `[a, b.c] = value`: done by the language, with temporary variables in place of properties, and then told.
    fn assign_pattern(&mut self, mut pat: AssignTargetPat, mut value: Expr, span: Span) -> Expr {
        value.visit_mut_with(self);
        let whole = self.temp();
        let mut targets = Targets { compiler: self, cells: Vec::new(), after: Vec::new() };
        match &mut pat {
            AssignTargetPat::Array(pat) => pat.visit_mut_with(&mut targets),
            AssignTargetPat::Object(pat) => pat.visit_mut_with(&mut targets),
            AssignTargetPat::Invalid(_) => {}
        }
        let Targets { cells, after, .. } = targets;
        let taken = build::assign_to(AssignTarget::Pat(pat), AssignOp::Assign, whole.clone().into(), span);
        let mut steps = vec![build::assign(&whole, AssignOp::Assign, value, span), taken];
        if !cells.is_empty() {
            steps.push(self.call(span, "wroteAll", cells));
        }
        steps.extend(after);
        steps.push(whole.into());
        build::sequence(steps, span)
    }

    fn update(&mut self, mut update: UpdateExpr) -> Expr {
        let span = update.span;
        match *update.arg {
            Expr::Ident(name) if self.is_constant(&name) => {
                let text = build::string(name.sym);
                self.call(span, "constant", vec![text])
            }
            Expr::Ident(name) => {
                let is_global = self.bindings.is_global(&name);
                let updated = Expr::Update(UpdateExpr { arg: Box::new(name.clone().into()), ..update });
                if is_global {
                    let text = build::string(name.sym);
                    return self.call(span, "wroteGlobal", vec![text, updated]);
                }
                self.wrote(&name, updated, span)
            }
            Expr::Member(member) if !is_private(&member) => {
                let mut object = *member.obj;
                object.visit_mut_with(self);
                let key = self.key(member.prop).unwrap_or_else(|_| build::undefined());
                let method = match (update.op, update.prefix) {
                    (UpdateOp::PlusPlus, true) => "increment",
                    (UpdateOp::PlusPlus, false) => "incrementLater",
                    (UpdateOp::MinusMinus, true) => "decrement",
                    (UpdateOp::MinusMinus, false) => "decrementLater",
                };
                self.call(span, method, vec![object, key])
            }
            Expr::Paren(paren) => self.update(UpdateExpr { arg: paren.expr, ..update }),
            mut other => {
                other.visit_mut_children_with(self);
                update.arg = Box::new(other);
                update.into()
            }
        }
    }

    fn unary(&mut self, mut unary: UnaryExpr) -> Expr {
        let span = unary.span;
        match (unary.op, *unary.arg) {
            (UnaryOp::Delete, Expr::Member(member)) if !is_private(&member) => {
                let mut object = *member.obj;
                object.visit_mut_with(self);
                let key = self.key(member.prop).unwrap_or_else(|_| build::undefined());
                self.call(span, "delete", vec![object, key])
            }
            (UnaryOp::Delete, Expr::OptChain(OptChainExpr { optional, base, span: chain })) => match *base {
                OptChainBase::Member(member) => {
                    let mut tests = Vec::new();
                    let object = self.tested(*member.obj, optional, &mut tests);
                    let key = self.key(member.prop).unwrap_or_else(|_| build::undefined());
                    let deleted = self.call(span, "delete", vec![object, key]);
                    guarded(tests, Expr::Lit(Lit::Bool(true.into())), deleted)
                }
                base => {
                    let chain = OptChainExpr { optional, base: Box::new(base), span: chain };
                    unary.arg = Box::new(self.opt_chain(chain));
                    unary.into()
                }
            },
            // `typeof` asks for names that may not exist.
            (UnaryOp::TypeOf, Expr::Ident(name)) if self.bindings.is_global(&name) => {
                unary.arg = Box::new(name.into());
                unary.into()
            }
            (_, mut arg) => {
                arg.visit_mut_with(self);
                unary.arg = Box::new(arg);
                unary.into()
            }
        }
    }

    /// What is spread in live code is read whole.
    fn spread(&mut self, expr: &mut Expr) {
        expr.visit_mut_with(self);
        if self.is_live {
            let value = std::mem::replace(expr, build::undefined());
            *expr = self.call(DUMMY_SP, "all", vec![value]);
        }
    }

    // -- functions --------------------------------------------------------------------------------------------

    /// A function that is not live: its statements stay as they are.
    fn plain_body(&mut self, params: &[Id], body: &mut BlockStmt) {
        self.open(true);
        params.iter().for_each(|id| self.declare(id));
        self.within(false, |compiler| {
            compiler.declare_functions(&body.stmts);
            body.stmts.visit_mut_with(compiler);
        });
        let declarations = self.close();
        insert(&mut body.stmts, declarations);
    }

    /// Function and class names are known before anything of their block is visited, and so are all others.
    pub(super) fn declare_functions(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            match stmt {
                Stmt::Decl(deno_ast::swc::ast::Decl::Fn(decl)) => self.declare(&decl.ident.to_id()),
                Stmt::Decl(deno_ast::swc::ast::Decl::Class(decl)) => self.declare(&decl.ident.to_id()),
                Stmt::Decl(deno_ast::swc::ast::Decl::Var(decl)) if decl.kind != VarDeclKind::Var => {
                    let ids: Vec<_> = decl.decls.iter().flat_map(|decl| names(&decl.name)).collect();
                    ids.iter().for_each(|id| self.declare(id));
                }
                _ => {}
            }
        }
    }

    fn declare_exported(&mut self, items: &[ModuleItem]) {
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

    /// The body of a live function: a program that the runtime runs.
    fn live_body(
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
        body.push(build::give(build::call(span, &self.runtime, run, vec![program]), span));
        body
    }
}

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
        let taken = std::mem::replace(expr, Expr::Invalid(deno_ast::swc::ast::Invalid { span: DUMMY_SP }));
        *expr = match taken {
            Expr::Ident(ident) => self.ident(ident),
            Expr::Member(member) => self.member(member),
            Expr::OptChain(chain) => self.opt_chain(chain),
            Expr::Call(call) => self.call_expr(call),
            Expr::Assign(assign) => self.assign_expr(assign),
            Expr::Update(update) => self.update(update),
            Expr::Unary(unary) => self.unary(unary),
            mut other => {
                other.visit_mut_children_with(self);
                other
            }
        };
    }

    fn visit_mut_tagged_tpl(&mut self, template: &mut TaggedTpl) {
        // A tag keeps its `this`.
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

    fn visit_mut_spread_element(&mut self, spread: &mut deno_ast::swc::ast::SpreadElement) {
        self.spread(&mut spread.expr);
    }

    fn visit_mut_function(&mut self, function: &mut Function) {
        let is_live = function_at(function).is_some_and(|at| self.functions.contains(&at));
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
        let is_live = self.functions.contains(&arrow_at(arrow));
        if is_live {
            let span = arrow.span;
            let stmts = match std::mem::take(&mut *arrow.body) {
                BlockStmtOrExpr::BlockStmt(body) => body.stmts,
                BlockStmtOrExpr::Expr(expr) => vec![build::give(*expr, span)],
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
                    stmts.push(build::give(value, DUMMY_SP));
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

    fn visit_mut_constructor(&mut self, constructor: &mut deno_ast::swc::ast::Constructor) {
        self.within(false, |compiler| constructor.params.visit_mut_with(compiler));
        if let Some(body) = &mut constructor.body {
            self.plain_body(&[], body);
        }
    }

    fn visit_mut_getter_prop(&mut self, getter: &mut deno_ast::swc::ast::GetterProp) {
        getter.key.visit_mut_with(self);
        if let Some(body) = &mut getter.body {
            self.plain_body(&[], body);
        }
    }

    fn visit_mut_setter_prop(&mut self, setter: &mut deno_ast::swc::ast::SetterProp) {
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

/// Puts declarations before the statements, after directives.
fn insert(stmts: &mut Vec<Stmt>, declarations: Vec<Stmt>) {
    let is_directive =
        |stmt: &&Stmt| matches!(stmt, Stmt::Expr(stmt) if matches!(&*stmt.expr, Expr::Lit(Lit::Str(_))));
    let at = stmts.iter().take_while(is_directive).count();
    stmts.splice(at..at, declarations);
}

/// `value`, unless one of the tests says that what stands before a `?.` is nothing.
fn guarded(tests: Vec<Expr>, otherwise: Expr, value: Expr) -> Expr {
    tests.into_iter().rfold(value, |value, test| build::cond(test, otherwise.clone(), value))
}

fn is_private(member: &MemberExpr) -> bool {
    matches!(member.prop, MemberProp::PrivateName(_))
}

/// The test of an assignment that happens only sometimes.
fn logical(op: AssignOp) -> Option<BinaryOp> {
    match op {
        AssignOp::AndAssign => Some(BinaryOp::LogicalAnd),
        AssignOp::OrAssign => Some(BinaryOp::LogicalOr),
        AssignOp::NullishAssign => Some(BinaryOp::NullishCoalescing),
        _ => None,
    }
}

/// The targets of a destructuring assignment: variables are told after it, properties are set after it.
struct Targets<'c, 'a> {
    compiler: &'c mut Compiler<'a>,
    cells: Vec<Expr>,
    after: Vec<Expr>,
}

impl VisitMut for Targets<'_, '_> {
    fn visit_mut_pat(&mut self, pat: &mut Pat) {
        match pat {
            Pat::Ident(name) => self.name(&name.id.clone()),
            Pat::Expr(expr) => {
                let target = std::mem::replace(&mut **expr, build::undefined());
                let temp = self.compiler.temp();
                *pat = Pat::from(temp.clone());
                let set = match AssignTarget::try_from(Box::new(target)) {
                    Ok(left) => build::assign_to(left, AssignOp::Assign, temp.into(), DUMMY_SP),
                    Err(expr) => *expr,
                };
                let mut set = set;
                set.visit_mut_with(self.compiler);
                self.after.push(set);
            }
            _ => pat.visit_mut_children_with(self),
        }
    }

    fn visit_mut_assign_pat_prop(&mut self, prop: &mut deno_ast::swc::ast::AssignPatProp) {
        self.name(&prop.key.id.clone());
        prop.value.visit_mut_with(self);
    }

    fn visit_mut_expr(&mut self, expr: &mut Expr) {
        expr.visit_mut_with(self.compiler);
    }
}

impl Targets<'_, '_> {
    fn name(&mut self, name: &Ident) {
        self.cells.extend(self.compiler.cell(name).map(Expr::from));
    }
}

/// Whether a name that begins with the prefix occurs.
struct Prefixed<'p> {
    prefix: &'p str,
    found: bool,
}

impl Prefixed<'_> {
    fn is_used(module: &Module, prefix: &str) -> bool {
        let mut search = Prefixed { prefix, found: false };
        module.visit_with(&mut search);
        search.found
    }
}

impl Visit for Prefixed<'_> {
    fn visit_ident(&mut self, ident: &Ident) {
        self.found |= ident.sym.starts_with(self.prefix);
    }
}

/// Whether a chain calls a method that may change something.
struct Mutates<'c, 'a> {
    compiler: &'c Compiler<'a>,
    found: bool,
}

impl Mutates<'_, '_> {
    fn any(chain: &OptChainExpr, compiler: &Compiler) -> bool {
        let mut search = Mutates { compiler, found: false };
        chain.visit_with(&mut search);
        search.found
    }
}

impl Visit for Mutates<'_, '_> {
    fn visit_member_expr(&mut self, member: &MemberExpr) {
        self.found |= self.compiler.is_method_of_interest(member);
        member.visit_children_with(self);
    }

    fn visit_function(&mut self, _: &Function) {}

    fn visit_arrow_expr(&mut self, _: &ArrowExpr) {}
}

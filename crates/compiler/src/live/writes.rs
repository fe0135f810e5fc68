//! Assignments, updates and deletions. In the whole module they are calls of the runtime, which runs the effects that
//! have read what changes.

use deno_ast::swc::ast::{
    AssignExpr, AssignOp, AssignPatProp, AssignTarget, AssignTargetPat, BinaryOp, Expr, Ident, Lit,
    MemberExpr, MemberProp, OptChainBase, OptChainExpr, Pat, SimpleAssignTarget, UnaryExpr, UnaryOp,
    UpdateExpr, UpdateOp,
};
use deno_ast::swc::common::{DUMMY_SP, Span};
use deno_ast::swc::ecma_visit::{VisitMut, VisitMutWith};

use super::build;
use super::compiler::Compiler;
use super::expressions::guarded;

impl Compiler<'_> {
    pub(super) fn assign_expr(&mut self, mut assign: AssignExpr) -> Expr {
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
        if self.is_global(&name) {
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

    /// `[a, b.c] = value`: the language assigns, with temporary variables in place of properties. Then the cells are
    /// notified, and the properties are set.
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

    pub(super) fn update(&mut self, mut update: UpdateExpr) -> Expr {
        let span = update.span;
        match *update.arg {
            Expr::Ident(name) if self.is_constant(&name) => {
                let text = build::string(name.sym);
                self.call(span, "constant", vec![text])
            }
            Expr::Ident(name) => {
                let is_global = self.is_global(&name);
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

    pub(super) fn unary(&mut self, mut unary: UnaryExpr) -> Expr {
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
            (UnaryOp::TypeOf, Expr::Ident(name)) if self.is_global(&name) => {
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
}

fn is_private(member: &MemberExpr) -> bool {
    matches!(member.prop, MemberProp::PrivateName(_))
}

/// The operator that decides whether `&&=`, `||=` or `??=` assigns.
fn logical(op: AssignOp) -> Option<BinaryOp> {
    match op {
        AssignOp::AndAssign => Some(BinaryOp::LogicalAnd),
        AssignOp::OrAssign => Some(BinaryOp::LogicalOr),
        AssignOp::NullishAssign => Some(BinaryOp::NullishCoalescing),
        _ => None,
    }
}

/// Replaces the properties among the targets of a destructuring assignment by temporary variables.
struct Targets<'c, 'a> {
    compiler: &'c mut Compiler<'a>,
    /// The cells of the variables that are assigned.
    cells: Vec<Expr>,
    /// Assigns the temporary variables to the properties.
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
                let mut set = match AssignTarget::try_from(Box::new(target)) {
                    Ok(left) => build::assign_to(left, AssignOp::Assign, temp.into(), DUMMY_SP),
                    Err(expr) => *expr,
                };
                set.visit_mut_with(self.compiler);
                self.after.push(set);
            }
            _ => pat.visit_mut_children_with(self),
        }
    }

    fn visit_mut_assign_pat_prop(&mut self, prop: &mut AssignPatProp) {
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

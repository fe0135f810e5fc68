//! Reads and calls. Live code reads variables and properties through its effect, which runs it again when they change;
//! all code calls methods that may change an object through the runtime.

use deno_ast::swc::ast::{
    ArrowExpr, AssignOp, BinaryOp, CallExpr, Callee, Expr, ExprOrSpread, Function, Ident, Lit, MemberExpr,
    MemberProp, Null, OptCall, OptChainBase, OptChainExpr,
};
use deno_ast::swc::common::{DUMMY_SP, Span};
use deno_ast::swc::ecma_visit::{Visit, VisitMutWith, VisitWith};

use super::build;
use super::compiler::Compiler;

/// Methods that change what they are called on.
const MUTATORS: [&str; 9] =
    ["copyWithin", "fill", "pop", "push", "reverse", "shift", "sort", "splice", "unshift"];

/// Methods of `Object` and `Reflect` that change their first argument.
const STATIC_MUTATORS: [&str; 6] =
    ["assign", "defineProperties", "defineProperty", "deleteProperty", "set", "setPrototypeOf"];

/// Names of values that cannot change.
const CONSTANT: [&str; 5] = ["Infinity", "NaN", "arguments", "globalThis", "undefined"];

impl Compiler<'_> {
    pub(super) fn ident(&mut self, ident: Ident) -> Expr {
        if !self.is_live {
            return ident.into();
        }
        if let Some(cell) = self.cell(&ident) {
            return self.call(ident.span, "read", vec![cell.into(), ident.into()]);
        }
        if self.is_global(&ident) && !CONSTANT.contains(&ident.sym.as_str()) {
            let name = build::string(ident.sym.clone());
            return self.call(ident.span, "global", vec![name, ident.into()]);
        }
        ident.into()
    }

    /// The compiled key of a member, or a private name as it is.
    pub(super) fn key(&mut self, prop: MemberProp) -> Result<Expr, MemberProp> {
        match prop {
            MemberProp::Ident(name) => Ok(build::string(name.sym)),
            MemberProp::Computed(mut computed) => {
                computed.expr.visit_mut_with(self);
                Ok(*computed.expr)
            }
            private @ MemberProp::PrivateName(_) => Err(private),
        }
    }

    pub(super) fn member(&mut self, mut member: MemberExpr) -> Expr {
        member.obj.visit_mut_with(self);
        if !self.is_live {
            member.prop.visit_mut_with(self);
            return member.into();
        }
        self.get(member.span, *member.obj, member.prop)
    }

    /// A property of an object that was compiled already.
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

    pub(super) fn call_expr(&mut self, mut call: CallExpr) -> Expr {
        let Callee::Expr(callee) = &mut call.callee else {
            call.visit_mut_children_with(self);
            return call.into();
        };
        match &mut **callee {
            Expr::Ident(name) if self.is_global(name) => call.args.visit_mut_with(self),
            Expr::Member(member) if self.is_tracked_method(member) => {
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
        matches!(object, Expr::Ident(name) if self.is_global(name))
    }

    /// Whether a call of this method may change its object or first argument or, in live code, read its object.
    fn is_tracked_method(&self, member: &MemberExpr) -> bool {
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

    /// An optional chain: each `?.` becomes a test of the value before it.
    pub(super) fn opt_chain(&mut self, chain: OptChainExpr) -> Expr {
        if !self.is_live && !Mutates::any(&chain, self) {
            let mut chain = chain;
            chain.visit_mut_children_with(self);
            return chain.into();
        }
        let mut tests = Vec::new();
        let value = self.link(Expr::OptChain(chain), &mut tests);
        guarded(tests, build::undefined(), value)
    }

    /// One link of a chain. Adds the tests that can end the chain before it.
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

    /// The value before a `?.`, which is tested, or before a `.`.
    pub(super) fn tested(&mut self, expr: Expr, optional: bool, tests: &mut Vec<Expr>) -> Expr {
        let value = self.link(expr, tests);
        if optional { self.test(value, tests) } else { value }
    }

    fn test(&mut self, value: Expr, tests: &mut Vec<Expr>) -> Expr {
        let temp = self.temp();
        let assigned = build::assign(&temp, AssignOp::Assign, value, DUMMY_SP);
        let null = Expr::Lit(Lit::Null(Null { span: DUMMY_SP }));
        tests.push(build::binary(BinaryOp::EqEq, assigned, null, DUMMY_SP));
        temp.into()
    }

    /// A value that is spread. Live code reads all of its items.
    pub(super) fn spread(&mut self, expr: &mut Expr) {
        expr.visit_mut_with(self);
        if self.is_live {
            let value = std::mem::replace(expr, build::undefined());
            *expr = self.call(DUMMY_SP, "all", vec![value]);
        }
    }
}

/// `value`, or `otherwise` where one of the tests finds null or undefined before a `?.`.
pub(super) fn guarded(tests: Vec<Expr>, otherwise: Expr, value: Expr) -> Expr {
    tests.into_iter().rfold(value, |value, test| build::conditional(test, otherwise.clone(), value))
}

/// Looks for a method in a chain that may change its object.
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
        self.found |= self.compiler.is_tracked_method(member);
        member.visit_children_with(self);
    }

    fn visit_function(&mut self, _: &Function) {}

    fn visit_arrow_expr(&mut self, _: &ArrowExpr) {}
}

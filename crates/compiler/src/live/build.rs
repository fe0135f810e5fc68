//! Pieces of syntax tree.

use deno_ast::swc::ast::{
    ArrayLit, ArrowExpr, AssignExpr, AssignOp, AssignTarget, BindingIdent, BlockStmt, BlockStmtOrExpr,
    CallExpr, Callee, ComputedPropName, CondExpr, Expr, ExprOrSpread, ExprStmt, Ident, IdentName, Lit,
    MemberExpr, MemberProp, Number, Pat, ReturnStmt, SimpleAssignTarget, Stmt, VarDecl, VarDeclKind,
    VarDeclarator,
};
use deno_ast::swc::atoms::Atom;
use deno_ast::swc::common::{DUMMY_SP, Span, SyntaxContext};

pub(super) fn ident(name: impl Into<Atom>) -> Ident {
    Ident::new_no_ctxt(name.into(), DUMMY_SP)
}

pub(super) fn string(text: impl Into<Atom>) -> Expr {
    Expr::Lit(Lit::Str(text.into().into()))
}

pub(super) fn number(value: usize) -> Expr {
    Expr::Lit(Lit::Num(Number { span: DUMMY_SP, value: value as f64, raw: None }))
}

pub(super) fn undefined() -> Expr {
    // The name `undefined` could be a variable.
    Expr::Unary(deno_ast::swc::ast::UnaryExpr {
        span: DUMMY_SP,
        op: deno_ast::swc::ast::UnaryOp::Void,
        arg: Box::new(number(0)),
    })
}

pub(super) fn array(items: Vec<Expr>) -> Expr {
    list(items.into_iter().map(ExprOrSpread::from).collect())
}

pub(super) fn list(items: Vec<ExprOrSpread>) -> Expr {
    Expr::Array(ArrayLit { span: DUMMY_SP, elems: items.into_iter().map(Some).collect() })
}

pub(super) fn property(object: Expr, name: &str) -> Expr {
    let prop = MemberProp::Ident(IdentName::new(name.into(), DUMMY_SP));
    Expr::Member(MemberExpr { span: DUMMY_SP, obj: Box::new(object), prop })
}

pub(super) fn item(object: Expr, key: Expr) -> Expr {
    let prop = MemberProp::Computed(ComputedPropName { span: DUMMY_SP, expr: Box::new(key) });
    Expr::Member(MemberExpr { span: DUMMY_SP, obj: Box::new(object), prop })
}

/// `object.method(...arguments)`
pub(super) fn call(span: Span, object: &Ident, method: &str, arguments: Vec<Expr>) -> Expr {
    let callee = property(object.clone().into(), method);
    invoke(span, callee, arguments.into_iter().map(ExprOrSpread::from).collect())
}

pub(super) fn invoke(span: Span, callee: Expr, args: Vec<ExprOrSpread>) -> Expr {
    let callee = Callee::Expr(Box::new(callee));
    Expr::Call(CallExpr { span, ctxt: SyntaxContext::empty(), callee, args, type_args: None })
}

pub(super) fn assign(target: &Ident, op: AssignOp, value: Expr, span: Span) -> Expr {
    let target = SimpleAssignTarget::Ident(BindingIdent { id: target.clone(), type_ann: None });
    assign_to(AssignTarget::Simple(target), op, value, span)
}

pub(super) fn assign_to(left: AssignTarget, op: AssignOp, value: Expr, span: Span) -> Expr {
    Expr::Assign(AssignExpr { span, op, left, right: Box::new(value) })
}

pub(super) fn conditional(test: Expr, cons: Expr, alt: Expr) -> Expr {
    Expr::Cond(CondExpr { span: DUMMY_SP, test: Box::new(test), cons: Box::new(cons), alt: Box::new(alt) })
}

pub(super) fn binary(op: deno_ast::swc::ast::BinaryOp, left: Expr, right: Expr, span: Span) -> Expr {
    Expr::Bin(deno_ast::swc::ast::BinExpr { span, op, left: Box::new(left), right: Box::new(right) })
}

pub(super) fn sequence(exprs: Vec<Expr>, span: Span) -> Expr {
    Expr::Seq(deno_ast::swc::ast::SeqExpr { span, exprs: exprs.into_iter().map(Box::new).collect() })
}

pub(super) fn arrow(params: Vec<Ident>, stmts: Vec<Stmt>, is_async: bool) -> Expr {
    Expr::Arrow(ArrowExpr {
        params: params.into_iter().map(Pat::from).collect(),
        body: Box::new(BlockStmtOrExpr::BlockStmt(block(stmts))),
        is_async,
        ..ArrowExpr::default()
    })
}

pub(super) fn block(stmts: Vec<Stmt>) -> BlockStmt {
    BlockStmt { stmts, ..BlockStmt::default() }
}

pub(super) fn statement(expr: Expr, span: Span) -> Stmt {
    Stmt::Expr(ExprStmt { span, expr: Box::new(expr) })
}

pub(super) fn return_statement(expr: Expr, span: Span) -> Stmt {
    Stmt::Return(ReturnStmt { span, arg: Some(Box::new(expr)) })
}

/// `let a, b;`
pub(super) fn variables(names: Vec<Ident>) -> Option<Stmt> {
    let decls: Vec<_> = names.into_iter().map(|name| (name, None)).collect();
    if decls.is_empty() { None } else { Some(declaration(VarDeclKind::Let, decls)) }
}

pub(super) fn declaration(kind: VarDeclKind, decls: Vec<(Ident, Option<Expr>)>) -> Stmt {
    let declarator = |(name, init): (Ident, Option<Expr>)| VarDeclarator {
        span: DUMMY_SP,
        name: Pat::from(name),
        init: init.map(Box::new),
        definite: false,
    };
    let decls = decls.into_iter().map(declarator).collect();
    VarDecl { kind, decls, ..VarDecl::default() }.into()
}

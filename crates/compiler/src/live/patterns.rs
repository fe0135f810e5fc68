//! Splits destructuring into one assignment for each variable, so that only the affected variable is assigned again
//! after a change.

use deno_ast::swc::ast::{AssignOp, BinaryOp, Expr, Ident, ObjectPatProp, Pat, PropName, RestPat};
use deno_ast::swc::common::{DUMMY_SP, Span, Spanned};
use deno_ast::swc::ecma_visit::VisitMutWith;

use super::build;
use super::compiler::Compiler;

/// The assignment of one variable, not yet compiled.
pub(super) struct Assignment {
    pub target: Ident,
    pub value: Expr,
    pub default: Option<Expr>,
    pub kind: Extraction,
    pub span: Span,
}

/// What a variable gets of a value.
pub(super) enum Extraction {
    Whole,
    /// The first items of an iterable.
    Items(usize),
    /// The rest of an object or an array, without these keys.
    Rest {
        except: Vec<Expr>,
        of_array: bool,
    },
}

impl Compiler<'_> {
    /// Splits a declaration.
    pub(super) fn destructure(&mut self, pat: Pat, value: Expr, span: Span, out: &mut Vec<Assignment>) {
        self.destructure_into(pat, value, None, span, out);
    }

    fn destructure_into(
        &mut self,
        pat: Pat,
        value: Expr,
        default: Option<Expr>,
        span: Span,
        out: &mut Vec<Assignment>,
    ) {
        let mut add = |target, kind| {
            out.push(Assignment { target, value: value.clone(), default: default.clone(), kind, span })
        };
        match pat {
            Pat::Ident(name) => add(name.id, Extraction::Whole),
            Pat::Assign(assign) => self.destructure_into(*assign.left, value, Some(*assign.right), span, out),
            Pat::Array(array) => {
                let whole = self.tracked_name();
                let has_rest = matches!(array.elems.last(), Some(Some(Pat::Rest(_))));
                let count = if has_rest { usize::MAX } else { array.elems.len() };
                add(whole.clone(), Extraction::Items(count));
                for (index, pat) in array.elems.into_iter().enumerate() {
                    let Some(pat) = pat else { continue };
                    let span = pat.span();
                    if let Pat::Rest(rest) = pat {
                        let except = (0..index).map(build::number).collect();
                        self.destructure_rest(rest, &whole, except, true, out);
                    } else {
                        let item = build::item(whole.clone().into(), build::number(index));
                        self.destructure_into(pat, item, None, span, out);
                    }
                }
            }
            Pat::Object(object) => {
                let whole = self.tracked_name();
                add(whole.clone(), Extraction::Whole);
                let mut keys = Vec::new();
                for prop in object.props {
                    match prop {
                        ObjectPatProp::Assign(prop) => {
                            keys.push(build::string(prop.key.sym.clone()));
                            let mut value = build::property(whole.clone().into(), &prop.key.sym);
                            set_span(&mut value, prop.span);
                            let default = prop.value.map(|value| *value);
                            self.destructure_into(Pat::Ident(prop.key), value, default, prop.span, out);
                        }
                        ObjectPatProp::KeyValue(prop) => {
                            let key = key_of(prop.key);
                            keys.push(key.clone());
                            let span = prop.value.span();
                            let value = build::item(whole.clone().into(), key);
                            self.destructure_into(*prop.value, value, None, span, out);
                        }
                        ObjectPatProp::Rest(rest) => {
                            self.destructure_rest(rest, &whole, std::mem::take(&mut keys), false, out);
                        }
                    }
                }
            }
            Pat::Rest(_) | Pat::Expr(_) | Pat::Invalid(_) => self.fail("this cannot be declared", span.lo),
        }
    }

    fn destructure_rest(
        &mut self,
        rest: RestPat,
        whole: &Ident,
        except: Vec<Expr>,
        of_array: bool,
        out: &mut Vec<Assignment>,
    ) {
        let span = rest.span;
        let kind = Extraction::Rest { except, of_array };
        let value = Expr::from(whole.clone());
        match *rest.arg {
            Pat::Ident(name) => out.push(Assignment { target: name.id, value, default: None, kind, span }),
            pat => {
                let name = self.tracked_name();
                out.push(Assignment { target: name.clone(), value, default: None, kind, span });
                self.destructure_into(pat, name.into(), None, span, out);
            }
        }
    }

    /// Moves the default value and the parts of a live function's parameter into declarations, which run again after
    /// a change of what they depend on.
    pub(super) fn parameter(&mut self, pat: &mut Pat, out: &mut Vec<(Pat, Expr)>) {
        let place = match pat {
            Pat::Ident(_) => return,
            Pat::Rest(rest) if matches!(*rest.arg, Pat::Ident(_)) => return,
            Pat::Rest(rest) => &mut *rest.arg,
            pat => pat,
        };
        let name = self.name();
        let is_optional = matches!(place, Pat::Assign(_));
        let passed = Pat::from(name.clone());
        let replaced = std::mem::replace(place, passed);
        if is_optional {
            // `length` counts the parameters before the first with a default value.
            let left = Box::new(Pat::from(name.clone()));
            let right = Box::new(build::undefined());
            *place = Pat::Assign(deno_ast::swc::ast::AssignPat { span: DUMMY_SP, left, right });
        }
        out.push((replaced, name.into()));
    }

    /// The compiled assignment.
    pub(super) fn assignment(&mut self, assignment: Assignment) -> Expr {
        let Assignment { target, mut value, default, kind, span } = assignment;
        value.visit_mut_with(self);
        if let Some(mut default) = default {
            default.visit_mut_with(self);
            let temp = self.temp();
            let given = build::assign(&temp, AssignOp::Assign, value, span);
            let is_missing = build::binary(BinaryOp::EqEqEq, given, build::undefined(), DUMMY_SP);
            value = build::conditional(is_missing, default, temp.into());
        }
        let value = match kind {
            Extraction::Whole => value,
            Extraction::Items(usize::MAX) => self.call(span, "items", vec![value]),
            Extraction::Items(count) => self.call(span, "items", vec![value, build::number(count)]),
            Extraction::Rest { mut except, of_array } => {
                except.iter_mut().for_each(|key| key.visit_mut_with(self));
                let method = if of_array { "restOfArray" } else { "restOfObject" };
                self.call(span, method, vec![value, build::array(except)])
            }
        };
        let assigned = build::assign(&target, AssignOp::Assign, value, span);
        self.wrote(&target, assigned, span)
    }
}

fn key_of(name: PropName) -> Expr {
    match name {
        PropName::Ident(name) => build::string(name.sym),
        PropName::Str(text) => Expr::Lit(text.into()),
        PropName::Num(number) => Expr::Lit(number.into()),
        PropName::BigInt(number) => Expr::Lit(number.into()),
        PropName::Computed(computed) => *computed.expr,
    }
}

fn set_span(expr: &mut Expr, span: Span) {
    if let Expr::Member(member) = expr {
        member.span = span;
    }
}

//! The names by which `runtime-js/` knows built-ins, as `runtime-js/00_primordials.js` captures them.
//!
//! Pages run some of the same files and need no captured built-ins: for them [`Plain`] gives `list.push(item)` back for
//! `ArrayPrototypePush(list, item)`. A test of this file keeps the host's scripts from using anything but captured ones.

use std::collections::HashSet;
use std::sync::LazyLock;

use deno_ast::swc::ast::{
    ArrayPat, CallExpr, Callee, Expr, ExprOrSpread, Ident, IdentName, MemberExpr, MemberProp, NewExpr,
    ObjectPatProp, Pat, PropName,
};
use deno_ast::swc::common::{DUMMY_SP, Spanned as _};
use deno_ast::swc::ecma_visit::{VisitMut, VisitMutWith};

use crate::client::PRIMORDIALS;

/// Every word of the file, which holds all names that it exports.
static NAMES: LazyLock<HashSet<&str>> =
    LazyLock::new(|| PRIMORDIALS.split(|c: char| !c.is_alphanumeric() && c != '_').collect());

/// Objects whose functions are captured, longer names first.
const NAMESPACES: [&str; 13] = [
    "ArrayBuffer",
    "Array",
    "Date",
    "JSON",
    "Math",
    "Number",
    "Object",
    "Promise",
    "Reflect",
    "Response",
    "String",
    "Symbol",
    "URL",
];

/// Methods whose names look like those of getters.
const METHODS: [&str; 4] = ["Get", "GetReader", "GetSetCookie", "Set"];

/// What a captured name stands for.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// `Array.isArray`.
    Static(&'static str, String),
    /// `(list).push()`.
    Method(String),
    /// `(response).status`.
    Getter(String),
    /// `new Map()`.
    Class(String),
    /// What a loop takes the items of an array from.
    Items,
}

impl Meaning {
    fn of(name: &str) -> Option<Meaning> {
        if !NAMES.contains(name) {
            return None;
        }
        if name == "SafeArrayIterator" {
            return Some(Meaning::Items);
        }
        if let Some(class) = name.strip_prefix("Safe").filter(|class| starts_a_word(class)) {
            return Some(Meaning::Class(class.to_owned()));
        }
        if let Some((class, member)) = name.split_once("Prototype")
            && !class.is_empty()
            && starts_a_word(member)
        {
            let getter = member.strip_prefix("Get").filter(|_| !METHODS.contains(&member));
            return Some(match getter {
                Some(getter) => Meaning::Getter(uncapitalized(getter)),
                None => Meaning::Method(uncapitalized(member)),
            });
        }
        let is_class = ["ArrayBuffer", "URLSearchParams"].contains(&name);
        NAMESPACES.iter().filter(|_| !is_class).find_map(|namespace| {
            let member = name.strip_prefix(namespace).filter(|member| starts_a_word(member))?;
            Some(Meaning::Static(namespace, uncapitalized(member)))
        })
    }
}

fn starts_a_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
}

fn uncapitalized(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_ascii_lowercase() + rest
}

/// Writes captured built-ins as they are written without.
pub struct Plain;

impl VisitMut for Plain {
    fn visit_mut_expr(&mut self, expression: &mut Expr) {
        expression.visit_mut_children_with(self);
        let plain = match expression {
            Expr::Call(call) => self.call(call),
            Expr::New(new) => self.construction(new),
            Expr::Ident(name) => match Meaning::of(&name.sym) {
                Some(Meaning::Static(namespace, member)) => {
                    let namespace = Ident::new(namespace.into(), DUMMY_SP, Default::default());
                    Some(property(Box::new(namespace.into()), &member))
                }
                _ => None,
            },
            _ => None,
        };
        if let Some(plain) = plain {
            *expression = plain;
        }
    }

    /// `{ 0: a, 1: b }` becomes `[a, b]`.
    fn visit_mut_pat(&mut self, pattern: &mut Pat) {
        pattern.visit_mut_children_with(self);
        let Pat::Object(object) = pattern else { return };
        let mut elems = Vec::new();
        for property in &object.props {
            let ObjectPatProp::KeyValue(property) = property else { return };
            let PropName::Num(key) = &property.key else { return };
            while (elems.len() as f64) < key.value {
                elems.push(None);
            }
            elems.push(Some((*property.value).clone()));
        }
        if !elems.is_empty() {
            let span = object.span();
            *pattern = Pat::Array(ArrayPat { span, elems, optional: false, type_ann: None });
        }
    }
}

impl Plain {
    fn call(&self, call: &mut CallExpr) -> Option<Expr> {
        let Callee::Expr(callee) = &call.callee else { return None };
        let Expr::Ident(name) = &**callee else { return None };
        match Meaning::of(&name.sym)? {
            Meaning::Method(method) => {
                let receiver = call.args.remove(0).expr;
                call.callee = Callee::Expr(Box::new(property(receiver, &method)));
                None
            }
            Meaning::Getter(getter) => Some(property(call.args.remove(0).expr, &getter)),
            _ => None,
        }
    }

    fn construction(&self, new: &mut NewExpr) -> Option<Expr> {
        let Expr::Ident(name) = &mut *new.callee else { return None };
        match Meaning::of(&name.sym)? {
            Meaning::Class(class) => name.sym = class.into(),
            Meaning::Items => {
                let ExprOrSpread { expr, .. } = new.args.as_mut()?.remove(0);
                return Some(*expr);
            }
            _ => {}
        }
        // `new RegExp(/a/)` is `/a/`.
        let arguments = new.args.as_mut().filter(|_| name.sym == "RegExp")?;
        matches!(&*arguments.first()?.expr, Expr::Lit(_)).then(|| *arguments.remove(0).expr)
    }
}

/// `object.name`; what binds less tightly than the dot is put into parentheses when it is written out.
fn property(object: Box<Expr>, name: &str) -> Expr {
    let object = match *object {
        Expr::Ident(_) | Expr::Member(_) | Expr::Call(_) | Expr::This(_) => object,
        _ => Box::new(Expr::Paren(deno_ast::swc::ast::ParenExpr { span: DUMMY_SP, expr: object })),
    };
    let prop = MemberProp::Ident(IdentName::new(name.into(), DUMMY_SP));
    Expr::Member(MemberExpr { span: DUMMY_SP, obj: object, prop })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_they_name() {
        let meanings = [
            ("ArrayPrototypePush", Some(Meaning::Method("push".into()))),
            ("HeadersPrototypeGet", Some(Meaning::Method("get".into()))),
            ("ResponsePrototypeGetBodyUsed", Some(Meaning::Getter("bodyUsed".into()))),
            ("ArrayBufferIsView", Some(Meaning::Static("ArrayBuffer", "isView".into()))),
            ("ObjectPrototype", Some(Meaning::Static("Object", "prototype".into()))),
            ("SafeMap", Some(Meaning::Class("Map".into()))),
            ("ArrayBuffer", None),
            ("URLSearchParams", None),
            ("Response", None),
            ("StringPrototypeOfMine", None),
        ];
        for (name, meaning) in meanings {
            assert_eq!(Meaning::of(name), meaning, "{name}");
        }
    }
}

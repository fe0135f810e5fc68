//! The imports and exports of CommonJS modules.

use deno_ast::swc::ast::*;
use deno_ast::swc::common::Spanned;
use deno_ast::swc::ecma_visit::{Visit, VisitWith};
use deno_ast::{SourceRangedForSpanned as _, StartSourcePos};

use super::{Attribute, Export, Facts, Form, Import, Kind, Path};
use crate::common_js::{self, Exports};

pub(super) fn read(path: &Path, source: &str, exports: Exports) -> Facts {
    let unknown = || Export { at: 0, kind: Kind::Unknown };
    let mut facts = Facts { is_common_js: true, ..Facts::default() };
    facts.exports = exports.names.into_iter().map(|name| (name, unknown())).collect();
    if let Some(parsed) = common_js::parse(path, source) {
        let start = parsed.text_info_lazy().range().start;
        let mut reader = Reader { facts, is_whole: false, depth: 0, start };
        parsed.program().visit_with(&mut reader);
        let is_whole = reader.is_whole;
        facts = reader.facts;
        let kind = if is_whole { Kind::Unknown } else { Kind::Value };
        facts.exports.entry("default".to_owned()).or_insert(Export { at: 0, kind });
    }
    for import in &mut facts.imports {
        if exports.others.contains(&import.specifier) {
            import.form = Form::RequireStar;
        }
    }
    facts
}

struct Reader {
    facts: Facts,
    /// Whether the module exports one value that is no object literal.
    is_whole: bool,
    /// How many functions and `try` blocks are around.
    depth: u32,
    start: StartSourcePos,
}

impl Reader {
    fn at(&self, node: &impl Spanned) -> usize {
        node.range().as_byte_range(self.start).start
    }

    fn export(&mut self, name: String, at: usize, value: &Expr) {
        let kind = match value {
            Expr::Fn(_) | Expr::Arrow(_) => Kind::Function,
            Expr::Class(_) => Kind::Class,
            Expr::Lit(_) | Expr::Array(_) | Expr::Tpl(_) => Kind::Value,
            _ => Kind::Unknown,
        };
        self.facts.exports.insert(name, Export { at, kind });
    }

    fn export_all(&mut self, value: &Expr) {
        let Expr::Object(object) = value else {
            self.is_whole = true;
            return;
        };
        for prop in &object.props {
            let PropOrSpread::Prop(prop) = prop else { continue };
            let (name, value) = match &**prop {
                Prop::KeyValue(pair) => (&pair.key, Some(&*pair.value)),
                Prop::Method(method) => (&method.key, None),
                Prop::Shorthand(name) => {
                    let at = self.at(name);
                    self.facts.exports.insert(name.sym.to_string(), Export { at, kind: Kind::Unknown });
                    continue;
                }
                _ => continue,
            };
            let Some(text) = name_of(name) else { continue };
            let at = self.at(name);
            match value {
                Some(value) => self.export(text, at, value),
                None => drop(self.facts.exports.insert(text, Export { at, kind: Kind::Function })),
            }
        }
    }

    fn require(&mut self, literal: &Str) {
        let (specifier, at) = (literal.value.to_string_lossy().into_owned(), self.at(literal));
        let (names, attribute) = (Vec::new(), Attribute::None);
        self.facts.imports.push(Import { specifier, at, names, form: Form::Require, attribute });
    }

    fn deeper(&mut self, visit: impl FnOnce(&mut Reader)) {
        self.depth += 1;
        visit(self);
        self.depth -= 1;
    }
}

impl Visit for Reader {
    fn visit_assign_expr(&mut self, assignment: &AssignExpr) {
        if let AssignTarget::Simple(SimpleAssignTarget::Member(member)) = &assignment.left {
            if is_module_exports(member) {
                self.export_all(&assignment.right);
            } else if is_exports(&member.obj)
                && let MemberProp::Ident(name) = &member.prop
            {
                self.export(name.sym.to_string(), self.at(name), &assignment.right);
            }
        }
        assignment.visit_children_with(self);
    }

    fn visit_call_expr(&mut self, call: &CallExpr) {
        let first = call.args.first().map(|argument| &*argument.expr);
        if let (Callee::Expr(callee), Some(Expr::Lit(Lit::Str(literal))), 0) =
            (&call.callee, first, self.depth)
            && matches!(&**callee, Expr::Ident(name) if name.sym == *"require")
        {
            self.require(literal);
        }
        call.visit_children_with(self);
    }

    fn visit_ts_export_assignment(&mut self, export: &TsExportAssignment) {
        self.export_all(&export.expr);
        export.visit_children_with(self);
    }

    fn visit_ts_external_module_ref(&mut self, module: &TsExternalModuleRef) {
        self.require(&module.expr);
    }

    // Code in functions runs later, and code in a `try` may be prepared for what is missing.
    fn visit_function(&mut self, function: &Function) {
        self.deeper(|reader| function.visit_children_with(reader));
    }

    fn visit_arrow_expr(&mut self, function: &ArrowExpr) {
        self.deeper(|reader| function.visit_children_with(reader));
    }

    fn visit_try_stmt(&mut self, statement: &TryStmt) {
        self.deeper(|reader| statement.visit_children_with(reader));
    }

    fn visit_if_stmt(&mut self, statement: &IfStmt) {
        self.deeper(|reader| statement.visit_children_with(reader));
    }
}

fn name_of(name: &PropName) -> Option<String> {
    match name {
        PropName::Ident(name) => Some(name.sym.to_string()),
        PropName::Str(name) => Some(name.value.to_string_lossy().into_owned()),
        _ => None,
    }
}

/// `exports` or `module.exports`
fn is_exports(value: &Expr) -> bool {
    match value {
        Expr::Ident(name) => name.sym == *"exports",
        Expr::Member(member) => is_module_exports(member),
        _ => false,
    }
}

fn is_module_exports(member: &MemberExpr) -> bool {
    matches!(&*member.obj, Expr::Ident(name) if name.sym == *"module")
        && matches!(&member.prop, MemberProp::Ident(name) if name.sym == *"exports")
}

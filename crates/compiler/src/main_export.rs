//! What a module exports as a whole, as far as its text shows it: the default export, or `module.exports`.

use std::path::Path;

use deno_ast::swc::ast::{
    AssignTarget, CallExpr, Callee, Decl, DefaultDecl, ExportSpecifier, Expr, MemberExpr, MemberProp,
    ModuleDecl, ModuleExportName, ModuleItem, Pat, Program, SimpleAssignTarget, Stmt,
};
use deno_ast::swc::ecma_visit::{Visit, VisitWith};

use crate::common_js::{self, Declared};
use crate::transpile;

/// The main export of a module.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct MainExport {
    /// The names of its parameters if it is a function, empty where a parameter is a pattern.
    pub parameters: Option<Vec<String>>,
    /// The name of the function whose call makes it, if it is such a call.
    pub call: Option<String>,
    /// Whether the module calls a method `listen`.
    pub listens: bool,
}

/// Reads the main export of a module of a package that declares the kind of its files; `None` where the module cannot be
/// parsed.
pub fn read(path: &Path, source: &str, declared: Declared) -> Option<MainExport> {
    let parsed = match common_js::exports(path, source, declared) {
        Some(_) => common_js::parse(path, source)?,
        None => transpile::readable(path, source).ok()?,
    };
    let program = parsed.program();
    let items: Vec<ModuleItem> = match &*program {
        Program::Module(module) => module.body.clone(),
        Program::Script(script) => script.body.iter().cloned().map(ModuleItem::Stmt).collect(),
    };
    let mut found =
        items.iter().rev().find_map(main_of).map(|main| describe(&main, &items)).unwrap_or_default();
    let mut listens = Listens(false);
    program.visit_with(&mut listens);
    found.listens = listens.0;
    Some(found)
}

/// The expression that a statement makes the main export.
fn main_of(item: &ModuleItem) -> Option<Expr> {
    match item {
        ModuleItem::ModuleDecl(ModuleDecl::ExportDefaultExpr(default)) => Some(*default.expr.clone()),
        ModuleItem::ModuleDecl(ModuleDecl::ExportDefaultDecl(default)) => match &default.decl {
            DefaultDecl::Fn(function) => Some(Expr::Fn(function.clone())),
            _ => None,
        },
        ModuleItem::ModuleDecl(ModuleDecl::ExportNamed(list)) if list.src.is_none() => {
            list.specifiers.iter().find_map(|specifier| match specifier {
                ExportSpecifier::Named(named) => {
                    let is_default =
                        matches!(&named.exported, Some(ModuleExportName::Ident(name)) if name.sym == "default");
                    match &named.orig {
                        ModuleExportName::Ident(name) if is_default => Some(Expr::Ident(name.clone())),
                        _ => None,
                    }
                }
                _ => None,
            })
        }
        ModuleItem::Stmt(Stmt::Expr(statement)) => assigned(&statement.expr),
        _ => None,
    }
}

/// What `module.exports = ` assigns.
fn assigned(expr: &Expr) -> Option<Expr> {
    let Expr::Assign(assign) = expr else { return None };
    if let AssignTarget::Simple(SimpleAssignTarget::Member(member)) = &assign.left
        && is_module_exports(member)
    {
        return Some(match &*assign.right {
            // `module.exports = exports = ...`
            Expr::Assign(inner) => *inner.right.clone(),
            value => value.clone(),
        });
    }
    assigned(&assign.right)
}

fn is_module_exports(member: &MemberExpr) -> bool {
    let is_module = matches!(&*member.obj, Expr::Ident(name) if name.sym == "module");
    is_module && matches!(&member.prop, MemberProp::Ident(name) if name.sym == "exports")
}

fn describe(value: &Expr, items: &[ModuleItem]) -> MainExport {
    let function = |names: Vec<String>| MainExport { parameters: Some(names), ..MainExport::default() };
    match value {
        Expr::Fn(it) => function(it.function.params.iter().map(|param| name_of(&param.pat)).collect()),
        Expr::Arrow(it) => function(it.params.iter().map(name_of).collect()),
        Expr::Paren(inner) => describe(&inner.expr, items),
        Expr::TsAs(inner) => describe(&inner.expr, items),
        Expr::TsSatisfies(inner) => describe(&inner.expr, items),
        Expr::Call(CallExpr { callee: Callee::Expr(callee), .. }) => {
            let call = match &**callee {
                Expr::Ident(name) => Some(name.sym.to_string()),
                _ => None,
            };
            MainExport { call, ..MainExport::default() }
        }
        Expr::Ident(name) => {
            items.iter().find_map(|item| declared(item, &name.sym)).map_or_else(
                MainExport::default,
                |value| {
                    match value {
                        // A name for a name is not followed.
                        Expr::Ident(_) => MainExport::default(),
                        value => describe(&value, items),
                    }
                },
            )
        }
        _ => MainExport::default(),
    }
}

/// What a statement declares by a name.
fn declared(item: &ModuleItem, name: &str) -> Option<Expr> {
    let decl = match item {
        ModuleItem::Stmt(Stmt::Decl(decl)) => decl,
        ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) => &export.decl,
        _ => return None,
    };
    match decl {
        Decl::Fn(function) if function.ident.sym == *name => Some(Expr::Fn(deno_ast::swc::ast::FnExpr {
            ident: Some(function.ident.clone()),
            function: function.function.clone(),
        })),
        Decl::Var(vars) => vars.decls.iter().find_map(|var| match &var.name {
            Pat::Ident(ident) if ident.id.sym == *name => var.init.as_deref().cloned(),
            _ => None,
        }),
        _ => None,
    }
}

fn name_of(pattern: &Pat) -> String {
    match pattern {
        Pat::Ident(name) => name.id.sym.to_string(),
        Pat::Assign(assign) => name_of(&assign.left),
        _ => String::new(),
    }
}

struct Listens(bool);

impl Visit for Listens {
    fn visit_call_expr(&mut self, call: &CallExpr) {
        let callee = match &call.callee {
            Callee::Expr(callee) => callee.as_member(),
            _ => None,
        };
        self.0 |=
            callee.is_some_and(|it| matches!(&it.prop, MemberProp::Ident(name) if name.sym == "listen"));
        call.visit_children_with(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, source: &str) -> MainExport {
        read(Path::new(name), source, Declared::Nothing).expect("it parses")
    }

    #[test]
    fn parameters_of_either_kind_of_module() {
        let names = |names: &[&str]| Some(names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        for (file, source, expected) in [
            ("/a.mjs", "export default async function (fastify, opts) {}", names(&["fastify", "opts"])),
            ("/a.mjs", "const app = async (f, { a } = {}) => {}; export default app;", names(&["f", ""])),
            ("/a.mjs", "async function app(fastify) {} export { app as default };", names(&["fastify"])),
            ("/a.cjs", "module.exports = async function (fastify, opts) {}", names(&["fastify", "opts"])),
            (
                "/a.js",
                "'use strict'\nfunction app(i, o, done) {}\nmodule.exports = app",
                names(&["i", "o", "done"]),
            ),
            ("/a.mjs", "export const a = 1;", None),
        ] {
            assert_eq!(of(file, source).parameters, expected, "{source}");
        }
    }

    #[test]
    fn calls_and_servers() {
        assert_eq!(of("/a.mjs", "export default fp(async function (f) {})").call.as_deref(), Some("fp"));
        assert_eq!(of("/a.cjs", "module.exports = fp(plugin)").call.as_deref(), Some("fp"));
        assert!(of("/a.mjs", "import f from 'fastify'; await f().listen({ port: 3000 });").listens);
        assert!(!of("/a.mjs", "export default 1").listens);
    }
}

//! What the text of a module shows of its purpose: the shape of its default export, its exports, and the names that it
//! uses without declaring them. Dialects decide with it which files are handlers of theirs.

use std::collections::BTreeSet;
use std::path::Path;

use deno_ast::swc::ast::{
    ArrowExpr, AssignTarget, BindingIdent, CallExpr, Class, Decl, DefaultDecl, ExportSpecifier, Expr,
    Function, Ident, ImportDecl, ImportSpecifier, MemberProp, ModuleDecl, ModuleExportName, ModuleItem,
    ObjectLit, Param, Pat, Program, Prop, PropName, PropOrSpread, SimpleAssignTarget, Stmt,
};
use deno_ast::swc::ecma_visit::{Visit, VisitWith};

use crate::common_js::{self, Declared};
use crate::transpile;

/// The shape of one module.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The default export; `None` without one.
    pub default: Option<DefaultExport>,
    /// The names of all exports, without those that `export *` adds.
    pub exports: BTreeSet<String>,
    /// The names of exported classes.
    pub classes: BTreeSet<String>,
    /// The specifiers of static imports.
    pub imports: BTreeSet<String>,
    /// Names that the module uses and does not declare: globals.
    pub globals: BTreeSet<String>,
    /// Whether the module calls a method `listen`.
    pub listens: bool,
}

/// What a default export is, as far as the text shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultExport {
    /// A function with the names of its parameters, empty where a parameter is a pattern.
    Function(Vec<String>),
    /// An object with these keys.
    Object(Vec<String>),
    /// A class, with the name of the class that it extends.
    Class(Option<String>),
    /// A call of a function of this name.
    Call(String),
    /// Anything else, such as a name that another module declares.
    Other,
}

impl Shape {
    /// The shape of a module with this text; `None` where it cannot be parsed, or is CommonJS without exports.
    pub fn of(path: &Path, source: &str) -> Option<Shape> {
        let parsed = transpile::readable(path, source).ok()?;
        match &*parsed.program() {
            Program::Module(module) => Some(Reader::read(&module.body)),
            Program::Script(_) => Some(Shape::default()),
        }
    }

    /// The shape of a module of a package that declares the kind of its files: what a CommonJS one assigns to
    /// `module.exports` is its default export. `None` where it cannot be parsed.
    pub fn in_package(path: &Path, source: &str, declared: Declared) -> Option<Shape> {
        let parsed = match common_js::exports(path, source, declared) {
            Some(_) => common_js::parse(path, source)?,
            None => transpile::readable(path, source).ok()?,
        };
        Some(match &*parsed.program() {
            Program::Module(module) => Reader::read(&module.body),
            Program::Script(script) => {
                Reader::read(&script.body.iter().cloned().map(ModuleItem::Stmt).collect::<Vec<_>>())
            }
        })
    }

    /// The parameters of the default export, if it is a function.
    pub fn parameters(&self) -> Option<&[String]> {
        match &self.default {
            Some(DefaultExport::Function(parameters)) => Some(parameters),
            _ => None,
        }
    }

    /// The name of the function whose call makes the default export, if it is such a call.
    pub fn call(&self) -> Option<&str> {
        match &self.default {
            Some(DefaultExport::Call(name)) => Some(name),
            _ => None,
        }
    }

    /// Whether the default export is an object with this key.
    pub fn default_has(&self, key: &str) -> bool {
        matches!(&self.default, Some(DefaultExport::Object(keys)) if keys.iter().any(|it| it == key))
    }
}

#[derive(Default)]
struct Reader {
    shape: Shape,
    /// What names at the top stand for.
    locals: Vec<(String, DefaultExport)>,
    used: BTreeSet<String>,
    declared: BTreeSet<String>,
}

impl Reader {
    fn read(items: &[ModuleItem]) -> Shape {
        let mut reader = Reader::default();
        items.iter().for_each(|item| reader.declare(item));
        for item in items {
            reader.export(item);
            item.visit_with(&mut reader);
        }
        let Reader { mut shape, used, declared, .. } = reader;
        shape.globals = used.difference(&declared).cloned().collect();
        shape
    }

    fn declare(&mut self, item: &ModuleItem) {
        let decl = match item {
            ModuleItem::Stmt(Stmt::Decl(decl)) => decl,
            ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) => &export.decl,
            _ => return,
        };
        match decl {
            Decl::Fn(function) => {
                self.locals.push((function.ident.sym.to_string(), function_of(&function.function)));
            }
            Decl::Class(class) => self.locals.push((class.ident.sym.to_string(), class_of(&class.class))),
            Decl::Var(vars) => {
                for var in &vars.decls {
                    if let (Pat::Ident(name), Some(init)) = (&var.name, var.init.as_deref()) {
                        let value = self.value(init);
                        self.locals.push((name.id.sym.to_string(), value));
                    }
                }
            }
            _ => {}
        }
    }

    fn local(&self, name: &str) -> DefaultExport {
        let found = self.locals.iter().find(|(local, _)| local == name);
        found.map_or(DefaultExport::Other, |(_, value)| value.clone())
    }

    fn value(&self, value: &Expr) -> DefaultExport {
        match value {
            Expr::Fn(function) => function_of(&function.function),
            Expr::Arrow(arrow) => arrow_of(arrow),
            Expr::Class(class) => class_of(&class.class),
            Expr::Object(object) => DefaultExport::Object(keys_of(object)),
            Expr::Paren(inner) => self.value(&inner.expr),
            Expr::TsAs(inner) => self.value(&inner.expr),
            Expr::TsSatisfies(inner) => self.value(&inner.expr),
            Expr::Ident(name) => self.local(&name.sym),
            Expr::Call(call) => match call.callee.as_expr().map(|it| &**it) {
                Some(Expr::Ident(name)) => DefaultExport::Call(name.sym.to_string()),
                _ => DefaultExport::Other,
            },
            _ => DefaultExport::Other,
        }
    }

    fn exports(&mut self, name: String, value: DefaultExport) {
        if matches!(value, DefaultExport::Class(_)) {
            self.shape.classes.insert(name.clone());
        }
        if name == "default" {
            self.shape.default = Some(value);
        }
        self.shape.exports.insert(name);
    }

    fn export(&mut self, item: &ModuleItem) {
        let decl = match item {
            ModuleItem::ModuleDecl(decl) => decl,
            ModuleItem::Stmt(Stmt::Expr(statement)) => {
                if let Some(value) = assigned_to_exports(&statement.expr) {
                    self.shape.default = Some(self.value(value));
                }
                return;
            }
            ModuleItem::Stmt(_) => return,
        };
        match decl {
            ModuleDecl::ExportDecl(export) => {
                let names: Vec<String> = match &export.decl {
                    Decl::Fn(function) => vec![function.ident.sym.to_string()],
                    Decl::Class(class) => vec![class.ident.sym.to_string()],
                    Decl::Var(vars) => {
                        let mut names = Names(Vec::new());
                        vars.visit_with(&mut names);
                        names.0
                    }
                    _ => Vec::new(),
                };
                for name in names {
                    let value = self.local(&name);
                    self.exports(name, value);
                }
            }
            ModuleDecl::ExportDefaultDecl(default) => {
                let value = match &default.decl {
                    DefaultDecl::Fn(function) => function_of(&function.function),
                    DefaultDecl::Class(class) => class_of(&class.class),
                    DefaultDecl::TsInterfaceDecl(_) => return,
                };
                self.exports("default".to_owned(), value);
            }
            ModuleDecl::ExportDefaultExpr(default) => {
                let value = self.value(&default.expr);
                self.exports("default".to_owned(), value);
            }
            ModuleDecl::ExportNamed(list) if !list.type_only => {
                for specifier in &list.specifiers {
                    match specifier {
                        ExportSpecifier::Named(named) if !named.is_type_only => {
                            let original = name_of(&named.orig);
                            let exported = named.exported.as_ref().map_or_else(|| original.clone(), name_of);
                            let value = match list.src {
                                Some(_) => DefaultExport::Other,
                                None => self.local(&original),
                            };
                            self.exports(exported, value);
                        }
                        ExportSpecifier::Namespace(space) => {
                            self.exports(name_of(&space.name), DefaultExport::Other);
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn parameters(&mut self, patterns: &[Pat]) {
        for pattern in patterns {
            pattern.visit_with(self);
        }
    }
}

impl Visit for Reader {
    fn visit_import_decl(&mut self, import: &ImportDecl) {
        if import.type_only {
            return;
        }
        self.shape.imports.insert(import.src.value.to_string_lossy().into_owned());
        for specifier in &import.specifiers {
            let local = match specifier {
                ImportSpecifier::Named(named) => &named.local,
                ImportSpecifier::Default(default) => &default.local,
                ImportSpecifier::Namespace(space) => &space.local,
            };
            self.declared.insert(local.sym.to_string());
        }
    }

    fn visit_binding_ident(&mut self, name: &BindingIdent) {
        self.declared.insert(name.id.sym.to_string());
    }

    fn visit_fn_decl(&mut self, function: &deno_ast::swc::ast::FnDecl) {
        self.declared.insert(function.ident.sym.to_string());
        function.function.visit_with(self);
    }

    fn visit_class_decl(&mut self, class: &deno_ast::swc::ast::ClassDecl) {
        self.declared.insert(class.ident.sym.to_string());
        class.class.visit_with(self);
    }

    fn visit_arrow_expr(&mut self, arrow: &ArrowExpr) {
        self.parameters(&arrow.params);
        arrow.body.visit_with(self);
    }

    fn visit_call_expr(&mut self, call: &CallExpr) {
        let callee = call.callee.as_expr().and_then(|callee| callee.as_member());
        self.shape.listens |=
            callee.is_some_and(|it| matches!(&it.prop, MemberProp::Ident(name) if name.sym == "listen"));
        call.visit_children_with(self);
    }

    fn visit_member_prop(&mut self, property: &MemberProp) {
        if let MemberProp::Computed(computed) = property {
            computed.visit_with(self);
        }
    }

    fn visit_prop_name(&mut self, name: &PropName) {
        if let PropName::Computed(computed) = name {
            computed.visit_with(self);
        }
    }

    fn visit_ident(&mut self, name: &Ident) {
        self.used.insert(name.sym.to_string());
    }
}

/// The names that patterns bind.
struct Names(Vec<String>);

impl Visit for Names {
    fn visit_binding_ident(&mut self, name: &BindingIdent) {
        self.0.push(name.id.sym.to_string());
    }

    fn visit_expr(&mut self, _: &Expr) {}
}

/// What `module.exports = ` assigns, also in `module.exports = exports = ` and `exports = module.exports = `.
fn assigned_to_exports(expr: &Expr) -> Option<&Expr> {
    let Expr::Assign(assign) = expr else { return None };
    let is_exports = matches!(&assign.left, AssignTarget::Simple(SimpleAssignTarget::Member(member))
        if matches!(&*member.obj, Expr::Ident(name) if name.sym == "module")
            && matches!(&member.prop, MemberProp::Ident(name) if name.sym == "exports"));
    match &*assign.right {
        Expr::Assign(inner) if is_exports => Some(&inner.right),
        value if is_exports => Some(value),
        value => assigned_to_exports(value),
    }
}

fn name_of(name: &ModuleExportName) -> String {
    match name {
        ModuleExportName::Ident(ident) => ident.sym.to_string(),
        ModuleExportName::Str(literal) => literal.value.to_string_lossy().into_owned(),
    }
}

fn pattern_name(pattern: &Pat) -> String {
    match pattern {
        Pat::Ident(name) => name.id.sym.to_string(),
        Pat::Assign(assign) => pattern_name(&assign.left),
        _ => String::new(),
    }
}

fn function_of(function: &Function) -> DefaultExport {
    DefaultExport::Function(function.params.iter().map(|Param { pat, .. }| pattern_name(pat)).collect())
}

fn arrow_of(arrow: &ArrowExpr) -> DefaultExport {
    DefaultExport::Function(arrow.params.iter().map(pattern_name).collect())
}

fn class_of(class: &Class) -> DefaultExport {
    DefaultExport::Class(match class.super_class.as_deref() {
        Some(Expr::Ident(name)) => Some(name.sym.to_string()),
        Some(Expr::Member(member)) => member.prop.as_ident().map(|name| name.sym.to_string()),
        _ => None,
    })
}

fn keys_of(object: &ObjectLit) -> Vec<String> {
    let key = |name: &PropName| match name {
        PropName::Ident(name) => Some(name.sym.to_string()),
        PropName::Str(name) => Some(name.value.to_string_lossy().into_owned()),
        _ => None,
    };
    let props = object.props.iter().filter_map(|prop| match prop {
        PropOrSpread::Prop(prop) => match &**prop {
            Prop::Shorthand(name) => Some(name.sym.to_string()),
            Prop::KeyValue(pair) => key(&pair.key),
            Prop::Method(method) => key(&method.key),
            Prop::Getter(getter) => key(&getter.key),
            _ => None,
        },
        PropOrSpread::Spread(_) => None,
    });
    props.collect()
}

#[cfg(test)]
mod tests {
    use super::{Declared, DefaultExport, Shape};
    use std::path::Path;

    fn shape(source: &str) -> Shape {
        Shape::of(Path::new("/a.js"), source).expect("it parses")
    }

    #[test]
    fn default_export_function_object_class_call() {
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        for (source, expected) in [
            (
                "export default function f(request, { env }) {}",
                DefaultExport::Function(names(&["request", ""])),
            ),
            ("export default async (req) => 1", DefaultExport::Function(names(&["req"]))),
            (
                "const app = { fetch() {}, queue: 1 }; export default app;",
                DefaultExport::Object(names(&["fetch", "queue"])),
            ),
            (
                "export { App as default }; class App extends WorkerEntrypoint {}",
                DefaultExport::Class(Some("WorkerEntrypoint".into())),
            ),
            ("export default fp(plugin)", DefaultExport::Call("fp".into())),
            ("export { default } from './a.js'", DefaultExport::Other),
        ] {
            assert_eq!(shape(source).default, Some(expected), "{source}");
        }
        assert_eq!(shape("export const a = 1").default, None);
    }

    #[test]
    fn main_exports_of_either_kind_of_module() {
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let of = |file: &str, source: &str| {
            Shape::in_package(Path::new(file), source, Declared::Nothing).expect("it parses")
        };
        for (file, source, expected) in [
            ("/a.mjs", "export default async function (fastify, opts) {}", &["fastify", "opts"][..]),
            ("/a.mjs", "const app = async (f, { a } = {}) => {}; export default app;", &["f", ""]),
            ("/a.mjs", "async function app(fastify) {} export { app as default };", &["fastify"]),
            ("/a.cjs", "module.exports = async function (fastify, opts) {}", &["fastify", "opts"]),
            ("/a.cjs", "exports = module.exports = (a) => {}", &["a"]),
            ("/a.cjs", "module.exports = exports = (a) => {}", &["a"]),
            ("/a.js", "'use strict'\nfunction app(i, o, done) {}\nmodule.exports = app", &["i", "o", "done"]),
        ] {
            assert_eq!(of(file, source).parameters(), Some(&*names(expected)), "{source}");
        }
        assert_eq!(of("/a.mjs", "export const a = 1;").default, None);
        assert_eq!(of("/a.mjs", "export default fp(async function (f) {})").call(), Some("fp"));
        assert_eq!(of("/a.cjs", "module.exports = fp(plugin)").call(), Some("fp"));
        assert!(of("/a.mjs", "import f from 'fastify'; await f().listen({ port: 3000 });").listens);
        assert!(!of("/a.mjs", "export default 1").listens);
    }

    #[test]
    fn globals_are_names_that_nothing_declares() {
        let found = shape(
            "import { a } from 'b'; export class Room { x() { return new WebSocketPair(); } }
             export default (request, { env: { DB } }) => { const c = a(DB); return fetch(c.d, { e: request }); }",
        );
        assert_eq!(found.globals.into_iter().collect::<Vec<_>>(), ["WebSocketPair", "fetch"]);
        assert_eq!(found.classes.into_iter().collect::<Vec<_>>(), ["Room"]);
        assert_eq!(found.imports.into_iter().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn jsx_in_a_file_of_plain_javascript_is_read() {
        let found =
            shape("export default function Page({ title }) { return <main><h1>{title}</h1></main>; }");
        assert_eq!(found.parameters().map(<[String]>::len), Some(1));
    }
}

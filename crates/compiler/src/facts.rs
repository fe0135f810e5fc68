//! The imports and exports of a module, as far as its text shows them.

mod required;

use std::collections::BTreeMap;
use std::path::Path;

use crate::Diagnostic;
use crate::common_js::{self, Declared};

/// The imports and exports of one module.
#[derive(Debug, Default)]
pub struct Facts {
    /// Whether the module is CommonJS. What it exports as a whole is its export `default`.
    pub is_common_js: bool,
    /// In the order of the code.
    pub imports: Vec<Import>,
    /// The exports by name, without those that `export *` adds.
    pub exports: BTreeMap<String, Export>,
    /// The offsets of functions that the module declares at its top level and does not export, by name.
    pub functions: BTreeMap<String, usize>,
}

/// One import of a module.
#[derive(Debug)]
pub struct Import {
    pub specifier: String,
    /// The offset of the specifier.
    pub at: usize,
    /// The names that the other module has to export, with their offsets.
    pub names: Vec<(String, usize)>,
    pub form: Form,
    pub attribute: Attribute,
}

/// The `type` of an import's attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Attribute {
    /// There is none: the file is a module that runs.
    #[default]
    None,
    Json,
    /// The file's content is a string or an array of bytes.
    Data,
    /// No import has this type.
    Unknown(String),
    /// The text does not show it, as in `import(a, options)`.
    Hidden,
    /// There is none, and the import is `import source`, of a module of WebAssembly that does not run.
    Source,
}

impl Attribute {
    fn of(kind: &str) -> Attribute {
        match kind {
            "json" => Attribute::Json,
            "text" | "bytes" => Attribute::Data,
            kind => Attribute::Unknown(kind.to_owned()),
        }
    }
}

/// Why JSON is not imported without a type.
pub const JSON_NEEDS_TYPE: &str = "JSON needs `with { type: \"json\" }`";

/// Why an import with this type fails.
pub fn unknown_kind(kind: &str) -> String {
    format!("no import has the type \"{kind}\"; the types are \"json\", \"text\" and \"bytes\"")
}

/// How a module is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Static,
    /// `export * from`: this module also exports what the other module exports.
    Star,
    /// `import()`, which runs later or not at all.
    Dynamic,
    /// `require()` that runs while a CommonJS module loads.
    Require,
    /// `module.exports = require()`: the CommonJS module also exports what the other module exports.
    RequireStar,
}

/// One export.
#[derive(Debug, Clone)]
pub struct Export {
    /// The offset of its name.
    pub at: usize,
    pub kind: Kind,
}

/// The kind of an exported value, as far as the text shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Function,
    Class,
    /// A value that is no function.
    Value,
    /// A type of TypeScript, which does not exist at run time.
    Type,
    /// The export of this name of the module that is imported by [`Facts::imports`] at this index.
    From(usize, String),
    Unknown,
}

impl Form {
    /// Whether the module exports what the other module exports.
    pub fn is_star(self) -> bool {
        matches!(self, Form::Star | Form::RequireStar)
    }

    /// Whether the other module is found as `require()` finds it.
    pub fn is_require(self) -> bool {
        matches!(self, Form::Require | Form::RequireStar)
    }
}

/// The extensions of files that hold code. Where files differ in nothing else, the first of these is taken.
pub const EXTENSIONS: [&str; 8] = ["js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx"];

/// Parses a module of a package that declares the kind of its files. A file of JSON has no imports and exports; a
/// CommonJS module has those that its text shows.
///
/// # Errors
///
/// A [`Diagnostic`]:
///
/// - if the extension of `path` is neither `json` nor one of [`EXTENSIONS`];
/// - with line and column, for a syntax error, or for a live function that cannot be compiled;
/// - if `path` is not absolute.
pub fn read(path: &Path, source: &str, declared: Declared) -> Result<Facts, Diagnostic> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if extension == "json" {
        return Ok(Facts::default());
    }
    if !EXTENSIONS.contains(&extension) {
        let help = match extension {
            "css" | "scss" | "sass" | "less" => {
                "a page loads its style: <link rel=\"stylesheet\" href=\"...\">"
            }
            _ => "read it as a file, or put it into `public` for pages",
        };
        let error = Diagnostic::new(format!("{} is no JavaScript module", path.display()));
        return Err(error.with_help(Some(help.to_owned())));
    }
    if let Some(exports) = common_js::exports(path, source, declared) {
        return Ok(required::read(path, source, exports));
    }
    syntax::read(path, source)
}

/// ES modules.
mod syntax {
    use deno_ast::swc::ast::*;
    use deno_ast::swc::atoms::Wtf8Atom;
    use deno_ast::swc::common::Spanned;
    use deno_ast::swc::ecma_visit::{Visit, VisitWith};
    use deno_ast::{SourceRangedForSpanned as _, StartSourcePos};

    use super::{Attribute, BTreeMap, Diagnostic, Export, Facts, Form, Kind, Path};
    use crate::transpile;

    pub(super) fn read(path: &Path, source: &str) -> Result<Facts, Diagnostic> {
        let parsed = transpile::readable(path, source)?;
        let start = parsed.text_info_lazy().range().start;
        let mut reader = Reader { facts: Facts::default(), locals: BTreeMap::new(), tries: 0, start };
        let program = parsed.program();
        let Program::Module(module) = &*program else { return Ok(reader.facts) };
        for item in &module.body {
            reader.declare(item);
        }
        for item in &module.body {
            reader.export(item);
        }
        module.visit_with(&mut reader);
        reader.facts.imports.retain(|import| !import.specifier.is_empty());
        let Reader { mut facts, locals, .. } = reader;
        for (name, (kind, at)) in locals {
            if kind == Kind::Function && !facts.exports.contains_key(&name) {
                facts.functions.insert(name, at);
            }
        }
        Ok(facts)
    }

    struct Reader {
        facts: Facts,
        /// What names at the top stand for.
        locals: BTreeMap<String, (Kind, usize)>,
        /// How many `try` blocks are around.
        tries: u32,
        start: StartSourcePos,
    }

    impl Reader {
        fn at(&self, node: &impl Spanned) -> usize {
            node.range().as_byte_range(self.start).start
        }

        fn import(&mut self, source: &Str, form: Form, with: Option<&ObjectLit>) -> usize {
            let kind = with.and_then(|with| transpile::value_of(with, "type"));
            let attribute = match kind {
                Some(Expr::Lit(Lit::Str(kind))) => Attribute::of(&text(&kind.value)),
                Some(_) => Attribute::Hidden,
                None => Attribute::None,
            };
            let (specifier, at) = (text(&source.value), self.at(source));
            self.facts.imports.push(super::Import { specifier, at, names: Vec::new(), form, attribute });
            self.facts.imports.len() - 1
        }

        /// Notes what a statement at the top declares.
        fn declare(&mut self, item: &ModuleItem) {
            match item {
                ModuleItem::Stmt(Stmt::Decl(decl)) => self.declare_all(decl),
                ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) => self.declare_all(&export.decl),
                ModuleItem::ModuleDecl(ModuleDecl::Import(import)) if !import.type_only => {
                    let index = self.import(&import.src, Form::Static, import.with.as_deref());
                    if import.phase == ImportPhase::Source {
                        self.facts.imports[index].attribute = Attribute::Source;
                    }
                    for specifier in &import.specifiers {
                        let (local, name) = match specifier {
                            ImportSpecifier::Named(named) if named.is_type_only => continue,
                            ImportSpecifier::Named(named) => {
                                let imported = named
                                    .imported
                                    .as_ref()
                                    .map_or_else(|| named.local.sym.to_string(), name_of);
                                (&named.local, imported)
                            }
                            ImportSpecifier::Default(default) => (&default.local, "default".to_owned()),
                            ImportSpecifier::Namespace(space) => {
                                self.locals.insert(
                                    space.local.sym.to_string(),
                                    (Kind::Value, self.at(&space.local)),
                                );
                                continue;
                            }
                        };
                        let at = self.at(specifier);
                        self.locals.insert(local.sym.to_string(), (Kind::From(index, name.clone()), at));
                        self.facts.imports[index].names.push((name, at));
                    }
                }
                _ => {}
            }
        }

        fn declare_all(&mut self, decl: &Decl) {
            for (name, kind, at) in self.declared(decl) {
                self.locals.insert(name, (kind, at));
            }
        }

        fn declared(&self, decl: &Decl) -> Vec<(String, Kind, usize)> {
            let one = |ident: &Ident, kind| vec![(ident.sym.to_string(), kind, self.at(ident))];
            match decl {
                // An overload's signature has no body.
                Decl::Fn(function) => one(&function.ident, Kind::Function),
                Decl::Class(class) => one(&class.ident, Kind::Class),
                Decl::TsInterface(interface) => one(&interface.id, Kind::Type),
                Decl::TsTypeAlias(alias) => one(&alias.id, Kind::Type),
                Decl::TsEnum(list) => one(&list.id, Kind::Value),
                Decl::TsModule(module) => match &module.id {
                    TsModuleName::Ident(ident) => one(ident, Kind::Unknown),
                    TsModuleName::Str(_) => Vec::new(),
                },
                Decl::Var(vars) => {
                    let mut found = Vec::new();
                    for var in &vars.decls {
                        match &var.name {
                            Pat::Ident(name) => {
                                let kind = var.init.as_deref().map_or(Kind::Unknown, |init| self.kind(init));
                                found.push((name.id.sym.to_string(), kind, self.at(&name.id)));
                            }
                            pattern => {
                                let mut names = Names(Vec::new());
                                pattern.visit_with(&mut names);
                                let names =
                                    names.0.iter().map(|it| (it.sym.to_string(), Kind::Unknown, self.at(it)));
                                found.extend(names);
                            }
                        }
                    }
                    found
                }
                Decl::Using(_) => Vec::new(),
            }
        }

        fn kind(&self, value: &Expr) -> Kind {
            match value {
                Expr::Fn(_) | Expr::Arrow(_) => Kind::Function,
                Expr::Class(_) => Kind::Class,
                Expr::Lit(_) | Expr::Object(_) | Expr::Array(_) | Expr::Tpl(_) => Kind::Value,
                Expr::Paren(inner) => self.kind(&inner.expr),
                Expr::TsAs(inner) => self.kind(&inner.expr),
                Expr::TsSatisfies(inner) => self.kind(&inner.expr),
                Expr::Ident(name) => self.local(&name.sym),
                _ => Kind::Unknown,
            }
        }

        fn local(&self, name: &str) -> Kind {
            self.locals.get(name).map_or(Kind::Unknown, |(kind, _)| kind.clone())
        }

        fn export_as(&mut self, name: String, kind: Kind, at: usize) {
            self.facts.exports.insert(name, Export { at, kind });
        }

        fn export(&mut self, item: &ModuleItem) {
            let ModuleItem::ModuleDecl(decl) = item else { return };
            match decl {
                ModuleDecl::ExportDecl(export) => {
                    for (name, kind, at) in self.declared(&export.decl) {
                        self.export_as(name, kind, at);
                    }
                }
                ModuleDecl::ExportDefaultDecl(default) => {
                    let kind = match &default.decl {
                        DefaultDecl::Fn(_) => Kind::Function,
                        DefaultDecl::Class(_) => Kind::Class,
                        DefaultDecl::TsInterfaceDecl(_) => Kind::Type,
                    };
                    self.export_as("default".to_owned(), kind, self.at(default));
                }
                ModuleDecl::ExportDefaultExpr(default) => {
                    self.export_as("default".to_owned(), self.kind(&default.expr), self.at(default));
                }
                ModuleDecl::ExportAll(all) if !all.type_only => {
                    self.import(&all.src, Form::Star, all.with.as_deref());
                }
                ModuleDecl::ExportNamed(list) if !list.type_only => {
                    let index =
                        list.src.as_ref().map(|src| self.import(src, Form::Static, list.with.as_deref()));
                    for specifier in &list.specifiers {
                        match specifier {
                            ExportSpecifier::Named(named) if !named.is_type_only => {
                                let original = name_of(&named.orig);
                                let exported = named.exported.as_ref().unwrap_or(&named.orig);
                                let kind = match index {
                                    Some(index) => Kind::From(index, original.clone()),
                                    None => self.local(&original),
                                };
                                if let Some(index) = index {
                                    let at = self.at(&named.orig);
                                    self.facts.imports[index].names.push((original, at));
                                }
                                self.export_as(name_of(exported), kind, self.at(exported));
                            }
                            ExportSpecifier::Namespace(space) => {
                                self.export_as(name_of(&space.name), Kind::Value, self.at(&space.name));
                            }
                            ExportSpecifier::Named(named) => {
                                let exported = named.exported.as_ref().unwrap_or(&named.orig);
                                self.export_as(name_of(exported), Kind::Type, self.at(exported));
                            }
                            ExportSpecifier::Default(_) => {}
                        }
                    }
                }
                ModuleDecl::ExportNamed(list) => {
                    for specifier in &list.specifiers {
                        if let ExportSpecifier::Named(named) = specifier {
                            let exported = named.exported.as_ref().unwrap_or(&named.orig);
                            self.export_as(name_of(exported), Kind::Type, self.at(exported));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    impl Visit for Reader {
        fn visit_call_expr(&mut self, call: &CallExpr) {
            let first = call.args.first().map(|argument| &*argument.expr);
            // Code in a `try` may be prepared for what is missing.
            if let (Callee::Import(_), Some(Expr::Lit(Lit::Str(literal))), 0) =
                (&call.callee, first, self.tries)
            {
                let options = call.args.get(1).map(|it| &*it.expr);
                let with = options
                    .and_then(Expr::as_object)
                    .and_then(|it| transpile::value_of(it, "with")?.as_object());
                let index = self.import(literal, Form::Dynamic, with);
                if options.is_some() && with.is_none() {
                    self.facts.imports[index].attribute = Attribute::Hidden;
                }
            }
            let is_prepared = matches!(&call.callee, Callee::Expr(callee) if is_catch(callee));
            self.tries += u32::from(is_prepared);
            call.visit_children_with(self);
            self.tries -= u32::from(is_prepared);
        }

        fn visit_try_stmt(&mut self, statement: &TryStmt) {
            self.tries += 1;
            statement.block.visit_with(self);
            self.tries -= 1;
            statement.handler.visit_with(self);
            statement.finalizer.visit_with(self);
        }
    }

    /// `import("a").catch`
    fn is_catch(callee: &Expr) -> bool {
        let Expr::Member(member) = callee else { return false };
        matches!(&member.prop, MemberProp::Ident(name) if name.sym == *"catch")
    }

    struct Names(Vec<BindingIdent>);

    impl Visit for Names {
        fn visit_binding_ident(&mut self, name: &BindingIdent) {
            self.0.push(name.clone());
        }

        fn visit_assign_pat_prop(&mut self, prop: &AssignPatProp) {
            self.0.push(prop.key.clone());
        }
    }

    fn name_of(name: &ModuleExportName) -> String {
        match name {
            ModuleExportName::Ident(ident) => ident.sym.to_string(),
            ModuleExportName::Str(literal) => text(&literal.value),
        }
    }

    fn text(value: &Wtf8Atom) -> String {
        value.to_string_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(file: &str, source: &str) -> Facts {
        read(Path::new(file), source, Declared::Nothing).expect("it can be read")
    }

    #[test]
    fn read_finds_exports_of_every_form() {
        let facts = facts(
            "/a.js",
            "import { a, b as c } from './m.js';\nconst f = () => 1;\nfunction lost() {}\n\
             export { f as GET, c as POST, default as PUT } from './n.js';\nexport { f, a };\n\
             export * from './o.js';\nexport const { x, y: [z] } = {}, LIMIT = 3;\nexport default class {}\n",
        );
        let kind = |name: &str| facts.exports[name].kind.clone();
        assert_eq!(kind("GET"), Kind::From(1, "f".into()));
        assert_eq!(kind("PUT"), Kind::From(1, "default".into()));
        assert_eq!((kind("f"), kind("a")), (Kind::Function, Kind::From(0, "a".into())));
        assert_eq!((kind("x"), kind("z"), kind("LIMIT")), (Kind::Unknown, Kind::Unknown, Kind::Value));
        assert_eq!(kind("default"), Kind::Class);
        assert!(facts.functions.contains_key("lost"));
        let forms: Vec<_> = facts.imports.iter().map(|it| (it.specifier.as_str(), it.form)).collect();
        assert_eq!(forms, [("./m.js", Form::Static), ("./n.js", Form::Static), ("./o.js", Form::Star)]);
    }

    #[test]
    fn read_passes_over_types_and_what_code_is_prepared_for() {
        let facts = facts(
            "/a.ts",
            "import type { T } from './t.ts';\nimport { type U, v } from './u.ts';\nexport type { T };\n\
             export interface I {}\ntry { await import('./maybe.ts'); } catch { await import('./then.ts'); }\n",
        );
        let imports: Vec<_> =
            facts.imports.iter().map(|it| (it.specifier.as_str(), it.names.len())).collect();
        assert_eq!(imports, [("./u.ts", 1), ("./then.ts", 0)]);
        assert_eq!(facts.exports["I"].kind, Kind::Type);
    }

    #[test]
    fn read_follows_common_js() {
        let facts = facts(
            "/a.js",
            "const a = require('./a');\ntry { require('b') } catch {}\nconst later = () => require('c');\n\
             exports.GET = () => a;\nmodule.exports.LIMIT = 3;\nexports.later = later;\n",
        );
        assert!(facts.is_common_js);
        let kind = |name: &str| facts.exports[name].kind.clone();
        assert_eq!((kind("GET"), kind("LIMIT"), kind("later")), (Kind::Function, Kind::Value, Kind::Unknown));
        assert_eq!(kind("default"), Kind::Value);
        let imports: Vec<_> = facts.imports.iter().map(|it| (it.specifier.as_str(), it.form)).collect();
        assert_eq!(imports, [("./a", Form::Require)]);
    }

    #[test]
    fn what_common_js_exports_as_a_whole_is_its_default() {
        let kinds = |source: &str| {
            let facts = facts("/a.cjs", source);
            facts.exports.into_iter().map(|(name, it)| (name, it.kind)).collect::<Vec<_>>()
        };
        let default = |kind| ("default".to_owned(), kind);
        assert_eq!(kinds("module.exports = () => 1"), [default(Kind::Unknown)]);
        let post = ("POST".to_owned(), Kind::Function);
        assert_eq!(kinds("module.exports = { POST() {} }"), [post, default(Kind::Value)]);
        assert_eq!(facts("/a.cjs", "module.exports = require('x')").imports[0].form, Form::RequireStar);
    }
}

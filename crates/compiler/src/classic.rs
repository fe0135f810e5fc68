//! Scripts that register what they offer by calling functions which they do not import, as those of aiwebengine do:
//! which of these names a script uses, and how its own functions are found by name.

use std::collections::BTreeSet;
use std::path::Path;

use deno_ast::swc::ast::{
    ArrowExpr, AssignExpr, AwaitExpr, BindingIdent, CallExpr, Callee, Class, Decl, Expr, ExprOrSpread,
    Function, Ident, ImportSpecifier, MemberExpr, MemberProp, ModuleDecl, ModuleItem, Pat, Program, Stmt,
    VarDeclarator,
};
use deno_ast::swc::common::SyntaxContext;
use deno_ast::swc::ecma_visit::{Visit, VisitWith};
use deno_ast::{MediaType, ModuleSpecifier, ParseParams, ParsedSource};

/// What the text of a script shows.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Script {
    /// Names that the script uses and that nothing in scope declares.
    pub free: BTreeSet<String>,
    /// Names that are declared or imported at its top.
    pub declared: BTreeSet<String>,
    /// Whether it exports something.
    pub exports: bool,
    /// The specifiers of its imports.
    pub imports: Vec<String>,
    /// Whether it calls its function `init` while it is loaded.
    pub calls_init: bool,
    /// Whether it uses the result of `fetch()` as a string at once.
    pub awaits_no_fetch: bool,
    /// Whether JSX is in it.
    pub has_jsx: bool,
}

impl Script {
    /// The facts of a text; `None` where it cannot be parsed.
    pub fn of(path: &Path, source: &str) -> Option<Script> {
        let parsed = parsed(path, source)?;
        let unresolved = parsed.unresolved_context();
        let mut reader = Reader { unresolved, found: Script::default(), fetches: Vec::new(), text: source };
        let program = parsed.program();
        reader.found.has_jsx = crate::jsx::is_anywhere(&parsed);
        if let Program::Module(module) = &*program {
            module.body.iter().for_each(|item| reader.item(item));
            let mut calls = InitCalls(false);
            module.visit_with(&mut calls);
            reader.found.calls_init = calls.0 && reader.found.declared.contains("init");
            module.visit_with(&mut reader);
        }
        let Reader { mut found, fetches, .. } = reader;
        found.awaits_no_fetch = found.free.contains("fetch") && fetches.contains(&true);
        Some(found)
    }
}

fn parsed(path: &Path, source: &str) -> Option<ParsedSource> {
    let by_name = MediaType::from_path(path);
    let parse = |media_type| {
        deno_ast::parse_module(ParseParams {
            specifier: ModuleSpecifier::from_file_path(path).ok()?,
            text: source.into(),
            media_type,
            capture_tokens: false,
            scope_analysis: true,
            maybe_syntax: None,
        })
        .ok()
    };
    let may_be_jsx = matches!(by_name, MediaType::JavaScript | MediaType::Mjs);
    parse(by_name).or_else(|| may_be_jsx.then(|| parse(MediaType::Jsx)).flatten())
}

struct Reader<'a> {
    unresolved: SyntaxContext,
    found: Script,
    /// For each call of `fetch()` whether its result is used as a string.
    fetches: Vec<bool>,
    text: &'a str,
}

impl Reader<'_> {
    fn item(&mut self, item: &ModuleItem) {
        let declared = &mut self.found.declared;
        match item {
            ModuleItem::Stmt(Stmt::Decl(decl)) => names_of(decl, declared),
            ModuleItem::Stmt(_) => {}
            ModuleItem::ModuleDecl(ModuleDecl::Import(import)) => {
                if import.type_only {
                    return;
                }
                self.found.imports.push(import.src.value.to_string_lossy().into_owned());
                declared.extend(import.specifiers.iter().map(|it| match it {
                    ImportSpecifier::Named(it) => it.local.sym.to_string(),
                    ImportSpecifier::Default(it) => it.local.sym.to_string(),
                    ImportSpecifier::Namespace(it) => it.local.sym.to_string(),
                }));
            }
            ModuleItem::ModuleDecl(decl) => {
                self.found.exports = true;
                if let ModuleDecl::ExportDecl(export) = decl {
                    names_of(&export.decl, declared);
                }
            }
        }
    }

    /// Whether an expression calls the global `fetch`.
    fn is_fetch(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Call(CallExpr { callee: Callee::Expr(callee), .. })
            if matches!(&**callee, Expr::Ident(name) if name.sym == "fetch" && name.ctxt == self.unresolved))
    }

    /// The result of `fetch()` is stored in a variable of this name.
    fn stored(&mut self, name: &str) {
        let is_promise = [format!("await {name}"), format!("{name}.then"), format!("return {name}")]
            .iter()
            .any(|text| self.text.contains(text.as_str()));
        self.fetches.push(!is_promise);
    }
}

fn names_of(decl: &Decl, names: &mut BTreeSet<String>) {
    struct Bound<'a>(&'a mut BTreeSet<String>);
    impl Visit for Bound<'_> {
        fn visit_binding_ident(&mut self, name: &BindingIdent) {
            self.0.insert(name.id.sym.to_string());
        }

        fn visit_assign_pat_prop(&mut self, prop: &deno_ast::swc::ast::AssignPatProp) {
            self.0.insert(prop.key.id.sym.to_string());
        }

        fn visit_expr(&mut self, _: &Expr) {}
    }
    match decl {
        Decl::Fn(function) if !function.declare => drop(names.insert(function.ident.sym.to_string())),
        Decl::Class(class) if !class.declare => drop(names.insert(class.ident.sym.to_string())),
        Decl::TsEnum(it) if !it.declare => drop(names.insert(it.id.sym.to_string())),
        Decl::Var(vars) if !vars.declare => {
            vars.decls.iter().for_each(|var| var.name.visit_with(&mut Bound(names)));
        }
        _ => {}
    }
}

impl Visit for Reader<'_> {
    fn visit_ident(&mut self, name: &Ident) {
        if name.ctxt == self.unresolved {
            self.found.free.insert(name.sym.to_string());
        }
    }

    fn visit_call_expr(&mut self, call: &CallExpr) {
        let is_parse = matches!(&call.callee, Callee::Expr(callee)
            if matches!(&**callee, Expr::Member(MemberExpr { obj, prop: MemberProp::Ident(method), .. })
                if method.sym == "parse" && matches!(&**obj, Expr::Ident(name) if name.sym == "JSON")));
        if is_parse && matches!(call.args.first(), Some(ExprOrSpread { expr, .. }) if self.is_fetch(expr)) {
            self.fetches.push(true);
        }
        call.visit_children_with(self);
    }

    fn visit_var_declarator(&mut self, var: &VarDeclarator) {
        if let (Pat::Ident(name), Some(init)) = (&var.name, &var.init)
            && self.is_fetch(init)
        {
            self.stored(&name.id.sym);
        }
        var.visit_children_with(self);
    }

    fn visit_assign_expr(&mut self, assign: &AssignExpr) {
        if self.is_fetch(&assign.right)
            && let Some(name) = assign.left.as_ident()
        {
            self.stored(&name.id.sym);
        }
        assign.visit_children_with(self);
    }

    fn visit_await_expr(&mut self, wait: &AwaitExpr) {
        if self.is_fetch(&wait.arg) {
            self.fetches.push(false);
        }
        wait.visit_children_with(self);
    }
}

/// Whether `init()` is called outside of functions.
struct InitCalls(bool);

impl Visit for InitCalls {
    fn visit_call_expr(&mut self, call: &CallExpr) {
        if let Callee::Expr(callee) = &call.callee
            && matches!(&**callee, Expr::Ident(name) if name.sym == "init")
        {
            self.0 = true;
        }
        call.visit_children_with(self);
    }

    fn visit_function(&mut self, _: &Function) {}

    fn visit_arrow_expr(&mut self, _: &ArrowExpr) {}

    fn visit_class(&mut self, _: &Class) {}
}

#[cfg(test)]
mod tests {
    use super::Script;
    use std::path::Path;

    fn read(source: &str) -> Script {
        Script::of(Path::new("/scripts/a.js"), source).unwrap()
    }

    fn free(source: &str) -> Vec<String> {
        read(source).free.into_iter().collect()
    }

    #[test]
    fn free_names_are_those_that_no_scope_declares() {
        assert_eq!(
            free("register('/a', 'f'); function f(register) { writeLog(register); }"),
            ["register", "writeLog"]
        );
        assert_eq!(free("const h = 1; { let test = h; test; }"), Vec::<String>::new());
        assert_eq!(
            free("import { register } from './a.js'; register({ writeLog: 1 }.writeLog);"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn names_at_the_top_are_found() {
        let script = read(
            "function f() { function g() {} } const a = () => 1, { b, c: [d] } = x; export let e = 1; class K {}",
        );
        assert_eq!(Vec::from_iter(script.declared), ["K", "a", "b", "d", "e", "f"]);
        assert!(script.exports && !script.calls_init);
    }

    #[test]
    fn init_may_be_called_by_the_script() {
        assert!(read("function init() {}\ninit();").calls_init);
        assert!(read("function init() {}\ntry { init({}); } catch {}").calls_init);
        assert!(!read("function init() {}\nfunction f() { init(); }").calls_init);
    }

    #[test]
    fn fetch_is_a_string_where_nothing_waits_for_it() {
        for (source, expected) in [
            ("const r = JSON.parse(fetch('http://a'));", true),
            ("const r = fetch('http://a'); const data = JSON.parse(r);", true),
            ("const r = await fetch('http://a');", false),
            ("const p = fetch('http://a'); const r = await p;", false),
            ("fetch('http://a').then((r) => r.json());", false),
            ("function fetch() {} JSON.parse(fetch('a'));", false),
        ] {
            assert_eq!(read(source).awaits_no_fetch, expected, "{source}");
        }
    }
}

//! `require()` in ES modules, which bundlers resolve although the language has none there.

use std::path::Path;

use deno_ast::swc::ast::{
    ArrowExpr, BindingIdent, ClassDecl, ClassExpr, Constructor, Decl, FnDecl, Function, ImportSpecifier,
    MethodProp, ModuleDecl, ModuleItem, Program, VarDecl,
};
use deno_ast::swc::ecma_visit::{Visit, VisitWith as _};

use crate::environment::{end_of_imports, parsed};

const REQUIRE: &str = "require";

/// The module with a `require` of its own behind its imports, if it calls one and declares none. No line moves. `None` for
/// a module that needs none, and for a text that does not parse.
pub fn provided(path: &Path, source: &str) -> Option<String> {
    if !source.contains("require(") || declares(path, source)? {
        return None;
    }
    let at = end_of_imports(path, source)?;
    let (before, after) = source.split_at(at);
    let name =
        (0..).map(|number| format!("liveline_require_{number}")).find(|name| !source.contains(&**name))?;
    let statement = format!(
        ";import {{ createRequire as {name} }} from \"node:module\";const require={name}(import.meta.url);"
    );
    Some(format!("{before}{statement}{after}"))
}

/// Whether a module declares `require` in its outermost scope.
fn declares(path: &Path, source: &str) -> Option<bool> {
    let parsed = parsed(path, source)?;
    let Program::Module(module) = &*parsed.program() else { return None };
    let mut declared = Declared(false);
    for item in &module.body {
        if let ModuleItem::ModuleDecl(ModuleDecl::Import(import)) = item {
            declared.0 |= import.specifiers.iter().any(|specifier| local_of(specifier) == REQUIRE);
        }
        item.visit_with(&mut declared);
    }
    Some(declared.0)
}

fn local_of(specifier: &ImportSpecifier) -> &str {
    match specifier {
        ImportSpecifier::Named(named) => &named.local.sym,
        ImportSpecifier::Default(default) => &default.local.sym,
        ImportSpecifier::Namespace(namespace) => &namespace.local.sym,
    }
}

/// Whether something of that name was declared outside of functions.
struct Declared(bool);

impl Visit for Declared {
    fn visit_decl(&mut self, decl: &Decl) {
        match decl {
            Decl::Fn(FnDecl { ident, .. }) | Decl::Class(ClassDecl { ident, .. }) => {
                self.0 |= ident.sym == REQUIRE;
            }
            Decl::Var(declared) => declared.visit_with(self),
            _ => {}
        }
    }

    fn visit_var_decl(&mut self, declared: &VarDecl) {
        declared.visit_children_with(self);
    }

    fn visit_binding_ident(&mut self, binding: &BindingIdent) {
        self.0 |= binding.sym == REQUIRE;
    }

    // What functions declare is theirs.
    fn visit_function(&mut self, _: &Function) {}
    fn visit_arrow_expr(&mut self, _: &ArrowExpr) {}
    fn visit_class_expr(&mut self, _: &ClassExpr) {}
    fn visit_constructor(&mut self, _: &Constructor) {}
    fn visit_method_prop(&mut self, _: &MethodProp) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_calls_require_gets_one() {
        let provided = |text: &str| provided(Path::new("/a.mjs"), text);
        let text = "import a from 'a';\nconst path = require('node:path');";
        assert_eq!(
            provided(text).as_deref(),
            Some(
                "import a from 'a';;import { createRequire as liveline_require_0 } from \"node:module\";\
                 const require=liveline_require_0(import.meta.url);\nconst path = require('node:path');"
            )
        );
        assert!(provided("const f = (require) => require('a'); require('b');").is_some());
        for same in [
            "export default 1;",
            "const require = f(); require('a');",
            "import { require } from 'a'; require('a');",
            "var a, { b: require } = c; require('a');",
            "function require() {} require('a');",
            "{ var require = f(); } require('a');",
            "require( (",
        ] {
            assert_eq!(provided(same), None, "{same}");
        }
    }
}

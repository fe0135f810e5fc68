//! CommonJS modules: which files are some, and what they export.

use std::path::Path;

use deno_ast::diagnostics::Diagnostic as _;
use deno_ast::swc::ast::{Decl, Pat, Program, Stmt};
use deno_ast::{MediaType, ModuleSpecifier, ParseDiagnostic, ParseParams, ParsedSource};

use crate::{Diagnostic, typescript};

/// What a module exports, as far as its text shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exports {
    /// What the module assigns to `exports`.
    pub names: Vec<String>,
    /// The specifiers of modules whose exports the module exports as well.
    pub others: Vec<String>,
}

/// What the `package.json` of a file states about the kind of its files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Declared {
    /// `"type": "module"`: every file is an ES module.
    Module,
    /// An installed package without that line: a file is CommonJS, unless its syntax is that of an ES module.
    Package,
    /// A file of the project: its words and its syntax decide. `npm init` writes `"type": "commonjs"`, also where the
    /// handlers are ES modules.
    #[default]
    Nothing,
}

/// The variables that a CommonJS module has.
const VARIABLES: [&str; 5] = ["module", "exports", "require", "__dirname", "__filename"];

/// The exports of a CommonJS module; `None` for an ES module.
///
/// The extensions `cjs` and `mjs` decide, then the package, then the syntax: imports, exports, `import.meta`, a
/// top-level await or a declaration of a variable of CommonJS make an ES module; in TypeScript `import a = require("a")`
/// and `export =` make a CommonJS one. Only files about which the syntax decides, and CommonJS modules, are parsed.
pub fn exports(path: &Path, source: &str, declared: Declared) -> Option<Exports> {
    let (is_named, is_typed) = match path.extension().and_then(|extension| extension.to_str()) {
        Some("cjs") => (true, false),
        Some("cts") => (true, true),
        Some("ts" | "tsx") => (false, true),
        Some("mjs" | "mts" | "json" | "wasm") => return None,
        _ => (false, false),
    };
    let may_be = || names_common_js(source) || (is_typed && assigns_exports(source));
    match declared {
        _ if is_named => {}
        Declared::Module => return None,
        Declared::Nothing if !may_be() => return None,
        Declared::Package | Declared::Nothing => {}
    }
    let Some(parsed) = parse(path, source) else {
        // Its loading reports the error.
        let is_common_js = is_named || (declared == Declared::Package && !begins_like_esm(source));
        return is_common_js.then(Exports::default);
    };
    let is_common_js = match &*parsed.program() {
        Program::Script(script) => is_named || !script.body.iter().any(declares_variable),
        // Code of ES modules in a `.cts` file is an ES module.
        Program::Module(module) => (is_named && !is_typed) || typescript::is_common_js(module),
    };
    is_common_js.then(|| exports_of(&parsed))
}

/// Whether a text may have `export =`.
fn assigns_exports(source: &str) -> bool {
    let mut after = source.split("export").skip(1);
    after.any(|after| after.trim_start().starts_with('='))
}

/// Whether a word of the text is a variable of CommonJS. Parsing takes much longer than this.
fn names_common_js(source: &str) -> bool {
    let mut words = source.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    words.any(|word| VARIABLES.contains(&word))
}

/// Whether a line of a text that does not parse begins like an import or an export.
fn begins_like_esm(source: &str) -> bool {
    let mut words = source.lines().filter_map(|line| line.split([' ', '{', '*', '"', '\'']).next());
    words.any(|word| matches!(word, "import" | "export"))
}

/// Whether a statement declares a variable of CommonJS anew, which is an error in a CommonJS module.
fn declares_variable(statement: &Stmt) -> bool {
    let Stmt::Decl(declaration) = statement else { return false };
    let is_variable = |name: &str| VARIABLES.contains(&name);
    match declaration {
        Decl::Class(class) => is_variable(&class.ident.sym),
        Decl::Var(var) if var.kind != deno_ast::swc::ast::VarDeclKind::Var => {
            var.decls.iter().any(|one| matches!(&one.name, Pat::Ident(name) if is_variable(&name.id.sym)))
        }
        _ => false,
    }
}

/// The syntax error of a CommonJS module, if it has one.
pub fn syntax_error(path: &Path, source: &str) -> Option<Diagnostic> {
    let error = try_parse(path, source)?.err()?;
    let position = error.display_position();
    let message = format!("SyntaxError: {}", error.message());
    Some(Diagnostic::at(message, path, position.line_number, position.column_number))
}

/// The exports of an ES module that a CommonJS module requires.
pub fn exports_of_esm(path: &Path, source: &str) -> Exports {
    let parsed = parse(path, source).map(|parsed| parsed.analyze_es_runtime_exports());
    parsed.map(|found| Exports { names: found.exports, others: found.reexports }).unwrap_or_default()
}

fn exports_of(parsed: &ParsedSource) -> Exports {
    let found = parsed.analyze_cjs();
    let mut others = found.reexports;
    if let Program::Script(script) = &*parsed.program() {
        others.extend(script.body.iter().filter_map(member_passed_on));
    }
    Exports { names: found.exports, others }
}

/// The module of `module.exports = require("module").member`, whose names Node takes for those of the importing module.
fn member_passed_on(statement: &Stmt) -> Option<String> {
    let assigned = statement.as_expr()?.expr.as_assign()?;
    let target = assigned.left.as_simple()?.as_member()?;
    let is_exports = target.obj.as_ident().is_some_and(|it| it.sym == *"module")
        && target.prop.as_ident().is_some_and(|it| it.sym == *"exports");
    let mut value = assigned.right.as_member().filter(|_| is_exports)?;
    while let Some(inner) = value.obj.as_member() {
        value = inner;
    }
    let call = value.obj.as_call()?;
    let is_require = call.callee.as_expr()?.as_ident()?.sym == *"require";
    let specifier = call.args.first().filter(|_| is_require)?.expr.as_lit()?.as_str()?;
    specifier.value.as_str().map(ToOwned::to_owned)
}

pub(crate) fn parse(path: &Path, source: &str) -> Option<ParsedSource> {
    try_parse(path, source)?.ok()
}

/// None for a relative path.
fn try_parse(path: &Path, source: &str) -> Option<Result<ParsedSource, ParseDiagnostic>> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    Some(deno_ast::parse_program(ParseParams {
        specifier: ModuleSpecifier::from_file_path(path).ok()?,
        text: source.into(),
        media_type: MediaType::from_path(path),
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Declared, Exports, exports};

    fn of(source: &str) -> Option<Exports> {
        exports(Path::new("/a/index.js"), source, Declared::Nothing)
    }

    fn installed(source: &str) -> Option<Exports> {
        exports(Path::new("/node_modules/a/index.js"), source, Declared::Package)
    }

    fn names(source: &str) -> Vec<String> {
        of(source).expect("a CommonJS module").names
    }

    #[test]
    fn syntax_decides() {
        for source in [
            "import module from 'a'",
            "export { require } from 'a'",
            "await require",
            "import.meta.module",
            "const require = 1; require",
            "class module {}",
        ] {
            assert_eq!((of(source), installed(source)), (None, None), "{source}");
        }
        // The words alone do not.
        assert_eq!(names("exports.a = 'import this'; // export nothing"), ["a"]);
        assert_eq!(names("const load = () => import('x'); module.exports = { b: 1, load };"), ["b", "load"]);
    }

    #[test]
    fn what_only_scripts_may_contain_is_parsed() {
        for source in [
            "#!/usr/bin/env node\nexports.a = 1",
            "exports.a = 1; if (exports) return; exports.b = 2",
            "exports.a = 010; with (exports) {}",
            "exports.a = 1; var await = 1; var module = module; var exports = exports",
            "exports.a = 1 <!-- a comment",
            "\u{feff}exports.a = 1",
        ] {
            assert_eq!(names(source)[0], "a", "{source}");
        }
    }

    #[test]
    fn a_plain_script_is_an_es_module_in_the_project_and_common_js_in_a_package() {
        assert_eq!(of("globalThis.a = 1;"), None);
        assert!(installed("a = 1;").is_some());
        assert!(installed("this does not parse").is_some());
        assert_eq!(installed("import x from 'this does not parse"), None);
    }

    #[test]
    fn a_member_of_another_module_passes_on_its_names() {
        let others = |source: &str| of(source).expect("a CommonJS module").others;
        assert_eq!(others("module.exports = require('./a');"), ["./a"]);
        assert_eq!(others("// All.\nmodule.exports = require('./a').b;"), ["./a"]);
        assert_eq!(others("module.exports = require('a').b.c"), ["a"]);
        for source in
            ["module.a = require('a').b", "exports = require('a').b", "module.exports = load('a').b"]
        {
            assert_eq!(others(source), [""; 0], "{source}");
        }
    }

    #[test]
    fn extensions_and_packages_decide_before_syntax() {
        assert!(exports(Path::new("/a.cjs"), "globalThis.a = 1;", Declared::Module).is_some());
        assert!(exports(Path::new("/a.mjs"), "module.exports = 1;", Declared::Package).is_none());
        assert!(exports(Path::new("/a.js"), "module.exports = 1;", Declared::Module).is_none());
    }

    #[test]
    fn typescript_has_its_own_imports_and_exports_of_common_js() {
        let of = |file: &str, source: &str| exports(Path::new(file), source, Declared::Nothing).is_some();
        for source in
            ["export = 1;", "import a = require('a');", "import type { A } from 'a';\nexport  = 1 as A;"]
        {
            assert!(of("/a.ts", source) && of("/a.cts", source), "{source}");
        }
        for source in ["import a = require('a');\nexport const b = a;", "export const a = 1; exports = 1;"] {
            assert!(!of("/a.ts", source) && !of("/a.cts", source), "{source}");
        }
    }

    #[test]
    fn what_another_module_exports_is_named() {
        assert_eq!(of("module.exports = require('./lib/a')").expect("CommonJS").others, ["./lib/a"]);
    }
}

//! CommonJS modules: which files are some, and what they export.

use std::path::Path;

use deno_ast::swc::ast::Program;
use deno_ast::{MediaType, ModuleSpecifier, ParseParams, ParsedSource};

use crate::typescript;

/// What a module exports, as far as its text shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exports {
    /// What the module assigns to `exports`.
    pub names: Vec<String>,
    /// The specifiers of modules whose exports the module exports as well.
    pub others: Vec<String>,
}

/// The exports of a CommonJS module; `None` for an ES module.
///
/// The extensions `cjs` and `mjs` decide, else the syntax: imports, exports, `import.meta` or a top-level await make an
/// ES module; in TypeScript `import a = require("a")` and `export =` make a CommonJS one. A file that does not parse
/// counts as an ES module, whose loading reports the error, and so does a file that names nothing of CommonJS.
pub fn exports(path: &Path, source: &str) -> Option<Exports> {
    let (is_named, is_typed) = match path.extension().and_then(|extension| extension.to_str()) {
        Some("cjs") => (true, false),
        Some("cts") => (true, true),
        Some("ts" | "tsx") => (false, true),
        Some("mjs" | "mts" | "json") => return None,
        _ => (false, false),
    };
    if !is_named && !names_common_js(source) && !(is_typed && assigns_exports(source)) {
        return None;
    }
    let Some(parsed) = parse(path, source) else { return is_named.then(Exports::default) };
    let is_common_js = match &*parsed.program() {
        Program::Script(_) => true,
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
    words.any(|word| matches!(word, "module" | "exports" | "require" | "__dirname" | "__filename"))
}

/// The exports of an ES module that a CommonJS module requires.
pub fn exports_of_esm(path: &Path, source: &str) -> Exports {
    let parsed = parse(path, source).map(|parsed| parsed.analyze_es_runtime_exports());
    parsed.map(|found| Exports { names: found.exports, others: found.reexports }).unwrap_or_default()
}

fn exports_of(parsed: &ParsedSource) -> Exports {
    let found = parsed.analyze_cjs();
    Exports { names: found.exports, others: found.reexports }
}

fn parse(path: &Path, source: &str) -> Option<ParsedSource> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    deno_ast::parse_program(ParseParams {
        specifier: ModuleSpecifier::from_file_path(path).ok()?,
        text: source.into(),
        media_type: MediaType::from_path(path),
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Exports, exports};

    fn of(source: &str) -> Option<Exports> {
        exports(Path::new("/node_modules/a/index.js"), source)
    }

    fn names(source: &str) -> Vec<String> {
        of(source).expect("a CommonJS module").names
    }

    #[test]
    fn syntax_decides() {
        for source in
            ["import module from 'a'", "export { require } from 'a'", "await require", "import.meta.module"]
        {
            assert_eq!(of(source), None, "{source}");
        }
        // The words alone do not.
        assert_eq!(names("exports.a = 'import this'; // export nothing"), ["a"]);
        assert_eq!(names("const load = () => import('x'); module.exports = { b: 1, load };"), ["b", "load"]);
    }

    #[test]
    fn a_plain_script_is_an_es_module() {
        assert_eq!(of("globalThis.a = 1;"), None);
    }

    #[test]
    fn extensions_decide_before_syntax() {
        assert!(exports(Path::new("/a.cjs"), "globalThis.a = 1;").is_some());
        assert!(exports(Path::new("/a.mjs"), "module.exports = 1;").is_none());
    }

    #[test]
    fn typescript_has_its_own_imports_and_exports_of_common_js() {
        let of = |file: &str, source: &str| exports(Path::new(file), source).is_some();
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

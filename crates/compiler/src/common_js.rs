//! CommonJS modules: which files are some, and what they export.

use std::path::Path;

use deno_ast::{MediaType, ModuleSpecifier, ParseParams, ParsedSource};

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
/// ES module. A file that does not parse counts as one, whose loading reports the error, and so does a file that names
/// nothing of CommonJS.
pub fn exports(path: &Path, source: &str) -> Option<Exports> {
    let is_named = match path.extension().and_then(|extension| extension.to_str()) {
        Some("cjs" | "cts") => true,
        Some("mjs" | "mts" | "json") => return None,
        _ => false,
    };
    if !is_named && !names_common_js(source) {
        return None;
    }
    match parse(path, source) {
        Some(parsed) => (is_named || parsed.compute_is_script()).then(|| exports_of(&parsed)),
        None => is_named.then(Exports::default),
    }
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
    fn what_another_module_exports_is_named() {
        assert_eq!(of("module.exports = require('./lib/a')").expect("CommonJS").others, ["./lib/a"]);
    }
}

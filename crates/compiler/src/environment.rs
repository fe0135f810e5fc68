//! What modules that run on the server find in `import.meta`: `env` has their environment variables, and `url` is the
//! address of their file.

use std::path::Path;

use deno_ast::swc::ast::{Expr, Lit, ModuleItem, Program, Stmt};
use deno_ast::{MediaType, ModuleSpecifier, ParseParams, ParsedSource, SourceRangedForSpanned as _};

/// The host's module whose default export is the environment.
const ENVIRONMENT: &str = "liveline:env";

/// The module with a statement behind its imports that sets `import.meta.env`, if its text may use that. No line moves.
/// A text that does not parse is returned as it is.
pub fn filled_in(path: &Path, mut source: String) -> String {
    if source.contains("import.meta")
        && source.contains("env")
        && let Some(at) = end_of_imports(path, &source)
    {
        source.insert_str(at, &statement(&source));
    }
    source
}

/// What sets `import.meta.env` in a module of this text. The engine makes a new `import.meta` for each module. The
/// value is imported under a name that the text does not contain, because the module may declare any other name itself,
/// `Symbol` and `globalThis` among them.
fn statement(source: &str) -> String {
    let name =
        (0..).map(|number| format!("liveline_env_{number}")).find(|name| !source.contains(name.as_str()));
    let name = name.expect("a text contains a finite number of names");
    format!(";import {name} from \"{ENVIRONMENT}\";import.meta.env={name};")
}

/// The module with a statement behind its imports that sets `import.meta.url`, if its text may use that. No line moves.
/// A text that does not parse is returned as it is.
pub fn with_url(path: &Path, mut source: String, url: &str) -> String {
    if source.contains("import.meta")
        && let Some(at) = end_of_imports(path, &source)
    {
        // URLs have no quotation marks.
        source.insert_str(at, &format!(";import.meta.url=\"{url}\";"));
    }
    source
}

/// Where the first statement after directives and imports may begin.
pub(crate) fn end_of_imports(path: &Path, source: &str) -> Option<usize> {
    // The parser counts from behind the mark of the byte order.
    let text = source.trim_start_matches('\u{feff}');
    let mark = source.len() - text.len();
    let parsed = parsed(path, text)?;
    let start = parsed.text_info_lazy().range().start;
    let program = parsed.program();
    let Program::Module(module) = &*program else { return None };
    let comes_first = |item: &&ModuleItem| match item {
        ModuleItem::ModuleDecl(declaration) => declaration.is_import(),
        ModuleItem::Stmt(Stmt::Expr(statement)) => matches!(&*statement.expr, Expr::Lit(Lit::Str(_))),
        ModuleItem::Stmt(_) => false,
    };
    let at = match module.body.iter().take_while(comes_first).last() {
        Some(last) => last.range().as_byte_range(start).end,
        None => module.body.first()?.range().as_byte_range(start).start,
    };
    Some(mark + at)
}

/// The syntax tree of a module; `None` where the text does not parse.
pub(crate) fn parsed(path: &Path, text: &str) -> Option<ParsedSource> {
    let parsed = deno_ast::parse_program(ParseParams {
        specifier: ModuleSpecifier::from_file_path(path).ok()?,
        text: text.into(),
        media_type: MediaType::from_path(path),
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    });
    parsed.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_may_have_another_url() {
        assert_eq!(
            with_url(
                Path::new("/a.mjs"),
                "import a from 'a'\nuse(import.meta.url);".to_owned(),
                "file:///a.mjs"
            ),
            "import a from 'a';import.meta.url=\"file:///a.mjs\";\nuse(import.meta.url);"
        );
        assert_eq!(with_url(Path::new("/a.mjs"), "a();".to_owned(), "file:///a.mjs"), "a();");
    }

    #[test]
    fn the_statement_stands_behind_the_imports() {
        const STATEMENT: &str =
            ";import liveline_env_0 from \"liveline:env\";import.meta.env=liveline_env_0;";
        let filled = |text: &str| filled_in(Path::new("/a.ts"), text.to_owned());
        assert_eq!(
            filled(
                "'use strict'\nimport a from \"./a\";\nimport {\n  b } from \"./b\"\nexport const c: string = import.meta.env.C;"
            ),
            format!(
                "'use strict'\nimport a from \"./a\";\nimport {{\n  b }} from \"./b\"{STATEMENT}\nexport const c: string = import.meta.env.C;"
            ),
        );
        assert_eq!(
            filled("// first\nconst { env } = import.meta;"),
            format!("// first\n{STATEMENT}const {{ env }} = import.meta;")
        );
        for same in ["export const environment = 1;", "import.meta.url; // env (", "import.meta.env ("] {
            assert_eq!(
                filled(same).matches("liveline:env").count(),
                usize::from(same.contains("url;")),
                "{same}"
            );
        }
    }

    #[test]
    fn the_statement_uses_no_name_of_the_module() {
        let source = "export const Symbol = 1, globalThis = 2, liveline_env_0 = import.meta.env;";
        let filled = filled_in(Path::new("/a.js"), source.to_owned());
        assert_eq!(
            filled,
            format!(";import liveline_env_1 from \"liveline:env\";import.meta.env=liveline_env_1;{source}")
        );
    }
}

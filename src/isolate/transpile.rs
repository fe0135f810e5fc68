//! TypeScript and JSX to JavaScript.

use std::path::Path;

use crate::client::Import;
use crate::ops::Diagnostic;

/// JavaScript and the source map that leads back from it.
pub struct Transpiled {
    pub code: String,
    pub source_map: Vec<u8>,
}

/// Whether a file of this extension has to be transpiled.
pub fn is_needed(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| ["ts", "mts", "tsx", "jsx"].iter().any(|known| extension == *known))
}

#[cfg(feature = "ts")]
pub fn transpile(path: &Path, source: String) -> Result<Transpiled, Diagnostic> {
    use deno_ast::{
        DecoratorsTranspileOption, EmitOptions, ImportsNotUsedAsValues, JsxAutomaticOptions, JsxRuntime,
        MediaType, SourceMapOption, TranspileModuleOptions, TranspileOptions,
    };

    let parsed = parse(path, source, MediaType::from_path(path))?;
    let jsx = JsxRuntime::Automatic(JsxAutomaticOptions { development: false, import_source: None });
    let options = TranspileOptions {
        decorators: DecoratorsTranspileOption::Ecma,
        imports_not_used_as_values: ImportsNotUsedAsValues::Remove,
        jsx: Some(jsx),
        ..TranspileOptions::default()
    };
    let emit =
        EmitOptions { source_map: SourceMapOption::Separate, inline_sources: true, ..EmitOptions::default() };
    let failed = |error: &dyn std::fmt::Display| Diagnostic::new(format!("{}: {error}", path.display()));
    let result = parsed
        .transpile(&options, &TranspileModuleOptions { module_kind: None }, &emit)
        .map_err(|error| failed(&error))?;
    let source = result.into_source();
    let source_map = source.source_map.map(String::into_bytes).unwrap_or_default();
    Ok(Transpiled { code: source.text, source_map })
}

/// What a JavaScript module imports by name, in the order of its code.
#[cfg(feature = "ts")]
pub fn imports(path: &Path, code: &str) -> Result<Vec<Import>, Diagnostic> {
    use deno_ast::swc::ast::{CallExpr, Callee, ExportAll, Expr, ImportDecl, Lit, NamedExport, Str};
    use deno_ast::swc::ecma_visit::{Visit, VisitWith};
    use deno_ast::{MediaType, SourceRangedForSpanned as _};

    #[derive(Default)]
    struct Literals(Vec<Str>);

    impl Visit for Literals {
        fn visit_import_decl(&mut self, import: &ImportDecl) {
            self.0.push((*import.src).clone());
        }

        fn visit_export_all(&mut self, export: &ExportAll) {
            self.0.push((*export.src).clone());
        }

        fn visit_named_export(&mut self, export: &NamedExport) {
            self.0.extend(export.src.as_deref().cloned());
        }

        fn visit_call_expr(&mut self, call: &CallExpr) {
            let first = call.args.first().map(|argument| &*argument.expr);
            if let (Callee::Import(_), Some(Expr::Lit(Lit::Str(literal)))) = (&call.callee, first) {
                self.0.push(literal.clone());
            }
            call.visit_children_with(self);
        }
    }

    let parsed = parse(path, code.to_owned(), MediaType::JavaScript)?;
    let mut literals = Literals::default();
    parsed.program().visit_with(&mut literals);
    let start = parsed.text_info_lazy().range().start;
    let imports = literals.0.iter().map(|literal| Import {
        specifier: literal.value.to_string_lossy().into_owned(),
        range: literal.range().as_byte_range(start),
    });
    let mut imports: Vec<_> = imports.collect();
    imports.sort_by_key(|import| import.range.start);
    Ok(imports)
}

#[cfg(feature = "ts")]
fn parse(
    path: &Path,
    text: String,
    media_type: deno_ast::MediaType,
) -> Result<deno_ast::ParsedSource, Diagnostic> {
    use deno_ast::diagnostics::Diagnostic as _;

    let specifier = deno_ast::ModuleSpecifier::from_file_path(path)
        .map_err(|()| Diagnostic::new(format!("{} is not an absolute path", path.display())))?;
    let parse = deno_ast::ParseParams {
        specifier,
        text: text.into(),
        media_type,
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    };
    deno_ast::parse_module(parse).map_err(|error| {
        let position = error.display_position();
        Diagnostic::at(
            format!("SyntaxError: {}", error.message()),
            path,
            position.line_number,
            position.column_number,
        )
    })
}

#[cfg(not(feature = "ts"))]
pub fn imports(path: &Path, _code: &str) -> Result<Vec<Import>, Diagnostic> {
    let path = path.display();
    Err(Diagnostic::new(format!(
        "{path}: this build has no handlers in browsers; build it with the feature `ts`"
    )))
}

#[cfg(not(feature = "ts"))]
pub fn transpile(path: &Path, _source: String) -> Result<Transpiled, Diagnostic> {
    let path = path.display();
    Err(Diagnostic::new(format!(
        "{path}: this build has no TypeScript and JSX; build it with the feature `ts`"
    )))
}

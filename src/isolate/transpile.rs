//! TypeScript and JSX to JavaScript.

use std::path::Path;

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
    use deno_ast::diagnostics::Diagnostic as _;
    use deno_ast::{
        DecoratorsTranspileOption, EmitOptions, ImportsNotUsedAsValues, JsxAutomaticOptions, JsxRuntime,
        MediaType, ModuleSpecifier, ParseParams, SourceMapOption, TranspileModuleOptions, TranspileOptions,
    };

    let specifier = ModuleSpecifier::from_file_path(path)
        .map_err(|()| Diagnostic::new(format!("{} is not an absolute path", path.display())))?;
    let parse = ParseParams {
        specifier,
        text: source.into(),
        media_type: MediaType::from_path(path),
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    };
    let parsed = deno_ast::parse_module(parse).map_err(|error| {
        let position = error.display_position();
        Diagnostic::at(
            format!("SyntaxError: {}", error.message()),
            path,
            position.line_number,
            position.column_number,
        )
    })?;
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

#[cfg(not(feature = "ts"))]
pub fn transpile(path: &Path, _source: String) -> Result<Transpiled, Diagnostic> {
    let path = path.display();
    Err(Diagnostic::new(format!(
        "{path}: this build has no TypeScript and JSX; build it with the feature `ts`"
    )))
}

//! TypeScript, JSX and live functions to JavaScript.

use std::path::Path;

use super::live;
use crate::ops::Diagnostic;

/// JavaScript, and where it is not the file's own text, the source map that leads back from it.
pub struct Script {
    pub code: String,
    pub source_map: Option<Vec<u8>>,
}

/// Whether a file of this extension has to be transpiled.
fn is_needed(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| ["ts", "mts", "tsx", "jsx"].iter().any(|known| extension == *known))
}

/// Gives a file's text as JavaScript. What is plain JavaScript already is not even parsed.
pub fn script(path: &Path, source: String) -> Result<Script, Diagnostic> {
    let found = live::find(&source);
    if is_needed(path) || found.any() {
        transpile(path, source, found)
    } else {
        Ok(Script { code: source, source_map: None })
    }
}

#[cfg(feature = "ts")]
fn transpile(path: &Path, source: String, mut found: live::Found) -> Result<Script, Diagnostic> {
    use deno_ast::diagnostics::Diagnostic as _;
    use deno_ast::{
        DecoratorsTranspileOption, EmitOptions, ImportsNotUsedAsValues, JsxAutomaticOptions, JsxRuntime,
        MediaType, ModuleSpecifier, ParseParams, SourceMapOption, SourcePos, SourceTextInfo,
        TranspileModuleOptions, TranspileOptions,
    };

    let specifier = ModuleSpecifier::from_file_path(path)
        .map_err(|()| Diagnostic::new(format!("{} is not an absolute path", path.display())))?;
    let media_type = MediaType::from_path(path);
    let at = |message: String, line: usize, column: usize| {
        Diagnostic::at(format!("SyntaxError: {message}"), path, line, column)
    };
    let parsed = loop {
        let parse = ParseParams {
            specifier: specifier.clone(),
            text: live::blank(&source, &found.keywords).into(),
            media_type,
            capture_tokens: false,
            scope_analysis: false,
            maybe_syntax: None,
        };
        let mut outcome = live::Outcome::Untouched;
        let parsed = deno_ast::parse_module_with_post_process(parse, |module, globals| {
            let (module, became) = live::compile(module, &found, globals);
            outcome = became;
            module
        });
        let parsed = parsed.map_err(|error| {
            let position = error.display_position();
            at(error.message().into_owned(), position.line_number, position.column_number)
        })?;
        match outcome {
            live::Outcome::Compiled => break parsed,
            live::Outcome::Untouched if is_needed(path) => break parsed,
            live::Outcome::Untouched => return Ok(Script { code: source, source_map: None }),
            live::Outcome::Mistaken(keywords) => found = keywords,
            live::Outcome::Failed(error) => {
                let text = SourceTextInfo::new(source.into());
                let place = text.line_and_column_display(SourcePos::unsafely_from_byte_pos(error.at));
                return Err(at(error.message, place.line_number, place.column_number));
            }
        }
    };
    let jsx = JsxRuntime::Automatic(JsxAutomaticOptions { development: false, import_source: None });
    let options = TranspileOptions {
        decorators: DecoratorsTranspileOption::Ecma,
        imports_not_used_as_values: ImportsNotUsedAsValues::Remove,
        // What JavaScript imports, it means to run.
        verbatim_module_syntax: !is_needed(path),
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
    Ok(Script { code: source.text, source_map: Some(source_map) })
}

#[cfg(not(feature = "ts"))]
fn transpile(path: &Path, source: String, found: live::Found) -> Result<Script, Diagnostic> {
    let missing = |what: &str| format!("this build has no {what}; build it with the feature `ts`");
    match found.first(&source) {
        Some((line, column)) if !is_needed(path) => {
            Err(Diagnostic::at(missing("live functions"), path, line, column))
        }
        _ => Err(Diagnostic::new(format!("{}: {}", path.display(), missing("TypeScript and JSX")))),
    }
}

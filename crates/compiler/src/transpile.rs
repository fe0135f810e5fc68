//! TypeScript, JSX and live functions to JavaScript.

use std::ops::Range;
use std::path::Path;

use deno_ast::diagnostics::Diagnostic as _;
use deno_ast::swc::ast::{
    CallExpr, Callee, ExportAll, Expr, ImportDecl, ImportPhase, Lit, Module, NamedExport, ObjectLit,
    PropName, Str,
};
use deno_ast::swc::ecma_visit::{Visit, VisitWith};
use deno_ast::{
    DecoratorsTranspileOption, EmitOptions, Globals, ImportsNotUsedAsValues, MediaType, ModuleKind,
    ModuleSpecifier, ParseParams, ParsedSource, SourceMapOption, SourcePos, SourceRangedForSpanned as _,
    SourceTextInfo, StartSourcePos, TranspileModuleOptions, TranspileOptions,
};

use crate::jsx::{self, Jsx};
use crate::{Diagnostic, live, typescript};

/// The JavaScript of a file.
pub struct Script {
    pub code: String,
    /// Maps the code to the file's text; `None` where both are the same.
    pub source_map: Option<Vec<u8>>,
}

/// A specifier in a module's code.
pub struct Import {
    pub specifier: String,
    /// Where the literal stands in the code, quotes included.
    pub range: Range<usize>,
    /// The `type` of its attributes, and where literal and attributes stand.
    pub typed: Option<(String, Range<usize>)>,
    /// Where `import source` stands, up to the imported name.
    pub source_phase: Option<Range<usize>>,
}

/// The settings of a file of TypeScript or JSX.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub jsx: Jsx,
    pub decorators: Decorators,
    /// Whether imports that are used as types only are kept, unless they have the word `type`.
    pub keeps_imports: bool,
    /// Whether a field without a value is a property, which is undefined at first.
    pub defines_fields: bool,
}

/// What decorators are compiled to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Decorators {
    /// Decorators as ECMAScript defines them.
    #[default]
    Standard,
    /// TypeScript's older decorators, with or without metadata of types.
    Legacy { metadata: bool },
}

impl Default for Options {
    fn default() -> Options {
        let (jsx, decorators) = Default::default();
        Options { jsx, decorators, keeps_imports: false, defines_fields: true }
    }
}

impl Options {
    /// For code that is read and does not run: what JSX becomes makes no difference.
    pub(crate) fn to_read() -> Result<Options, Diagnostic> {
        Ok(Options { jsx: Jsx::classic(None, None), ..Options::default() })
    }
}

/// Whether a file of this extension has to be transpiled.
fn is_needed(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| ["ts", "mts", "cts", "tsx", "jsx"].iter().any(|known| extension == *known))
}

/// The JavaScript of a file with this text. A file that is plain JavaScript is not parsed, and `options` is called for
/// other files only.
///
/// # Errors
///
/// The [`Diagnostic`] of `options`, or one:
///
/// - with line and column, for a syntax error, for a live function that cannot be compiled, or for JSX where neither
///   `options` nor the file names a package that makes elements;
/// - without a place, if `path` is not absolute, or if the compiler fails otherwise.
pub fn script(
    path: &Path,
    source: String,
    options: impl FnOnce() -> Result<Options, Diagnostic>,
) -> Result<Script, Diagnostic> {
    let found = live::find(&source);
    let media_type = MediaType::from_path(path);
    match is_needed(path) {
        true => transpile(path, source, media_type, found, options()?),
        false if found.any() => transpile(path, source, media_type, found, Options::default()),
        false => Ok(Script { code: source, source_map: None }),
    }
}

/// Like [`script`], for dialects that have JSX in plain files of JavaScript, too: such a file is compiled if JSX is in
/// it. Most texts are not parsed, because they have neither `</` nor `/>`.
///
/// # Errors
///
/// As [`script`].
pub fn script_or_jsx(
    path: &Path,
    source: String,
    options: impl FnOnce() -> Result<Options, Diagnostic>,
) -> Result<Script, Diagnostic> {
    match !is_needed(path) && jsx::is_in(path, &source) {
        true => transpile(path, source.clone(), MediaType::Jsx, live::find(&source), options()?),
        false => script(path, source, options),
    }
}

fn transpile(
    path: &Path,
    source: String,
    media_type: MediaType,
    mut found: live::Found,
    options: Options,
) -> Result<Script, Diagnostic> {
    let is_needed = is_needed(path) || media_type == MediaType::Jsx;
    let mut kind = None;
    let parsed = loop {
        let mut outcome = live::Outcome::Untouched;
        let text = live::blank(&source, &found.keywords);
        let parsed = parse(path, text, media_type, |module, globals| {
            let (mut module, became) = live::compile(module, &found, globals);
            outcome = became;
            if is_needed {
                kind = typescript::is_common_js(&module).then_some(ModuleKind::Cjs);
                typescript::adapt(&mut module, options.defines_fields);
            }
            module
        })?;
        match outcome {
            live::Outcome::Compiled => break parsed,
            live::Outcome::Untouched if is_needed => break parsed,
            live::Outcome::Untouched => return Ok(Script { code: source, source_map: None }),
            live::Outcome::Mistaken(keywords) => found = keywords,
            live::Outcome::Failed(error) => {
                let text = SourceTextInfo::new(source.into());
                let place = text.line_and_column_display(SourcePos::unsafely_from_byte_pos(error.at));
                return Err(syntax_error(path, &error.message, place.line_number, place.column_number));
            }
        }
    };
    let has_jsx = matches!(media_type, MediaType::Jsx | MediaType::Tsx);
    let jsx = has_jsx.then(|| jsx::runtime(path, &parsed, options.jsx)).transpose()?;
    let options = TranspileOptions {
        decorators: match options.decorators {
            Decorators::Standard => DecoratorsTranspileOption::Ecma,
            Decorators::Legacy { metadata } => {
                DecoratorsTranspileOption::LegacyTypeScript { emit_metadata: metadata }
            }
        },
        imports_not_used_as_values: ImportsNotUsedAsValues::Remove,
        // An import of JavaScript is kept, because the imported module has to run.
        verbatim_module_syntax: options.keeps_imports || !media_type.is_typed(),
        jsx,
        ..TranspileOptions::default()
    };
    let emit =
        EmitOptions { source_map: SourceMapOption::Separate, inline_sources: true, ..EmitOptions::default() };
    let failed = |error: &dyn std::fmt::Display| Diagnostic::new(format!("{}: {error}", path.display()));
    let result = parsed
        .transpile(&options, &TranspileModuleOptions { module_kind: kind }, &emit)
        .map_err(|error| failed(&error))?;
    let source = result.into_source();
    let source_map = source.source_map.map(String::into_bytes).unwrap_or_default();
    Ok(Script { code: source.text, source_map: Some(source_map) })
}

/// The modules that a JavaScript module imports, in the order of its code. `import()` of an expression is not among
/// them.
///
/// # Errors
///
/// A [`Diagnostic`] with line and column for a syntax error, or without a place if `path` is not absolute.
pub fn imports(path: &Path, code: &str) -> Result<Vec<Import>, Diagnostic> {
    let parsed = parse(path, code.to_owned(), MediaType::JavaScript, |module, _| module)?;
    let start = parsed.text_info_lazy().range().start;
    let mut reader = Imports { found: Vec::new(), start };
    parsed.program().visit_with(&mut reader);
    reader.found.sort_by_key(|import| import.range.start);
    Ok(reader.found)
}

/// Collects the imports of a module.
struct Imports {
    found: Vec<Import>,
    start: StartSourcePos,
}

impl Imports {
    fn add(&mut self, literal: &Str, with: Option<&ObjectLit>) {
        let range = literal.range().as_byte_range(self.start);
        let kind = with.and_then(|with| value_of(with, "type")).and_then(|kind| match kind {
            Expr::Lit(Lit::Str(kind)) => Some(kind.value.to_string_lossy().into_owned()),
            _ => None,
        });
        let end = with.map_or(range.end, |with| with.range().as_byte_range(self.start).end);
        let typed = kind.map(|kind| (kind, range.start..end));
        let specifier = literal.value.to_string_lossy().into_owned();
        self.found.push(Import { specifier, range, typed, source_phase: None });
    }
}

impl Visit for Imports {
    fn visit_import_decl(&mut self, import: &ImportDecl) {
        self.add(&import.src, import.with.as_deref());
        if let (ImportPhase::Source, Some(name), Some(found)) =
            (import.phase, import.specifiers.first(), self.found.last_mut())
        {
            let start = import.range().as_byte_range(self.start).start;
            found.source_phase = Some(start..name.range().as_byte_range(self.start).start);
        }
    }

    fn visit_export_all(&mut self, export: &ExportAll) {
        self.add(&export.src, export.with.as_deref());
    }

    fn visit_named_export(&mut self, export: &NamedExport) {
        if let Some(literal) = &export.src {
            self.add(literal, export.with.as_deref());
        }
    }

    fn visit_call_expr(&mut self, call: &CallExpr) {
        let first = call.args.first().map(|argument| &*argument.expr);
        if let (Callee::Import(_), Some(Expr::Lit(Lit::Str(literal)))) = (&call.callee, first) {
            let options = call.args.get(1).and_then(|argument| argument.expr.as_object());
            self.add(literal, options.and_then(|options| value_of(options, "with")?.as_object()));
            // The attributes of `import()` are in an object of their own.
            if let (Some(options), Some(Import { typed: Some((_, range)), .. })) =
                (options, self.found.last_mut())
            {
                range.end = options.range().as_byte_range(self.start).end;
            }
        }
        call.visit_children_with(self);
    }
}

/// The value of an object's property.
pub(crate) fn value_of<'a>(object: &'a ObjectLit, name: &str) -> Option<&'a Expr> {
    object.props.iter().find_map(|prop| {
        let pair = prop.as_prop()?.as_key_value()?;
        let is_named = match &pair.key {
            PropName::Ident(key) => key.sym == *name,
            PropName::Str(key) => key.value == *name,
            _ => false,
        };
        is_named.then_some(&*pair.value)
    })
}

/// The syntax tree of a module; `None` where the text does not parse, for example because of live keywords.
pub fn parsed(path: &Path, source: String) -> Option<ParsedSource> {
    read(path, source).ok()
}

/// The syntax tree of a file that is not run. A file of JavaScript may have JSX in it, which some dialects compile.
fn read(path: &Path, source: String) -> Result<ParsedSource, Diagnostic> {
    let media_type = MediaType::from_path(path);
    let read = |text, media_type| parse(path, text, media_type, |module, _| module);
    let may_be_jsx = matches!(media_type, MediaType::JavaScript | MediaType::Mjs) && jsx::may_be_in(&source);
    match read(source.clone(), media_type) {
        Err(error) if may_be_jsx => read(source, MediaType::Jsx).map_err(|_| error),
        result => result,
    }
}

/// The syntax tree of a module whose live keywords are left out, or its syntax error.
///
/// # Errors
///
/// A [`Diagnostic`] with line and column for a syntax error or for a live function that cannot be compiled, or without
/// a place if `path` is not absolute.
pub fn readable(path: &Path, source: &str) -> Result<ParsedSource, Diagnostic> {
    let found = live::find(source);
    if !found.any() {
        return read(path, source.to_owned());
    }
    script(path, source.to_owned(), Options::to_read)?;
    read(path, live::blank(source, &found.keywords)).or_else(|_| read(path, source.to_owned()))
}

/// What to do about a syntax error in a file of JavaScript, if the file is written in TypeScript or has JSX in it.
pub fn language_help(path: &Path, source: &str) -> Option<String> {
    if !matches!(MediaType::from_path(path), MediaType::JavaScript | MediaType::Mjs | MediaType::Cjs) {
        return None;
    }
    let languages = [
        (MediaType::TypeScript, "this is TypeScript: let the name of the file end in .ts"),
        (MediaType::Jsx, "this is JSX: let the name of the file end in .jsx"),
        (MediaType::Tsx, "this is TypeScript with JSX: let the name of the file end in .tsx"),
    ];
    let parses = |media_type| {
        let parsed = parse(path, source.to_owned(), media_type, |module, _| module);
        // The parser goes on after some errors.
        parsed.is_ok_and(|parsed| parsed.diagnostics().is_empty())
    };
    // V8 refuses more than the parser, such as an `await` outside of async functions.
    if parses(MediaType::JavaScript) {
        return None;
    }
    let (_, help) = languages.into_iter().find(|(media_type, _)| parses(*media_type))?;
    Some(help.to_owned())
}

pub(crate) fn parse_jsx(path: &Path, text: &str) -> Option<ParsedSource> {
    parse(path, text.to_owned(), MediaType::Jsx, |module, _| module).ok()
}

fn parse(
    path: &Path,
    text: String,
    media_type: MediaType,
    then: impl FnOnce(Module, &Globals) -> Module,
) -> Result<ParsedSource, Diagnostic> {
    let specifier = ModuleSpecifier::from_file_path(path)
        .map_err(|()| Diagnostic::new(format!("{} is not an absolute path", path.display())))?;
    let parse = ParseParams {
        specifier,
        text: text.into(),
        media_type,
        capture_tokens: false,
        scope_analysis: false,
        maybe_syntax: None,
    };
    deno_ast::parse_module_with_post_process(parse, then).map_err(|error| {
        let position = error.display_position();
        syntax_error(path, &error.message(), position.line_number, position.column_number)
    })
}

fn syntax_error(path: &Path, message: &str, line: usize, column: usize) -> Diagnostic {
    Diagnostic::at(format!("SyntaxError: {message}"), path, line, column)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Options, Script};
    use crate::Diagnostic;

    fn script(file: &str, source: &str) -> Result<Script, Diagnostic> {
        super::script(Path::new(file), source.to_owned(), || Ok(Options::default()))
    }

    fn compiled(source: &str) -> String {
        let script = script("/handler.js", source).expect("it compiles");
        assert!(script.source_map.is_some(), "nothing was compiled in {source}");
        script.code
    }

    fn failure(file: &str, source: &str) -> Diagnostic {
        script(file, source).err().expect("it does not compile")
    }

    #[track_caller]
    fn assert_contains(source: &str, parts: &[&str]) {
        let code = compiled(source);
        let flat = code.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in parts {
            assert!(flat.contains(part), "{part}\nis not in\n{code}");
        }
    }

    #[test]
    fn plain_javascript_stays_as_it_is() {
        for source in [
            "export default () => 1;",
            "const live = 1; live(x)\nfunction f() {}",
            "const text = 'use live';",
            "x ? live (y) : z => z",
            "const t = <p>a live function f</p>;",
        ] {
            let unchanged = script("/handler.js", source);
            // JSX is no JavaScript: V8 says so.
            let Ok(unchanged) = unchanged else { continue };
            assert_eq!((unchanged.code.as_str(), unchanged.source_map), (source, None));
        }
    }

    #[test]
    fn statements_become_closures_of_a_program() {
        assert_contains(
            "export async live function f(a) { const b = a.x; return b; }",
            &[
                "import $live from \"liveline:live\"",
                "export async function f(a) { return $live.runAsync(($live$)=>{",
                "let b; const $live_b1 = $live.cell();",
                "return $live$.block([",
                "$live$.wrote($live_b1, b = $live$.get(a, \"x\"))",
                "return $live$.return($live$.read($live_b1, b))",
            ],
        );
    }

    #[test]
    fn only_variables_that_change_and_are_read_live_have_cells() {
        let code = compiled("let a = 1, b = 2, c = 3; live function f() { log(a, b); } b = 4; c = 5;");
        assert_eq!(code.matches("$live.cell()").count(), 1, "{code}");
        assert!(code.contains("$live.wrote($live_b1, b = 4)"), "{code}");
        assert!(code.contains("c = 5;"), "{code}");
    }

    #[test]
    fn writes_are_told_in_ordinary_functions_too() {
        assert_contains(
            "live function f() {} function g(o, k) { o.a = 1; o[k] += 2; delete o.b; o.n++; o.l.push(1); o.l?.pop(); o.log(1); Object.assign(o, {}); }",
            &[
                "$live.set(o, \"a\", 1)",
                "$live.delete(o, \"b\")",
                "$live.incrementLater(o, \"n\")",
                "$live.call(o.l, \"push\", [ 1 ])",
                "o.log(1)",
                "$live.call(Object, \"assign\", [ o, {} ])",
            ],
        );
    }

    #[test]
    fn names_of_the_module_are_left_free() {
        assert_contains("const $live = 1; live function f() {}", &["import $live_ from", "$live_.run("]);
    }

    #[test]
    fn only_statements_that_await_are_asynchronous() {
        let code = compiled("async live function f(a) { a.x(); await a.y(); if (a) { await 1; } }");
        assert_eq!(code.matches("async ($live$)").count(), 2, "{code}");
    }

    #[test]
    fn a_directive_for_the_file_is_for_what_it_declares() {
        let code = compiled(
            "'use live';\nfunction a() {}\nexport const b = () => [1].map((x) => x);\nfunction* c() {}\n[1].map((x) => x);",
        );
        assert_eq!(code.matches("$live.run(").count(), 2, "{code}");
        assert!(!code.contains("use live"), "{code}");
    }

    #[test]
    fn words_that_only_looked_like_keywords_are_given_back() {
        assert_contains(
            "live function f() {} const g = (x) => x ? live (y) : z => z;",
            &["live(y)", "$live.run("],
        );
    }

    #[test]
    fn errors_have_their_place() {
        for (source, message, line, column) in [
            ("\nlive function* f() {}", "a generator cannot be live", 2, 1),
            ("class A {\n  constructor() { 'use live'; }\n}", "a constructor cannot be live", 2, 19),
            ("live function f() {\n  using a = b;\n}", "`using`", 2, 3),
        ] {
            let failure = failure("/handler.js", source);
            let place = failure.place.as_ref().expect("a place");
            assert!(failure.message.contains(message), "{failure:?}");
            assert_eq!((place.line, place.column), (line, column), "{source}");
        }
    }
}

//! JSX: the calls that its elements become.

use std::collections::HashMap;
use std::path::Path;

use deno_ast::swc::ast::{JSXElement, JSXFragment};
use deno_ast::swc::common::comments::CommentKind;
use deno_ast::swc::common::{BytePos, Spanned as _};
use deno_ast::swc::ecma_visit::{Visit, VisitWith};
use deno_ast::{JsxAutomaticOptions, JsxClassicOptions, JsxRuntime, ParsedSource, SourcePos};

use crate::Diagnostic;

/// The calls that JSX elements become.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Jsx {
    /// Calls of `jsx()`, which the module `jsx-runtime` of this package exports.
    Automatic(String),
    /// Calls of a function that is in scope.
    Classic { factory: String, fragment: String },
    /// No setting decides it: the first element is an error.
    #[default]
    Undecided,
}

impl Jsx {
    /// Calls of `factory`, with `fragment` for elements without a name; React's functions for what is `None`.
    pub fn classic(factory: Option<String>, fragment: Option<String>) -> Jsx {
        Jsx::Classic {
            factory: factory.unwrap_or_else(|| "React.createElement".to_owned()),
            fragment: fragment.unwrap_or_else(|| "React.Fragment".to_owned()),
        }
    }

    /// The calls in a file whose comments may contain pragmas.
    fn with_pragmas(self, pragmas: &HashMap<String, String>) -> Jsx {
        let pragma = |name: &str| pragmas.get(name).cloned();
        let (factory, fragment) = (pragma("@jsx"), pragma("@jsxFrag"));
        let is_classic = match pragma("@jsxRuntime").as_deref() {
            Some("classic") => true,
            Some("automatic") => false,
            _ => pragma("@jsxImportSource").is_none() && (factory.is_some() || fragment.is_some()),
        };
        match (self, pragma("@jsxImportSource")) {
            (Jsx::Classic { factory: set, fragment: fragment_set }, _) if is_classic => {
                Jsx::classic(factory.or(Some(set)), fragment.or(Some(fragment_set)))
            }
            _ if is_classic => Jsx::classic(factory, fragment),
            (_, Some(package)) => Jsx::Automatic(package),
            (set, None) => set,
        }
    }
}

/// How a file's JSX is compiled. Fails at the first element where nothing decides it.
pub(crate) fn runtime(path: &Path, parsed: &ParsedSource, set: Jsx) -> Result<JsxRuntime, Diagnostic> {
    Ok(match set.with_pragmas(&pragmas(parsed)) {
        Jsx::Automatic(package) => {
            JsxRuntime::Automatic(JsxAutomaticOptions { development: false, import_source: Some(package) })
        }
        Jsx::Classic { factory, fragment } => {
            JsxRuntime::Classic(JsxClassicOptions { factory, fragment_factory: fragment })
        }
        Jsx::Undecided => match first_element(parsed) {
            None => JsxRuntime::default(),
            Some((line, column)) => {
                let message = "JSX needs a package that makes elements, and none is installed or set";
                let help = "install react, preact or hono, or set \"jsxImportSource\" in tsconfig.json or \
                            package.json, or write /** @jsxImportSource PACKAGE */ at the top of the file";
                return Err(Diagnostic::at(message, path, line, column).with_help(Some(help.to_owned())));
            }
        },
    })
}

/// Whether the text of a file may have JSX in it: it has the end of an element.
pub(crate) fn may_be_in(source: &str) -> bool {
    source.contains("</") || source.contains("/>")
}

/// Whether a file of JavaScript has JSX in it.
pub(crate) fn is_in(path: &Path, source: &str) -> bool {
    may_be_in(source)
        && crate::transpile::parse_jsx(path, source).is_some_and(|parsed| first_element(&parsed).is_some())
}

/// Whether a file that was parsed has JSX in it.
pub(crate) fn is_anywhere(parsed: &ParsedSource) -> bool {
    first_element(parsed).is_some()
}

/// The place of the first JSX element of a file.
pub(crate) fn first_element_of(path: &Path, source: &str) -> Option<(usize, usize)> {
    first_element(&crate::transpile::parsed(path, source.to_owned())?)
}

/// The pragmas of the comments before the first statement, such as `@jsx`, with their values.
fn pragmas(parsed: &ParsedSource) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let comments =
        parsed.comments().get_leading(SourcePos::unsafely_from_byte_pos(parsed.program().span_lo()));
    let blocks = comments.into_iter().flatten().filter(|comment| comment.kind == CommentKind::Block);
    for line in blocks.flat_map(|comment| comment.text.lines()) {
        let line = line.trim();
        let line = line.strip_prefix('*').unwrap_or(line).trim();
        if line.starts_with("@jsx") {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            found.extend(words.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())));
        }
    }
    found
}

fn first_element(parsed: &ParsedSource) -> Option<(usize, usize)> {
    let mut elements = Elements(None);
    parsed.program().visit_with(&mut elements);
    let at = SourcePos::unsafely_from_byte_pos(elements.0?);
    let place = parsed.text_info_lazy().line_and_column_display(at);
    Some((place.line_number, place.column_number))
}

/// The position of the first JSX element.
struct Elements(Option<BytePos>);

impl Elements {
    fn found(&mut self, at: BytePos) {
        self.0 = Some(self.0.map_or(at, |before| before.min(at)));
    }
}

impl Visit for Elements {
    // An element's children come after it.
    fn visit_jsx_element(&mut self, element: &JSXElement) {
        self.found(element.span_lo());
    }

    fn visit_jsx_fragment(&mut self, fragment: &JSXFragment) {
        self.found(fragment.span_lo());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Jsx;
    use crate::Diagnostic;
    use crate::transpile::{Options, script};

    fn compiled(source: &str, jsx: Jsx) -> Result<String, Diagnostic> {
        let options = || Ok(Options { jsx, ..Options::default() });
        script(Path::new("/handler.tsx"), source.to_owned(), options).map(|script| script.code)
    }

    #[track_caller]
    fn assert_calls(source: &str, jsx: Jsx, calls: &str) {
        let code = compiled(source, jsx).expect("it compiles");
        assert!(code.contains(calls), "{calls}\nis not in\n{code}");
    }

    #[test]
    fn settings_decide() {
        let element = "export default () => <p/>;";
        assert_calls(element, Jsx::Automatic("preact".into()), "from \"preact/jsx-runtime\"");
        assert_calls(element, Jsx::classic(None, None), "React.createElement(\"p\"");
        let h = Jsx::classic(Some("h".into()), Some("Fragment".into()));
        assert_calls("export default () => <><p/></>;", h, "h(Fragment, null, ");
    }

    #[test]
    fn pragmas_decide_before_settings() {
        let element = "export default () => <><p/></>;";
        for (pragmas, calls) in [
            ("/** @jsx h */", "h(React.Fragment, null, "),
            ("/** @jsx h */ /** @jsxFrag F */", "h(F, null, "),
            ("/**\n * @jsxRuntime classic\n * @jsx h\n */", "h(React.Fragment, null, "),
            ("/* @jsxImportSource solid */", "from \"solid/jsx-runtime\""),
            ("/** @jsxRuntime automatic @jsxImportSource solid */", "from \"solid/jsx-runtime\""),
        ] {
            let source = format!("{pragmas}\n{element}");
            assert_calls(&source, Jsx::Undecided, calls);
            assert_calls(&source, Jsx::Automatic("react".into()), calls);
        }
    }

    #[test]
    fn undecided_jsx_is_an_error_at_the_first_element() {
        let failure = compiled("const a = 1;\nexport default () => <a><b/></a>;\n", Jsx::Undecided);
        let place = failure.expect_err("nothing decides").place.expect("a place");
        assert_eq!((place.line, place.column), (2, 22));
        assert!(compiled("export const id = <T,>(x: T) => x;", Jsx::Undecided).is_ok());
    }
}
